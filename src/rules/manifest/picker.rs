//! The plugins of an endpoint picker and the profiles in which they stand.

use crate::finding::{Applicability, Edit};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;
use crate::yaml::edit::{New, insert_entry};

/// Plugin configurations of endpoint pickers in a file: inline in a graph, or as text in a ConfigMap.
fn picker_configs(recipe: &Recipe) -> Vec<Node> {
    let mut found = Vec::new();
    for object in &recipe.here {
        if let Some(graph) = object.graph() {
            let inline = graph.components.iter().filter_map(|c| c.epp_config.as_ref()?.get("config").cloned());
            found.extend(inline);
        } else if object.kind == "ConfigMap" {
            let texts = object.node.get("data").into_iter().flat_map(Node::entries).map(|e| &e.value);
            for text in texts.filter(|n| n.as_text().is_some_and(|t| t.contains("schedulingProfiles"))) {
                let parsed = recipe.text(text).map(|text| recipe.embedded(&text));
                found.extend(parsed.and_then(|parsed| parsed.as_ref().as_ref().ok()?.clone()));
            }
        }
    }
    found
}

/// The weight that a reference lacks.
fn weight(reference: &Node, recipe: &Recipe) -> Option<Edit> {
    let key = reference.entry("pluginRef")?.key.span;
    let one = New::Plain("1".to_owned());
    insert_entry(reference, &recipe.sources.get(key.file), "weight", &one, Some("pluginRef"))
}

/// Types of plugins that Dynamo's picker registers (`deploy/inference-gateway/epp/cmd/epp/main.go`) and those of the gateway
/// API's that people use with it; for near misses only.
const PLUGINS: [&str; 13] = [
    "disagg-profile-handler",
    "dyn-decode-scorer",
    "dyn-kv-scorer",
    "dyn-prefill-scorer",
    "kv-cache-utilization-scorer",
    "label-filter",
    "lora-affinity-scorer",
    "max-score-picker",
    "prefix-cache-scorer",
    "queue-scorer",
    "random-picker",
    "single-profile-handler",
    "weighted-random-picker",
];

/// Who runs the profiles: nobody, one that takes a single profile, or Dynamo's, which runs `prefill` and `decode` only
/// (`Pick` in `epp/pkg/plugins/disagg/profile_handler.go`; of the gateway API's loader `no profile handler was specified`).
fn profile_handler(config: &Node, out: &mut Findings) {
    let types = || config.get("plugins").into_iter().flat_map(Node::items).filter_map(|p| p.get("type"));
    let profiles: Vec<&Node> =
        config.get("schedulingProfiles").into_iter().flat_map(Node::items).filter_map(|p| p.get("name")).collect();
    let handler = types().find(|kind| kind.as_text().is_some_and(|t| t.contains("handler")));
    let refused = "the endpoint picker refuses its configuration";
    let (at, message, label, help) = match (handler, handler.and_then(Node::as_text)) {
        (None, _) if profiles.len() > 1 => {
            let Some(first) = types().next() else { return };
            (
                first.span,
                "several profiles, and no plugin that chooses between them".to_owned(),
                refused,
                "add a plugin of `type: disagg-profile-handler`",
            )
        }
        (Some(kind), Some("single-profile-handler")) if profiles.len() > 1 => (
            kind.span,
            format!("`single-profile-handler` beside {} profiles", profiles.len()),
            refused,
            "write `disagg-profile-handler`",
        ),
        (Some(_), Some("disagg-profile-handler")) => {
            let other = |name: &&&Node| name.as_text().is_some_and(|t| !matches!(t, "prefill" | "decode"));
            let Some(name) = profiles.iter().find(other) else { return };
            (
                name.span,
                format!("nothing runs the profile `{}`", name.as_text().unwrap_or_default()),
                "`disagg-profile-handler` runs `prefill`, then `decode`: without one of them that role is picked by nobody",
                "call it `prefill` or `decode`",
            )
        }
        _ => return,
    };
    out.report(at, message, label).subject("schedulingProfiles").help(help).emit();
}

/// A second picker in a profile (`AddPlugins` of the gateway API's scheduler: `already have a registered picker plugin`).
fn second_picker(config: &Node, out: &mut Findings) {
    let plugins = || config.get("plugins").into_iter().flat_map(Node::items);
    let called = |p: &Node, name: &str| {
        p.get("name").filter(|n| !n.is_null()).or_else(|| p.get("type")).and_then(Node::as_text) == Some(name)
    };
    let picks = |name: &str| {
        let plugin = plugins().find(|p| called(p, name));
        plugin.and_then(|p| p.get("type")?.as_text()).is_some_and(|kind| kind.ends_with("-picker"))
    };
    for profile in config.get("schedulingProfiles").into_iter().flat_map(Node::items) {
        let references = profile.get("plugins").into_iter().flat_map(Node::items).filter_map(|r| r.get("pluginRef"));
        let mut pickers = references.filter(|node| node.as_text().is_some_and(picks));
        let (Some(first), Some(second)) = (pickers.next(), pickers.next()) else { continue };
        out.report(second.span, "a profile has one picker at most", "the endpoint picker refuses its configuration")
            .subject("pluginRef")
            .label(first.span, "the first one")
            .help("keep one of them")
            .emit();
    }
}

