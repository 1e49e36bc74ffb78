//! Options of a benchmark that aiperf refuses together.

use super::jobs::{At, QUOTES, each_aiperf};
use crate::finding::{Applicability, Edit};
use crate::resolve::{Recipe, Version};
use crate::rules::Findings;
use crate::rules::mend::cut;
use crate::source::Text;

/// `perf-job-args`
pub fn perf_job_args(recipe: &Recipe, out: &mut Findings) {
    each_aiperf(recipe, |text, words, _, release| check_aiperf(recipe, text, words, release, out));
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

/// Types of endpoints and their paths, of those that have one of their own (`aiperf` 0.6 to 0.13).
const ENDPOINTS: [(&str, &str); 4] = [
    ("chat", "v1/chat/completions"),
    ("completions", "v1/completions"),
    ("embeddings", "v1/embeddings"),
    ("responses", "v1/responses"),
];

/// Takes every option of a kind off a command, with its value.
fn without(recipe: &Recipe, text: &Text, words: &[At<'_>], names: &[&str]) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    for (index, (word, at)) in words.iter().enumerate() {
        let name = word.split('=').next().unwrap_or_default();
        if !names.contains(&name) {
            continue;
        }
        let (last, end) = match words.get(index + 1).filter(|_| name == *word) {
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
    let find = |names: &[&str]| {
        words.iter().find(|(w, _)| names.contains(&w.split('=').next().unwrap_or_default())).map(|(w, at)| (*w, *at))
    };
    let span = |(word, at): At<'_>| text.slice_span(at..at + word.split('=').next().unwrap_or(word).len());
    // Each type of endpoint sends a body of its own, and goes to the path of that type when no other is written.
    let value = |names: &[&str]| {
        let at = words.iter().position(|(w, _)| names.contains(&w.split('=').next().unwrap_or_default()))?;
        let (word, from) = words[at];
        let (value, from) = match word.split_once('=') {
            Some((name, value)) => (value, from + name.len() + 1),
            None => *words.get(at + 1)?,
        };
        let quote = usize::from(value.starts_with(['"', '\'']));
        Some((value.trim_matches(['"', '\'']), from + quote))
    };
    let kind = value(&["--endpoint-type"]);
    let near = kind.and_then(|(kind, _)| ENDPOINTS.iter().find(|(name, _)| crate::catalog::is_slip(kind, name)));
    let path = value(&["--endpoint", "--custom-endpoint"]).map(|(path, at)| (path.trim_start_matches('/'), path, at));
    let own = ENDPOINTS.iter().find(|(name, _)| *name == kind.map_or("chat", |(kind, _)| kind));
    let other =
        path.zip(own).filter(|((path, ..), (_, own))| path != own && ENDPOINTS.iter().any(|(_, known)| known == path));
    if let (Some((kind, at)), Some((name, _))) = (kind, near) {
        out.report(
            text.slice_span(at..at + kind.len()),
            format!("aiperf has no endpoint type `{kind}`"),
            "aiperf exits",
        )
        .subject("--endpoint-type")
        .severity(crate::finding::Severity::Error)
        .help(format!("did you mean `{name}`?"))
        .emit();
    } else if let Some(((_, path, at), (name, own))) = other {
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
    // `gt=0` in 0.6 to 0.13.
    let none = ["--warmup-request-count", "--num-warmup-requests", "--warmup-duration"];
    let zero = |(at, (word, _)): (usize, &At<'_>)| {
        let (name, value) = word.split_once('=').unwrap_or((word, words.get(at + 1).map_or("", |(next, _)| next)));
        none.contains(&name) && value.trim_matches(QUOTES) == "0"
    };
    if let Some(at) = words.iter().enumerate().position(zero) {
        let name = words[at].0.split('=').next().unwrap_or_default();
        out.report(span(words[at]), format!("aiperf refuses a `{name}` of 0"), "it has to be greater: aiperf exits")
            .subject(name)
            .severity(crate::finding::Severity::Error)
            .help(format!("drop `{name}`: without it nothing is warmed up"))
            .mend(Applicability::Unsafe, without(recipe, text, words, &[name]))
            .emit();
    }
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
