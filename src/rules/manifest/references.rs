//! Names of objects that a pod refers to, against the objects that the recipe makes.

use super::jobs::texts;
use super::near::{beside_recipe, typo};
use super::object::possible;
use super::parents::parents;
use super::volumes::{claims, is_implied};
use crate::finding::{Applicability, Confidence, Severity};
use crate::manifest::{Container, EnvSource, Object};
use crate::resolve::Recipe;
use crate::rules::command::hub_token;
use crate::rules::{Findings, workload};
use crate::source::Span;
use crate::yaml::Node;

/// Something that a pod of this file needs by name.
struct Needed {
    kind: &'static str,
    name: String,
    at: Span,
}

/// Everything of these kinds that the pods of a file name.
fn needed(recipe: &Recipe) -> Vec<Needed> {
    let mut all: Vec<Needed> = Vec::new();
    let mut add = |kind: &'static str, node: &Node| {
        let Some(name) = node.as_text().filter(|t| !t.is_empty() && !t.contains(['$', '<', '{'])) else { return };
        if !all.iter().any(|n| n.kind == kind && n.name == name) {
            all.push(Needed { kind, name: name.to_owned(), at: node.span });
        }
    };
    let mut pod = |spec: &Node, containers: &mut dyn Iterator<Item = &Container>| {
        if let Some(account) = spec.get("serviceAccountName") {
            add("ServiceAccount", account);
        }
        for claim in spec.get("resourceClaims").into_iter().flat_map(Node::items) {
            if let Some(template) = claim.get("resourceClaimTemplateName") {
                add("ResourceClaimTemplate", template);
            }
        }
        for volume in spec.get("volumes").into_iter().flat_map(Node::items) {
            if let Some(secret) = volume.at(&["secret", "secretName"]) {
                add("Secret", secret);
            }
            let optional = volume.at(&["configMap", "optional"]).and_then(Node::as_bool) == Some(true);
            if let Some(map) = volume.at(&["configMap", "name"]).filter(|_| !optional) {
                add("ConfigMap", map);
            }
        }
        for container in containers {
            for entry in container.node.iter().flat_map(|n| n.get("envFrom").into_iter().flat_map(Node::items)) {
                if let Some(name) = entry.at(&["secretRef", "name"]) {
                    add("Secret", name);
                }
                if let Some(name) = entry.at(&["configMapRef", "name"]) {
                    add("ConfigMap", name);
                }
            }
            for (_, entry) in &container.env {
                if let Some(name) = entry.node.at(&["valueFrom", "secretKeyRef", "name"]) {
                    add("Secret", name);
                }
                if let Some(name) = entry.node.at(&["valueFrom", "configMapKeyRef", "name"]) {
                    add("ConfigMap", name);
                }
            }
        }
    };
    for object in &recipe.here {
        if let Some(graph) = object.graph() {
            for component in &graph.components {
                if let Some(spec) = &component.pod_spec {
                    pod(spec, &mut component.containers());
                }
            }
        } else if let Some(workload) = object.workload() {
            pod(&workload.spec, &mut workload.containers.iter().chain(&workload.init_containers));
        }
    }
    for object in &recipe.here {
        for component in object.graph().into_iter().flat_map(|g| &g.components) {
            if let Some(secret) = component.node.get("envFromSecret") {
                add("Secret", secret);
            }
        }
    }
    all
}

/// What a ComputeDomain's controller makes a template of.
fn made_templates(recipe: &Recipe) -> impl Iterator<Item = String> {
    let name = |o: &Object| {
        o.node.at(&["spec", "channel", "resourceClaimTemplate", "name"]).and_then(Node::as_text).map(str::to_owned)
    };
    recipe.of_kind("ComputeDomain").filter_map(name).collect::<Vec<_>>().into_iter()
}

