//! Flags by component and release, read the way argparse reads them.

use std::borrow::Cow;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::text::Text;
use super::{Release, nearest_of};

include!(concat!(env!("OUT_DIR"), "/catalog_flags.rs"));

/// What an option does with the words behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Takes none.
    Switch,
    /// Takes none, and has a `--no-` form (`BooleanOptionalAction`).
    Bool,
    /// Takes one.
    Value,
    /// Takes one or none.
    OptionalValue,
    /// Takes all up to the next option, perhaps none.
    ZeroOrMore,
    /// Takes all up to the next option, at least one.
    OneOrMore,
}

/// What the word behind an option must be, beyond its choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any text, as far as is known.
    Text,
    /// A whole number.
    Int,
    /// A whole number with an optional unit (`16k`, `1.5M`), or `auto`.
    HumanInt,
    /// A number.
    Float,
    /// A JSON object.
    Json,
    /// Not known, or different from release to release.
    Any,
}

/// Peculiarities of a component's parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    /// vLLM's `FlexibleArgumentParser`: `_` for `-`, and `--option.key value` for a key of a JSON option.
    Vllm,
}

/// A program that takes options.
#[derive(Debug)]
pub struct Component {
    /// `frontend`, `mocker`, `router`, `dynamo-vllm`, `dynamo-sglang`, `dynamo-trtllm`, ….
    pub name: &'static str,
    /// Releases whose `--help` or argument definitions were read, oldest first. An engine's options are those of the engine
    /// that the release pins.
    pub releases: &'static [Release],
    /// Whether a unique beginning of a long option is accepted for it.
    pub abbreviations: bool,
    /// Whether every option of these releases is in here, so that an unknown one is a mistake: on the frontend unless
    /// `--dyn-chat-processor` hands unknown ones to an engine, and after [`super::router::rename`]. On workers that holds for
    /// published images only: the engine in an image of somebody's own decides most of their options.
    pub complete: bool,
    style: Style,
    flags: &'static [Row],
    /// Every spelling and its flag's number, sorted.
    index: &'static [(Text, u16)],
}

/// Words by the releases that accept them, a `|` between two. A release may accept those of several lists.
type Choices = &'static [(u16, Text)];

/// An option as the table has it.
#[derive(Debug)]
struct Row {
    name: Text,
    env: Text,
    default: Text,
    /// Its place in `ALIASES`.
    aliases: u16,
    /// The place in `ALIASES` of spellings with the releases that have their `--no-` form, where that are others.
    negations: u16,
    /// Its place in `SHAPES`.
    shapes: u16,
    /// Its place in `CHOICES`.
    choices: u16,
    present: u16,
    own: u16,
}

/// What an option takes in some releases.
#[derive(Clone, Copy, Debug)]
struct Shape {
    kind: Kind,
    value: Value,
    /// Whether no beginning of it is taken for it.
    exact: bool,
}

/// The bits of no release: what is said then holds for most.
const ANY: u16 = 0;

impl Row {
    /// The option as the release of that bit has it.
    fn get(&self, release: u16) -> Flag {
        let shapes = SHAPES[usize::from(self.shapes)];
        let shape = shapes.iter().find(|(mask, _)| mask & release != 0).or(shapes.last());
        let Shape { kind, value, exact } =
            shape.map_or(Shape { kind: Kind::ZeroOrMore, value: Value::Any, exact: false }, |(_, shape)| *shape);
        Flag {
            name: self.name.get(),
            aliases: ALIASES[usize::from(self.aliases)],
            negations: ALIASES[usize::from(self.negations)],
            env: self.env.get(),
            kind,
            value,
            exact,
            choices: CHOICES[usize::from(self.choices)],
            default: self.default.get(),
            present: self.present,
            own: self.own,
        }
    }
}

/// An option of a worker that is on its way out, or gone.
#[derive(Debug)]
pub struct Leaving {
    pub(super) flag: Text,
    pub(super) component: Text,
    pub(super) now: Text,
    /// First release that warns of it.
    pub deprecated: Option<Release>,
    /// First release without it, where that is Dynamo's own doing and no engine's.
    pub gone: Option<Release>,
}

impl Leaving {
    /// What to do instead, to stand as a help.
    #[must_use]
    pub fn now(&self) -> &'static str {
        self.now.get()
    }
}

