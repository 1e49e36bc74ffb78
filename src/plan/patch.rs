//! The change of the frontend as something to read, and as a patch for kustomize.

use serde_json::{Value, json};

use super::edits::{MODE_FLAG, Wanted};
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
/// rest of the environment.
pub(super) fn json6902(deployment: &Deployment, service: &Service, wanted: &Wanted<'_>) -> Option<String> {
    // A command line in a script has no path of its own.
    if said(service).is_some_and(|mode| mode != Some(wanted.mode)) {
        return None;
    }
    let component = &service.component.node;
    let (path, holder) = match deployment.graph.shape {
        ApiVersion::V1Alpha1 => (format!("/spec/services/{}", escape(&service.name)), Some(component)),
        ApiVersion::V1Beta1 => {
            let components = deployment.graph.object.node.at(&["spec", "components"])?.as_seq()?;
            let at = components.iter().position(|node| node.span == component.span)?;
            let containers = component.at(&["podTemplate", "spec", "containers"]).and_then(Node::as_seq);
            let main = |node: &Node| node.get("name").and_then(Node::as_text) == Some("main");
            match containers.and_then(|list| list.iter().position(main).map(|index| (index, &list[index]))) {
                Some((index, node)) => {
                    (format!("/spec/components/{at}/podTemplate/spec/containers/{index}"), Some(node))
                }
                None if component.get("podTemplate").is_none() => (format!("/spec/components/{at}"), None),
                None => return None,
            }
        }
    };
    let variables = wanted.variables(service);
    let entry = |(name, value): &(&str, String)| json!({"name": name, "value": value});
    let key = if deployment.graph.shape == ApiVersion::V1Alpha1 { "envs" } else { "env" };
    let Some(holder) = holder else {
        let env: Vec<Value> = variables.iter().map(entry).collect();
        let template = json!({"spec": {"containers": [{"name": "main", "env": env}]}});
        return write(&[json!({"op": "add", "path": format!("{path}/podTemplate"), "value": template})]);
    };
    // What `mainContainer.env` says wins over `envs`.
    let (path, key, list) = match holder.at(&["extraPodSpec", "mainContainer", "env"]).and_then(Node::as_seq) {
        Some(list) if key == "envs" && !list.is_empty() => {
            (format!("{path}/extraPodSpec/mainContainer"), "env", Some(list))
        }
        _ => (path, key, holder.get(key).and_then(Node::as_seq).filter(|list| !list.is_empty())),
    };
    let Some(list) = list else {
        let env: Vec<Value> = variables.iter().map(entry).collect();
        return write(&[json!({"op": "add", "path": format!("{path}/{key}"), "value": env})]);
    };
    let operation = |variable: &(&str, String)| {
        let named = |node: &Node| node.get("name").and_then(Node::as_text) == Some(variable.0);
        match list.iter().position(named) {
            Some(at) => json!({"op": "replace", "path": format!("{path}/{key}/{at}"), "value": entry(variable)}),
            None => json!({"op": "add", "path": format!("{path}/{key}/-"), "value": entry(variable)}),
        }
    };
    write(&variables.iter().map(operation).collect::<Vec<_>>())
}

/// The mode that the command line says, when it says one.
fn said(service: &Service) -> Option<Option<&str>> {
    Some(service.flag(&[MODE_FLAG])?.value().and_then(|word| word.as_known()))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn write(operations: &[Value]) -> Option<String> {
    serde_yaml::to_string(operations).ok()
}
