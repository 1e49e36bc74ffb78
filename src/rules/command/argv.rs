//! Program, module and flags of the Dynamo process.

use crate::catalog::Release;
use crate::command::{Word, is_shell};
use crate::finding::{Applicability, Edit};
use crate::manifest::{Component, ComponentType};
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::{Findings, workload};
use crate::source::{Span, Text};
use crate::yaml::Node;

/// Modules that `python3 -m` can start.
const MODULES: [&str; 18] = [
    "dynamo.common",
    "dynamo.frontend",
    "dynamo.global_planner",
    "dynamo.global_router",
    "dynamo.indexer",
    "dynamo.llama_cpp",
    "dynamo.mocker",
    "dynamo.planner",
    "dynamo.profiler",
    "dynamo.replay",
    "dynamo.router",
    "dynamo.select_service",
    "dynamo.sglang",
    "dynamo.slot_tracker",
    "dynamo.sglang.utils",
    "dynamo.tokenspeed",
    "dynamo.trtllm",
    "dynamo.vllm",
];

/// Modules that not every release can start: the first that can, the first that no longer can (`__main__.py` and
/// `if __name__` in the wheels of ai-dynamo), and what took their place.
const RELEASED: [(&str, Release, Option<Release>, &str); 14] = [
    ("dynamo.global_planner", (1, 0), None, ""),
    ("dynamo.global_router", (1, 0), None, ""),
    ("dynamo.llama_cpp", (0, 4), Some((0, 6)), ""),
    ("dynamo.planner", (1, 0), None, "dynamo.planner.planner_sla"),
    ("dynamo.profiler", (1, 0), None, ""),
    ("dynamo.router", (0, 6), None, ""),
    ("dynamo.sglang.decode_worker", (0, 4), Some((0, 6)), "dynamo.sglang --disaggregation-mode decode"),
    ("dynamo.sglang.worker", (0, 4), Some((0, 6)), "dynamo.sglang"),
    ("dynamo.sglang.unified_main", (1, 1), Some((1, 4)), "dynamo.sglang"),
    ("dynamo.tokenspeed", (1, 2), None, ""),
    ("dynamo.trtllm.unified_main", (1, 1), Some((1, 4)), "dynamo.trtllm"),
    ("dynamo.vllm.omni", (1, 1), None, "dynamo.vllm --omni"),
    ("dynamo.vllm.unified_main", (1, 1), Some((1, 4)), "dynamo.vllm"),
    ("dynamo.vllm_prefill_router", (0, 5), Some((0, 6)), "dynamo.router"),
];

/// Words of the main container when no shell stands in between.
fn plain_argv(component: &Component, deployment: &Deployment) -> Vec<Text> {
    let first = component.main.command.items.first().and_then(Node::as_text);
    // Without a command the operator puts `python3` in front of a frontend's args, a shell in front of all others'.
    let shell = match first {
        Some(word) => is_shell(word),
        None => component.component_type != ComponentType::Frontend,
    };
    if shell {
        return Vec::new();
    }
    let nodes = workload::words(&component.main);
    nodes.filter_map(|n| deployment.recipe.text(n)).collect()
}

/// How many words of a command are judged.
const JUDGED: usize = 8;

/// Program and what follows it, for plain containers and for the process in a script: as many words as are judged, and the next.
fn words(service: &Service, deployment: &Deployment) -> Vec<(String, Span)> {
    let word = |w: &Word| (w.as_known().unwrap_or_default().to_owned(), w.span());
    if let Some(process) = service.process.as_ref().filter(|p| !p.implied) {
        return process.argv.iter().take(JUDGED + 1).map(word).collect();
    }
    // A program of a script that is nearly Python, or Python without `-m`: what it runs is known to nobody.
    let nearly = service.launch.processes.iter().find_map(|process| {
        let rest = process.argv.get(process.program()..)?;
        let words: Vec<_> = rest.iter().map(word).collect();
        let (first, _) = words.first()?;
        let program = first.rsplit('/').next().unwrap_or_default();
        let file = is_python(program) && words.get(1).is_some_and(|(next, _)| is_module(next));
        let gone = program == "dynamo-run" || (program == "dynamo" && words.get(1).is_some_and(|(w, _)| w == "serve"));
        (file || gone || near_python(program) && words.iter().any(|(w, _)| w.starts_with("dynamo."))).then_some(words)
    });
    if let Some(words) = nearly {
        return words;
    }
    plain_argv(&service.component, deployment).iter().map(|t| (t.as_str().to_owned(), t.span())).collect()
}

/// Whether a word is a module that `python3 -m` can start.
pub(super) fn is_module(word: &str) -> bool {
    MODULES.contains(&word)
}

