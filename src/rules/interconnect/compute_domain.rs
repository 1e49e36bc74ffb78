//! ComputeDomains: the claim on an IMEX channel that multi-node NVLink needs, and the number of nodes it is for.

use super::common::{mentions, nvidia_gpus};
use crate::finding::Severity;
use crate::manifest::Object;
use crate::resolve::{Claim, Deployment, Service};
use crate::rules::Findings;
use crate::rules::manifest::near;
use crate::source::{Fact, Spanned};
use crate::yaml::Node;

/// `numNodes` of a ComputeDomain is not the number of pods that claim it.
pub fn compute_domain_numnodes(deployment: &Deployment, out: &mut Findings) {
    for domain in near::of_kind(&deployment.recipe, "ComputeDomain") {
        let Some(wanted) = domain.node.at(&["spec", "numNodes"]) else { continue };
        let Some(template) = channel_template(domain).and_then(Node::as_str) else { continue };
        let Some(number) = wanted.as_int().and_then(|n| u32::try_from(n).ok()).filter(|&n| n > 0) else { continue };
        let claimers: Vec<(&Service, &Claim)> = deployment
            .services
            .iter()
            .filter_map(|s| {
                s.fabric
                    .claims
                    .iter()
                    .find(|c| c.template.as_ref().is_some_and(|t| t.value == template))
                    .map(|c| (s, c))
            })
            .collect();
        if claimers.is_empty() || claimed_elsewhere(deployment, domain, template) {
            continue;
        }
        let mut pods: u32 = 0;
        let mut known = true;
        for (service, _) in &claimers {
            match &service.replicas {
                Fact::Known(_) | Fact::Unset => pods = pods.saturating_add(pods_of(service)),
                Fact::Dynamic(reason) => {
                    out.undecided(service, wanted.span, reason.clone());
                    known = false;
                }
            }
        }
        if !known || pods == number {
            continue;
        }
        let effect = if pods < number {
            "driver versions that wait for all members leave the pods in `ContainerCreating`"
        } else {
            "the domain is smaller than the group that uses it"
        };
        let missing = missing_members(deployment, &claimers, number.saturating_sub(pods));
        let help = match &missing[..] {
            [] => format!("write `numNodes: {pods}`, or 0 where the driver sizes domains by itself"),
            names => format!(
                "claim the channel on `{}` too, which makes {number} pods; or write `numNodes: {pods}`",
                names.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join("`, `")
            ),
        };
        let mut report = out
            .report(
                wanted.span,
                format!("ComputeDomain `{}` is for {number} nodes, but {pods} pods claim it", domain.name),
                effect,
            )
            .service(claimers[0].0)
            .subject("numNodes")
            .help(help);
        for service in &missing {
            report = report.label(service.span, format!("`{}` does not claim it", service.name));
        }
        for (service, claim) in &claimers {
            report = report.label(claim.name.span, format!("`{}`: {} pods", service.name, pods_of(service)));
        }
        report.emit();
    }
}

/// A claim that leads nowhere: a template that no ComputeDomain makes, or a channel that no container uses.
pub fn compute_domain_claim_undefined(deployment: &Deployment, out: &mut Findings) {
    let made: Vec<&str> = deployment
        .recipe
        .of_kind("ComputeDomain")
        .filter_map(|d| channel_template(d).and_then(Node::as_str))
        .chain(deployment.recipe.of_kind("ResourceClaimTemplate").map(|o| o.name.as_str()))
        .collect();
    // Any that lies near may make it; only one of this recipe shows that another was meant.
    let own: Vec<&Object> = ["ComputeDomain", "ResourceClaimTemplate"]
        .into_iter()
        .flat_map(|kind| near::of_kind(&deployment.recipe, kind))
        .collect();
    let domain = own.iter().copied().find(|o| o.kind == "ComputeDomain");
    let near = |template: &str| {
        let mut names = own.iter().filter_map(|o| channel_template(o).and_then(Node::as_str).or(Some(&o.name)));
        names.any(|name| strsim::osa_distance(name, template) <= 2)
    };
    for service in &deployment.services {
        for claim in &service.fabric.claims {
            if let (Some(template), Some(domain)) = (&claim.template, domain)
                && !made.contains(&template.value.as_str())
                && (claim.channel || near(&template.value))
            {
                report_missing_template(out, service, template, domain);
            }
            if claim.channel && !claim.used {
                out.report(
                    claim.name.span,
                    format!(
                        "the pod of `{}` claims `{}`, but its container does not use it",
                        service.name, claim.name.value
                    ),
                    "no `resources.claims` entry of that name: the channel is not mounted",
                )
                .service(service)
                .subject("resourceClaims")
                .severity(Severity::Warning)
                .help(format!("add `- name: {}` under the container's `resources.claims`", claim.name.value))
                .emit();
            }
        }
        for name in &service.component.main.claims {
            if service.fabric.claims.iter().any(|c| c.name.value == name.value) {
                continue;
            }
            out.report(
                name.span,
                format!(
                    "the container of `{}` uses claim `{}`, which its pod does not \
                    have",
                    service.name, name.value
                ),
                "no `resourceClaims` entry of that name: the API server rejects the pod",
            )
            .service(service)
            .subject("resources.claims")
            .severity(Severity::Error)
            .help("add it to the pod's `resourceClaims`, or use the name that stands there")
            .emit();
        }
    }
}

fn report_missing_template(out: &mut Findings, service: &Service, template: &Spanned<String>, domain: &Object) {
    let has = channel_template(domain);
    let name = has.and_then(Node::as_str).unwrap_or_default();
    out.report(
        template.span,
        format!("`{}` claims by template `{}`, which no ComputeDomain here makes", service.name, template.value),
        "the pod stays pending until such a template exists",
    )
    .service(service)
    .subject("resourceClaimTemplateName")
    .label(has.map_or(domain.name_span, |n| n.span), format!("`{}` makes this one", domain.name))
    .help(if name.is_empty() {
        "write the name under the ComputeDomain's `channel.resourceClaimTemplate.name`".to_owned()
    } else {
        format!("write `resourceClaimTemplateName: {name}`")
    })
    .severity(Severity::Warning)
    .emit();
}

/// GPU workers without the claim whose pods are exactly those that are missing.
fn missing_members<'a>(deployment: &'a Deployment, claimers: &[(&Service, &Claim)], lacking: u32) -> Vec<&'a Service> {
    let outside: Vec<&Service> = deployment
        .workers()
        .filter(|s| nvidia_gpus(s).is_some() && !claimers.iter().any(|(c, _)| std::ptr::eq(*c, *s)))
        .collect();
    let pods: u32 = outside.iter().map(|s| pods_of(s)).fold(0, u32::saturating_add);
    if lacking > 0 && pods == lacking { outside } else { Vec::new() }
}

/// Pods of a service, one replica where the number is not known.
fn pods_of(service: &Service) -> u32 {
    service.replicas.known().copied().unwrap_or(1).saturating_mul(service.nodes)
}

/// Node that names the template a ComputeDomain makes.
fn channel_template(domain: &Object) -> Option<&Node> {
    domain.node.at(&["spec", "channel", "resourceClaimTemplate", "name"])
}

/// Whether another object than this deployment uses the template: then its pods cannot be counted.
fn claimed_elsewhere(deployment: &Deployment, domain: &Object, template: &str) -> bool {
    let own = deployment.graph.object.node.span;
    deployment
        .recipe
        .here
        .iter()
        .chain(deployment.recipe.beside())
        .filter(|o| o.node.span != own && o.node.span != domain.node.span)
        .any(|o| mentions(&o.node, template))
}
