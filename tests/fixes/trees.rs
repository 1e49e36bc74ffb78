//! Kustomize trees with a manifest in them: as the base of overlays, or with parts of it moved into a patch.

use std::path::Path;

use dynlint::source::Sources;
use dynlint::yaml::{self, Kind, Limits, Node};

use super::property::Numbers;

/// A graph of a manifest, as text.
struct Graph<'t> {
    api: String,
    kind: String,
    name: String,
    /// `services` or `components`, and its lines.
    key: String,
    lines: &'t str,
    /// Each service with its lines, where they stand in a mapping.
    services: Vec<(String, &'t str)>,
    /// Lists of variables: JSON pointer, and the lines of the list.
    lists: Vec<(String, &'t str)>,
}

/// Whole lines of a byte range.
fn lines(text: &str, start: usize, end: usize) -> &str {
    let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    &text[start..end]
}

/// Whether a node is written in blocks: its lines can stand elsewhere with another indentation.
fn block(text: &str, node: &Node) -> bool {
    node.alias().is_none() && node.anchor().is_none() && !text[node.span.range()].starts_with(['{', '['])
}

fn graphs<'t>(text: &'t str, root: &Node) -> Option<Graph<'t>> {
    let word = |path: &[&str]| root.at(path).and_then(Node::as_text).map(str::to_owned);
    let kind = word(&["kind"]).filter(|kind| kind == "DynamoGraphDeployment")?;
    let spec = root.get("spec").filter(|spec| block(text, spec))?;
    let entry = ["services", "components"].into_iter().find_map(|key| spec.entry(key))?;
    if !block(text, &entry.value) {
        return None;
    }
    let all = |key: usize, node: &Node| lines(text, key, node.span.range().end);
    let (mut services, mut lists) = (Vec::new(), Vec::new());
    if let Kind::Map(map) = &*entry.value.kind {
        for service in &map.entries {
            let name = service.key.name.to_string();
            if let Some(envs) = service.value.get("envs").filter(|envs| block(text, envs) && envs.as_seq().is_some()) {
                let list = lines(text, envs.span.range().start, envs.span.range().end);
                lists.push((format!("/spec/services/{name}/envs"), list));
            }
            if block(text, &service.value) {
                services.push((name, all(service.key.span.range().start, &service.value)));
            }
        }
    }
    Some(Graph {
        api: word(&["apiVersion"])?,
        kind,
        name: word(&["metadata", "name"])?,
        key: entry.key.name.to_string(),
        lines: all(entry.key.span.range().start, &entry.value),
        services,
        lists,
    })
}

/// Lines moved to the left until the first stands at `indent`; none where one stands further left than the first.
fn moved(lines: &str, indent: usize) -> Option<String> {
    let first = lines.len() - lines.trim_start_matches(' ').len();
    let mut out = String::new();
    for line in lines.lines() {
        let rest = match line.trim() {
            "" => "",
            _ => line.get(first..).filter(|_| line[..first].trim().is_empty())?,
        };
        let indent = if rest.is_empty() { 0 } else { indent };
        out.push_str(&format!("{:indent$}{rest}\n", ""));
    }
    Some(out)
}

impl Graph<'_> {
    fn head(&self) -> String {
        format!("apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\nspec:\n", self.api, self.kind, self.name)
    }

    /// A patch that says again what a part of the graph says, with the lines as they are.
    fn patch(&self, numbers: &mut Numbers) -> Option<(String, String)> {
        let by_path = "patches:\n  - path: patch.yaml\n".to_owned();
        match numbers.below(3) {
            0 if !self.lists.is_empty() => {
                let (pointer, list) = &self.lists[numbers.below(self.lists.len())];
                let patch = format!("- op: replace\n  path: {pointer}\n  value:\n{}", moved(list, 4)?);
                let target = format!("    target: {{kind: {}, name: {}}}\n", self.kind, self.name);
                Some((patch, by_path + &target))
            }
            1 if !self.services.is_empty() => {
                let (_, service) = &self.services[numbers.below(self.services.len())];
                Some((format!("{}  {}:\n{}", self.head(), self.key, moved(service, 4)?), by_path))
            }
            _ => Some((format!("{}{}", self.head(), moved(self.lines, 2)?), by_path)),
        }
    }
}

/// Writes a tree with that manifest; `None` where it has no graph whose parts can be moved.
pub fn plant(text: &str, dir: &Path, numbers: &mut Numbers) -> Option<()> {
    let file = Sources::new().add(String::new(), None, text.to_owned());
    let stream = yaml::parse(&file, &Limits::default());
    let roots = stream.documents.iter().filter_map(|document| document.root.as_ref());
    let graphs: Vec<Graph<'_>> = roots.filter_map(|root| graphs(&file.text, root)).collect();
    let graph = graphs.get(numbers.below(graphs.len()))?;
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("written");
    };
    write("base/deploy.yaml", text);
    write("base/kustomization.yaml", "resources: [deploy.yaml]\n");
    let (patch, kustomization) = graph.patch(numbers)?;
    for overlay in 0..1 + numbers.below(3) {
        let name = ["one", "two", "three"][overlay];
        let mut text = format!("namespace: {name}\nresources: [../../base]\n");
        // The first overlay may share the base as it is.
        if overlay > 0 || numbers.below(2) == 0 {
            text.push_str(&kustomization);
            write(&format!("overlays/{name}/patch.yaml"), &patch);
        }
        write(&format!("overlays/{name}/kustomization.yaml"), &text);
    }
    Some(())
}
