//! Flags of `dynamo.frontend` as its argparse takes them: unknown, gone, renamed, ignored.
//!
//! `FE/main.py:296-317`: unknown words end the process (`exit(1)`), except that `--dyn-chat-processor vllm` hands them to
//! vLLM's parser and `sglang` takes three flags of its own.

use super::settings::{Router, catalog, frontends, old_command_lines};
use crate::catalog::Release;
use crate::catalog::flags::{self, Kind, Lookup, Match};
use crate::catalog::router::{self as names, Effect, NameKind, Rename};
use crate::command::{Flag, Word};
use crate::finding::{Confidence, Severity};
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;
use crate::rules::command::{misread, misread_variable, number, open};
use crate::source::{Fact, Span};

/// Flags of the `sglang` chat processor (`FE/main.py`), with their first release.
const SGLANG: &[(&str, Release)] =
    &[("--tool-call-parser", (1, 1)), ("--reasoning-parser", (1, 1)), ("--chat-template", (1, 4))];

/// Who takes the words that the frontend's own parser leaves over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nobody.
    Nobody,
    /// vLLM's parser.
    Vllm,
    /// The three of the `sglang` processor.
    Sglang,
    /// Not to be known.
    Unknown,
}

fn rest(router: &Router<'_>) -> Rest {
    let flag = router.flag("--dyn-chat-processor").and_then(|(flag, _)| flag.value());
    let value = match flag {
        Some(word) => word.as_known().map_or(Fact::Unset, Fact::Known),
        None => super::settings::variable(router.env, "DYN_CHAT_PROCESSOR").0,
    };
    match value {
        Fact::Known("vllm") => Rest::Vllm,
        Fact::Known("sglang") => Rest::Sglang,
        Fact::Known(_) => Rest::Nobody,
        Fact::Unset if flag.is_some() => Rest::Unknown,
        Fact::Unset => Rest::Nobody,
        Fact::Dynamic(_) => Rest::Unknown,
    }
}

pub(super) fn shown((major, minor): Release) -> String {
    format!("{major}.{minor}")
}

/// A frontend whose command line is written in a manifest and seen in full.
pub(super) fn written(deployment: &Deployment) -> impl Iterator<Item = Router<'_>> {
    let all = frontends(deployment).chain(old_command_lines(deployment));
    all.filter(|r| r.process.is_some_and(|p| !p.implied && p.module.value == "dynamo.frontend"))
}

/// What stands in a flag's place now.
fn renamed(name: &str) -> Option<&'static Rename> {
    names::rename(name, "frontend").filter(|r| r.kind == NameKind::Flag)
}

/// The rename of a flag as written, `--no-` form or not.
fn gone(written: &str) -> Option<&'static Rename> {
    renamed(written)
        .or_else(|| renamed(&format!("--{}", written.strip_prefix("--no-")?)))
        .filter(|r| r.effect == Effect::Rejected)
}

/// Whether an image is none of those that NVIDIA publishes, nor a name to be filled in.
fn own_build(service: &Service) -> bool {
    service.image.known().is_some_and(|image| {
        !image.starts_with(crate::rules::published::REGISTRY)
            && !image.contains("my-")
            && !image.contains(['<', '$'])
            && image.contains(':')
    })
}

/// `removed-router-flag`
pub fn removed_router_flag(deployment: &Deployment, out: &mut Findings) {
    for router in written(deployment) {
        for (flag, found) in router.flags() {
            let row = gone(&flag.name);
            let since = match found {
                Some(found) => catalog().and_then(|c| c.removed(found)),
                None => row.map(|row| row.since),
            };
            let Some(since) = since else { continue };
            let (severity, confidence, label) = match router.release() {
                Some(release) if release >= since => {
                    (Severity::Error, Confidence::Certain, format!("gone since {}: the frontend exits", shown(since)))
                }
                // What went before 1.0 is gone from every release there is.
                None if since <= (1, 0) => {
                    (Severity::Error, Confidence::Certain, "the frontend exits on it".to_owned())
                }
                None => (
                    // A build of one's own under a tag of one's own may be older.
                    if own_build(router.service) { Severity::Advice } else { Severity::Warning },
                    Confidence::Likely,
                    format!("a frontend of {} or later exits on it", shown(since)),
                ),
                Some(release) if release >= (1, 0) => {
                    (Severity::Advice, Confidence::Certain, format!("accepted here, but {} exits on it", shown(since)))
                }
                // Most of what a release before 1.0 takes is gone: who stays there is not told so word by word.
                Some(_) => continue,
            };
            let help = match row.map(|r| r.new) {
                Some([new]) => format!("write `{new}`"),
                _ => "drop it".to_owned(),
            };
            out.report(flag.span, format!("`{}` is gone from `dynamo.frontend`", flag.name), label)
                .service(router.service)
                .subject(flag.name.clone())
                .severity(severity)
                .confidence(confidence)
                .help(help)
                .emit();
        }
    }
}

