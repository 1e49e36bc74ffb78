//! Who set the variables that findings are about, kept for reports while the resolved model is at hand.

use std::collections::HashMap;

use crate::finding::Finding;
use crate::resolve::Deployment;
use crate::resolve::wire::shown_setting;
use crate::source::Span;

/// One place that set a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where the value stands.
    pub span: Span,
    /// Who set it, and to what; credentials masked.
    pub message: String,
}

/// A finding's service and subject, and where it points.
type Key = (Option<String>, Option<String>, Span);

/// The chains of a run.
#[derive(Clone, Debug, Default)]
pub struct Provenance(HashMap<Key, Vec<Step>>);

impl Provenance {
    /// Who set what the finding is about, the winner last; empty when it is about no variable, or only one place set it.
    #[must_use]
    pub fn of(&self, finding: &Finding) -> &[Step] {
        if self.0.is_empty() {
            return &[];
        }
        self.0.get(&key(finding)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Looks the subjects of findings up.
    pub(super) fn collect(deployment: &Deployment, findings: &[Finding]) -> Self {
        let chains = findings.iter().filter_map(|finding| {
            let service = finding.service.as_ref()?;
            let subject = finding.subject.as_ref()?;
            let service = deployment.services.iter().find(|known| known.name == *service)?;
            let var = service.env.vars.iter().find(|var| var.name == *subject)?;
            let steps: Vec<Step> = var
                .chain
                .iter()
                .rev()
                .filter_map(|setting| Some(Step { span: setting.span?, message: shown_setting(&var.name, setting) }))
                .collect();
            (steps.len() > 1).then(|| (key(finding), steps))
        });
        Self(chains.collect())
    }
}

fn key(finding: &Finding) -> Key {
    (finding.service.clone(), finding.subject.clone(), finding.primary.span)
}
