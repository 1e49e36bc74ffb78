//! Objects as the API server and the operator will read them.

use crate::finding::{Applicability, Edit, Severity};
use crate::manifest::{ApiVersion, ComponentType, EnvEntry, EnvSource, Graph, GraphKind};
use crate::resolve::{Deployment, Layer, Recipe};
use crate::rules::Findings;
use crate::rules::mend::moved_to;
use crate::rules::workload;
use crate::source::Span;
use crate::yaml::Node;
use crate::yaml::edit::replace;

/// `api-version-shape`
pub fn api_version_shape(deployment: &Deployment, out: &mut Findings) {
    let graph = &deployment.graph;
    if graph.kind != GraphKind::Deployment || graph.shape == graph.api_version {
        return;
    }
    let spec = graph.object.node.get("spec");
    let (key, right) = match graph.shape {
        ApiVersion::V1Alpha1 => ("services", "components"),
        ApiVersion::V1Beta1 => ("components", "services"),
    };
    let Some(entry) = spec.and_then(|s| s.entry(key)) else { return };
    out.report(
        entry.key.span,
        format!("`{}` has no `spec.{key}`", graph.api_version.as_str()),
        format!("the API server drops it: this is the shape of `{}`", graph.shape.as_str()),
    )
    .subject(key)
    .label_opt(graph.object.node.get("apiVersion").map(|n| n.span), "the version it is read as")
    .help(format!("write `apiVersion: {}`, or `spec.{right}`", graph.shape.as_str()))
    .emit();
}

/// `lpx` came with operators newer than the schemas.
pub(super) const TYPES: [&str; 7] = ["frontend", "worker", "prefill", "decode", "planner", "epp", "lpx"];

/// `component-type-invalid`
pub fn component_type_invalid(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        sub_type(deployment, service, out);
        let ComponentType::Other(written) = &service.component.component_type else { continue };
        // To be filled in before it is applied.
        if written.contains(['$', '<', '{']) || TYPES.contains(&written.as_str()) {
            continue;
        }
        // `default` asks for no defaults, which fits a router; `main` was a type of operators before 0.6.
        let bare = written == "default" && suggest(service).is_none();
        if bare || (written == "main" && service.below(0, 6)) {
            continue;
        }
        let lower = written.to_ascii_lowercase();
        let meant = TYPES.iter().find(|t| **t == lower).copied().or_else(|| suggest(service));
        let beta = deployment.graph.shape == ApiVersion::V1Beta1;
        let label = if beta {
            "not one of the enum: the API server refuses it".to_owned()
        } else {
            "the operator gives it none of the defaults of a frontend or worker: no ports, probes, DYN_* variables"
                .to_owned()
        };
        let mut report = out
            .report(
                service.component.type_span.unwrap_or(service.span),
                format!("`{written}` is no component type"),
                label,
            )
            .service(service)
            .subject("componentType");
        if beta {
            report = report.severity(crate::finding::Severity::Error);
        }
        let edit = meant.zip(service.component.type_span).map(|(meant, span)| Edit { span, text: meant.to_owned() });
        let known = "`frontend`, `worker`, `prefill`, `decode`, `planner`, `epp`";
        report
            .help(match meant {
                Some(meant) => format!("write `{meant}`; the operator knows {known}"),
                None => format!("write one of {known}"),
            })
            .fix_edits(Applicability::Unsafe, edit.into_iter().collect())
            .emit();
    }
}

/// `component-type-missing`
pub fn component_type_missing(deployment: &Deployment, out: &mut Findings) {
    let alpha = deployment.graph.shape == ApiVersion::V1Alpha1;
    let field = if alpha { "componentType" } else { "type" };
    let untyped = |s: &&crate::resolve::Service| {
        s.component.component_type == ComponentType::Unset && deployment.graph.kind == GraphKind::Deployment
    };
    for service in deployment.services.iter().filter(untyped) {
        let Some(process) = service.process.as_ref().filter(|p| !p.implied) else { continue };
        let (why, help) = match process.module.value.as_str() {
            // The planner scales with the rights of an account that the operator gives to its type alone.
            "dynamo.planner" | "dynamo.global_planner" => (
                "the operator gives it no service account of a planner: it may scale nothing",
                format!("add `{field}: planner`"),
            ),
            _ if service.role.is_worker() && service.framework.is_some() => (
                "the operator gives it none of the defaults of a worker: no ports, probes, DYN_* variables",
                format!("add `{field}: worker`, or the role of its own (`prefill`, `decode`)"),
            ),
            _ => continue,
        };
        out.report(
            service.component.name.span,
            format!("`{}` runs `{}` and has no component type", service.name, process.module.value),
            why,
        )
        .service(service)
        .subject(field)
        .label(process.module.span, "what is started")
        .help(help)
        .emit();
    }
}

