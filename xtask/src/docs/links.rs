//! Links within the book lead somewhere.

use std::path::Path;

use super::{Result, files};

/// Fails with every link to a file that is not there.
pub fn check(src: &Path) -> Result {
    let mut dead = Vec::new();
    for file in files(src)?.iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let dir = file.parent().unwrap_or(src);
        for target in targets(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !dir.join(path).exists() {
                dead.push(format!("{}: `{target}` leads nowhere", file.strip_prefix(src).unwrap_or(file).display()));
            }
        }
    }
    if dead.is_empty() { Ok(()) } else { Err(dead.join("\n")) }
}

/// Relative targets of inline links outside code.
fn targets(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Code is every second part.
        for part in line.split('`').step_by(2) {
            for (at, _) in part.match_indices("](") {
                let target = part[at + 2..].split(')').next().unwrap_or_default();
                if !target.contains("://") && !target.starts_with("mailto:") {
                    out.push(target);
                }
            }
        }
    }
    out
}
