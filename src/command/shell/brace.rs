//! Brace expansion: `{a,b}` and `{1..3}`, step by step as bash goes about it (`braces.c`). It comes before every other
//! expansion and looks at the unquoted text alone; quoted text, variables and substitutions are what they are.

use super::ast::Part;

/// Most words that one word may come to, and most characters that are looked at.
const MAX_WORDS: usize = 256;
const MAX_TEXT: usize = 2048;
/// How deep braces may nest.
const MAX_DEPTH: u32 = 16;

/// A word that is not followed: too large, or other than its parts once it is put together.
pub(super) struct Beyond;

/// A byte of unquoted text with its place, or a part that is taken as it stands.
#[derive(Clone, Copy)]
enum Atom<'p> {
    Byte(u8, usize),
    Part(&'p Part),
    /// Index of a member of a sequence in [`Braces::made`].
    Made(usize),
}

/// What the expansion of one word makes up besides.
struct Braces {
    made: Vec<Part>,
}

/// The parts of every word that the parts of one come to; none when there are no braces to expand.
pub(super) fn expand(src: &str, parts: &[Part]) -> Result<Option<Vec<Vec<Part>>>, Beyond> {
    let holds = |byte: u8| {
        parts.iter().any(|p| matches!(p, Part::Plain(range) if src.as_bytes()[range.clone()].contains(&byte)))
    };
    if !holds(b'{') || !holds(b'}') {
        return Ok(None);
    }
    let mut atoms = Vec::new();
    for part in parts {
        match part {
            Part::Plain(range) => atoms.extend(range.clone().map(|at| Atom::Byte(src.as_bytes()[at], at))),
            part => atoms.push(Atom::Part(part)),
        }
    }
    if atoms.len() > MAX_TEXT {
        return Err(Beyond);
    }
    let mut braces = Braces { made: Vec::new() };
    let words = braces.words(&atoms, 0)?;
    if words.len() == 1 && words[0].len() == atoms.len() {
        return Ok(None);
    }
    let words: Vec<Vec<Part>> = words.iter().map(|word| braces.parts(word)).collect();
    // The words are texts that are read again: `$A{1,2}` is `$A1` and `$A2`.
    let other = |parts: &[Part]| parts.windows(2).any(|pair| runs_on(src, &pair[0], &pair[1]));
    if words.iter().any(|parts| other(parts)) { Err(Beyond) } else { Ok(Some(words)) }
}

/// Whether a variable goes on, or first comes to be, where two parts meet.
fn runs_on(src: &str, part: &Part, next: &Part) -> bool {
    let named = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let first = match next {
        Part::Plain(range) => src.as_bytes().get(range.start).copied(),
        Part::Escaped(text, _) => text.bytes().next(),
        _ => None,
    };
    match part {
        Part::Param(param) => {
            let text = &src[param.range.clone()];
            let name =
                text.strip_prefix('$').is_some_and(|name| name.starts_with(|c: char| c == '_' || c.is_alphabetic()));
            name && !param.quoted && first.is_some_and(named)
        }
        Part::Plain(range) => src[range.clone()].ends_with('$'),
        _ => false,
    }
}