/// A sub type that is nearly a role: to the operator the component is a plain worker.
fn sub_type(deployment: &Deployment, service: &crate::resolve::Service, out: &mut Findings) {
    let alpha = deployment.graph.shape == ApiVersion::V1Alpha1;
    let sub = service.component.node.get("subComponentType").filter(|_| alpha);
    let Some((sub, text)) = sub.and_then(|n| Some((n, n.as_text()?))) else { return };
    let lower = text.to_ascii_lowercase();
    let near = |role: &&str| *role != text && strsim::osa_distance(role, &lower) <= 2;
    let Some(meant) = ["prefill", "decode"].into_iter().find(near) else { return };
    out.report(
        sub.span,
        format!("`{text}` is no role of a worker"),
        "the operator takes it for a plain worker: planner and router do not see the role",
    )
    .service(service)
    .subject("subComponentType")
    .help(format!("write `{meant}`"))
    .fix(Applicability::Unsafe, sub.span, meant)
    .emit();
}

/// The type of a component by what it runs.
fn suggest(service: &crate::resolve::Service) -> Option<&'static str> {
    use crate::resolve::Role;
    Some(match service.role {
        Role::Frontend => "frontend",
        Role::Prefill | Role::Decode | Role::Aggregated | Role::Encode => "worker",
        Role::Planner => "planner",
        Role::Epp => "epp",
        // A frontend that leaves its command to the operator is known by its name only.
        Role::Other if service.process.is_none() && service.name.eq_ignore_ascii_case("frontend") => "frontend",
        Role::Router | Role::Other => return None,
    })
}

/// Annotations that the operator reads; as labels they do nothing.
const ANNOTATIONS: [&str; 10] = [
    "nvidia.com/enable-grove",
    "nvidia.com/dynamo-discovery-backend",
    "nvidia.com/dynamo-kube-discovery-mode",
    "nvidia.com/vllm-distributed-executor-backend",
    "nvidia.com/disable-image-pull-secret-discovery",
    "nvidia.com/grove-update-strategy",
    "nvidia.com/enable-metrics",
    "dynamo.nvidia.com/gpu-power-limit",
    "nvidia.com/kai-scheduler-queue",
    "nvidia.com/volcano-queue",
];

/// `annotation-as-label`
pub fn annotation_as_label(deployment: &Deployment, out: &mut Findings) {
    let root = &deployment.graph.object.node;
    let all = |kind: &'static str| {
        let pods = deployment.graph.components.iter().flat_map(move |c| {
            [&["podTemplate", "metadata", kind][..], &["extraPodMetadata", kind], &[kind]].map(|path| c.node.at(path))
        });
        let own = [&["metadata", kind][..], &["spec", kind]].map(|path| root.at(path));
        own.into_iter().chain(pods).flatten().flat_map(Node::entries)
    };
    let strange = |name: &str| name.contains("nvidia.com/") && !ANNOTATIONS.contains(&name);
    for entry in all("annotations").filter(|e| strange(&e.key.name)) {
        let written = &*entry.key.name;
        let near =
            |known: &&&str| known.len().abs_diff(written.len()) <= 2 && strsim::osa_distance(known, written) <= 2;
        if let Some(meant) = ANNOTATIONS.iter().find(near) {
            out.report(entry.key.span, format!("the operator reads no annotation `{written}`"), "does nothing")
                .subject(written)
                .help(format!("did you mean `{meant}`?"))
                .emit();
        }
    }
    for entry in all("labels") {
        if !ANNOTATIONS.contains(&&*entry.key.name) {
            continue;
        }
        out.report(
            entry.key.span,
            format!("`{}` is an annotation, not a label", entry.key.name),
            "the operator reads it from `annotations` only",
        )
        .subject(entry.key.name.to_string())
        .help("move it to `metadata.annotations`")
        .mend(Applicability::Unsafe, annotated(deployment, entry.key.span, &entry.key.name))
        .emit();
    }
}

/// A label of the graph as its annotation.
fn annotated(deployment: &Deployment, at: Span, name: &str) -> Option<Vec<Edit>> {
    let metadata = deployment.graph.object.node.get("metadata")?;
    let own = metadata.get("labels")?.entry(name).is_some_and(|entry| entry.key.span == at);
    own.then(|| moved_to(metadata, "labels", "annotations", name, &deployment.recipe.sources.get(at.file)))?
}

