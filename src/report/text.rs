//! Wording that several plain-text formats share.

use super::wire::{CheckFinding, Place};

/// `path:line:column`; of what is no file its name.
pub(super) fn place(place: &Place) -> String {
    if place.is_live() {
        return place.path.clone();
    }
    format!("{}:{}:{}", place.path, place.line, place.column)
}

/// `deployment/service`, or what there is of it.
pub(super) fn where_in(finding: &CheckFinding) -> Option<String> {
    match (&finding.deployment, &finding.service) {
        (Some(deployment), Some(service)) => Some(format!("{deployment}/{service}")),
        (Some(name), None) | (None, Some(name)) => Some(name.clone()),
        (None, None) => None,
    }
}

/// In one line: line ends and the blanks around them become one blank.
pub(super) fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| all + " " + line)
}
