//! What a router process is told: flag over variable over default, as its argparse does
//! (`dynamo/common/configuration/utils.py:44-150`: the variable becomes the default of the flag).

use std::sync::Arc;

use super::knobs::knob;
use crate::catalog::flags::{self, Component, Lookup, Match};
use crate::catalog::{Release, values};
use crate::command::{Args, Flag};
use crate::manifest::Image;
use crate::resolve::{Deployment, DynamoProcess, Env, EnvVar, Layer, Role, Service, Version};
use crate::rules::command::published;
use crate::source::{Fact, Reason, Span};

/// Where a router runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a frontend service.
    Frontend,
    /// In the frontend sidecar of a worker.
    Sidecar,
    /// In the endpoint picker.
    Epp,
    /// `dynamo.router`.
    Standalone,
}

/// A process that decides which worker gets a request.
#[derive(Clone, Debug)]
pub(super) struct Router<'a> {
    /// The service it belongs to.
    pub service: &'a Service,
    /// Where it runs.
    pub place: Place,
    /// The process, when it can be seen. An endpoint picker has none.
    pub process: Option<&'a DynamoProcess>,
    /// Its environment.
    pub env: &'a Env,
    /// Its release.
    pub version: Option<Version>,
    /// What each flag of its command line means, abbreviations included; none for what the frontend never knew.
    meanings: Arc<Vec<Option<Match>>>,
}

/// Who says a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// A flag.
    Flag(&'a Flag),
    /// A variable.
    Env(&'a EnvVar),
    /// Nobody.
    Default,
}

/// A setting in force.
#[derive(Clone, Debug)]
pub(super) struct Setting<'a> {
    /// Its text; `Unset` when nobody says it.
    pub value: Fact<&'a str>,
    /// Who says it.
    pub source: Source<'a>,
}

/// A boolean setting in force.
#[derive(Clone, Debug)]
pub(super) struct Toggle<'a> {
    /// On or off; the default when nobody says it.
    pub on: Fact<bool>,
    /// Who says it.
    pub source: Source<'a>,
}

impl<'a> Source<'a> {
    /// Where the value stands: the value's word, the flag itself when it takes none.
    pub fn span(self) -> Option<Span> {
        match self {
            Self::Flag(flag) => Some(flag.value().map_or(flag.span, |word| word.span())),
            Self::Env(var) => match &var.winner().value {
                Fact::Known(text) if !text.is_empty() => Some(text.span()),
                _ => var.winner().span,
            },
            Self::Default => None,
        }
    }

    /// How it is written: the flag or the variable.
    pub fn name(self) -> &'a str {
        match self {
            Self::Flag(flag) => &flag.name,
            Self::Env(var) => &var.name,
            Self::Default => "",
        }
    }

    /// Whether somebody says it.
    pub fn written(self) -> bool {
        !matches!(self, Self::Default)
    }
}

/// The value of a variable as a fact; `Dynamic` also when an unseen ConfigMap may set it.
pub(super) fn variable<'a>(env: &'a Env, name: &str) -> (Fact<&'a str>, Source<'a>) {
    match env.get(name) {
        Some(var) => {
            let value = match &var.winner().value {
                Fact::Known(text) => Fact::Known(text.as_str()),
                Fact::Dynamic(reason) => Fact::Dynamic(reason.clone()),
                Fact::Unset => Fact::Unset,
            };
            (value, Source::Env(var))
        }
        None => (env.hides().cloned().map_or(Fact::Unset, Fact::Dynamic), Source::Default),
    }
}