/// What is known about an option that `component` (`dynamo-vllm`, …) will lose or has lost.
#[must_use]
pub fn leaving(component: &str, flag: &str) -> Option<&'static Leaving> {
    static FLAGS: OnceLock<FxHashMap<&'static str, Vec<&'static Leaving>>> = OnceLock::new();
    let known = FLAGS.get_or_init(|| {
        let mut known = FxHashMap::<_, Vec<_>>::default();
        super::tables::LEAVING.iter().for_each(|row| known.entry(row.flag.get()).or_default().push(row));
        known
    });
    let engine = component.strip_prefix("dynamo-")?;
    known.get(flag)?.iter().copied().find(|row| matches!(row.component.get(), e if e == engine || e == "any"))
}

/// One option with all its spellings.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Its present spelling, `--router-kv-events`.
    pub name: &'static str,
    aliases: &'static [(Text, u16)],
    negations: &'static [(Text, u16)],
    /// The variable that supplies its default; empty when there is none.
    pub env: &'static str,
    /// What it takes: in the release that was asked for, else in most of those from 1.0 on.
    pub kind: Kind,
    /// What a word that it takes must be.
    pub value: Value,
    exact: bool,
    choices: Choices,
    /// Default as `--help` prints it; empty when it does not.
    pub default: &'static str,
    present: u16,
    own: u16,
}

/// An option found by what stands on a command line.
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// The option.
    pub flag: Flag,
    /// The spelling that matched, without `--no-`.
    pub spelling: &'static str,
    /// Whether it was the `--no-` form.
    pub negated: bool,
    /// Whether only its beginning was written.
    pub abbreviated: bool,
}

/// Result of a look-up.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// One option.
    Found(Match),
    /// A beginning that several options share: argparse refuses it.
    Ambiguous(Vec<&'static str>),
    /// None that is known.
    Unknown,
}

/// All components.
#[must_use]
pub fn all() -> &'static [Component] {
    COMPONENTS
}

/// The component of that name. Python modules count, too: `dynamo.frontend`, `dynamo.vllm`.
#[must_use]
pub fn component(name: &str) -> Option<&'static Component> {
    let name = match name.strip_prefix("dynamo.") {
        Some("vllm") => "dynamo-vllm",
        Some("sglang") => "dynamo-sglang",
        Some("trtllm") => "dynamo-trtllm",
        Some(module) => module,
        None => name,
    };
    COMPONENTS.iter().find(|c| c.name == name)
}

impl Component {
    /// All options, sorted by name.
    pub fn flags(&self) -> impl Iterator<Item = Flag> + use<> {
        self.flags.iter().map(|row| row.get(ANY))
    }

    /// The option that `written` (a word of the command line; `=value` is cut off) means, when it means exactly one.
    #[must_use]
    pub fn flag(&self, written: &str) -> Option<Match> {
        match self.find(written) {
            Lookup::Found(found) => Some(found),
            Lookup::Ambiguous(_) | Lookup::Unknown => None,
        }
    }

    /// What `written` means: an exact spelling, else a unique beginning where the parser allows that.
    #[must_use]
    pub fn find(&self, written: &str) -> Lookup {
        self.find_among(written, ANY)
    }

    /// Whether a release takes `written` for one option.
    #[must_use]
    pub fn takes(&self, written: &str, release: Release) -> bool {
        matches!(self.find_in(written, release), Lookup::Found(_))
    }

    /// What a release that was read makes of `written`: only its own spellings count. All others count as well in a release
    /// that was not.
    #[must_use]
    pub fn find_in(&self, written: &str, release: Release) -> Lookup {
        self.find_among(written, self.bit(release).unwrap_or(ANY))
    }

