//! Words that belong to no option.

use super::flags::catalogs;
use super::release::parser;
use crate::catalog::flags::Kind;
use crate::command::Word;
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;

/// `stray-argument`
pub fn stray_argument(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| !s.args_open()) {
        let known = catalogs(service);
        let Some(args) = service.args().filter(|_| !known.is_empty()) else { continue };
        // In front of all options, behind `--`, or behind an option whose value is joined to it.
        // `--option value` as one word is `flag-with-blank`'s.
        // An empty word is one, too: what a template leaves of a value that was not set.
        let blank = |w: &Word| !w.text.is_empty() && w.text.trim().is_empty();
        let plain = |w: &Word| w.dynamic.is_none() && !w.open && !blank(w) && !w.text.starts_with('-');
        // A piece of JSON is told with the rest of it, and ` --option` by `folded-script-backslash`.
        let json = |w: &Word| {
            let mut behind = args.flags.iter().filter(|f| f.strays.iter().any(|s| s.span() == w.span()));
            behind.any(|f| f.value().is_some_and(|v| v.text.starts_with(['{', '['])))
        };
        let folded = args.positional.iter().any(|w| w.text.starts_with(char::is_whitespace));
        let first = args.positional.iter().find(|w| plain(w) && !json(w));
        if let Some(word) = first.filter(|_| !folded && parser(service).is_some()) {
            report(deployment, service, word, "no option in front of it takes it".to_owned(), out);
        }
        for flag in args.flags.iter().filter(|f| f.name.starts_with("--") && !f.joined && !f.values.is_empty()) {
            // Every catalog that has the option agrees on what it takes.
            let mut kinds = known.iter().filter_map(|c| c.flag(&flag.name)).map(|m| m.flag.kind);
            let Some(kind) = kinds.next().filter(|k| kinds.all(|other| other == *k)) else { continue };
            let takes = match kind {
                Kind::Switch | Kind::Bool => 0,
                Kind::Value => 1,
                _ => continue,
            };
            let Some(word) = flag.values.get(takes) else { continue };
            if flag.values.iter().any(|w| w.dynamic.is_some() || w.open) || blank(word) {
                continue;
            }
            let label = if takes == 0 {
                format!("`{}` takes no value", flag.name)
            } else {
                format!("`{}` takes one value, and this is another word", flag.name)
            };
            report(deployment, service, word, label, out);
        }
    }
}

fn report(deployment: &Deployment, service: &Service, word: &Word, label: String, out: &mut Findings) {
    let (text, at) = (word.text.as_str(), word.span());
    // `flag-dash` says what it was meant to be, `folded-script-backslash` of ` --option`, `malformed-python` of a script.
    let script = text.contains("-m dynamo.");
    if script || text.starts_with(super::dashes::DASHES) || text.starts_with(char::is_whitespace) {
        return;
    }
    // JSON that the shell took apart, at its braces or not: `json-quotes-lost` shows the quotes that are missing.
    let source = &deployment.recipe.sources.get(at.file).text;
    let inside = source.get(..at.start as usize).is_some_and(|before| before.ends_with(['{', ',', '"']));
    if (inside && text.contains(':'))
        || source.get(at.range()).is_some_and(|w| w.contains("\":") && !text.contains("\":"))
    {
        return;
    }
    let short: String = text.chars().take(40).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    let shown = if text.is_empty() { "an empty word".to_owned() } else { format!("`{short}{more}`") };
    out.report(at, format!("{shown} belongs to no option: the worker exits on an unknown argument"), label)
        .service(service)
        .subject(short.clone())
        .help("drop it, or write the option it is the value of")
        .emit();
}
