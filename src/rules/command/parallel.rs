//! Tensor, pipeline and data parallel sizes against GPUs and nodes, and against what the operator can read.
//!
//! Source: operator `backend_vllm.go` (only whole tokens of `args` are read), `graph.go` (GPU count).

use crate::command::Flag;
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::source::Span;
use crate::yaml::Node;

/// A size as written: its value and place, 1 when absent.
#[derive(Clone, Copy)]
pub(in crate::rules) struct Size {
    /// The number.
    pub value: u64,
    /// Where it stands.
    pub span: Option<Span>,
}

const ONE: Size = Size { value: 1, span: None };

/// A flag's whole number; `None` when it is there and cannot be read.
fn by_flag(service: &Service, names: &[&str]) -> Option<Size> {
    let Some(flag) = service.flag(names) else { return Some(ONE) };
    let value = flag.value()?.as_known()?.trim().parse().ok()?;
    Some(Size { value, span: Some(flag.told()) })
}

fn by_config(service: &Service, keys: &[&str]) -> Option<Size> {
    for key in keys {
        if let Some(node) = service.config_option(key) {
            return Some(Size { value: node.as_text()?.parse().ok()?, span: Some(node.span) });
        }
    }
    Some(ONE)
}

/// A flag wins over the config file.
fn size(service: &Service, names: &[&str], keys: &[&str]) -> Option<Size> {
    let flag = by_flag(service, names)?;
    if flag.span.is_some() { Some(flag) } else { by_config(service, keys) }
}

const TP: [&str; 2] = ["--tensor-parallel-size", "-tp"];
const PP: [&str; 2] = ["--pipeline-parallel-size", "-pp"];
const DP: [&str; 2] = ["--data-parallel-size", "-dp"];

/// An option as vLLM reads it: underscores stand for dashes.
fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

/// GPUs that one worker needs: the sizes that multiply.
fn needed(service: &Service) -> Option<Vec<Size>> {
    Some(match service.framework? {
        Framework::Vllm => {
            vec![size(service, &TP, &["tensor-parallel-size"])?, size(service, &PP, &["pipeline-parallel-size"])?]
        }
        Framework::Sglang => vec![
            size(
                service,
                &["--tp-size", "--tensor-parallel-size", "--tp"],
                &["tp-size", "tensor-parallel-size", "tp"],
            )?,
            size(
                service,
                &["--pp-size", "--pipeline-parallel-size", "--pp"],
                &["pp-size", "pipeline-parallel-size", "pp"],
            )?,
        ],
        Framework::Trtllm => vec![
            // The engine config wins over the flags (`update_llm_args_with_extra_options`).
            match by_config(service, &["tensor_parallel_size"])? {
                Size { span: None, .. } => by_flag(service, &["--tensor-parallel-size"])?,
                config => config,
            },
            match by_config(service, &["pipeline_parallel_size"])? {
                Size { span: None, .. } => by_flag(service, &["--pipeline-parallel-size"])?,
                config => config,
            },
        ],
        Framework::Mocker | Framework::Tokenspeed => return None,
    })
}

/// How SGLang spreads one engine.
pub(in crate::rules) struct Ranks {
    /// `--tp-size`, of all groups together.
    pub tensor: Size,
    /// `--pp-size`.
    pub pipeline: Size,
    /// `--dp-size`.
    pub data: Size,
    /// Attention is data-parallel: the groups share the tensor-parallel ranks.
    pub attention: bool,
}

/// How a worker of SGLang is spread, when that can be seen whole. Context parallelism changes groups by itself.
pub(in crate::rules) fn ranks(service: &Service) -> Option<Ranks> {
    const KEYS: [&str; 3] = ["dp-size", "data-parallel-size", "dp"];
    let other = |name: &str| {
        let mut words = name.split(['-', '_']);
        let next = words.clone().skip(1);
        words.clone().any(|word| ["cp", "dcp", "dwdp"].contains(&word))
            || words.by_ref().zip(next).any(|pair| pair == ("context", "parallel"))
    };
    let mut keys = service.configs.iter().filter_map(|c| c.content.known()).flat_map(|node| node.entries());
    if service.framework != Some(Framework::Sglang)
        || service.args_open()
        || service.config_open()
        || service.args()?.flags.iter().any(|f| other(&f.name))
        || keys.any(|entry| other(&entry.key.name))
    {
        return None;
    }
    let sizes = needed(service)?;
    let data = size(service, &["--dp-size", "--data-parallel-size", "--dp"], &KEYS)?;
    let on = service.config_option("enable-dp-attention").is_some_and(|node| node.as_bool() != Some(false));
    let attention = (on || service.flag(&["--enable-dp-attention"]).is_some()) && data.value > 1;
    Some(Ranks { tensor: *sizes.first()?, pipeline: *sizes.get(1)?, data, attention })
}