/// What is wrong with a flag that the parser will not take.
struct Refused {
    at: Span,
    message: String,
    label: String,
    help: String,
}

fn refused(router: &Router<'_>, rest: Rest, flag: &Flag) -> Option<Refused> {
    let name = flag.name.as_str();
    let exits = || "the frontend exits on unknown arguments".to_owned();
    let catalog = catalog()?;
    let release = router.release().filter(|r| catalog.covers(*r));
    let here = release.map(|release| catalog.find_in(name, release));
    let found = match (here, catalog.find(name)) {
        (Some(found @ (Lookup::Found(_) | Lookup::Ambiguous(_))), _) => found,
        (Some(Lookup::Unknown), Lookup::Ambiguous(_)) => Lookup::Unknown,
        // Without a release only what is ambiguous in all of them.
        (None, Lookup::Ambiguous(_)) if catalog.releases.iter().any(|r| *r >= (1, 0) && catalog.takes(name, *r)) => {
            return None;
        }
        (_, anywhere) => anywhere,
    };
    let found = match found {
        Lookup::Found(found) => found,
        Lookup::Ambiguous(candidates) => {
            let list: Vec<String> = candidates.iter().map(|c| format!("`{c}`")).collect();
            return Some(Refused {
                at: flag.span,
                message: format!("`{name}` begins more than one flag of `dynamo.frontend`"),
                label: "argparse rejects it and the frontend exits".to_owned(),
                help: format!("write one of {} in full", list.join(", ")),
            });
        }
        Lookup::Unknown => {
            if gone(name).is_some() || name == "--trust-remote-code" || rest == Rest::Vllm || rest == Rest::Unknown {
                return None;
            }
            let own = SGLANG.iter().find(|(n, _)| *n == name);
            if rest == Rest::Sglang
                && own.is_some_and(|(_, since)| router.release().is_none_or(|release| release >= *since))
            {
                return None;
            }
            return Some(Refused {
                at: flag.span,
                message: format!("`dynamo.frontend` has no `{name}`"),
                label: exits(),
                help: advice(name, rest),
            });
        }
    };
    if let Some(release) = release
        && catalog.accepts(&found, release) == Some(false)
        && catalog.removed(&found).is_none_or(|gone| gone > release)
    {
        // 1.1 strips it with a warning unless vLLM is to take it (`FE/main.py` of 1.1.1).
        if found.flag.name == "--trust-remote-code" || rest == Rest::Vllm || rest == Rest::Unknown {
            return None;
        }
        let since = catalog.next(&found, release);
        return Some(Refused {
            at: flag.span,
            message: format!("`dynamo.frontend` {} has no `{name}` yet", shown(release)),
            label: exits(),
            help: match since {
                Some(since) => format!("use an image of {} or later, or drop it", shown(since)),
                None => "drop it".to_owned(),
            },
        });
    }
    words(&found, flag)
}

/// Words behind a flag that takes none, one too many, or none where one must be.
fn words(found: &Match, flag: &Flag) -> Option<Refused> {
    let certain = |word: &&Word| word.dynamic.is_none() && !word.open;
    let name = &flag.name;
    match found.flag.kind {
        Kind::Switch | Kind::Bool => {
            let word = flag.values.first().filter(certain)?;
            let help = match (found.flag.kind, word.text.as_str().trim().to_ascii_lowercase().as_str()) {
                (Kind::Bool, "false" | "0" | "no" | "off") => {
                    format!("write `--no-{}`", found.spelling.trim_start_matches("--"))
                }
                _ => format!("write `{name}` alone"),
            };
            Some(Refused {
                at: word.span(),
                message: format!("`{name}` takes no value"),
                label: "the frontend exits on it".to_owned(),
                help,
            })
        }
        Kind::Value => {
            let extra = if flag.joined { flag.strays.first() } else { flag.values.get(1) };
            let extra = extra.filter(certain)?;
            let all = flag.values.iter().chain(&flag.strays).all(|word| certain(&word));
            all.then(|| Refused {
                at: extra.span(),
                message: format!("a word too many behind `{name}`"),
                label: "the frontend exits on unknown arguments".to_owned(),
                help: format!("`{name}` takes one value; quote it when it holds blanks"),
            })
        }
        _ => None,
    }
}

