//! All rules: their pages (compiled in by `build/rules.rs` from `rules/`) joined to their functions.

use std::sync::{OnceLock, PoisonError, RwLock};

use super::Check;
use crate::finding::{Confidence, Selection, Severity};

/// How a rule fared over the real manifests (`rules/catalog/precision.tsv`, written by `cargo xtask ecosystem`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Measured {
    /// Errors and warnings.
    pub hits: u32,
    /// Of these, found true by a reading against the sources.
    pub confirmed: u32,
    /// Of these, found debatable.
    pub debatable: u32,
    /// Findings of severity advice, which are not reviewed one by one.
    pub advice: u32,
}

impl Measured {
    /// In words, for the foot of the page.
    #[must_use]
    pub fn in_words(self) -> String {
        let Self { hits, confirmed, debatable, advice } = self;
        let loud = match hits {
            0 => "no error or warning".to_owned(),
            1 => "1 error or warning".to_owned(),
            n => format!("{n} errors and warnings"),
        };
        let read = if hits == 0 { String::new() } else { format!(" ({confirmed} confirmed, {debatable} debatable)") };
        let advice = if advice == 0 { String::new() } else { format!(", {advice} times advice") };
        format!("{loud}{read}{advice} on the real manifests that dynlint is measured on")
    }
}

/// Text of a rule page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PageText {
    /// Bytes of the pages that are compiled in.
    Packed {
        /// First byte.
        from: usize,
        /// Behind the last one.
        to: usize,
    },
    /// Read from a directory.
    #[cfg(feature = "cel")]
    Read(&'static str),
}

/// All pages that are compiled in, one behind the other.
fn pages() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let bytes = miniz_oxide::inflate::decompress_to_vec_with_limit(PAGES, PAGES_LENGTH).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    })
}

/// Which other language server says what a rule says (`said-by` of its page): a session beside that one leaves it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaidBy {
    /// None.
    #[default]
    Nobody,
    /// yaml-language-server, about every file.
    Yaml,
    /// yaml-language-server, once it has the schemas of Dynamo's kinds.
    Schemas,
    /// The same, but only about v1beta1: the older schema takes any word there.
    SchemasOfV1beta1,
}

/// A rule: its page's front matter, the page, and the function.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Kebab-case id, the page's file name.
    pub id: &'static str,
    /// Family, the page's directory.
    pub family: &'static str,
    /// One line: what it finds.
    pub summary: &'static str,
    /// Severity unless the finding says otherwise.
    pub severity: Severity,
    /// Confidence unless the finding says otherwise.
    pub confidence: Confidence,
    /// Severity under `--profile strict`, where it differs.
    pub strict: Option<Severity>,
    /// dynlint version that brought it.
    pub since: &'static str,
    /// Versions of Dynamo it holds for, in words.
    pub applies_to: &'static str,
    /// Whether a comment may silence it.
    pub ignorable: bool,
    /// Whether it runs only for files whose configuration names its directory (`rules-dirs`): of the user's own, those
    /// that `--rules` did not bring.
    pub scoped: bool,
    /// Whether it speaks once for a whole deployment: its findings are then known by the deployment alone.
    pub once: bool,
    /// Which other language server says the same.
    pub said_by: SaidBy,
    /// Raised when its findings change their place or subject: a baseline compares only what has the same revision.
    pub revision: u32,
    /// CVSS-like score for code scanning services, for the few rules that are about security.
    pub security_severity: Option<&'static str>,
    /// What it comes to over the real manifests.
    pub measured: Measured,
    /// Where the page's text is.
    pub(crate) page: PageText,
    /// The function.
    pub check: Check,
}

impl Rule {
    /// Whether a selection wants it to run at all.
    #[must_use]
    pub fn runs(&self, selection: &Selection) -> bool {
        selection.runs(self.id, self.family) && (!self.scoped || selection.own.contains(&self.id))
    }

    /// The page, front matter stripped.
    #[must_use]
    pub fn page(&self) -> &'static str {
        match self.page {
            PageText::Packed { from, to } => pages().get(from..to).unwrap_or_default(),
            #[cfg(feature = "cel")]
            PageText::Read(text) => text,
        }
    }

    /// The rule's page in the repository, as of this version; for a rule of the user's own, what such rules are.
    #[must_use]
    pub fn url(&self) -> String {
        const BASE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"));
        match RULES.binary_search_by(|rule| rule.id.cmp(self.id)) {
            Ok(_) => format!("{BASE}/rules/{}/{}.md", self.family, self.id),
            Err(_) => format!("{BASE}/docs/custom-rules.md"),
        }
    }
}

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// Rules of the user's own, sorted by id.
static OWN: RwLock<&'static [Rule]> = RwLock::new(&[]);

/// Adds rules of the user's own to dynlint's; one that has the id of one added before takes its place, and those of the
/// ids `gone` are taken out. They live as long as the process.
pub fn install(mut rules: Vec<Rule>, gone: &[&str]) {
    let mut own = OWN.write().unwrap_or_else(PoisonError::into_inner);
    let stays = |old: &&Rule| !gone.contains(&old.id) && rules.iter().all(|rule| rule.id != old.id);
    let kept: Vec<Rule> = own.iter().filter(stays).cloned().collect();
    rules.extend(kept);
    crate::source::order(&mut rules, |a, b| a.id.cmp(b.id));
    *own = rules.leak();
}

fn own() -> &'static [Rule] {
    *OWN.read().unwrap_or_else(PoisonError::into_inner)
}

/// Every rule: dynlint's, then the user's own, each sorted by id.
pub fn all() -> impl Iterator<Item = &'static Rule> + Clone {
    RULES.iter().chain(own())
}

/// The rule of that id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    let within = |rules: &'static [Rule]| rules.binary_search_by(|rule| rule.id.cmp(id)).ok().map(|at| &rules[at]);
    within(RULES).or_else(|| within(own()))
}

/// Families, sorted, each once.
#[must_use]
pub fn families() -> Vec<&'static str> {
    let mut names: Vec<_> = all().map(|rule| rule.family).collect();
    names.sort_unstable();
    names.dedup();
    names
}
