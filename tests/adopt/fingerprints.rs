//! Fingerprints last: they stay when lines move, services change places, quotes or indents change, directories are
//! renamed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dynlint::lint::{self, Input, Options, Report};
use dynlint::source::Sources;
use dynlint::yaml::{self, Kind, Limits, Node, Style, Typed};

#[path = "../common/mod.rs"]
mod common;

type Names = BTreeMap<String, String>;

fn run(text: &str) -> Report {
    lint::lint(
        &[Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }],
        &Options { every_rule: Some(dynlint::finding::Profile::Audit), threads: 1, ..Options::default() },
    )
}

/// Fingerprint to what it stands for.
fn names(report: &Report, of: &str) -> Names {
    let mut out = Names::new();
    for reported in &report.findings {
        let f = &reported.finding;
        // What depends on the reader's taste (duplicate keys, broken YAML) is not about services.
        let what = format!("{} {:?} {:?} {}", f.rule, f.service, f.subject, f.message);
        let twice = out.insert(reported.fingerprint.to_string(), what);
        assert!(twice.is_none(), "{of}: a fingerprint stands for two findings: {twice:?}");
    }
    out
}

/// Every token at column `c` moves to column `2c`.
fn indented(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(' ');
        out.push_str(&" ".repeat(2 * (line.len() - bare.len())));
        let mut rest = bare;
        while let Some(more) = rest.strip_prefix("- ") {
            let blanks = more.len() - more.trim_start_matches(' ').len();
            out.push_str("-   ");
            out.push_str(&"  ".repeat(blanks));
            rest = &more[blanks..];
        }
        out.push_str(rest);
    }
    out
}

fn scalars<'a>(node: &'a Node, out: &mut Vec<&'a Node>) {
    if node.alias().is_some() {
        return;
    }
    match &*node.kind {
        Kind::Scalar(_) => out.push(node),
        Kind::Seq(items) => items.iter().for_each(|item| scalars(item, out)),
        Kind::Map(map) => map.entries.iter().filter(|e| e.inherited.is_none()).for_each(|e| scalars(&e.value, out)),
    }
}

/// Plain texts get quotes, quoted ones the other quotes.
fn quoted(text: &str) -> String {
    let sources = Sources::new();
    let file = sources.add("a".to_owned(), None, text);
    let stream = yaml::parse(&file, &Limits::default());
    let mut nodes = Vec::new();
    stream.documents.iter().filter_map(|d| d.root.as_ref()).for_each(|root| scalars(root, &mut nodes));
    nodes.sort_by_key(|node| node.span.start);
    let mut out = text.to_owned();
    for node in nodes.iter().rev() {
        let Some(scalar) = node.as_scalar() else { continue };
        let simple = !scalar.value.is_empty() && !scalar.value.contains(['"', '\'', '\\', '\n']);
        let raw = &text[node.span.range()];
        let new = match scalar.style {
            _ if !simple => continue,
            Style::Plain if scalar.typed == Typed::Str && raw == &*scalar.value => format!("\"{raw}\""),
            Style::Double if raw.len() == scalar.value.len() + 2 => format!("'{}'", scalar.value),
            Style::Single if raw.len() == scalar.value.len() + 2 => format!("\"{}\"", scalar.value),
            _ => continue,
        };
        out.replace_range(node.span.range(), &new);
    }
    out
}

/// Services in the opposite order; none when the file has no two of them in block style.
fn reordered(text: &str) -> Option<String> {
    let sources = Sources::new();
    let file = sources.add("a".to_owned(), None, text);
    let stream = yaml::parse(&file, &Limits::default());
    let mut out = text.to_owned();
    let mut changed = false;
    for root in stream.documents.iter().rev().filter_map(|d| d.root.as_ref()) {
        let Some(services) = root.at(&["spec", "services"]).or_else(|| root.at(&["spec", "components"])) else {
            continue;
        };
        let starts: Vec<u32> = match &*services.kind {
            Kind::Map(map) if map.entries.iter().all(|e| e.inherited.is_none()) => {
                map.entries.iter().map(|e| e.key.span.start).collect()
            }
            Kind::Seq(items) => items.iter().map(|item| item.span.start).collect(),
            _ => continue,
        };
        let flow = matches!(text.as_bytes()[services.span.start as usize], b'[' | b'{');
        let anchors = text[services.span.range()].contains(['&', '*']);
        if starts.len() < 2 || flow || anchors || services.alias().is_some() {
            continue;
        }
        let line = |at: u32| file.line_range(file.line_of(at)).start;
        let mut bounds: Vec<usize> = starts.iter().map(|at| line(*at)).collect();
        let end = file.line_range(file.line_of(services.span.end - 1)).end;
        bounds.push((end + 1).min(text.len()));
        if bounds.windows(2).any(|w| w[0] >= w[1]) {
            continue;
        }
        let parts: Vec<String> = bounds
            .windows(2)
            .map(|w| text[w[0]..w[1]].to_owned())
            .map(|part| if part.ends_with('\n') { part } else { part + "\n" })
            .collect();
        out.replace_range(bounds[0]..bounds[bounds.len() - 1], &parts.into_iter().rev().collect::<String>());
        changed = true;
    }
    changed.then_some(out)
}