/// `data-parallel-refused`
pub fn data_parallel_refused(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let found = match service.framework {
            Some(Framework::Sglang) => ranks(service).and_then(|r| refused_by_sglang(service, &r)),
            Some(Framework::Vllm) if !service.args_open() && service.configs.is_empty() => refused_by_vllm(service),
            Some(Framework::Trtllm) if !service.args_open() && !service.config_open() => refused_by_trtllm(service),
            _ => None,
        };
        let Some((span, message, why, help)) = found else { continue };
        let nodes = service.component.node_count.as_ref().filter(|_| service.nodes > 1);
        out.report(span, message, why)
            .service(service)
            .subject("data-parallel")
            .label_opt(nodes.map(|n| n.span), "one engine over these nodes")
            .help(help)
            .emit();
    }
}

type Refusal = (Span, String, &'static str, &'static str);

fn refused_by_sglang(service: &Service, ranks: &Ranks) -> Option<Refusal> {
    let Size { value: groups, span } = ranks.data;
    let tensor = ranks.tensor.value;
    let (all, nodes) = (tensor.checked_mul(ranks.pipeline.value)?, u64::from(service.nodes));
    if let Some(at) = ranks.tensor.span.or(ranks.pipeline.span).filter(|_| nodes > 1 && !all.is_multiple_of(nodes)) {
        return Some((
            at,
            format!("{all} ranks cannot be spread evenly over {nodes} nodes"),
            "SGLang stops: `tp_size must be divisible by number of nodes`",
            "write a multiple of the node count, or another node count",
        ));
    }
    let span = span?;
    if ranks.attention && !tensor.is_multiple_of(groups) {
        return Some((
            span,
            format!("{groups} attention groups do not divide {tensor} tensor-parallel ranks"),
            "SGLang stops at `assert self.tp_size % self.dp_size == 0`",
            "with `--enable-dp-attention`, `--tp-size` counts the ranks of all groups: write a multiple of `--dp-size`",
        ));
    }
    // The operator adds `--nnodes` to an engine that spans nodes.
    (groups > 1 && service.nodes > 1 && !ranks.attention).then(|| {
        (
            span,
            format!("{groups} data-parallel ranks over {} nodes without data-parallel attention", service.nodes),
            "SGLang stops: `multi-node data parallel is not supported unless dp attention!`",
            "add `--enable-dp-attention`, or make the nodes replicas",
        )
    })
}

/// `Mapping` of TensorRT-LLM: ranks of experts, of their tensors and clusters multiply to the tensor-parallel ranks.
fn refused_by_trtllm(service: &Service) -> Option<Refusal> {
    // What may say otherwise, or makes other groups; AutoDeploy shards by itself.
    let flags = ["override", "trtllm.", "modality", "cp-", "dwdp"];
    let keys = ["context_parallel_size", "cp_config", "moe_cluster_parallel_size", "dwdp_config"];
    let by_variable = service.env.written().any(|var| var.name.starts_with("DYN_TRTLLM_"));
    if by_variable
        || service.args()?.flags.iter().any(|f| flags.iter().any(|word| f.name.contains(word)))
        || keys.iter().any(|key| service.config_at(&[key]).is_some())
        || service.config_at(&["backend"]).is_some_and(|node| node.as_text() != Some("pytorch"))
    {
        return None;
    }
    let tensor = needed(service)?.first()?.value;
    let experts = match by_config(service, &["moe_expert_parallel_size"])? {
        Size { span: None, .. } => by_flag(service, &["--expert-parallel-size"])?,
        config => config,
    };
    let slices = by_config(service, &["moe_tensor_parallel_size"])?;
    // One that is not said is what the other leaves.
    let (at, message) = match (slices.span, experts.span) {
        (Some(at), Some(_)) if slices.value.checked_mul(experts.value)? != tensor => {
            let both = format!("{} × {} ranks of experts and their tensors", experts.value, slices.value);
            (at, format!("{both} are not {tensor} tensor-parallel ones"))
        }
        (None, Some(at)) if experts.value > 1 && !tensor.is_multiple_of(experts.value) => {
            (at, format!("{} expert-parallel ranks do not divide {tensor} tensor-parallel ones", experts.value))
        }
        _ => return None,
    };
    Some((
        at,
        message,
        "TensorRT-LLM stops: `moe_tp_size * moe_ep_size` must be equal to `tp_size`",
        "write a divisor of the tensor-parallel size: experts are spread over the same GPUs",
    ))
}

