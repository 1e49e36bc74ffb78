//! A baseline: findings that are known and do not fail a check.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::source::normal;

/// One known finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The file, relative to the baseline's directory, `/`-separated.
    pub path: String,
    /// The rule.
    pub rule: String,
    /// The rule's revision when it was recorded.
    pub revision: u32,
    /// The finding's lasting name.
    pub fingerprint: String,
    /// What it said, for people who read the baseline.
    pub message: String,
}

#[derive(Deserialize)]
struct Stored {
    version: u32,
    findings: Vec<Entry>,
}

/// A baseline as read or to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// What paths are relative to.
    pub directory: PathBuf,
    /// Known findings.
    pub entries: Vec<Entry>,
}

/// What a finding is to a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Not in it.
    New,
    /// In it.
    Unchanged,
    /// The rule says its things in another way since the baseline was written.
    Incomparable,
}

/// How a run compares with a baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Findings that are not in it.
    pub new: usize,
    /// Findings that are.
    pub unchanged: usize,
    /// Findings of rules that have changed since.
    pub incomparable: usize,
    /// Entries that nothing matches any more, though their files and rules were looked at, or are gone.
    pub resolved: Vec<Entry>,
    /// Entries that this run cannot judge: their file or rule was not looked at, or the rule has changed.
    pub unjudged: Vec<Entry>,
}

impl Baseline {
    /// An empty one whose file is to lie at `file`.
    #[must_use]
    pub fn at(file: &Path) -> Self {
        let directory = normal(file).parent().map(Path::to_owned).unwrap_or_default();
        Self { directory, entries: Vec::new() }
    }

    /// Reads what lies at `file`.
    ///
    /// # Errors
    /// In words, when it is no baseline or of another version.
    pub fn parse(file: &Path, text: &str) -> Result<Self, String> {
        let stored: Stored = serde_json::from_str(text).map_err(|error| format!("no baseline: {error}"))?;
        if stored.version != 1 {
            return Err(format!("a baseline of version {}; this dynlint reads version 1", stored.version));
        }
        Ok(Self { entries: stored.findings, ..Self::at(file) })
    }

    /// As text, one finding a line, so that version control can join two of them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        crate::source::order(&mut entries, Ord::cmp);
        let lines: Vec<String> =
            entries.iter().map(|entry| format!("    {}", serde_json::to_string(entry).unwrap_or_default())).collect();
        let body = if lines.is_empty() { String::new() } else { format!("\n{}\n  ", lines.join(",\n")) };
        format!("{{\n  \"version\": 1,\n  \"findings\": [{body}]\n}}\n")
    }

    /// How the baseline names a file.
    #[must_use]
    pub fn name_of(&self, path: Option<&Path>, name: &str) -> String {
        let Some(path) = path.map(normal) else { return name.to_owned() };
        let parts = |path: &Path| -> Vec<String> {
            path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
        };
        let (own, file) = (parts(&self.directory), parts(&path));
        let shared = own.iter().zip(&file).take_while(|(a, b)| a == b).count();
        let up = std::iter::repeat_n("..".to_owned(), own.len() - shared);
        up.chain(file[shared..].iter().cloned()).collect::<Vec<_>>().join("/")
    }

    /// Where the file of an entry lies.
    #[must_use]
    pub fn path_of(&self, entry: &Entry) -> PathBuf {
        normal(&self.directory.join(&entry.path))
    }
}

/// Matches the findings of a run, each entry with one finding.
#[derive(Debug)]
pub struct Matcher<'a> {
    baseline: &'a Baseline,
    /// Entries by path and fingerprint.
    exact: HashMap<(&'a str, &'a str), Vec<usize>>,
    /// Entries of files that are gone, by fingerprint: the file may have been renamed.
    moved: HashMap<&'a str, Vec<usize>>,
    used: Vec<bool>,
    compared: Compared,
}

