//! Routes and the Gateways that they are to be attached to.

use super::near::beside_recipe;
use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

/// Gateways of the recipe that do not take a route of it: no such listener, one for routes of its own namespace, or the route
/// names another one and nobody this.
pub(super) fn parents(recipe: &Recipe, out: &mut Findings) {
    fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
        node.get(key)?.as_text()
    }
    fn of(route: &Object) -> impl Iterator<Item = &Node> {
        route.node.at(&["spec", "parentRefs"]).into_iter().flat_map(Node::items)
    }
    let routes = || recipe.here.iter().filter(|o| o.kind == "HTTPRoute");
    for route in routes() {
        let mut gateways = beside_recipe(recipe, route.file, "Gateway");
        gateways.extend(recipe.here.iter().filter(|o| o.kind == "Gateway"));
        gateways.dedup_by_key(|gateway| gateway.name_span);
        gateways.retain(|gateway| gateway.group() == "gateway.networking.k8s.io");
        if gateways.is_empty() {
            continue;
        }
        for parent in of(route) {
            let Some(name) = parent.get("name").filter(|_| text(parent, "kind").is_none_or(|kind| kind == "Gateway"))
            else {
                continue;
            };
            let wanted = text(parent, "namespace").or(route.namespace.as_deref());
            let there = |g: &Object| g.namespace.as_deref().zip(wanted).is_none_or(|(place, wanted)| place == wanted);
            let called = name.as_text().unwrap_or_default();
            let known = gateways.iter().find(|g| g.name == called && there(g));
            let routed = |g: &Object| routes().flat_map(of).any(|p| text(p, "name") == Some(&*g.name));
            let gateway = match (known, &gateways[..]) {
                (Some(gateway), _) => gateway,
                (None, [only]) if there(only) && !routed(only) && !called.contains(['$', '<', '{']) => only,
                _ => continue,
            };
            let listeners = || gateway.node.at(&["spec", "listeners"]).into_iter().flat_map(Node::items);
            let section =
                parent.get("sectionName").filter(|s| s.as_text().is_some_and(|t| !t.contains(['$', '<', '{'])));
            let closed =
                |l: &Node| l.at(&["allowedRoutes", "namespaces", "from"]).and_then(Node::as_text) == Some("Same");
            let apart = gateway.namespace.as_ref().zip(route.namespace.as_ref()).is_some_and(|(a, b)| a != b);
            let (at, message, help) = if known.is_none() {
                (name, format!("no Gateway `{called}` in this recipe"), format!("write `{}`", gateway.name))
            } else if let Some(section) = section.filter(|s| listeners().all(|l| text(l, "name") != s.as_text())) {
                let names: Vec<String> = listeners().filter_map(|l| Some(format!("`{}`", text(l, "name")?))).collect();
                let message = format!("the Gateway has no listener `{}`", section.as_text().unwrap_or_default());
                (section, message, format!("write {}", names.join(" or ")))
            } else if apart && listeners().next().is_some() && listeners().all(closed) {
                let help = "write `from: All` in `allowedRoutes.namespaces` of the listener".to_owned();
                let from = listeners().find_map(|l| l.at(&["allowedRoutes", "namespaces", "from"]));
                (from.unwrap_or(name), "the Gateway takes routes of its own namespace only".to_owned(), help)
            } else {
                continue;
            };
            out.report(at.span, message, "the route is attached to nothing")
                .subject("parentRefs")
                .label(gateway.name_span, "the Gateway that is made")
                .help(help)
                .emit();
        }
    }
}
