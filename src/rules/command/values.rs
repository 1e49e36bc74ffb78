//! Values of workers' options that argparse refuses.

use super::release::{Name, name, parser, program, published};
use crate::catalog::Release;
use crate::catalog::flags::{self, Component, Kind, Match, Value};
use crate::catalog::router as knobs;
use crate::catalog::values::{python_float, python_int};
use crate::command::{Flag, Word};
use crate::finding::Confidence;
use crate::resolve::{Deployment, Env, EnvVar, Framework, Service};
use crate::rules::Findings;
use crate::source::Text;

/// Options whose values have rules of their own.
pub(super) const ELSEWHERE: [&str; 4] =
    ["--router-mode", "--router-queue-policy", "--kv-transfer-config", "--connector"];

/// What engines hold a number to, beyond what argparse does: the last part of an option's name, least and most, and what it
/// is. vLLM: `Field(gt=0, le=1)` of `CacheConfig`; TensorRT-LLM: a validator of `KvCacheConfig`; SGLang multiplies with it.
const BOUNDS: [(&str, f64, f64, &str); 6] = [
    ("gpu-memory-utilization", 0.0, 1.0, FRACTION),
    ("mem-fraction-static", 0.0, 1.0, FRACTION),
    ("free-gpu-memory-fraction", 0.0, 1.0, FRACTION),
    ("swa-full-tokens-ratio", 0.0, 1.0, "a ratio: write a number from 0 to 1"),
    ("-bootstrap-port", 0.0, 65535.0, "a port: write a number up to 65535"),
    ("-rpc-port", 0.0, 65535.0, "a port: write a number up to 65535"),
];
/// Options that name the model.
const MODEL: [&str; 2] = ["--model", "--model-path"];
const ARGPARSE: &str = "argparse refuses it: the process exits";
const FRACTION: &str = "a part of the GPU's memory: write a number from 0 to 1";

/// Element types of vLLM (`ModelDType`, 0.11 to 0.31): not among what its definitions list, and refused all the same.
const DTYPES: [&str; 6] = ["auto", "half", "float16", "bfloat16", "float", "float32"];

/// Options that take whole numbers, each a word of its own (`nargs="+"`).
const WHOLE: [&str; 5] = [
    "--cudagraph-capture-sizes",
    "--cuda-graph-sizes",
    "--cuda-graph-bs",
    "--cuda-graph-bs-decode",
    "--cuda-graph-bs-prefill",
];

/// Why an engine refuses a value that argparse takes.
fn refused(framework: Option<Framework>, option: &str, text: &str) -> Option<String> {
    let name = option.trim_start_matches('-');
    if name == "dtype" && framework == Some(Framework::Vllm) && !DTYPES.contains(&text.trim_start_matches("torch.")) {
        return Some("write one of `auto`, `half`, `float16`, `bfloat16`, `float`, `float32`".to_owned());
    }
    let number: f64 = text.trim().parse().ok()?;
    let byte = |b: u8| if b == b'_' { b'-' } else { b };
    let ends = |end: &str| {
        // At the start of a name as behind a dash.
        let end = if name.len() < end.len() { end.trim_start_matches('-') } else { end };
        name.len() >= end.len() && name.bytes().rev().map(byte).zip(end.bytes().rev()).all(|(a, b)| a == b)
    };
    let (.., what) = BOUNDS.iter().find(|(end, least, most, _)| !(*least..=*most).contains(&number) && ends(end))?;
    Some((*what).to_owned())
}

/// Two formats of ModelExpress, one since 1.2 (`MX_LOAD_FORMATS`, dynamo/vllm/main.py).
fn split_format(service: &Service, option: &str, text: &str) -> Option<String> {
    let split = option == "--load-format" && matches!(text, "mx-source" | "mx-target");
    (split && service.at_least(1, 2)).then(|| "write `modelexpress`".to_owned())
}

/// `image=4`, which vLLM took before it read JSON there (`limit_mm_per_prompt`, 0.10 to 0.28).
fn pairs(service: &Service, option: &str, text: &str) -> Option<String> {
    let (name, count) = text.split_once('=').filter(|(name, count)| !name.contains('{') && int(count))?;
    let old = option == "--limit-mm-per-prompt" && service.version().is_some() && !service.at_least(1, 6);
    old.then(|| format!("write `{{\"{name}\": {count}}}`"))
}

