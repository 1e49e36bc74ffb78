//! Backends of routes.

use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

/// `route-backend-missing`
pub fn route_backend_missing(recipe: &Recipe, out: &mut Findings) {
    super::in_front::routes(recipe, out);
    super::in_front::picker_host(recipe, out);
    for route in recipe.here.iter().filter(|o| o.kind == "HTTPRoute") {
        let rules = route.node.at(&["spec", "rules"]);
        for backend in
            rules.into_iter().flat_map(Node::items).filter_map(|r| r.get("backendRefs")).flat_map(Node::items)
        {
            let kind = backend.get("kind").and_then(Node::as_text).unwrap_or("Service");
            let Some(name) = backend.get("name") else { continue };
            let Some(text) = name.as_text().filter(|t| !t.contains(['$', '<', '{'])) else { continue };
            if kind != "InferencePool" {
                wrong_kind(recipe, route, backend, kind, out);
                continue;
            }
            let near = super::near::recipe_directory(recipe, route.file, "InferencePool");
            let group = backend.get("group").and_then(Node::as_text).unwrap_or_default();
            let there: Vec<_> = near.iter().filter(|pool| pool.name == text).collect();
            let elsewhere = !group.contains(['$', '<', '{']) && there.iter().all(|pool| pool.group() != group);
            let other = there.first().filter(|_| elsewhere);
            if group.is_empty() || other.is_some() {
                let at = backend.get("group").or(backend.get("kind")).map_or(name.span, |node| node.span);
                let message = match group {
                    "" => "the core group has no kind `InferencePool`".to_owned(),
                    _ => format!("the pool `{text}` is of another group"),
                };
                out.report(at, message, "the route has no backend: requests get 500")
                    .subject("group")
                    .label_opt(other.map(|pool| pool.name_span), "this pool")
                    .help(format!(
                        "write `group: {}`",
                        other.map_or("inference.networking.k8s.io", |pool| pool.group())
                    ))
                    .emit();
                continue;
            }
            let graphs = super::near::recipe_directory(recipe, route.file, "DynamoGraphDeployment");
            let made = near.iter().map(|o| o.name.clone()).chain(graphs.iter().map(|g| format!("{}-pool", g.name)));
            let made: Vec<String> = made.collect();
            if near.is_empty() && group == "inference.networking.x-k8s.io" && made.iter().any(|m| m == text) {
                let at = backend.get("group").map_or(name.span, |node| node.span);
                let message = format!("the pool `{text}` that the operator makes is of another group");
                out.report(at, message, "the route has no backend: requests get 500")
                    .subject("group")
                    .help("write `group: inference.networking.k8s.io`")
                    .emit();
                continue;
            }
            if made.is_empty() || made.iter().any(|m| m == text) {
                continue;
            }
            out.report(
                name.span,
                format!("no InferencePool `{text}` in this recipe"),
                "the route has no backend: requests get 500",
            )
            .subject("backendRefs")
            .help(format!("write {}", made.iter().take(4).map(|m| format!("`{m}`")).collect::<Vec<_>>().join(" or ")))
            .emit();
        }
    }
}

/// A pool that a route names as another kind.
fn wrong_kind(recipe: &Recipe, route: &Object, backend: &Node, kind: &str, out: &mut Findings) {
    let pool = || {
        let (name, port) = (backend.get("name")?, backend.get("kind"));
        let graphs = super::near::recipe_directory(recipe, route.file, "DynamoGraphDeployment");
        let pools = super::near::recipe_directory(recipe, route.file, "InferencePool");
        let text = name.as_text()?;
        let picked = |g: &&Object| {
            g.graph()
                .is_some_and(|g| g.components.iter().any(|c| c.component_type == crate::manifest::ComponentType::Epp))
        };
        let graphs: Vec<&Object> = graphs.into_iter().filter(picked).collect();
        let made = graphs.iter().any(|g| text.strip_suffix("-pool") == Some(g.name.as_str()))
            || pools.iter().any(|p| p.name == text);
        let service = !recipe.around.has("Service", text) && recipe.find("Service", text).is_none();
        (kind == "Service" && made && service).then(|| port.unwrap_or(name).span)
    };
    let slip = kind.eq_ignore_ascii_case("InferencePool") || crate::catalog::is_slip(kind, "InferencePool");
    let at = if slip { backend.get("kind").map(|node| node.span) } else { pool() };
    let Some(at) = at else { return };
    out.report(
        at,
        "the backend is an inference pool, and is not named as one",
        "the route has no backend: requests get 500",
    )
    .subject("kind")
    .help("write `group: inference.networking.k8s.io` and `kind: InferencePool`")
    .emit();
}
