//! Repairs that follow from what a finding says: its rule, what it is about, and what its help tells to write. Rules whose
//! repair needs more than that give it themselves.

use super::{
    append_words, drop_flag, drop_variables, file, insert_key, insert_variable, json_quoted, set_flag, set_variable,
};
use crate::command::Flag;
use crate::command::json::{Json, JsonValue};
use crate::finding::{Applicability, Finding, Fix};
use crate::manifest::{ApiVersion, ComponentType};
use crate::resolve::{Deployment, Framework, Recipe, Service, Version};
use crate::source::{Edit, Sources, Span};
use crate::yaml::Node;
use crate::yaml::edit::{New, append_item, delete_entry, insert_entry, replace};

use Applicability::{Safe, Unsafe};

type Repair = Option<(Applicability, Vec<Edit>)>;

/// Gives the findings of a deployment that have no fix the one that follows from them.
pub fn complete(deployment: &Deployment, found: &mut [Finding]) {
    for finding in found.iter_mut().filter(|finding| finding.fix.is_none()) {
        let named = |service: &&Service| finding.service.as_deref() == Some(service.name.as_str());
        let service = deployment.services.iter().find(named);
        let Some((applicability, edits)) = repair(deployment, service, finding) else { continue };
        if !edits.is_empty() {
            finding.fix = Some(Fix { applicability, edits, verified: false });
        }
    }
}

/// What stands behind a word of the help in backticks: ``write `X` ``.
fn told<'a>(finding: &'a Finding, words: &str) -> Option<&'a str> {
    let rest = &finding.help[finding.help.find(&format!("{words} `"))? + words.len() + 2..];
    rest.split_once('`').map(|(text, _)| text).filter(|text| !text.is_empty() && !text.contains(['…', '<']))
}

/// What the help tells to write in place of what is labelled.
fn meant(finding: &Finding) -> Option<&str> {
    let help = &finding.help;
    if help.starts_with("did you mean `") {
        told(finding, "did you mean")
    } else if help.starts_with("write `") {
        told(finding, "write")
    } else {
        None
    }
}

/// Whether the help tells to take it out, first of all.
fn drops(finding: &Finding) -> bool {
    ["drop it", "remove it", "remove them", "remove the variable", "remove `", "drop `", "drop both"]
        .iter()
        .any(|start| finding.help.starts_with(start))
}

