//! Variables of vLLM, SGLang and Dynamo against the release that a published image pins, and their values.

use super::common::{each_variable, name_span, number, own, value_span};
use super::unknown::own_script_reads;
use crate::catalog::flags::{self, Lookup};
use crate::catalog::vars::{Grammar, Variable};
use crate::catalog::{Reading, Release, router};
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, EnvVar, Framework, Role, Service};
use crate::rules::Findings;
use crate::rules::command::published;

/// The engine that reads the variables of an owner.
fn engine(owner: &str) -> Option<Framework> {
    match owner {
        "vllm" => Some(Framework::Vllm),
        "sglang" => Some(Framework::Sglang),
        _ => None,
    }
}

/// The release of Dynamo in a service's image, where that is a published one as it is, and whether its processes read what
/// that owner's variables say.
fn release(service: &Service, owner: &str) -> Option<Release> {
    let module = match (engine(owner), service.framework) {
        (Some(wanted), Some(framework)) if wanted == framework => framework.as_str(),
        // A worker's process reads Dynamo's own variables beside its engine's; the endpoint picker is built apart.
        (None, Some(framework)) if matches!(owner, "dynamo" | "kvbm") => framework.as_str(),
        (None, None) if matches!(owner, "dynamo") && service.role == Role::Frontend => "frontend",
        _ => return None,
    };
    service.process.as_ref().filter(|p| !p.implied || module == "frontend")?;
    let component = flags::component(&format!("dynamo.{module}"))?;
    published(service, component).map(|p| p.release)
}

/// `1.4` as the tables write it.
fn parse(text: &str) -> Option<Release> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What has a rule of its own: settings of the router, and names that were renamed.
fn elsewhere(name: &str) -> bool {
    name == "VLLM_ALL2ALL_BACKEND"
        || router::knob(name).is_some()
        || ["frontend", "vllm", "sglang", "trtllm", "any"].iter().any(|c| router::rename(name, c).is_some())
}

/// `variable-not-in-release`
pub fn variable_not_in_release(deployment: &Deployment, out: &mut Findings) {
    let bounded = |known: Variable| known.since().is_some() || known.removed().is_some();
    each_variable(
        deployment,
        |_| true,
        |name, known| {
            known.is_some_and(|v| matches!(v.owner, "vllm" | "sglang" | "dynamo" | "kvbm") && bounded(v))
                && !elsewhere(name)
        },
        |service, var| {
            let Some(known) = crate::catalog::vars::lookup(&var.name) else { return };
            // What the whole graph inherits may be meant for a service of another release.
            let Some(release) = release(service, known.owner).filter(|_| own(var)) else { return };
            let early = known.since().and_then(parse).filter(|first| release < *first);
            let late = known.removed().and_then(parse).filter(|last| release > *last);
            if (early.is_none() && late.is_none()) || own_script_reads(service, &var.name) {
                return;
            }
            report(service, var, known, release, early, out);
        },
    );
}

fn report(
    service: &Service,
    var: &EnvVar,
    known: Variable,
    release: Release,
    early: Option<Release>,
    out: &mut Findings,
) {
    let Some(at) = name_span(var) else { return };
    let reader = match known.owner {
        "vllm" => "vLLM",
        "sglang" => "SGLang",
        _ => "Dynamo",
    };
    let of = match known.owner {
        "vllm" | "sglang" => format!("the {reader} of Dynamo {}.{}", release.0, release.1),
        _ => format!("Dynamo {}.{}", release.0, release.1),
    };
    let mut replaced = false;
    let (message, label, help) = match early {
        Some((major, minor)) => (
            format!("{of} does not read `{}` yet", var.name),
            format!("read from Dynamo {major}.{minor} on"),
            format!("use an image of {major}.{minor} or later, or remove it"),
        ),
        None => {
            let last = known.removed().unwrap_or_default();
            let flag = option(service, &var.name, release);
            let off = var.known().is_none_or(|v| ["", "0", "false"].iter().any(|off| v.eq_ignore_ascii_case(off)));
            replaced = !off && flag.as_deref().is_some_and(|flag| service.flag(&[flag]).is_none());
            (
                format!("{of} does not read `{}` any more", var.name),
                format!("gone after Dynamo {last}"),
                match flag {
                    Some(flag) => format!("write `{flag}`"),
                    None => "remove it".to_owned(),
                },
            )
        }
    };
    let draft = out.report(at, message, label).service(service).subject(var.name.clone()).help(help);
    // What it asks for has another name, and nobody asks for it.
    if replaced { draft.severity(Severity::Warning) } else { draft }.emit();
}

/// The option of the worker that a variable became: `VLLM_ATTENTION_BACKEND`, `--attention-backend`.
fn option(service: &Service, name: &str, release: Release) -> Option<String> {
    let (_, rest) = name.split_once('_')?;
    let flag = format!("--{}", rest.to_ascii_lowercase().replace('_', "-"));
    let component = flags::component(&format!("dynamo.{}", service.framework?.as_str()))?;
    match component.find_in(&flag, release) {
        Lookup::Found(found) if !found.abbreviated => Some(flag),
        _ => None,
    }
}

