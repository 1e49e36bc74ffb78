//! Real mistakes with the repair that their authors made: how often does an offered fix make the finding go away, and how
//! often is it the same repair.

use std::path::Path;

use dynlint::finding::Applicability;
use dynlint::fix::Certifier;
use dynlint::lint::{self, Input, Options};

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
        let verified = found.iter().filter_map(|f| certifier.certify(f)).filter(|c| c.verified());
        let texts: Vec<String> = verified.filter_map(|c| Some(c.changed.first()?.after.clone())).collect();
        fixed += usize::from(!texts.is_empty());
        nearer += usize::from(texts.iter().any(|text| distance(text, &after) < distance(&before, &after)));
        equal += usize::from(texts.iter().any(|text| essence(text) == essence(&after)));
        let shown = found.iter().map(|f| {
            let how = f
                .fix
                .as_ref()
                .map_or("no fix", |fix| if fix.applicability == Applicability::Display { "advice" } else { "fix" });
            format!("{} ({how})", f.rule)
        });
        let name = dir.file_name().map_or_else(String::new, |n| Path::new(n).display().to_string());
        println!("{name}: {}", shown.collect::<Vec<_>>().join(", "));
    }
    println!(
        "{cases} cases with a small repair, {caught} found, {fixed} with a fix that makes a finding go away, {nearer} of them \
         nearer to the author's repair, {equal} equal to it"
    );
    assert!(fixed > 0, "no fix for any of them");
}
