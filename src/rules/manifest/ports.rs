//! The port a process listens on, and who knocks.

use crate::finding::Severity;
use crate::manifest::{Component, ComponentType};
use crate::resolve::{Deployment, Framework, Layer, Service};
use crate::rules::{Findings, workload};
use crate::source::Span;
use crate::yaml::Node;

pub(super) const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];

/// A probe as the manifest has it: the container's own wins over v1alpha1's field of the service.
fn probe<'a>(component: &'a Component, name: &str) -> Option<&'a Node> {
    component.main.node.as_ref().and_then(|n| n.get(name)).or_else(|| component.node.get(name))
}

/// A probe's HTTP port: name of the probe, number, the place, and the path.
fn probes(service: &Service) -> Vec<(&'static str, u64, Span, String)> {
    let component = &service.component;
    let mut found = Vec::new();
    for name in PROBES {
        let asked = probe(component, name);
        if let Some((number, span, path)) = asked.and_then(|p| p.at(&["exec", "command"])).and_then(curled) {
            found.push((name, number, span, path));
        }
        let Some(get) = asked.and_then(|p| p.get("httpGet")) else { continue };
        let Some(port) = get.get("port") else { continue };
        let path = get.get("path").and_then(Node::as_text).unwrap_or("/").to_owned();
        let number = match port.as_text().and_then(|t| t.parse().ok()) {
            Some(number) => Some(number),
            None => port.as_text().and_then(|wanted| named_port(service, wanted)),
        };
        if let Some(number) = number {
            found.push((name, number, port.span, path));
        }
    }
    found
}

/// The one address of its own that a probe's command asks by curl: port, place and path.
fn curled(command: &Node) -> Option<(u64, Span, String)> {
    let words: Vec<&Node> = command.items().collect();
    if !words.iter().any(|word| word.as_text().is_some_and(|text| text.contains("curl") || text.contains("wget"))) {
        return None;
    }
    let asked = |node: &&Node| {
        let text = node.as_text()?;
        let (_, rest) = text.split_once("://localhost:").or_else(|| text.split_once("://127.0.0.1:"))?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (port, path) = rest.split_at(end);
        // Of several one may be meant to fail.
        if rest.contains("://") || !(path.is_empty() || path.starts_with(['/', ' ', '"', '\''])) {
            return None;
        }
        let path: String = path.chars().take_while(|c| c.is_ascii_alphanumeric() || "/_".contains(*c)).collect();
        Some((port.parse().ok()?, node.span, if path.is_empty() { "/".to_owned() } else { path }))
    };
    let mut found = words.iter().copied().filter_map(|node| asked(&node));
    found.next().filter(|_| found.next().is_none())
}

fn ports(service: &Service) -> impl Iterator<Item = (&str, u64, Span)> {
    let list = service.component.main.node.as_ref().and_then(|n| n.get("ports"));
    list.into_iter().flat_map(Node::items).filter_map(|p| {
        let port = p.get("containerPort")?;
        Some((p.get("name").and_then(Node::as_text).unwrap_or_default(), port.as_text()?.parse().ok()?, port.span))
    })
}

/// A named port: the user's list, when there is one, replaces the operator's.
fn named_port(service: &Service, wanted: &str) -> Option<u64> {
    let mut own = ports(service).peekable();
    if own.peek().is_some() {
        return own.find(|(name, ..)| *name == wanted).map(|(_, port, _)| port);
    }
    match (&service.component.component_type, wanted) {
        (ComponentType::Frontend, "http") => Some(8000),
        (ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode, "system") => Some(9090),
        _ => None,
    }
}

/// Probes that ask for a port by a name that the container does not have.
fn unnamed(service: &Service, out: &mut Findings) {
    let component = &service.component;
    let kind = &component.component_type;
    let known = matches!(
        kind,
        ComponentType::Frontend | ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode
    );
    // Of a component of several nodes the operator drops probes, and of another type its ports are not known.
    if component.node_count.is_some() || (!known && ports(service).next().is_none()) {
        return;
    }
    for name in PROBES {
        let get = probe(component, name).and_then(|p| p.get("httpGet").or_else(|| p.get("tcpSocket")));
        let Some((port, wanted)) = get.and_then(|g| g.get("port")).and_then(|p| Some((p, p.as_text()?))) else {
            continue;
        };
        let open = wanted.is_empty() || wanted.contains(['$', '<', '{']) || wanted.parse::<i64>().is_ok();
        if open || named_port(service, wanted).is_some() || (wanted == "nixl" && ports(service).next().is_none()) {
            continue;
        }
        let own: Vec<String> = ports(service).map(|(name, ..)| name.to_owned()).filter(|n| !n.is_empty()).collect();
        let there = match (own.is_empty(), kind) {
            (false, _) => own.join("`, `"),
            (true, ComponentType::Frontend) => "http".to_owned(),
            _ => "system".to_owned(),
        };
        out.report(
            port.span,
            format!("the {name} of `{}` asks for the port `{wanted}`, which its container does not have", service.name),
            "the kubelet finds no such port: the probe fails for ever",
        )
        .service(service)
        .subject(name)
        .help(format!("write `{there}`, or a number"))
        .emit();
    }
}

