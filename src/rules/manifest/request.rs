//! What a deployment request tells its planner: the CRD leaves it open, the planner reads it (`PlannerConfig`).
//!
//! Source: `dynamo/profiler/utils/dgdr_v1beta1_types.py` (`FeaturesSpec.planner`).

use crate::catalog::json::{Takes, nearest, object};
use crate::finding::{Applicability, Severity};
use crate::manifest::Image;
use crate::resolve::{Recipe, Version, as_json};
use crate::rules::Findings;
use crate::rules::command::{Contradiction, PLANNER_REFUSES, contradictions};
use crate::rules::published::REGISTRY;
use crate::yaml::{Entry, Node};

/// The planner's settings in the requests of a file.
fn settings(recipe: &Recipe) -> impl Iterator<Item = &Entry> {
    let requests = recipe.here.iter().filter(|o| o.kind == "DynamoGraphDeploymentRequest");
    requests.filter_map(|o| o.node.at(&["spec", "features", "planner"])).flat_map(Node::entries)
}

/// `enableLoadScaling` as Python's classes spell it.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The part of `unknown-field` that is about them.
pub(super) fn planner_keys(recipe: &Recipe, out: &mut Findings) {
    let Some(known) = object("planner", "--config") else { return };
    for entry in settings(recipe).filter(|e| !known.has(&e.key.name, None) && !e.key.name.contains(['$', '<', '{'])) {
        let name = &*entry.key.name;
        let top: Vec<&str> = known.top().collect();
        let meant = top.iter().copied().find(|key| *key == snake(name)).or_else(|| nearest(name, &top));
        let help = match (meant, name) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, "enabled") => "remove it: `planner` itself switches the planner on".to_owned(),
            (None, _) => format!("remove `{name}`"),
        };
        let report = out
            .report(entry.key.span, format!("the planner has no setting `{name}`"), "passed over: it has no effect")
            .subject(name)
            .severity(Severity::Warning)
            .help(help);
        match meant {
            Some(meant) => report.fix(Applicability::Unsafe, entry.key.span, meant).emit(),
            None => report.emit(),
        }
    }
}

/// The part of `value-refused` that is about them: what does not go together.
pub(super) fn planner_refuses(recipe: &Recipe, out: &mut Findings) {
    let requests = recipe.here.iter().filter(|o| o.kind == "DynamoGraphDeploymentRequest");
    for spec in requests.filter_map(|o| o.node.get("spec")) {
        profiler_refuses(spec, out);
        let Some(planner) = spec.at(&["features", "planner"]) else { continue };
        // The request's image says which release reads them; they are judged as the newest does.
        for Contradiction { at, subject, message, label, help } in contradictions(&as_json(planner), &|_| false) {
            let report = out.report(at, message, PLANNER_REFUSES).subject(subject);
            report.label_opt(label.map(|(at, _)| at), label.map_or("", |(_, text)| text)).help(help).emit();
        }
    }
}

/// What is to be laid over the graph that the profiler makes: in the shape of its version, and by the names of that graph.
fn overrides(spec: &Node, out: &mut Findings) {
    let Some(graph) = spec.at(&["overrides", "dgd"]) else { return };
    let Some(inner) = graph.get("spec") else { return };
    let version = graph.get("apiVersion").and_then(Node::as_text).unwrap_or_default();
    let (wrong, right) = match version {
        "nvidia.com/v1alpha1" => ("components", "services"),
        "nvidia.com/v1beta1" => ("services", "components"),
        _ => return,
    };
    if let (Some(entry), None) = (inner.entry(wrong), inner.get(right)) {
        out.report(entry.key.span, format!("`{version}` has no `{wrong}`"), "nothing of it reaches the deployment")
            .subject("overrides")
            .help(format!("write `{right}`, or the version that has `{wrong}`"))
            .emit();
    }
    // Names that the profiler gives whatever the engine is.
    let names = inner.get("services").into_iter().flat_map(Node::entries).map(|e| (e.key.span, e.key.name.to_string()));
    let items = inner.get("components").into_iter().flat_map(Node::items).filter_map(|c| c.get("name"));
    let items = items.filter_map(|n| Some((n.span, n.as_text()?.to_owned())));
    for (at, name) in names.chain(items) {
        let meant = ["Frontend", "Planner"].into_iter().find(|m| m.eq_ignore_ascii_case(&name) && *m != name);
        let Some(meant) = meant else { continue };
        out.report(at, format!("the profiler makes no component `{name}`"), "laid over nothing: a second one appears")
            .subject("overrides")
            .help(format!("write `{meant}`"))
            .emit();
    }
}

