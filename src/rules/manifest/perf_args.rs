//! Options of a benchmark that aiperf refuses together.

use super::jobs::{At, QUOTES, commands, each_aiperf, is_job, texts, texts_with};
use super::volumes::provided;
use crate::catalog::vars;
use crate::finding::{Applicability, Edit};
use crate::manifest::{Container, Workload};
use crate::resolve::{Recipe, Version};
use crate::rules::mend::cut;
use crate::rules::{Findings, workload};
use crate::source::Text;
use crate::yaml::Node;

/// `perf-job-args`
pub fn perf_job_args(recipe: &Recipe, out: &mut Findings) {
    each_aiperf(recipe, |text, words, _, release| check_aiperf(recipe, text, words, release, out));
    for pod in recipe.here.iter().filter(is_job).filter_map(|job| job.workload()) {
        for container in &pod.containers {
            settings(container, recipe, out);
            for text in texts_with(container, recipe, "aiperf") {
                absent_file(recipe, pod, container, &text, out);
            }
        }
    }
}

/// Variables of which aiperf refuses the value. What only a script says is not for it.
fn settings(container: &Container, recipe: &Recipe, out: &mut Findings) {
    for (_, entry) in container.env.iter().filter(|(_, entry)| entry.name.value.starts_with("AIPERF_")) {
        let name = &entry.name.value;
        let known = vars::lookup(name).filter(|v| v.owner == "aiperf");
        let word = known.and_then(|known| Some((known, workload::env(container, recipe, name)?)));
        let Some((known, word)) = word else { continue };
        let Some(value) = word.as_known().map(str::trim).filter(|v| !v.is_empty() && !v.contains(['$', '<', '{']))
        else {
            continue;
        };
        // pydantic takes `10.0` for a whole number.
        let whole = value.parse().is_ok_and(|n: f64| n.fract() == 0.0);
        if whole || !texts(container).any(|(text, _)| text.contains("aiperf")) {
            continue;
        }
        if let Err(expected) = known.check(value) {
            let message = format!("`{value}` is no value of `{name}`: expected {}", expected.legal);
            out.report(word.span(), message, "aiperf refuses its settings and exits")
                .subject(&**name)
                .help(format!("write {}", expected.legal))
                .emit();
        }
    }
}

/// A data file or tokenizer that no volume of the Job has, and that its script does not make.
fn absent_file(recipe: &Recipe, pod: &Workload, container: &Container, text: &Text, out: &mut Findings) {
    // What is on no volume may be in an image that is not a stock one.
    let stock = container.image.as_ref().and_then(Node::as_text).is_some_and(|image| image.starts_with("python:"));
    if !stock || container.mounts.is_empty() {
        return;
    }
    for words in commands(text, "aiperf") {
        for pair in words.windows(2) {
            let [option, value] = [&text[pair[0].clone()], text[pair[1].clone()].trim_matches(QUOTES)];
            if !matches!(option, "--input-file" | "--tokenizer") {
                continue;
            }
            let name = value.strip_prefix('$').map(|v| v.trim_start_matches('{').trim_end_matches('}'));
            let (path, span) = match name {
                None => {
                    let at = pair[1].start + text[pair[1].clone()].find(value).unwrap_or_default();
                    (value.to_owned(), text.slice_span(at..at + value.len()))
                }
                Some(name) => match workload::env(container, recipe, name) {
                    Some(word) if !text.contains(&format!("{name}=")) => {
                        let Some(path) = word.as_known() else { continue };
                        (path.to_owned(), word.span())
                    }
                    _ => continue,
                },
            };
            // Other lines that name the file or its directory may make it, all but those that ask whether it is there.
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let makes = |line: &str| {
                let named = name.is_some_and(|name| line.contains(name)) || line.contains(directory);
                named
                    && ["wget", "curl", "cp ", "mv ", "ln ", "tee", "download", "python", "tar ", "-o ", "mkdir", "> "]
                        .iter()
                        .any(|w| line.contains(w))
            };
            if directory.is_empty()
                || !directory.starts_with('/')
                || path.contains(['$', '<', '{', '`'])
                || provided(container, &pod.volumes, &path).is_some()
                || text.contains("git clone")
                || text.lines().any(makes)
                || !pod.init_containers.is_empty()
            {
                continue;
            }
            out.report(
                span,
                format!("no volume of the Job has `{path}`"),
                format!("`{option}`: aiperf finds nothing there and exits"),
            )
            .subject(option)
            .severity(crate::finding::Severity::Error)
            .help(format!(
                "write a path below `{}`, or mount the volume there",
                container
                    .mounts
                    .iter()
                    .filter_map(|m| m.path.as_ref())
                    .map(|p| p.value.as_str())
                    .collect::<Vec<_>>()
                    .join("`, `")
            ))
            .emit();
            return;
        }
    }
}