fn repair(deployment: &Deployment, service: Option<&Service>, finding: &Finding) -> Repair {
    let sources = &*deployment.recipe.sources;
    match finding.rule {
        // Nothing reads it: without it all stays as it is.
        "ucx-rndv-inert-under-nixl"
        | "ucx-removed-variable"
        | "ucx-addr-type-noop"
        | "ucx-vars-without-ucx"
        | "transport-vars-in-agg"
        | "frontend-transport-vars"
        | "mc-vars-without-mooncake"
        | "fi-vars-without-libfabric"
        | "operator-forced-env"
        | "ignored-router-setting"
        | "frontend-block-size-inert"
        | "ttl-inert"
        | "trtllm-env-ignored"
        | "dead-router-env"
        | "epp-wrong-env"
        | "sglang-ib-device-with-nixl" => taken(deployment, service?, finding, Safe),
        "unknown-transport-variable" => {
            taken(deployment, service?, finding, Safe).or_else(|| renamed(finding, sources, Unsafe))
        }
        "router-mode-flag-env-conflict" => {
            let name = finding.subject.as_deref()?;
            finding.help.ends_with(&format!("drop `{name}`")).then(|| drop(deployment, service?, &[name], Unsafe))?
        }
        // It does something that is hardly meant.
        "ucx-gid-index-hardcoded"
        | "ucx-gpu-direct-disabled"
        | "debug-knob"
        | "discovery-hard-coded"
        | "nccl-cumem-0-with-mnnvl"
        | "nccl-ib-disable-multinode"
        | "nccl-net-socket-multinode"
        | "ucx-net-devices-no-ib"
        | "ucx-net-devices-single-hca"
        | "ucx-tls-empty"
        | "ucx-tls-tcp-only-with-rdma"
        | "fi-aborting-variable"
        | "nixl-side-channel-host"
        | "removed-router-flag"
        | "predicted-ttl-without-events"
        | "frontend-model-path"
        | "text-input-with-kv-or-direct" => {
            taken(deployment, service?, finding, Unsafe).or_else(|| renamed(finding, sources, Unsafe))
        }
        "removed-worker-flag" => {
            taken(deployment, service?, finding, Unsafe).or_else(|| flag_instead(service?, finding, sources))
        }
        "router-env-on-worker" | "output-blocks-without-active" | "approximate-policy-with-events" => {
            drop(deployment, service?, &[finding.subject.as_deref()?], Unsafe)
        }
        "events-unused" => unused_events(deployment, service?, finding),
        "duplicated-flag" => duplicated(service?, finding, sources),
        // The right word is known.
        "misspelled-worker-flag"
        | "unknown-frontend-flag"
        | "epp-plugin-reference"
        | "stale-env-name"
        | "trtllm-buffer-size-unit"
        | "unknown-router-mode"
        | "malformed-python"
        | "image-misnamed"
        | "config-file-missing"
        | "invalid-choice"
        | "queue-policy-invalid" => renamed(finding, sources, Unsafe),
        "engine-config-key" => key(finding, sources),
        "image-framework-mismatch" => image(finding, sources),
        "efa-with-ucx-backend" | "efa-wrong-selector" => libfabric(deployment, service?),
        "disagg-role-in-aggregated" => aggregated(deployment, service?),
        "pd-model-mismatch" => same_model(deployment, service?, finding),
        "hf-home-not-mounted" => mounted(deployment, service?, finding),
        "efa-shm-transfer" | "efa-hugepages" => {
            let name = finding.subject.as_deref()?;
            Some((Unsafe, set_variable(deployment, service?, name, told(finding, "write")?)?))
        }
        "bool-env-unrecognised" => {
            let word = told(finding, "did you mean")?.trim_matches('"');
            Some((Unsafe, set_variable(deployment, service?, finding.subject.as_deref()?, word)?))
        }
        "frontend-port-mismatch" | "system-port-mismatch" => port(service?, finding, sources),
        "compute-domain-numnodes" => {
            let number = told(finding, "write")?.strip_prefix("numNodes: ")?;
            number_at(finding.primary.span, number, sources)
        }
        "min-initial-workers-unreachable" => {
            let number = finding.help.strip_prefix("write at most ")?.split(',').next()?;
            let flag = service?.flag(&[finding.subject.as_deref()?])?;
            Some((Unsafe, set_flag(service?, flag, sources, number)?))
        }
        "pd-block-size-mismatch" | "pd-kv-dtype-mismatch" => like_the_other(deployment, service?, finding),
        // Something is missing.
        "disagg-role-undeclared" => role(deployment, service?, finding),
        "vllm-kv-transfer-missing"
        | "sglang-backend-defaults-mooncake"
        | "replica-sync-missing"
        | "trtllm-event-buffer-without-publish"
        | "kv-router-partial-events"
        | "conditional-disagg-requirements"
        | "sglang-bind-host"
        | "standalone-router-block-size"
        | "model-not-given" => added(service?, finding, sources),
        "kv-router-no-events" | "backend-cannot-publish" => approximate(deployment, finding),
        "vllm-all2all-env" => {
            let name = finding.subject.as_deref()?;
            let mut edits = added(service?, finding, sources)?.1;
            edits.extend(drop_variables(deployment, service?, &[name])?);
            Some((Unsafe, edits))
        }
        "kv-events-without-prefix-cache" => prefix_cache(service?, finding, sources),
        "kv-transfer-json-invalid" | "sglang-events-schema" => json(service?, finding, sources),
        "sglang-nixl-params-invalid" => {
            let text = file(sources, finding.primary.span);
            let (start, end) = json_quoted(&text, finding.primary.span)?;
            Some((Unsafe, vec![start, end]))
        }
        "trtllm-cache-transceiver-missing" => {
            let root = service?.configs.last()?.content.known()?;
            let value = New::Map(vec![("backend".to_owned(), New::text("DEFAULT"))]);
            entry(root, "cache_transceiver_config", &value, None, sources)
        }
        "trtllm-transceiver-backend" => {
            let node = service?.kv.transceiver.as_ref()?;
            node.get("backend").is_none().then(|| entry(node, "backend", &New::text("DEFAULT"), None, sources))?
        }
        "disagg-subtype-missing" => {
            let service = service?;
            subtype(deployment, service, service.role.as_str(), sources)
        }
        "shared-memory-shrinks" => field(&service?.component.node, told(finding, "write")?, sources),
        "rdma-without-memlock" => memlock(service?, sources),
        "ucx-tls-redundant" => redundant(finding, sources),
        "flag-with-blank" => joined(finding, sources),
        "api-version-shape" => {
            let wanted = told(finding, "write")?.strip_prefix("apiVersion: ")?;
            let node = deployment.graph.object.node.get("apiVersion")?;
            Some((Unsafe, vec![replace(node, &file(sources, node.span), wanted)?]))
        }
        _ => None,
    }
}

