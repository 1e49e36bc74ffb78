//! How a rule speaks.
//!
//! What a rule says is said some four hundred times and nearly never at run time: kept out of line, it costs a call each
//! time instead of a copy of the whole (190 KB of the program).

use std::fmt;

use crate::finding::{Applicability, Confidence, Edit, Finding, Fix, Label, Severity};
use crate::resolve::{Deployment, Recipe, Service};
use crate::source::{Reason, Span};

/// The function of a rule.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Looks at one resolved deployment.
    Deployment(fn(&Deployment, &mut Findings)),
    /// Looks at the objects of one file, with what stands beside it: jobs, routes, ConfigMaps, graphs as written.
    File(fn(&Recipe, &mut Findings)),
    /// A rule of the user's own, read from a page when the run began.
    Custom(&'static dyn Judge),
    /// The reader itself reports it (`yaml-syntax`).
    Reader,
    /// A probe reports it, which has seen the running pods (`probe-env-drift`).
    Probe,
}

impl Check {
    /// Whether it is a rule of dynlint's.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        !matches!(self, Self::Custom(_))
    }
}

/// What a rule that is no function does: looks at one resolved deployment.
pub trait Judge: fmt::Debug + Sync {
    /// Says what is wrong with it.
    fn judge(&self, deployment: &Deployment, out: &mut Findings);
}

/// Something that a rule needed and could not know.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// The rule.
    pub rule: &'static str,
    /// Service it is about.
    pub service: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Where.
    pub span: Span,
}

/// Collects what the rules say about one deployment.
#[derive(Debug, Default)]
pub struct Findings {
    /// What was found.
    pub found: Vec<Finding>,
    /// What could not be decided.
    pub undecided: Vec<Undecided>,
    rule: &'static str,
    severity: Option<Severity>,
    confidence: Option<Confidence>,
    deployment: Option<String>,
}

impl Findings {
    /// An empty collection for one deployment.
    #[must_use]
    pub fn new(deployment: &Deployment) -> Self {
        Self { deployment: Some(deployment.name.clone()), ..Self::default() }
    }

    /// Tells which rule speaks from here on, with the severity and confidence of its page.
    pub fn enter(&mut self, rule: &'static str, severity: Severity, confidence: Confidence) {
        self.rule = rule;
        self.severity = Some(severity);
        self.confidence = Some(confidence);
    }

    /// Starts a finding: `message` says what is wrong, `at` and `label` where and why there. It is kept when the
    /// returned builder is dropped.
    #[inline(never)]
    pub fn report(&mut self, at: Span, message: impl Into<String>, label: impl Into<String>) -> Report<'_> {
        let finding = Box::new(Finding {
            rule: self.rule,
            severity: self.severity.unwrap_or(Severity::Warning),
            confidence: self.confidence.unwrap_or(Confidence::Likely),
            message: message.into(),
            primary: Label { span: at, message: label.into() },
            labels: Vec::new(),
            help: String::new(),
            deployment: self.deployment.clone(),
            service: None,
            subject: None,
            fix: None,
            overlays: Vec::new(),
        });
        Report { into: self, finding: Some(finding) }
    }

    /// Notes that the rule had to stay silent because something cannot be known.
    #[inline(never)]
    pub fn undecided(&mut self, service: &Service, at: Span, reason: Reason) {
        self.undecided.push(Undecided { rule: self.rule, service: Some(service.name.clone()), reason, span: at });
    }
}

/// A finding being written.
#[derive(Debug)]
pub struct Report<'a> {
    into: &'a mut Findings,
    finding: Option<Box<Finding>>,
}

impl Report<'_> {
    fn edit(mut self, change: impl FnOnce(&mut Finding)) -> Self {
        if let Some(finding) = &mut self.finding {
            change(finding);
        }
        self
    }

    /// The service it is about.
    #[must_use]
    #[inline(never)]
    pub fn service(self, service: &Service) -> Self {
        let name = service.name.clone();
        self.edit(|f| f.service = Some(name))
    }

    /// The variable, flag or field it is about.
    #[must_use]
    #[inline(never)]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        let subject = subject.into();
        self.edit(|f| f.subject = Some(subject))
    }

    /// What to write.
    #[must_use]
    #[inline(never)]
    pub fn help(self, help: impl Into<String>) -> Self {
        let help = help.into();
        self.edit(|f| f.help = help)
    }

    /// Another place that takes part.
    #[must_use]
    #[inline(never)]
    pub fn label(self, span: Span, message: impl Into<String>) -> Self {
        let message = message.into();
        self.edit(|f| f.labels.push(Label { span, message }))
    }

    /// Another place that takes part, when there is one.
    #[must_use]
    #[inline(never)]
    pub fn label_opt(self, span: Option<Span>, message: impl Into<String>) -> Self {
        match span {
            Some(span) => self.label(span, message),
            None => self,
        }
    }

    /// A severity other than the rule's own.
    #[must_use]
    #[inline(never)]
    pub fn severity(self, severity: Severity) -> Self {
        self.edit(|f| f.severity = severity)
    }

    /// A confidence other than the rule's own.
    #[must_use]
    #[inline(never)]
    pub fn confidence(self, confidence: Confidence) -> Self {
        self.edit(|f| f.confidence = confidence)
    }

    /// A fix that replaces one span.
    #[must_use]
    #[inline(never)]
    pub fn fix(self, applicability: Applicability, span: Span, text: impl Into<String>) -> Self {
        let text = text.into();
        self.edit(|f| f.fix = Some(Fix { applicability, edits: vec![Edit { span, text }], verified: false }))
    }

    /// Ends the sentence; dropping the builder does the same.
    pub fn emit(self) {}

    /// A fix of several edits, when there is a way to write it.
    #[must_use]
    #[inline(never)]
    pub fn mend(self, applicability: Applicability, edits: Option<Vec<Edit>>) -> Self {
        self.fix_edits(applicability, edits.unwrap_or_default())
    }

    /// A fix of several edits.
    #[must_use]
    #[inline(never)]
    pub fn fix_edits(self, applicability: Applicability, edits: Vec<Edit>) -> Self {
        // No edits, no fix: a rule may find no place for what it would write.
        if edits.is_empty() { self } else { self.edit(|f| f.fix = Some(Fix { applicability, edits, verified: false })) }
    }
}

impl Drop for Report<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        if let Some(finding) = self.finding.take() {
            self.into.found.push(*finding);
        }
    }
}