/// What to write instead of an unknown flag.
fn advice(name: &str, rest: Rest) -> String {
    let chat = SGLANG.iter().any(|(n, _)| *n == name);
    if chat && rest != Rest::Sglang {
        return "the frontend takes it only with `--dyn-chat-processor sglang` or `vllm`".to_owned();
    }
    let bare = name.replace("--dyn-", "--");
    if rest == Rest::Sglang && SGLANG.iter().any(|(n, _)| *n == bare) {
        return format!("write `{bare}`: `{name}` is a flag of the workers");
    }
    if let Some(near) = catalog().and_then(|c| c.nearest(name)) {
        return format!("did you mean `{near}`?");
    }
    let worker = ["dynamo-vllm", "dynamo-sglang", "mocker"]
        .iter()
        .any(|c| flags::component(c).and_then(|c| c.flag(name)).is_some_and(|m| !m.abbreviated));
    if worker { "it is a flag of the workers: move it there".to_owned() } else { "drop it".to_owned() }
}

/// `unknown-frontend-flag`
pub fn unknown_frontend_flag(deployment: &Deployment, out: &mut Findings) {
    for router in written(deployment) {
        let Some(args) = router.args() else { continue };
        let rest = rest(&router);
        let plain =
            |w: &&Word| w.dynamic.is_none() && !w.open && w.text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if let Some(word) = args.positional.iter().find(plain).filter(|_| args.open.is_none() && rest == Rest::Nobody) {
            let text = word.text.as_str();
            out.report(
                word.span(),
                format!("`{text}` belongs to no option"),
                "the frontend exits on unknown arguments",
            )
            .service(router.service)
            .subject(text.to_owned())
            .help("drop it, or write the option it is the value of")
            .emit();
        }
        for flag in &args.flags {
            // `-i` and `-h` are all the short ones there are; anything else with one dash may be a number.
            if !flag.name.starts_with("--") {
                continue;
            }
            let Some(Refused { at, message, label, help }) = refused(&router, rest, flag) else { continue };
            out.report(at, message, label).service(router.service).subject(flag.name.clone()).help(help).emit();
        }
    }
}

/// `frontend-choice-invalid`
pub fn frontend_choice_invalid(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment) {
        let Some(catalog) = catalog() else { continue };
        let wrong = misread(router.env, catalog, router.release());
        for (var, text, help) in wrong.into_iter().filter(|(var, ..)| names::knob(&var.name).is_none()) {
            misread_variable(router.service, var, text, help, out);
        }
    }
    // They have rules that know more.
    let own = ["--router-mode", "--router-queue-policy"];
    variable_choices(deployment, out);
    for router in written(deployment) {
        let Some(catalog) = catalog() else { continue };
        for (flag, found) in router.flags() {
            let (Some(found), Some(word)) = (found, flag.value()) else { continue };
            let Some(text) = word.as_known() else { continue };
            let numeric = names::knob(found.flag.name).is_none() && !open(text) && found.flag.kind == Kind::Value;
            let number = number(found.flag.value, text).filter(|_| numeric);
            let wrong = match number {
                Some(help) => Some((format!("`{}` does not take `{text}`", flag.name), help.into())),
                None => no_choice(&router, catalog, found.flag, text)
                    .filter(|_| !own.contains(&found.flag.name) || router.below(1, 0))
                    .map(|help| (format!("`{text}` is no choice of `{}`", flag.name), help)),
            };
            let Some((message, help)) = wrong else { continue };
            out.report(word.span(), message, "argparse rejects it and the frontend exits")
                .service(router.service)
                .subject(flag.name.clone())
                .help(help)
                .emit();
        }
    }
}

/// What to write instead of a word that an option with a list of choices does not take.
fn no_choice(router: &Router<'_>, catalog: &flags::Component, flag: flags::Flag, text: &str) -> Option<String> {
    let choices = catalog.choices(flag, router.release());
    // 1.6 still reads the old name (`kv_router_args.py`: `"ais" if value == "aic"`).
    if choices.is_empty() || choices.contains(&text) || (text == "aic" && choices.contains(&"ais")) {
        return None;
    }
    // Without a release only what no release takes.
    let anywhere = || catalog.releases.iter().any(|r| catalog.choices(flag, Some(*r)).contains(&text));
    if router.release().is_none_or(|r| !catalog.covers(r)) && anywhere() {
        return None;
    }
    Some(format!("write one of {}", listed(&choices)))
}

fn listed(choices: &[&str]) -> String {
    choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ")
}

/// Variables whose words Dynamo's runtime holds against a list, with the option that overrides them and where they count
/// from.
const CHOICES: [(&str, &str, Release, &[&str]); 4] = [
    ("DYN_DISCOVERY_BACKEND", "--discovery-backend", (1, 0), &["kubernetes", "etcd", "file", "mem"]),
    ("DYN_REQUEST_PLANE", "--request-plane", (1, 0), &["tcp", "nats", "http"]),
    ("DYN_EVENT_PLANE", "--event-plane", (1, 3), &["nats", "zmq"]),
    ("DYN_TOKENIZER", "--tokenizer", (1, 1), &["default", "fastokens", "basetenkenizer"]),
];

