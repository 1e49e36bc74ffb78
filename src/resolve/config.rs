//! Engine config files out of ConfigMaps (reference §6.2), and configs given inline.

use super::{EngineConfig, Env, Framework, Service, env::Context};
use crate::command::json::{self, Json, JsonEntry, JsonValue};
use crate::command::{Args, Word};
use crate::manifest::{Component, Container, VolumeSource};
use crate::source::{Fact, Reason, Span, Text};
use crate::yaml::{self, Kind, Node, Typed};

/// Config files and inline configs of an engine, lowest precedence first.
pub(super) fn of(
    ctx: &Context<'_>,
    component: &Component,
    container: &Container,
    framework: Framework,
    args: &Args,
    env: &Env,
) -> Vec<EngineConfig> {
    let mut out = Vec::new();
    let file = |flag: &str, variable: Option<&str>| {
        let word = given(args, env, flag, variable)?;
        Some(read(ctx, component, container, flag, &word))
    };
    match framework {
        Framework::Vllm | Framework::Tokenspeed => out.extend(file("--config", None)),
        Framework::Sglang => {
            out.extend(file("--config", None));
            if let Some(mut config) = file("--disagg-config", Some("DYN_SGL_DISAGG_CONFIG")) {
                let key = given(args, env, "--disagg-config-key", Some("DYN_SGL_DISAGG_CONFIG_KEY"));
                if let Fact::Known(node) = &config.content
                    && let Some(part) = key.as_ref().and_then(Word::as_known).and_then(|key| node.get(key))
                {
                    config.content = Fact::Known(part.clone());
                }
                out.push(config);
            }
        }
        Framework::Trtllm => {
            out.extend(file("--extra-engine-args", Some("DYN_TRTLLM_EXTRA_ENGINE_ARGS")));
            let flag = "--override-engine-args";
            if let Some(word) = given(args, env, flag, Some("DYN_TRTLLM_OVERRIDE_ENGINE_ARGS")) {
                out.push(inline(ctx, flag, &word));
            }
        }
        Framework::Mocker => out.extend(file("--extra-engine-args", None)),
    }
    out
}

/// The file of the planner's `--config`; what is no file is the config itself.
pub(super) fn planner(
    ctx: &Context<'_>,
    component: &Component,
    container: &Container,
    args: &Args,
) -> Vec<EngineConfig> {
    let word = args.last(&["--config"]).and_then(|flag| flag.value());
    let file = word.filter(|word| !word.text.trim_start().starts_with('{') && !word.text.is_empty());
    file.map(|word| read(ctx, component, container, "--config", word)).into_iter().collect()
}

/// The file of a global router's `--config`, which is read as JSON and as nothing else.
pub(super) fn global_router(
    ctx: &Context<'_>,
    component: &Component,
    container: &Container,
    args: &Args,
    env: &Env,
) -> Vec<EngineConfig> {
    let flag = "--config";
    let Some(word) = given(args, env, flag, Some("DYN_GLOBAL_ROUTER_CONFIG")) else { return Vec::new() };
    let mut config = read(ctx, component, container, flag, &word);
    if config.content.known().is_some()
        && let Some(error) = find(ctx, component, container, &config.path).and_then(|text| json::parse(&text).err())
    {
        let (kind, related) = (yaml::ProblemKind::Syntax, None);
        config.content = Fact::Dynamic(Reason::Invalid(error.message.clone()));
        config.problem = Some(yaml::Problem { kind, message: error.message, span: error.span, related });
    }
    vec![config]
}

/// The value of a flag, or of the variable that stands in for it. An empty one counts as not given.
pub(super) fn given(args: &Args, env: &Env, flag: &str, variable: Option<&str>) -> Option<Word> {
    if let Some(flag) = args.last(&[flag]) {
        return flag.value().cloned().filter(|w| !w.text.is_empty());
    }
    let word = env.lookup(variable?)?;
    (!word.text.is_empty()).then_some(word)
}

fn inline(ctx: &Context<'_>, flag: &str, word: &Word) -> EngineConfig {
    let (content, problem) = match &word.dynamic {
        Some(reason) => (Fact::Dynamic(reason.clone()), None),
        None => parsed(ctx, &word.text),
    };
    EngineConfig { flag: flag.to_owned(), path: String::new(), content, span: word.span(), problem }
}

fn read(ctx: &Context<'_>, component: &Component, container: &Container, flag: &str, word: &Word) -> EngineConfig {
    let path = word.text.as_str().to_owned();
    let (content, problem) = match (&word.dynamic, find(ctx, component, container, &path)) {
        (Some(reason), _) => (Fact::Dynamic(reason.clone()), None),
        (None, Some(text)) => parsed(ctx, &text),
        (None, None) => (Fact::Dynamic(Reason::File(path.clone())), None),
    };
    EngineConfig { flag: flag.to_owned(), path, content, span: word.span(), problem }
}

