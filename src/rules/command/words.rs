//! Words of a command line that are not the words they look like.

use std::cell::LazyCell;

use super::flags::known;
use crate::catalog::flags::Kind;
use crate::command::{Word, is_shell};
use crate::resolve::{Deployment, Service};
use crate::rules::{Findings, workload};
use crate::source::{Reason, is_capital_name};
use crate::yaml::{Node, Style};

/// Entries of `command` and `args` that reach the process as they are, without a shell in between.
fn exec_words(service: &Service) -> impl Iterator<Item = &Node> {
    let main = &service.component.main;
    let shell = workload::words(main).next().and_then(Node::as_text).is_some_and(is_shell);
    workload::words(main).filter(move |_| service.launch.script.is_none() && !shell)
}

/// `flag-with-blank`
pub fn flag_with_blank(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        if service.process.as_ref().is_none_or(|p| p.implied) {
            continue;
        }
        for node in exec_words(service) {
            let Some(text) = node.as_text() else { continue };
            if nested(service, node, text, deployment, out) {
                continue;
            }
            let Some((flag, value)) = text.split_once([' ', '\t']) else {
                quoted(service, node, text, out);
                continue;
            };
            if let Some(inner) = swallowed(text) {
                out.report(
                    node.span,
                    format!("`{inner}` is part of the value of `{}`", flag.split('=').next().unwrap_or(flag)),
                    "one word: the process gets no such option",
                )
                .service(service)
                .subject(inner.to_owned())
                .help(format!("write `- {inner}…` as an entry of its own, with a dash of its own in the YAML list"))
                .emit();
                continue;
            }
            // `--flag=some text` is one value; only a blank in the option's own name is a mistake.
            if !flag.starts_with("--") || flag.len() < 4 || flag.contains(['=', '{', '$']) {
                continue;
            }
            out.report(
                node.span,
                format!("`{flag}` and its value are one word"),
                format!("the process gets the single argument `{text}`"),
            )
            .service(service)
            .subject(flag.to_owned())
            .help(format!("write `{flag}` and `{}` as two entries, or `{flag}={}`", value.trim(), value.trim()))
            .emit();
        }
    }
}

/// An entry of the list that stands too far to the right, or has lost its dash: to YAML it is the second line of the one
/// above it.
fn nested(service: &Service, node: &Node, text: &str, deployment: &Deployment, out: &mut Findings) -> bool {
    // `--a --b` is told below.
    let starts = |line: &&str| line.starts_with("- ") || line.starts_with("--") && !text.starts_with("--");
    let folded = node.as_scalar().is_some_and(|s| s.style == Style::Plain) && text.contains(" -");
    let sources = &deployment.recipe.sources;
    let Some(source) = folded.then(|| sources.get(node.span.file)) else { return false };
    let lines = source.text.get(node.span.range()).unwrap_or_default().lines().map(str::trim);
    let (Some(above), Some(entry)) = (lines.clone().next(), lines.skip(1).find(starts)) else { return false };
    out.report(
        node.span,
        format!("`{entry}` is part of `{above}`"),
        "no entry of the list begins there: one word of two lines",
    )
    .service(service)
    .subject(above.to_owned())
    .help(format!("write `- {}` in line with the other entries", entry.trim_start_matches("- ")))
    .emit();
    true
}

/// The option inside the value of another one: `--model=X --max-model-len=8192` as one word. Options whose value is a
/// command line, and values that are JSON or quoted, may well have one.
fn swallowed(text: &str) -> Option<&str> {
    let (name, value) = text.split_once('=')?;
    let takes = |what: &&str| name.contains(*what);
    let own = !name.starts_with("--")
        || ["arg", "cmd", "command", "opt", "extra", "env", "prompt", "template"].iter().any(takes);
    let inner = value.split_whitespace().skip(1).find(|w| w.starts_with("--") && w.len() > 4)?;
    let inner = inner.split('=').next()?;
    let plain = inner.bytes().skip(2).all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (!own && plain && !name.contains(char::is_whitespace) && !value.contains(['{', '[', '"', '\'', '$']))
        .then_some(inner)
}

