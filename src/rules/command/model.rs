//! Workers that are not told which model to load.

use super::release::parser;
use crate::catalog::flags::Component;
use crate::command::{Args, Flag};
use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::rules::disagg::{model_names, place, said};

/// What the engine loads when nobody says: `ModelConfig.model` of vLLM from 0.9.2, `DEFAULT_MODEL` of `dynamo.trtllm`.
/// SGLang's parser asks for the option.
const fn default(framework: Framework) -> Option<&'static str> {
    match framework {
        Framework::Vllm => Some("Qwen/Qwen3-0.6B"),
        Framework::Trtllm => Some("TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
        _ => None,
    }
}

/// Whether a model is named where the parser does not see it, which other rules tell: a slip in the option's name, or option and
/// value in one word.
fn meant(args: &Args, catalog: &Component) -> bool {
    let slip = |flag: &Flag| flag.name.contains("model") && catalog.flag(&flag.name).is_none();
    args.flags.iter().any(slip) || args.positional.iter().any(|word| word.text.contains("model"))
}

/// Whether nothing that can be seen names a model, and nothing that cannot be seen might.
fn without_model(service: &Service, catalog: &Component, names: &[&str]) -> bool {
    let variable = "DYN_TRTLLM_MODEL";
    !service.args_open()
        && !service.config_open()
        && !service.args().is_some_and(|args| meant(args, catalog))
        && service.flag(names).is_none()
        // Options of other ways to run, which may need no model of their own.
        && service.flag(&["--help", "--version", "--experimental-external-draft-endpoint"]).is_none()
        && !names.iter().any(|name| service.config_option(&name[2..]).is_some())
        // TensorRT-LLM's file of options may name it, and the command line may override what it says.
        && service.flag(&["--override-engine-args"]).is_none()
        && (service.framework != Some(Framework::Trtllm)
            || service.env.get(variable).is_none() && service.env.hides().is_none())
}

/// `model-not-given`
pub fn model_not_given(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let (Some(catalog), Some(framework), Some(names)) = (parser(service), service.framework, model_names(service))
        else {
            continue;
        };
        if !without_model(service, catalog, names) {
            continue;
        }
        let sibling = deployment
            .services
            .iter()
            .filter(|other| other.framework == Some(framework))
            .find_map(|other| Some((other, said(other, names)?)));
        let named = said(service, &["--served-model-name"]);
        // What somebody wants that is not what the engine takes: another worker's model, or the name it shall serve under.
        let meant = sibling.as_ref().map(|(_, model)| model.text).or(named.as_ref().map(|name| name.text));
        let why = default(framework).map_or_else(
            || "SGLang exits at start: `the following arguments are required: --model-path/--model`".to_owned(),
            |model| format!("it loads `{model}`, the engine's default"),
        );
        let severity = match default(framework) {
            Some(model) if meant.is_none_or(|meant| meant == model) => Severity::Advice,
            _ => Severity::Error,
        };
        let report = out
            .report(place(service), format!("`{}` is not told which model to load", service.name), why)
            .severity(severity)
            .service(service)
            .subject(names[0]);
        match &sibling {
            Some((other, model)) => report
                .label(model.whole, format!("`{}` loads this one", other.name))
                .help(format!("add `{} {}`", names[0], model.text)),
            None => report
                .label_opt(named.map(|name| name.whole), "what it would then go by")
                .help(format!("name the model: `{} …`", names[0])),
        }
        .emit();
    }
}