impl<'a> Router<'a> {
    /// Options of the process.
    pub fn args(&self) -> Option<&'a Args> {
        self.process.map(|p| &p.args)
    }

    /// Why flags that cannot be seen may be in force. An endpoint picker reads none.
    pub fn args_hide(&self) -> Option<Reason> {
        match (self.place, self.args()) {
            (Place::Epp, _) => None,
            (_, None) => Some(Reason::Image),
            (_, Some(args)) => args.open.clone(),
        }
    }

    /// Where to point when nothing says the setting: the module that runs, else the component's name.
    pub fn span(&self) -> Span {
        match self.process {
            Some(process) if !process.implied => process.module.span,
            _ => self.service.component.type_span.unwrap_or(self.service.component.name.span),
        }
    }

    /// Whether the release is known and at least that.
    pub fn at_least(&self, major: u16, minor: u16) -> bool {
        self.version.is_some_and(|v| v >= Version::new(major, minor))
    }

    /// Whether the release is known and below that.
    pub fn below(&self, major: u16, minor: u16) -> bool {
        self.version.is_some_and(|v| v < Version::new(major, minor))
    }

    /// Its release as the catalog counts them.
    pub fn release(&self) -> Option<Release> {
        self.version.map(|v| (v.major, v.minor))
    }

    /// The flags of its command line with what each means.
    pub fn flags(&self) -> impl DoubleEndedIterator<Item = (&'a Flag, Option<&Match>)> {
        let flags = self.args().map_or(&[][..], |args| &args.flags);
        flags.iter().zip(&*self.meanings).map(|(flag, found)| (flag, found.as_ref()))
    }

    /// Last use of a flag under any of its spellings, with whether it is the `--no-` form.
    pub fn flag(&self, name: &str) -> Option<(&'a Flag, bool)> {
        self.flags().rev().find_map(|(flag, found)| {
            let found = found.filter(|found| found.flag.name == name)?;
            Some((flag, found.negated))
        })
    }

    /// The value of a setting; one that is not set is `Unset`.
    pub fn setting(&self, name: &str) -> Setting<'a> {
        let Some(knob) = knob(name) else { return Setting { value: Fact::Unset, source: Source::Default } };
        if let Some((flag, _)) = self.flag(name).filter(|_| self.place != Place::Epp) {
            let value = match flag.value() {
                Some(word) => match &word.dynamic {
                    Some(reason) => Fact::Dynamic(reason.clone()),
                    None => Fact::Known(word.text.as_str()),
                },
                None => Fact::Unset,
            };
            return Setting { value, source: Source::Flag(flag) };
        }
        let (value, source) = variable(self.env, knob.env);
        let value = match self.args_hide() {
            Some(reason) => Fact::Dynamic(reason),
            None => value,
        };
        Setting { value, source }
    }

    /// A boolean setting, with Python's reading of the variable (Rust's for an endpoint picker).
    pub fn toggle(&self, name: &str) -> Toggle<'a> {
        self.toggle_by(name, knob(name).map_or("", |k| k.env))
    }

    /// A boolean setting whose variable has another name here.
    pub fn toggle_by(&self, name: &str, env: &str) -> Toggle<'a> {
        let default = knob(name).is_some_and(|k| k.default == "true");
        let epp = self.place == Place::Epp;
        if !epp && let Some((flag, negated)) = self.flag(name) {
            return Toggle { on: Fact::Known(!negated), source: Source::Flag(flag) };
        }
        let (value, source) = variable(self.env, env);
        let on = match value {
            Fact::Unset => Fact::Known(default),
            Fact::Known(text) if epp => Fact::Known(values::rust_bool(text).0.unwrap_or(default)),
            Fact::Known(text) => Fact::Known(values::python_bool(text).0),
            Fact::Dynamic(reason) => Fact::Dynamic(reason),
        };
        match self.args_hide() {
            Some(reason) => Toggle { on: Fact::Dynamic(reason), source },
            None => Toggle { on, source },
        }
    }
}

/// The frontend's flags.
pub(super) fn catalog() -> Option<&'static Component> {
    flags::component("frontend")
}

/// Whether a service runs a release from before 1.0, of which the rules of this family know nothing.
pub(super) fn ancient(service: &Service) -> bool {
    service.below(1, 0)
}

/// Every process of a deployment that routes, those of releases before 1.0 left out.
pub(super) fn routers(deployment: &Deployment) -> Vec<Router<'_>> {
    chosen(deployment, |service| !ancient(service))
}

/// Frontends of 0.4 to 0.9 in images of NVIDIA's, or copies of them: their command lines are known, and not more.
pub(super) fn old_command_lines(deployment: &Deployment) -> Vec<Router<'_>> {
    let own = |r: &Router<'_>| catalog().is_some_and(|c| published(r.service, c).is_some());
    let old = chosen(deployment, |s| ancient(s) && s.role == Role::Frontend);
    old.into_iter().filter(|r| r.place == Place::Frontend && own(r)).collect()
}

