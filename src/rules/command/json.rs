//! Options of workers and of the planner that take JSON.

use super::flags::catalogs;
use super::json_keys::Reader;
use super::release::{parser, published};
use super::values::{ELSEWHERE, open};
use crate::catalog::flags::{self, Value};
use crate::command::json::{self, Json, JsonValue};
use crate::command::{Flag, Word};
use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Service, as_json};
use crate::rules::Findings;
use crate::source::Span;

/// Options of SGLang that take JSON, which its definitions call text.
const SGLANG: [&str; 3] =
    ["--json-model-override-args", "--model-loader-extra-config", "--hicache-storage-backend-extra-config"];

/// `flag-json-invalid`
pub fn flag_json_invalid(deployment: &Deployment, out: &mut Findings) {
    // Workers of both roles may read one text.
    let mut said: Vec<Span> = Vec::new();
    for service in deployment.workers() {
        worker(deployment, service, &mut said, out);
        // TensorRT-LLM's engine config, given inline: the keys are those of the file.
        for config in service.configs.iter().filter(|c| c.flag == "--override-engine-args" && c.problem.is_none()) {
            if let Some(keys) = config.content.known().filter(|_| !said.contains(&config.span)) {
                said.push(config.span);
                super::engine_config::check("`--override-engine-args`", keys, out);
            }
        }
    }
    for service in deployment.services.iter().filter(|s| s.module() == Some("dynamo.planner")) {
        planner(deployment, service, &mut said, out);
    }
}

fn worker(deployment: &Deployment, service: &Service, said: &mut Vec<Span>, out: &mut Findings) {
    let Some(catalog) = catalogs(service).first().copied().filter(|_| parser(service).is_some()) else { return };
    let Some(args) = service.args() else { return };
    let published = || published(service, catalog);
    let vllm = service.framework == Some(Framework::Vllm);
    for flag in &args.flags {
        if let Some((base, path)) = flag.name.split_once('.').filter(|_| vllm) {
            if base == "-O" && service.at_least(1, 0) {
                dotted_level(service, flag, path, out);
            } else if let Some(reader) = Reader::new(service, &published, catalog, base) {
                reader.dotted(flag, path, args.flags.iter().find(|f| f.name == base), said, out);
            }
            continue;
        }
        let Some(found) = catalog.flag(&flag.name).filter(|m| !m.abbreviated) else { continue };
        // `json.loads` of `llm_worker.py`; what is no YAML either, `engine-config-syntax` says.
        let overrides = found.flag.name == "--override-engine-args"
            && !service.configs.iter().any(|c| c.flag == found.flag.name && c.problem.is_some());
        let sglang = overrides || service.framework == Some(Framework::Sglang) && SGLANG.contains(&found.flag.name);
        if !(sglang || found.flag.value == Value::Json) || ELSEWHERE.contains(&found.flag.name) {
            continue;
        }
        // `sglang-events-schema` judges what SGLang takes there.
        if found.flag.name == "--kv-events-config" && service.framework == Some(Framework::Sglang) {
            continue;
        }
        let Some(word) = flag.value() else { continue };
        // Only what sets out to be an object: a level (`3`) or a path may be taken as well.
        let reader = Reader::new(service, &published, catalog, found.flag.name);
        let whole = vllm && reader.is_some() && !service.below(1, 0);
        if let Some(json) = parsed(deployment, service, flag, word, whole, out)
            && let Some(reader) = reader
        {
            if found.flag.name == "--speculative-config" && !said.contains(&json.span) {
                draftless(service, &json, out);
            }
            reader.whole(&json, said, out);
        }
    }
}

/// A draft of a model of its own that is not named (`SpeculativeConfig.__post_init__`: "num_speculative_tokens was provided but
/// without speculative model").
fn draftless(service: &Service, json: &Json, out: &mut Findings) {
    let Some((node, method)) = json.get("method").and_then(|m| Some((m, m.as_str()?))) else { return };
    let drafts = matches!(method, "eagle3" | "dflash" | "draft_model" | "medusa");
    if !drafts || json.get("model").is_some() || json.get("num_speculative_tokens").is_none() {
        return;
    }
    out.report(node.span, format!("`{method}` has no model to draft with"), "the worker refuses it and exits")
        .service(service)
        .subject("--speculative-config")
        .help("name the draft: `\"model\": \"org/draft\"`")
        .emit();
}

fn planner(deployment: &Deployment, service: &Service, said: &mut Vec<Span>, out: &mut Findings) {
    let Some(catalog) = flags::component("planner").filter(|_| !service.below(1, 0)) else { return };
    let Some(flag) = service.args().and_then(|a| a.last(&["--config"])) else { return };
    let Some(word) = flag.value() else { return };
    let Some(reader) = Reader::new(service, &|| published(service, catalog), catalog, "--config") else { return };
    let json = match service.configs.first() {
        None => parsed(deployment, service, flag, word, false, out),
        Some(config) => config.content.known().map(as_json),
    };
    if let Some(json) = json {
        reader.whole(&json, said, out);
    }
}

/// The JSON of a value that sets out to be an object; else says what is wrong with it. With `whole`, whatever is no object is.
fn parsed(
    deployment: &Deployment,
    service: &Service,
    flag: &Flag,
    word: &Word,
    whole: bool,
    out: &mut Findings,
) -> Option<Json> {
    word.as_known()?;
    let bare = word.text.trim().trim_start_matches(['\'', '"', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']);
    let at = word.span();
    let source = &deployment.recipe.sources.get(at.file).text;
    let written = source.get(at.range()).unwrap_or_default();
    let sets_out = bare.starts_with('{');
    let (place, message) = match json::parse(&word.text) {
        Ok(json) if sets_out || !whole => return Some(json),
        Ok(_) => (at, format!("`{}` takes a JSON object", flag.name)),
        Err(_) if !sets_out && (!whole || open(&word.text)) => return None,
        Err(error) => (
            if error.span.is_empty() { at } else { error.span },
            format!("the value of `{}` is no JSON: {}", flag.name, error.message),
        ),
    };
    // JSON that the shell took apart: `json-quotes-lost` shows the quotes that are missing.
    if flag.values.len() > 1 || (written.contains('"') && !word.text.contains('"')) || written.contains("{{") {
        return None;
    }
    let planner = service.framework.is_none();
    out.report(
        place,
        message,
        if planner { "the planner refuses it and exits" } else { "the worker refuses it and exits" },
    )
    .service(service)
    .subject(flag.name.clone())
    .help("write one JSON object in single quotes: `'{\"key\": true}'`")
    .emit();
    None
}

/// `-O.mode=3`: since vLLM 0.14 what stands behind `-O` is a level.
fn dotted_level(service: &Service, flag: &Flag, path: &str, out: &mut Findings) {
    out.report(flag.span, format!("`-O.{path}` is read as a level of optimization"), "no number: the worker exits")
        .service(service)
        .subject("-O")
        .severity(Severity::Error)
        .help(format!("write `-cc.{path}`"))
        .fix(crate::finding::Applicability::Unsafe, flag.span, format!("-cc.{path}"))
        .emit();
}

/// Whether a value is an object, and which.
pub(super) fn entries(json: &Json) -> &[json::JsonEntry] {
    match &json.value {
        JsonValue::Object(entries) => entries,
        _ => &[],
    }
}
