//! What the operator's webhook refuses, beyond what the schema says.

use crate::manifest::{ApiVersion, ComponentType, GraphKind};
use crate::resolve::{Deployment, Service};
use crate::rules::{Findings, workload};

/// `frontend-sidecar-unknown`
pub fn frontend_sidecar_unknown(deployment: &Deployment, out: &mut Findings) {
    if deployment.graph.kind == GraphKind::RequestOverride {
        return;
    }
    for service in &deployment.services {
        let component = &service.component;
        unnamed_sidecar(deployment, service, out);
        // In v1alpha1 the operator makes the container itself.
        let Some(named) = component.frontend_sidecar.as_ref().filter(|_| component.node.get("podTemplate").is_some())
        else {
            continue;
        };
        if component.sidecars.iter().any(|container| container.name == named.value) {
            continue;
        }
        let names: Vec<String> = component.sidecars.iter().map(|c| format!("`{}`", c.name)).collect();
        let has = match names.as_slice() {
            [] => "it has none besides `main`".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        out.report(
            named.span,
            format!("`{}` has no container `{}` for a frontend sidecar", service.name, named.value),
            "the operator's webhook refuses the deployment",
        )
        .service(service)
        .subject("frontendSidecar")
        .help(format!("name a container of this pod template; {has}"))
        .emit();
    }
}

/// A frontend beside the worker of a graph with an endpoint picker that the operator is not told of: it gets no variables.
fn unnamed_sidecar(deployment: &Deployment, service: &Service, out: &mut Findings) {
    let component = &service.component;
    let picker = deployment.services.iter().any(|s| s.is_type(&ComponentType::Epp));
    let named = deployment.graph.shape == ApiVersion::V1Alpha1 || component.frontend_sidecar.is_some();
    if !picker || !service.role.is_worker() || named {
        return;
    }
    // Who knows what it needs says it.
    let told = |container: &&crate::manifest::Container| {
        container.env.iter().any(|(_, entry)| entry.name.value.starts_with("DYN_"))
    };
    let Some(container) = component.sidecars.iter().find(|c| workload::names_module(c, "dynamo.frontend") && !told(c))
    else {
        return;
    };
    let at = container.node.as_ref().and_then(|n| n.get("name")).map_or(component.name.span, |node| node.span);
    out.report(
        at,
        format!("`{}` has a frontend beside it that the operator is not told of", service.name),
        "without variables and ports of its own: the gateway finds nobody",
    )
    .service(service)
    .subject("frontendSidecar")
    .severity(crate::finding::Severity::Warning)
    .help(format!("add `frontendSidecar: {}`", container.name))
    .emit();
}

/// `epp-refused`
pub fn epp_refused(deployment: &Deployment, out: &mut Findings) {
    if deployment.graph.kind != GraphKind::Deployment {
        return;
    }
    for service in deployment.services.iter().filter(|s| s.is_type(&ComponentType::Epp)) {
        let component = &service.component;
        // From 1.5 on the picker is another program, which has replicas and no such configuration; who has one keeps the
        // older program's contract (`webhook/validation/shared.go`, `eppRuntimeCompatibilityError`).
        let native = service.at_least(1, 5);
        let older = component.epp_config.is_some() || service.below(1, 5);
        if let Some(replicas) = component.replicas.as_ref().filter(|_| older)
            && replicas.value.as_int().is_some_and(|n| n != 1)
        {
            out.report(
                replicas.value.span,
                format!("the endpoint picker `{}` is to have more or less than one replica", service.name),
                "the operator's webhook refuses the deployment",
            )
            .service(service)
            .subject("replicas")
            .help("write `replicas: 1`")
            .emit();
        }
        if let Some(nodes) = &component.node_count {
            out.report(
                nodes.span,
                format!("the endpoint picker `{}` is to span nodes", service.name),
                "the operator's webhook refuses the deployment",
            )
            .service(service)
            .subject("multinode")
            .help("remove `multinode`: an endpoint picker is one process")
            .emit();
        }
        let wrong = match &component.epp_config {
            Some(config) if native => {
                Some((config.span, "an", "remove it: the picker of Dynamo 1.5 and later takes none"))
            }
            None if service.below(1, 5) => Some((
                component.type_span.unwrap_or(service.span),
                "no",
                "add `eppConfig` with `config` (the plugins, written here) or `configMapRef`",
            )),
            _ => None,
        };
        if let Some((at, has, help)) = wrong {
            out.report(
                at,
                format!("the endpoint picker `{}` has {has} `eppConfig`", service.name),
                "the operator's webhook refuses the deployment",
            )
            .service(service)
            .subject("eppConfig")
            .help(help)
            .emit();
        }
    }
}

/// What Grove has room for in the names that a pod's name is made of, and the least of it that a graph's own name gets.
const ROOM: usize = 45;
const LEAST: usize = 8;

/// `name-too-long`
pub fn name_too_long(deployment: &Deployment, out: &mut Findings) {
    let object = &deployment.graph.object;
    let without = object.node.at(&["metadata", "annotations", "nvidia.com/enable-grove"]);
    let plain = |name: &str| !name.is_empty() && !name.contains(['$', '{', '<']);
    if deployment.graph.kind != GraphKind::Deployment
        || !deployment.options.cluster.grove
        || !plain(&object.name)
        || without.and_then(crate::yaml::Node::as_text).is_some_and(|v| v.eq_ignore_ascii_case("false"))
    {
        return;
    }
    for service in deployment.services.iter().filter(|s| plain(&s.name)) {
        // An engine of several nodes stands in the name twice, the second time with `-ldr` or `-wkr`.
        let length = service.name.len();
        let taken = if service.nodes > 1 { 2 * length + 4 } else { length };
        // The operator cuts the graph's name down to what is left, and to no less than eight.
        let all = taken + object.name.len().min(ROOM.saturating_sub(taken).max(LEAST));
        if all <= ROOM {
            continue;
        }
        let most = if service.nodes > 1 { (ROOM - LEAST - 4) / 2 } else { ROOM - LEAST };
        out.report(
            service.component.name.span,
            format!("the name `{}` is too long for a pod of Grove", service.name),
            format!("{all} characters go into the pod's name, and Grove refuses more than {ROOM}"),
        )
        .service(service)
        .subject("name")
        .help(format!("take a name of at most {most} characters"))
        .emit();
    }
}