/// `annotation-not-propagated`
pub fn annotation_not_propagated(deployment: &Deployment, out: &mut Findings) {
    if deployment.graph.shape != ApiVersion::V1Alpha1 {
        return;
    }
    for service in &deployment.services {
        for entry in service.component.node.get("annotations").into_iter().flat_map(Node::entries) {
            // Only those that are read from the pod or the graph.
            if !ANNOTATIONS[1..4].contains(&&*entry.key.name) {
                continue;
            }
            out.report(
                entry.key.span,
                format!("`{}` is not read from the annotations of a service", entry.key.name),
                "these stay with child resources and never reach the pod template",
            )
            .service(service)
            .subject(entry.key.name.to_string())
            .help("move it to `extraPodMetadata.annotations`, or to `metadata.annotations` of the graph")
            .emit();
        }
    }
}

/// `envfrom-replaced`
pub fn envfrom_replaced(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for lost in &service.component.main.lost_env_from {
            if service.component.main.env_from.iter().any(|kept| kept.name.value == lost.name.value) {
                continue;
            }
            out.report(
                lost.name.span,
                format!("`envFromSecret` of `{}` is lost", service.name),
                "replaced by `mainContainer.envFrom`: the two are not merged",
            )
            .service(service)
            .subject("envFromSecret")
            .label_opt(service.component.main.env_from.first().map(|e| e.name.span), "this list is used instead")
            .help(format!("add `secretRef: {{name: {}}}` to `mainContainer.envFrom`", lost.name.value))
            .emit();
        }
    }
}

/// `operator-forced-env`
pub fn operator_forced_env(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for var in &service.env.vars {
            if var.winner().layer != Layer::OperatorForced {
                continue;
            }
            let Some((own, span)) = var
                .chain
                .iter()
                .skip(1)
                .find_map(|s| Some((s, s.name_span.or(s.span)?)))
                .filter(|(own, _)| own.layer < Layer::OperatorForced)
            else {
                continue;
            };
            // The same value in other words does no harm.
            let known = |s: &crate::resolve::Setting| s.value.known().map(|t| t.as_str().to_owned());
            if known(own).is_some() && known(own) == known(var.winner()) {
                continue;
            }
            let dynamic = |s: &crate::resolve::Setting| match &s.value {
                crate::source::Fact::Dynamic(reason) => Some(reason.clone()),
                _ => None,
            };
            if dynamic(own).is_some() && dynamic(own) == dynamic(var.winner()) {
                continue;
            }
            out.report(
                span,
                format!("the operator sets `{}` itself", var.name),
                "without effect: the operator's value wins",
            )
            .service(service)
            .subject(var.name.clone())
            .help(format!("remove `{}`", var.name))
            .emit();
        }
    }
}

/// `shared-memory-shrinks`
pub fn shared_memory_shrinks(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let component = &service.component;
        if component.shared_memory.is_some() || component.main.image.is_none() {
            continue;
        }
        let Some(mount) = component
            .main
            .mounts
            .iter()
            .find(|m| m.path.as_ref().is_some_and(|p| p.value.trim_end_matches('/') == "/dev/shm"))
        else {
            continue;
        };
        let volume = component.volumes.iter().find(|v| v.name.value == mount.name.value);
        let limit = volume.and_then(|v| v.node.at(&["emptyDir", "sizeLimit"]));
        // 8Gi or less loses nothing.
        if limit
            .and_then(Node::as_text)
            .and_then(crate::manifest::quantity::parse)
            .is_some_and(|bytes| bytes <= 8.0 * 1024.0 * 1024.0 * 1024.0)
        {
            continue;
        }
        let size = limit.and_then(Node::as_text).unwrap_or("unlimited");
        let field = match deployment.graph.shape {
            ApiVersion::V1Alpha1 => {
                format!("sharedMemory: {{size: {}}}", if limit.is_some() { size } else { "<size>" })
            }
            ApiVersion::V1Beta1 => format!("sharedMemorySize: {}", if limit.is_some() { size } else { "<size>" }),
        };
        out.report(
            mount.path.as_ref().map_or(mount.name.span, |p| p.span),
            format!("`/dev/shm` of `{}` will be 8Gi, not {size}", service.name),
            "the operator removes this mount and puts its own of 8Gi there",
        )
        .service(service)
        .subject("sharedMemorySize")
        .label_opt(limit.map(|n| n.span).or(volume.map(|v| v.name.span)), "this volume stays unmounted")
        .help(format!("write `{field}` on the component; the volume and mount can go"))
        .emit();
    }
}