impl<'a> Matcher<'a> {
    /// For a baseline; `gone` says which entries' files are no longer there.
    pub fn new(baseline: &'a Baseline, gone: impl Fn(&Entry) -> bool) -> Self {
        let mut exact: HashMap<_, Vec<usize>> = HashMap::new();
        let mut moved: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, entry) in baseline.entries.iter().enumerate() {
            exact.entry((entry.path.as_str(), entry.fingerprint.as_str())).or_default().push(index);
            if gone(entry) {
                moved.entry(entry.fingerprint.as_str()).or_default().push(index);
            }
        }
        let used = vec![false; baseline.entries.len()];
        Self { baseline, exact, moved, used, compared: Compared::default() }
    }

    fn claim(&mut self, path: &str, fingerprint: &str) -> Option<&'a Entry> {
        let exact = self.exact.get(&(path, fingerprint)).into_iter().flatten();
        let moved = self.moved.get(fingerprint).into_iter().flatten();
        let index = exact.chain(moved).copied().find(|index| !self.used[*index])?;
        self.used[index] = true;
        Some(&self.baseline.entries[index])
    }

    /// What a finding that would be shown is; it is counted.
    pub fn take(&mut self, path: &str, rule: &str, revision: u32, fingerprint: &str) -> Known {
        let known = match self.claim(path, fingerprint) {
            Some(entry) if entry.revision == revision => Known::Unchanged,
            Some(_) => Known::Incomparable,
            // The rule names its findings in another way now: which of them is which nobody can tell.
            None if self
                .baseline
                .entries
                .iter()
                .any(|e| e.path == path && e.rule == rule && e.revision != revision) =>
            {
                Known::Incomparable
            }
            None => Known::New,
        };
        match known {
            Known::New => self.compared.new += 1,
            Known::Unchanged => self.compared.unchanged += 1,
            Known::Incomparable => self.compared.incomparable += 1,
        }
        known
    }

    /// A finding that is there but hidden: its entry is not resolved.
    pub fn pass(&mut self, path: &str, fingerprint: &str) {
        self.claim(path, fingerprint);
    }

    /// The outcome; `judged` says of which entries the file and the rule were looked at, with the same revision.
    #[must_use]
    pub fn finish(mut self, judged: impl Fn(&Entry) -> bool) -> Compared {
        let left = self.baseline.entries.iter().zip(&self.used).filter(|(_, used)| !**used).map(|(entry, _)| entry);
        for entry in left {
            let list = if judged(entry) { &mut self.compared.resolved } else { &mut self.compared.unjudged };
            list.push(entry.clone());
        }
        self.compared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, rule: &str, revision: u32, fingerprint: &str) -> Entry {
        let text = str::to_owned;
        Entry { path: text(path), rule: text(rule), revision, fingerprint: text(fingerprint), message: text("m") }
    }

    #[test]
    fn text_and_back() {
        let file = Path::new("/repo/ci/baseline.json");
        let mut baseline = Baseline::at(file);
        assert_eq!(Baseline::parse(file, &baseline.text()).as_ref(), Ok(&baseline));
        baseline.entries = vec![entry("../a.yaml", "r", 1, "f"), entry("b.yaml", "r", 1, "g")];
        assert_eq!(Baseline::parse(file, &baseline.text()).as_ref(), Ok(&baseline));
        // One finding a line, so that a diff shows which came and went.
        assert_eq!(baseline.text().lines().filter(|line| line.contains("fingerprint")).count(), 2);
        assert!(Baseline::parse(file, "{\"version\": 2, \"findings\": []}").unwrap_err().contains("version 2"));
        assert!(Baseline::parse(file, "[]").is_err());
        assert_eq!(baseline.name_of(Some(Path::new("/repo/a.yaml")), ""), "../a.yaml");
        assert_eq!(baseline.name_of(Some(Path::new("/repo/ci/x/b.yaml")), ""), "x/b.yaml");
        assert_eq!(baseline.name_of(None, "<stdin>"), "<stdin>");
        assert_eq!(baseline.path_of(&baseline.entries[0]), Path::new("/repo/a.yaml"));
    }

    #[test]
    fn each_entry_stands_for_one_finding() {
        let baseline = Baseline {
            directory: PathBuf::new(),
            entries: vec![
                entry("a", "r", 1, "1"),
                entry("b", "r", 1, "1"),
                entry("old", "r", 1, "2"),
                entry("a", "changed", 1, "3"),
                entry("a", "gone", 1, "4"),
                entry("c", "r", 1, "5"),
            ],
        };
        let mut matcher = Matcher::new(&baseline, |e| e.path == "old");
        assert_eq!(matcher.take("a", "r", 1, "1"), Known::Unchanged);
        assert_eq!(matcher.take("a", "r", 1, "1"), Known::New, "the other one belongs to another file");
        assert_eq!(matcher.take("new", "r", 1, "2"), Known::Unchanged, "renamed");
        assert_eq!(matcher.take("a", "changed", 2, "9"), Known::Incomparable);
        assert_eq!(matcher.take("b", "r", 1, "7"), Known::New);
        let compared = matcher.finish(|e| e.path != "c" && e.rule != "changed");
        assert_eq!((compared.new, compared.unchanged, compared.incomparable), (2, 2, 1));
        let names = |list: &[Entry]| list.iter().map(|e| e.fingerprint.clone()).collect::<Vec<_>>();
        assert_eq!(names(&compared.resolved), ["1", "4"]);
        assert_eq!(names(&compared.unjudged), ["3", "5"]);
    }
}