/// Options that shape synthetic prompts; aiperf 0.9 to 0.11 refuse them beside `--input-file`
/// (`config/flags/_converter_dataset.py`).
const SYNTHETIC: [&str; 17] = [
    "--prompt-input-tokens-block-size",
    "--synthetic-input-tokens-block-size",
    "--isl-block-size",
    "--isl",
    "--prompt-input-tokens-mean",
    "--synthetic-input-tokens-mean",
    "--isl-stddev",
    "--prompt-input-tokens-stddev",
    "--synthetic-input-tokens-stddev",
    "--prompt-prefix-length",
    "--prefix-prompt-length",
    "--prompt-prefix-pool-size",
    "--shared-system-prompt-length",
    "--user-context-prompt-length",
    "--prompt-batch-size",
    "--seq-dist",
    "--sequence-distribution",
];

/// Options of which aiperf takes words of a list, those words, and what the value is called (`plugin/plugins.yaml` of 0.6 to
/// 0.13, all releases together; case counts as little as `-` for `_`: `common/enums/base_enums.py`).
const WORDS: [(&[&str], &str, &str); 5] = [
    (&["--ui-type", "--ui"], "dashboard none simple", "user interface"),
    (
        &["--endpoint-type"],
        "chat completions embeddings responses audio_transcription chat_embeddings cohere_rankings hf_tei_rankings \
         huggingface_generate image_edit image_generation image_retrieval messages nim_embeddings nim_rankings raw \
         rankings solido_rag template video_generation",
        "endpoint type",
    ),
    (
        &["--custom-dataset-type"],
        "mooncake_trace single_turn multi_turn random_pool bailian_trace baseten_trace burst_gpt_trace dag_jsonl \
         inputs_json raw_payload sagemaker_data_capture tracelab weka_trace",
        "type of data set",
    ),
    (&["--arrival-pattern", "--request-rate-mode"], "constant poisson gamma concurrency_burst", "pattern of arrivals"),
    (
        &["--accuracy-benchmark"],
        "gpqa_diamond mmlu mmlu_pro gsm8k math_500 aime aime24 aime25 hellaswag bigbench lcb_codegeneration",
        "benchmark",
    ),
];

/// Options that aiperf refuses without one of others (`user_config.py` of 0.6 and 0.8, `config/flags/_converter_profiling.py` and
/// `_converter_warmup.py` of 0.10 to 0.13).
const NEEDS: [(&[&str], &[&str]); 7] = [
    (&["--benchmark-grace-period"], &["--benchmark-duration"]),
    (&["--warmup-grace-period"], &["--warmup-duration"]),
    (&["--num-users"], &["--user-centric-rate"]),
    (&["--request-cancellation-delay"], &["--request-cancellation-rate"]),
    (&["--request-rate-ramp-duration"], &["--request-rate", "--user-centric-rate"]),
    (&["--arrival-smoothness", "--vllm-burstiness"], &["--arrival-pattern", "--request-rate-mode"]),
    (
        &["--fixed-schedule-auto-offset", "--fixed-schedule-start-offset", "--fixed-schedule-end-offset"],
        &["--fixed-schedule"],
    ),
];

/// Options that shut each other out, in all releases.
const CLASHES: [[&str; 2]; 2] =
    [["--no-gpu-telemetry", "--gpu-telemetry"], ["--no-server-metrics", "--server-metrics"]];

/// Options that take a number of at least 1 (`gt=0`, `ge=1`), in all releases.
const COUNTS: [&str; 15] = [
    "--concurrency",
    "--request-count",
    "--num-requests",
    "--conversation-num",
    "--num-conversations",
    "--num-sessions",
    "--num-dataset-entries",
    "--num-prompts",
    "--num-warmup-requests",
    "--warmup-request-count",
    "--warmup-duration",
    "--prefill-concurrency",
    "--workers-max",
    "--max-workers",
    "--num-users",
];

/// Options that take a number, which may be 0.
const NUMBERS: [&str; 13] = [
    "--random-seed",
    "--isl",
    "--synthetic-input-tokens-mean",
    "--prompt-input-tokens-mean",
    "--isl-stddev",
    "--synthetic-input-tokens-stddev",
    "--osl",
    "--output-tokens-mean",
    "--osl-stddev",
    "--output-tokens-stddev",
    "--benchmark-duration",
    "--benchmark-grace-period",
    "--request-rate",
];