/// A Service of the name `vllm`: Kubernetes gives every pod beside it `VLLM_PORT=tcp://…`, and vLLM refuses that (`get_vllm_port` in
/// `vllm/envs.py`). Headless ones give nothing.
fn service_called_vllm(deployment: &Deployment, out: &mut Findings) {
    let named = |o: &&crate::manifest::Object| {
        let field = |field: &str| o.node.at(&["spec", field]).and_then(crate::yaml::Node::as_text);
        o.name == "vllm" && field("clusterIP") != Some("None") && field("type") != Some("ExternalName")
    };
    let Some(object) = deployment.recipe.of_kind("Service").find(named) else { return };
    let hit = |s: &&Service| {
        let links = s.component.pod_spec.as_ref().and_then(|spec| spec.get("enableServiceLinks")?.as_bool());
        s.framework == Some(Framework::Vllm)
            && links != Some(false)
            && s.env.get("VLLM_PORT").is_none_or(|v| !v.written())
    };
    if let Some(service) = deployment.workers().find(hit) {
        out.report(
            object.name_span,
            "a Service `vllm` sets `VLLM_PORT` in every pod",
            "to `tcp://…`: vLLM refuses it and exits",
        )
        .service(service)
        .subject("VLLM_PORT")
        .help("give the Service another name")
        .emit();
    }
}

/// Whether a worker hands KV cache to LMCache, whose variables they are.
fn lmcache(service: &Service) -> bool {
    service.kv.connectors.iter().any(|c| c.value.starts_with("LMCache"))
}

/// Where LMCache keeps KV cache: nowhere, or at a URL without a scheme, which it refuses (`missing scheme`, or no adapter, in
/// `storage_backend/connector/__init__.py`).
fn nowhere(service: &Service, out: &mut Findings) {
    const URL: &str = "LMCACHE_REMOTE_URL";
    const LOCAL: &str = "LMCACHE_LOCAL_CPU";
    let url = service.env.get(URL).filter(|v| v.written());
    if let Some((var, url)) = url.and_then(|v| Some((v, v.known()?)))
        && !url.is_empty()
        && !url.contains("://")
        && let Some(at) = value_span(var)
    {
        out.report(
            at,
            format!("`{}` is no URL: it has no scheme", url.as_str()),
            "LMCache refuses it, and the worker exits",
        )
        .service(service)
        .subject(URL)
        .severity(Severity::Error)
        .help("begin it with the store's scheme: `redis://`, `lm://`, `mooncakestore://`, …")
        .emit();
    }
    // Anything else that LMCache is told may be another place, or say where one is.
    let plain =
        ["LMCACHE_CHUNK_SIZE", "LMCACHE_MAX_LOCAL_CPU_SIZE", "LMCACHE_LOG_LEVEL", "LMCACHE_USE_EXPERIMENTAL", LOCAL];
    let mut told = service.env.written().filter(|v| v.name.starts_with("LMCACHE_"));
    let off = service.env.get(LOCAL).filter(|v| {
        v.known().is_some_and(|t| ["false", "0", "no", "off"].iter().any(|off| t.eq_ignore_ascii_case(off)))
    });
    if let Some(at) = off.and_then(value_span)
        && told.all(|v| plain.contains(&v.name.as_str()))
        && service.env.hides().is_none()
        && service
            .kv
            .config
            .as_ref()
            .is_none_or(|c| c.get("kv_connector_extra_config").is_none_or(|c| c.get("connectors").is_some()))
    {
        out.report(at, "LMCache keeps KV cache nowhere", "not in memory, and no disk or remote store is named")
            .service(service)
            .subject(LOCAL)
            .help(format!("write `\"True\"`, or name a store by `{URL}` or `LMCACHE_LOCAL_DISK`"))
            .emit();
    }
}

/// `engine-variable-value`
pub fn engine_variable_value(deployment: &Deployment, out: &mut Findings) {
    service_called_vllm(deployment, out);
    deployment.workers().filter(|s| lmcache(s)).for_each(|s| nowhere(s, out));
    let asked = |known: Variable| {
        matches!(
            known.grammar,
            Grammar::PythonInt
                | Grammar::PythonFloat
                | Grammar::SglangInt
                | Grammar::SglangFloat
                | Grammar::SglangBool
                | Grammar::On(_)
                | Grammar::OnExact(_)
        ) || (known.owner == "vllm"
            && matches!(known.grammar, Grammar::OneOf(_) | Grammar::OneOfExact(_) | Grammar::UInt(_)))
    };
    each_variable(
        deployment,
        |service| service.framework.is_some(),
        |_, known| known.is_some_and(asked),
        |service, var| {
            let Some(known) = crate::catalog::vars::lookup(&var.name) else { return };
            let own = match known.owner {
                "lmcache" => lmcache(service),
                owner => engine(owner).is_some() && engine(owner) == service.framework,
            };
            if !own {
                return;
            }
            // A value that is put together in a shell, and the empty one, may be meant to mean nothing.
            let Some(value) = var.known().filter(|v| !v.trim().is_empty()) else { return };
            let (Err(expected), Some(at)) = (known.check(value), value_span(var)) else { return };
            let reader = match known.owner {
                "vllm" => "vLLM",
                "sglang" => "SGLang",
                _ => "LMCache",
            };
            let label = match &expected.reading {
                Reading::Rejected => format!("{reader} stops where it reads this"),
                Reading::ReadAs(what) => format!("read as {what}"),
                Reading::Ignored => "the default is kept".to_owned(),
            };
            let report = out
                .report(at, format!("`{value}` is no value of `{}`: expected {}", var.name, expected.legal), label)
                .service(service)
                .subject(var.name.clone());
            match expected.suggestion {
                Some(right) => {
                    let text = number(value, at, &right);
                    report.help(format!("write `{right}`")).fix(Applicability::Safe, at, text).emit();
                }
                None => report.help(format!("write {}", expected.legal)).emit(),
            }
        },
    );
}
