//! Completion, from the line up to the cursor: what is being typed is seldom YAML yet.

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTag, CompletionItemTextEdit, Documentation, MarkupContent,
    MarkupKind, Range, TextEdit,
};

use super::hover::release_of;
use super::view::View;
use super::words;
use crate::catalog::flags::{self, Component, Kind};
use crate::catalog::{Release, json, router, vars};
use crate::manifest::{Graph, Object};
use crate::resolve::Service;
use crate::source::Span;
use crate::yaml::{self, Limits};

/// What could be written at an offset.
pub(super) fn at(view: &View<'_>, offset: u32) -> Vec<CompletionItem> {
    let text = &*view.file.text;
    let offset = (offset as usize).min(text.len());
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let line = &text[start..offset];
    if line.trim_start().starts_with('#') {
        return Vec::new();
    }
    let near = Near::of(view, offset);
    let (word, items) = if let Some(word) = value_of(line, "name") {
        if !in_env(text, start) {
            return Vec::new();
        }
        (word, names(&near))
    } else if let Some(word) = value_of(line, "value") {
        let Some(name) = sibling(text, start) else { return Vec::new() };
        (word, values(&name, &near))
    } else if let Some((flag, word)) = json_key(text, offset) {
        (word, keys(flag, &near))
    } else if let Some(word) = option_word(line) {
        (word, options(&near))
    } else if let Some((flag, word)) = option_value(text, start, line) {
        (word, choices(&flag, &near))
    } else {
        return Vec::new();
    };
    // The whole word is replaced, whatever the client takes for one.
    let from = u32::try_from(offset - word.len()).unwrap_or_default();
    let span = Span::new(view.file.id, from, u32::try_from(offset).unwrap_or_default());
    let range = view.range(span);
    items.into_iter().map(|item| item.finish(range)).collect()
}

/// The service that is being edited.
struct Near<'a> {
    service: Option<&'a Service>,
    component: Option<&'static Component>,
    release: Option<Release>,
}

impl<'a> Near<'a> {
    fn of(view: &View<'a>, offset: usize) -> Self {
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        let services = view.deployments().iter().flat_map(|deployment| &deployment.services);
        let here =
            services.filter(|s| view.covers(s.component.node.span, at)).min_by_key(|s| s.component.node.span.len());
        let service = here.or_else(|| patched(view, at));
        let component = service.and_then(Service::module).and_then(flags::component).or_else(|| {
            // A line that is half typed may have broken the document: the module is said nearby.
            let text = &*view.file.text;
            let module = |text: &str| {
                let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                flags::component(&format!("dynamo.{name}"))
            };
            let before = text[..offset].rfind("dynamo.").and_then(|found| module(&text[found + 7..]));
            before.or_else(|| text[offset..].find("dynamo.").and_then(|found| module(&text[offset + found + 7..])))
        });
        Self { service, component, release: service.and_then(release_of) }
    }
}

/// The service that a patch is about: what is built of it stands where its base is.
fn patched<'a>(view: &View<'a>, at: u32) -> Option<&'a Service> {
    let stream = yaml::parse(&view.file, &Limits::default());
    let graphs = stream.documents.iter().flat_map(Object::of_document).filter_map(|object| Graph::of_object(&object));
    let components: Vec<_> = graphs.flat_map(|graph| graph.components.clone()).collect();
    let own = components.iter().find(|component| view.covers(component.node.span, at))?;
    let services = view.deployments().iter().flat_map(|deployment| &deployment.services);
    services.into_iter().find(|service| service.name == own.name.value)
}

/// A candidate.
struct Item {
    label: String,
    kind: CompletionItemKind,
    facts: Vec<String>,
    /// What is likelier stands first.
    rank: u8,
    old: bool,
}

impl Item {
    fn finish(self, range: Range) -> CompletionItem {
        let value = self.facts.iter().map(|fact| format!("- {fact}")).collect::<Vec<_>>().join("\n");
        let documentation = Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value });
        CompletionItem {
            kind: Some(self.kind),
            detail: self.facts.first().cloned(),
            documentation: (!self.facts.is_empty()).then_some(documentation),
            sort_text: Some(format!("{}{}", self.rank, self.label)),
            filter_text: Some(self.label.clone()),
            tags: self.old.then(|| vec![CompletionItemTag::Deprecated]),
            text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit { range, new_text: self.label.clone() })),
            label: self.label,
            ..CompletionItem::default()
        }
    }
}

