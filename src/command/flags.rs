//! Argv the way argparse reads it.

use super::Word;
use crate::source::{Span, Text};

/// One option as used on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As written, without `=value`: `--router-mode`, `-tp`.
    pub name: String,
    /// The option's own spelling where another one was written that its parser takes for it: a unique beginning, `_` for
    /// `-`. Not known to [`Args::parse`].
    pub meant: Option<Box<str>>,
    /// Its values: the one after `=`, or the words up to the next option.
    pub values: Vec<Word>,
    /// Whether the value was joined with `=`.
    pub joined: bool,
    /// Words behind a joined value: no option takes them.
    pub strays: Vec<Word>,
    /// Where the flag's name stands.
    pub span: Span,
    /// Where its own word stands, joined value included.
    pub used: Span,
    /// Index of its word in the argv it was read from.
    pub index: usize,
}

impl Flag {
    fn new(word: &Word, name: usize, index: usize) -> Self {
        let text = &word.text;
        let joined = name < text.len();
        let mut values = Vec::new();
        if joined {
            // `whole` stays the place of the use, wherever the value itself was written.
            let mut value = Text::empty(text.slice_span(name + 1..text.len()));
            value.push_slice(text, name + 1..text.len());
            values.push(Word { text: value, dynamic: word.dynamic.clone(), open: word.open });
        }
        Self {
            name: text[..name].to_owned(),
            meant: None,
            values,
            joined,
            strays: Vec::new(),
            span: text.slice_span(0..name),
            used: text.whole(),
            index,
        }
    }

    /// Whether it is the option of one of these names.
    #[must_use]
    pub fn is_any(&self, names: &[&str]) -> bool {
        let meant = self.meant.as_deref().unwrap_or(&self.name);
        names.iter().any(|name| *name == self.name || *name == meant)
    }

    /// Its first value.
    #[must_use]
    pub fn value(&self) -> Option<&Word> {
        self.values.first()
    }

    /// Span of the flag with its values, where the command line is written.
    #[must_use]
    pub fn full_span(&self) -> Span {
        let Some(last) = self.values.last().filter(|_| !self.joined) else { return self.used };
        self.used.to(last.text.whole())
    }

    /// Where its value is told: with its name where they stand together, else where a variable has it from.
    #[must_use]
    pub fn told(&self) -> Span {
        let whole = self.full_span();
        let from = self.values.last().map(Word::span);
        let inside = |at: &Span| at.file == whole.file && at.start >= whole.start && at.end <= whole.end;
        from.filter(|at| !inside(at)).unwrap_or(whole)
    }
}

/// Options and positional words of one process, program excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// Options in order.
    pub flags: Vec<Flag>,
    /// Words that belong to no option.
    pub positional: Vec<Word>,
    /// Whether a word that cannot be known could hide further options (`"$@"`, `${EXTRA_ARGS}`).
    pub open: Option<crate::source::Reason>,
}

impl Args {
    /// Reads the words after the program. Without knowledge of the program every option takes the words up to the next
    /// one, as `nargs="*"` would; ask [`Flag::value`] for the first. A value joined with `=` is the only one.
    ///
    /// As in argparse, `-1`, `-` and words with a blank in what would be the name are values, and `--` ends the options.
    /// A word that cannot be known is the value of the flag before it; one that may be several words, or none, or that
    /// stands where a flag could, makes the command line [`Args::open`].
    #[must_use]
    pub fn parse(words: &[Word]) -> Self {
        let mut args = Self::default();
        let mut only_positional = false;
        for (index, word) in words.iter().enumerate() {
            if let Some(reason) = word.dynamic.as_ref().filter(|_| args.open.is_none()) {
                let unseen = word.text.starts_with(['$', '`']);
                let expected = args.flags.last().is_some_and(|f| f.values.is_empty());
                if !only_positional && (word.open || (unseen && !expected)) {
                    args.open = Some(reason.clone());
                }
            }
            if only_positional {
                args.positional.push(word.clone());
            } else if word.text.as_str() == "--" {
                only_positional = true;
            } else if let Some(name) = option_name(&word.text) {
                args.flags.push(Flag::new(word, name, index));
            } else if let Some(flag) = args.flags.last_mut().filter(|flag| !flag.joined) {
                flag.values.push(word.clone());
            } else {
                if let Some(flag) = args.flags.last_mut() {
                    flag.strays.push(word.clone());
                }
                args.positional.push(word.clone());
            }
        }
        args
    }

    /// The last use of any of the names: for argparse `store` actions the last one wins.
    #[must_use]
    pub fn last(&self, names: &[&str]) -> Option<&Flag> {
        self.flags.iter().rev().find(|f| f.is_any(names))
    }

    /// All uses of any of the names.
    pub fn all<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = &'a Flag> {
        self.flags.iter().filter(move |f| f.is_any(names))
    }

    /// A boolean with a negated form (`--x` / `--no-x`); the last one wins.
    #[must_use]
    pub fn switch(&self, on: &[&str], off: &[&str]) -> Option<(bool, &Flag)> {
        self.flags.iter().rev().find_map(|f| {
            if f.is_any(on) {
                Some((true, f))
            } else if f.is_any(off) {
                Some((false, f))
            } else {
                None
            }
        })
    }
}

