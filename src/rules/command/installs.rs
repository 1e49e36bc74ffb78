//! Programs that a script starts and its image does not have, and installations that end without installing.

use std::ops::Range;

use super::script::{Scripted, each_script};
use crate::command::Call;
use crate::finding::Applicability;
use crate::manifest::{Container, Image};
use crate::resolve::{Recipe, Version};
use crate::rules::Findings;
use crate::source::Text;

/// What an image of the Docker library comes without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stock {
    /// `debian`, `ubuntu`.
    Bare,
    /// `python` on all that builds need.
    Python,
    /// `python:…-slim`.
    Slim,
    /// Alpine and BusyBox.
    Small,
    /// The image of aiperf: bash, Python and aiperf itself; other programs lie in `/busybox`, where no `PATH` leads
    /// (`Dockerfile` of ai-dynamo/aiperf, ai-dynamo/aiperf#841, `perf.yaml` of recipes that run in it).
    Distroless,
}

/// The stock image that a container runs in; none for the images of anybody else, which may hold anything.
fn stock(container: &Container) -> Option<Stock> {
    let image = Image::cut(container.image.as_ref()?.as_text()?);
    let tag = image.tag.unwrap_or_default();
    if image.repository == "nvcr.io/nvidia/ai-dynamo/aiperf" {
        return Some(Stock::Distroless);
    }
    Some(match image.library()? {
        "alpine" | "busybox" => Stock::Small,
        "debian" | "ubuntu" => Stock::Bare,
        "python" if tag.contains("alpine") || tag.contains("windows") || tag.contains('$') => return None,
        "python" if tag.contains("slim") => Stock::Slim,
        "python" => Stock::Python,
        _ => return None,
    })
}

/// A program, and what it is called where it is installed.
struct Program {
    name: &'static str,
    /// Names of packages, or parts of them, that bring it.
    packages: &'static [&'static str],
    /// Whether the image comes without it.
    lacks: fn(Stock) -> bool,
}

const fn all(_: Stock) -> bool {
    true
}

const fn all_but_aiperf(stock: Stock) -> bool {
    !matches!(stock, Stock::Distroless)
}

const fn distroless(stock: Stock) -> bool {
    matches!(stock, Stock::Distroless)
}

const fn no_python(stock: Stock) -> bool {
    matches!(stock, Stock::Bare | Stock::Small)
}

/// `debian:*-slim` and `python:*-slim` have none of them; the images that are made to build in do.
const fn unless_for_builds(stock: Stock) -> bool {
    !matches!(stock, Stock::Python)
}

/// What brings the command line of Hugging Face's hub, itself or as a dependency.
const HUB: [&str; 9] =
    ["hugging", "transformers", "datasets", "aiperf", "vllm", "sglang", "diffusers", "lm-eval", "lm_eval"];

const PROGRAMS: [Program; 17] = [
    Program {
        name: "wget",
        packages: &["wget"],
        lacks: |stock| matches!(stock, Stock::Slim | Stock::Bare | Stock::Distroless),
    },
    Program { name: "curl", packages: &["curl"], lacks: unless_for_builds },
    Program { name: "git", packages: &["git"], lacks: unless_for_builds },
    Program { name: "jq", packages: &["jq"], lacks: all },
    Program { name: "aiperf", packages: &["aiperf"], lacks: all_but_aiperf },
    Program { name: "genai-perf", packages: &["genai"], lacks: all },
    Program { name: "hf", packages: &HUB, lacks: all_but_aiperf },
    Program { name: "huggingface-cli", packages: &HUB, lacks: all_but_aiperf },
    Program { name: "kubectl", packages: &["kubectl"], lacks: all },
    Program { name: "aws", packages: &["aws"], lacks: all },
    Program { name: "python3", packages: &["python", "conda"], lacks: no_python },
    Program { name: "pip", packages: &["pip", "python"], lacks: no_python },
    Program { name: "apt-get", packages: &[], lacks: distroless },
    Program { name: "date", packages: &["coreutils"], lacks: distroless },
    Program { name: "mkdir", packages: &["coreutils"], lacks: distroless },
    Program { name: "sleep", packages: &["coreutils"], lacks: distroless },
    Program { name: "bash", packages: &["bash"], lacks: |stock| matches!(stock, Stock::Small) },
];

const MANAGERS: [&str; 12] =
    ["apt-get", "apt", "apk", "pip", "pip3", "uv", "pipx", "conda", "mamba", "dnf", "yum", "npm"];

/// The words of a call behind its assignments, as written.
fn words<'a>(text: &'a Text, call: &Call) -> Vec<&'a str> {
    call.words[call.assigned..].iter().map(|range| &text[range.clone()]).collect()
}

/// A word without the quotes around it.
fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\''])
}