/// The role that a plugin is for: Dynamo's scorers, and filters that keep pods of one type only.
fn plugin_role(plugin: &Node) -> Option<&str> {
    let role = match plugin.get("type")?.as_text()? {
        "dyn-prefill-scorer" => "prefill",
        "dyn-decode-scorer" => "decode",
        "label-filter" => match plugin.at(&["parameters", "validValues"])?.as_seq()? {
            [only] => only.as_text()?,
            _ => return None,
        },
        _ => return None,
    };
    matches!(role, "prefill" | "decode").then_some(role)
}

/// A plugin for the other role, in a profile that picks for one.
fn foreign_plugin(config: &Node, out: &mut Findings) {
    let plugins = || config.get("plugins").into_iter().flat_map(Node::items);
    let called = |p: &Node, name: &str| {
        p.get("name").filter(|n| !n.is_null()).or_else(|| p.get("type")).and_then(Node::as_text) == Some(name)
    };
    for profile in config.get("schedulingProfiles").into_iter().flat_map(Node::items) {
        let Some(own) = profile.get("name").and_then(Node::as_text).filter(|n| matches!(*n, "prefill" | "decode"))
        else {
            continue;
        };
        for reference in profile.get("plugins").into_iter().flat_map(Node::items) {
            let Some((node, name)) = reference.get("pluginRef").and_then(|n| Some((n, n.as_text()?))) else { continue };
            let Some(plugin) = plugins().find(|p| called(p, name)) else { continue };
            let Some(role) = plugin_role(plugin).filter(|role| *role != own) else { continue };
            out.report(
                node.span,
                format!("the profile `{own}` uses `{name}`, which is for {role} workers"),
                format!("requests get a {role} worker where a {own} worker is to be picked"),
            )
            .subject(name)
            .label(plugin.get("type").map_or(plugin.span, |t| t.span), format!("for {role} workers"))
            .help(format!("refer to the plugin for {own} workers"))
            .emit();
        }
    }
}

/// `epp-plugin-reference`
pub fn epp_plugin_reference(recipe: &Recipe, out: &mut Findings) {
    for config in picker_configs(recipe) {
        profile_handler(&config, out);
        foreign_plugin(&config, out);
        second_picker(&config, out);
        super::label_filters::label_filters(recipe, &config, out);
        for kind in config.get("plugins").into_iter().flat_map(Node::items).filter_map(|p| p.get("type")) {
            let Some(text) = kind.as_text().filter(|t| !PLUGINS.contains(t)) else { continue };
            let last = text.rsplit('-').next().unwrap_or_default();
            // Names of Dynamo's own are known; other pickers have plugins of their own.
            let own = text.starts_with("dyn") && !text.contains(['$', '<', '{']);
            let tail = |known: &str| {
                own && known.starts_with("dyn")
                    && text.split('-').rev().zip(known.split('-').rev()).take(2).all(|(a, b)| a == b)
            };
            let near = PLUGINS.iter().find(|known| {
                crate::catalog::is_slip(text, known)
                    || known.strip_prefix(text).is_some_and(|rest| rest.starts_with('-'))
            });
            let near = near.or_else(|| PLUGINS.iter().find(|known| tail(known)));
            let near =
                near.or_else(|| PLUGINS.iter().find(|known| own && last == "handler" && known.ends_with("handler")));
            let Some(near) =
                near.or_else(|| PLUGINS.iter().find(|known| own && known.starts_with("dyn") && known.ends_with(last)))
            else {
                continue;
            };
            out.report(
                kind.span,
                format!("there is no plugin of type `{text}`"),
                "the endpoint picker refuses its configuration",
            )
            .subject(text)
            .severity(crate::finding::Severity::Error)
            .help(format!("did you mean `{near}`?"))
            .emit();
        }
        let plugins: Vec<&str> = config
            .get("plugins")
            .into_iter()
            .flat_map(Node::items)
            .filter_map(|p| p.get("name").filter(|n| !n.is_null()).or_else(|| p.get("type"))?.as_text())
            .collect();
        let profiles = config.get("schedulingProfiles").into_iter().flat_map(Node::items);
        for reference in profiles.filter_map(|p| p.get("plugins")).flat_map(Node::items) {
            let Some(node) = reference.get("pluginRef") else { continue };
            let Some(name) = node.as_text().filter(|t| !t.contains(['$', '<', '{'])) else { continue };
            if !plugins.is_empty() && !plugins.contains(&name) {
                let near = plugins.iter().find(|p| strsim::osa_distance(p, name) <= 2);
                out.report(
                    node.span,
                    format!("no plugin is called `{name}`"),
                    "the endpoint picker refuses its configuration",
                )
                .subject(name)
                .severity(crate::finding::Severity::Error)
                .help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "the plugins are {}",
                        plugins.iter().map(|p| format!("`{p}`")).collect::<Vec<_>>().join(", ")
                    ),
                })
                .emit();
            } else if reference.get("weight").is_none() {
                out.report(
                    node.span,
                    format!("the reference to plugin `{name}` has no weight"),
                    "picker releases that ask for one refuse the configuration, others leave a scorer out",
                )
                .subject(name)
                .severity(crate::finding::Severity::Advice)
                .help("add `weight: 1`")
                .fix_edits(Applicability::Unsafe, weight(reference, recipe).into_iter().collect())
                .emit();
            }
        }
    }
}
