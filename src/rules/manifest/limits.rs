//! Requests and limits against each other, and quantities that are none.

use crate::manifest::{Container, quantity};
use crate::resolve::Deployment;
use crate::rules::Findings;
use crate::yaml::Node;

/// Device plugins for fabrics have a rule of their own (`rdma-resource-limits-only`).
fn is_fabric(name: &str) -> bool {
    name.starts_with("rdma/") || name.starts_with("networking.gke.io.networks/") || name == "vpc.amazonaws.com/efa"
}

/// Resources of a domain of their own (`nvidia.com/gpu`), which Kubernetes does not overcommit.
fn extended(name: &str) -> bool {
    name.contains('/') && !name.starts_with("kubernetes.io/") && !is_fabric(name)
}

fn amount(node: &Node) -> Option<f64> {
    node.as_text().map(str::trim).and_then(quantity::parse)
}

/// `request-over-limit`
pub fn request_over_limit(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for container in service.component.containers() {
            compare(container, &mut |at, name, message, limit: Option<&Node>, help| {
                out.report(at.span, message, "the API server rejects the pod, and the operator keeps trying")
                    .service(service)
                    .subject(name)
                    .label_opt(limit.map(|l| l.span), "the limit")
                    .help(help)
                    .emit();
            });
        }
    }
}

type Say<'a> = dyn FnMut(&Node, &str, String, Option<&Node>, &'static str) + 'a;

fn compare(container: &Container, say: &mut Say<'_>) {
    for (name, _, wanted) in &container.requests {
        let Some(request) = amount(wanted).filter(|_| !is_fabric(name)) else { continue };
        let limit = container.limits.iter().find(|(n, ..)| n == name).map(|(.., value)| value);
        let most = limit.and_then(amount);
        if extended(name) {
            if limit.is_none() && request > 0.0 {
                let message = format!("`{name}` is requested without a limit");
                say(wanted, name, message, None, "write it under `limits`: a request follows from the limit");
            } else if most.is_some_and(|m| (m - request).abs() > f64::EPSILON) {
                let message = format!("`{name}` is requested and limited to different amounts");
                say(wanted, name, message, limit, "write the same amount for both: devices are not overcommitted");
            }
        } else if most.is_some_and(|m| request > m * (1.0 + 1e-12)) {
            let message = format!("more `{name}` is requested than the limit allows");
            say(wanted, name, message, limit, "raise the limit, or lower the request");
        }
    }
}

/// `quantity-dropped`
pub fn quantity_dropped(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for (name, at, value) in &service.component.main.dropped {
            let Some(text) = value.as_text().filter(|t| !t.contains(['$', '<', '{'])) else { continue };
            if quantity::parse(text.trim()).is_some() && text.trim() == text {
                continue;
            }
            out.report(
                value.span,
                format!("`{text}` is no quantity"),
                "the operator drops the whole entry without a word",
            )
            .service(service)
            .subject(name.clone())
            .label(*at, "not in the pod")
            .help("write a number with a unit of Kubernetes, like `500m`, `4` or `80Gi`")
            .emit();
        }
    }
}
