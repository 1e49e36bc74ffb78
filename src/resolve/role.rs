//! What a service does, by its own command line (reference §3.4): never by what the operator calls it.

use super::{Env, Framework, Role, Service};
use crate::command::Args;
use crate::manifest::ComponentType;
use crate::source::Span;

/// The engine behind a module.
pub(super) fn framework(module: &str) -> Option<Framework> {
    let name = module.strip_prefix("dynamo.")?;
    match name.split('.').next()? {
        "vllm" => Some(Framework::Vllm),
        "sglang" => Some(Framework::Sglang),
        "trtllm" => Some(Framework::Trtllm),
        "mocker" => Some(Framework::Mocker),
        "tokenspeed" => Some(Framework::Tokenspeed),
        _ => None,
    }
}

/// A role with where it is said and whether that is certain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub role: Role,
    pub span: Option<Span>,
    pub known: bool,
}

impl Said {
    const fn sure(role: Role, span: Option<Span>) -> Self {
        Self { role, span, known: true }
    }
}

/// The role of a process that is no engine.
pub(super) fn of_module(module: &str, span: Option<Span>) -> Option<Said> {
    let name = module.strip_prefix("dynamo.")?;
    let role = match name.split('.').next()? {
        "frontend" => Role::Frontend,
        "router" | "global_router" => Role::Router,
        "planner" | "global_planner" => Role::Planner,
        _ => return None,
    };
    Some(Said::sure(role, span))
}

/// The role when no process can be seen: what the operator calls it, without certainty.
pub(super) fn of_type(kind: &ComponentType, span: Option<Span>) -> Said {
    let role = match kind {
        ComponentType::Frontend => Role::Frontend,
        ComponentType::Planner => Role::Planner,
        ComponentType::Epp => return Said::sure(Role::Epp, span),
        ComponentType::Worker => Role::Aggregated,
        ComponentType::Prefill => Role::Prefill,
        ComponentType::Decode => Role::Decode,
        ComponentType::Unset | ComponentType::Other(_) => Role::Other,
    };
    Said { role, span, known: false }
}

/// The role of an engine: flag, config file, variable, default.
pub(super) fn of_engine(service: &Service, framework: Framework, args: &Args, env: &Env) -> Said {
    let guess = || {
        let said = of_type(&service.component.component_type, None);
        let role = if said.role.is_worker() { said.role } else { Role::Aggregated };
        Said { role, span: None, known: false }
    };
    if let Some(flag) = args.last(&["--disaggregation-mode"]) {
        let Some(word) = flag.value() else { return guess() };
        return match word.as_known().and_then(mode) {
            Some(role) => Said::sure(role, Some(word.span())),
            None => Said { span: Some(word.span()), ..guess() },
        };
    }
    if let Some(said) = legacy(framework, args) {
        return said;
    }
    if framework == Framework::Sglang {
        if let Some(node) = ["disaggregation-mode", "disaggregation_mode"].iter().find_map(|k| service.config_at(&[k]))
        {
            return match node.as_text().and_then(mode) {
                Some(role) => Said::sure(role, Some(node.span)),
                // `disaggregation-mode: null` is the default.
                None if node.is_null() => Said::sure(Role::Aggregated, Some(node.span)),
                None => Said { span: Some(node.span), ..guess() },
            };
        }
        if service.config_open() {
            return guess();
        }
    }
    let variable = match framework {
        Framework::Vllm => Some("DYN_VLLM_DISAGGREGATION_MODE"),
        Framework::Trtllm => Some("DYN_TRTLLM_DISAGGREGATION_MODE"),
        _ => None,
    };
    if let Some(var) = variable.and_then(|name| env.get(name)) {
        let span = var.winner().span;
        return match var.known().and_then(|text| mode(text)) {
            Some(role) => Said::sure(role, span),
            None => Said { span, ..guess() },
        };
    }
    if args.open.is_some() {
        return guess();
    }
    Said::sure(Role::Aggregated, None)
}

fn mode(value: &str) -> Option<Role> {
    Some(match value {
        "prefill" => Role::Prefill,
        "decode" => Role::Decode,
        "encode" => Role::Encode,
        "agg" | "pd" | "null" | "none" | "aggregated" | "prefill_and_decode" => Role::Aggregated,
        _ => return None,
    })
}

/// Flags of vLLM workers before 1.4 and of the mocker.
fn legacy(framework: Framework, args: &Args) -> Option<Said> {
    let flags: &[(&str, Role)] = match framework {
        Framework::Vllm | Framework::Mocker => {
            &[("--is-prefill-worker", Role::Prefill), ("--is-decode-worker", Role::Decode)]
        }
        _ => return None,
    };
    flags.iter().find_map(|(name, role)| Some(Said::sure(*role, Some(args.last(&[name])?.span))))
}

/// The engine that a program other than a Dynamo module runs.
pub(super) fn foreign_framework(program: &str, argv: &[crate::command::Word]) -> Option<Framework> {
    let has = |text: &str| argv.iter().any(|w| w.text.as_str() == text);
    match program {
        "dynamo-vllm-sidecar" => Some(Framework::Vllm),
        "vllm" if has("serve") => Some(Framework::Vllm),
        "trtllm-serve" => Some(Framework::Trtllm),
        _ if has("vllm.entrypoints.openai.api_server") => Some(Framework::Vllm),
        _ if has("sglang.launch_server") => Some(Framework::Sglang),
        _ => None,
    }
}