/// What is typed behind `key:`, also in `{ name: …`, without an opening quote.
fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let at = line.rfind(&format!("{key}:"))?;
    let before = line[..at].trim_end();
    let starts = before.is_empty() || before.ends_with(['-', '{', ',']);
    let value = line[at + key.len() + 1..].trim_start();
    let value = value.strip_prefix(['"', '\'']).unwrap_or(value);
    (starts && !value.contains([' ', '"', '\'', '}', ':'])).then_some(value)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line stands in a list of variables.
fn in_env(text: &str, start: usize) -> bool {
    let line = text[start..].lines().next().unwrap_or_default();
    let flow = line.split("name:").next().unwrap_or_default();
    if flow.contains("env: [") || flow.contains("envs: [") {
        return true;
    }
    let mut least = indent(line);
    if line.trim_start().starts_with('-') {
        // A list may stand at its key's own indentation.
        least += 1;
    }
    for above in text[..start].lines().rev() {
        let content = above.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let here = indent(above);
        if here >= least {
            continue;
        }
        let key = content.trim_start_matches("- ");
        if key.starts_with("env:") || key.starts_with("envs:") {
            return true;
        }
        if !content.starts_with('-') {
            return false;
        }
        least = here + usize::from(here > 0);
    }
    false
}

/// The name beside a value that is being typed.
fn sibling(text: &str, start: usize) -> Option<String> {
    let name = |line: &str| {
        let at = line.find("name:")?;
        let value = line[at + 5..].split(['}', ',', '#']).next().unwrap_or_default();
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let line = text[start..].lines().next().unwrap_or_default();
    if line.contains('{') {
        return name(line);
    }
    let column = |line: &str| indent(line) + if line.trim_start().starts_with("- ") { 2 } else { 0 };
    let item = column(line);
    let above = || {
        if line.trim_start().starts_with("- ") {
            return None;
        }
        for above in text[..start].lines().rev().filter(|line| !line.trim().is_empty()) {
            if column(above) != item {
                return None;
            }
            if above.trim_start().trim_start_matches("- ").starts_with("name:") {
                return name(above);
            }
            if above.trim_start().starts_with("- ") {
                return None;
            }
        }
        None
    };
    let below = || {
        for below in text[start..].lines().skip(1).filter(|line| !line.trim().is_empty()) {
            if column(below) != item || below.trim_start().starts_with("- ") {
                return None;
            }
            if below.trim_start().starts_with("name:") {
                return name(below);
            }
        }
        None
    };
    above().or_else(below)
}

/// A word that starts an option.
fn option_word(line: &str) -> Option<&str> {
    let word = line.rsplit([' ', '\t', '[', ',', '"', '\'']).next()?;
    // `- ` begins an item of a list.
    let dashes = word.starts_with("--") || (word == "-" && line.trim_start().len() > 1);
    (dashes && !word.contains('=')).then_some(word)
}

/// The option whose value is being typed: `--flag=…`, `--flag …`, or the item behind it in a list.
fn option_value<'a>(text: &str, start: usize, line: &'a str) -> Option<(String, &'a str)> {
    let word = line.rsplit([' ', '\t', '[', ',', '"', '\'']).next()?;
    if let Some((flag, value)) = word.split_once('=') {
        return flag.starts_with("--").then(|| (flag.to_owned(), value));
    }
    let tidy = |word: &str| word.trim_matches(['"', '\'', ',', '[', ']']).to_owned();
    let before = line[..line.len() - word.len()].trim_end_matches(['"', '\'', '[']);
    if before.trim() == "-" || before.trim().is_empty() {
        // The line above, unless it belongs to another list.
        let above = text[..start].lines().next_back()?;
        let same = before.trim() == "-" && above.trim_start().starts_with('-') || before.trim().is_empty();
        let last = tidy(above.trim_end().trim_end_matches('\\').split_whitespace().next_back()?);
        return (same && last.starts_with("--") && !last.contains('=')).then_some((last, word));
    }
    let last = tidy(before.trim_end_matches([',', ' ']).split([' ', '\t', ',']).rfind(|w| !w.trim().is_empty())?);
    (last.starts_with("--") && !last.contains('=')).then_some((last, word))
}