/// Quotes inside a word: no shell takes them away.
fn quoted(service: &Service, node: &Node, text: &str, out: &mut Findings) {
    let inner = text.split_once('=').map_or(text, |(_, value)| value);
    let pair = |q: char| inner.len() > 1 && inner.starts_with(q) && inner.ends_with(q);
    // A JSON string is quoted for good reason, and so is nothing that starts an option's value otherwise.
    if !(text.starts_with("--") && text.contains('=')) || !(pair('"') || pair('\'')) {
        return;
    }
    let plain = node.as_scalar().is_some_and(|s| s.style == Style::Plain);
    out.report(node.span, format!("the quotes in `{text}` are part of the value"), "no shell takes them away")
        .service(service)
        .subject(text.split('=').next().unwrap_or(text).to_owned())
        .help(if plain { "drop the quotes, or put them around the whole entry" } else { "drop the inner quotes" })
        .emit();
}

/// Variables that a container has without anyone setting them in a manifest.
pub(super) const AMBIENT: [&str; 12] = [
    "PATH",
    "HOME",
    "HOSTNAME",
    "PWD",
    "USER",
    "SHELL",
    "LANG",
    "TERM",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "KUBERNETES_SERVICE_HOST",
];

/// `variable-undefined`
pub fn variable_undefined(deployment: &Deployment, out: &mut Findings) {
    let templated = LazyCell::new(|| workload::is_template(&deployment.graph.object.node));
    for service in &deployment.services {
        // A ConfigMap or Secret that is not here may hold anything.
        let Some(process) = service.process.as_ref().filter(|p| !p.implied) else { continue };
        if service.env.open.as_ref().is_some_and(|r| !token_secret(r)) {
            continue;
        }
        for node in workload::words(&service.component.main) {
            references(service, node, out);
            // The command of an engine over nodes the operator may put into a shell of its own.
            if service.launch.script.is_none() && !*templated && service.component.node_count.is_none() {
                unread(service, node, out);
            }
        }
        let mut said: Vec<&str> = Vec::new();
        for word in &process.argv {
            let Some(Reason::Variable(name)) = &word.dynamic else { continue };
            let ambient = AMBIENT.contains(&name.as_str())
                || super::job_variables::SHELL.contains(&name.as_str())
                || name.starts_with("NVIDIA_")
                || name.starts_with("GROVE_")
                || name.starts_with("LWS_");
            if ambient || !is_capital_name(name) || said.contains(&name.as_str()) || service.env.get(name).is_some() {
                continue;
            }
            said.push(name);
            let file = deployment.recipe.sources.get(word.span().file);
            let script = service.launch.script.as_ref().map_or(&*file.text, |script| script.text.as_str());
            if guarded(script, name) || (word.open && is_hook(name) && !is_value(service, word)) {
                continue;
            }
            if *templated {
                out.undecided(service, word.span(), Reason::Variable(name.clone()));
                continue;
            }
            out.report(
                word.span(),
                format!("nothing sets `{name}` for `{}`", service.name),
                "no env entry, no assignment in the script",
            )
            .service(service)
            .subject(name.clone())
            .help(format!("set `{name}` in `env`, or write the value"))
            .emit();
        }
    }
}

/// Whether a script reckons with a variable that is not set: `${NAME:-default}` and its kin, `[ -n "$NAME" ]`.
pub(super) fn guarded(script: &str, name: &str) -> bool {
    script.match_indices(name).any(|(at, _)| {
        let (before, after) = (&script[..at], &script[at + name.len()..]);
        // Of an array, what follows its index.
        let operator = match after.strip_prefix('[') {
            Some(index) => index.split_once(']').map_or("", |(_, rest)| rest),
            None => after,
        };
        if before.ends_with("${") && operator.starts_with([':', '-', '=', '?', '+']) {
            return true;
        }
        let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let test = before.trim_end_matches(['"', '$', '{', '\\']).trim_end();
        ends && [" -n", " -z", " -v"].iter().any(|question| test.ends_with(question))
    })
}

/// Whether a variable by its name holds words that may be added to a command, or none.
pub(super) fn is_hook(name: &str) -> bool {
    ["ARGS", "OPTS", "FLAGS", "OPTIONS"].iter().any(|what| name.ends_with(what)) || name.contains("EXTRA")
}

/// Whether an option of the command takes a word, which may not be missing then.
fn is_value(service: &Service, word: &Word) -> bool {
    let flags = service.args().map_or(&[][..], |args| &args.flags);
    let Some(flag) = flags.iter().find(|f| f.value().is_some_and(|v| v.span() == word.span())) else { return false };
    let mut kinds = known(service).into_iter().filter_map(|c| c.flag(&flag.name)).map(|found| found.flag.kind);
    !kinds.any(|kind| matches!(kind, Kind::Switch | Kind::Bool))
}