/// `frontend-port-mismatch`
pub fn frontend_port_mismatch(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.services.iter().filter(|s| s.module() == Some("dynamo.frontend")) {
        unnamed(service, out);
        let Some((port, said)) = http_port(service) else { continue };
        let probes = probes(service);
        let asks = |path: &str| matches!(path, "/" | "/health" | "/live" | "/ready" | "/v1/models" | "/metrics");
        let mut astray = probes.iter().filter(|(_, number, _, path)| *number != port && asks(path));
        if let Some((name, number, span, _)) = astray.next() {
            let rest: Vec<_> = astray.collect();
            // Several probes that agree are right, and the one place that says otherwise is not.
            let agreed = said.filter(|_| !rest.is_empty() && probes.iter().all(|(_, other, ..)| other == number));
            let mut report = out
                .report(
                    agreed.unwrap_or(*span),
                    format!("the {name} of `{}` asks port {number}, the frontend listens on {port}", service.name),
                    "nothing answers there: the pod never becomes ready",
                )
                .service(service)
                .subject(*name)
                .help(format!("probe port {port}, or let the frontend listen on {number}"));
            if agreed.is_some() {
                report = report.label(*span, format!("the {name}"));
            } else if let Some(said) = said {
                report = report.label(said, "the port is set here");
            }
            for (name, _, span, _) in rest {
                report = report.label(*span, format!("the {name} too"));
            }
            report.emit();
        }
        let host = match service.flag(&["--http-host"]) {
            Some(flag) => flag.value().and_then(|w| Some((w.as_known()?.to_owned(), w.span()))),
            None => service
                .env
                .get("DYN_HTTP_HOST")
                .filter(|v| v.written())
                .and_then(|v| Some((v.known()?.as_str().to_owned(), v.winner().span?))),
        };
        if let Some((host, at)) =
            host.filter(|(host, _)| matches!(host.as_str(), "localhost" | "::1") || host.starts_with("127."))
        {
            out.report(
                at,
                format!("`{}` listens on `{host}` only", service.name),
                "probes and the Service knock at the pod's address: it never becomes ready",
            )
            .service(service)
            .subject("--http-host")
            .help("drop it: the frontend listens on every address by default")
            .emit();
        }
        // The operator's own probes and Service go to the port named `http`.
        let typed = service.component.component_type == ComponentType::Frontend;
        let named = ports(service).find(|(name, number, _)| *name == "http" && *number != port);
        if let Some((_, number, span)) = named.filter(|_| {
            let said = probes.iter().any(|(_, number, ..)| *number != port);
            typed && !said && !brought(service).is_empty()
        }) {
            out.report(
                span,
                format!("the port `http` of `{}` is {number}, the frontend listens on {port}", service.name),
                "the operator's probes ask for `http`: the pod never becomes ready",
            )
            .service(service)
            .subject("ports")
            .label_opt(said, "the port is set here")
            .help(format!("write `containerPort: {port}`, or let the frontend listen on {number}"))
            .emit();
            continue;
        }
        let Some(said) = said.filter(|_| port != 8000 && typed) else { continue };
        if probes.iter().any(|(_, number, ..)| *number != port)
            || ports(service).any(|(name, number, _)| name == "http" && number == port)
        {
            continue;
        }
        out.report(
            said,
            format!("`{}` listens on {port}, its Service and default probes use 8000", service.name),
            "the container port `http` is still 8000",
        )
        .service(service)
        .subject("--http-port")
        .help(format!("drop it, or add `ports: [{{name: http, containerPort: {port}}}]` to the main container"))
        .emit();
    }
}

/// Paths at which other servers answer probes, and Dynamo's do not.
const FOREIGN: [&str; 14] = [
    "/healthz",
    "/livez",
    "/readyz",
    "/readiness",
    "/liveness",
    "/healthcheck",
    "/health_check",
    "/health-check",
    "/health/live",
    "/health/ready",
    "/v1/health",
    "/v1/health/ready",
    "/v1/health/live",
    "/ping",
];