/// Frontends of 0.7 to 0.9: of these releases only what they make of KV events and of `DYN_ROUTER_MODE` is known.
pub(super) fn old_frontends(deployment: &Deployment) -> Vec<Router<'_>> {
    chosen(deployment, |s| ancient(s) && s.at_least(0, 7) && s.role == Role::Frontend)
}

fn chosen(deployment: &Deployment, wanted: fn(&Service) -> bool) -> Vec<Router<'_>> {
    let mut out = Vec::new();
    if !deployment.services.iter().any(wanted) {
        return out;
    }
    let known = deployment.memo.once(|| Meanings::of(deployment));
    for (service, known) in deployment.services.iter().zip(&known.0).filter(|(s, _)| wanted(s)) {
        let place = match service.role {
            Role::Frontend => Some(Place::Frontend),
            Role::Epp => Some(Place::Epp),
            Role::Router if service.module() == Some("dynamo.router") => Some(Place::Standalone),
            _ => None,
        };
        let version = service.version();
        if let Some(place) = place {
            let process = service.process.as_ref().filter(|_| place != Place::Epp);
            let meanings = process.map_or_else(Arc::default, |_| Arc::clone(&known.main));
            out.push(Router { service, place, process, env: &service.env, version, meanings });
        }
        if let Some(sidecar) = &service.sidecar {
            let process = sidecar.process.as_ref();
            let version = version.filter(|_| same_tag(service, &sidecar.name));
            let meanings = Arc::clone(&known.sidecar);
            out.push(Router { service, place: Place::Sidecar, process, env: &sidecar.env, version, meanings });
        }
    }
    out
}

/// What the flags of every process that may route mean, service by service. Each of them is looked up once for all rules.
struct Meanings(Vec<Known>);

#[derive(Default)]
struct Known {
    main: Arc<Vec<Option<Match>>>,
    sidecar: Arc<Vec<Option<Match>>>,
}

impl Meanings {
    fn of(deployment: &Deployment) -> Self {
        let of = |service: &Service| {
            let routes = matches!(service.role, Role::Frontend | Role::Epp | Role::Router);
            let main = service.process.as_ref().filter(|_| routes);
            let sidecar = service.sidecar.as_ref().and_then(|s| s.process.as_ref());
            let release = service.version().map(|v| (v.major, v.minor));
            // The sidecar's image may be another.
            Known { main: Arc::new(meanings(main, release)), sidecar: Arc::new(meanings(sidecar, None)) }
        };
        Self(deployment.services.iter().map(of).collect())
    }
}

/// What a release takes a flag for, else what any does.
fn meanings(process: Option<&DynamoProcess>, release: Option<Release>) -> Vec<Option<Match>> {
    let (Some(process), Some(catalog)) = (process, catalog()) else { return Vec::new() };
    let here = |name: &str| match catalog.find_in(name, release?) {
        Lookup::Found(found) => Some(found),
        _ => None,
    };
    process.args.flags.iter().map(|flag| here(&flag.name).or_else(|| catalog.flag(&flag.name))).collect()
}

/// Whether a sidecar runs an image with the tag of its worker's, whose release is known.
fn same_tag(service: &Service, name: &str) -> bool {
    let sidecar = service.component.sidecars.iter().find(|c| c.name == name).and_then(|c| c.image.as_ref()?.as_text());
    let tags = sidecar.zip(service.image.known()).map(|(a, b)| (Image::cut(a).tag, Image::cut(b).tag));
    tags.is_some_and(|(a, b)| a.is_some() && a == b)
}

/// Frontends and frontend sidecars: everything that runs `dynamo.frontend`.
pub(super) fn frontends(deployment: &Deployment) -> impl Iterator<Item = Router<'_>> {
    routers(deployment).into_iter().filter(|r| {
        matches!(r.place, Place::Frontend | Place::Sidecar)
            && r.process.is_none_or(|p| p.module.value == "dynamo.frontend")
    })
}

/// Whether a variable was written for this process itself (not for the whole graph).
pub(super) fn own_layer(var: &EnvVar) -> bool {
    !matches!(var.winner().layer, Layer::GraphEnv | Layer::EnvFrom)
}