    fn find_among(&self, written: &str, release: u16) -> Lookup {
        let counts = |s: &Spelling| release == ANY || s.flag.mask(s.spelling, s.negated) & release != 0;
        // Nearly all options are written as they are listed.
        if let Some(found) = self.spelled_so(written, release).filter(&counts) {
            return Lookup::Found(found.into_match(false));
        }
        let written = before(written, b'=');
        let name = match self.style {
            Style::Vllm if written.starts_with("--") => {
                let name = before(written, b'.');
                if name.contains('_') { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) }
            }
            _ => Cow::Borrowed(written),
        };
        let name: &str = &name;
        if !name.starts_with('-') {
            return Lookup::Unknown;
        }
        if let Some(found) = self.exact(name, release).filter(&counts) {
            return Lookup::Found(found.into_match(false));
        }
        // argparse abbreviates long options only; `--` alone ends the options
        if !self.abbreviations || !name.starts_with("--") || name.len() < 3 {
            return Lookup::Unknown;
        }
        let hits: Vec<Spelling> = self.beginning_with(name, release).filter(&counts).collect();
        match &hits[..] {
            [] => Lookup::Unknown,
            [first, rest @ ..] if rest.iter().all(|h| h.same(first)) => Lookup::Found(first.into_match(true)),
            _ => {
                let mut names: Vec<&'static str> = hits.iter().map(|h| h.flag.name).collect();
                names.sort_unstable();
                names.dedup();
                Lookup::Ambiguous(names)
            }
        }
    }

    /// The option whose default the variable supplies.
    #[must_use]
    pub fn by_env(&self, variable: &str) -> Option<Flag> {
        static NAMED: [OnceLock<FxHashMap<&'static str, Flag>>; COMPONENTS.len()] =
            [const { OnceLock::new() }; COMPONENTS.len()];
        let named = NAMED[self.place()].get_or_init(|| {
            let mut named = FxHashMap::default();
            for flag in self.flags().filter(|flag| !flag.env.is_empty()) {
                named.entry(flag.env).or_insert(flag);
            }
            named
        });
        named.get(variable).copied()
    }

    /// The long spelling nearest to an unknown one, for a did-you-mean: at most two edits, three from twelve characters on.
    #[must_use]
    pub fn nearest(&self, written: &str) -> Option<String> {
        let name = before(written, b'=').replace('_', "-");
        let limit = if name.len() >= 14 { 3 } else { 2 };
        let near = |word: &str| {
            let names = self.index.iter().map(|(spelling, _)| spelling.get());
            nearest_of(word, names.filter(|s| s.starts_with("--")), limit)
        };
        if let Some(positive) = name.strip_prefix("--no-")
            && let Some(found) = near(&format!("--{positive}"))
            && self.flag(found).is_some_and(|m| m.flag.kind == Kind::Bool)
        {
            return Some(format!("--no-{}", &found[2..]));
        }
        near(&name).map(str::to_owned)
    }

    /// Whether this component's catalog covers a release: its help was read.
    #[must_use]
    pub fn covers(&self, release: Release) -> bool {
        self.releases.contains(&release)
    }

    pub(super) fn bit(&self, release: Release) -> Option<u16> {
        self.releases.iter().position(|r| *r == release).map(|i| 1 << i)
    }

    /// Whether `spelling` of an option is accepted in a release; `None` when that release was not read.
    #[must_use]
    pub fn accepts(&self, found: &Match, release: Release) -> Option<bool> {
        self.bit(release).map(|bit| found.flag.mask(found.spelling, found.negated) & bit != 0)
    }

    /// The first release that was read and has the spelling, when an earlier one was read that has it not.
    #[must_use]
    pub fn since(&self, found: &Match) -> Option<Release> {
        let mask = found.flag.mask(found.spelling, found.negated);
        let first = mask.trailing_zeros() as usize;
        (first > 0).then(|| self.releases.get(first).copied()).flatten()
    }

    /// The first release that was read and lacks the spelling, after one that has it.
    #[must_use]
    pub fn removed(&self, found: &Match) -> Option<Release> {
        let mask = found.flag.mask(found.spelling, found.negated);
        let after = 16 - mask.leading_zeros() as usize;
        self.releases.get(after).copied()
    }

    /// The first release behind one that lacks the spelling which has it.
    #[must_use]
    pub fn next(&self, found: &Match, release: Release) -> Option<Release> {
        self.releases.iter().copied().find(|r| *r > release && self.accepts(found, *r) == Some(true))
    }

    /// The words an option accepts in a release (the newest read when `None`); empty when it takes any.
    #[must_use]
    pub fn choices(&self, flag: Flag, release: Option<Release>) -> Vec<&'static str> {
        let newest = || flag.choices.iter().map(|(mask, _)| 15 - mask.leading_zeros()).max().map_or(0, |at| 1 << at);
        let bit = release.and_then(|r| self.bit(r)).unwrap_or_else(newest);
        let lists = flag.choices.iter().filter(|(mask, _)| mask & bit != 0);
        lists.flat_map(|(_, words)| words.get().split('|')).collect()
    }

    fn exact(&self, name: &str, release: u16) -> Option<Spelling> {
        self.spelled_so(name, release).or_else(|| {
            let positive = self.spelled_so(&format!("--{}", name.strip_prefix("--no-")?), release)?;
            positive.flag.negatable(positive.spelling).then_some(Spelling { negated: true, ..positive })
        })
    }

    fn spelled_so(&self, name: &str, release: u16) -> Option<Spelling> {
        let at = *self.spelled().get(name)?;
        Some(self.listed(self.index[usize::from(at)], release))
    }

    fn place(&self) -> usize {
        COMPONENTS.iter().position(|component| std::ptr::eq(component, self)).unwrap_or_default()
    }

    /// Places in the index by spelling: rules ask for every option of every worker.
    fn spelled(&self) -> &'static FxHashMap<&'static str, u16> {
        static SPELLED: [OnceLock<FxHashMap<&'static str, u16>>; COMPONENTS.len()] =
            [const { OnceLock::new() }; COMPONENTS.len()];
        let own = self.place();
        SPELLED[own].get_or_init(|| (0..).zip(COMPONENTS[own].index).map(|(at, (name, _))| (name.get(), at)).collect())
    }

    fn listed(&self, (spelling, number): (Text, u16), release: u16) -> Spelling {
        Spelling { flag: self.flags[usize::from(number)].get(release), spelling: spelling.get(), negated: false }
    }

    /// Spellings that begin so. All are looked at only where a `--no-` form may be meant; else the sorted index knows.
    fn beginning_with(&self, name: &str, release: u16) -> impl Iterator<Item = Spelling> {
        let negated = "--no-".starts_with(name) || name.starts_with("--no-");
        let from = self.index.partition_point(|(s, _)| s.get() < name);
        let listed = self.index[from..].iter().take_while(move |(s, _)| !negated && s.get().starts_with(name));
        let listed = listed.map(move |entry| self.listed(*entry, release));
        let searched = negated.then(|| self.spellings(release).filter(move |c| c.starts_with(name)));
        listed.chain(searched.into_iter().flatten()).filter(|s| !s.flag.exact)
    }

    fn spellings(&self, release: u16) -> impl Iterator<Item = Spelling> {
        self.flags.iter().map(move |row| row.get(release)).flat_map(|flag| {
            let names = flag.spellings();
            names.flat_map(move |spelling| {
                let negated = flag.negatable(spelling);
                let plain = Spelling { flag, spelling, negated: false };
                std::iter::once(plain).chain(negated.then_some(Spelling { flag, spelling, negated: true }))
            })
        })
    }
}