/// Takes out what the finding is about, when that is what its help tells.
fn taken(deployment: &Deployment, service: &Service, finding: &Finding, how: Applicability) -> Repair {
    if !drops(finding) {
        return None;
    }
    let spans = || {
        let more =
            finding.labels.iter().filter(|label| ["this one too", "nor does this"].contains(&label.message.as_str()));
        std::iter::once(finding.primary.span).chain(more.map(|label| label.span))
    };
    let within = |var: &&crate::resolve::EnvVar| {
        var.chain.iter().any(|s| spans().any(|span| s.name_span == Some(span) || s.span == Some(span)))
    };
    let mut names: Vec<&str> = service.env.vars.iter().filter(within).map(|var| var.name.as_str()).collect();
    if names.is_empty() {
        names.extend(finding.subject.as_deref());
    }
    drop(deployment, service, &names, how)
}

fn drop(deployment: &Deployment, service: &Service, names: &[&str], how: Applicability) -> Repair {
    if let [name] = names
        && let Some(flag) = service.flag(&[name])
    {
        return Some((how, drop_flag(service, flag, &deployment.recipe.sources)?));
    }
    Some((how, drop_variables(deployment, service, names)?))
}

/// Writes what is meant in place of the labelled text.
fn renamed(finding: &Finding, sources: &Sources, how: Applicability) -> Repair {
    let (span, right) = (finding.primary.span, meant(finding)?);
    let source = file(sources, span);
    let old = source.text.get(span.range())?;
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:-".contains(&b));
    // The flag alone, not what is joined to it.
    let old = if old.starts_with("--") && right.starts_with("--") { old.split('=').next()? } else { old };
    let quoted = old.len() > 2
        && ((old.starts_with('"') && old.ends_with('"')) || (old.starts_with('\'') && old.ends_with('\'')));
    let (from, len) = if quoted { (1, old.len() - 2) } else { (0, old.len()) };
    if !word(right) || !word(&old[from..from + len]) {
        return None;
    }
    let start = span.start + u32::try_from(from).ok()?;
    let span = Span::new(span.file, start, start + u32::try_from(len).ok()?);
    Some((how, vec![Edit { span, text: right.to_owned() }]))
}

