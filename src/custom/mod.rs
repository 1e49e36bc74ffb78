//! Rules of your own: a page in a directory, whose condition is a CEL expression over a resolved service or deployment.
//!
//! CEL is the language that Kubernetes uses for admission policy. A page has the form of dynlint's own (`rules/`), with
//! what those leave to a function in its front matter: `condition`, `message`, `at`, … `docs/custom-rules.md` shows one.

mod check;
mod condition;
mod home;
mod page;
mod place;
mod values;

pub use home::{bring, leave};
pub use page::{PageError, load};

use cel::Program;

use crate::resolve::{Deployment, Service};
use crate::rules::{Findings, Judge};
use crate::source::Reason;

use condition::{Outcome, decide};
use page::Template;
use place::At;
use values::Values;

/// What the condition looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    /// One service at a time: `service` and `deployment` are there.
    #[default]
    Service,
    /// The deployment: `deployment` is there.
    Deployment,
}

/// The function of a custom rule.
#[derive(Debug)]
struct Custom {
    scope: Scope,
    /// True where the rule has something to say.
    condition: Program,
    /// The condition as written.
    source: String,
    message: Template,
    label: Template,
    help: Template,
    subject: Option<String>,
    at: Vec<At>,
    labels: Vec<(At, Template)>,
}

impl Judge for Custom {
    fn judge(&self, deployment: &Deployment, out: &mut Findings) {
        match self.scope {
            Scope::Service => deployment.services.iter().for_each(|service| self.one(deployment, Some(service), out)),
            Scope::Deployment => self.one(deployment, None, out),
        }
    }
}

impl Custom {
    fn one(&self, deployment: &Deployment, service: Option<&Service>, out: &mut Findings) {
        let values = Values::of(deployment, service);
        match decide(&self.condition, &self.source, &values) {
            Outcome::No => {}
            Outcome::Undecided(why) => {
                // A rule over a whole deployment is undecided at its first service.
                if let Some(service) = service.or_else(|| deployment.services.first()) {
                    out.undecided(service, service.span, Reason::Condition(why));
                }
            }
            Outcome::Yes => self.report(deployment, service, &values, out),
        }
    }

    fn report(&self, deployment: &Deployment, service: Option<&Service>, values: &Values, out: &mut Findings) {
        let place = |at: &At| place::find(at, deployment, service);
        let span = self.at.iter().find_map(place).unwrap_or_else(|| place::fallback(deployment, service));
        let context = values.context(true);
        let mut report = out
            .report(span, self.message.render(&context), self.label.render(&context))
            .help(self.help.render(&context));
        if let Some(service) = service {
            report = report.service(service);
        }
        if let Some(subject) = &self.subject {
            report = report.subject(subject.clone());
        }
        for (at, text) in &self.labels {
            report = report.label_opt(place(at), text.render(&context));
        }
        report.emit();
    }
}