/// The words of a call that installs packages, from its manager on: `sudo` and `python3 -m` stand in front.
fn install<'a, 'w>(words: &'w [&'a str]) -> Option<&'w [&'a str]> {
    let words = match words {
        ["sudo", rest @ ..] | ["python" | "python3", "-m", rest @ ..] => rest,
        all => all,
    };
    let (manager, rest) = words.split_first()?;
    let installs = rest.iter().any(|word| matches!(*word, "install" | "add" | "i" | "tool"));
    (MANAGERS.contains(manager) && installs).then_some(words)
}

/// `program-not-installed`
pub fn program_not_installed(recipe: &Recipe, out: &mut Findings) {
    each_script(recipe, |owner, container, Scripted { text, listing, .. }| {
        let stock = stock(container);
        // Programs may come by any of these.
        const OPEN: [&str; 9] = ["PATH=", "source ", "eval ", ". /", "/bin/", "| sh", "| bash", "tar ", "xargs"];
        let path = container.env.iter().any(|(_, entry)| entry.name.value == "PATH");
        if stock.is_none() && !text.contains("hugging") || path || OPEN.iter().any(|word| text.contains(word)) {
            return;
        }
        let calls: Vec<Vec<&str>> = listing.calls.iter().map(|call| words(text, call)).collect();
        let installed: Vec<&str> = calls.iter().filter_map(|words| install(words)).flatten().copied().collect();
        // `-r requirements.txt`, `-e .`, `$PACKAGES`, an address.
        let hidden = installed.iter().any(|word| {
            word.starts_with(['$', '.', '/'])
                || matches!(*word, "-r" | "-e")
                || word.contains('$') && !word.contains("==")
        });
        let hub = hub_release(&installed, stock);
        for program in &PROGRAMS {
            let called = |(words, call): (&Vec<&str>, &Call)| {
                (words.first() == Some(&program.name)).then(|| call.words[call.assigned].clone())
            };
            let Some(at) = calls.iter().zip(&listing.calls).find_map(called) else { continue };
            if let Some(release) = hub.filter(|release| !hub_has(program.name, *release)) {
                let other = if program.name == "hf" { "huggingface-cli" } else { "hf" };
                out.report(
                    text.slice_span(at),
                    format!(
                        "`{owner}` starts `{}`, which the `huggingface_hub` that it installs does not have",
                        program.name
                    ),
                    if release.0 == 0 { "`hf` came with 0.34" } else { "gone with 1.0" },
                )
                .subject(program.name)
                .help(format!("write `{other}`"))
                .emit();
                continue;
            }
            if !stock.is_some_and(program.lacks) {
                continue;
            }
            let brought = installed.iter().any(|word| program.packages.iter().any(|part| word.contains(part)));
            let asked = ["command -v", "which", "type", "hash"];
            let asks = asked.iter().any(|ask| text.contains(&format!("{ask} {}", program.name)));
            let defined = listing.functions.iter().any(|function| function.name == program.name);
            if brought || asks || defined || hidden {
                continue;
            }
            let Some(image) = &container.image else { continue };
            out.report(
                text.slice_span(at),
                format!("`{owner}` starts `{}`, which its image does not have", program.name),
                "not found",
            )
            .subject(program.name)
            .label(
                image.span,
                if stock == Some(Stock::Distroless) { "bash, Python and aiperf" } else { "a stock image" },
            )
            .help(match program.packages.first().filter(|_| stock != Some(Stock::Distroless)) {
                Some(package) => format!("install `{package}` in front of it, or take an image that has it"),
                None => "take `python:3.12-slim`, or what lies in `/busybox`".to_owned(),
            })
            .emit();
            // The others are not there either.
            if stock == Some(Stock::Distroless) {
                break;
            }
        }
    });
}

/// What of the hub's two programs a release of its package has: `hf` from 0.34 on, `huggingface-cli` before 1.0 (`entry_points.txt`
/// in the wheels of 0.34.4, 0.36.0, 1.0.0, 2.4.0).
fn hub_has(program: &str, (major, minor): (u16, u16)) -> bool {
    match program {
        "hf" => (major, minor) >= (0, 34),
        "huggingface-cli" => major == 0,
        _ => true,
    }
}

/// The release of the hub's package that a script installs: the one that it pins, or without any pin the newest, where nothing
/// that it installs beside it may want an older one.
fn hub_release(installed: &[&str], stock: Option<Stock>) -> Option<(u16, u16)> {
    let package = |word: &&&str| bare(word).replace('_', "-").starts_with("huggingface-hub");
    let word = bare(installed.iter().find(package)?);
    let name = word.find(['=', '<', '>', '~', '!']).map_or(word, |at| &word[..at]);
    let version = match word[name.len()..].strip_prefix("==") {
        Some(version) => Version::parse(version.split(',').next()?)?,
        None if name.len() == word.len() && stock.is_some() => {
            let others = installed.iter().filter(|word| HUB[1..].iter().any(|part| word.contains(part)));
            return (others.count() == 0).then_some((u16::MAX, 0));
        }
        None => return None,
    };
    Some((version.major, version.minor))
}

