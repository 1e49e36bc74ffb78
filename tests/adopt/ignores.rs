//! Comments that silence findings.

use super::{WRONG, dir, json, rules, run, write};

/// `WRONG` with one line put before the line that holds `before`, at the same indent.
fn with(before: &str, comment: &str) -> String {
    let mut out = String::new();
    for line in WRONG.lines() {
        if line.contains(before) {
            let indent = &line[..line.len() - line.trim_start().len()];
            out += &format!("{indent}{comment}\n");
        }
        out += line;
        out.push('\n');
    }
    assert_ne!(out, WRONG);
    out
}

fn said(text: &str, args: &[&str]) -> (Vec<String>, u64) {
    let dir = dir(&[("a.yaml", text)]);
    rules(&json(dir.path(), args))
}

#[test]
fn on_the_line_above_it_and_above_the_entry() {
    assert_eq!(said(WRONG, &[]).0, ["unknown-router-mode"]);
    let silent = (Vec::<String>::new(), 1);
    let trailing = WRONG.replace("kv-aware", "kv-aware  # dynlint: ignore[unknown-router-mode] why");
    assert_eq!(said(&trailing, &[]), silent);
    assert_eq!(said(&with("value: kv-aware", "# dynlint: ignore[unknown-router-mode] why"), &[]), silent);
    assert_eq!(said(&with("- name: DYN_ROUTER_MODE", "# dynlint: ignore[router] why"), &[]), silent);
    assert_eq!(said(&with("apiVersion:", "# dynlint: ignore-file why"), &[]), silent);
    let region = with("env:", "# dynlint: ignore-start[unknown-*] why") + "# dynlint: ignore-end\n";
    assert_eq!(said(&region, &[]), silent);
    // Too far away: the finding stays, and the comment is said to be idle.
    let (left, suppressed) = said(&with("env:", "# dynlint: ignore[unknown-router-mode] why"), &[]);
    assert_eq!((left.len(), suppressed), (2, 0));
}

