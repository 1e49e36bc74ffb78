//! Real mistakes with the repair that their authors made: how often does an offered fix make the finding go away, and how
//! often is it the same repair.

use std::path::Path;

use dynlint::fix::{Certificate, Certifier};
use dynlint::lint::{self, Input, Options};

/// Rules whose right repair is not in the manifest, and what would have to be known. What they offer is advice.
const UNKNOWABLE: [(&str, &str); 3] = [
    ("image-private", "which published image holds what the internal build held"),
    ("epp-model-env", "the name that the workers of another manifest serve"),
    ("trtllm-transfer-buffer", "with chunked prefill, the longest prompt that will be sent"),
];

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

#[test]
fn offered_fixes_against_what_authors_did() {
    let Some(corpus) = super::common::corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let (mut cases, mut caught, mut fixed, mut nearer, mut equal) = (0, 0, 0, 0, 0);
    let mut unmended: Vec<String> = Vec::new();
    let mut entries: Vec<_> =
        std::fs::read_dir(corpus.join("wild")).expect("cases").flatten().map(|e| e.path()).collect();
    entries.sort();
    for dir in entries {
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).ok();
        let (Some(before), Some(after)) = (read("before.yaml"), read("after.yaml")) else { continue };
        // A small edit: what a person does in a minute.
        if distance(&before, &after) > 12 {
            continue;
        }
        cases += 1;
        let inputs = |text: &str| [Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }];
        let (given, options) = (inputs(&before), Options::default());
        let (report, repaired) = (lint::lint(&given, &options), lint::lint(&inputs(&after), &options));
        let gone = |f: &dynlint::finding::Finding| {
            !repaired.findings.iter().any(|r| {
                let o = &r.finding;
                (o.rule, &o.service, &o.subject) == (f.rule, &f.service, &f.subject)
            })
        };
        let found: Vec<_> = report.findings.iter().map(|r| &r.finding).filter(|f| gone(f)).collect();
        if found.is_empty() {
            continue;
        }
        caught += 1;
        let certifier = Certifier::new(&given, &options, &report);
        let tried: Vec<_> = found.iter().map(|f| certifier.certify(f)).collect();
        let verified = tried.iter().flatten().filter(|c| c.verified());
        let mut texts: Vec<String> = verified.filter_map(|c| Some(c.changed.first()?.after.clone())).collect();
        // An author mends all places at once.
        let sound = found.iter().zip(&tried).filter(|(_, tried)| tried.as_ref().is_some_and(Certificate::verified));
        let sound: Vec<_> = sound.map(|(finding, _)| *finding).collect();
        if let Ok(changed) = certifier.together(&sound) {
            texts.extend(changed.first().map(|change| change.after.clone()));
        }
        fixed += usize::from(!texts.is_empty());
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
        let name = dir.file_name().map_or_else(String::new, |n| Path::new(n).display().to_string());
        println!("{name}: {}", shown.collect::<Vec<_>>().join(", "));
        let unknowable = |rule: &str| UNKNOWABLE.iter().any(|(known, _)| *known == rule);
        if texts.is_empty() && !found.iter().all(|f| unknowable(f.rule)) {
            unmended.push(name);
        }
    }
    println!(
        "{cases} cases with a small repair, {caught} found, {fixed} with a fix that makes a finding go away, {nearer} of them \
         nearer to the author's repair, {equal} equal to it"
    );
    assert!(unmended.is_empty(), "no fix makes a finding go away: {unmended:?}");
}
