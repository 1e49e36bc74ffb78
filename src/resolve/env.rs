//! The environment of a container: every layer in order, then `$(VAR)`.

use super::expand::{self, placeholder};
use super::{Env, EnvVar, Layer, Recipe, Setting, operator};
use crate::command::{AssignKind, Process, Word, kubelet_expand};
use crate::manifest::{Component, Container, EnvEntry, EnvFrom, EnvLayer, EnvSource, Graph};
use crate::source::{Fact, Reason, Sources, Span, Text, permutation};
use crate::yaml;

/// So many settings has the main container of a component: a good part are the operator's own.
const USUAL: usize = 64;

/// What every step of the resolution reads.
pub(super) struct Context<'a> {
    pub graph: &'a Graph,
    pub recipe: &'a Recipe,
    pub sources: &'a Sources,
    pub options: &'a super::Options,
}

/// Environment of the main container (reference §2.12: image, envFrom, operator defaults, graph env, service env,
/// container env, operator-forced).
pub(super) fn main(ctx: &Context<'_>, component: &Component) -> Env {
    let mut layers = Layers { settings: Vec::with_capacity(USUAL), open: None };
    layers.add_sources(ctx, &component.main.env_from);
    operator::defaults(ctx, component, &component.component_type, |n, v| layers.operator(Layer::OperatorDefault, n, v));
    for entry in &ctx.graph.env {
        layers.entry(ctx, Layer::GraphEnv, entry);
    }
    layers.container(ctx, &component.main);
    operator::forced(ctx, component, &mut layers);
    layers.build(Order::ByName)
}

/// Environment of the frontend sidecar: frontend defaults and what it declares itself, no graph env
/// (`graph.go:1976-2007`).
pub(super) fn frontend_sidecar(ctx: &Context<'_>, component: &Component, container: &Container) -> Env {
    let mut layers = Layers::default();
    layers.add_sources(ctx, &container.env_from);
    operator::defaults(ctx, component, &crate::manifest::ComponentType::Frontend, |n, v| {
        layers.operator(Layer::OperatorDefault, n, v);
    });
    layers.container(ctx, container);
    layers.build(Order::ByName)
}

/// Environment of any other container: what it declares itself.
pub(super) fn plain(ctx: &Context<'_>, container: &Container) -> Env {
    let mut layers = Layers::default();
    layers.add_sources(ctx, &container.env_from);
    layers.container(ctx, container);
    layers.build(Order::AsWritten)
}

/// In which order the container's list stands when the kubelet expands `$(VAR)`: the operator sorts what it merges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    ByName,
    AsWritten,
}

/// Settings, lowest precedence first.
#[derive(Default)]
pub(super) struct Layers {
    settings: Vec<(String, Setting)>,
    open: Option<Reason>,
}

impl Layers {
    /// Adds a value of the operator's own.
    pub fn operator(&mut self, layer: Layer, name: &str, value: Fact<Text>) {
        let setting = Setting { layer, value, name_span: None, span: None, entry_span: None };
        self.settings.push((name.to_owned(), setting));
    }

    /// Whether anything sets the name so far.
    pub fn has(&self, name: &str) -> bool {
        self.settings.iter().any(|(n, _)| n == name)
    }

    fn container(&mut self, ctx: &Context<'_>, container: &Container) {
        for (layer, entry) in &container.env {
            let layer = match layer {
                EnvLayer::Service => Layer::ServiceEnv,
                EnvLayer::Container => Layer::ContainerEnv,
            };
            self.entry(ctx, layer, entry);
        }
    }

    fn entry(&mut self, ctx: &Context<'_>, layer: Layer, entry: &EnvEntry) {
        let (value, span) = value(ctx, entry);
        let setting = Setting {
            layer,
            value,
            name_span: Some(entry.name.span),
            span: Some(span),
            entry_span: Some(entry.node.span),
        };
        self.settings.push((entry.name.value.clone(), setting));
    }

    fn add_sources(&mut self, ctx: &Context<'_>, list: &[EnvFrom]) {
        for from in list {
            let map = if from.secret { None } else { ctx.recipe.find("ConfigMap", &from.name) };
            let Some(map) = map else {
                let name = from.name.value.clone();
                let reason = if from.secret { Reason::Secret(name) } else { Reason::MissingConfigMap(name) };
                self.open.get_or_insert(reason);
                continue;
            };
            for data in map.node.get("data").into_iter().flat_map(yaml::Node::entries) {
                let text = expand::text(&data.value, ctx.recipe);
                let setting = Setting {
                    layer: Layer::EnvFrom,
                    span: Some(text.span()),
                    value: known(text),
                    name_span: Some(data.key.span),
                    entry_span: Some(from.name.span),
                };
                self.settings.push((format!("{}{}", from.prefix, data.key.name), setting));
            }
        }
    }

    fn build(self, order: Order) -> Env {
        let mut settings: Vec<Option<(String, Setting)>> = self.settings.into_iter().map(Some).collect();
        // Settings are large: their places are what is sorted.
        let by_name = permutation(settings.len(), &mut |a, b| name(&settings[a]).cmp(name(&settings[b])));
        let mut vars: Vec<EnvVar> = Vec::with_capacity(settings.len());
        let mut positions = Vec::with_capacity(settings.len());
        for at in by_name {
            let Some((name, setting)) = settings[at].take() else { continue };
            match vars.last_mut() {
                Some(var) if var.name == name => {
                    var.chain.insert(0, setting);
                    *positions.last_mut().unwrap_or(&mut 0) = at;
                }
                _ => {
                    vars.push(EnvVar { name, chain: vec![setting] });
                    positions.push(at);
                }
            }
        }
        let sequence = match order {
            Order::AsWritten => permutation(vars.len(), &mut |a, b| positions[a].cmp(&positions[b])),
            Order::ByName => (0..vars.len()).collect(),
        };
        let mut env = Env::of(vars, self.open);
        expand_values(&mut env, &sequence);
        env
    }
}

