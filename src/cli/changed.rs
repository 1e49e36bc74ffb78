//! `--changed-since`: what git says has changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lint::Touched;
use crate::source::normal;

/// The files that differ between the working tree and where it left `revision`: edited, new, gone and renamed ones, both
/// names of the last.
///
/// # Errors
/// In words, when git is not there, this is no repository, or the revision is unknown.
pub(super) fn since(revision: &str) -> Result<Touched, String> {
    if revision.is_empty() || revision.starts_with('-') {
        return Err(format!("`{revision}` is no revision"));
    }
    let root = PathBuf::from(line(&git(Path::new("."), &["rev-parse", "--show-toplevel"])?));
    let commit = line(&git(&root, &["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]).map_err(
        |error| {
            let shallow = git(&root, &["rev-parse", "--is-shallow-repository"]).is_ok_and(|out| line(&out) == "true");
            let hint = if shallow { "; this clone is shallow: fetch more of its history" } else { "" };
            if error.is_empty() { format!("git knows no revision `{revision}`{hint}") } else { error }
        },
    )?);
    // What the branch did, not what went on elsewhere since.
    let base = git(&root, &["merge-base", &commit, "HEAD"]).map_or(commit, |out| line(&out));
    let diff = git(&root, &["diff", "--name-status", "-z", "--find-renames", "--no-ext-diff", &base, "--"])?;
    let new = git(&root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
    let tracked = names(&diff);
    let new = new.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec);
    let real = root.canonicalize().unwrap_or_else(|_| root.clone());
    let here = std::env::current_dir().unwrap_or_default();
    // The same file may be reached through a link to the repository.
    let logical = here.canonicalize().ok().and_then(|here_real| {
        let inside = here_real.strip_prefix(&real).ok()?.components().count();
        here.ancestors().nth(inside).map(Path::to_owned)
    });
    let mut paths = Vec::new();
    for name in tracked.into_iter().chain(new) {
        let name = String::from_utf8_lossy(&name).into_owned();
        for root in [Some(&root), logical.as_ref()].into_iter().flatten() {
            paths.push(normal(&root.join(&name)));
        }
    }
    Ok(Touched::new(paths))
}

/// Names in `git diff --name-status -z`: a status, then one name, or two for what was renamed or copied.
fn names(out: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut fields = out.split(|byte| *byte == 0);
    while let Some(status) = fields.next() {
        let count = match status.first() {
            None => break,
            Some(b'R' | b'C') => 2,
            Some(_) => 1,
        };
        names.extend(fields.by_ref().take(count).map(<[u8]>::to_vec));
    }
    names
}

fn git(directory: &Path, args: &[&str]) -> Result<Vec<u8>, String> {
    let out = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(args)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    Err(String::from_utf8_lossy(&out.stderr).lines().next().unwrap_or_default().trim().to_owned())
}

fn line(out: &[u8]) -> String {
    String::from_utf8_lossy(out).trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_renamed_file() {
        let out = b"M\0a b.yaml\0R097\0old.yaml\0new.yaml\0D\0gone\0";
        let names: Vec<String> = names(out).iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect();
        assert_eq!(names, ["a b.yaml", "old.yaml", "new.yaml", "gone"]);
    }
}