/// Length of the option's name when the word is an option.
fn option_name(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    let len = text.find('=').unwrap_or(text.len());
    let named = rest.starts_with(|c: char| c.is_ascii_alphabetic());
    (named && !text[..len].contains(char::is_whitespace)).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Reason};

    fn words(line: &[&str]) -> Vec<Word> {
        let mut at = 0;
        line.iter()
            .map(|w| {
                let len = u32::try_from(w.len()).unwrap();
                at += len + 1;
                Word::known(Text::opaque(*w, Span::new(FileId(0), at - len - 1, at - 1)))
            })
            .collect()
    }

    fn shape(line: &[&str]) -> String {
        let args = Args::parse(&words(line));
        let list = |words: &[Word]| words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join("|");
        let flags: Vec<String> = args.flags.iter().map(|f| format!("{}[{}]", f.name, list(&f.values))).collect();
        format!("{};{}", flags.join(" "), list(&args.positional))
    }

    #[test]
    fn a_recognised_option_answers_to_both_names() {
        let mut args = Args::parse(&words(&["--extra-engine-arg", "x", "--no-kv-event"]));
        args.flags[0].meant = Some("--extra-engine-args".into());
        args.flags[1].meant = Some("--no-kv-events".into());
        assert_eq!(args.last(&["--extra-engine-args"]).map(|f| f.name.as_str()), Some("--extra-engine-arg"));
        assert_eq!(args.all(&["--extra-engine-arg"]).count(), 1);
        assert_eq!(args.switch(&["--kv-events"], &["--no-kv-events"]).map(|(on, _)| on), Some(false));
        assert!(args.last(&["--extra"]).is_none());
    }

    #[test]
    fn options_take_the_words_up_to_the_next() {
        assert_eq!(shape(&["serve", "-tp", "8", "--a", "x", "y", "--b"]), "-tp[8] --a[x|y] --b[];serve");
        assert_eq!(shape(&["--a=1", "--b=", "--c=x=y"]), "--a[1] --b[] --c[x=y];");
        assert_eq!(shape(&["--a", "-1", "-0.5", "-", "-.5"]), "--a[-1|-0.5|-|-.5];");
        assert_eq!(shape(&["--a", "--", "--b", "c"]), "--a[];--b|c");
        assert_eq!(shape(&["--a", "-not an option", "--kv={\"a\": 1}"]), "--a[-not an option] --kv[{\"a\": 1}];");
        assert_eq!(shape(&[]), ";");
    }

    #[test]
    fn spans_of_name_value_and_whole() {
        let line = words(&["--model=Qwen", "--tp", "8"]);
        let args = Args::parse(&line);
        let at = |start, end| Span::new(FileId(0), start, end);
        assert_eq!(args.flags[0].span, at(0, 7));
        assert_eq!(args.flags[0].values[0].span(), at(8, 12));
        assert_eq!(args.flags[0].full_span(), at(0, 12));
        assert_eq!(args.flags[1].full_span(), at(13, 19));
        assert_eq!(args.flags[1].index, 1);
    }

    #[test]
    fn a_value_from_elsewhere_does_not_stretch_the_flag() {
        let elsewhere = Span::new(FileId(0), 900, 904);
        let mut line = words(&["--tp", "8"]);
        let mut value = Text::empty(line[1].text.whole());
        value.push_piece("8888", elsewhere);
        line[1].text = value;
        let args = Args::parse(&line);
        assert_eq!(args.flags[0].value().unwrap().span(), elsewhere);
        assert_eq!(args.flags[0].full_span(), Span::new(FileId(0), 0, 6));
    }

    #[test]
    fn a_joined_value_is_the_only_one() {
        let args = Args::parse(&words(&["--a=b", "c", "d", "--e", "f", "g"]));
        assert_eq!(shape(&["--a=b", "c", "d", "--e", "f", "g"]), "--a[b] --e[f|g];c|d");
        let strays: Vec<&str> = args.flags[0].strays.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(strays, ["c", "d"]);
    }

    #[test]
    fn what_may_hide_options_opens_the_line() {
        let unknown = |text: &str, open: bool| Word {
            text: Text::opaque(text, Span::new(FileId(0), 0, 1)),
            dynamic: Some(Reason::Variable("X".into())),
            open,
        };
        let open = |line: &[Word]| Args::parse(line).open.is_some();
        let flag = words(&["--model"]).remove(0);
        assert!(!open(&[flag.clone(), unknown("$X", false)]));
        assert!(open(&[flag.clone(), unknown("$X", true)]));
        assert!(open(&[flag.clone(), unknown("$X", false), unknown("$X", false)]));
        assert!(open(&[unknown("$X", false)]));
        assert!(!open(&[flag.clone(), unknown("/models/$X", false), unknown("a$X", false)]));
        assert!(!open(&words(&["--a", "$X"])));
        let end = words(&["--"]).remove(0);
        assert!(!open(&[flag, end, unknown("$X", true)]));
    }

    #[test]
    fn the_last_use_counts() {
        let args = Args::parse(&words(&["--tp", "1", "--x", "--tp", "2", "--no-x"]));
        assert_eq!(args.last(&["--tp"]).and_then(Flag::value).and_then(Word::as_known), Some("2"));
        assert_eq!(args.all(&["--tp"]).count(), 2);
        assert_eq!(args.switch(&["--x"], &["--no-x"]).map(|(on, _)| on), Some(false));
    }
}
