//! Which engine the operator takes a component for, and what it reads on its command line.

use super::{EXECUTOR_BACKEND, ORIGIN_VERSION, annotation};
use crate::manifest::{Component, GraphKind};
use crate::resolve::env::Context;
use crate::resolve::{Framework, Version};
use crate::yaml::Node;

/// The engines that the operator knows.
const ENGINES: [(&str, Framework); 3] =
    [("dynamo.vllm", Framework::Vllm), ("dynamo.sglang", Framework::Sglang), ("dynamo.trtllm", Framework::Trtllm)];

/// The engine of a component: as detected, else as `spec.backendFramework` says.
///
/// # Errors
/// What the operator refuses to render, in words: several engines, or another than the graph says
/// (`graph.go:3019-3104`).
pub(super) fn backend(ctx: &Context<'_>, component: &Component) -> Result<Option<Framework>, String> {
    let said = ctx.graph.backend_framework.as_ref();
    let explicit = said.and_then(|said| crate::resolve::role::framework(&format!("dynamo.{}", said.value)));
    let found = RawCommand::of(component).backends();
    match (found.as_slice(), explicit) {
        ([], explicit) => Ok(explicit),
        ([one], Some(explicit)) if *one != explicit => Err(format!(
            "backend framework mismatch: the command runs `{}`, `backendFramework` says `{}`",
            one.as_str(),
            explicit.as_str()
        )),
        ([one], _) => Ok(Some(*one)),
        (_, Some(explicit)) => Ok(Some(explicit)),
        (several, None) => {
            let names: Vec<String> = several.iter().map(|f| format!("`{}`", f.as_str())).collect();
            Err(format!("multiple backend frameworks detected: {}", names.join(", ")))
        }
    }
}

/// Whether a vLLM engine over several nodes runs by multiprocessing rather than by Ray: as annotated, else since
/// operator 1.0, whose version admission writes into every new graph, not into a component on its own
/// (`backend_vllm.go:356-376`).
pub(super) fn multiprocessing(ctx: &Context<'_>, component: &Component) -> bool {
    match annotation(ctx, component, EXECUTOR_BACKEND).map(str::to_ascii_lowercase).as_deref() {
        Some("mp") => true,
        Some("ray") => false,
        _ => match annotation(ctx, component, ORIGIN_VERSION) {
            Some(version) => Version::parse(version).is_some_and(|v| v >= Version::new(1, 0)),
            None if ctx.graph.kind == GraphKind::Component => false,
            None => ctx.options.cluster.operator_version.is_none_or(|v| v >= Version::new(1, 0)),
        },
    }
}

/// `command` and `args` as written: all that the operator looks at.
pub(super) struct RawCommand<'a>(Vec<&'a str>);

impl<'a> RawCommand<'a> {
    pub fn of(component: &'a Component) -> Self {
        let main = &component.main;
        Self(main.command.items.iter().chain(&main.args.items).filter_map(Node::as_text).collect())
    }

    /// Whether it asks for elastic expert parallelism on Ray (`IsElasticEPRayLaunch`).
    pub fn elastic(&self) -> bool {
        if !self.0.iter().any(|text| text.contains("--enable-elastic-ep")) {
            return false;
        }
        let words: Vec<&str> = self.0.iter().flat_map(|text| text.split_ascii_whitespace()).collect();
        let ray = |flag: &str| {
            words.windows(2).any(|pair| pair == [flag, "ray"])
                || words.iter().any(|word| word.strip_prefix(flag) == Some("=ray"))
        };
        words.contains(&"--enable-elastic-ep") && (ray("--data-parallel-backend") || ray("-dpb"))
    }

    /// The engines by the operator's three expressions
    /// (`python[0-9.]*\s+[^|&;]*-m\s+[^|&;]*dynamo\.(vllm|sglang|trtllm)`).
    fn backends(&self) -> Vec<Framework> {
        let joined = self.0.join(" ");
        let mut found = Vec::new();
        for segment in segments(&joined).filter(|segment| segment.contains("dynamo.")) {
            let Some(module) = behind_python(segment).and_then(behind_flag) else { continue };
            for (name, framework) in ENGINES {
                if module.contains(name) && !found.contains(&framework) {
                    found.push(framework);
                }
            }
        }
        found
    }
}

/// What stands between `|`, `&` and `;`.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    let mut from = Some(0);
    std::iter::from_fn(move || {
        let rest = &text[from?..];
        let end = memchr::memchr3(b'|', b'&', b';', rest.as_bytes());
        from = end.map(|end| text.len() - rest.len() + end + 1);
        Some(&rest[..end.unwrap_or(rest.len())])
    })
}

/// What follows the first `python` that has a blank behind it.
fn behind_python(text: &str) -> Option<&str> {
    text.match_indices("python").find_map(|(at, name)| {
        let rest = text[at + name.len()..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        rest.starts_with(|c: char| c.is_ascii_whitespace()).then_some(rest)
    })
}

/// What follows the first `-m` that has a blank behind it.
fn behind_flag(text: &str) -> Option<&str> {
    text.match_indices("-m").find_map(|(at, flag)| {
        let rest = &text[at + flag.len()..];
        rest.starts_with(|c: char| c.is_ascii_whitespace()).then_some(rest)
    })
}
