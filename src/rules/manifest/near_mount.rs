//! Paths that miss a volume by a slip.

use std::ops::Range;

use super::jobs::texts;
use super::volumes::provided;
use crate::catalog::is_slip;
use crate::finding::Applicability;
use crate::manifest::Container;
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::Spanned;

/// Directories that images have, or that come with the node.
const COMMON: [&str; 16] = [
    "usr",
    "opt",
    "tmp",
    "root",
    "home",
    "etc",
    "var",
    "dev",
    "proc",
    "sys",
    "bin",
    "lib",
    "mnt",
    "run",
    "srv",
    "workspace",
];

/// Shortest directory that is compared.
const LEAST: usize = 4;

/// Whether two names of directories are one but for a slip: a letter, or `-` for `_` or nothing.
fn near(a: &str, b: &str) -> bool {
    let bare = |name: &str| name.replace(['-', '_', '.'], "").to_ascii_lowercase();
    a.len().min(b.len()) >= LEAST && (is_slip(a, b) || bare(a) == bare(b))
}

/// The mount that a path was to lie under, when one directory of it is a slip away and no mount has it.
fn missed<'a>(container: &'a Container, path: &str) -> Option<&'a Spanned<String>> {
    let mounts = || container.mounts.iter().filter_map(|mount| mount.path.as_ref());
    if COMMON.contains(&path.split('/').nth(1)?) || provided(container, &[], path).is_some() {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    mounts().find(|mount| {
        let at: Vec<&str> = mount.value.split('/').filter(|part| !part.is_empty()).collect();
        let pairs = || parts.iter().zip(&at).filter(|(a, b)| a != b);
        at.len() <= parts.len() && pairs().count() == 1 && pairs().all(|(a, b)| near(a, b))
    })
}

/// The absolute paths of a text.
fn paths(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices('/').filter_map(|(at, _)| {
        let before = text[..at].bytes().next_back();
        let rest = &text[at..];
        if before.is_some_and(|b| !b.is_ascii_whitespace() && !b"\"'=,([{".contains(&b)) || rest.starts_with("//") {
            return None;
        }
        let ends = |b: u8| b.is_ascii_whitespace() || b"\"',:;)]}|&<>$*?`\\".contains(&b);
        let path = rest.split_once(|c| u8::try_from(c).is_ok_and(ends)).map_or(rest, |(path, _)| path);
        // Engine configs are `config-file-missing`'s.
        let config = path.ends_with(".yaml") || path.ends_with(".yml");
        (path.len() > LEAST && !config).then_some(at..at + path.len())
    })
}

/// `path-near-mount`
pub fn path_near_mount(recipe: &Recipe, out: &mut Findings) {
    for (owner, container) in workload::containers(recipe) {
        if container.mounts.is_empty() {
            continue;
        }
        let found = texts(container).find_map(|(value, node)| {
            let (at, mount) = paths(value).find_map(|at| Some((at.clone(), missed(container, &value[at])?)))?;
            Some((recipe.text(node)?, at, mount))
        });
        let Some((text, at, mount)) = found else { continue };
        let (path, meant) = (&text[at.clone()], mount.value.trim_end_matches('/'));
        // A script may make the directory, or link it.
        let made = ["mkdir", "ln -s", "git clone", "tar "].iter().any(|word| text.contains(word));
        if made && text.as_str().matches(path).count() > 1 {
            continue;
        }
        let depth = meant.split('/').filter(|part| !part.is_empty()).count();
        let head: usize = path.split('/').skip(1).take(depth).map(|part| part.len() + 1).sum();
        let span = text.slice_span(at.start..at.start + head);
        out.report(
            span,
            format!("no volume of `{owner}` is mounted at `{}`", &path[..head]),
            "a slip away from a volume: what is there is the image's, or nothing",
        )
        .subject(path)
        .label(mount.span, "the volume")
        .help(format!("did you mean `{meant}`?"))
        .fix(Applicability::Unsafe, span, meant)
        .emit();
    }
}