/// The base model of an adapter, by which the operator finds the workers to load it: their `modelRef.name`.
fn base_models(recipe: &Recipe, out: &mut Findings) {
    for model in recipe.here.iter().filter(|o| o.kind == "DynamoModel" && o.group() == "nvidia.com") {
        source(model, out);
        let Some(base) = model.node.at(&["spec", "baseModelName"]) else { continue };
        let Some(text) = base.as_text().filter(|t| !t.is_empty() && !t.contains(['$', '<', '{'])) else { continue };
        let graphs = super::near::recipe_directory(recipe, model.file, "DynamoGraphDeployment");
        let components = graphs.iter().filter_map(|o| o.graph()).flat_map(|g| &g.components);
        let names: Vec<&Node> = components.filter_map(|c| c.node.at(&["modelRef", "name"])).collect();
        let there = |n: &&Node| n.as_text().is_none_or(|t| t == text || t.contains(['$', '<', '{']));
        // No component has any: of those that serve the model one should.
        if names.is_empty() {
            let serving = graphs.iter().find(|graph| super::benchmark_model::served(graph, recipe, text));
            if let Some(graph) = serving {
                out.report(
                    base.span,
                    format!("no component of the recipe has `modelRef: {{name: {text}}}`"),
                    "the operator finds no worker to load the adapter on",
                )
                .subject("baseModelName")
                .label(graph.name_span, "serves the model")
                .help(format!("add `modelRef: {{name: {text}}}` to the worker"))
                .emit();
            }
            continue;
        }
        let Some(other) = names.first().filter(|_| !names.iter().any(there)) else { continue };
        out.report(
            base.span,
            format!("no component of the recipe has `modelRef: {{name: {text}}}`"),
            "the operator finds no worker to load the adapter on",
        )
        .subject("baseModelName")
        .label(other.span, "the base model that is served")
        .help(format!("write `{}`", other.as_text().unwrap_or_default()))
        .emit();
    }
}

/// Where an adapter comes from, in one of the ways that workers can fetch it (`ModelSource` of `nvidia.com_dynamomodels.yaml`).
fn source(model: &Object, out: &mut Findings) {
    let kind = model.node.at(&["spec", "modelType"]).filter(|kind| kind.as_text() == Some("lora"));
    let uri = model.node.at(&["spec", "source", "uri"]);
    match (uri.and_then(|uri| Some((uri, uri.as_text()?))), kind) {
        (Some((uri, text)), _)
            if !["s3://", "hf://", "file://"].iter().any(|scheme| text.starts_with(scheme))
                && !text.contains(['$', '<', '{']) =>
        {
            out.report(
                uri.span,
                format!("`{text}` is no place that adapters are fetched from"),
                "loading the adapter fails",
            )
            .subject("uri")
            .help("write `s3://bucket/path`, `hf://org/model` or `file:///path`")
            .emit();
        }
        (None, Some(kind)) if model.node.at(&["spec", "source"]).is_none_or(Node::is_null) => {
            out.report(
                kind.span,
                format!("the adapter `{}` has no `source`", model.name),
                "no worker knows what to load",
            )
            .subject("source")
            .help("add `source: {uri: hf://org/model}`")
            .emit();
        }
        _ => {}
    }
}