/// Numbers in engine configs that the engine refuses.
fn in_configs(service: &Service, out: &mut Findings) {
    let paths: [&[&str]; 6] = [
        &["gpu-memory-utilization"],
        &["gpu_memory_utilization"],
        &["mem-fraction-static"],
        &["mem_fraction_static"],
        &["dtype"],
        &["kv_cache_config", "free_gpu_memory_fraction"],
    ];
    for path in paths {
        let Some((node, key)) = service.config_at(path).zip(path.last()) else { continue };
        let Some(text) = node.as_text().filter(|t| !t.contains(['<', '{', '$'])) else { continue };
        // A share of memory is a number, and nothing but `dtype` is not.
        let no_number =
            || (*key != "dtype" && !node.is_null() && !float(text)).then(|| "write a number below 1".to_owned());
        let Some(help) = refused(service.framework, key, text).or_else(no_number) else { continue };
        out.report(node.span, format!("`{key}` is not to be `{text}`"), "the engine refuses it: the worker exits")
            .service(service)
            .subject(*key)
            .help(help)
            .emit();
    }
}

/// A whole number as Python's `int()` reads one.
pub(super) fn int(text: &str) -> bool {
    python_int(text).is_ok()
}

/// A number as Python's `float()` reads one.
pub(super) fn float(text: &str) -> bool {
    python_float(text).is_ok()
}

/// A whole number the way vLLM reads one: `16384`, `16k`, `1.5M`, `auto`.
pub(super) fn human(text: &str) -> bool {
    let text = text.trim();
    let body = text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G', 't', 'T']).unwrap_or(text);
    text == "auto" || int(body) || (body.len() < text.len() && float(body))
}

/// What a word should have been, when an option does not take it. Words are held against a list only where the release is
/// known: engines add to their lists.
pub(super) fn misfit(catalog: &Component, found: &Match, release: Option<Release>, text: &str) -> Option<String> {
    let flag = found.flag;
    let listed = matches!(flag.value, Value::Text | Value::Int) && release.is_some();
    let choices = if listed { catalog.choices(flag, release) } else { Vec::new() };
    let whole = flag.value == Value::Int && choices.contains(&text.trim().trim_start_matches('+'));
    if !(choices.is_empty() || choices.contains(&text) || whole) {
        let all = choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>();
        return Some(match all.len() {
            1 => format!("write {}", all[0]),
            0..=12 => format!("write one of {}", all.join(", ")),
            _ => format!("write one of {} or {} more", all[..10].join(", "), all.len() - 10),
        });
    }
    if release.is_none() && flag.value == Value::Text {
        let word = respelled(flag, text).filter(|_| !catalog.choices(flag, None).is_empty());
        return word.map(|word| format!("write `{word}`"));
    }
    number(flag.value, text).map(str::to_owned)
}

/// The word of a list that differs in nothing but case and dashes from one that no release has: a newer one does not spell
/// its words in two ways.
fn respelled(flag: flags::Flag, text: &str) -> Option<&'static str> {
    let byte = |b: u8| if b == b'_' { b'-' } else { b.to_ascii_lowercase() };
    let mut words = flag.words();
    let same = |word: &&str| word.len() == text.len() && word.bytes().map(byte).eq(text.bytes().map(byte));
    let near = words.clone().find(same)?;
    (!words.any(|word| word == text)).then_some(near)
}

/// What to write instead of what is no number.
pub(in crate::rules) fn number(value: Value, text: &str) -> Option<&'static str> {
    match value {
        Value::Int if !int(text) => Some("write a whole number"),
        Value::HumanInt if !human(text) => Some("write a whole number, with `k`, `m` or `g` behind it if you like"),
        Value::Float if !float(text) => Some("write a number"),
        _ => None,
    }
}

/// Variables that supply the default of an option and are no number where that takes one. Python reads them before it looks at
/// the command line (`env_or_default`), and words of a list are not held against that list.
pub(in crate::rules) fn misread<'a>(
    env: &'a Env,
    catalog: &'static Component,
    release: Option<Release>,
) -> Vec<(&'a EnvVar, &'a Text, &'static str)> {
    let names = ["DYN_", "NATS_"];
    let written = env.written().filter(|var| names.iter().any(|n| var.name.starts_with(n)));
    let judged = written.filter_map(|var| {
        let text = var.known().filter(|t| !open(t))?;
        let flag = read(catalog, catalog.by_env(&var.name)?.name, release.filter(|r| catalog.covers(*r)))?.flag;
        (flag.kind == Kind::Value).then_some((var, text, number(flag.value, text)?))
    });
    judged.collect()
}