/// `probe-path-unknown`
pub fn probe_path_unknown(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let renamed = |names: &[&str]| names.iter().any(|name| service.env.get(name).is_some());
        let port = if service.module() == Some("dynamo.frontend") {
            if renamed(&["DYN_HTTP_SVC_HEALTH_PATH", "DYN_HTTP_SVC_LIVE_PATH"]) {
                continue;
            }
            http_port(service).map(|(port, _)| port)
        } else if service.framework.is_some() {
            if renamed(&["DYN_SYSTEM_HEALTH_PATH", "DYN_SYSTEM_LIVE_PATH"]) {
                continue;
            }
            service.env.get("DYN_SYSTEM_PORT").and_then(|v| v.known()?.as_str().parse().ok())
        } else {
            continue;
        };
        for (name, number, span, path) in probes(service) {
            if Some(number) == port {
                encrypted(service, name, out);
            }
            let bare = path.trim_end_matches('/');
            // No path is `/`, where neither server answers.
            let slip = || ["/health", "/live"].iter().any(|own| *own != bare && strsim::osa_distance(own, bare) <= 2);
            if Some(number) != port || !(FOREIGN.contains(&bare) || bare.is_empty() || slip()) {
                continue;
            }
            let at = probe(&service.component, name).and_then(|p| p.at(&["httpGet", "path"])).map_or(span, |n| n.span);
            out.report(
                at,
                format!("the {name} of `{}` asks for `{path}`", service.name),
                "Dynamo answers 404: the pod never becomes ready",
            )
            .service(service)
            .subject(name)
            .help("write `/health` or `/live`")
            .emit();
        }
    }
}

/// A probe that greets a server in TLS which talks plain HTTP: the frontend without a certificate, and always the system server.
fn encrypted(service: &Service, name: &'static str, out: &mut Findings) {
    let asked = probe(&service.component, name).and_then(|p| p.at(&["httpGet", "scheme"]));
    let Some(scheme) = asked.filter(|scheme| scheme.as_text() == Some("HTTPS")) else { return };
    let frontend = service.module() == Some("dynamo.frontend");
    let told = || service.flag(&["--tls-cert-path"]).is_some() || service.env.get("DYN_TLS_CERT_PATH").is_some();
    if frontend && (told() || service.args_open()) {
        return;
    }
    out.report(
        scheme.span,
        format!("the {name} of `{}` asks in TLS, and its server talks plain HTTP", service.name),
        "the probe fails: the pod never becomes ready",
    )
    .service(service)
    .subject(name)
    .help("drop `scheme`, or write `HTTP`")
    .emit();
}

/// The frontend's HTTP port and where it is said; `None` when it cannot be known.
pub(in crate::rules) fn http_port(service: &Service) -> Option<(u64, Option<Span>)> {
    if let Some(flag) = service.flag(&["--http-port"]) {
        return Some((flag.value()?.as_known()?.parse().ok()?, Some(flag.full_span())));
    }
    if service.args_open() {
        return None;
    }
    match service.env.get("DYN_HTTP_PORT") {
        None => Some((8000, None)),
        Some(var) if var.winner().layer == Layer::OperatorDefault => Some((8000, None)),
        Some(var) => Some((var.known()?.as_str().parse().ok()?, var.winner().span)),
    }
}

/// `system-port-mismatch`
pub fn system_port_mismatch(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| {
        matches!(s.component.component_type, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode)
    }) {
        unnamed(service, out);
        if lost_port(service, out) {
            continue;
        }
        let Some(var) = service.env.get("DYN_SYSTEM_PORT") else { continue };
        let Some(port) = var.known().and_then(|t| t.as_str().parse::<u64>().ok()) else { continue };
        let mut own = false;
        for (name, number, span, path) in probes(service) {
            if number == port || !matches!(path.as_str(), "/live" | "/health") {
                continue;
            }
            // Engines have servers of their own (`/health` of vLLM, SGLang): only ports that Dynamo uses are certain.
            if path == "/health" && !matches!(number, 9090 | 8000 | 8080 | 8081) {
                continue;
            }
            own = true;
            out.report(
                span,
                format!("the {name} of `{}` asks port {number}, its system server listens on {port}", service.name),
                "nothing answers there: the pod never becomes ready",
            )
            .service(service)
            .subject(name)
            .label_opt(var.winner().span, "the port is set here")
            .help(format!("probe port {port}, or set `DYN_SYSTEM_PORT` to {number}"))
            .emit();
        }
        if !own {
            moved_port(service, port, var.winner(), out);
        }
    }
}