/// Addresses in variables that name a Service of the recipe, and a port that it has not.
fn service_ports(recipe: &Recipe, out: &mut Findings) {
    // Few recipes make any.
    if !recipe.around.any("Service") && recipe.of_kind("Service").next().is_none() {
        return;
    }
    for (owner, container) in workload::containers(recipe) {
        for (_, entry) in &container.env {
            let EnvSource::Value(Some(value)) = &entry.source else { continue };
            let text = value.as_text().filter(|t| t.contains(':')).and_then(|_| recipe.text(value));
            let Some(text) = text else { continue };
            let wrong = text.split(',').find_map(|address| {
                let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
                let (host, port) = rest.split('/').next()?.rsplit_once(':')?;
                let port: u64 = port.parse().ok()?;
                let name = host.split('.').next().filter(|name| !name.is_empty())?;
                let mut made = beside_recipe(recipe, value.span.file, "Service");
                made.extend(recipe.here.iter().filter(|o| o.kind == "Service"));
                made.retain(|o| o.name == name);
                // Behind a headless one any port of the pods is reached.
                let open = |o: &&Object| {
                    let field = |field: &str| o.node.at(&["spec", field]).and_then(Node::as_text);
                    let ports = offered(o);
                    field("clusterIP") == Some("None")
                        || field("type") == Some("ExternalName")
                        || ports.is_empty()
                        || ports.iter().any(|p| p.is_none_or(|p| p == port))
                };
                let first = made.first().copied()?;
                (!made.iter().any(open)).then(|| {
                    let at = rest.as_ptr() as usize - text.as_ptr() as usize;
                    (name, port, first, text.slice_span(at..at + rest.split('/').next().unwrap_or(rest).len()))
                })
            });
            let Some((name, port, service, at)) = wrong else { continue };
            let offered: Vec<String> = offered(service).iter().flatten().map(|p| format!("`{p}`")).collect();
            out.report(
                at,
                format!("the Service `{name}` has no port {port}, which `{}` of `{owner}` names", entry.name.value),
                "nothing answers there",
            )
            .subject(entry.name.value.clone())
            .label(service.name_span, "this Service")
            .help(format!("write {}", offered.join(" or ")))
            .emit();
        }
    }
}

/// The ports of a Service; none for one that cannot be read.
fn offered(service: &Object) -> Vec<Option<u64>> {
    let ports = service.node.at(&["spec", "ports"]).into_iter().flat_map(Node::items);
    ports.map(|p| p.get("port").and_then(Node::as_text)?.parse().ok()).collect()
}

/// Names that no object can have: nobody makes them elsewhere either.
fn impossible(recipe: &Recipe, all: &[Needed], out: &mut Findings) {
    let named = all.iter().map(|n| (n.kind, n.name.as_str(), n.at));
    let claims = claims(recipe);
    // A mount that stands for a claim is `mount-without-volume`'s.
    let claims = claims
        .iter()
        .filter(|c| possible(&c.name).is_some() && !is_implied(recipe, c))
        .map(|c| ("PersistentVolumeClaim", c.name.as_str(), c.places[0]));
    for (kind, name, at) in named.chain(claims) {
        // An object of that name is told where it is written.
        let Some(possible) = possible(name).filter(|_| recipe.find(kind, name).is_none()) else { continue };
        out.report(at, format!("no {kind} can be called `{name}`"), "the pod waits for an object that cannot be made")
            .subject(name.to_owned())
            .help(format!("write `{possible}`"))
            .fix(Applicability::Unsafe, at, possible)
            .emit();
    }
}

/// `reference-unmet`
pub fn reference_unmet(recipe: &Recipe, out: &mut Findings) {
    let Some(file) = recipe.here.first().map(|o| o.file) else { return };
    base_models(recipe, out);
    parents(recipe, out);
    service_ports(recipe, out);
    adapters(recipe, out);
    let all = needed(recipe);
    impossible(recipe, &all, out);
    for kind in ["ServiceAccount", "ResourceClaimTemplate", "Secret", "ConfigMap"] {
        if !all.iter().any(|n| n.kind == kind) {
            continue;
        }
        let mut made = beside_recipe(recipe, file, kind);
        made.extend(recipe.here.iter().filter(|o| o.kind == kind));
        let there = |name: &str| {
            made.iter().any(|o| o.name == name)
                || recipe.around.has(kind, name)
                || made_templates(recipe).any(|m| m == name)
        };
        for reference in all.iter().filter(|n| n.kind == kind && !there(&n.name) && possible(&n.name).is_none()) {
            // What others make is made elsewhere; an object of nearly that name that nobody uses was meant.
            let unused = |o: &&&Object| !all.iter().any(|n| n.kind == kind && n.name == o.name);
            let Some(meant) = made.iter().find(|o| unused(o) && alike(&o.name, &reference.name)) else { continue };
            out.report(
                reference.at,
                format!("no {kind} `{}` in this recipe", reference.name),
                format!("the recipe makes `{}`: the pod cannot be created", meant.name),
            )
            .subject(reference.name.clone())
            .label(meant.name_span, format!("the {kind} that is made"))
            .help(format!("write `{}`", meant.name))
            .fix(Applicability::Unsafe, reference.at, meant.name.clone())
            .emit();
        }
    }
}