/// Whether a word may still turn into another, or is taken for nothing.
pub(in crate::rules) fn open(text: &str) -> bool {
    none(text) || text.contains(['<', '{', '$'])
}

/// Words that options with an open type take for nothing.
fn none(text: &str) -> bool {
    text.is_empty() || matches!(text, "None" | "none" | "null")
}

/// The option that a worker's release reads; where that is not known, one that every release reads the same.
pub(super) fn read(catalog: &'static Component, written: &str, release: Option<Release>) -> Option<Match> {
    match release {
        Some(release) => match name(catalog, written, release) {
            Name::Fine(found) => Some(found),
            _ => None,
        },
        None => catalog
            .flag(written)
            .filter(|m| catalog.since(m).is_none_or(|s| s <= (1, 0)) && catalog.removed(m).is_none()),
    }
    // The beginning of a number's option (`--tp`) is that one's; what takes words may have another of its own.
    .filter(|m| (!m.abbreviated || m.flag.value == Value::Int) && !written.contains('.'))
}

/// `worker-flag-value`
pub fn worker_flag_value(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let Some(catalog) = program(service) else { continue };
        let engine = parser(service).is_some();
        if engine && !service.role.is_worker() {
            continue;
        }
        let known = service.version().map(|v| (v.major, v.minor));
        // Numbers of a router's settings have a rule of their own.
        let misread = misread(&service.env, catalog, known).into_iter().filter(|_| !service.below(1, 0));
        for (var, text, help) in misread.filter(|(var, ..)| engine || knobs::knob(&var.name).is_none()) {
            misread_variable(service, var, text, help, out);
        }
        if engine {
            in_configs(service, out);
        }
        let Some(args) = service.args() else { continue };
        let published = published(service, catalog);
        // A release that was not read, or an engine of somebody's own, may take anything.
        let release = published.map(|p| p.release);
        if service.below(1, 0) && release.is_none() {
            continue;
        }
        for flag in args.flags.iter().filter(|f| f.name.starts_with("--")) {
            if let Some(path) = flag.name.strip_prefix("--trtllm.") {
                key_as_option(service, flag, path, out);
                continue;
            }
            // A word in the wrong case is none of an option's that came later, either.
            let later = || catalog.flag(&flag.name).filter(|m| m.flag.value == Value::Text && !m.abbreviated);
            let found = read(catalog, &flag.name, release).or_else(|| release.is_none().then(later).flatten());
            let Some(found) = found else { continue };
            let list = WHOLE.contains(&found.flag.name);
            let odd = |word: &&Word| word.as_known().is_some_and(|text| !open(text) && !int(text));
            let Some(word) = (if list { flag.values.iter().find(odd) } else { flag.value() }) else { continue };
            let Some(text) = word.as_known() else { continue };
            let certain = published.is_some_and(|p| p.official);
            if matches!(found.flag.kind, Kind::Switch | Kind::Bool) {
                valued_switch(service, flag, &found, text, out);
                continue;
            }
            let own = ELSEWHERE.contains(&found.flag.name) || (!engine && knobs::knob(found.flag.name).is_some());
            let unnamed = text.is_empty() && MODEL.contains(&found.flag.name);
            let judged = if list { found.flag.kind == Kind::OneOrMore } else { found.flag.kind == Kind::Value };
            if !judged || own || (open(text) && !unnamed) {
                continue;
            }
            // An option inside the value: `flag-with-blank`.
            if text.contains(" --") {
                continue;
            }
            let (help, label) = if list {
                ("write the numbers as words of their own".to_owned(), ARGPARSE)
            } else if unnamed {
                ("name a model".to_owned(), "no model has that name: the worker exits")
            } else {
                match misfit(catalog, &found, release, text) {
                    Some(help) => (help, ARGPARSE),
                    None => match refused(service.framework, found.flag.name, text)
                        .or_else(|| split_format(service, found.flag.name, text))
                        .or_else(|| pairs(service, found.flag.name, text))
                    {
                        Some(help) => (help, "the engine refuses it: the worker exits"),
                        None => continue,
                    },
                }
            };
            out.report(word.span(), format!("`{}` does not take `{text}`", flag.name), label)
                .service(service)
                .subject(flag.name.clone())
                .confidence(if certain { Confidence::Certain } else { Confidence::Likely })
                .help(help)
                .emit();
        }
    }
}