/// Variables of Dynamo's runtime that are passed over when they are no number, and those that count as off when they are none of
/// four words (`lib/runtime/src/config.rs`, `is_truthy`; `lib/llm/src/http/service`).
const NUMBERS: [&str; 2] = ["DYN_HTTP_BODY_LIMIT_MB", "DYN_HTTP_GRACEFUL_SHUTDOWN_TIMEOUT_SECS"];
const SWITCHES: [&str; 2] = ["DYN_LOGGING_JSONL", "OTEL_EXPORT_ENABLED"];

/// The part that is passed over in silence, by frontends and workers.
fn passed_over(service: &Service, out: &mut Findings) {
    let ours = service.module().is_some_and(|module| module.starts_with("dynamo."));
    for (index, name) in NUMBERS.iter().chain(&SWITCHES).enumerate().filter(|_| ours && !service.below(1, 0)) {
        let Some(var) = service.env.get(name).filter(|v| v.written()) else { continue };
        let Some((text, at)) = var.known().zip(var.winner().span) else { continue };
        let number = index < NUMBERS.len();
        let lower = text.trim().to_ascii_lowercase();
        let words = ["1", "0", "true", "false", "yes", "no", "on", "off"];
        let fits = if number { text.parse::<u64>().is_ok() } else { words.contains(&lower.as_str()) };
        if fits || open(text) {
            continue;
        }
        let (label, help) = if number {
            ("no number: the default stays", "write a whole number")
        } else {
            ("none of `1`, `true`, `yes`, `on`: off", "write `\"true\"` or `\"false\"`")
        };
        out.report(at, format!("`{name}` does not take `{}`", text.as_str()), label)
            .service(service)
            .subject(*name)
            .severity(Severity::Warning)
            .help(help)
            .emit();
    }
}

/// The part of `frontend-choice-invalid` that looks at variables, of workers as well: the same runtime reads them.
fn variable_choices(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.services.iter().filter(|s| s.process.is_some()) {
        passed_over(service, out);
        for (name, flag, (major, minor), choices) in CHOICES {
            let elsewhere = name == "DYN_TOKENIZER" && service.module() != Some("dynamo.frontend");
            if service.below(major, minor) || service.flag(&[flag]).is_some() || elsewhere {
                continue;
            }
            let Some(var) = service.env.get(name).filter(|v| v.written()) else { continue };
            let Some((text, at)) = var.known().zip(var.winner().span) else { continue };
            let word = text.trim();
            if word.is_empty() || word.contains(['<', '{', '$']) || choices.iter().any(|c| c.eq_ignore_ascii_case(word))
            {
                continue;
            }
            out.report(
                at,
                format!("`{word}` is no choice of `{name}`"),
                "Dynamo's runtime refuses it: the process exits",
            )
            .service(service)
            .subject(name)
            .help(format!("write one of {}", listed(choices)))
            .emit();
        }
        // `validate_nats_server` of `lib/runtime/src/transports/nats.rs`.
        let Some(var) = service.env.get("NATS_SERVER").filter(|v| v.written()) else { continue };
        let Some((text, at)) = var.known().zip(var.winner().span) else { continue };
        if text.is_empty()
            || text.starts_with("nats://")
            || text.contains(['<', '{', '$'])
            || service.module().is_none_or(|m| !m.starts_with("dynamo."))
        {
            continue;
        }
        out.report(
            at,
            "`NATS_SERVER` does not begin with `nats://`",
            "Dynamo's runtime refuses it where it goes to NATS, and exits",
        )
        .service(service)
        .subject("NATS_SERVER")
        .help("write `nats://host:4222`")
        .emit();
    }
}

/// `frontend-model-path`
pub fn frontend_model_path(deployment: &Deployment, out: &mut Findings) {
    for router in written(deployment) {
        let Some((flag, _)) = router.flag("--model-path") else { continue };
        let Some(word) = flag.value() else { continue };
        let Some(text) = word.as_known() else { continue };
        let repo = text.split_once('/').is_some_and(|(owner, name)| {
            let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            plain(owner) && plain(name) && !owner.starts_with('.')
        });
        if !repo {
            continue;
        }
        out.report(
            word.span(),
            format!("`--model-path {text}` is no directory: the frontend exits"),
            "looks like the name of a model on a hub",
        )
        .service(router.service)
        .subject("--model-path")
        .help("drop it: the frontend learns the model from its workers; or give a directory that is mounted")
        .emit();
    }
}