/// What a scaler is told to scale: a graph itself, or a component by a name that no adapter has.
fn scale_target(recipe: &Recipe, object: &Object, out: &mut Findings) {
    if !matches!(object.kind.as_str(), "ScaledObject" | "HorizontalPodAutoscaler") {
        return;
    }
    let Some(target) = object.node.at(&["spec", "scaleTargetRef"]) else { return };
    let word = |key: &str| target.get(key).and_then(|n| Some((n, n.as_text()?)));
    let (Some((node, kind)), Some((named, name))) = (word("kind"), word("name")) else { return };
    let adapter = "`DynamoGraphDeploymentScalingAdapter`";
    if matches!(kind, "DynamoGraphDeployment" | "DynamoComponentDeployment") {
        let message = format!("a {kind} cannot be scaled from outside");
        out.report(node.span, message, "it has no `scale` of its own: nothing is scaled")
            .subject("scaleTargetRef")
            .help(format!("name the {adapter} of the component: `<graph>-<component>` in lower case"))
            .emit();
    }
    let version = word("apiVersion");
    let ours = version.is_some_and(|(_, text)| text.starts_with("nvidia.com/") || text.contains(['$', '<', '{']));
    if kind == "DynamoGraphDeploymentScalingAdapter" && !ours {
        let at = version.map_or(node.span, |(node, _)| node.span);
        out.report(at, "an adapter is looked for in another group", "nothing is scaled")
            .subject("scaleTargetRef")
            .help("write `apiVersion: nvidia.com/v1beta1`")
            .emit();
    }
    let graphs = super::in_front::graphs(recipe, object);
    let [graph] = graphs[..] else { return };
    let made = graph.graph().into_iter().flat_map(|g| &g.components);
    let made: Vec<String> = made.map(|c| format!("{}-{}", graph.name, c.name.value.to_ascii_lowercase())).collect();
    // Somebody else's graph has a name of its own.
    let ours = |m: &String| {
        m.eq_ignore_ascii_case(name) || m.strip_prefix(&*graph.name).is_some_and(|c| c[1..].eq_ignore_ascii_case(name))
    };
    let begins = name.strip_prefix(&*graph.name).is_some_and(|rest| rest.starts_with('-'));
    if kind != "DynamoGraphDeploymentScalingAdapter"
        || made.iter().any(|m| m == name)
        || name.contains(['$', '<', '{'])
        || recipe.around.has(kind, name)
        || recipe.find(kind, name).is_some()
        || !(begins || made.iter().any(ours))
    {
        return;
    }
    let near = made.iter().find(|m| ours(m)).or_else(|| made.iter().find(|m| typo(m, name)));
    let listed = made.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", ");
    out.report(named.span, format!("no component makes an adapter `{name}`"), "nothing is scaled")
        .subject("scaleTargetRef")
        // Somebody may have made one of that name by hand.
        .severity(if made.iter().any(ours) { Severity::Error } else { Severity::Warning })
        .label(graph.name_span, "this graph")
        .help(near.map_or_else(|| format!("write one of {listed}"), |near| format!("write `{near}`")))
        .emit();
}