/// What an installation ends with, where, and what to write.
struct Refused {
    range: Range<usize>,
    message: String,
    label: &'static str,
    fix: Option<String>,
}

/// `install-refused`
pub fn install_refused(recipe: &Recipe, out: &mut Findings) {
    each_script(recipe, |owner, container, Scripted { text, listing, .. }| {
        if !text.contains("install") {
            return;
        }
        let updated = |calls: &[Call]| calls.iter().any(|call| words(text, call).contains(&"update"));
        for (n, call) in listing.calls.iter().enumerate() {
            let all = words(text, call);
            let Some(install) = install(&all) else { continue };
            let behind = &call.words[call.words.len() - install.len()..];
            let refused = match install[0] {
                "apt-get" | "apt" => {
                    let fresh = stock(container).is_some() && !updated(&listing.calls[..n]);
                    apt(text, install, behind, fresh)
                }
                "pip" | "pip3" | "uv" => pip(text, install, behind, call),
                _ => None,
            };
            let Some(refused) = refused else { continue };
            let span = text.slice_span(refused.range);
            let report = out
                .report(span, format!("{} (`{owner}`)", refused.message), refused.label)
                .subject(owner)
                .help("what follows runs without it");
            match refused.fix {
                Some(new) => report.fix(Applicability::Unsafe, span, new),
                None => report,
            }
            .emit();
        }
    });
}

/// `apt-get install` without `-y`, or with no list of packages.
fn apt(text: &Text, words: &[&str], places: &[Range<usize>], fresh: bool) -> Option<Refused> {
    let at = words.iter().position(|word| *word == "install")?;
    if words.iter().all(|word| word.starts_with('-') || matches!(*word, "install" | "apt" | "apt-get")) {
        return None;
    }
    let range = places[0].start..places[at].end;
    let short = |word: &str| word.starts_with('-') && !word.starts_with("--") && word.contains('y');
    let yes = |word: &&str| short(word) || matches!(*word, "--yes" | "--assume-yes" | "-qq");
    if !words.iter().any(yes)
        && !["Assume-Yes", "yes |", "yes|"].iter().any(|word| text.contains(word))
        && !words.iter().any(|word| word.starts_with('$'))
    {
        let fix = Some(format!("{} -y", &text[range.clone()]));
        let message = "apt asks whether to go on, takes no answer for no and installs nothing".to_owned();
        return Some(Refused { range, message, label: "no `-y`", fix });
    }
    (fresh && !text.contains("apt-get update") && !text.contains("apt update")).then(|| Refused {
        range: range.clone(),
        message: "apt finds no package: the image has no lists of them".to_owned(),
        label: "no `apt-get update` in front of it",
        fix: Some(format!("apt-get update && {}", &text[range])),
    })
}

/// `name=1.2`, and versions that the shell takes for redirections.
fn pip(text: &Text, words: &[&str], places: &[Range<usize>], call: &Call) -> Option<Refused> {
    // What is handed to the build of a package.
    const SETTINGS: [&str; 4] = ["--config-settings", "--config-setting", "-C", "--global-option"];
    for (n, (word, place)) in words.iter().zip(places).enumerate().skip(2) {
        if SETTINGS.contains(&words[n - 1]) {
            continue;
        }
        let requirement = bare(word);
        let Some((name, version)) = requirement.split_once('=') else { continue };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '[' | ']' | ',');
        if name.is_empty()
            || name.starts_with('-')
            || !name.chars().all(plain)
            || !version.starts_with(|c: char| c.is_ascii_digit())
        {
            continue;
        }
        let start = place.start + text[place.clone()].find(name)?;
        return Some(Refused {
            range: start..start + requirement.len(),
            message: format!("pip refuses `{requirement}`"),
            label: "one `=`",
            fix: Some(format!("{name}=={version}")),
        });
    }
    call.redirections.iter().find_map(|operator| {
        let after = text[operator.end..].chars().next()?;
        let joined = text[..operator.start].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || c == ']');
        let version = after == '=' || &text[operator.clone()] == "<" && after.is_ascii_digit();
        // `2>=1` is no version.
        let from = text[..operator.start].rfind(char::is_whitespace)? + 1;
        let length = text[operator.end..].find(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|'));
        let end = length.map_or(text.len(), |length| operator.end + length);
        let name = &text[from..operator.start];
        (joined && version && name.starts_with(|c: char| c.is_ascii_alphabetic())).then(|| Refused {
            range: from..end,
            message: format!(
                "the shell takes `{}` for a redirection: pip installs any `{name}`, or nothing",
                &text[operator.start..end]
            ),
            label: "no quotes around it",
            fix: Some(format!("'{}'", &text[from..end])),
        })
    })
}
