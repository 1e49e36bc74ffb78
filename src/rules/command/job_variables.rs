//! Variables that the script of a Job reads and nobody sets.

use super::words::{AMBIENT, guarded, hub_token, is_hook};
use crate::manifest::Container;
use crate::resolve::Recipe;
use crate::rules::manifest::jobs::is_job;
use crate::rules::{Findings, workload};

/// Variables of shells and of images that Jobs run in.
pub(super) const SHELL: [&str; 24] = [
    "RANDOM",
    "SECONDS",
    "UID",
    "EUID",
    "PPID",
    "OLDPWD",
    "IFS",
    "OPTARG",
    "OPTIND",
    "REPLY",
    "LINENO",
    "SHLVL",
    "COLUMNS",
    "LINES",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "SRANDOM",
    "OSTYPE",
    "MACHTYPE",
    "HOSTTYPE",
    "PIPESTATUS",
    "FUNCNAME",
    "MAPFILE",
    "JOB_COMPLETION_INDEX",
];
const FAMILIES: [&str; 11] =
    ["NVIDIA_", "CUDA_", "PYTHON", "KUBERNETES_", "BASH", "DYNAMO_", "NIXL_", "UCX_", "GPG_", "UV_", "NCCL_"];

fn name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// `job-variable-undefined`
pub fn job_variable_undefined(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(is_job) {
        for container in job.workload().into_iter().flat_map(|w| &w.containers) {
            let Some(node) = workload::script(container) else { continue };
            let Some(script) = node.as_text().filter(|script| closed(container, script)) else { continue };
            let Some((at, name)) = unset(container, script) else { continue };
            let Some(text) = recipe.text(node) else { continue };
            out.report(
                text.slice_span(at..at + name.len()),
                format!("nothing sets `{name}` in {} `{}`", job.kind, job.name),
                "no env entry, no assignment in the script: the shell puts nothing here",
            )
            .subject(name)
            .help(match near(container, name) {
                _ if jq(script, name) => {
                    "write the program of jq in single quotes: `--arg` gives jq the value".to_owned()
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("set `{name}` in `env`, or write the value"),
            })
            .emit();
        }
    }
}

/// Whether all that a script may know of is in sight: no file that it reads variables from, no template to be filled first, no
/// text in it that is another program's.
fn closed(container: &Container, script: &str) -> bool {
    const OPENS: [&str; 11] =
        ["{{", "source ", "eval ", "envsubst", "set -a", "<<'", "<< '", "<<\"", "export $", "export \"$", "export `"];
    let dot = script.lines().any(|line| line.trim_start().starts_with(". "));
    let template = container.image.as_ref().and_then(crate::yaml::Node::as_text).is_none_or(|i| i.contains(['$', '<']));
    let hidden = container.env_from.iter().any(|from| !hub_token(&from.name.value));
    !dot && !template && !hidden && !OPENS.iter().any(|word| script.contains(word))
}

/// The first variable in capitals that the script expands outside of single quotes and that it mentions in no other way.
fn unset<'a>(container: &Container, script: &'a str) -> Option<(usize, &'a str)> {
    let bytes = script.as_bytes();
    let mut known: Vec<&str> = Vec::new();
    let (mut single, mut double, mut at) = (false, false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !single => at += 1,
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'#' if !single && !double && (at == 0 || bytes[at - 1].is_ascii_whitespace()) => {
                at += script[at..].find('\n')?;
            }
            b'$' if !single => {
                let braced = bytes.get(at + 1) == Some(&b'{');
                let from = at + 1 + usize::from(braced);
                let length = bytes[from..].iter().take_while(|b| name_byte(**b)).count();
                let name = &script[from..from + length];
                let whole = !braced || bytes.get(from + length) == Some(&b'}');
                let plain =
                    length > 1 && !name.bytes().any(|b| b.is_ascii_lowercase()) && !bytes[from].is_ascii_digit();
                if whole && double && jq(script, name) {
                    return Some((from, name));
                }
                if whole && plain && !known.contains(&name) {
                    // Words that may be added, or none; the value of an option is no such thing.
                    let hook = !double
                        && is_hook(name)
                        && !script[..at].split_whitespace().next_back().is_some_and(|word| word.starts_with("--"));
                    if !set(container, script, name) && !hook && !guarded(script, name) {
                        return Some((from, name));
                    }
                    known.push(name);
                }
                at = from + length.max(1) - 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether a name is one that jq is given (`--arg model …`) and the shell is not.
fn jq(script: &str, name: &str) -> bool {
    let has = |before: &str, after: &str| script.contains(&format!("{before}{name}{after}"));
    name.bytes().any(|b| b.is_ascii_lowercase())
        && (has("--arg ", " ") || has("--argjson ", " "))
        && !has("", "=")
        && !has("read ", "")
        && !has("for ", " in")
}

/// Whether the container, its image or the script gives a variable a value, as far as can be told.
fn set(container: &Container, script: &str, name: &str) -> bool {
    let bytes = script.as_bytes();
    // `NAME=`, `read NAME`, `for NAME`, `${NAME:-x}`: any other mention than being expanded.
    let mentioned = script.match_indices(name).any(|(at, _)| {
        let end = at + name.len();
        let before = at.checked_sub(1).map(|i| bytes[i]);
        let after = bytes.get(end).copied();
        let part = before.is_some_and(name_byte) || after.is_some_and(name_byte);
        let expanded = before == Some(b'$') || (before == Some(b'{') && after == Some(b'}'));
        !part && !expanded
    });
    mentioned
        || container.env.iter().any(|(_, e)| e.name.value == name)
        || AMBIENT.contains(&name)
        || SHELL.contains(&name)
        || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// A variable of the container that the name may stand for.
fn near<'a>(container: &'a Container, name: &str) -> Option<&'a str> {
    let names = container.env.iter().map(|(_, e)| e.name.value.as_str());
    let alike = |n: &&str| n.starts_with(name) || name.starts_with(*n) || strsim::osa_distance(n, name) <= 2;
    names.filter(|n| n.len() > 3).find(alike)
}

#[cfg(test)]
mod tests {
    use super::{Container, unset};

    #[test]
    fn what_nothing_sets() {
        let container = Container::default();
        let name = |script| unset(&container, script).map(|(_, name)| name);
        assert_eq!(name("hf download $MODEL"), Some("MODEL"));
        assert_eq!(name("echo 'a' \"${MODEL}\""), Some("MODEL"));
        assert_eq!(name("a --args $MODEL_ARGS"), Some("MODEL_ARGS"));
        for fine in [
            "MODEL=a; echo $MODEL",
            "read MODEL; echo $MODEL",
            "echo ${MODEL:-a} $HOME $1 $$ $model $(date) '$MODEL' \\$OTHER # $MORE",
            "# $MODEL",
            "echo \"it's\" '$MODEL'",
            "[ -n \"$DEBUG\" ] && set -x; echo $DEBUG",
            "aiperf profile -m a $EXTRA_ARGS",
            "echo $EPOCHSECONDS",
        ] {
            assert_eq!(name(fine), None, "{fine}");
        }
    }
}
