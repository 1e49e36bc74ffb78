//! Which findings are wanted: by rule, by severity, by how sure we are.

use std::fmt;

use globset::{Glob, GlobMatcher};

use super::{Confidence, Finding, Severity};

/// How much to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What is certain or likely.
    #[default]
    Default,
    /// The same, with the severities that pages give under `strict`.
    Strict,
    /// Also what is only possible, and what could not be decided.
    Audit,
}

impl Profile {
    /// The least confidence it shows.
    #[must_use]
    pub const fn least_confidence(self) -> Confidence {
        match self {
            Self::Default | Self::Strict => Confidence::Likely,
            Self::Audit => Confidence::Possible,
        }
    }
}

/// Names one or more rules.
#[derive(Clone, Debug)]
pub struct Selector(Pattern);

#[derive(Clone, Debug)]
enum Pattern {
    All,
    Rule(String),
    Family(String),
    Glob(GlobMatcher),
}

/// A selector that names no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRule {
    /// As given.
    pub name: String,
    /// The nearest rule or family, when one is near.
    pub near: Option<&'static str>,
}

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no rule or family matches `{}`", self.name)?;
        match self.near {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => write!(f, "; `dynlint rules` lists them all"),
        }
    }
}

impl std::error::Error for UnknownRule {}

impl Selector {
    /// Reads `all`, a rule id, a family, or a glob over ids (`kv-*`) or over `family/id` (`router/*`). `rules` are the
    /// ids and families there are.
    ///
    /// # Errors
    /// When it matches none of them.
    pub fn parse(text: &str, rules: &[(&'static str, &'static str)]) -> Result<Self, UnknownRule> {
        let text = text.trim();
        let pattern = if text == "all" {
            Pattern::All
        } else if rules.iter().any(|(id, _)| *id == text) {
            Pattern::Rule(text.to_owned())
        } else if rules.iter().any(|(_, family)| *family == text) {
            Pattern::Family(text.to_owned())
        } else {
            let unknown = || {
                let names = rules.iter().flat_map(|&(id, family)| [id, family]);
                UnknownRule { name: text.to_owned(), near: nearest(text, names) }
            };
            if !text.contains(['*', '?', '[', '{']) {
                return Err(unknown());
            }
            Pattern::Glob(Glob::new(text).map_err(|_| unknown())?.compile_matcher())
        };
        let selector = Self(pattern);
        if rules.iter().any(|&(id, family)| selector.matches(id, family)) || matches!(selector.0, Pattern::All) {
            Ok(selector)
        } else {
            Err(UnknownRule { name: text.to_owned(), near: None })
        }
    }

    /// How much it names: an id little, all rules most. Of two that match, the one of the higher rank says more.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match self.0 {
            Pattern::All => 0,
            Pattern::Family(_) => 1,
            Pattern::Glob(_) => 2,
            Pattern::Rule(_) => 3,
        }
    }

    /// Whether it names that rule.
    #[must_use]
    pub fn matches(&self, id: &str, family: &str) -> bool {
        match &self.0 {
            Pattern::All => true,
            Pattern::Rule(name) => name == id,
            Pattern::Family(name) => name == family,
            Pattern::Glob(glob) => glob.is_match(id) || glob.is_match(format!("{family}/{id}")),
        }
    }
}

/// The kebab-case name that is likely meant, when one is near enough to be worth saying.
#[must_use]
pub fn nearest(text: &str, names: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    nearest_of(&text.to_lowercase().replace('_', "-"), names)
}

/// The name that is likely meant, when one is near enough to be worth saying.
#[must_use]
pub fn nearest_of<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| {
        let part = text.len() >= 4 && name.contains(text);
        strsim::jaro_winkler(text, name).max(if part { 0.95 } else { 0.0 })
    };
    let scored = names.into_iter().map(|name| (name, likeness(name)));
    scored.filter(|&(_, likeness)| likeness >= 0.8).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, _)| name)
}

/// Which findings are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Rules to run; empty means all.
    pub select: Vec<Selector>,
    /// Rules not to run; wins over `select`.
    pub ignore: Vec<Selector>,
    /// Hide what is less severe.
    pub min_severity: Option<Severity>,
    /// How much to show.
    pub profile: Profile,
    /// Rules of the user's own that a configuration brings, and that run here; those of other configurations do not.
    pub own: Vec<&'static str>,
}

impl Selection {
    /// Whether it asks for a rule of that name.
    #[must_use]
    pub fn runs(&self, id: &str, family: &str) -> bool {
        let named = |list: &[Selector]| list.iter().any(|selector| selector.matches(id, family));
        (self.select.is_empty() || named(&self.select)) && !named(&self.ignore)
    }

    /// Whether a finding is shown; one that is not counts as hidden.
    #[must_use]
    pub fn shows(&self, finding: &Finding) -> bool {
        finding.confidence >= self.profile.least_confidence()
            && self.min_severity.is_none_or(|least| finding.severity >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[(&str, &str)] =
        &[("kv-without-events", "router"), ("kv-block-size", "router"), ("ucx-value-invalid", "interconnect")];

    fn selection(select: &[&str], ignore: &[&str]) -> Selection {
        let parse = |names: &[&str]| names.iter().map(|n| Selector::parse(n, RULES).unwrap()).collect();
        Selection { select: parse(select), ignore: parse(ignore), ..Selection::default() }
    }

    fn running(selection: &Selection) -> Vec<&'static str> {
        RULES.iter().filter(|(id, family)| selection.runs(id, family)).map(|(id, _)| *id).collect()
    }

    #[test]
    fn rules_families_globs_and_all() {
        assert_eq!(running(&selection(&[], &[])).len(), 3);
        assert_eq!(running(&selection(&["kv-block-size"], &[])), ["kv-block-size"]);
        assert_eq!(running(&selection(&["interconnect"], &[])), ["ucx-value-invalid"]);
        assert_eq!(running(&selection(&["kv-*"], &["kv-block-*"])), ["kv-without-events"]);
        assert_eq!(running(&selection(&["router/*"], &[])), ["kv-without-events", "kv-block-size"]);
        assert_eq!(running(&selection(&["all"], &["all"])), [""; 0]);
    }

    #[test]
    fn unknown_names_are_errors_with_a_guess() {
        let near = |text: &str| Selector::parse(text, RULES).unwrap_err().near;
        assert_eq!(near("kv-without-event"), Some("kv-without-events"));
        assert_eq!(near("kv_block_size"), Some("kv-block-size"));
        assert_eq!(near("without-events"), Some("kv-without-events"));
        assert_eq!(near("routers"), Some("router"));
        assert_eq!(near("zzz"), None);
        assert_eq!(near("zzz-*"), None);
        assert!(Selector::parse("", RULES).is_err());
    }
}
