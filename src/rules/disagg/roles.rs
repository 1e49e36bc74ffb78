//! Which worker declares which role, and whether the roles of a graph fit together.

use super::facts::{all_roles_known, home, legacy_role_flag, place, served_name, stands_alone};
use crate::finding::Severity;
use crate::manifest::ComponentType;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::Span;

/// What a user writes so that a worker takes a role.
fn role_flag(service: &Service, peer: Option<&Service>, role: Role) -> String {
    let legacy = peer.is_some_and(|p| legacy_role_flag(p).is_some()) || service.below(1, 0);
    match service.framework {
        Some(Framework::Vllm | Framework::Mocker) if legacy => format!("--is-{}-worker", role.as_str()),
        _ => format!("--disaggregation-mode {}", role.as_str()),
    }
}

/// Whether a release tells decode workers from aggregated ones at all: `dynamo.vllm` learnt to in 0.7.
fn tells_decode(service: &Service) -> bool {
    !(service.below(0, 7) && matches!(service.framework, Some(Framework::Vllm | Framework::Mocker)))
}

/// A worker that runs aggregated because nothing on its command line, in its config or environment says otherwise.
fn undeclared(service: &Service) -> bool {
    service.role == Role::Aggregated && service.role_known && service.role_span.is_none() && service.process.is_some()
}

/// The role that is missing in a graph where one half of a pair is declared and the other is not.
fn half_declared(deployment: &Deployment) -> Option<(&Service, Role)> {
    let prefill = deployment.role(Role::Prefill).find(|s| s.role_known);
    let decode = deployment.role(Role::Decode).find(|s| s.role_known);
    match (prefill, decode) {
        (Some(prefill), None) => Some((prefill, Role::Decode)),
        (None, Some(decode)) => Some((decode, Role::Prefill)),
        _ => None,
    }
}

/// From 1.3 on the model is never ready; before, the forgotten half served as the other one. Where no release is told,
/// the old way to say the role (`--is-prefill-worker`, without a word on the decode side) means an old one.
fn severity(service: &Service, declared: &Service) -> Severity {
    let old_way = declared.flag(&["--is-prefill-worker", "--is-decode-worker"]).is_some();
    match service.version() {
        Some(_) if service.at_least(1, 3) => Severity::Error,
        None if !old_way => Severity::Warning,
        _ => Severity::Advice,
    }
}

/// `disagg-role-undeclared`
pub fn disagg_role_undeclared(deployment: &Deployment, out: &mut Findings) {
    if let Some((declared, missing)) = half_declared(deployment) {
        for service in deployment.workers().filter(|s| s.framework == declared.framework) {
            if !service.role_known && service.role == Role::Aggregated {
                out.undecided(service, place(service), crate::source::Reason::Image);
                continue;
            }
            let typed = service.component.component_type == component_type(missing);
            // A decode worker next to an aggregated one for another model is nobody's forgotten half.
            let other_model = matches!((served_name(service), served_name(declared)), (Some(a), Some(b)) if a != b);
            if !undeclared(service)
                || (missing == Role::Prefill && !typed)
                || (missing == Role::Decode && !tells_decode(service))
                || (other_model && !typed)
            {
                continue;
            }
            let flag = role_flag(service, Some(declared), missing);
            let ready = if service.below(1, 3) {
                "it registers as an aggregated worker".to_owned()
            } else {
                format!(
                    "from Dynamo 1.3 on the model is never ready: the {} worker waits for a {} one",
                    declared.role.as_str(),
                    missing.as_str()
                )
            };
            out.report(
                beside(service, declared).unwrap_or_else(|| home(service)),
                format!(
                    "`{}` runs aggregated beside the {} worker `{}`",
                    service.name,
                    declared.role.as_str(),
                    declared.name
                ),
                format!("no `{flag}`: {ready}"),
            )
            .service(service)
            .subject("--disaggregation-mode")
            .severity(severity(service, declared))
            .label_opt(declared.role_span, format!("the {} role is declared here", declared.role.as_str()))
            .label_opt(
                service.component.type_span.filter(|_| typed),
                "the operator's type does not set the role of the process",
            )
            .help(format!("add `{flag}` to the command line of `{}`", service.name))
            .emit();
        }
        return;
    }
    neither_declared(deployment, out);
}

/// Where a worker would have the option that says its role: behind the one that it follows on the other's command line.
fn beside(service: &Service, declared: &Service) -> Option<Span> {
    let flags = &declared.args()?.flags;
    let at = flags.iter().position(|f| f.name == "--disaggregation-mode" || f.name.starts_with("--is-"))?;
    let ahead = flags[..at].iter().rev().find_map(|f| service.flag(&[&f.name]))?;
    Some(ahead.full_span())
}

