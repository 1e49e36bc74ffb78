//! What a condition can see: the resolved service and its deployment, as CEL values.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use cel::extractors::This;
use cel::{Context, Env, ExecutionError, Value};

use crate::resolve::wire::is_credential;
use crate::resolve::{Deployment, FabricKind, Service, Version};
use crate::source::Fact;
use crate::yaml::{Kind, Node, Typed};

/// Stands in for a value that is there and cannot be known.
const UNKNOWN: &str = "\u{0}unknown";

/// The values of one evaluation.
pub(super) struct Values {
    deployment: Value,
    service: Option<(Value, Value)>,
    /// Names of variables, flags and fields whose value cannot be known.
    pub(super) unknown: Vec<String>,
}

impl Values {
    pub(super) fn of(deployment: &Deployment, service: Option<&Service>) -> Self {
        let mut unknown = Vec::new();
        let mut ignored = Vec::new();
        let service = service.map(|s| (self::service(s, true, &mut unknown), self::service(s, false, &mut ignored)));
        let whole = service.is_none();
        let services: Vec<Value> = deployment
            .services
            .iter()
            .map(|s| self::service(s, true, if whole { &mut unknown } else { &mut ignored }))
            .collect();
        let deployment = map([
            ("name", text(&deployment.name)),
            ("api_version", text(deployment.graph.api_version.as_str())),
            ("disaggregated", Value::Bool(deployment.is_disaggregated())),
            ("services", Value::from(services)),
            ("object", node(&deployment.graph.object.node)),
        ]);
        crate::source::order(&mut unknown, Ord::cmp);
        unknown.dedup();
        Self { deployment, service, unknown }
    }

    /// A context in which values that cannot be known are there (`with`) or not.
    pub(super) fn context(&self, with: bool) -> Context<'static, 'static> {
        let mut context = bare();
        context.add_variable_from_value("deployment", self.deployment.clone());
        if let Some((there, absent)) = &self.service {
            context.add_variable_from_value("service", if with { there } else { absent }.clone());
        }
        context
    }
}

/// Where expressions are compiled and run: the standard library, with optional fields (`a.?b.orValue("")`).
pub(super) fn environment() -> Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    Arc::clone(ENVIRONMENT.get_or_init(|| Arc::new(Env::stdlib().with_optional_support(true))))
}

/// A context without values.
pub(super) fn bare() -> Context<'static, 'static> {
    let mut context = Context::with_env(environment());
    // `version("1.4.2")` is a number that grows with the release.
    let _ = context.add_function("version", number);
    context
}

/// `version("1.4.2")`
fn number(This(text): This<Arc<String>>) -> Result<i64, ExecutionError> {
    let Version { major, minor, patch } = Version::parse(&text)
        .ok_or_else(|| ExecutionError::function_error("version", format!("`{text}` is no release")))?;
    Ok((i64::from(major) * 1000 + i64::from(minor)) * 1000 + i64::from(patch))
}

fn service(service: &Service, with: bool, unknown: &mut Vec<String>) -> Value {
    let mut env: HashMap<String, Value> = HashMap::new();
    for var in &service.env.vars {
        match &var.winner().value {
            // A rule of one's own is no way to print a secret.
            Fact::Known(value) => {
                env.insert(var.name.clone(), text(if is_credential(&var.name) { "***" } else { value.as_str() }));
            }
            Fact::Dynamic(_) => {
                unknown.push(var.name.clone());
                if with {
                    env.insert(var.name.clone(), text(UNKNOWN));
                }
            }
            Fact::Unset => {}
        }
    }
    let mut flags: HashMap<String, Value> = HashMap::new();
    let mut argv = Vec::new();
    if let Some(process) = &service.process {
        for flag in &process.args.flags {
            let value = match flag.value() {
                None => Value::Bool(true),
                Some(word) => match word.as_known() {
                    Some(known) => text(known),
                    None => {
                        unknown.push(flag.name.clone());
                        text(UNKNOWN)
                    }
                },
            };
            flags.insert(flag.name.clone(), value);
        }
        argv = process.argv.iter().map(|w| text(w.as_known().unwrap_or(UNKNOWN))).collect();
    }
    let mut known = |name: &str, fact: &Fact<u32>| match fact {
        Fact::Known(n) => Value::Int(i64::from(*n)),
        _ => {
            unknown.push(name.to_owned());
            Value::Null
        }
    };
    let replicas = known("replicas", &service.replicas);
    let gpus = known("gpus", &service.gpus);
    let image = service.image.known().map_or(Value::Null, |i| text(i.as_str()));
    let version = service.version().map_or(Value::Null, |v| text(&v.to_string()));
    for (name, absent) in
        [("image", image == Value::Null), ("version", version == Value::Null), ("role", !service.role_known)]
    {
        if absent {
            unknown.push(name.to_owned());
        }
    }
    let devices = service.fabric.devices.iter().map(|d| {
        let kind = match d.kind {
            FabricKind::Rdma => "rdma",
            FabricKind::GkeRdma => "gke-rdma",
            FabricKind::Efa => "efa",
        };
        map([
            ("name", text(&d.name)),
            ("kind", text(kind)),
            ("count", d.count.known().map_or(Value::Null, |n| Value::Int(i64::from(*n)))),
        ])
    });
    map([
        ("name", text(&service.name)),
        ("role", text(service.role.as_str())),
        ("framework", service.framework.map_or(Value::Null, |f| text(f.as_str()))),
        ("module", service.module().map_or(Value::Null, text)),
        ("image", image),
        ("version", version),
        ("replicas", replicas),
        ("nodes", Value::Int(i64::from(service.nodes))),
        ("gpus", gpus),
        ("env", Value::from(env)),
        ("flags", Value::from(flags)),
        ("argv", Value::from(argv)),
        ("devices", Value::from(devices.collect::<Vec<_>>())),
        ("compute_domain", Value::Bool(service.fabric.channel().is_some())),
        ("spec", node(&service.component.node)),
    ])
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::from(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<HashMap<_, _>>())
}

fn text(value: &str) -> Value {
    Value::String(Arc::new(value.to_owned()))
}

/// The manifest as written.
fn node(of: &Node) -> Value {
    match &*of.kind {
        Kind::Map(map) => {
            let entries = map.entries.iter().map(|e| (e.key.name.to_string(), node(&e.value)));
            Value::from(entries.collect::<HashMap<_, _>>())
        }
        Kind::Seq(items) => Value::from(items.iter().map(node).collect::<Vec<_>>()),
        Kind::Scalar(scalar) => match scalar.typed {
            Typed::Null => Value::Null,
            Typed::Bool(value) => Value::Bool(value),
            Typed::Int(value) => i64::try_from(value.get()).map_or_else(|_| text(&scalar.value), Value::Int),
            Typed::Float(value) => Value::Float(value),
            Typed::Str => text(&scalar.value),
        },
    }
}
