//! What the run itself has to tell: input that could not be read, questions left open, bugs of ours.

use super::location::Artifacts;
use super::model::{Descriptor, DescriptorReference, Notification, Text};
use super::rules::{Listed, bare, sentence};
use crate::report::wire::Check;

/// What there is to tell, and whether the run went well.
pub(super) struct Told {
    pub notifications: Vec<Notification>,
    pub descriptors: Vec<Descriptor>,
    pub successful: bool,
}

/// Kinds of notification: id, level, description.
const KINDS: [(&str, &str, &str); 4] = [
    ("unreadable-input", "error", "An input could not be read, so nothing is known about it."),
    ("internal-error", "error", "A bug in dynlint: findings of one rule on one file are missing."),
    ("undecided-rule", "note", "A rule could not be decided from the manifests and stayed silent."),
    ("left-out", "warning", "There were more results than code scanning services take."),
];
const UNREADABLE: usize = 0;
const CRASH: usize = 1;
const UNDECIDED: usize = 2;
const LEFT_OUT: usize = 3;

/// Rules that say an input could not be read.
const READER: [&str; 3] = ["unreadable", "not-utf8", "too-large"];

pub(super) fn all(check: &Check, left_out: usize, listed: &mut Listed, artifacts: &mut Artifacts<'_>) -> Told {
    let mut told: Vec<(usize, Notification)> = Vec::new();
    let mut said = 0;
    for finding in check.findings.iter().filter(|finding| READER.contains(&finding.rule)) {
        said += 1;
        let rule = DescriptorReference { id: finding.rule, index: listed.index(finding.rule) };
        let mut notification = note(UNREADABLE, &finding.message);
        notification.associated_rule = Some(rule);
        notification.locations = vec![artifacts.location(&finding.place, None)];
        told.push((UNREADABLE, notification));
    }
    let silent = check.summary.unreadable.saturating_sub(said);
    if silent > 0 {
        told.push((UNREADABLE, note(UNREADABLE, &format!("{silent} inputs could not be read"))));
    }
    for crash in &check.crashes {
        let rule = crash.rule.unwrap_or("the resolver");
        told.push((CRASH, note(CRASH, &format!("{rule} on {}: {}", crash.path, crash.message))));
    }
    for open in &check.open_rules {
        let more = if open.count > 1 { format!(" (and {} more like it)", open.count - 1) } else { String::new() };
        let mut notification = note(UNDECIDED, &format!("{}: {}{more}", open.rule, open.first.reason));
        notification.associated_rule = Some(DescriptorReference { id: open.rule, index: listed.index(open.rule) });
        notification.locations = vec![artifacts.location(&open.first.place, None)];
        told.push((UNDECIDED, notification));
    }
    if left_out > 0 {
        let text = format!("{left_out} results are not in this log, the least severe ones");
        told.push((LEFT_OUT, note(LEFT_OUT, &text)));
    }
    // Only kinds that occur are described, in their own order.
    let used: Vec<usize> = (0..KINDS.len()).filter(|kind| told.iter().any(|(of, _)| of == kind)).collect();
    let descriptors = used
        .iter()
        .map(|&kind| {
            let (id, level, text) = KINDS[kind];
            bare(id, level, text)
        })
        .collect();
    let notifications = told
        .into_iter()
        .map(|(kind, mut notification)| {
            notification.descriptor.index = used.iter().position(|&of| of == kind).unwrap_or_default();
            notification
        })
        .collect();
    let successful = check.summary.unreadable == 0 && check.crashes.is_empty();
    Told { notifications, descriptors, successful }
}

fn note(kind: usize, text: &str) -> Notification {
    let (id, level, _) = KINDS[kind];
    Notification {
        descriptor: DescriptorReference { id, index: 0 },
        associated_rule: None,
        level,
        message: Text { text: sentence(text).replace("](", "\\](") },
        locations: Vec::new(),
    }
}