/// Prefill and decode by the operator's type, aggregated by command line: the graph serves, but nothing is split.
fn neither_declared(deployment: &Deployment, out: &mut Findings) {
    // In v1alpha1 the name alone may tell what is meant.
    let of = |kind: ComponentType, word: &str| {
        let named = |s: &Service| {
            let name = s.name.to_ascii_lowercase();
            let one = name.contains("prefill") != name.contains("decode");
            s.component.component_type == ComponentType::Worker && one && name.contains(word)
        };
        let meant = move |s: &&Service| (s.component.component_type == kind || named(s)) && undeclared(s);
        deployment.services.iter().find(meant)
    };
    let halves = (of(ComponentType::Prefill, "prefill"), of(ComponentType::Decode, "decode"));
    let (Some(prefill), Some(decode)) = halves else { return };
    if prefill.framework != decode.framework {
        return;
    }
    for (service, role) in [(prefill, Role::Prefill), (decode, Role::Decode)] {
        let flag = role_flag(service, None, role);
        let typed = service.component.component_type == component_type(role);
        out.report(
            home(service),
            match typed {
                true => format!("`{}` is of type {} but runs aggregated", service.name, role.as_str()),
                false => format!("`{}` is named for {} but runs aggregated", service.name, role.as_str()),
            },
            format!("no `{flag}`: the operator does not set the role of the process"),
        )
        .service(service)
        .subject("--disaggregation-mode")
        .severity(Severity::Warning)
        .label_opt(service.component.type_span.filter(|_| typed), "the type is only a label for the operator")
        .help(format!("add `{flag}` to the command line of `{}`", service.name))
        .emit();
    }
}

fn component_type(role: Role) -> ComponentType {
    if role == Role::Prefill { ComponentType::Prefill } else { ComponentType::Decode }
}

/// `disagg-peer-missing`
pub fn disagg_peer_missing(deployment: &Deployment, out: &mut Findings) {
    if !stands_alone(deployment) || !all_roles_known(deployment) {
        return;
    }
    let Some((declared, Role::Decode)) = half_declared(deployment) else { return };
    // A worker that forgot to say so is `disagg-role-undeclared`'s.
    if deployment.workers().any(|s| s.role == Role::Aggregated && s.framework == declared.framework) {
        return;
    }
    for service in deployment.role(Role::Prefill) {
        out.report(
            service.role_span.unwrap_or_else(|| place(service)),
            format!("`{}` prefills, but no worker of the graph decodes", service.name),
            "prefill role without a decode worker",
        )
        .service(service)
        .subject("--disaggregation-mode")
        .help("add a worker with `--disaggregation-mode decode`, or drop the role to serve aggregated")
        .emit();
    }
}

/// `disagg-role-in-aggregated`
pub fn disagg_role_in_aggregated(deployment: &Deployment, out: &mut Findings) {
    if !stands_alone(deployment) || !all_roles_known(deployment) {
        return;
    }
    let Some((_, Role::Prefill)) = half_declared(deployment) else { return };
    if deployment.workers().any(|s| undeclared(s) && s.component.component_type == ComponentType::Prefill) {
        return;
    }
    for service in deployment.role(Role::Decode) {
        let Some(span) = service.role_span else { continue };
        out.report(
            span,
            format!("`{}` decodes only, but no worker of the graph prefills", service.name),
            if service.below(1, 3) {
                "decode role without a prefill worker"
            } else {
                "decode role without a prefill worker: from Dynamo 1.3 on the model is never ready"
            },
        )
        .service(service)
        .subject("--disaggregation-mode")
        .severity(if service.at_least(1, 3) { Severity::Error } else { Severity::Warning })
        .help("drop the role to serve aggregated, or add a worker with `--disaggregation-mode prefill`")
        .emit();
    }
}

/// `operator-type-contradicts-role`
pub fn operator_type_contradicts_role(deployment: &Deployment, out: &mut Findings) {
    other_program(deployment, out);
    for service in deployment.workers().filter(|s| s.role_known) {
        let Some(role_span) = service.role_span else { continue };
        let typed = match service.component.component_type {
            ComponentType::Prefill => Role::Prefill,
            ComponentType::Decode => Role::Decode,
            _ => continue,
        };
        if !matches!(service.role, Role::Prefill | Role::Decode) || service.role == typed {
            continue;
        }
        let takes = format!("the process takes the {} role", service.role.as_str());
        let seen = format!("the operator, planner and EPP see a {} worker", typed.as_str());
        // A component that is called after the role of its process has the wrong type.
        let called = service.name.to_ascii_lowercase().contains(service.role.as_str());
        let (at, label, other) = match service.component.type_span.filter(|_| called) {
            Some(span) => (span, seen, Some((role_span, takes))),
            None => (role_span, takes, service.component.type_span.map(|span| (span, seen))),
        };
        let mut report = out.report(
            at,
            format!("`{}` is a {} worker of type `{}`", service.name, service.role.as_str(), typed.as_str()),
            label,
        );
        if let Some((span, label)) = other {
            report = report.label(span, label);
        }
        report.service(service).subject("--disaggregation-mode").help("make the type and the role agree").emit();
    }
}

