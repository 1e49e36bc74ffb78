//! Real mistakes with the repair that their authors made: how often does an offered fix make the finding go away, and how
//! often is it the same repair.

use std::path::{Path, PathBuf};

use dynlint::finding::Finding;
use dynlint::fix::{Certificate, Certifier, Changed};
use dynlint::lint::{self, Input, Options};
use dynlint::resolve::Version;

/// Cases of which a manifest does not show for certain that they are wrong; `docs/catalog.md` says why.
const UNSAID: [(&str, &str); 2] = [
    ("043-hf-home-missing", "as which user an image runs"),
    ("058-inferencepool-label-and-route-namespace", "a pool may select pods by the name of their component"),
];

/// Cases that were taken out of their directory alone, and the case that has the graph which stood beside them: the
/// same recipe, two days later.
const BESIDE: [(&str, &str); 1] = [("053-epp-model-env-missing", "054-epp-model-name-wrong")];

/// Cases with a placeholder for a tag, and the release from which they are wrong: what their users say by
/// `--dynamo-version`.
const RELEASES: [(&str, (u16, u16)); 1] = [("074-vllm-agg-router-events-default-flip", (1, 1))];

/// Lines that differ.
fn distance(a: &str, b: &str) -> usize {
    let diff = similar::TextDiff::from_lines(a, b);
    diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal).count()
}

/// Without blanks and comments: what the author's repair and ours have to agree in.
fn essence(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim().replace(['"', '\''], ""));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Formats that no Dynamo of today reads, or that are no manifests.
const RETIRED: [&str; 2] = ["sdk-config", "helm-values"];

/// A case laid out as it was, with the files that stood beside it: the directory, and the file that was mended.
fn lay(case: &Path, side: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(case.join("case.json")).ok()?).ok()?;
    if RETIRED.iter().any(|format| json["format"].as_str().is_some_and(|own| own.starts_with(format))) {
        return None;
    }
    let text = std::fs::read_to_string(case.join(format!("{side}.yaml"))).ok()?;
    let path = json[if side == "before" { "path_before" } else { "path" }].as_str().unwrap_or_default();
    let path = match path.split(' ').next().unwrap_or_default().trim_start_matches('/') {
        path if path.ends_with(".yaml") || path.ends_with(".yml") => path.to_owned(),
        _ => "deploy.yaml".to_owned(),
    };
    let dir = tempfile::tempdir().expect("a directory");
    let own = case.file_name().and_then(|name| name.to_str());
    let beside = BESIDE.iter().find(|(name, _)| Some(*name) == own).map(|(_, other)| case.with_file_name(other));
    let siblings = beside.as_deref().unwrap_or(case).join("siblings").join(side);
    for entry in walkdir::WalkDir::new(&siblings).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let to = dir.path().join(entry.path().strip_prefix(&siblings).expect("below it"));
        std::fs::create_dir_all(to.parent().expect("a parent")).expect("made");
        std::fs::copy(entry.path(), to).expect("copied");
    }
    let main = dir.path().join(path);
    std::fs::create_dir_all(main.parent().expect("a parent")).expect("made");
    std::fs::write(&main, text).expect("written");
    Some((dir, main))
}

#[test]
fn offered_fixes_against_what_authors_did() {
    let Some(corpus) = super::common::corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let (mut cases, mut caught, mut fixed, mut nearer, mut equal) = (0, 0, 0, 0, 0);
    let (mut unmended, mut unfound): (Vec<String>, Vec<String>) = Default::default();
    let mut entries: Vec<_> =
        std::fs::read_dir(corpus.join("wild")).expect("cases").flatten().map(|e| e.path()).collect();
    entries.sort();
    for dir in entries {
        let name = dir.file_name().map_or_else(String::new, |n| Path::new(n).display().to_string());
        let (Some((before_dir, main)), Some((after_dir, mended))) = (lay(&dir, "before"), lay(&dir, "after")) else {
            continue;
        };
        let (before, after) = (std::fs::read_to_string(&main).unwrap(), std::fs::read_to_string(mended).unwrap());
        // A small edit: what a person does in a minute.
        if distance(&before, &after) > 12 {
            continue;
        }
        cases += 1;
        let release = RELEASES.iter().find(|(case, _)| *case == name).map(|(_, (a, b))| Version::new(*a, *b));
        let options = Options { dynamo_version: release, ..Options::default() };
        let given = [Input::Path(before_dir.path().to_owned())];
        let report = lint::lint(&given, &options);
        let repaired = lint::lint(&[Input::Path(after_dir.path().to_owned())], &options);
        let same = |a: &Finding, b: &Finding| (a.rule, &a.service, &a.subject) == (b.rule, &b.service, &b.subject);
        let mut left: Vec<&Finding> = repaired.findings.iter().map(|r| &r.finding).collect();
        let stays = |f: &&Finding| left.iter().position(|o| same(o, f)).map(|at| left.remove(at)).is_some();
        let (_, found): (Vec<_>, Vec<_>) = report.findings.iter().map(|r| &r.finding).partition(stays);
        if found.is_empty() {
            println!("{name}: nothing found");
            unfound.push(name);
            continue;
        }
        caught += 1;
        let certifier = Certifier::new(&given, &options, &report);
        let tried: Vec<_> = found.iter().map(|f| certifier.certify(f)).collect();
        let verified = tried.iter().flatten().filter(|c| c.verified());
        let own = |changed: &[Changed]| {
            changed
                .iter()
                .find(|c| c.path().as_ref() == Some(&main))
                .map_or_else(|| before.clone(), |c| c.after.clone())
        };
        let mut texts: Vec<String> = verified.map(|c| own(&c.changed)).collect();
        // An author mends all places at once.
        let sound = found.iter().zip(&tried).filter(|(_, tried)| tried.as_ref().is_some_and(Certificate::verified));
        let sound: Vec<_> = sound.map(|(finding, _)| *finding).collect();
        if let Ok(changed) = certifier.together(&sound) {
            texts.push(own(&changed));
        }
        fixed += usize::from(!sound.is_empty());
        nearer += usize::from(texts.iter().any(|text| distance(text, &after) < distance(&before, &after)));
        equal += usize::from(texts.iter().any(|text| essence(text) == essence(&after)));
        let shown = found.iter().zip(&tried).map(|(f, tried)| match tried {
            None if f.fix.is_some() => format!("{} (advice)", f.rule),
            None => format!("{} (no fix)", f.rule),
            Some(certificate) => match &certificate.refusal {
                None => format!("{} (fix verified)", f.rule),
                Some(refusal) => format!("{} (refused: {refusal})", f.rule),
            },
        });
        println!("{name}: {}", shown.collect::<Vec<_>>().join(", "));
        if sound.is_empty() {
            unmended.push(name);
        }
    }
    println!(
        "{cases} cases with a small repair, {caught} found, {fixed} with a fix that makes a finding go away, {nearer} of them \
         nearer to the author's repair, {equal} equal to it"
    );
    assert!(unfound.iter().eq(UNSAID.iter().map(|(name, _)| name)), "not found: {unfound:?}");
    assert!(unmended.is_empty(), "no fix makes a finding go away: {unmended:?}");
}