/// A key of an engine config under its new name: only where it stays in the same mapping and keeps its value.
fn key(finding: &Finding, sources: &Sources) -> Repair {
    let new = told(finding, "write").filter(|_| finding.help.starts_with("write `"))?;
    let old = finding.message.split_once("has no `")?.1.split_once('`')?.0;
    let split = |path: &str| {
        path.rsplit_once('.').map_or((String::new(), path.to_owned()), |(a, b)| (a.to_owned(), b.to_owned()))
    };
    let ((from, old), (to, new)) = (split(old), split(new));
    let name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let span = finding.primary.span;
    let written = file(sources, span).text.get(span.range()) == Some(old.as_str());
    (from == to && written && name(&new)).then(|| (Unsafe, vec![Edit { span, text: new }]))
}

/// Words that the help tells to add, as a shell reads them.
fn words(text: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, more) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'')?,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        out.push(word.to_owned());
        rest = more.trim_start();
    }
    Some(out)
}

fn added(service: &Service, finding: &Finding, sources: &Sources) -> Repair {
    let text = told(finding, "add").or_else(|| told(finding, "write")).filter(|text| text.starts_with("--"))?;
    let words = words(text)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // What is there already is changed, not repeated.
    if let Some(flag) = service.flag(&words[..1]) {
        return match words[..] {
            [_, value] => Some((Unsafe, set_flag(service, flag, sources, value)?)),
            _ => None,
        };
    }
    Some((Unsafe, append_words(service, sources, &words)?))
}

/// A worker that takes a role needs all that goes with it: the connector, and the type by which the operator knows it.
fn role(deployment: &Deployment, service: &Service, finding: &Finding) -> Repair {
    const CONFIG: [&str; 2] = ["--kv-transfer-config", r#"{"kv_connector":"NixlConnector","kv_role":"kv_both"}"#];
    let sources = &*deployment.recipe.sources;
    let text = told(finding, "add").filter(|text| text.starts_with("--"))?;
    let flags = words(text)?;
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let told = service.kv.config_text.is_some() || service.flag(&["--connector", CONFIG[0]]).is_some();
    if service.framework == Some(Framework::Vllm) && !told && flags.len() == 2 {
        flags.extend(CONFIG);
    }
    let mut edits = append_words(service, sources, &flags)?;
    if service.component.component_type == ComponentType::Worker
        && let Some(role) = ["prefill", "decode"].into_iter().find(|role| text.contains(role))
    {
        edits.extend(subtype(deployment, service, role, sources)?.1);
    }
    Some((Unsafe, edits))
}

/// A flag in place of one that is gone, its values kept when the new one is named without any.
fn flag_instead(service: &Service, finding: &Finding, sources: &Sources) -> Repair {
    let text = told(finding, "write").filter(|text| text.starts_with("--"))?;
    let flag = service.flag(&[finding.subject.as_deref()?])?;
    let source = file(sources, flag.span);
    if source.text.get(flag.span.range()) != Some(flag.name.as_str()) {
        return None;
    }
    let words = words(text)?;
    match (&words[..], flag.values.is_empty()) {
        ([name], _) => Some((Unsafe, vec![Edit { span: flag.span, text: name.clone() }])),
        (_, true) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut edits = drop_flag(service, flag, sources)?;
            edits.extend(append_words(service, sources, &words)?);
            Some((Unsafe, edits))
        }
        _ => None,
    }
}

/// The router predicts what workers have cached, instead of being told.
fn approximate(deployment: &Deployment, finding: &Finding) -> Repair {
    let service = deployment.services.iter().find(|s| Some(&s.name) == finding.service.as_ref())?;
    // Only where the finding is about the router itself.
    if service.role.is_worker() || service.sidecar.is_some() {
        return None;
    }
    let epp = matches!(service.component.component_type, ComponentType::Epp);
    let name = if epp { "DYN_USE_KV_EVENTS" } else { "DYN_ROUTER_USE_KV_EVENTS" };
    if let Some(flag) = service.flag(&["--router-kv-events", "--kv-events"]).filter(|_| !epp) {
        return Some((Unsafe, vec![Edit { span: flag.span, text: "--no-router-kv-events".to_owned() }]));
    }
    if service.env.get(name).is_some() {
        return Some((Unsafe, set_variable(deployment, service, name, "false")?));
    }
    let by_flag = service.process.as_ref().is_some_and(|p| !p.implied) && service.flag(&["--router-mode"]).is_some();
    let flag = || append_words(service, &deployment.recipe.sources, &["--no-router-kv-events"]);
    let edits = if by_flag && !epp { flag() } else { None };
    Some((Unsafe, edits.or_else(|| insert_variable(deployment, service, name, "false"))?))
}