fn files() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut roots = vec![own];
    match common::corpus() {
        Some(corpus) => roots.extend(["upstream", "third-party", "wild"].map(|name| corpus.join(name))),
        None => println!("skipped: no corpus"),
    }
    let yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let walk = |root| walkdir::WalkDir::new(root).sort_by_file_name().into_iter().flatten().map(|e| e.into_path());
    let files: Vec<PathBuf> = roots.into_iter().flat_map(walk).filter(yaml).collect();
    // Everything takes minutes in a debug build; the nightly gate asks for it.
    let step = if std::env::var_os("DYNLINT_FULL").is_some() { 1 } else { 8 };
    let (own, corpora): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|path| {
        path.starts_with(env!("CARGO_MANIFEST_DIR")) && path.components().any(|c| c.as_os_str() == "fixtures")
    });
    own.into_iter().chain(corpora.into_iter().step_by(step)).collect()
}

#[test]
fn they_last() {
    use rayon::prelude::*;
    let files = files();
    let outcomes: Vec<(usize, [usize; 4], Vec<String>)> = files
        .par_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?.replace("\r\n", "\n");
            let report = run(&text);
            if report.findings.is_empty() || report.summary.deployments == 0 {
                return None;
            }
            let of = path.display().to_string();
            let before = names(&report, &of);
            let mut kept = [0; 4];
            let mut wrong = Vec::new();
            let tries = [
                ("lines on top", Some(format!("{}{text}", "# moved\n".repeat(10)))),
                ("other quotes", Some(quoted(&text))),
                ("other indent", Some(indented(&text))),
                ("other order", reordered(&text)),
            ];
            for (index, (what, text)) in tries.into_iter().enumerate() {
                let Some(text) = text else { continue };
                let after = names(&run(&text), &of);
                let gone: Vec<&String> =
                    before.iter().filter(|(k, _)| !after.contains_key(*k)).map(|(_, v)| v).collect();
                // Moved text may say something else: a script whose indent counts, a list of which the first is named.
                let said = |names: &Names| {
                    let mut said: Vec<String> = names.values().cloned().collect();
                    said.sort();
                    said
                };
                if gone.is_empty() && before.len() == after.len() {
                    kept[index] += 1;
                } else if said(&before) == said(&after) {
                    wrong.push(format!(
                        "{of}: {what}: {}",
                        gone.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n    ")
                    ));
                } else {
                    wrong.push(format!(
                        "{of}: {what}: other findings\n  - {}\n  + {}",
                        said(&before).join("\n    "),
                        said(&after).join("\n    ")
                    ));
                }
            }
            Some((before.len(), kept, wrong))
        })
        .collect();
    let findings: usize = outcomes.iter().map(|(n, ..)| n).sum();
    let wrong: Vec<&String> = outcomes.iter().flat_map(|(_, _, wrong)| wrong).collect();
    let kept = outcomes.iter().fold([0; 4], |mut sum, (_, kept, _)| {
        sum.iter_mut().zip(kept).for_each(|(a, b)| *a += b);
        sum
    });
    println!(
        "{} files with {findings} findings; kept under lines, quotes, indent, order: {kept:?}; lost: {}",
        outcomes.len(),
        wrong.len()
    );
    assert!(outcomes.len() >= 8);
    assert!(wrong.is_empty(), "{}", wrong.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n"));
}

/// What is copied to be renamed.
fn trees() -> Vec<PathBuf> {
    let mut trees = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad")];
    let corpora = common::corpus().into_iter().flat_map(|c| ["upstream", "third-party", "wild"].map(|n| c.join(n)));
    trees.extend(corpora.filter(|tree| tree.is_dir()));
    trees
}

#[test]
fn a_renamed_directory_changes_nothing() {
    use dynlint::finding::Profile;
    let (mut all, mut built) = (0, 0);
    for from in trees() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut seen: Vec<Vec<(String, String)>> = Vec::new();
        for name in ["one", "another/deep"] {
            let to = dir.path().join(name);
            for entry in walkdir::WalkDir::new(&from).into_iter().flatten().filter(|e| e.file_type().is_file()) {
                let target = to.join(entry.path().strip_prefix(&from).expect("below"));
                std::fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
                std::fs::copy(entry.path(), target).expect("a copy");
            }
            let options = Options { every_rule: Some(Profile::Audit), ..Options::default() };
            let report = lint::lint(&[Input::Path(to.clone())], &options);
            built += report.findings.iter().filter(|r| !r.finding.overlays.is_empty()).count();
            let place = |span: dynlint::source::Span| {
                let file = report.sources.get(span.file);
                let path = file.path.as_deref().unwrap_or(Path::new(""));
                let path = path.strip_prefix(&to).unwrap_or_else(|_| panic!("{}", path.display()));
                path.display().to_string()
            };
            let mut names: Vec<_> =
                report.findings.iter().map(|r| (place(r.finding.primary.span), r.fingerprint.to_string())).collect();
            names.sort();
            let mut unique = names.clone();
            unique.dedup();
            assert_eq!(unique.len(), names.len(), "{}: two findings of a file have one name", from.display());
            seen.push(names);
            std::fs::remove_dir_all(&to).expect("removed");
        }
        assert!(seen[0].len() > 5 && seen[0] == seen[1], "{}", from.display());
        all += seen[0].len();
    }
    println!("{all} findings, {built} of them through kustomizations, keep their names in a renamed directory");
}