/// The next byte that closes what is looked for: `{` opens, `,` parts, `}` ends a brace that has something to expand.
fn gobble(atoms: &[Atom<'_>], from: usize, wanted: u8) -> Option<usize> {
    let byte = |at: usize| atoms.get(at).and_then(|atom| if let Atom::Byte(c, _) = atom { Some(*c) } else { None });
    let (mut level, mut something) = (0u32, wanted != b'}');
    for at in from..atoms.len() {
        let Some(c) = byte(at) else { continue };
        if c == wanted && level == 0 && something {
            // A word's own `{` and `{}`.
            if c == b'{' && at == 0 && (atoms.len() == 1 || byte(1) == Some(b'}')) {
                continue;
            }
            return Some(at);
        }
        match c {
            b'{' => level += 1,
            b'}' if level > 0 => level -= 1,
            b',' if level == 0 => something = true,
            b'.' if level == 0 && byte(at + 1) == Some(b'.') && byte(at + 2) != Some(b'}') => something = true,
            _ => {}
        }
    }
    None
}

impl Braces {
    fn words<'p>(&mut self, atoms: &[Atom<'p>], depth: u32) -> Result<Vec<Vec<Atom<'p>>>, Beyond> {
        if depth > MAX_DEPTH {
            return Err(Beyond);
        }
        let mut out: Vec<Vec<Atom<'p>>> = vec![Vec::new()];
        let mut rest = atoms;
        loop {
            let mut from = 0;
            let found = loop {
                let Some(open) = gobble(rest, from, b'{') else { break None };
                match gobble(rest, open + 1, b'}') {
                    Some(close) => break Some((open, close)),
                    None => from = open + 1,
                }
            };
            let Some((open, close)) = found else {
                out.iter_mut().for_each(|word| word.extend(rest));
                return Ok(out);
            };
            let inner = &rest[open + 1..close];
            let choices = if inner.iter().any(|atom| matches!(atom, Atom::Byte(b',', _))) {
                let (mut choices, mut start) = (Vec::new(), 0);
                loop {
                    let end = gobble(inner, start, b',').unwrap_or(inner.len());
                    choices.extend(self.words(&inner[start..end], depth + 1)?);
                    start = end + 1;
                    if end == inner.len() {
                        break choices;
                    }
                }
            } else {
                match self.sequence(inner)? {
                    Some(members) => members.into_iter().map(|at| vec![Atom::Made(at)]).collect(),
                    None => vec![rest[open..=close].to_vec()],
                }
            };
            if out.len() * choices.len() > MAX_WORDS {
                return Err(Beyond);
            }
            out = out
                .iter()
                .flat_map(|word| choices.iter().map(|choice| [word, &rest[..open], choice].concat()))
                .collect();
            if out.iter().map(Vec::len).sum::<usize>() > MAX_TEXT * 8 {
                return Err(Beyond);
            }
            rest = &rest[close + 1..];
        }
    }

    /// The members of `1..3`, `a..e` or `01..10..2`; none when it is no sequence.
    fn sequence(&mut self, atoms: &[Atom<'_>]) -> Result<Option<Vec<usize>>, Beyond> {
        let mut text = String::new();
        let (mut start, mut end) = (usize::MAX, 0);
        for atom in atoms {
            let Atom::Byte(c, at) = atom else { return Ok(None) };
            text.push(char::from(*c));
            (start, end) = (start.min(*at), at + 1);
        }
        let mut terms = text.split("..");
        let (Some(first), Some(last), step, None) = (terms.next(), terms.next(), terms.next(), terms.next()) else {
            return Ok(None);
        };
        let step = match step.map(str::parse::<i64>) {
            None => 1,
            Some(Ok(step)) => step.checked_abs().unwrap_or(i64::MAX).max(1),
            Some(Err(_)) => return Ok(None),
        };
        let letter = |term: &str| term.bytes().next().filter(|c| term.len() == 1 && c.is_ascii_alphabetic());
        let (a, b, width, letters) = match (first.parse::<i64>(), last.parse::<i64>()) {
            (Ok(a), Ok(b)) => {
                let padded = |term: &str| {
                    let digits = term.strip_prefix('-').unwrap_or(term);
                    digits.len() > 1 && digits.starts_with('0')
                };
                let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
                (a, b, width, false)
            }
            _ => match (letter(first), letter(last)) {
                // Between the cases lie characters that are more than themselves.
                (Some(a), Some(b)) if a.is_ascii_lowercase() != b.is_ascii_lowercase() => return Err(Beyond),
                (Some(a), Some(b)) => (i64::from(a), i64::from(b), 0, true),
                _ => return Ok(None),
            },
        };
        let (low, high) = (a.min(b), a.max(b));
        let count = (i128::from(high) - i128::from(low)) / i128::from(step) + 1;
        let count = i64::try_from(count).ok().filter(|n| *n <= 256).ok_or(Beyond)?;
        let members = (0..count).map(|n| {
            let value = if a <= b { a + n * step } else { a - n * step };
            let letter = u8::try_from(value).ok().filter(|_| letters).map(char::from);
            let text = letter.map_or_else(|| format!("{value:0width$}"), String::from);
            self.made.push(Part::Escaped(text, start..end));
            self.made.len() - 1
        });
        Ok(Some(members.collect()))
    }

    /// Atoms put together again.
    fn parts(&self, atoms: &[Atom<'_>]) -> Vec<Part> {
        let mut out: Vec<Part> = Vec::new();
        for atom in atoms {
            match atom {
                Atom::Byte(_, at) => match out.last_mut() {
                    Some(Part::Plain(range)) if range.end == *at => range.end += 1,
                    _ => out.push(Part::Plain(*at..at + 1)),
                },
                Atom::Part(part) => out.push(Part::clone(part)),
                Atom::Made(at) => out.push(self.made[*at].clone()),
            }
        }
        out
    }
}