/// `$(NAME)` that the kubelet leaves as it is, since the container has no such variable.
fn references(service: &Service, node: &Node, out: &mut Findings) {
    let Some(text) = node.as_text() else { return };
    for (at, _) in text.match_indices("$(") {
        let Some(name) = text[at + 2..].split(')').next().filter(|n| text[at + 2 + n.len()..].starts_with(')')) else {
            continue;
        };
        // `$$(NAME)` is how a literal is written.
        let escaped = text[..at].ends_with('$');
        let ambient = name.starts_with("GROVE_") || name.starts_with("LWS_");
        if !is_capital_name(name) || escaped || ambient || service.env.get(name).is_some() {
            continue;
        }
        let (span, label) = if service.launch.script.is_none() {
            (node.span, format!("Kubernetes leaves `$({name})` as it is, and the process gets these characters"))
        } else {
            let Some(script) = service.launch.script.as_ref().filter(|s| s.text.as_str() == text) else { continue };
            // `$(NAME)` of a function, or behind a comment sign, is the script's own affair.
            let line = text[..at].rsplit('\n').next().unwrap_or_default();
            if line.contains('#') || text.contains(&format!("{name}()")) {
                continue;
            }
            let span = script.text.slice_span(at..at + name.len() + 3);
            (span, format!("Kubernetes leaves `$({name})` as it is, and the shell runs a program of that name"))
        };
        out.report(span, format!("nothing sets `{name}` for `{}`", service.name), label)
            .service(service)
            .subject(name.to_owned())
            .help(format!("set `{name}` in `env` of the container, or write the value"))
            .emit();
    }
}

/// `${NAME}` of the container's own variables where no shell reads it: Kubernetes knows `$(NAME)` only.
fn unread(service: &Service, node: &Node, out: &mut Findings) {
    let Some(text) = node.as_text() else { return };
    let Some(name) = text.split_once("${").and_then(|(_, rest)| Some(rest.split_once('}')?.0)) else { return };
    if service.env.get(name).is_none_or(|var| !var.written()) {
        return;
    }
    let label = "the process gets these characters";
    out.report(node.span, format!("no shell reads `${{{name}}}` in the arguments of `{}`", service.name), label)
        .service(service)
        .subject(name.to_owned())
        .help(format!("write `$({name})`, which Kubernetes fills in"))
        .emit();
}

/// A Secret that by its name holds a token for a model hub and nothing else.
fn token_secret(reason: &Reason) -> bool {
    matches!(reason, Reason::Secret(name) if hub_token(name))
}

/// Whether the name of a Secret says so.
pub(in crate::rules) fn hub_token(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    (name.contains("hf") || name.contains("hugging")) && name.contains("token") || name.starts_with("hf-")
}

#[cfg(test)]
mod tests {
    use super::{guarded, swallowed};

    #[test]
    fn scripts_that_reckon_with_a_variable_being_unset() {
        for script in [
            "a ${X:-1}",
            "a ${X-1}",
            ": ${X:=1}; a $X",
            ": \"${X:?}\"; a $X",
            "a ${X+--b $X}",
            "a \"${X[@]:-}\"",
            "[ -n \"$X\" ] && a $X",
            "if [[ -z ${X} ]]; then b; fi; a $X",
            "test -v X || b; a $X",
        ] {
            assert!(guarded(script, "X"), "{script}");
        }
        for script in ["a $X", "a ${X}", "a ${X%/}", "a ${X[0]}", "a ${XY:-1} $X", "[ -n \"$XY\" ]; a $X", "a -n 1 $X"]
        {
            assert!(!guarded(script, "X"), "{script}");
        }
    }

    #[test]
    fn options_inside_values() {
        assert_eq!(swallowed("--model=X --max-model-len=8192"), Some("--max-model-len"));
        assert_eq!(swallowed("--model=X --enforce-eager --seed 1"), Some("--enforce-eager"));
        for fine in [
            "--model=X",
            "--model X --seed=1",
            "--extra-engine-args=--a --bcd",
            "--override={\"a\": \"b --cde\"}",
            "--chat-template=a --cde",
            "--model=X -- y",
            "--model=X --$Y",
            "A=B --cde",
        ] {
            assert_eq!(swallowed(fine), None, "{fine}");
        }
    }
}