fn refused_by_vllm(service: &Service) -> Option<Refusal> {
    let (local, all) = (by_flag(service, &["--data-parallel-size-local", "-dpl"])?, by_flag(service, &DP)?);
    // The operator writes the ranks of an engine that spans nodes.
    if let Some(span) = local.span.filter(|_| service.nodes == 1 && local.value > all.value) {
        return Some((
            span,
            format!("{} data-parallel ranks here, of {} in all", local.value, all.value),
            "vLLM stops: `data_parallel_size_local` must be <= `data_parallel_size`",
            "`--data-parallel-size` counts the ranks of all nodes",
        ));
    }
    let hybrid = service.flag(&["--data-parallel-hybrid-lb", "-dph"])?;
    let external = service.flag(&["--data-parallel-external-lb", "-dpe"]);
    external.map(|flag| {
        (
            flag.span,
            format!("`{}` and `{}` exclude each other", hybrid.name, flag.name),
            "vLLM stops: both cannot be set",
            "keep the one that says who balances load between the ranks",
        )
    })
}

/// Whether claims may bring GPUs: only where no limit counts them. A channel of a ComputeDomain or a NIC is none.
fn claims_gpus(service: &Service) -> bool {
    let main = &service.component.main;
    let counted = main.limits.iter().any(|(name, ..)| {
        let name = name.to_ascii_lowercase();
        name == "gpu" || name.ends_with("/gpu")
    });
    !main.claims.is_empty() && !counted
}

/// Data-parallel ranks of vLLM that all run in the pods of this worker: no word about which of them run where. Over several nodes
/// the operator says that, and the ranks are those of all of them. SGLang's are whole engines, unless attention alone is
/// data-parallel (`data_parallel_controller.py`: `base_gpu_id += tp_size * gpu_id_step`).
fn own_ranks(service: &Service) -> Option<Size> {
    if service.framework == Some(Framework::Sglang) {
        let ranks = ranks(service).filter(|ranks| !ranks.attention && service.nodes == 1)?;
        return Some(ranks.data).filter(|groups| groups.value > 1);
    }
    // One rank changes nothing.
    let ranks = by_flag(service, &DP).filter(|ranks| ranks.value > 1)?;
    let elsewhere = ["data-parallel-", "-dpl", "-dpr", "-dpn", "-dpa", "-dpb", "headless", "elastic", "nnodes"];
    let own = ["data-parallel-size", "data-parallel-rpc-port", "data-parallel-hybrid-lb", "data-parallel-backend"];
    let spread = |name: &str| {
        let here = if service.nodes > 1 { &own[..] } else { &own[..2] };
        !here.iter().any(|n| name.ends_with(n)) && elsewhere.iter().any(|w| name.contains(w))
    };
    let flags = &service.args()?.flags;
    if service.framework != Some(Framework::Vllm) || flags.iter().any(|f| spread(&dashed(&f.name))) {
        return None;
    }
    Some(ranks)
}

/// Whether the engine spans pods of a group that the command line speaks of, not `multinode`.
fn in_a_group(service: &Service) -> bool {
    service.nodes == 1 && service.flag(&["--nnodes"]).is_some_and(|f| f.value().is_some_and(|v| v.text.as_str() != "1"))
}

/// `gpus-below-parallelism`
pub fn gpus_below_parallelism(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let Some(&gpus) = service.gpus.known() else { continue };
        // No GPU asked for at all: DRA, a shared device, or one mounted by the host.
        if gpus == 0 || service.args_open() || service.config_open() || claims_gpus(service) || in_a_group(service) {
            continue;
        }
        let Some(mut sizes) = needed(service) else { continue };
        sizes.extend(own_ranks(service));
        let product: u64 = sizes.iter().map(|s| s.value).product();
        let visible = visible_devices(service).map_or(u64::from(gpus), |n| n.min(u64::from(gpus)));
        let available = visible * u64::from(service.nodes);
        let Some(span) = sizes.iter().filter(|s| s.value > 1).find_map(|s| s.span) else { continue };
        if product <= available {
            continue;
        }
        let nodes = if service.nodes > 1 { format!(" on {} nodes", service.nodes) } else { String::new() };
        let limit = service.component.main.limits.iter().find(|(name, ..)| name.to_ascii_lowercase().ends_with("/gpu"));
        out.report(
            span,
            format!("`{}` spreads its model over {product} GPUs and has {available}", service.name),
            format!("{product} ranks, {visible} GPU{}{nodes}", if visible == 1 { "" } else { "s" }),
        )
        .service(service)
        .subject("gpu")
        .label_opt(limit.map(|(_, key, value)| key.to(value.span)), "asked for here")
        .help("ask for as many GPUs as tensor × pipeline × data parallel sizes, over all nodes")
        .emit();
    }
}

