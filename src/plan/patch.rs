//! The change of the frontend as something to read, and as a patch for kustomize.

use serde_json::{Value, json};

use super::Worker;
use super::edits::{MODE_FLAG, Wanted, publishing};
use crate::manifest::ApiVersion;
use crate::resolve::{Deployment, Service};
use crate::yaml::{Node, Style, edit};

/// The environment that the frontend gets, in the manifest's own shape; what flags say is a comment.
pub(super) fn yaml(deployment: &Deployment, service: &Service, wanted: &Wanted<'_>) -> String {
    let name = edit::quoted(&service.name, Style::Plain, false);
    let (head, blanks) = match deployment.graph.shape {
        ApiVersion::V1Alpha1 => (format!("spec:\n  services:\n    {name}:\n      envs:\n"), 8),
        ApiVersion::V1Beta1 => (
            format!(
                "spec:\n  components:\n    - name: {name}\n      podTemplate:\n        spec:\n          containers:\n            \
                 - name: main\n              env:\n"
            ),
            16,
        ),
    };
    let blanks = " ".repeat(blanks);
    let mut out = String::new();
    if said(service).is_some_and(|mode| mode != Some(wanted.mode)) {
        out.push_str(&format!("# on its command line, which wins over variables: {MODE_FLAG} {}\n", wanted.mode));
    }
    let variables = wanted.variables(service);
    if !variables.is_empty() {
        out.push_str(&head);
    }
    for (name, value) in variables {
        let value = edit::quoted(&value, Style::Plain, false);
        out.push_str(&format!("{blanks}- name: {name}\n{blanks}  value: {value}\n"));
    }
    out
}

/// JSON 6902 operations: kustomize merges lists of custom resources as a whole, so that a strategic patch would lose the
/// rest of the environment. `silent` workers get what makes them publish. None where a command line is not a list.
pub(super) fn json6902(
    deployment: &Deployment,
    service: &Service,
    wanted: &Wanted<'_>,
    silent: &[&Worker],
) -> Option<String> {
    // A command line in a script has no path of its own.
    if said(service).is_some_and(|mode| mode != Some(wanted.mode)) {
        return None;
    }
    let mut operations = environment(deployment, service, &wanted.variables(service))?;
    for worker in silent {
        let service = deployment.services.iter().find(|service| service.name == worker.service)?;
        operations.extend(words(deployment, service, &publishing(worker)?)?);
    }
    serde_yaml::to_string(&operations).ok()
}

/// Where a service is, and where its main container: the path and the node of each, as far as they are written.
struct Place<'d> {
    component: (String, &'d Node),
    container: Option<(String, &'d Node)>,
}

fn place<'d>(deployment: &'d Deployment, service: &'d Service) -> Option<Place<'d>> {
    let component = &service.component.node;
    match deployment.graph.shape {
        ApiVersion::V1Alpha1 => {
            let path = format!("/spec/services/{}", escape(&service.name));
            let main = component.at(&["extraPodSpec", "mainContainer"]);
            let container = main.map(|node| (format!("{path}/extraPodSpec/mainContainer"), node));
            Some(Place { component: (path, component), container })
        }
        ApiVersion::V1Beta1 => {
            let components = deployment.graph.object.node.at(&["spec", "components"])?.as_seq()?;
            let at = components.iter().position(|node| node.span == component.span)?;
            let path = format!("/spec/components/{at}");
            let containers = component.at(&["podTemplate", "spec", "containers"]).and_then(Node::as_seq);
            let main = |node: &Node| node.get("name").and_then(Node::as_text) == Some("main");
            let container = containers.and_then(|list| list.iter().position(main).map(|index| (index, &list[index])));
            let container =
                container.map(|(index, node)| (format!("{path}/podTemplate/spec/containers/{index}"), node));
            Some(Place { component: (path, component), container })
        }
    }
}

/// Operations that set variables.
fn environment(deployment: &Deployment, service: &Service, variables: &[(&str, String)]) -> Option<Vec<Value>> {
    let entry = |(name, value): &(&str, String)| json!({"name": name, "value": value});
    let all = || -> Vec<Value> { variables.iter().map(entry).collect() };
    let Place { component: (path, component), container } = place(deployment, service)?;
    fn filled<'n>(node: &'n Node, key: &str) -> Option<&'n [Node]> {
        node.get(key).and_then(Node::as_seq).filter(|list| !list.is_empty())
    }
    let (path, list) = match (deployment.graph.shape, container) {
        // What `mainContainer.env` says wins over `envs`.
        (ApiVersion::V1Alpha1, Some((main, node))) if filled(node, "env").is_some() => {
            (format!("{main}/env"), filled(node, "env"))
        }
        (ApiVersion::V1Alpha1, _) => (format!("{path}/envs"), filled(component, "envs")),
        (ApiVersion::V1Beta1, Some((main, node))) => (format!("{main}/env"), filled(node, "env")),
        (ApiVersion::V1Beta1, None) if component.get("podTemplate").is_none() => {
            let template = json!({"spec": {"containers": [{"name": "main", "env": all()}]}});
            return Some(vec![json!({"op": "add", "path": format!("{path}/podTemplate"), "value": template})]);
        }
        (ApiVersion::V1Beta1, None) => return None,
    };
    let Some(list) = list else { return Some(vec![json!({"op": "add", "path": path, "value": all()})]) };
    let operation = |variable: &(&str, String)| {
        let named = |node: &Node| node.get("name").and_then(Node::as_text) == Some(variable.0);
        match list.iter().position(named) {
            Some(at) => json!({"op": "replace", "path": format!("{path}/{at}"), "value": entry(variable)}),
            None => json!({"op": "add", "path": format!("{path}/-"), "value": entry(variable)}),
        }
    };
    Some(variables.iter().map(operation).collect())
}

/// Operations that add words to a command line which is a list of words.
fn words(deployment: &Deployment, service: &Service, words: &[&str]) -> Option<Vec<Value>> {
    let (path, node) = place(deployment, service)?.container?;
    let list = |key: &str| node.get(key).and_then(Node::as_seq).unwrap_or_default();
    // What a shell reads is one word.
    let scripted =
        |node: &Node| node.as_text().is_some_and(|text| text == "-c" || text == "-lc" || text.contains('\n'));
    if list("command").iter().chain(list("args")).any(scripted) {
        return None;
    }
    let key = if list("args").is_empty() { "command" } else { "args" };
    if list(key).is_empty() {
        return None;
    }
    Some(words.iter().map(|word| json!({"op": "add", "path": format!("{path}/{key}/-"), "value": word})).collect())
}

/// The mode that the command line says, when it says one.
fn said(service: &Service) -> Option<Option<&str>> {
    Some(service.flag(&[MODE_FLAG])?.value().and_then(|word| word.as_known()))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
