//! Places, and the list of files that they lie in.

use std::collections::HashMap;

use super::BASE;
use super::model::{Artifact, ArtifactLocation, Location, LogicalLocation, PhysicalLocation, Region, Text};
use crate::report::root::Root;
use crate::report::wire::{CheckFinding, Place};
use crate::source::Span;

/// Files that the log speaks of, each once.
pub(super) struct Artifacts<'a> {
    root: &'a Root,
    known: HashMap<String, usize>,
    list: Vec<Artifact>,
}

impl<'a> Artifacts<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self { root, known: HashMap::new(), list: Vec::new() }
    }

    pub(super) fn list(self) -> Vec<Artifact> {
        self.list
    }

    /// The file's place in the list.
    pub(super) fn of(&mut self, path: &str) -> ArtifactLocation {
        if let Some(&index) = self.known.get(path) {
            let location = &self.list[index].location;
            return ArtifactLocation { index: Some(index), ..location.clone() };
        }
        let (uri, based) = self.root.uri(path);
        let location = ArtifactLocation { uri, uri_base_id: based.then_some(BASE), index: None };
        let index = self.list.len();
        self.known.insert(path.to_owned(), index);
        self.list.push(Artifact { location: location.clone(), roles: ["analysisTarget"], source_language: "yaml" });
        ArtifactLocation { index: Some(index), ..location }
    }

    /// A place, with its bytes when they are known.
    pub(super) fn location(&mut self, place: &Place, span: Option<Span>) -> Location {
        // What is no file has a logical location alone.
        let physical = (!place.is_live()).then(|| PhysicalLocation {
            artifact_location: self.of(&place.path),
            region: region(place, span.map(|span| (span.start, span.end))),
        });
        Location { id: None, physical_location: physical, logical_locations: Vec::new(), message: None }
    }

    /// The same with words to it.
    pub(super) fn said(&mut self, place: &Place, span: Option<Span>, message: String) -> Location {
        let message = Some(message).filter(|text| !text.is_empty()).map(|text| Text { text });
        Location { message, ..self.location(place, span) }
    }
}

/// A region in both ways that the standard has: lines and columns, and bytes.
pub(super) fn region(place: &Place, bytes: Option<(u32, u32)>) -> Region {
    Region {
        start_line: place.line,
        start_column: place.column,
        end_line: place.end_line,
        end_column: place.end_column,
        byte_offset: bytes.map(|(start, _)| start),
        byte_length: bytes.map(|(start, end)| end.saturating_sub(start)),
    }
}

/// The service, or else the deployment, that a finding is about; of a live one what was probed, and the check within.
pub(super) fn logical(finding: &CheckFinding) -> Vec<LogicalLocation> {
    if finding.place.is_live() {
        let target = finding.place.path.as_str();
        let check = finding.subject.as_deref().unwrap_or_default();
        // `namespace/pod` is called `pod`, a URL by all of itself.
        let name = if target.contains("://") { target } else { target.rsplit('/').next().unwrap_or(target) };
        let of = |name: &str, full: String, kind| LogicalLocation {
            name: name.to_owned(),
            fully_qualified_name: full,
            kind,
        };
        return vec![of(check, format!("{target}/{check}"), "member"), of(name, target.to_owned(), "resource")];
    }
    let (name, full) = match (&finding.deployment, &finding.service) {
        (Some(deployment), Some(service)) => (service, format!("{deployment}/{service}")),
        (Some(name), None) | (None, Some(name)) => (name, name.clone()),
        (None, None) => return Vec::new(),
    };
    let kind = if finding.service.is_some() { "object" } else { "resource" };
    vec![LogicalLocation { name: name.clone(), fully_qualified_name: full, kind }]
}
