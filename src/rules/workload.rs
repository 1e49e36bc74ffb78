//! Scripts and variables of containers that no graph resolves (a Job, a Pod, a sidecar).

use crate::command::{self, Word, is_shell};
use crate::manifest::{Container, EnvSource};
use crate::resolve::Recipe;
use crate::source::{Reason, Span, Text};
use crate::yaml::Node;

/// Every container written in a file, graphs and native workloads alike, with the name of its owner.
pub(super) fn containers(recipe: &Recipe) -> Vec<(&str, &Container)> {
    let mut all = Vec::new();
    for object in &recipe.here {
        if let Some(graph) = object.graph() {
            for component in &graph.components {
                all.extend(component.containers().map(|c| (component.name.value.as_str(), c)));
            }
        } else if let Some(workload) = object.workload() {
            let own = workload.containers.iter().chain(&workload.init_containers);
            all.extend(own.map(|c| (object.name.as_str(), c)));
        }
    }
    all
}

/// The value of a container's own variable; `None` when it does not set it.
pub(super) fn env(container: &Container, recipe: &Recipe, name: &str) -> Option<Word> {
    let (_, entry) = container.env.iter().rev().find(|(_, e)| e.name.value == name)?;
    let unknown = |reason: Reason| Word::unknown(Text::opaque(format!("${{{name}}}"), entry.node.span), reason);
    Some(match &entry.source {
        EnvSource::Value(Some(node)) => match recipe.text(node) {
            Some(text) => Word::known(text),
            None => unknown(Reason::Cluster("value".to_owned())),
        },
        EnvSource::Value(None) => Word::known(Text::empty(entry.node.span)),
        EnvSource::ConfigMap { name: map, key, .. } => {
            let data = recipe.find("ConfigMap", map).and_then(|o| o.data(key)).and_then(|n| recipe.text(n));
            data.map_or_else(|| unknown(Reason::MissingConfigMap(map.clone())), Word::known)
        }
        EnvSource::Secret { name, .. } => unknown(Reason::Secret(name.clone())),
        EnvSource::Field { path, .. } => unknown(Reason::Downward(path.clone())),
        EnvSource::Unknown(_) => unknown(Reason::Cluster("valueFrom".to_owned())),
    })
}

/// What to write for the first word of a command that is no program: an option, a module.
pub(super) fn no_program(word: &str) -> Option<String> {
    if word.starts_with('-') {
        return Some("put the program in front of it".to_owned());
    }
    word.starts_with("dynamo.").then(|| format!("write `python3 -m {word}`"))
}

/// The shell that is a slip away from a word (`/bni/sh`), unless it is one of another name.
pub(super) fn near_shell(word: &str) -> Option<&'static str> {
    let name = |path: &str| path.rsplit('/').next() == word.rsplit('/').next();
    let slip = |shell: &&str| crate::catalog::is_slip(word, shell) && (name(shell) || !is_shell(word));
    ["/bin/sh", "/bin/bash", "/usr/bin/bash"].into_iter().find(slip)
}

/// Position of the script among the words of a command line: behind the first `-c`, `-lc`, `-exc` of a shell.
pub(super) fn script_index<'a>(mut words: impl Iterator<Item = &'a Node>) -> Option<usize> {
    is_shell(words.next()?.as_text()?).then_some(())?;
    let flag = words
        .take_while(|w| w.as_text().is_some_and(|t| t.starts_with(['-', '+'])))
        .position(|w| w.as_text().is_some_and(|t| !t.starts_with("--") && t.starts_with('-') && t.contains('c')))?;
    Some(flag + 2)
}

/// Entries of `command`, then those of `args`.
pub(super) fn words(container: &Container) -> impl Iterator<Item = &Node> {
    container.command.items.iter().chain(&container.args.items)
}

/// Whether a word of a container's command, or of the script in it, is the name of that module.
pub(super) fn names_module(container: &Container, module: &str) -> bool {
    words(container).filter_map(Node::as_text).any(|text| text.split_whitespace().any(|word| word == module))
}

/// The script of a container that starts a shell.
pub(super) fn script(container: &Container) -> Option<&Node> {
    words(container).nth(script_index(words(container))?)
}

/// What the shell cannot parse in a container's script, first error first; nothing for a container without a shell.
pub(super) fn script_errors(container: &Container, recipe: &Recipe) -> Vec<(Span, String)> {
    let Some((node, scalar)) = script(container).and_then(|node| Some((node, node.as_scalar()?))) else {
        return Vec::new();
    };
    // Text to be filled by another tool is no script yet; what a graph runs was parsed when the graph was resolved.
    if scalar.value.contains("{{") || recipe.is_sound(&scalar.value) {
        return Vec::new();
    }
    recipe.text(node).map(|script| command::syntax_errors(&script)).unwrap_or_default()
}

/// Whether placeholders stand outside commands and `env`: then the file is filled in before it is applied.
pub(super) fn is_template(node: &Node) -> bool {
    if node.as_scalar().is_some_and(|s| s.value.contains("${")) || node.items().any(is_template) {
        return true;
    }
    node.entries()
        .any(|e| !matches!(&*e.key.name, "command" | "args" | "env" | "envs" | "data") && is_template(&e.value))
}
