//! Environment variables.

use super::file;
use crate::manifest::{ApiVersion, EnvLayer, EnvSource};
use crate::resolve::{Deployment, Layer, Service};
use crate::source::{Edit, SourceFile, Span};
use crate::yaml::edit::{New, append_item, delete_entry, delete_item, insert_entry, replace};
use crate::yaml::{Node, edit};

/// Makes a variable have that value for a service: where its own lists say it, there; else by a new entry, so that a
/// list which other services share stays as it is.
#[must_use]
pub fn set_variable(deployment: &Deployment, service: &Service, name: &str, value: &str) -> Option<Vec<Edit>> {
    let sources = &*deployment.recipe.sources;
    let Some(var) = service.env.get(name) else { return insert_variable(deployment, service, name, value) };
    let winner = var.winner();
    match winner.layer {
        Layer::ContainerEnv | Layer::ServiceEnv => {
            let own = |entry: &&(EnvLayer, crate::manifest::EnvEntry)| Some(entry.1.node.span) == winner.entry_span;
            let (_, entry) = service.component.main.env.iter().find(own)?;
            let EnvSource::Value(Some(node)) = &entry.source else { return None };
            if entry.node.alias().is_some() {
                return None;
            }
            Some(vec![replace(node, &file(sources, node.span), value)?])
        }
        Layer::ShellExport | Layer::ShellPrefix => {
            let text = winner.value.known()?;
            let span = text.span();
            let safe = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:,-".contains(&b));
            let exact = file(sources, span).text.get(span.range()) == Some(text.as_str());
            (exact && !text.is_empty() && safe(value) && !value.is_empty())
                .then(|| vec![Edit { span, text: value.to_owned() }])
        }
        // The operator sets it whatever the manifest says.
        Layer::OperatorForced => None,
        Layer::Image | Layer::EnvFrom | Layer::OperatorDefault | Layer::GraphEnv => {
            insert_variable(deployment, service, name, value)
        }
    }
}

/// Adds an entry to the list of a service, which is made when there is none.
#[must_use]
pub fn insert_variable(deployment: &Deployment, service: &Service, name: &str, value: &str) -> Option<Vec<Edit>> {
    insert_variables(deployment, service, &[(name, value)])
}

/// Adds entries to the list of a service, which is made when there is none.
#[must_use]
pub fn insert_variables(deployment: &Deployment, service: &Service, new: &[(&str, &str)]) -> Option<Vec<Edit>> {
    let sources = &*deployment.recipe.sources;
    let component = &service.component;
    let entries: Vec<New> = new.iter().map(|(name, value)| New::env(name, value)).collect();
    let append = |holder: &Node, key: &str| -> Option<Vec<Edit>> {
        let list = &holder.entry(key)?.value;
        let items = list.as_seq()?;
        // A list behind an alias is another service's too.
        if list.alias().is_some() || holder.alias().is_some() || holder.entry(key)?.inherited.is_some() {
            return None;
        }
        let file = file(sources, items.last()?.span);
        Some(vec![append_item(items, list.span, &file, &entries)?])
    };
    let create = |holder: &Node, key: &str, behind: &[&str]| -> Option<Vec<Edit>> {
        if holder.alias().is_some() || holder.entry(key).is_some_and(|e| !e.value.is_null()) {
            return None;
        }
        let file = file(sources, holder.span);
        if let Some(absent) = holder.entry(key) {
            // `envs:` with nothing behind it.
            return fill(absent, &file, &entries);
        }
        let behind = behind.iter().copied().find(|name| holder.get(name).is_some());
        Some(vec![insert_entry(holder, &file, key, &New::Seq(entries.clone()), behind)?])
    };
    let filled = |holder: &Node, key: &str| holder.get(key).and_then(Node::as_seq).is_some_and(|i| !i.is_empty());
    let main = component.main.node.as_ref();
    match deployment.graph.shape {
        ApiVersion::V1Alpha1 => {
            if let Some(main) = main.filter(|main| filled(main, "env")) {
                return append(main, "env");
            }
            if filled(&component.node, "envs") {
                return append(&component.node, "envs");
            }
            create(&component.node, "envs", &["envFromSecret", "replicas", "componentType"])
        }
        ApiVersion::V1Beta1 => match main {
            Some(main) if filled(main, "env") => append(main, "env"),
            Some(main) => create(main, "env", &["args", "command", "image", "name"]),
            None => {
                if component.node.get("podTemplate").is_some() || component.node.alias().is_some() {
                    return None;
                }
                let container = New::Map(vec![
                    ("name".to_owned(), New::text("main")),
                    ("env".to_owned(), New::Seq(entries.clone())),
                ]);
                let containers = New::Map(vec![("containers".to_owned(), New::Seq(vec![container]))]);
                let template = New::Map(vec![("spec".to_owned(), containers)]);
                let file = file(sources, component.node.span);
                Some(vec![insert_entry(&component.node, &file, "podTemplate", &template, None)?])
            }
        },
    }
}