/// `startup-probe-short`
pub fn startup_probe_short(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let component = &service.component;
        let loads = matches!(service.framework, Some(Framework::Vllm | Framework::Sglang | Framework::Trtllm));
        let early = service.env.get("DYN_SYSTEM_STARTING_HEALTH_STATUS").is_some_and(|var| var.written());
        let Some(probe) = probe(component, "startupProbe").filter(|p| p.get("httpGet").is_some()) else { continue };
        // Without a GPU nothing large is loaded; of an engine over nodes the operator drops probes.
        let gpus = service.gpus.known().is_some_and(|n| *n > 0);
        if !loads || early || !gpus || component.node_count.is_some() {
            continue;
        }
        // What is not said, or 0, is the default.
        let number = |key: &str, default: i128| match probe.get(key).filter(|n| !n.is_null()) {
            None => Some(default),
            Some(node) => node.as_int().map(|n| if n == 0 { default } else { n }),
        };
        let (Some(wait), Some(times), Some(every)) =
            (number("initialDelaySeconds", 0), number("failureThreshold", 3), number("periodSeconds", 10))
        else {
            continue;
        };
        let seconds = wait.saturating_add(times.saturating_mul(every));
        // Twice as much and more the recipe itself gives vLLM to get ready.
        let ready =
            service.env.known("VLLM_ENGINE_READY_TIMEOUT_S").filter(|_| service.framework == Some(Framework::Vllm));
        let ready = ready
            .and_then(|t| t.trim().parse::<i128>().ok())
            .filter(|ready| seconds > 60 && *ready >= seconds.saturating_mul(2));
        if seconds > 60 && ready.is_none() {
            continue;
        }
        let at = ["failureThreshold", "periodSeconds", "httpGet"].into_iter().find_map(|key| probe.entry(key));
        let given = service.env.get("VLLM_ENGINE_READY_TIMEOUT_S").and_then(|v| v.winner().span);
        out.report(
            at.map_or(probe.span, |entry| entry.key.span),
            format!("the startup probe gives `{}` {seconds} seconds to load its model", service.name),
            match ready {
                Some(_) => "less than vLLM is given to get ready",
                None => "the system server answers 503 until then: the kubelet starts the container over and over",
            },
        )
        .service(service)
        .subject("startupProbe")
        .severity(if ready.is_some() { Severity::Advice } else { Severity::Warning })
        .label_opt(given.filter(|_| ready.is_some()), "vLLM is given so many seconds")
        .help("raise `failureThreshold`, or drop the probe: the operator's own waits for two hours")
        .emit();
    }
}

/// Probes that the operator brings, because the manifest has none of that kind. Multinode pods lose some of them.
fn brought(service: &Service) -> Vec<&'static str> {
    let component = &service.component;
    let own = |name: &str| probe(component, name).is_some_and(|n| !n.is_null());
    PROBES.into_iter().filter(|name| component.node_count.is_none() && !own(name)).collect()
}

fn list(probes: &[&str]) -> String {
    probes.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The operator's probes ask for a port by name, and a list of ports in the manifest replaces the operator's.
fn lost_port(service: &Service, out: &mut Findings) -> bool {
    let Some((_, _, first)) = ports(service).next() else { return false };
    let brought = brought(service);
    if brought.is_empty() || named_port(service, "system").is_some() {
        return false;
    }
    let port = ports(service)
        .find(|(_, number, _)| service.env.known("DYN_SYSTEM_PORT").is_some_and(|t| t.as_str() == number.to_string()));
    out.report(
        port.map_or(first, |(.., span)| span),
        format!("the ports of `{}` have no `system`, which the operator's probes ask for", service.name),
        "this list replaces the operator's: the pod never becomes ready",
    )
    .service(service)
    .subject("ports")
    .help(format!("name the port of the system server `system`, or write {} too", list(&brought)))
    .emit();
    true
}

/// Whether Dynamo's worker is a program beside an engine of its own: `dynamo-openengine-sidecar`.
fn sidecar(component: &Component) -> bool {
    let first = workload::words(&component.main).next().and_then(Node::as_text);
    first.is_some_and(|program| program.starts_with("dynamo-") && program.ends_with("-sidecar"))
}

/// The operator's probes ask where the operator's port is, or the one named `system`.
fn moved_port(service: &Service, port: u64, said: &crate::resolve::Setting, out: &mut Findings) {
    let (Some(span), Some(probed)) = (said.span, named_port(service, "system")) else { return };
    let brought = brought(service);
    if brought.is_empty() || probed == port || !(service.framework.is_some() || sidecar(&service.component)) {
        return;
    }
    out.report(
        span,
        format!("the operator's probes of `{}` ask port {probed}, its system server listens on {port}", service.name),
        "nothing answers there: the pod never becomes ready",
    )
    .service(service)
    .subject("DYN_SYSTEM_PORT")
    .help(format!(
        "leave the port at {probed}, or give the container a port {port} named `system` (or {} of its own)",
        list(&brought)
    ))
    .emit();
}