/// Whether one name is a typo of the other, or the other with a word for its kind around it.
fn alike(a: &str, b: &str) -> bool {
    const WORDS: [&str; 12] = [
        "secret",
        "token",
        "sa",
        "serviceaccount",
        "account",
        "template",
        "templ",
        "claim",
        "rct",
        "config",
        "configmap",
        "cm",
    ];
    let core = |name: &str| name.split('-').filter(|w| !WORDS.contains(w)).collect::<Vec<_>>().join("-");
    let (x, y) = (core(a), core(b));
    a != b && ((!x.is_empty() && x == y) || typo(a, b))
}

/// `config-key-missing`
pub fn config_key_missing(recipe: &Recipe, out: &mut Findings) {
    token_keys(recipe, out);
    for (_, container) in workload::containers(recipe) {
        for (_, entry) in &container.env {
            let (kind, name, key, span) = match &entry.source {
                EnvSource::ConfigMap { name, key, span } => ("ConfigMap", name, key, span),
                EnvSource::Secret { name, key, span } => ("Secret", name, key, span),
                _ => continue,
            };
            let reference = if kind == "Secret" { "secretKeyRef" } else { "configMapKeyRef" };
            let optional = entry.node.at(&["valueFrom", reference, "optional"]).and_then(Node::as_bool);
            // Beside the file, where one object of that name is.
            let beside = || {
                let found = beside_recipe(recipe, entry.node.span.file, kind);
                let mut found = found.into_iter().filter(|o| o.name == *name);
                found.next().filter(|_| found.next().is_none())
            };
            let map = recipe.find(kind, name).or_else(beside);
            let Some(map) = map.filter(|_| optional != Some(true)) else { continue };
            // `binaryData` does not serve a variable.
            let data = ["data", "stringData"].into_iter().take(1 + usize::from(kind == "Secret"));
            let data = data.filter_map(|field| map.node.get(field)).flat_map(Node::entries);
            let keys: Vec<&str> = data.map(|e| &*e.key.name).collect();
            // A Secret may be filled by something else.
            if kind == "Secret" && keys.is_empty() {
                continue;
            }
            if keys.contains(&key.as_str()) || key.is_empty() || key.contains(['$', '{']) {
                continue;
            }
            let listed = match &keys[..] {
                [] => "nothing".to_owned(),
                keys => keys.iter().take(6).map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "),
            };
            let near = keys.iter().min_by_key(|k| strsim::osa_distance(k, key));
            out.report(
                *span,
                format!("{kind} `{name}` has no key `{key}`"),
                "the container cannot be created: CreateContainerConfigError",
            )
            .subject(entry.name.value.clone())
            .label(map.name_span, format!("it holds {listed}"))
            .help(match near.filter(|k| strsim::osa_distance(k, key) <= 3) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a key that is there, or add it".to_owned(),
            })
            .emit();
        }
    }
}

/// A Secret for the Hugging Face token whose keys, which become variables, are none that `huggingface_hub` reads.
fn token_keys(recipe: &Recipe, out: &mut Findings) {
    const READ: [&str; 3] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"];
    let mut told: Vec<&str> = Vec::new();
    for (_, container) in workload::containers(recipe) {
        for from in container.env_from.iter().filter(|from| from.secret && hub_token(&from.name.value)) {
            let beside = || {
                let found = beside_recipe(recipe, from.name.span.file, "Secret");
                let mut found = found.into_iter().filter(|o| o.name == from.name.value);
                found.next().filter(|_| found.next().is_none())
            };
            let Some(secret) = recipe.find("Secret", &from.name.value).or_else(beside) else { continue };
            let named = |name: &str| READ.iter().any(|read| name.eq_ignore_ascii_case(read));
            let keys = || ["data", "stringData"].iter().filter_map(|at| secret.node.get(at)).flat_map(Node::entries);
            let own = container.env.iter().any(|(_, entry)| named(&entry.name.value));
            // Read under its own name, or put together from parts that are not seen.
            let odd = |key: &str| named(&format!("{}{key}", from.prefix)) || key.contains(['$', '{', '<']);
            if own
                || told.contains(&secret.name.as_str())
                || keys().any(|e| odd(&e.key.name) || texts(container).any(|(text, _)| text.contains(&*e.key.name)))
            {
                continue;
            }
            let Some(first) = keys().next() else { continue };
            told.push(&secret.name);
            out.report(
                first.key.span,
                format!("no key of Secret `{}` is a token that anybody reads", secret.name),
                "keys become variables, and models are fetched with `HF_TOKEN`",
            )
            .subject(secret.name.clone())
            .severity(Severity::Warning)
            .confidence(Confidence::Likely)
            .label(from.name.span, "all keys are taken as variables here")
            .help("name the key `HF_TOKEN`")
            .emit();
        }
    }
}