/// The option whose JSON is being typed, when a key is due.
fn json_key(text: &str, offset: usize) -> Option<(&'static str, &str)> {
    let window = &text[..offset];
    let flag = json::flags().filter_map(|f| Some((window.rfind(f)?, f))).max()?;
    let behind = &window[flag.0 + flag.1.len()..];
    let open = behind.find('{')?;
    let object = &behind[open..];
    let depth = object.matches('{').count().checked_sub(object.matches('}').count())?;
    let quote = object.rfind('"')?;
    let word = &object[quote + 1..];
    let before = object[..quote].trim_end().trim_end_matches('\\').trim_end();
    let due = before.ends_with('{') || before.ends_with(',');
    let plain = word.chars().all(|c| c.is_alphanumeric() || c == '_');
    (depth == 1 && due && plain && behind.len() < 4096).then_some((flag.1, word))
}

/// Keys of the object, as the catalog has them for the component at hand.
fn keys(flag: &str, near: &Near<'_>) -> Vec<Item> {
    // `dynamo-vllm` and `vllm` read the same object.
    let component = near.component.map(|component| component.name.trim_start_matches("dynamo-"));
    let component = component.filter(|name| json::keys(flag, Some(name)).next().is_some());
    let mut items: Vec<Item> = Vec::new();
    for key in json::keys(flag, component) {
        if items.iter().any(|item| item.label == key.name) {
            continue;
        }
        let mut facts = vec![key.about.to_owned()];
        if !key.values.is_empty() {
            facts.push(format!("one of {}", words::ticked(key.values)));
        }
        let label = key.name.to_owned();
        items.push(Item { label, kind: CompletionItemKind::Property, facts, rank: 0, old: false });
    }
    items
}

/// Owners whose variables a service of that framework reads, beside those of the transport libraries.
fn concerns(owner: &str, service: Option<&Service>) -> bool {
    let framework = service.and_then(|service| service.framework).map(crate::resolve::Framework::as_str);
    match owner {
        "vllm" | "sglang" | "trtllm" => framework == Some(owner) || service.is_none(),
        _ => true,
    }
}

fn names(near: &Near<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for variable in vars::all() {
        if variable.is_unread()
            || matches!(variable.flags, "binary" | "abort-if-set")
            || !concerns(variable.owner, near.service)
        {
            continue;
        }
        let own = near.component.is_some_and(|component| component.by_env(variable.name).is_some());
        let dynamo = variable.owner == "dynamo";
        // The variables of another component count for nothing here.
        if dynamo && !own && near.component.is_some() && variable.source.contains(" --") {
            continue;
        }
        if let (Some(knob), Some(release)) = (router::knob(variable.name), near.release)
            && knob.since > release
        {
            continue;
        }
        items.push(Item {
            label: variable.name.to_owned(),
            kind: CompletionItemKind::Variable,
            facts: words::variable(variable),
            rank: if own { 0 } else { 1 },
            old: matches!(variable.flags, "dep" | "alias"),
        });
    }
    items
}

fn values(name: &str, near: &Near<'_>) -> Vec<Item> {
    let from_flag = near.component.and_then(|component| {
        let flag = component.by_env(name)?;
        let values = words::flag_values(component, flag, near.release);
        if values.is_empty() && flag.kind == Kind::Bool { Some(vec!["true", "false"]) } else { Some(values) }
    });
    let from_knob = || router::knob(name).map(words::knob_values);
    let from_grammar = || vars::lookup(name).map(|variable| words::values(variable.grammar));
    let mode = || (name == "DYN_ROUTER_MODE").then(|| router::mode_names(near.release));
    let some = |values: &Vec<&'static str>| !values.is_empty();
    let found = mode().or_else(|| from_flag.filter(some)).or_else(|| from_knob().filter(some)).or_else(from_grammar);
    found.unwrap_or_default().into_iter().map(value).collect()
}

fn value(value: &'static str) -> Item {
    Item { label: value.to_owned(), kind: CompletionItemKind::Value, facts: Vec::new(), rank: 0, old: false }
}