/// A component of a type whose program is another one: an engine as `frontend`, a frontend as `worker`.
fn other_program(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let Some(process) = service.process.as_ref().filter(|p| !p.implied) else { continue };
        // Several programs in one container: any of them may be what the type is for.
        let all = service.launch.processes.iter().filter(|p| p.argv.iter().any(|w| w.text.starts_with("dynamo.")));
        if all.count() > 1 {
            continue;
        }
        let module = process.module.value.as_str();
        let engine = matches!(module, "dynamo.vllm" | "dynamo.sglang" | "dynamo.trtllm" | "dynamo.mocker");
        let plans = matches!(module, "dynamo.planner" | "dynamo.planner.planner_sla" | "dynamo.global_planner");
        let (worker, frontend) =
            ("as a worker, on the port `system`", "as a frontend, on port 8000, which clients are sent to");
        let (kind, probed) = match (&service.component.component_type, module) {
            (ComponentType::Frontend, _) if engine => ("worker", frontend),
            (ComponentType::Planner | ComponentType::Epp, _) if engine => {
                ("worker", "for no worker, without what one needs")
            }
            (ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode, "dynamo.frontend") => {
                ("frontend", worker)
            }
            (ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode, _) if plans => ("planner", worker),
            (ComponentType::Frontend, _) if plans => ("planner", frontend),
            _ => continue,
        };
        let Some(at) = service.component.type_span else { continue };
        out.report(
            at,
            format!("`{}` runs `{module}`, and its type is another", service.name),
            format!("the operator takes it {probed}"),
        )
        .service(service)
        .subject("type")
        .severity(Severity::Error)
        .label(process.module.span, "what is started")
        .help(format!("write `{kind}`"))
        .emit();
    }
}

/// `disagg-subtype-missing`
pub fn disagg_subtype_missing(deployment: &Deployment, out: &mut Findings) {
    for service in
        deployment.disaggregated().filter(|s| s.role_known && s.component.component_type == ComponentType::Worker)
    {
        let role = service.role.as_str();
        let (place, write) = match deployment.graph.api_version {
            crate::manifest::ApiVersion::V1Alpha1 => ("subComponentType", format!("add `subComponentType: {role}`")),
            crate::manifest::ApiVersion::V1Beta1 => ("type", format!("write `type: {role}`")),
        };
        let sub = service.component.node.get("subComponentType").filter(|n| n.as_text().is_some());
        out.report(
            sub.map(|n| n.span).or(service.component.type_span).unwrap_or(service.span),
            format!("the operator cannot tell that `{}` is the {role} worker", service.name),
            format!("`{place}` does not say `{role}`: planner, EPP label filters and profiler do not see the role"),
        )
        .service(service)
        .subject(place)
        .label_opt(service.role_span, "the process takes its role here")
        .help(write)
        .emit();
    }
}

/// `role-duplicated`
pub fn role_duplicated(deployment: &Deployment, out: &mut Findings) {
    for role in [Role::Prefill, Role::Decode] {
        let mut first: Option<&Service> = None;
        for service in deployment.role(role).filter(|s| s.role_known && !s.component.global_namespace) {
            let Some(earlier) = first else {
                first = Some(service);
                continue;
            };
            if served_name(earlier) != served_name(service) || served_name(service).is_none() {
                continue;
            }
            if [earlier, service].iter().any(|s| {
                s.env.get("DYN_NAMESPACE").is_some_and(|v| v.written())
                    || s.flag(&["--endpoint", "--namespace"]).is_some()
            }) {
                continue;
            }
            out.report(
                service.role_span.unwrap_or(service.span),
                format!("two services of the graph are {} workers of one model", role.as_str()),
                format!(
                    "`{}` already is one: two live worker sets of a role leave prefill and decode unpaired",
                    earlier.name
                ),
            )
            .service(service)
            .subject("--disaggregation-mode")
            .label_opt(earlier.role_span.or(Some(earlier.span)), "the first one")
            .help("scale one service by `replicas`, or give the pools namespaces of their own behind a global router")
            .emit();
        }
    }
}