/// `dynamo-namespace-differs`
pub fn dynamo_namespace_differs(recipe: &Recipe, out: &mut Findings) {
    for object in recipe.here.iter().filter(|o| o.kind == "DynamoGraphDeployment") {
        if let Some(graph) = object.graph() {
            told_elsewhere(recipe, graph, out);
        }
        let names: Vec<(&str, &Node)> = object
            .node
            .at(&["spec", "services"])
            .into_iter()
            .flat_map(Node::entries)
            .filter_map(|e| Some((&*e.key.name, e.value.get("dynamoNamespace")?)))
            .filter(|(_, n)| n.as_text().is_some_and(|t| !t.is_empty()))
            .collect();
        let count = |text: Option<&str>| names.iter().filter(|(_, n)| n.as_text() == text).count();
        let Some((_, common)) = names.iter().max_by_key(|(_, n)| count(n.as_text())) else { continue };
        for (service, node) in names.iter().filter(|(_, n)| n.as_text() != common.as_text()) {
            // Two services, two names: no telling which one is right.
            let tie = count(node.as_text()) == count(common.as_text());
            let wanted = common.as_text().filter(|_| !tie);
            let edit = wanted.and_then(|text| replace(node, &recipe.sources.get(node.span.file), text));
            out.report(
                node.span,
                format!("`{service}` is in another Dynamo namespace than its graph"),
                if tie {
                    "the services name different namespaces".to_owned()
                } else {
                    format!("the others say `{}`", common.as_text().unwrap_or_default())
                },
            )
            .subject(*service)
            .label(common.span, "differs from this one")
            .help("drop `dynamoNamespace`: current operators ignore it, with older ones these services never meet")
            .fix_edits(Applicability::Unsafe, edit.into_iter().collect())
            .emit();
        }
    }
}

