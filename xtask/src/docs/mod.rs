//! The book: chapters of `docs/src`, with everything that stands elsewhere already put in from there. Rule pages come from
//! `rules/`, the reference from `--help`, keys from the schema of the configuration, and what commands print from running
//! them. Nothing generated is committed, so nothing can be stale.

mod chapter;
mod config;
mod help;
mod links;
mod rules;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a step comes to; the message says which one failed.
type Result<T = ()> = std::result::Result<T, String>;

/// The repository, and the binary that chapters run.
pub struct Book {
    root: PathBuf,
    bin: PathBuf,
}

/// Assembles the book below `target/`.
///
/// # Errors
/// Says which chapter asks for what is not there, or which link is dead.
pub fn run(root: &Path) -> Result {
    let book = Book { bin: binary(root)?, root: root.to_owned() };
    let out = book.root.join("target/book-src");
    if out.exists() {
        fs::remove_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    for name in ["book.toml", "book.css"] {
        write(&out.join(name), &book.read(&format!("docs/{name}"))?)?;
    }
    let rules = rules::all(&book)?;
    let source = book.root.join("docs/src");
    for file in files(&source)? {
        let name = file.strip_prefix(&source).map_err(|e| e.to_string())?;
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let text = chapter::fill(&text, &book, &rules).map_err(|e| format!("{}: {e}", file.display()))?;
        write(&out.join("src").join(name), &text)?;
    }
    for family in rules::families(&rules) {
        write(&out.join("src/rules").join(format!("{family}.md")), &rules::family_page(family, &rules))?;
    }
    for rule in &rules {
        write(&out.join("src/rules").join(&rule.family).join(format!("{}.md", rule.id)), &rule.page())?;
    }
    links::check(&out.join("src"))?;
    println!("{} rule pages and the chapters of docs/src in {}", rules.len(), out.display());
    Ok(())
}

/// The binary with everything in it; `DYNLINT` names one that is built already.
fn binary(root: &Path) -> Result<PathBuf> {
    if let Some(bin) = std::env::var_os("DYNLINT") {
        return fs::canonicalize(&bin).map_err(|e| format!("DYNLINT={}: {e}", bin.display()));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--quiet", "--package", "dynlint", "--bin", "dynlint", "--features", "full"])
        .status()
        .map_err(|e| format!("cargo build: {e}"))?;
    if !built.success() {
        return Err("cargo build failed".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("debug").join(format!("dynlint{}", std::env::consts::EXE_SUFFIX)))
}

impl Book {
    /// A file of the repository.
    fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).map_err(|e| format!("{path}: {e}"))
    }

    /// What the binary prints, both streams; the exit code is not asked for, since examples find things.
    fn dynlint(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(&self.bin)
            .current_dir(&self.root)
            .args(args)
            .env_clear()
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{}: {e}", self.bin.display()))?;
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).map_err(|e| e.to_string())
    }
}

fn write(path: &Path, text: &str) -> Result {
    let parent = path.parent().ok_or("a file has a directory")?;
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(|e| format!("{}: {e}", path.display()))
}

/// All files below a directory, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() { out.extend(files(&path)?) } else { out.push(path) }
    }
    out.sort();
    Ok(out)
}