#[test]
fn suppressed_findings_are_counted_and_kept_with_their_reason() {
    let dir = dir(&[("a.yaml", &with("value: kv-aware", "# dynlint: ignore[unknown-router-mode] waits for 1.5"))]);
    let report = json(dir.path(), &[]);
    let kept = &report["suppressed"][0];
    assert_eq!(kept["rule"], "unknown-router-mode");
    assert_eq!(kept["suppression"]["kind"], "comment");
    assert_eq!(kept["suppression"]["reason"], "waits for 1.5");
    assert_eq!(kept["suppression"]["place"]["line"], 15);
    let ran = run(dir.path(), &["check"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("1 suppressed") && ran.err.is_empty(), "{ran:?}");
}

#[test]
fn in_a_script_and_above_its_key() {
    let script = |inside: &str, above: &str, after: &str| {
        WRONG.replace(
            "          env:\n",
            &format!(
                "          command: [\"bash\", \"-c\"]\n          args:\n{above}            - |{after}\n              \
                 set -e\n{inside}              exec python3 -m dynamo.frontend \\\n                --router-mode KV\n          env:\n"
            ),
        )
    };
    let only = ["--select", "unknown-router-mode,unused-ignore"];
    let (plain, _) = said(&script("", "", ""), &only);
    assert_eq!(plain, ["unknown-router-mode"]);
    let comment = "# dynlint: ignore[unknown-router-mode] why";
    let silent = (Vec::<String>::new(), 1);
    assert_eq!(said(&script(&format!("              {comment}\n"), "", ""), &only), silent);
    assert_eq!(said(&script("", &format!("            {comment}\n"), ""), &only), silent);
    assert_eq!(said(&script("", "", &format!(" {comment}")), &only), silent);
}

#[test]
fn what_is_wrong_with_ignores() {
    let comment = |text: &str| with("value: kv-aware", &format!("# dynlint: {text}"));
    let both = |rule: &str| vec![rule.to_owned(), "unknown-router-mode".to_owned()];
    assert_eq!(said(&comment("ignore[unknown-router-modes] why"), &[]).0, both("invalid-ignore"));
    assert_eq!(said(&comment("ignore[yaml-syntax] why"), &[]).0, both("invalid-ignore"));
    assert_eq!(said(&comment("ignor[x] why"), &[]).0, both("invalid-ignore"));
    assert_eq!(said(&comment("ignore-end"), &[]).0, both("invalid-ignore"));
    assert_eq!(said(&comment("ignore[ucx] why"), &[]).0, both("invalid-ignore"));
    assert_eq!(said(&comment("ignore[ucx-*] why"), &[]).0, both("unused-ignore"));
    // The rules about ignores cannot be ignored themselves.
    let hidden = format!("# dynlint: ignore-file[reader] why\n{}", comment("ignore[ucx-*] why"));
    assert!(said(&hidden, &[]).0.contains(&"unused-ignore".to_owned()));
    // While a rule does not run, nobody knows whether its ignore is idle.
    assert_eq!(said(&comment("ignore[ucx-*] why"), &["--ignore", "ucx-tls-*"]).0, ["unknown-router-mode"]);
}

#[test]
fn until_a_day() {
    let text = with("value: kv-aware", "# dynlint: ignore[unknown-router-mode] until=2027-01-31 why");
    assert_eq!(said(&text, &["--today", "2027-01-31"]), (Vec::new(), 1));
    let (left, suppressed) = said(&text, &["--today", "2027-02-01"]);
    assert_eq!((left, suppressed), (vec!["expired-ignore".to_owned(), "unknown-router-mode".to_owned()], 0));
}

const BASE: &str = "resources:\n  - deploy.yaml\n";
const OVERLAY: &str = "resources:\n  - ../base\n";

#[test]
fn in_a_base_in_a_patch_and_for_a_whole_overlay() {
    let comment = "# dynlint: ignore[unknown-router-mode] why";
    let silenced = with("value: kv-aware", comment);
    let dir = dir(&[
        ("base/deploy.yaml", silenced.as_str()),
        ("base/kustomization.yaml", BASE),
        ("one/kustomization.yaml", OVERLAY),
        ("two/kustomization.yaml", OVERLAY),
    ]);
    let p = dir.path();
    assert_eq!(rules(&json(p, &[])), (Vec::new(), 1));
    // One of two overlays looks away: the other still speaks.
    write(p, "base/deploy.yaml", WRONG);
    write(p, "one/kustomization.yaml", &format!("# dynlint: ignore-file[unknown-router-mode] why\n{OVERLAY}"));
    let report = json(p, &[]);
    assert_eq!(rules(&report).0, ["unknown-router-mode"]);
    assert_eq!(report["findings"][0]["overlays"], serde_json::json!(["two"]));
    write(p, "two/kustomization.yaml", &format!("# dynlint: ignore-file[unknown-router-mode] why\n{OVERLAY}"));
    assert_eq!(rules(&json(p, &[])), (Vec::new(), 1));
    // The value comes from a patch: there stands the comment.
    let sound = WRONG.replace("kv-aware", "kv");
    let patch = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata:\n  name: web\nspec:\n  services:\n    Frontend:\n      extraPodSpec:\n        mainContainer:\n          env:\n            - name: DYN_ROUTER_MODE\n              value: kv-aware COMMENT\n";
    write(p, "base/deploy.yaml", &sound);
    write(p, "two/patch.yaml", &patch.replace("COMMENT", ""));
    write(p, "two/kustomization.yaml", &format!("{OVERLAY}patches:\n  - path: patch.yaml\n"));
    write(p, "one/kustomization.yaml", OVERLAY);
    assert!(rules(&json(p, &[])).0.contains(&"unknown-router-mode".to_owned()));
    write(p, "two/patch.yaml", &patch.replace("COMMENT", comment));
    let (left, suppressed) = rules(&json(p, &[]));
    assert!(!left.contains(&"unknown-router-mode".to_owned()) && suppressed == 1, "{left:?}");
    assert!(!left.contains(&"unused-ignore".to_owned()), "{left:?}");
    // An ignore in a base that silences nothing any more goes with its fix, overlays or not.
    write(p, "base/deploy.yaml", &with("value: kv-aware", comment).replace("kv-aware", "kv"));
    write(p, "two/kustomization.yaml", OVERLAY);
    std::fs::remove_file(p.join("two/patch.yaml")).expect("removed");
    assert_eq!(rules(&json(p, &[])).0, ["unused-ignore"]);
    assert_eq!(run(p, &["check", "--fix"]).code, 0);
    assert_eq!(super::read(p, "base/deploy.yaml"), sound);
}

#[test]
fn in_a_base_that_another_overlay_is_built_from_too() {
    let comment = "# dynlint: ignore[unknown-router-mode] why";
    let patch = "- op: replace\n  path: /spec/services/Frontend/extraPodSpec/mainContainer/env/0/value\n  value: kv\n";
    let dir = dir(&[
        ("base/deploy.yaml", &with("value: kv-aware", comment)),
        ("base/kustomization.yaml", BASE),
        ("one/kustomization.yaml", &format!("{OVERLAY}patches:\n  - {{path: mode.yaml, target: {{name: web}}}}\n")),
        ("one/mode.yaml", patch),
        ("two/kustomization.yaml", OVERLAY),
    ]);
    let p = dir.path();
    assert_eq!(rules(&json(p, &[])), (Vec::new(), 1));
    // Nothing is left of what the base is silent about where the patch holds, but who lints only that is not told to remove it.
    for part in ["one", "one/mode.yaml"] {
        assert_eq!(rules(&json(p, &[part])).0, Vec::<String>::new(), "{part}");
    }
    // Whoever asks for the base is told when no overlay needs it.
    write(p, "two/kustomization.yaml", "resources: []\n");
    assert_eq!(rules(&json(p, &["base/deploy.yaml"])).0, ["unused-ignore"]);
}