/// What the profiler refuses in a request before it begins (`dgdr_validate.py`, `dgdr_v1beta1_types.py`; 1.0 to 1.6).
fn profiler_refuses(spec: &Node, out: &mut Findings) {
    let has = |path: &[&str]| spec.at(path).filter(|node| !node.is_null());
    // The profiler's dependencies are in an image of its own since 1.1.
    let image = has(&["image"]).or_else(|| has(&["profilingConfig", "profilerImage"]));
    if let Some((node, image)) = image.and_then(|node| Some((node, Image::cut(node.as_text()?))))
        && (image.name().ends_with("-runtime") || image.name() == "dynamo-frontend")
        && image.place().0 == REGISTRY
        && image.tag.and_then(Version::parse).is_some_and(|v| (v.major, v.minor) >= (1, 1))
    {
        let severity = if image.name() == "dynamo-frontend" { Severity::Warning } else { Severity::Error };
        let message = format!("the profiler is not in the image `{}`", image.name());
        out.report(node.span, message, "since 1.1 its dependencies are in an image of their own")
            .subject("image")
            .severity(severity)
            .help("write `dynamo-planner` of the same release: the image is for the profiling Job alone")
            .emit();
    }
    let mut say = |at: &Node, subject: &str, message: &str, help: &str| {
        out.report(at.span, message, "the profiler refuses the request").subject(subject).help(help).emit();
    };
    let target = || has(&["sla", "ttft"]).or_else(|| has(&["sla", "itl"]));
    if let Some(node) = has(&["sla", "e2eLatency"]).filter(|_| target().is_some()) {
        let help = "keep `ttft` and `itl`, or `e2eLatency`";
        say(node, "sla", "an aim for the whole request stands beside aims for its parts", help);
    }
    if let (Some(node), Some(_)) = (has(&["workload", "requestRate"]), has(&["workload", "concurrency"])) {
        say(node, "workload", "the load is given in two ways", "keep `requestRate` or `concurrency`");
    }
    for key in ["ttft", "itl", "e2eLatency"] {
        let aim = has(&["sla", key])
            .filter(|node| node.as_text().and_then(|t| t.parse().ok()).is_some_and(|n: f64| n <= 0.0));
        aim.into_iter().for_each(|node| say(node, key, &format!("`{key}` is not positive"), "write milliseconds"));
    }
    overrides(spec, out);
    if let Some(node) = has(&["features", "planner", "pre_deployment_sweeping_mode"])
        && node.as_text() == Some("none")
        && spec.at(&["features", "mocker", "enabled"]).and_then(Node::as_bool) == Some(true)
    {
        let message = "a mocker is made of what a sweep finds, and there is to be none";
        out.report(node.span, message, "the profiler refuses the request")
            .subject("features")
            .help("write `rapid` or `thorough`")
            .emit();
    }
    let mut say = |at: &Node, subject: &str, message: &str, help: &str| {
        out.report(at.span, message, "the profiler refuses the request").subject(subject).help(help).emit();
    };
    let word = |key: &str| spec.get(key).and_then(Node::as_text);
    if let Some(node) =
        spec.get("backend").filter(|_| word("searchStrategy") == Some("thorough") && word("backend") == Some("auto"))
    {
        let help = "write `vllm`, `sglang` or `trtllm`, or `searchStrategy: rapid`";
        say(node, "backend", "a thorough search runs one engine, and `auto` is none", help);
    }
}

/// The part of `invalid-choice` that is about them.
pub(super) fn planner_words(recipe: &Recipe, out: &mut Findings) {
    let Some(known) = object("planner", "--config") else { return };
    for entry in settings(recipe) {
        let takes = known.takes(&entry.key.name, None);
        let Some(text) = entry.value.as_text().filter(|t| !t.is_empty() && !t.contains(['$', '<', '{'])) else {
            continue;
        };
        let words: Vec<&str> = takes.iter().flat_map(|(_, words)| words.split('|')).filter(|w| !w.is_empty()).collect();
        let number = |(takes, _): &(Takes, _)| matches!(takes, Takes::Int | Takes::Float);
        if !takes.is_empty()
            && takes.iter().all(number)
            && text.parse::<f64>().is_err()
            && !matches!(text, "null" | "~")
        {
            out.report(
                entry.value.span,
                format!("`{}` does not take `{text}`", entry.key.name),
                "the planner refuses it and exits",
            )
            .subject(&*entry.key.name)
            .help("write a number")
            .emit();
            continue;
        }
        if takes.is_empty() || takes.iter().any(|(takes, _)| *takes != Takes::Word) || words.contains(&text) {
            continue;
        }
        out.report(
            entry.value.span,
            format!("`{}` does not take `{text}`", entry.key.name),
            "the planner refuses it and exits",
        )
        .subject(&*entry.key.name)
        .help(match nearest(text, &words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of `{}`", words.join("`, `")),
        })
        .emit();
    }
}