fn name(setting: &Option<(String, Setting)>) -> &str {
    setting.as_ref().map_or("", |(name, _)| name)
}

/// Whether a value holds something for the kubelet: `$(` or `$$`.
fn refers(text: &Text) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'$', bytes).any(|at| matches!(bytes.get(at + 1), Some(b'(' | b'$')))
}

/// Expands `$(VAR)` in values: only what stands before it in the list, or comes from `envFrom`, is there yet.
fn expand_values(env: &mut Env, sequence: &[usize]) {
    let wants = |setting: &Setting| setting.layer != Layer::EnvFrom && setting.value.known().is_some_and(refers);
    if !env.vars.iter().any(|v| wants(v.winner())) {
        return;
    }
    let mut done = vec![false; env.vars.len()];
    for &at in sequence {
        let winner = env.vars[at].winner();
        if wants(winner)
            && let Some(text) = winner.value.known()
        {
            let lookup = |name: &str| {
                let found = env.place(name).ok()?;
                let var = &env.vars[found];
                let setting =
                    if done[found] { Some(var.winner()) } else { var.chain.iter().find(|s| s.layer == Layer::EnvFrom) };
                setting.and_then(|s| as_word(name, &s.value))
            };
            let word = kubelet_expand(text, &lookup);
            env.vars[at].chain[0].value = match word.dynamic {
                Some(reason) => Fact::Dynamic(reason),
                None => Fact::Known(word.text),
            };
        }
        done[at] = true;
    }
}

fn known(text: Text) -> Fact<Text> {
    match placeholder(&text) {
        Some(found) => Fact::Dynamic(Reason::Placeholder(found.to_owned())),
        None => Fact::Known(text),
    }
}

/// The value of an entry and where it stands.
fn value(ctx: &Context<'_>, entry: &EnvEntry) -> (Fact<Text>, Span) {
    match &entry.source {
        EnvSource::Value(None) => (Fact::Known(Text::empty(entry.node.span)), entry.node.span),
        EnvSource::Value(Some(node)) => match yaml::text(node, ctx.sources) {
            Some(text) => {
                let span = if text.is_empty() { text.whole() } else { text.span() };
                (known(text), span)
            }
            None => (Fact::Dynamic(Reason::Invalid("the value is no string".to_owned())), node.span),
        },
        EnvSource::ConfigMap { name, key, span } => {
            let data = ctx.recipe.find("ConfigMap", name).and_then(|map| map.data(key));
            match data.and_then(|node| yaml::text(node, ctx.sources)) {
                Some(text) => {
                    let at = text.span();
                    (known(text), at)
                }
                None => (Fact::Dynamic(Reason::MissingConfigMap(name.clone())), *span),
            }
        }
        EnvSource::Secret { name, span, .. } => (Fact::Dynamic(Reason::Secret(name.clone())), *span),
        EnvSource::Field { path, span } => (Fact::Dynamic(Reason::Downward(path.clone())), *span),
        EnvSource::Unknown(span) => {
            (Fact::Dynamic(Reason::Invalid("an unknown kind of `valueFrom`".to_owned())), *span)
        }
    }
}

fn as_word(name: &str, value: &Fact<Text>) -> Option<Word> {
    match value {
        Fact::Known(text) => Some(Word::known(text.clone())),
        Fact::Dynamic(reason) => {
            let at = Span::new(crate::source::FileId(0), 0, 0);
            Some(Word::unknown(Text::opaque(format!("$({name})"), at), reason.clone()))
        }
        Fact::Unset => None,
    }
}

impl Env {
    /// The variable as a shell or the kubelet finds it when the container starts: `None` when unset, a dynamic word
    /// when its value is not known or an unseen `envFrom` may set it.
    pub(super) fn lookup(&self, name: &str) -> Option<Word> {
        let setting = self.get(name)?.winner();
        let word = as_word(name, &setting.value)?;
        Some(match (word.dynamic, setting.span) {
            (Some(reason), Some(span)) => Word::unknown(Text::opaque(format!("${{{name}}}"), span), reason),
            (Some(reason), None) => Word::unknown(word.text, reason),
            (None, _) => Word::known(word.text),
        })
    }

    /// Applies what a script does to the environment before it starts a process.
    pub(super) fn apply(&mut self, process: &Process) {
        if self.open.is_none() {
            self.open.clone_from(&process.env_open);
        }
        for op in &process.env {
            let value = match (&op.value, op.kind) {
                (_, AssignKind::Unset) => Fact::Unset,
                (Some(word), _) => match &word.dynamic {
                    Some(reason) => Fact::Dynamic(reason.clone()),
                    None => Fact::Known(word.text.clone()),
                },
                (None, _) => continue,
            };
            let name_len = u32::try_from(op.name.len()).unwrap_or(0);
            let setting = Setting {
                layer: if op.kind == AssignKind::Prefix { Layer::ShellPrefix } else { Layer::ShellExport },
                value,
                name_span: Some(Span::new(op.span.file, op.span.start, (op.span.start + name_len).min(op.span.end))),
                span: Some(op.value.as_ref().filter(|w| !w.text.is_empty()).map_or(op.span, Word::span)),
                entry_span: Some(op.span),
            };
            match self.place(&op.name) {
                Ok(at) => self.vars[at].chain.insert(0, setting),
                Err(at) => self.insert(at, EnvVar { name: op.name.clone(), chain: vec![setting] }),
            }
        }
    }
}
