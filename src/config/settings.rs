//! What a layer means for one file.

use super::layer::Layer;
use crate::finding::{Profile, Selection, Selector, Severity};
use crate::resolve::{self, Cluster, Fabrics, Version};
use crate::rules::{self, Rule};

/// Least severity that fails a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Nothing does.
    Never,
    /// Errors.
    Error,
    /// Warnings and errors.
    #[default]
    Warning,
    /// Every finding that is shown.
    Advice,
}

impl FailOn {
    /// Whether a finding of that severity fails the run.
    #[must_use]
    pub fn fails(self, severity: Severity) -> bool {
        match self {
            Self::Never => false,
            Self::Error => severity >= Severity::Error,
            Self::Warning => severity >= Severity::Warning,
            Self::Advice => true,
        }
    }
}

/// How one file is linted.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which findings are wanted.
    pub selection: Selection,
    /// Severities of the user's, the most general first.
    pub severity: Vec<(Selector, Severity)>,
    /// What the manifest cannot tell.
    pub resolve: resolve::Options,
    /// Whether every ignore must say why.
    pub ignores_need_reason: bool,
    /// What fails the run.
    pub fail_on: FailOn,
}

impl Settings {
    /// The user's severity for a rule.
    #[must_use]
    pub fn severity_of(&self, rule: &Rule) -> Option<Severity> {
        let named = |(selector, _): &&(Selector, Severity)| selector.matches(rule.id, rule.family);
        self.severity.iter().rev().find(named).map(|(_, severity)| *severity)
    }

    /// What a layer means; everything in it has been checked. `own` are the rules from its directories of rules.
    pub(super) fn of(layer: &Layer, own: Vec<&'static str>) -> Self {
        let names: Vec<(&str, &str)> = rules::all().map(|rule| (rule.id, rule.family)).collect();
        let selector = |text: &String| Selector::parse(text, &names).ok();
        let mut severity: Vec<(Selector, Severity)> = layer
            .rows("severity")
            .iter()
            .filter_map(|(rule, severity)| Some((selector(rule)?, severity_of(severity)?)))
            .collect();
        crate::source::order_by_key(&mut severity, |(selector, _)| selector.rank());
        let defaults = Cluster::default();
        let text = |key: &str| layer.text(key).map(str::to_owned);
        let version = |key: &str| layer.text(key).and_then(Version::parse);
        Self {
            selection: Selection {
                select: layer.list("select").iter().filter_map(selector).collect(),
                ignore: layer.list("ignore").iter().filter_map(selector).collect(),
                min_severity: layer.text("min-severity").and_then(severity_of),
                profile: match layer.text("profile") {
                    Some("strict") => Profile::Strict,
                    Some("audit") => Profile::Audit,
                    _ => Profile::Default,
                },
                own,
            },
            severity,
            resolve: resolve::Options {
                dynamo_version: version("dynamo-version"),
                fabric: layer.text("fabric").and_then(Fabrics::parse),
                cluster: Cluster {
                    namespace: text("namespace"),
                    grove: layer.flag("grove").unwrap_or(defaults.grove),
                    operator_version: version("operator-version"),
                    discovery_backend: text("discovery-backend").unwrap_or(defaults.discovery_backend),
                    nats_server: text("nats-server"),
                    etcd_endpoints: text("etcd-endpoints"),
                    model_express_url: text("model-express-url"),
                    prometheus_endpoint: text("prometheus-endpoint"),
                    running: resolve::Running::default(),
                },
            },
            ignores_need_reason: layer.flag("ignores-need-reason").unwrap_or_default(),
            fail_on: match layer.text("fail-on") {
                Some("never") => FailOn::Never,
                Some("error") => FailOn::Error,
                Some("advice") => FailOn::Advice,
                _ => FailOn::Warning,
            },
        }
    }
}

fn severity_of(text: &str) -> Option<Severity> {
    [Severity::Error, Severity::Warning, Severity::Advice].into_iter().find(|severity| severity.as_str() == text)
}
