//! The findings over the real manifests against the reviewed verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const VERDICTS: &str = "tests/ecosystem/verdicts.tsv";
const PRECISION: &str = "rules/catalog/precision.tsv";

/// `corpus rule path service subject`
type Key = [String; 5];

/// What a rule comes to over the real manifests.
#[derive(Default)]
struct Count {
    /// Errors and warnings.
    hits: usize,
    /// Of these, reviewed and true.
    confirmed: usize,
    /// Of these, reviewed and debatable.
    debatable: usize,
    /// Findings of severity advice, which nobody has to review.
    advice: usize,
}

pub fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let mut corpus = std::env::var_os("DYNLINT_CORPUS").map(PathBuf::from);
    let (mut binary, mut check) = (None, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--corpus" => corpus = Some(args.next().ok_or("--corpus needs a directory")?.into()),
            "--binary" => binary = Some(PathBuf::from(args.next().ok_or("--binary needs a file")?)),
            "--check" => check = true,
            _ => return Err(format!("`{arg}` is no argument of ecosystem")),
        }
    }
    let near = ["../shared/corpus", "../../shared/corpus"].map(|p| root.join(p));
    let Some(corpus) = corpus.or_else(|| near.into_iter().find(|p| p.join("upstream").is_dir())) else {
        println!("skipped: no corpus");
        return Ok(());
    };
    let binary = match binary {
        Some(binary) => std::path::absolute(&binary).map_err(|e| format!("{}: {e}", binary.display()))?,
        None => {
            let mut build = Command::new("cargo");
            super::run(build.args(["build", "--quiet", "--release", "--bin", "dynlint"]).current_dir(root))?;
            root.join("target/release/dynlint")
        }
    };

    let verdicts = verdicts(&root.join(VERDICTS))?;
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut table = String::new();
    for name in ["upstream", "third-party"] {
        for finding in findings(&binary, &corpus.join(name))? {
            let text = |key: &str| finding[key].as_str().unwrap_or("-").to_owned();
            let count = counts.entry(text("rule")).or_default();
            if finding["severity"] == "advice" {
                count.advice += 1;
                continue;
            }
            count.hits += 1;
            let key = [name.to_owned(), text("rule"), text("path"), text("service"), text("subject")];
            match verdicts.get(&key).map(String::as_str) {
                Some("true") => count.confirmed += 1,
                Some(_) => count.debatable += 1,
                None => {
                    let (place, message) = (format!("{}:{}", text("path"), finding["line"]), text("message"));
                    let _ = writeln!(table, "| added | {} | {name} {place} | {} | {message} |", key[1], key[3]);
                }
            }
            seen.insert(key);
        }
    }
    let added = table.lines().count();
    for [corpus, rule, path, service, _] in verdicts.keys().filter(|key| !seen.contains(*key)) {
        let _ = writeln!(table, "| removed | {rule} | {corpus} {path} | {service} | |");
    }
    if !table.is_empty() {
        println!("| change | rule | place | service | message |\n|---|---|---|---|---|\n{table}");
    }
    let loud: usize = counts.values().map(|c| c.hits).sum();
    let removed = table.lines().count() - added;
    println!("{loud} errors and warnings, {added} without a verdict, {removed} verdicts whose finding is gone");
    write(&root.join(PRECISION), &precision(&counts), check)?;
    if added + removed > 0 {
        return Err(format!("{VERDICTS} is not current"));
    }
    Ok(())
}

fn verdicts(table: &Path) -> Result<BTreeMap<Key, String>, String> {
    let text = std::fs::read_to_string(table).map_err(|e| format!("{}: {e}", table.display()))?;
    let mut out = BTreeMap::new();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [corpus, rule, path, service, subject, verdict, _] =
            <[String; 7]>::try_from(cells).map_err(|_| format!("{}: not seven cells: {line}", table.display()))?;
        out.insert([corpus, rule, path, service, subject], verdict);
    }
    Ok(out)
}

fn findings(binary: &Path, directory: &Path) -> Result<Vec<Value>, String> {
    let run = Command::new(binary)
        .args(["check", "--format", "json", "."])
        .current_dir(directory)
        .output()
        .map_err(|e| format!("{}: {e}", binary.display()))?;
    let mut report: Value = serde_json::from_slice(&run.stdout).map_err(|e| format!("{}: {e}", directory.display()))?;
    match report["findings"].take() {
        Value::Array(list) => Ok(list),
        _ => Err(format!("{}: a report without findings", directory.display())),
    }
}

fn precision(counts: &BTreeMap<String, Count>) -> String {
    let mut out = String::from(
        "# Findings of each rule over the real manifests: errors and warnings, those of them that a reading against the\n\
         # sources confirmed or found debatable, and advice, which needs no verdict. Written by `cargo xtask ecosystem`.\n\
         # rule\thits\tconfirmed\tdebatable\tadvice\n",
    );
    for (rule, Count { hits, confirmed, debatable, advice }) in counts {
        let _ = writeln!(out, "{rule}\t{hits}\t{confirmed}\t{debatable}\t{advice}");
    }
    out
}

fn write(path: &Path, text: &str, check: bool) -> Result<(), String> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if check {
        return Err(format!("{} is not current: run `cargo xtask ecosystem`", path.display()));
    }
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
