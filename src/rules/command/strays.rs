//! Words that belong to no option.

use super::flags::catalogs;
use crate::catalog::flags::Kind;
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;

/// `stray-argument`
pub fn stray_argument(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| !s.args_open()) {
        let known = catalogs(service);
        let Some(args) = service.args().filter(|_| !known.is_empty()) else { continue };
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
            if flag.values.iter().any(|w| w.dynamic.is_some() || w.open) || word.text.trim().is_empty() {
                continue;
            }
            let text = word.text.as_str();
            // `flag-dash` says what it was meant to be.
            if text.starts_with(super::dashes::DASHES) {
                continue;
            }
            let label = if takes == 0 {
                format!("`{}` takes no value", flag.name)
            } else {
                format!("`{}` takes one value, and this is another word", flag.name)
            };
            // JSON that the shell took apart, at its braces or not: `json-quotes-lost` shows the quotes that are missing.
            let at = word.span();
            let source = &deployment.recipe.sources.get(at.file).text;
            let inside = source.get(..at.start as usize).is_some_and(|before| before.ends_with(['{', ',', '"']));
            if (inside && text.contains(':')) || source.get(at.range()).is_some_and(|written| written.contains("\":")) {
                continue;
            }
            report(service, at, text, label, out);
        }
    }
}

fn report(service: &Service, at: crate::source::Span, text: &str, label: String, out: &mut Findings) {
    let short: String = text.chars().take(40).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    out.report(at, format!("`{short}{more}` belongs to no option: the worker exits on an unknown argument"), label)
        .service(service)
        .subject(short.clone())
        .help("drop it, or write the option it is the value of")
        .emit();
}
