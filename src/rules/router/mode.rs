//! The effective mode of a router and whether it wants KV events.

use super::knobs::{
    CONDITIONAL, CREDIT, KV_EVENTS, LOAD_AWARE, MODE, POLICY_CONFIG, REMOTE_INDEXER, WEIGHT, python_number,
};
use super::settings::{Place, Router, Setting, Source, Toggle, variable};
use crate::source::{Fact, Reason, Span};
use crate::yaml::Node;

const NAMES: &[(&str, Mode)] = &[
    ("round-robin", Mode::RoundRobin),
    ("random", Mode::Random),
    ("power-of-two", Mode::PowerOfTwo),
    ("kv", Mode::Kv),
    ("direct", Mode::Direct),
    ("least-loaded", Mode::LeastLoaded),
    ("device-aware-weighted", Mode::DeviceAware),
];

/// How a router picks a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Mode {
    RoundRobin,
    Random,
    PowerOfTwo,
    Kv,
    Direct,
    LeastLoaded,
    DeviceAware,
    /// Named, but no mode: the process exits (or, by variable before 1.5, takes turns).
    Invalid,
}

impl Mode {
    /// The mode of that name; names are matched as written.
    pub fn parse(text: &str) -> Option<Self> {
        NAMES.iter().find(|(name, _)| *name == text).map(|(_, mode)| *mode)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }
}

/// The mode in force and who says it.
#[derive(Clone, Debug)]
pub(super) struct Effective<'a> {
    /// The mode.
    pub mode: Fact<Mode>,
    /// Who says it: `--router-mode`, `DYN_ROUTER_MODE`, `--load-aware`, nobody.
    pub source: Source<'a>,
}

impl Effective<'_> {
    /// Whether it is known to be that mode.
    pub fn is(&self, mode: Mode) -> bool {
        self.mode == Fact::Known(mode)
    }
}

/// Where an endpoint picker is told to score by KV cache.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scorer {
    /// In a plugin of its config.
    At(Span),
    /// Nowhere: its config names other plugins only.
    None,
    /// In a config that is not written here; or it is no endpoint picker.
    Elsewhere,
}

/// Whether a router wants events.
#[derive(Clone, Debug)]
pub(super) struct Events<'a> {
    /// Wanted or not.
    pub wanted: Fact<bool>,
    /// Who says that they are (or are not) wanted.
    pub source: Source<'a>,
}