/// Puts a list behind the colon of a key that has nothing there, or an empty list.
fn fill(entry: &crate::yaml::Entry, file: &SourceFile, items: &[New]) -> Option<Vec<Edit>> {
    if entry.value.alias().is_some() || entry.inherited.is_some() || !entry.value.span.is_empty() {
        return None;
    }
    let column = file.line_column(entry.key.span.start).column as usize - 1;
    let (line, blanks) = (edit::newline(file), " ".repeat(column));
    let mut text = String::new();
    for item in items {
        let New::Map(fields) = item else { return None };
        let fields = fields.iter().map(|(key, value)| match value {
            New::Text(text) => Some(format!("{key}: {}", edit::quoted(text, crate::yaml::Style::Plain, false))),
            _ => None,
        });
        let fields = fields.collect::<Option<Vec<_>>>()?;
        text.push_str(&format!("{line}{blanks}  - {}", fields.join(&format!("{line}{blanks}    "))));
    }
    // Behind the colon, and behind a comment that follows it.
    let number = file.line_of(entry.key.span.start);
    let at = u32::try_from(file.line_range(number).end).ok()?;
    Some(vec![Edit::insert(file.id, at, text)])
}

/// Takes variables out of a service: their entries go, with their comments, and the list with its last one. `None` when
/// another place would then set one of them.
#[must_use]
pub fn drop_variables(deployment: &Deployment, service: &Service, names: &[&str]) -> Option<Vec<Edit>> {
    let sources = &*deployment.recipe.sources;
    let component = &service.component;
    let alpha = deployment.graph.shape == ApiVersion::V1Alpha1;
    let mut lists: Vec<(&Node, &str, Vec<usize>)> = Vec::new();
    let mut edits = Vec::new();
    for name in names {
        let var = service.env.get(name)?;
        if var.chain.len() != 1 {
            return None;
        }
        let winner = var.winner();
        let (holder, key) = match winner.layer {
            Layer::ContainerEnv => (component.main.node.as_ref()?, "env"),
            Layer::ServiceEnv => (&component.node, "envs"),
            Layer::GraphEnv => (deployment.graph.object.node.get("spec")?, if alpha { "envs" } else { "env" }),
            Layer::ShellExport => {
                edits.push(exported(&file(sources, winner.entry_span?), winner.entry_span?)?);
                continue;
            }
            _ => return None,
        };
        let items = holder.get(key)?.as_seq()?;
        let at = items.iter().position(|item| Some(item.span) == winner.entry_span && item.alias().is_none())?;
        match lists.iter_mut().find(|(other, k, _)| other.span == holder.span && *k == key) {
            Some((.., found)) => found.push(at),
            None => lists.push((holder, key, vec![at])),
        }
    }
    for (holder, key, mut found) in lists {
        let items = holder.get(key)?.as_seq()?;
        if found.len() == items.len() {
            edits.push(delete_entry(holder, key, &file(sources, items[0].span))?);
            continue;
        }
        crate::source::order(&mut found, Ord::cmp);
        for at in found {
            edits.push(delete_item(holder, key, at, &file(sources, items[at].span))?);
        }
    }
    Some(edits)
}

/// The line of a script that exports that variable and does nothing else.
fn exported(file: &SourceFile, span: Span) -> Option<Edit> {
    let number = file.line_of(span.start);
    let range = file.line_range(number);
    let line = file.text.get(range.clone())?;
    let word = file.text.get(span.range())?;
    let alone = line.trim().strip_prefix("export ").is_some_and(|rest| rest.trim().trim_end_matches(';') == word);
    // The last line of a script may hold it open; there it stays.
    let next = (number + 1 < file.line_count()).then(|| file.line_range(number + 1).start)?;
    let span = Span::new(file.id, u32::try_from(range.start).ok()?, u32::try_from(next).ok()?);
    alone.then(|| Edit { span, text: String::new() })
}