/// What stands before the first such byte.
fn before(word: &str, sign: u8) -> &str {
    word.bytes().position(|byte| byte == sign).map_or(word, |at| &word[..at])
}

impl Flag {
    /// All its spellings, the present one first; `--no-` forms not among them.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().map(|(name, _)| name.get()))
    }

    /// The words of its lists in all releases.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.choices.iter().flat_map(|(_, words)| words.get().split('|'))
    }

    /// Whether a value must follow.
    #[must_use]
    pub const fn takes_value(&self) -> bool {
        matches!(self.kind, Kind::Value | Kind::OneOrMore)
    }

    /// Whether no beginning of it is taken for it: of vLLM's worker that is what Dynamo adds to the engine's options.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.exact
    }

    /// Whether a spelling has a `--no-` form. Some had one of their own before `BooleanOptionalAction` gave them both.
    fn negatable(&self, spelling: &str) -> bool {
        (self.kind == Kind::Bool && spelling.starts_with("--"))
            || self.negations.iter().any(|(name, _)| name.is(spelling))
    }

    /// The releases that take a spelling, or its `--no-` form.
    fn mask(&self, spelling: &str, negated: bool) -> u16 {
        if negated && let Some((_, mask)) = self.negations.iter().find(|(name, _)| name.is(spelling)) {
            return *mask;
        }
        if spelling == self.name {
            return self.own;
        }
        self.aliases.iter().find(|(name, _)| name.is(spelling)).map_or(self.present, |(_, mask)| *mask)
    }
}

#[derive(Clone, Copy)]
struct Spelling {
    flag: Flag,
    spelling: &'static str,
    negated: bool,
}

impl Spelling {
    fn positive<'a>(&self, name: &'a str) -> Option<Cow<'a, str>> {
        if !self.negated {
            return Some(name.into());
        }
        // `--no-router-kv` begins `--no-router-kv-events`
        name.strip_prefix("--no-").map(|rest| format!("--{rest}").into())
    }

    fn starts_with(&self, name: &str) -> bool {
        self.positive(name).is_some_and(|n| self.spelling.starts_with(&*n))
            || (self.negated && "--no-".starts_with(name))
    }

    fn same(&self, other: &Self) -> bool {
        self.flag.name == other.flag.name && self.negated == other.negated
    }

    const fn into_match(self, abbreviated: bool) -> Match {
        Match { flag: self.flag, spelling: self.spelling, negated: self.negated, abbreviated }
    }
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
