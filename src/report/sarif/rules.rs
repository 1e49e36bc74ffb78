//! Rules as SARIF describes them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::limit;
use super::model::{Configuration, Descriptor, Help, Text};
use crate::finding::{Confidence, Severity};
use crate::rules::{self, Rule};

/// Rules that the log speaks of, in the order they came up.
#[derive(Default)]
pub(super) struct Listed {
    known: HashMap<&'static str, usize>,
    ids: Vec<&'static str>,
}

impl Listed {
    /// The rule's place in the list.
    pub(super) fn index(&mut self, id: &'static str) -> usize {
        let next = self.ids.len();
        let index = *self.known.entry(id).or_insert(next);
        if index == next {
            self.ids.push(id);
        }
        index
    }

    pub(super) fn descriptors(&self) -> Vec<Descriptor> {
        let unknown = |id| bare(id, "note", "What a kustomization brings could not be worked out.");
        self.ids.iter().map(|id| rules::find(id).map_or_else(|| unknown(id), descriptor)).collect()
    }
}

fn descriptor(rule: &Rule) -> Descriptor {
    Descriptor {
        id: rule.id,
        name: pascal(rule.id),
        short_description: Text { text: sentence(rule.summary) },
        full_description: Text { text: cut(&what_it_does(rule.page()).unwrap_or_else(|| sentence(rule.summary))) },
        help: Help { text: plain(rule.page()), markdown: markdown(rule.page()) },
        help_uri: rule.url(),
        default_configuration: Configuration { level: level(rule.severity) },
        properties: properties(rule),
    }
}

/// What speaks without a page of its own: notifications, and the kustomize builder.
pub(super) fn bare(id: &'static str, level: &'static str, text: &str) -> Descriptor {
    let text = || text.to_owned();
    Descriptor {
        id,
        name: pascal(id),
        short_description: Text { text: text() },
        full_description: Text { text: text() },
        help: Help { text: text(), markdown: text() },
        help_uri: env!("CARGO_PKG_REPOSITORY").to_owned(),
        default_configuration: Configuration { level },
        properties: Map::new(),
    }
}

/// `error`, `warning`, `note`.
pub(super) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}

fn properties(rule: &Rule) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut tags = vec![rule.family];
    if rule.security_severity.is_some() {
        // GitHub shows a score only for rules with this tag.
        tags.push("security");
    }
    properties.insert("tags".to_owned(), json!(tags));
    properties.insert("precision".to_owned(), json!(precision(rule.confidence)));
    properties.insert(
        "problem.severity".to_owned(),
        json!(match rule.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "recommendation",
        }),
    );
    if let Some(score) = rule.security_severity {
        properties.insert("security-severity".to_owned(), json!(score));
    }
    properties.insert("appliesTo".to_owned(), json!(rule.applies_to));
    properties
}

const fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "very-high",
        Confidence::Likely => "high",
        Confidence::Possible => "medium",
    }
}

/// `kv-router-no-events` to `KvRouterNoEvents`. A name that differs from the id by case alone is taken for a slip.
fn pascal(id: &str) -> String {
    let id = if id.contains('-') { id.to_owned() } else { format!("{id}-rule") };
    id.split('-')
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
        })
        .collect()
}

/// As a sentence: viewers show descriptions among those of other tools.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim_end();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str() + end)
}

/// The page's own first section.
fn what_it_does(page: &str) -> Option<String> {
    let section = page.split("## What it does").nth(1)?.split("\n## ").next()?;
    let text = section.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    Some(text.filter(|p| !p.is_empty()).collect::<Vec<_>>().join("\n\n")).filter(|text| !text.is_empty())
}

fn cut(text: &str) -> String {
    if text.chars().count() <= limit::DESCRIPTION {
        return text.to_owned();
    }
    text.chars().take(limit::DESCRIPTION - 1).chain(['…']).collect()
}

/// The page as it stands, but for the fences' second word, which only our tests read.
fn markdown(page: &str) -> String {
    page.replace("```yaml bad\n", "```yaml\n# found\n").replace("```yaml good\n", "```yaml\n# fine\n").trim().to_owned()
}

/// The page without markup, as far as it would read badly.
fn plain(page: &str) -> String {
    let text = page.split("\n## Examples").next().unwrap_or(page);
    text.lines()
        .map(|line| line.trim_start_matches("## "))
        .collect::<Vec<_>>()
        .join("\n")
        .replace('`', "")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sentences() {
        assert_eq!(pascal("kv-router-no-events"), "KvRouterNoEvents");
        assert_eq!(sentence("`x` is off"), "`x` is off.");
        assert_eq!(sentence("the pod waits"), "The pod waits.");
    }

    #[test]
    fn every_rule_has_a_description_within_the_limits() {
        for rule in rules::RULES {
            let descriptor = descriptor(rule);
            assert!(what_it_does(rule.page()).is_some(), "{}", rule.id);
            assert!(descriptor.short_description.text.chars().count() <= limit::DESCRIPTION, "{}", rule.id);
            assert!(descriptor.full_description.text.chars().count() <= limit::DESCRIPTION, "{}", rule.id);
            assert!(!descriptor.help.text.is_empty() && !descriptor.help.markdown.is_empty(), "{}", rule.id);
        }
    }
}