impl<'a> Router<'a> {
    /// `--load-aware`, which the releases before 1.2 do not know.
    pub fn load_aware(&self) -> Toggle<'a> {
        let toggle = self.toggle(LOAD_AWARE);
        if self.below(1, 2) || matches!(self.place, Place::Epp) {
            return Toggle { on: Fact::Known(false), source: Source::Default };
        }
        toggle
    }

    /// The mode in force: `--load-aware` makes it `kv` (`frontend_args.py:101-104`), then flag, variable, default.
    /// Endpoint pickers and standalone routers always run in `kv` mode.
    pub fn mode(&self) -> Effective<'a> {
        if matches!(self.place, Place::Epp | Place::Standalone) {
            return Effective { mode: Fact::Known(Mode::Kv), source: Source::Default };
        }
        let load_aware = self.load_aware();
        if load_aware.on == Fact::Known(true) {
            return Effective { mode: Fact::Known(Mode::Kv), source: load_aware.source };
        }
        let Setting { value, source } = self.setting(MODE);
        let mode = match value {
            Fact::Unset if source.written() => Fact::Known(Mode::Invalid),
            Fact::Unset => match load_aware.on {
                Fact::Dynamic(reason) => Fact::Dynamic(reason),
                _ => Fact::Known(Mode::RoundRobin),
            },
            Fact::Known(text) => match Mode::parse(text) {
                // By variable, nothing but the comparison chain in `main.py` looks at the name before 1.5.
                None if matches!(source, Source::Env(_)) && self.below(1, 5) => Fact::Known(Mode::RoundRobin),
                mode => Fact::Known(mode.unwrap_or(Mode::Invalid)),
            },
            Fact::Dynamic(reason) => Fact::Dynamic(reason),
        };
        Effective { mode, source }
    }

    /// Where the mode is said, else where the router stands; for an endpoint picker its Dynamo scorer.
    pub fn mode_span(&self) -> Span {
        match self.scorer() {
            Scorer::At(span) => span,
            _ => self.mode().source.span().unwrap_or_else(|| self.span()),
        }
    }

    /// The plugin by which an endpoint picker scores workers like the KV router: `dyn-decode-scorer`, `dyn-prefill-scorer`
    /// and the older `dyn-kv-scorer`, …
    fn scorer(&self) -> Scorer {
        let Some(config) = self.service.component.epp_config.as_ref().filter(|_| self.place == Place::Epp) else {
            return Scorer::Elsewhere;
        };
        let Some(plugins) = config.at(&["config", "plugins"]) else { return Scorer::Elsewhere };
        let scores = |kind: &&Node| kind.as_text().is_some_and(|t| t.starts_with("dyn-") || t.contains("kv-aware"));
        let found = plugins.items().filter_map(|plugin| plugin.get("type")).find(scores);
        found.map_or(Scorer::None, |kind| Scorer::At(kind.span))
    }

    /// Whether it subscribes to KV events (`lib/llm/src/kv_router.rs:122-140`, `lib/kv-router` `config.rs:1447`): in
    /// `kv` mode, unless events are off, the overlap credit is 0, or a remote indexer answers instead.
    pub fn events(&self) -> Events<'a> {
        let mode = self.mode();
        match mode.mode {
            Fact::Known(Mode::Kv) => {}
            Fact::Dynamic(reason) => return Events { wanted: Fact::Dynamic(reason), source: mode.source },
            _ => return Events { wanted: Fact::Known(false), source: mode.source },
        }
        if self.scorer() == Scorer::None {
            return Events { wanted: Fact::Known(false), source: Source::Default };
        }
        let load_aware = self.load_aware();
        if load_aware.on != Fact::Known(false) {
            let wanted = load_aware.on.map(|_| false);
            return Events { wanted, source: load_aware.source };
        }
        let off = |source| Events { wanted: Fact::Known(false), source };
        let mut unknown: Option<(Reason, Source<'a>)> = None;
        // The endpoint picker has another name for it (`lib/kv-router/src/scheduling/config.rs:241`) and knows no other indexer.
        let toggles = if self.place == Place::Epp {
            vec![(self.toggle_by(KV_EVENTS, "DYN_USE_KV_EVENTS"), false)]
        } else {
            vec![(self.toggle(KV_EVENTS), false), (self.toggle(REMOTE_INDEXER), true)]
        };
        for (toggle, off_when) in toggles {
            match toggle.on {
                Fact::Known(on) if on == off_when => return off(toggle.source),
                Fact::Dynamic(reason) => unknown = Some((reason, toggle.source)),
                _ => {}
            }
        }
        // 0.7 to 0.9 have names of their own for the variables, and only `true` is true (`dynamo/frontend/main.py`). A weight of
        // somebody's own is not judged.
        if self.below(1, 0) {
            for name in ["DYN_KV_EVENTS", "DYN_KV_OVERLAP_SCORE_WEIGHT"] {
                let (value, source) = variable(self.env, name);
                match value {
                    Fact::Known(text) if !text.eq_ignore_ascii_case("true") => return off(source),
                    Fact::Dynamic(reason) => unknown = Some((reason, source)),
                    _ => {}
                }
            }
        }
        for name in [CREDIT, WEIGHT] {
            let Setting { value, source } = self.setting(name);
            match value {
                Fact::Known(text) if python_number(text, false) == Some(0.0) => return off(source),
                Fact::Dynamic(reason) => unknown = Some((reason, source)),
                _ => {}
            }
        }
        // From 1.6 on the file's `router` section wins over flags (`kv_router_args.py` `apply_router_config`).
        let policy = self.setting(POLICY_CONFIG);
        if policy.source.written() && !self.below(1, 6) {
            unknown = Some((Reason::File("--router-policy-config".to_owned()), policy.source));
        }
        match unknown {
            Some((reason, source)) => Events { wanted: Fact::Dynamic(reason), source },
            None => Events { wanted: Fact::Known(true), source: mode.source },
        }
    }

    /// Whether conditional disaggregation is on, so that decode workers must publish too.
    pub fn conditional(&self) -> Fact<bool> {
        if self.below(1, 5) { Fact::Known(false) } else { self.toggle(CONDITIONAL).on }
    }
}