/// Types of endpoints and their paths, of those that have one of their own (`aiperf` 0.6 to 0.13).
const ENDPOINTS: [(&str, &str); 4] = [
    ("chat", "v1/chat/completions"),
    ("completions", "v1/completions"),
    ("embeddings", "v1/embeddings"),
    ("responses", "v1/responses"),
];

/// Whether a word is that option, with or without its value.
fn is(word: &str, option: &str) -> bool {
    word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// Takes every option of a kind off a command, with its value.
fn without(recipe: &Recipe, text: &Text, words: &[At<'_>], names: &[&str]) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    for (index, (word, at)) in words.iter().enumerate() {
        if !names.iter().any(|name| is(word, name)) {
            continue;
        }
        let (last, end) = match words.get(index + 1).filter(|_| !word.contains('=')) {
            Some((value, start)) if !value.starts_with("--") => (*value, start + value.len()),
            _ => (*word, at + word.len()),
        };
        // A value in quotes may go on behind the blank, one at the end may close what stands around.
        if last.contains(['"', '\'', '`', '(', ')', ';', '|', '&', '>']) {
            return None;
        }
        let span = text.slice_span(*at..end);
        edits.push(cut(&recipe.sources.get(span.file), span)?);
    }
    Some(edits)
}

fn check_aiperf(recipe: &Recipe, text: &Text, words: &[At<'_>], release: Option<Version>, out: &mut Findings) {
    let find = |names: &[&str]| words.iter().find(|(w, _)| names.iter().any(|name| is(w, name))).copied();
    let span = |(word, at): At<'_>| text.slice_span(at..at + word.split('=').next().unwrap_or(word).len());
    // Each type of endpoint sends a body of its own, and goes to the path of that type when no other is written.
    let value = |names: &[&str]| {
        let at = words.iter().position(|(w, _)| names.iter().any(|name| is(w, name)))?;
        let (word, from) = words[at];
        let (value, from) = match word.split_once('=') {
            Some((name, value)) => (value, from + name.len() + 1),
            None => *words.get(at + 1)?,
        };
        let quote = usize::from(value.starts_with(['"', '\'']));
        Some((value.trim_matches(['"', '\'']), from + quote))
    };
    let kind = value(&["--endpoint-type"]);
    // A release to come may know more words; where none is pinned, only a slip is told.
    let covered = release.is_some_and(|v| v < Version::new(0, 14));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    for (names, words, what) in &WORDS {
        let Some((given, at)) = value(names) else { continue };
        let word = given.to_ascii_lowercase().replace('-', "_");
        if word.is_empty()
            || !given.bytes().all(plain)
            || word.starts_with("speed_bench_")
            || words.split_whitespace().any(|known| known == word)
        {
            continue;
        }
        let near = words.split_whitespace().find(|known| crate::catalog::is_slip(&word, known));
        if !covered && near.is_none() {
            continue;
        }
        out.report(text.slice_span(at..at + given.len()), format!("aiperf has no {what} `{given}`"), "aiperf exits")
            .subject(names[0])
            .severity(crate::finding::Severity::Error)
            .help(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of `{}`", words.split_whitespace().collect::<Vec<_>>().join("`, `")),
            })
            .emit();
    }
    let path = value(&["--endpoint", "--custom-endpoint"]).map(|(path, at)| (path.trim_start_matches('/'), path, at));
    let own = ENDPOINTS.iter().find(|(name, _)| *name == kind.map_or("chat", |(kind, _)| kind));
    let other =
        path.zip(own).filter(|((path, ..), (_, own))| path != own && ENDPOINTS.iter().any(|(_, known)| known == path));
    if let Some(((_, path, at), (name, own))) = other {
        let message = format!("aiperf sends requests of type `{name}` to `{path}`");
        out.report(text.slice_span(at..at + path.len()), message, "the frontend refuses a body of another type")
            .subject("--endpoint")
            .severity(crate::finding::Severity::Error)
            .help(format!("write `/{own}`, or the `--endpoint-type` of that path"))
            .emit();
    }
    let refuses = release.is_some_and(|v| v >= Version::new(0, 9) && v < Version::new(0, 12));
    if let (true, Some(file), Some(synthetic)) = (refuses, find(&["--input-file"]), find(&SYNTHETIC)) {
        let name = synthetic.0.split('=').next().unwrap_or_default();
        out.report(
            span(synthetic),
            format!("aiperf refuses `{name}` beside `--input-file`"),
            "it shapes synthetic prompts, and the prompts come from a file",
        )
        .subject(name)
        .severity(crate::finding::Severity::Error)
        .label(span(file), "the data file")
        .help(format!("drop `{name}`"))
        .mend(Applicability::Unsafe, without(recipe, text, words, &SYNTHETIC))
        .emit();
    }
    // A variable that stands alone, or a file, may bring more options.
    let alone = |(at, (word, _)): (usize, &At<'_>)| {
        let value = at > 0 && words[at - 1].0.starts_with('-') && !words[at - 1].0.contains('=');
        word.trim_start_matches(['"', '\'']).starts_with('$') && !value
    };
    let open = words.iter().enumerate().any(alone) || find(&["--config", "-f", "--config-file"]).is_some();
    let lacking = NEEDS
        .iter()
        .find_map(|(names, needed)| find(names).filter(|_| !open && find(needed).is_none()).zip(Some(needed)));
    if let Some((option, needed)) = lacking {
        let name = option.0.split('=').next().unwrap_or_default();
        let needed = needed.join("` or `");
        out.report(span(option), format!("aiperf refuses `{name}` without `{needed}`"), "aiperf exits")
            .subject(name)
            .severity(crate::finding::Severity::Error)
            .help(format!("add `{needed}`, or drop `{name}`"))
            .mend(Applicability::Unsafe, without(recipe, text, words, &[name]))
            .emit();
    }
    for [off, on] in CLASHES {
        if let (Some(off), Some(on)) = (find(&[off]), find(&[on])) {
            out.report(span(off), format!("aiperf refuses `{}` beside `{}`", off.0, on.0), "aiperf exits")
                .subject(off.0)
                .severity(crate::finding::Severity::Error)
                .label(span(on), "switches it on")
                .help("drop one of the two")
                .emit();
        }
    }
    numbers(recipe, text, words, out);
    // Refused up to 0.8; what later releases make of both was not read.
    if release.is_some_and(|v| v >= Version::new(0, 9)) {
        return;
    }
    if let (Some(number), Some(count)) = (
        find(&["--conversation-num", "--num-conversations", "--num-sessions"]),
        find(&["--request-count", "--num-requests"]),
    ) {
        let name = number.0.split('=').next().unwrap_or_default();
        out.report(
            span(number),
            format!("aiperf takes `{name}` or a request count, not both"),
            "each says when the run ends: aiperf exits",
        )
        .subject(name)
        .label(span(count), "the request count")
        .help("write `--num-dataset-entries` for the number of different prompts, or drop one of the two")
        .fix(Applicability::Unsafe, span(number), "--num-dataset-entries")
        .emit();
    }
}

/// An option that wants a number and gets another option, a word, or 0 where there has to be something; and what is said of it.
fn no_number<'a>(words: &[At<'a>], n: usize) -> Option<(&'a str, String, &'static str)> {
    let word = words[n].0;
    let (name, joined) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let count = COUNTS.contains(&name);
    if !count && !NUMBERS.contains(&name) {
        return None;
    }
    let value = joined.or_else(|| Some(words.get(n + 1)?.0)).unwrap_or_default().trim_matches(QUOTES);
    let letters = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-');
    let (message, label) = match value {
        "0" if count => (format!("aiperf refuses a `{name}` of 0"), "it has to be greater: aiperf exits"),
        "" | "|" | "||" | "&&" | ">" => (format!("aiperf refuses `{name}` without a number"), "aiperf exits"),
        _ if value.starts_with("--") => (format!("aiperf refuses `{name}` without a number"), "aiperf exits"),
        _ if value.bytes().all(letters) => {
            (format!("aiperf refuses `{value}` for `{name}`, which is a number"), "aiperf exits")
        }
        _ => return None,
    };
    Some((name, message, label))
}

fn numbers(recipe: &Recipe, text: &Text, words: &[At<'_>], out: &mut Findings) {
    let found = (2..words.len()).find_map(|n| Some((n, no_number(words, n)?)));
    let Some((n, (name, message, label))) = found else { return };
    let at = words[n].1;
    out.report(text.slice_span(at..at + name.len()), message, label)
        .subject(name)
        .severity(crate::finding::Severity::Error)
        .help(format!("give it a number, or drop `{name}`"))
        .mend(Applicability::Unsafe, without(recipe, text, words, &[name]))
        .emit();
}
