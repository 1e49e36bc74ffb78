//! Completion: what could stand where something is being typed.

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTag, CompletionItemTextEdit, Documentation, MarkupContent,
    MarkupKind, Range, TextEdit,
};

use super::hover::release_of;
use super::typed::{self, in_env, json_key, option_value, option_word, sibling, value_of};
use super::view::View;
use super::words;
use crate::catalog::flags::{self, Component, Kind};
use crate::catalog::{Release, json, router, ucx, vars};
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
    let reference = |key: &str| typed::holder(text, start, line, key).filter(|holder| MAPS.contains(holder));
    let (word, items) = if let Some(word) = value_of(line, "name") {
        if reference("name").is_some() {
            (word, config_maps(view))
        } else if in_env(text, start) {
            (word, names(&near))
        } else {
            return Vec::new();
        }
    } else if let Some(word) = value_of(line, "key").filter(|_| reference("key").is_some()) {
        (word, config_keys(view, sibling(text, start).as_deref()))
    } else if let Some(word) = value_of(line, "value") {
        let Some(name) = sibling(text, start) else { return Vec::new() };
        part(&name, word, &near)
    } else if let Some((name, value)) = typed::exported(line) {
        value.map_or_else(|| (name, names(&near)), |value| part(name, value, &near))
    } else if let Some((flag, key, word)) = typed::json_value(text, offset) {
        (word, key_values(flag, key, &near))
    } else if let Some((flag, word)) = json_key(text, offset) {
        (word, keys(flag, &near))
    } else if let Some(word) = option_word(line) {
        (word, options(&near))
    } else {
        let (word, items) =
            option_value(text, start, line).map_or(("", Vec::new()), |(flag, word)| (word, choices(&flag, &near)));
        // An item that is still empty may become an option.
        if items.is_empty() && typed::in_args(text, start, line) { ("", options(&near)) } else { (word, items) }
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

/// Keys of the object, as the catalog has them for the component at hand.
pub(super) fn json_keys(flag: &str, component: Option<&'static Component>) -> Vec<json::JsonKey> {
    let component = component.map(|component| component.name);
    json::keys(flag, component.filter(|name| json::object(name, flag).is_some()))
}

/// What a key of an object means, and what it may be.
pub(super) fn about_key(key: &json::JsonKey) -> Vec<String> {
    let one_of = (!key.values.is_empty()).then(|| format!("one of {}", words::ticked(&key.values)));
    let about = Some(key.about.to_owned()).filter(|about| !about.is_empty());
    about.into_iter().chain(one_of).collect()
}

fn keys(flag: &str, near: &Near<'_>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for key in json_keys(flag, near.component) {
        if items.iter().any(|item| item.label == key.name) {
            continue;
        }
        let (label, facts) = (key.name.to_owned(), about_key(&key));
        items.push(Item { label, kind: CompletionItemKind::Property, facts, rank: 0, old: false });
    }
    items
}

/// What a key of the object may be.
fn key_values(flag: &str, key: &str, near: &Near<'_>) -> Vec<Item> {
    json_keys(flag, near.component)
        .into_iter()
        .find(|known| known.name == key)
        .map_or_else(Vec::new, |known| known.values.iter().copied().map(value).collect())
}

/// Mappings whose `name` is a ConfigMap's.
const MAPS: [&str; 3] = ["configMapKeyRef", "configMapRef", "configMap"];

/// ConfigMaps that are seen.
fn maps<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v Object> {
    let recipe = view.deployments().first().map(|deployment| &deployment.recipe);
    recipe.into_iter().flat_map(|recipe| recipe.around.iter()).filter(|object| object.kind == "ConfigMap")
}

fn found(label: &str, facts: Vec<String>) -> Item {
    Item { label: label.to_owned(), kind: CompletionItemKind::Reference, facts, rank: 0, old: false }
}

fn config_maps(view: &View<'_>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for map in maps(view) {
        if items.iter().all(|item| item.label != map.name) {
            items.push(found(&map.name, vec![format!("a ConfigMap of {}", view.plain_place(map.name_span))]));
        }
    }
    items
}

/// Keys of the ConfigMap of that name; of all that are seen when none is given yet.
fn config_keys(view: &View<'_>, name: Option<&str>) -> Vec<Item> {
    let all = maps(view).filter(|map| name.is_none_or(|name| map.name == name));
    let entries = all.flat_map(|map| map.node.get("data").into_iter().flat_map(crate::yaml::Node::entries));
    entries.map(|entry| found(&entry.key.name, Vec::new())).collect()
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
            || variable.has("binary")
            || variable.has("abort-if-set")
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
            old: variable.has("dep") || variable.has("alias"),
        });
    }
    items
}

/// What is typed of a value, the last item where that is a list, and what it may be.
fn part<'t>(name: &str, word: &'t str, near: &Near<'_>) -> (&'t str, Vec<Item>) {
    if name == "UCX_TLS" {
        let word = word.rsplit([',', '^']).next().unwrap_or_default();
        return (word, ucx::transports().map(value).collect());
    }
    (word, values(name, near))
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