pub(super) fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// `malformed-python`
pub fn malformed_python(deployment: &Deployment, out: &mut Findings) {
    super::starts::not_run(deployment, out);
    for service in &deployment.services {
        let words = words(service, deployment);
        let said = (0..words.len().min(JUDGED)).find_map(|index| judge(service, &words, index));
        let Some(Said { at, message, label, help, instead }) = said else { continue };
        let fix = instead.map(|text| vec![Edit { span: at, text }]);
        out.report(at, message, label)
            .service(service)
            .subject("command")
            .help(help)
            .mend(Applicability::Unsafe, fix)
            .emit();
    }
}

/// What is wrong with a word of a command.
struct Said {
    at: Span,
    message: String,
    label: &'static str,
    help: String,
    /// The word to write, where that is certain.
    instead: Option<String>,
}

/// What is wrong at this word, if anything.
fn judge(service: &Service, words: &[(String, Span)], index: usize) -> Option<Said> {
    let (word, at) = &words[index];
    let said = |at: &Span, message, label, help| Some(Said { at: *at, message, label, help, instead: None });
    if index == 0 {
        let program = word.rsplit('/').next().unwrap_or_default();
        if near_python(program) && followed_by_module(&words[1..]) {
            let message = format!("`{word}` is no Python interpreter");
            let said = said(at, message, "the container cannot start this program", "write `python3`".to_owned());
            return said.map(|said| Said { instead: Some(word.replace(program, "python3")), ..said });
        }
        // Programs of releases before 0.4 (`dynamo serve`) and 1.0.
        let released = service.version().is_some_and(|v| (v.major, v.minor) >= (1, 0));
        if matches!(program, "dynamo" | "dynamo-run") && released {
            let help = "write `python3 -m dynamo.frontend`, or the module of the worker".to_owned();
            return said(at, format!("there is no program `{word}`"), "gone from the images since Dynamo 1.0", help);
        }
        // Without a command of its own the operator puts a program in front.
        let own = service.component.main.command.items.first().and_then(Node::as_text) == Some(word);
        if let Some(help) = workload::no_program(word).filter(|_| own) {
            return said(at, format!("there is no program `{word}`"), "the container cannot start", help);
        }
    }
    let next = words.get(index + 1);
    // `python3 dynamo.vllm`: a file of that name, not the module.
    if is_python(word.rsplit('/').next().unwrap_or_default()) {
        let (module, at) = next.filter(|(module, _)| is_module(module) || is_foreign(module))?;
        if is_foreign(module) {
            let message = format!("Python has no option `{}`", module.split('=').next().unwrap_or(module));
            return said(at, message, "no module in front of it", format!("write `{word} -m <module>` in front of it"));
        }
        let message = format!("`{word} {module}` runs a file, not the module");
        return said(at, message, "no `-m` in front of it", format!("write `{word} -m {module}`"));
    }
    let (module, at) = next.filter(|_| word == "-m")?;
    let gone = RELEASED.iter().find(|(name, first, gone, _)| {
        name == module && (service.below(first.0, first.1) || gone.is_some_and(|gone| service.at_least(gone.0, gone.1)))
    });
    if let Some((_, first, _, instead)) = gone
        && let Some(release) = service.version()
    {
        let help = match *instead {
            "" => format!("take an image of {}.{} or later, or drop the component", first.0, first.1),
            instead => format!("write `python3 -m {instead}`"),
        };
        let message = format!("Dynamo {release} cannot start `{module}`");
        return said(at, message, "the image has no such module to run", help);
    }
    let help = match near_module(module) {
        Some(near) => format!("did you mean `{near}`?"),
        None if module.starts_with("--") && index > 0 => "name the module behind `-m`".to_owned(),
        None if nobodys(service, module) => {
            "write `dynamo.frontend`, `dynamo.router`, `dynamo.planner`, or the engine's module".to_owned()
        }
        None => return None,
    };
    said(at, format!("there is no module `{module}`"), "Python cannot find it", help)
}

/// A long option that is none of Python's own.
fn is_foreign(word: &str) -> bool {
    let own = ["--help", "--version", "--check-hash-based-pycs"];
    word.len() > 2 && word.starts_with("--") && !own.iter().any(|o| word.starts_with(o))
}

fn near_python(name: &str) -> bool {
    !name.is_empty()
        && !is_python(name)
        && !matches!(name, "pythonw" | "ipython" | "ipython3" | "jython" | "cython" | "bpython")
        && (strsim::osa_distance(name, "python3") <= 1 || strsim::osa_distance(name, "python") <= 1)
}

fn followed_by_module(rest: &[(String, Span)]) -> bool {
    rest.iter().take(4).any(|(w, _)| w == "-m" || w.starts_with("dynamo.") || w.ends_with(".py"))
}

/// Packages below `dynamo` in the wheels of ai-dynamo 0.4 to 1.6 and in their images.
const PACKAGES: &str = "common experimental frontend global_planner global_router gpu_memory_service health_check indexer \
    kv_dc_relay kv_state_agent kvbm llama_cpp llm logits_processing mocker nixl_connect planner profiler prometheus_names \
    replay router runtime sdk select_service sglang slot_tracker squeeze_evolve thunderagent_router tokenspeed triton trtllm \
    vllm vllm_prefill_router";