/// Scaling adapters that name a component that the graph does not have, and scalers of an adapter that the operator does not make.
fn adapters(recipe: &Recipe, out: &mut Findings) {
    const ADAPTER: &str = "DynamoGraphDeploymentScalingAdapter";
    let known = |node: &Node| node.as_text().filter(|t| !t.contains(['$', '<', '{'])).map(str::to_owned);
    for object in &recipe.here {
        let reference = object.node.at(&["spec", "dgdRef"]).filter(|_| object.kind == ADAPTER);
        let named = reference.and_then(|r| r.get("serviceName").or_else(|| r.get("componentName")));
        if let Some((node, name)) = reference.and_then(|r| r.get("name")).and_then(|n| Some((n, known(n)?)))
            && let [graph] = super::in_front::graphs(recipe, object)[..]
            && graph.name != name
            && !recipe.around.has("DynamoGraphDeployment", &name)
            && (typo(&graph.name, &name) || graph.name.starts_with(&name))
        {
            out.report(node.span, format!("no graph of the recipe is called `{name}`"), "nothing is scaled")
                .subject("dgdRef")
                .label(graph.name_span, "the graph that is made")
                .help(format!("write `{}`", graph.name))
                .emit();
        }
        let target = object.node.at(&["spec", "scaleTargetRef"]);
        let target =
            target.filter(|t| t.get("kind").and_then(Node::as_text) == Some(ADAPTER)).and_then(|t| t.get("name"));
        scale_target(recipe, object, out);
        if named.is_none() && target.is_none() {
            continue;
        }
        for (of, graph) in super::in_front::graphs(recipe, object).into_iter().filter_map(|o| Some((o, o.graph()?))) {
            let to_it = || reference.and_then(|r| r.get("name")?.as_text()) == Some(&of.name);
            if let Some((node, name)) = named.filter(|_| to_it()).and_then(|n| Some((n, known(n)?)))
                && !graph.components.iter().any(|c| c.name.value == name)
            {
                out.report(node.span, format!("graph `{}` has no component `{name}`", of.name), "nothing is scaled")
                    .subject("dgdRef")
                    .label(of.name_span, "this graph")
                    .help("write the name of a component as the graph has it")
                    .emit();
            }
            // In v1alpha1 releases differ on what an adapter takes.
            let Some((node, name)) = target.and_then(|n| Some((n, known(n)?))) else { continue };
            let made =
                |c: &crate::manifest::Component| name == format!("{}-{}", of.name, c.name.value.to_ascii_lowercase());
            if let Some(component) = graph.components.iter().find(|c| made(c))
                && graph.api_version == crate::manifest::ApiVersion::V1Beta1
                && component.node.get("scalingAdapter").is_none()
                && !recipe.around.has(ADAPTER, &name)
            {
                out.report(node.span, format!("the operator makes no adapter `{name}`"), "nothing is scaled")
                    .subject("scaleTargetRef")
                    .label(component.name.span, "asks for none")
                    .help("add `scalingAdapter: {}` to the component")
                    .emit();
            }
        }
    }
}