fn parsed(ctx: &Context<'_>, text: &Text) -> (Fact<Node>, Option<yaml::Problem>) {
    match &*ctx.recipe.embedded(text) {
        Ok(Some(node)) => (Fact::Known(node.clone()), None),
        Ok(None) => (Fact::Unset, None),
        Err(problem) => (Fact::Dynamic(Reason::Invalid(problem.message.clone())), Some(problem.clone())),
    }
}

/// The text of a file of the container that comes out of a ConfigMap at hand.
pub(super) fn find(ctx: &Context<'_>, component: &Component, container: &Container, path: &str) -> Option<Text> {
    let path = absolute(container, path);
    let (mount, rest) = container
        .mounts
        .iter()
        .filter_map(|mount| Some((mount, under(&path, &mount.path.as_ref()?.value)?)))
        .min_by_key(|(_, rest)| rest.len())?;
    let volume = component.volumes.iter().find(|v| v.name.value == mount.name.value)?;
    let VolumeSource::ConfigMap(map) = &volume.source else { return None };
    let file = match (mount.sub_path.as_deref(), rest) {
        (Some(sub), "") => sub.to_owned(),
        (Some(sub), rest) => format!("{sub}/{rest}"),
        (None, rest) => rest.to_owned(),
    };
    // `items` maps keys to file names; without it every key is a file.
    let items = volume.node.at(&["configMap", "items"]);
    let key = match items {
        Some(items) => items
            .items()
            .find(|item| item.get("path").and_then(Node::as_text) == Some(&file))?
            .get("key")
            .and_then(Node::as_text)?
            .to_owned(),
        None => file,
    };
    ctx.recipe.text(ctx.recipe.find("ConfigMap", map)?.data(&key)?)
}

fn absolute(container: &Container, path: &str) -> String {
    let joined = match container.working_dir.as_ref().and_then(Node::as_text) {
        Some(dir) if !path.starts_with('/') => format!("{dir}/{path}"),
        _ => path.to_owned(),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What remains of `path` below `dir`.
fn under<'a>(path: &'a str, dir: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(dir.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Why a key of the engine's config may stand where it cannot be seen, and where that file is named.
pub(super) fn hidden(service: &Service) -> Option<(Reason, Span)> {
    service.configs.iter().find_map(|config| match &config.content {
        Fact::Dynamic(reason) => Some((reason.clone(), config.span)),
        _ => None,
    })
}

/// The value of an option in the engine's config file, spelled with `-` or with `_`.
pub(super) fn option<'a>(service: &'a Service, name: &str) -> Option<&'a Node> {
    service.config_at(&[name]).or_else(|| service.config_at(&[&name.replace('-', "_")]))
}

/// Where the config file turns a switch off with `name: false`.
///
/// vLLM makes `--no-name` of that from 0.28 on, which Dynamo pins from 1.5 on, and only where the parser has the very word:
/// a name written with `_` is dropped, as all of them are before (`load_config_file`, read in 0.11.0 to 0.31.0).
pub(super) fn off(service: &Service, name: &str) -> Option<Span> {
    let node = match service.framework {
        Some(Framework::Vllm) => service.config_at(&[name]).filter(|_| service.at_least(1, 5)),
        _ => option(service, name),
    };
    node.filter(|n| n.as_bool() == Some(false)).map(|n| n.span)
}

/// A JSON option as a config file gives it: JSON in a string, or a mapping.
pub(super) fn json(node: &Node) -> Result<Json, Word> {
    match node.as_scalar() {
        Some(scalar) if scalar.typed == Typed::Str => Err(Word::known(match &scalar.origin {
            Some(origin) => Text::clone(origin),
            None => Text::opaque(&*scalar.value, node.span),
        })),
        _ => Ok(as_json(node)),
    }
}

/// A node as JSON.
pub(crate) fn as_json(node: &Node) -> Json {
    let value = match &*node.kind {
        Kind::Seq(items) => JsonValue::Array(items.iter().map(as_json).collect()),
        Kind::Map(map) => JsonValue::Object(
            map.entries
                .iter()
                .map(|e| JsonEntry { key: e.key.name.to_string(), key_span: e.key.span, value: as_json(&e.value) })
                .collect(),
        ),
        Kind::Scalar(scalar) => match scalar.typed {
            Typed::Null => JsonValue::Null,
            Typed::Bool(on) => JsonValue::Bool(on),
            Typed::Int(_) | Typed::Float(_) => JsonValue::Number(scalar.value.to_string()),
            Typed::Str => JsonValue::String(scalar.value.to_string()),
        },
    };
    Json { value, span: node.span }
}