/// Whether a published image of a release that was read has no such package.
fn nobodys(service: &Service, module: &str) -> bool {
    let package = module.strip_prefix("dynamo.").and_then(|rest| rest.split('.').next());
    let published = service.image.known().is_some_and(|image| image.starts_with(crate::rules::published::REGISTRY));
    let read = service.version().is_some_and(|v| ((0, 4)..=(1, 6)).contains(&(v.major, v.minor)));
    published
        && read
        && service.env.get("PYTHONPATH").is_none()
        && package.is_some_and(|name| {
            !name.contains(['$', '{', '<']) && !PACKAGES.split_ascii_whitespace().any(|p| p == name)
        })
}

fn near_module(module: &str) -> Option<&'static str> {
    // `dynamo-frontend`, `dynamo/frontend`
    if let Some(rest) = module.strip_prefix("dynamo-").or_else(|| module.strip_prefix("dynamo/")) {
        return MODULES.iter().copied().find(|m| m.strip_prefix("dynamo.") == Some(rest));
    }
    if MODULES.contains(&module) || !module.contains('.') {
        return None;
    }
    let known_alias = match module {
        "dynamo.tensorrtllm" | "dynamo.tensorrt_llm" | "dynamo.trt_llm" | "dynamo.trt-llm" => Some("dynamo.trtllm"),
        _ => None,
    };
    known_alias.or_else(|| MODULES.iter().copied().find(|m| strsim::osa_distance(m, module) <= 2 && module.len() >= 9))
}

/// `wrong-module-for-framework`
pub fn wrong_module_for_framework(deployment: &Deployment, out: &mut Findings) {
    let Some(written) = &deployment.graph.backend_framework else { return };
    if !matches!(written.value.as_str(), "vllm" | "sglang" | "trtllm") {
        return;
    }
    let mut wrong: Vec<(&Service, Span, &str)> = Vec::new();
    let mut right = false;
    for service in &deployment.services {
        // Only workers are looked at, and only these three are detected.
        if !matches!(
            service.component.component_type,
            ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode
        ) {
            continue;
        }
        let Some(process) = service.process.as_ref().filter(|p| !p.implied) else { continue };
        let found = match service.framework {
            Some(Framework::Vllm) => "vllm",
            Some(Framework::Sglang) => "sglang",
            Some(Framework::Trtllm) => "trtllm",
            _ => continue,
        };
        if found == written.value {
            right = true;
        } else {
            wrong.push((service, process.module.span, found));
        }
    }
    let Some(&(_, _, found)) = wrong.first() else { return };
    // All workers run the same engine: it is the graph that names another.
    let all = !right && wrong.iter().all(|(.., other)| *other == found);
    for &(service, module, found) in &wrong[..if all { 1 } else { wrong.len() }] {
        let mut report = out
            .report(
                if all { written.span } else { module },
                format!(
                    "`{}` runs `dynamo.{found}` in a graph with `backendFramework: {}`",
                    service.name, written.value
                ),
                "the operator refuses to render it: backend framework mismatch",
            )
            .service(service)
            .subject("backendFramework")
            .help(format!("write `backendFramework: {found}`, or drop it: the operator finds it out by itself"));
        if all {
            for (service, module, _) in &wrong {
                report = report.label(*module, format!("`{}` runs this", service.name));
            }
        } else {
            report = report.label(written.span, "the framework of the whole graph");
        }
        report.emit();
    }
}

/// Flags that are meant to be given more than once.
const REPEATABLE: [&str; 9] =
    ["--kv-transfer-config", "--lora-modules", "--middleware", "-x", "-v", "-O", "-cc", "--override-engine-args", "-H"];

/// `duplicated-flag`
pub fn duplicated_flag(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let Some(args) = service.args() else { continue };
        for (index, flag) in args.flags.iter().enumerate() {
            if REPEATABLE.contains(&flag.name.as_str()) || !flag.name.starts_with("--") {
                continue;
            }
            let Some(earlier) = args.flags[..index].iter().rfind(|f| f.name == flag.name) else { continue };
            // Dotted flags (`--compilation-config.x`) and lists of `key=value` add up.
            if flag.name.contains('.') {
                continue;
            }
            let text =
                |f: &crate::command::Flag| f.values.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
            let (then, now) = (text(earlier), text(flag));
            let message = if then == now {
                format!("`{}` is given twice", flag.name)
            } else {
                format!("`{}` is given twice with different values", flag.name)
            };
            out.report(flag.full_span(), message, "the last one counts")
                .service(service)
                .subject(flag.name.clone())
                .label(earlier.full_span(), "without effect")
                .help("keep one of them")
                .emit();
        }
    }
}