/// A worker that is told a namespace of its own, while the operator tells the frontend where to look:
/// `DYN_NAMESPACE_PREFIX` is `{namespace}-{graph}` there, and beats what else it is told.
fn told_elsewhere(recipe: &Recipe, graph: &Graph, out: &mut Findings) {
    let own = graph.object.name.replace('.', "-");
    let value = |entry: &EnvEntry, name: &str| match &entry.source {
        EnvSource::Value(Some(node)) if entry.name.value == name => Some(node.clone()),
        _ => None,
    };
    let mut frontends = graph.components.iter().filter(|c| c.component_type == ComponentType::Frontend);
    // Operators that know v1beta1 give the prefix, which beats the option (`lib/llm/src/namespace.rs:27-33`).
    let beaten =
        |text: &str| graph.shape == ApiVersion::V1Beta1 && (text == "--namespace" || text.starts_with("--namespace="));
    let by_itself = frontends.clone().any(|c| {
        let mut words = workload::words(&c.main).filter_map(Node::as_text);
        c.main.env.iter().any(|(_, e)| e.name.value.starts_with("DYN_NAMESPACE"))
            || words.any(|t| t.contains("DYN_NAMESPACE") || t.contains("--namespace") && !beaten(t))
    });
    let global = graph.components.iter().any(|c| c.global_namespace);
    let prefixed = graph.env.iter().any(|e| e.name.value == "DYN_NAMESPACE_PREFIX");
    if frontends.next().is_none() || by_itself || global || prefixed || own.is_empty() || own.contains(['$', '<', '{'])
    {
        return;
    }
    let foreign = |text: &str| !text.is_empty() && !text.contains(['$', '<', '{']) && !text.ends_with(&own);
    for frontend in graph.components.iter().filter(|c| c.component_type == ComponentType::Frontend) {
        let words: Vec<&Node> = workload::words(&frontend.main).collect();
        let Some(at) = words.iter().position(|w| w.as_text().is_some_and(beaten)) else { continue };
        let option = words[at];
        let value = option.as_text().and_then(|t| t.strip_prefix("--namespace="));
        // What says the same again does no harm.
        if !value.or_else(|| words.get(at + 1)?.as_text()).is_some_and(foreign) {
            continue;
        }
        out.report(
            option.span,
            format!("`--namespace` of `{}` has no effect", frontend.name.value),
            format!("the operator has the frontend look in `…-{own}`, by `DYN_NAMESPACE_PREFIX`, which goes first"),
        )
        .subject("--namespace")
        .severity(Severity::Advice)
        .help("drop it: the operator gives all components of a graph one namespace")
        .emit();
    }
    let mut tell = |at: Span, name: &str, text: &str, who: &str| {
        out.report(
            at,
            format!("{who} registers in the Dynamo namespace `{text}`, where the frontend does not look"),
            format!("the operator has the frontend look in `…-{own}`"),
        )
        .subject(name)
        .help(format!("remove `{name}`: the operator gives all components of a graph one namespace"))
        .emit();
    };
    if let Some(node) =
        graph.env.iter().find_map(|e| value(e, "DYN_NAMESPACE")).filter(|n| n.as_text().is_some_and(foreign))
    {
        tell(node.span, "DYN_NAMESPACE", node.as_text().unwrap_or_default(), "every worker");
    }
    let works = |t: &ComponentType| matches!(t, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode);
    for component in graph.components.iter().filter(|c| works(&c.component_type)) {
        let who = format!("`{}`", component.name.value);
        let set = component.main.env.iter().rev().find_map(|(_, e)| value(e, "DYN_NAMESPACE"));
        if let Some(node) = set.filter(|n| n.as_text().is_some_and(foreign)) {
            tell(node.span, "DYN_NAMESPACE", node.as_text().unwrap_or_default(), &who);
        }
        for word in workload::words(&component.main) {
            let exported = |text: &str| text.find("export DYN_NAMESPACE=").map(|at| at + "export DYN_NAMESPACE=".len());
            let Some(from) = word.as_text().and_then(exported) else { continue };
            let Some(script) = recipe.text(word) else { continue };
            let Some(from) = exported(&script).filter(|at| *at == from) else { continue };
            let rest = script[from..].trim_start_matches(['"', '\'']);
            let name = rest.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '&')).next();
            if let Some(name) = name.filter(|name| foreign(name)) {
                let from = script.len() - rest.len();
                tell(script.slice_span(from..from + name.len()), "DYN_NAMESPACE", name, &who);
            }
        }
        // `dyn://namespace.component.endpoint`
        let place = component.main.env.iter().rev().find_map(|(_, e)| value(e, "DYN_ENDPOINT"));
        if let Some(node) = place {
            let text = node.as_text().unwrap_or_default().trim_start_matches("dyn://");
            if let Some((name, _)) = text.split_once('.').filter(|(name, _)| foreign(name)) {
                tell(node.span, "DYN_ENDPOINT", name, &who);
            }
        }
        for word in workload::words(&component.main) {
            // Every way to write it names the scheme.
            let Some(text) = word.as_text().filter(|text| text.contains("dyn://")) else { continue };
            let Some((_, rest)) = text.split_once("--endpoint").map_or_else(
                || text.strip_prefix("dyn://").map(|r| ("", r)),
                |(a, r)| Some((a, r.trim_start_matches([' ', '=']).strip_prefix("dyn://")?)),
            ) else {
                continue;
            };
            let name = rest.split('.').next().unwrap_or_default();
            if foreign(name) {
                tell(word.span, "--endpoint", name, &who);
            }
        }
    }
}

/// `namespace-differs`
pub fn namespace_differs(recipe: &Recipe, out: &mut Findings) {
    // What lies in one file and is meant to work together.
    const KINDS: [&str; 8] = [
        "DynamoGraphDeployment",
        "DynamoComponentDeployment",
        "ConfigMap",
        "Secret",
        "PersistentVolumeClaim",
        "ResourceClaimTemplate",
        "ComputeDomain",
        "Job",
    ];
    let named: Vec<(&crate::manifest::Object, &Node)> = recipe
        .here
        .iter()
        .filter(|o| KINDS.contains(&o.kind.as_str()))
        .filter_map(|o| Some((o, o.node.at(&["metadata", "namespace"])?)))
        .filter(|(_, n)| n.as_text().is_some_and(|t| !t.is_empty() && !t.contains(['$', '<', '{'])))
        .collect();
    let Some((graph, home)) = named.iter().find(|(o, _)| o.kind == "DynamoGraphDeployment") else { return };
    if named.iter().filter(|(o, _)| o.kind == "DynamoGraphDeployment").any(|(_, n)| n.as_text() != home.as_text()) {
        return;
    }
    for (object, node) in named.iter().filter(|(_, n)| n.as_text() != home.as_text()) {
        // A Job reaches a graph in another namespace by its full host name.
        if object.kind == "Job" {
            continue;
        }
        out.report(
            node.span,
            format!("{} `{}` lies in another namespace than graph `{}`", object.kind, object.name, graph.name),
            "pods see only objects of their own namespace",
        )
        .subject(object.name.clone())
        .label(home.span, "the graph's namespace")
        .help(format!("write `namespace: {}`", home.as_text().unwrap_or_default()))
        .emit();
    }
}