fn unused_events(deployment: &Deployment, service: &Service, finding: &Finding) -> Repair {
    if !finding.help.starts_with("drop it") {
        return None;
    }
    let flag = service.flag(&["--kv-events-config", "--publish-kv-events", "--publish-events-and-metrics"])?;
    Some((Unsafe, drop_flag(service, flag, &deployment.recipe.sources)?))
}

/// Of two uses of a flag the last one counts: the earlier one goes.
fn duplicated(service: &Service, finding: &Finding, sources: &Sources) -> Repair {
    let name = finding.subject.as_deref()?;
    let names = [name];
    let uses: Vec<&Flag> = service.args()?.all(&names).collect();
    let [first, _] = uses[..] else { return None };
    Some((Safe, drop_flag(service, first, sources)?))
}

/// NIXL's libfabric plugin, selected in the way of the engine.
fn libfabric(deployment: &Deployment, service: &Service) -> Repair {
    let sources = &*deployment.recipe.sources;
    let name = match service.framework? {
        Framework::Sglang => "SGLANG_DISAGGREGATION_NIXL_BACKEND",
        Framework::Trtllm => "TRTLLM_NIXL_KVCACHE_BACKEND",
        Framework::Vllm => {
            let config = service.kv.config.as_ref()?;
            let nixl = config.get("kv_connector").and_then(Json::as_str).is_some_and(|name| name.starts_with("Nixl"));
            let backends = r#""backends": ["LIBFABRIC"]"#;
            let edits = match config.get("kv_connector_extra_config") {
                None => insert_key(config, "kv_connector_extra_config", &format!("{{{backends}}}"), sources),
                Some(extra) if extra.get("backends").is_none() => {
                    insert_key(extra, "backends", r#"["LIBFABRIC"]"#, sources)
                }
                Some(_) => None,
            };
            return nixl.then_some((Unsafe, edits?));
        }
        _ => return None,
    };
    Some((Unsafe, set_variable(deployment, service, name, "LIBFABRIC")?))
}

/// A worker that serves by itself: without the role, on its command line and for the operator.
fn aggregated(deployment: &Deployment, service: &Service) -> Repair {
    let sources = &*deployment.recipe.sources;
    let names = ["--is-decode-worker", "--is-prefill-worker", "--disaggregation-mode"];
    let mut edits = drop_flag(service, service.flag(&names)?, sources)?;
    let node = &service.component.node;
    if node.get("subComponentType").is_some() {
        edits.push(delete_entry(node, "subComponentType", &file(sources, node.span))?);
    } else if matches!(service.component.component_type, ComponentType::Prefill | ComponentType::Decode) {
        let kind = node.get("type").or_else(|| node.get("componentType"))?;
        edits.push(replace(kind, &file(sources, kind.span), "worker")?);
    }
    Some((Unsafe, edits))
}

/// The model, or the name it is served under, of the other role: with the served name where that is the model's.
fn same_model(deployment: &Deployment, service: &Service, finding: &Finding) -> Repair {
    let sources = &*deployment.recipe.sources;
    let other = deployment.services.iter().find(|other| {
        other.name != service.name && finding.labels.iter().any(|label| label.message.contains(&other.name))
    })?;
    let names: &[&str] = if finding.subject.as_deref() == Some("model") {
        &["--model", "--model-path", "--model-name", "--served-model-name"]
    } else {
        &["--served-model-name"]
    };
    let mut edits = Vec::new();
    for name in names {
        let (Some(own), Some(wanted)) = (service.flag(&[name]), other.flag(&[name])) else { continue };
        let (own_value, wanted) = (own.value()?.as_known()?, wanted.value()?.as_known()?);
        if own_value != wanted {
            edits.extend(set_flag(service, own, sources, wanted)?);
        }
    }
    Some((Unsafe, edits))
}

/// The claim that another service mounts where the cache is: mounted here too.
fn mounted(deployment: &Deployment, service: &Service, finding: &Finding) -> Repair {
    let sources = &*deployment.recipe.sources;
    let label = finding.labels.last()?;
    let (peer, mount) = deployment.services.iter().find_map(|peer| {
        let here = |m: &&crate::manifest::Mount| m.path.as_ref().map_or(m.name.span, |p| p.span) == label.span;
        Some((peer, peer.component.main.mounts.iter().find(here).filter(|m| m.sub_path.is_none())?))
    })?;
    let (name, path) = (&mount.name.value, &mount.path.as_ref()?.value);
    let listed = |holder: &Node, key: &str, item: New, behind: &[&str]| -> Option<Vec<Edit>> {
        match holder.get(key) {
            Some(list) => {
                let items = list.as_seq().filter(|items| !items.is_empty() && list.alias().is_none())?;
                let source = file(sources, items.last()?.span);
                Some(vec![append_item(items, list.span, &source, &[item])?])
            }
            None => {
                let behind = behind.iter().copied().find(|name| holder.get(name).is_some());
                Some(vec![insert_entry(holder, &file(sources, holder.span), key, &New::Seq(vec![item]), behind)?])
            }
        }
    };
    let item =
        |path_key: &str| New::Map(vec![("name".to_owned(), New::text(name)), (path_key.to_owned(), New::text(path))]);
    let volume = peer.component.volumes.iter().find(|volume| volume.name.value == *name);
    if volume.is_none() && deployment.graph.shape == ApiVersion::V1Alpha1 {
        // `volumeMounts` of a service name claims of the graph.
        let edits = listed(&service.component.node, "volumeMounts", item("mountPoint"), &["replicas", "componentType"]);
        return Some((Unsafe, edits?));
    }
    let Some(crate::manifest::VolumeSource::Claim(claim)) = volume.map(|volume| &volume.source) else { return None };
    let mut edits = listed(service.component.main.node.as_ref()?, "volumeMounts", item("mountPath"), &["image"])?;
    if !service.component.volumes.iter().any(|volume| volume.name.value == *name) {
        let source = New::Map(vec![("claimName".to_owned(), New::text(claim))]);
        let new = New::Map(vec![("name".to_owned(), New::text(name)), ("persistentVolumeClaim".to_owned(), source)]);
        edits.extend(listed(service.component.pod_spec.as_ref()?, "volumes", new, &[])?);
    }
    Some((Unsafe, edits))
}

/// `use `vllm-runtime``: the last part of the image's path, its tag kept.
fn image(finding: &Finding, sources: &Sources) -> Repair {
    let right = told(finding, "use").filter(|text| !text.contains(['/', ':', ' ']))?;
    let span = finding.primary.span;
    let source = file(sources, span);
    let old = source.text.get(span.range())?;
    let start = old.rfind('/').map_or(0, |at| at + 1);
    let len = old[start..].find([':', '@', '"', '\'']).unwrap_or(old.len() - start);
    let at = span.start + u32::try_from(start).ok()?;
    let span = Span::new(span.file, at, at + u32::try_from(len).ok()?);
    Some((Unsafe, vec![Edit { span, text: right.to_owned() }]))
}

fn number_at(span: Span, number: &str, sources: &Sources) -> Repair {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let source = file(sources, span);
    let old = source.text.get(span.range()).is_some_and(digits);
    (old && digits(number)).then(|| (Unsafe, vec![Edit { span, text: number.to_owned() }]))
}

fn port(service: &Service, finding: &Finding, sources: &Sources) -> Repair {
    // All probes agree, and the frontend is told otherwise.
    if let Some(flag) = service.flag(&["--http-port"]).filter(|flag| flag.full_span() == finding.primary.span) {
        let (_, number) = finding.help.rsplit_once("listen on ")?;
        return Some((Unsafe, set_flag(service, flag, sources, number)?));
    }
    let number = finding.help.strip_prefix("probe port ")?.split(',').next()?;
    number_at(finding.primary.span, number, sources)
}

/// The value that the other role has, where a label shows it.
fn like_the_other(deployment: &Deployment, service: &Service, finding: &Finding) -> Repair {
    let sources = &*deployment.recipe.sources;
    let flag = service.flag(&[finding.subject.as_deref()?])?;
    let own = flag.value()?.as_known()?;
    let simple =
        |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let others = deployment.services.iter().filter(|s| s.name != service.name);
    let mut values = others.filter_map(|s| {
        let flag = s.flag(&[finding.subject.as_deref()?])?;
        let value = flag.value()?;
        let labelled = finding.labels.iter().any(|l| l.span == value.span() || l.span == flag.span);
        value.as_known().filter(|_| labelled)
    });
    let other = values.find(|value| *value != own).filter(simple)?;
    Some((Unsafe, set_flag(service, flag, sources, other)?))
}

fn prefix_cache(service: &Service, finding: &Finding, sources: &Sources) -> Repair {
    let source = file(sources, finding.primary.span);
    match (service.framework?, source.text.get(finding.primary.span.range())?) {
        (Framework::Vllm, "--no-enable-prefix-caching") => {
            let edit = Edit { span: finding.primary.span, text: "--enable-prefix-caching".to_owned() };
            Some((Unsafe, vec![edit]))
        }
        (Framework::Sglang, "--disable-radix-cache") => {
            Some((Unsafe, drop_flag(service, service.flag(&["--disable-radix-cache"])?, sources)?))
        }
        _ => None,
    }
}

/// What the help says about the JSON that the finding is about: ``add `"kv_role": "kv_both"` ``, ``rename `kv_roel` to
/// `kv_role` ``.
fn json(service: &Service, finding: &Finding, sources: &Sources) -> Repair {
    let config = match finding.subject.as_deref()? {
        "--kv-transfer-config" => service.kv.config.as_ref()?,
        "--kv-events-config" => service.events.config.as_ref()?,
        _ => return None,
    };
    if let (Some(old), Some(new)) = (told(finding, "rename"), told(finding, "to"))
        && let JsonValue::Object(entries) = &config.value
    {
        let span = entries.iter().find(|entry| entry.key == old)?.key_span;
        let written = file(sources, span).text.get(span.range())?.replacen(old, new, 1);
        return Some((Unsafe, vec![Edit { span, text: written }]));
    }
    let text = told(finding, "add").filter(|text| text.starts_with('"'))?;
    let (key, value) = text.split_once(':')?;
    Some((Unsafe, insert_key(config, key.trim().trim_matches('"'), value.trim(), sources)?))
}

fn entry(map: &Node, key: &str, value: &New, behind: Option<&str>, sources: &Sources) -> Repair {
    if map.get(key).is_some() {
        return None;
    }
    // An embedded document stands in its file line by line as it is read, or the edit is refused later.
    let first = map.entries().next()?;
    Some((Unsafe, vec![insert_entry(map, &file(sources, first.key.span), key, value, behind)?]))
}

/// `key: value` on a mapping.
fn field(map: &Node, text: &str, sources: &Sources) -> Repair {
    let (key, value) = text.split_once(": ")?;
    if key.contains(['.', ' ', '{']) || value.contains(['{', '[', '…']) {
        return None;
    }
    match map.get(key) {
        Some(node) => Some((Unsafe, vec![replace(node, &file(sources, node.span), value)?])),
        None => entry(map, key, &New::text(value), None, sources),
    }
}

fn subtype(deployment: &Deployment, service: &Service, role: &str, sources: &Sources) -> Repair {
    let node = &service.component.node;
    if deployment.graph.shape == ApiVersion::V1Alpha1 {
        return entry(node, "subComponentType", &New::text(role), Some("componentType"), sources);
    }
    let kind = node.get("type")?;
    Some((Unsafe, vec![replace(kind, &file(sources, kind.span), role)?]))
}

fn memlock(service: &Service, sources: &Sources) -> Repair {
    let main = service.component.main.node.as_ref()?;
    let add = || New::Seq(vec![New::text("IPC_LOCK")]);
    let map = |key: &str, value: New| New::Map(vec![(key.to_owned(), value)]);
    match main.get("securityContext") {
        None => entry(main, "securityContext", &map("capabilities", map("add", add())), None, sources),
        Some(security) => match security.get("capabilities") {
            None => entry(security, "capabilities", &map("add", add()), None, sources),
            Some(capabilities) => match capabilities.get("add") {
                None => entry(capabilities, "add", &add(), None, sources),
                Some(list) => {
                    let items = list.as_seq().filter(|_| list.alias().is_none())?;
                    let source = file(sources, items.last()?.span);
                    let new = [New::text("IPC_LOCK")];
                    Some((Unsafe, vec![append_item(items, list.span, &source, &new)?]))
                }
            },
        },
    }
}

/// Items of a list that are labelled, each with a comma.
fn redundant(finding: &Finding, sources: &Sources) -> Repair {
    let source = file(sources, finding.primary.span);
    let text = source.text.as_bytes();
    let spans = std::iter::once(&finding.primary).chain(&finding.labels).map(|label| label.span);
    let mut edits = Vec::new();
    for span in spans {
        let range = span.range();
        let (before, after) = (text.get(range.start.checked_sub(1)?), text.get(range.end));
        let span = match (before, after) {
            (_, Some(b',')) => Span { end: span.end + 1, ..span },
            (Some(b','), _) => Span { start: span.start - 1, ..span },
            _ => return None,
        };
        edits.push(Edit { span, text: String::new() });
    }
    Some((Safe, edits))
}

/// `--flag value` as one word: joined by `=`.
fn joined(finding: &Finding, sources: &Sources) -> Repair {
    let span = finding.primary.span;
    let source = file(sources, span);
    let text = source.text.get(span.range())?;
    let at = text.find("--")?;
    let blank = at + text[at..].find(' ')?;
    let len = text[blank..].len() - text[blank..].trim_start().len();
    let rest = &text[blank + len..];
    if rest.is_empty() || rest.contains([' ', '=']) || finding.help.starts_with("drop the quotes") {
        return None;
    }
    let start = span.start + u32::try_from(blank).ok()?;
    let span = Span::new(span.file, start, start + u32::try_from(len).ok()?);
    Some((Unsafe, vec![Edit { span, text: "=".to_owned() }]))
}

/// Repairs of findings that belong to files: the right word is known. `assumed` is the release that the user says.
pub fn complete_files(recipe: &Recipe, assumed: Option<Version>, found: &mut [Finding]) {
    let sources = &*recipe.sources;
    for finding in found.iter_mut().filter(|finding| finding.fix.is_none()) {
        let repair = match finding.rule {
            "engine-config-key" => key(finding, sources),
            "epp-plugin-reference" | "image-misnamed" | "route-backend-missing" => renamed(finding, sources, Unsafe),
            "image-private" => {
                super::image::published(recipe, finding.primary.span, assumed).map(|edits| (Unsafe, edits))
            }
            "pool-selector" => told(finding, "write").and_then(|port| number_at(finding.primary.span, port, sources)),
            _ => None,
        };
        if let Some((applicability, edits)) = repair {
            finding.fix = Some(Fix { applicability, edits, verified: false });
        }
    }
}