/// A key of TensorRT-LLM's engine config behind `--trtllm.`.
fn key_as_option(service: &Service, flag: &Flag, path: &str, out: &mut Findings) {
    let word = flag.value().and_then(|word| Some((word, word.as_known().filter(|text| !open(text))?)));
    let last = path.rsplit('.').next().unwrap_or(path);
    let (at, message, help) = match (super::engine_keys::dotted(path), word) {
        (Some(meant), _) => {
            let help = format!("did you mean `{}{meant}`?", flag.name.strip_suffix(last).unwrap_or_default());
            (flag.span, format!("the engine config has no `{path}`"), help)
        }
        (None, Some((word, text))) => match refused(service.framework, last, text)
            .or_else(|| (super::engine_keys::whole(path) && !int(text)).then(|| "write a whole number".to_owned()))
        {
            Some(help) => (word.span(), format!("`{}` does not take `{text}`", flag.name), help),
            None => return,
        },
        _ => return,
    };
    out.report(at, message, "the engine refuses it: the worker exits")
        .service(service)
        .subject(flag.name.clone())
        .help(help)
        .emit();
}

/// Says what `misread` found.
pub(in crate::rules) fn misread_variable(service: &Service, var: &EnvVar, text: &Text, help: &str, out: &mut Findings) {
    let at = if text.is_empty() { None } else { Some(text.span()) };
    let Some(at) = at.or(var.winner().span) else { return };
    out.report(at, format!("`{}` is no number: `{text}`", var.name), "Python cannot read it: the process exits")
        .service(service)
        .subject(var.name.clone())
        .help(help)
        .emit();
}

/// `--switch=word`. A word of its own behind a switch is a `stray-argument`.
fn valued_switch(service: &Service, flag: &Flag, found: &Match, text: &str, out: &mut Findings) {
    if !flag.joined {
        return;
    }
    let off = ["false", "0", "no", "off"].iter().any(|t| text.eq_ignore_ascii_case(t));
    let bare = found.spelling.trim_start_matches("--");
    let help = match (off != found.negated, found.flag.kind) {
        (false, _) => format!("write `--{bare}` alone"),
        (true, Kind::Bool) => format!("write `--no-{bare}` alone"),
        (true, _) => format!("drop `{}`", flag.name),
    };
    out.report(flag.full_span(), format!("`{}` takes no value", flag.name), ARGPARSE)
        .service(service)
        .subject(flag.name.clone())
        .help(help)
        .emit();
}

#[cfg(test)]
mod tests {
    use super::{float, human, int};
    use crate::resolve::Framework;

    #[test]
    fn values_behind_argparse() {
        let refuses = |option: &str, text: &str| super::refused(Some(Framework::Vllm), option, text).is_some();
        for text in ["90", "1.01", "-0.1"] {
            assert!(refuses("--gpu-memory-utilization", text), "{text}");
        }
        for text in ["0.9", "1", "1.0", "0", "auto", ""] {
            assert!(!refuses("--gpu-memory-utilization", text), "{text}");
        }
        assert!(refuses("gpu_memory_utilization", "90"), "a key of a config file");
        assert!(
            refuses("--disaggregation-bootstrap-port", "89980") && !refuses("--disaggregation-bootstrap-port", "8998")
        );
        assert!(refuses("--dtype", "bf16") && !refuses("--dtype", "bfloat16"));
        assert!(super::refused(Some(Framework::Sglang), "--dtype", "bf16").is_none());
        assert!(!refuses("--max-model-len", "90000"));
    }

    #[test]
    fn numbers_as_python_reads_them() {
        for text in ["8", " 8 ", "+8", "-1", "1_000", "007"] {
            assert!(int(text), "{text}");
        }
        for text in ["", "8.0", "1e3", "_1", "1_", "0x10", "8k", "true", "--"] {
            assert!(!int(text), "{text}");
        }
        for text in ["0.9", ".5", "5.", "1e-3", "inf", "-nan", "1_0.5"] {
            assert!(float(text), "{text}");
        }
        for text in ["", "0,9", "90%", "0.9f", "auto", "_0.9", "0_.9"] {
            assert!(!float(text), "{text}");
        }
        for text in ["16384", "16k", "1.5M", "auto", "-1"] {
            assert!(human(text), "{text}");
        }
        for text in ["16kb", "k", "1.5", "sixteen"] {
            assert!(!human(text), "{text}");
        }
    }
}