/// How many devices `CUDA_VISIBLE_DEVICES` leaves, where it lists them.
fn visible_devices(service: &Service) -> Option<u64> {
    let list = service.env.known("CUDA_VISIBLE_DEVICES")?;
    let devices: Vec<&str> = list.as_str().split(',').map(str::trim).collect();
    let plain = devices.iter().all(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| u64::try_from(devices.len()).unwrap_or(u64::MAX))
}

/// `gpus-above-parallelism`
pub fn gpus_above_parallelism(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let Some(&gpus) = service.gpus.known() else { continue };
        let several = service.launch.processes.iter().filter(|p| p.python_module().is_some()).count() > 1;
        if gpus == 0
            || several
            || service.args_open()
            || service.config_open()
            || claims_gpus(service)
            || service.env.get("CUDA_VISIBLE_DEVICES").is_some()
        {
            continue;
        }
        let Some(mut sizes) = needed(service) else { continue };
        // Ranks of an engine over nodes, which the operator would spread: if all fit on one, it starts one on each.
        let fits = |sizes: &[Size], own: Size| {
            sizes.iter().map(|s| s.value).product::<u64>().saturating_mul(own.value) <= u64::from(gpus)
        };
        let own = own_ranks(service)
            .filter(|own| service.framework == Some(Framework::Vllm) && service.nodes > 1 && fits(&sizes, *own));
        sizes.extend(own);
        let product: u64 = sizes.iter().map(|s| s.value).product();
        let available = u64::from(gpus) * u64::from(service.nodes);
        let Some(span) = sizes.iter().find_map(|s| s.span) else { continue };
        if product >= available {
            continue;
        }
        // Other ways to spread: data parallel ranks of any kind, replicas inside the pod, encoders.
        let spread = |name: &str| {
            ["data-parallel", "dp-", "-dp", "elastic", "context-parallel", "decode-context", "replica", "num-"]
                .iter()
                .any(|word| name.contains(word))
                || name == "--dp"
        };
        if own.is_none() && service.args().is_some_and(|a| a.flags.iter().any(|f| spread(&dashed(&f.name))))
            || ["data_parallel_size", "data-parallel-size", "dp", "dp-size", "context_parallel_size"]
                .iter()
                .any(|key| service.config_at(&[key]).is_some())
        {
            continue;
        }
        out.report(
            span,
            format!("`{}` has {available} GPUs and spreads its model over {product}", service.name),
            if own.is_some() {
                "they fit on one node: the operator starts an engine on each"
            } else {
                "the others stay idle"
            },
        )
        .service(service)
        .subject("gpu")
        .label_opt(service.component.node_count.as_ref().map(|n| n.span), "nodes")
        .help("raise the parallel sizes, or ask for fewer GPUs")
        .emit();
    }
}

/// Whole numbers that the operator reads: exact tokens of `args`, split at blanks.
fn visible(service: &Service, name: &str) -> u64 {
    let args = service.component.main.args.items.iter().filter_map(Node::as_text).collect::<Vec<_>>().join(" ");
    let mut tokens = args.split_whitespace();
    while let Some(token) = tokens.next() {
        if token == name {
            return tokens.next().and_then(|v| v.parse().ok()).unwrap_or(1);
        }
    }
    1
}

/// `invisible-parallel-flag`
pub fn invisible_parallel_flag(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Vllm) && s.nodes > 1) {
        let Some(&gpus) = service.gpus.known() else { continue };
        if gpus == 0
            || service
                .flag(&["--enable-elastic-ep", "--data-parallel-backend", "-dpb", "--nnodes", "--headless"])
                .is_some()
        {
            continue;
        }
        let (Some(tp), Some(pp), Some(dp)) = (by_flag(service, &TP), by_flag(service, &PP), by_flag(service, &DP))
        else {
            continue;
        };
        let real = tp.value * pp.value * dp.value;
        let seen = visible(service, TP[0]) * visible(service, PP[0]) * visible(service, DP[0]);
        let local = u64::from(gpus);
        if real <= local || seen > local {
            continue;
        }
        let hidden = [(&TP, tp), (&PP, pp), (&DP, dp)]
            .into_iter()
            .find(|(names, size)| size.value > 1 && visible(service, names[0]) != size.value);
        let Some((names, Size { span: Some(span), .. })) = hidden else { continue };
        let written: &str = service.flag(names).map_or(names[0], |f: &Flag| f.name.as_str());
        out.report(
            span,
            format!("the operator does not see `{written}` and starts {} engines of one node each", service.nodes),
            format!("read only as two words of `args`: `{}` and the number", names[0]),
        )
        .service(service)
        .subject(names[0])
        .label_opt(service.component.node_count.as_ref().map(|n| n.span), "one engine over these nodes is meant")
        .help(format!("write `{}` and its number as separate words in `args`", names[0]))
        .emit();
    }
}