fn options(near: &Near<'_>) -> Vec<Item> {
    let Some(component) = near.component else { return Vec::new() };
    let mut items = Vec::new();
    for flag in component.flags() {
        let Some(found) = component.flag(flag.name) else { continue };
        // A release that was read and has it not.
        if near.release.is_some_and(|release| component.accepts(&found, release) == Some(false)) {
            continue;
        }
        items.push(Item {
            label: flag.name.to_owned(),
            kind: CompletionItemKind::Property,
            facts: words::flag(component, &found, near.release),
            rank: 0,
            old: component.removed(&found).is_some(),
        });
        if flag.kind == Kind::Bool {
            let label = format!("--no-{}", flag.name.trim_start_matches("--"));
            let facts = vec![format!("turns `{}` off", flag.name)];
            items.push(Item { label, kind: CompletionItemKind::Property, facts, rank: 1, old: false });
        }
    }
    items
}

fn choices(flag: &str, near: &Near<'_>) -> Vec<Item> {
    let Some(component) = near.component else { return Vec::new() };
    let Some(found) = component.flag(flag) else { return Vec::new() };
    words::flag_values(component, found.flag, near.release).into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_behind_keys() {
        assert_eq!(value_of("  - name: UC", "name"), Some("UC"));
        assert_eq!(value_of("  - { name: \"UC", "name"), Some("UC"));
        assert_eq!(value_of("  value:", "value"), Some(""));
        assert_eq!(value_of("  - {name: X, value: ", "value"), Some(""));
        assert_eq!(value_of("  name: done }", "name"), None);
        assert_eq!(value_of("  hostname: x", "name"), None);
    }

    #[test]
    fn lists_of_variables() {
        let in_env = |text: &str| in_env(text, text.rfind('\n').map_or(0, |at| at + 1));
        assert!(in_env("a:\n  env:\n    - name: "));
        assert!(in_env("a:\n  env:\n  - name: "));
        assert!(in_env("a:\n  envs:\n    - name: X\n      value: y\n    - name: "));
        assert!(in_env("  env:\n    - value: y\n      name: "));
        assert!(in_env("  env: [{name: "));
        assert!(!in_env("a:\n  containers:\n    - name: "));
        assert!(!in_env("env:\n  - name: X\nmetadata:\n  name: "));
        assert!(!in_env("      env:\n        - name: X\n          value: y\n    - name: "));
    }

    #[test]
    fn names_beside_values() {
        let sibling = |text: &str| sibling(text, text.rfind('\n').map_or(0, |at| at + 1));
        assert_eq!(sibling("  - name: X\n    value: ").as_deref(), Some("X"));
        assert_eq!(sibling("  - name: X\n    value: y\n  - value: "), None);
        assert_eq!(super::sibling("  - value: \n    name: 'X'\n", 0).as_deref(), Some("X"));
        assert_eq!(super::sibling("- {name: X, value: }\n", 0).as_deref(), Some("X"));
    }

    #[test]
    fn options_and_their_values() {
        assert_eq!(option_word("  args: [--rou"), Some("--rou"));
        assert_eq!(option_word("    - --rou"), Some("--rou"));
        assert_eq!(option_word("    -"), None);
        assert_eq!(option_word("    run --router-mode=k"), None);
        let value = |text: &'static str| {
            let start = text.rfind('\n').map_or(0, |at| at + 1);
            option_value(text, start, &text[start..])
        };
        let mode = |word| Some(("--router-mode".to_owned(), word));
        assert_eq!(value("run --router-mode=k"), mode("k"));
        assert_eq!(value("run --router-mode k"), mode("k"));
        assert_eq!(value("args: [\"--router-mode\", \"k"), mode("k"));
        assert_eq!(value("  - --router-mode\n  - "), mode(""));
        assert_eq!(value("  run --router-mode \\\n    k"), mode("k"));
        assert_eq!(value("  - --router-mode kv\n  - "), None);
        assert_eq!(value("  name: x"), None);
    }

    #[test]
    fn keys_of_json() {
        let key = |text: &'static str| json_key(text, text.len());
        assert_eq!(key("--kv-transfer-config '{\"kv_c"), Some(("--kv-transfer-config", "kv_c")));
        assert_eq!(key("--kv-events-config '{\"publisher\":\"zmq\", \""), Some(("--kv-events-config", "")));
        assert_eq!(key("--kv-events-config '{\"publisher\":\"z"), None);
        assert_eq!(key("--kv-events-config '{\"a\":1}' \""), None);
    }
}
