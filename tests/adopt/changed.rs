//! Files named by themselves, `--changed-since`, and `dynlint doctor`.

use std::path::Path;

use super::{WRONG, dir, git, json, rules, run, write};

const PATCH: &str = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata:\n  name: web\nspec:\n  services:\n    Frontend:\n      extraPodSpec:\n        mainContainer:\n          env:\n            - name: DYN_ROUTER_MODE\n              value: kv-aware\n";

/// A base that is sound, an overlay far from it whose patch is wrong, one that leaves it as it is, and a file of its own.
fn repository() -> tempfile::TempDir {
    let sound = WRONG.replace("kv-aware", "kv");
    let dir = dir(&[
        ("apps/web/base/deploy.yaml", &sound),
        ("apps/web/base/kustomization.yaml", "resources: [deploy.yaml]\n"),
        ("apps/patches/mode.yaml", PATCH),
        (
            "clusters/one/web/kustomization.yaml",
            "resources: [../../../apps/web/base]\npatches:\n  - path: ../../../apps/patches/mode.yaml\n",
        ),
        ("clusters/two/web/kustomization.yaml", "resources: [../../../apps/web/base]\n"),
        ("other/deploy.yaml", &WRONG.replace("name: web", "name: other")),
    ]);
    git(dir.path(), &["init", "-q", "-b", "main"]);
    git(dir.path(), &["add", "-A"]);
    git(dir.path(), &["commit", "-qm", "one"]);
    dir
}

#[test]
fn a_patch_named_by_itself_lints_the_overlays_that_use_it() {
    let dir = repository();
    let p = dir.path();
    let report = json(p, &["apps/patches/mode.yaml"]);
    assert_eq!(rules(&report).0, ["unknown-router-mode"]);
    assert_eq!(report["findings"][0]["path"], "apps/patches/mode.yaml");
    assert_eq!(report["findings"][0]["overlays"], serde_json::json!(["clusters/one/web"]));
    assert_eq!(report["skipped"], serde_json::json!([]));
    // The base too is what its overlays make of it; a kustomization by itself as well.
    let report = json(p, &["apps/web/base/deploy.yaml"]);
    assert_eq!(rules(&report).0, ["unknown-router-mode"]);
    assert_eq!(rules(&json(p, &["apps/web/base/kustomization.yaml"])).0, ["unknown-router-mode"]);
    assert_eq!(run(p, &["check", "clusters/two/web/kustomization.yaml"]).code, 0);
    // What no kustomization takes in is linted alone.
    assert_eq!(rules(&json(p, &["other/deploy.yaml"])).0, ["unknown-router-mode"]);
    // `resolve` shows the file that was named.
    let resolved = run(p, &["resolve", "apps/web/base/deploy.yaml", "--var", "DYN_ROUTER_MODE"]).out;
    assert!(resolved.contains("kv") && !resolved.contains("kv-aware"), "{resolved}");
}

fn changed(dir: &Path) -> Vec<(String, String)> {
    let report = json(dir, &["--changed-since", "main"]);
    report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|f| (f["rule"].as_str().expect("a rule").to_owned(), f["path"].as_str().expect("a path").to_owned()))
        .collect()
}

#[test]
fn only_what_a_change_touches_is_reported() {
    let dir = repository();
    let p = dir.path();
    assert_eq!(rules(&json(p, &[])).0.len(), 2);
    assert_eq!(changed(p), []);
    let ran = run(p, &["check", "--changed-since", "HEAD"]);
    assert!(ran.code == 0 && ran.err.contains("nothing to lint has changed"), "{ran:?}");

    // A base that changes is judged through both overlays; `other` stays out.
    let mode = |path: &str| ("unknown-router-mode".to_owned(), path.to_owned());
    write(p, "apps/web/base/deploy.yaml", &WRONG.replace("kv-aware", "round-robin"));
    assert_eq!(changed(p), [mode("apps/patches/mode.yaml")]);
    git(p, &["checkout", "-q", "--", "."]);

    // A new file, a committed one on a branch, and a renamed one.
    write(p, "new/deploy.yaml", &WRONG.replace("name: web", "name: new"));
    assert_eq!(changed(p), [mode("new/deploy.yaml")]);
    git(p, &["checkout", "-qb", "work"]);
    git(p, &["add", "-A"]);
    git(p, &["commit", "-qm", "two"]);
    assert_eq!(changed(p), [mode("new/deploy.yaml")]);
    git(p, &["mv", "other", "renamed"]);
    assert_eq!(changed(p), [mode("new/deploy.yaml"), mode("renamed/deploy.yaml")]);

    // What main did since is not ours.
    git(p, &["commit", "-qam", "three"]);
    git(p, &["checkout", "-q", "main"]);
    write(p, "apps/patches/mode.yaml", &format!("# touched\n{PATCH}"));
    git(p, &["commit", "-qam", "four"]);
    git(p, &["checkout", "-q", "work"]);
    assert_eq!(changed(p).len(), 2);

    // A configuration touches all that it holds for; from a directory below, only that is looked at.
    write(p, "dynlint.toml", "fail-on = \"advice\"\n");
    assert_eq!(changed(p).len(), 3);
    assert_eq!(changed(&p.join("clusters")).len(), 1);

    for (wrong, words) in [("nonsense", "git knows no revision `nonsense`"), ("--help", "is no revision")] {
        let ran = run(p, &["check", &format!("--changed-since={wrong}")]);
        assert!(ran.code == 2 && ran.err.contains(words), "{ran:?}");
    }
    let outside = super::dir(&[("a.yaml", WRONG)]);
    assert_eq!(run(outside.path(), &["check", "--changed-since", "main"]).code, 2);
}

#[test]
fn whatever_an_overlay_is_built_from_touches_it() {
    let sound = WRONG.replace("kv-aware", "kv");
    let from = |kind: &str| {
        sound.replace(
            "          env:\n",
            &format!("          envFrom:\n            - {kind}: {{name: settings}}\n          env:\n"),
        )
    };
    let generated = from("configMapRef")
        .replace("            - name: DYN_ROUTER_MODE\n              value: kv\n", "")
        .replace("          env:\n", "");
    let dir = dir(&[
        ("base/deploy.yaml", &generated),
        ("base/kustomization.yaml", "resources: [deploy.yaml]\n"),
        (
            "parts/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: nothing.yaml}]\n",
        ),
        ("parts/nothing.yaml", "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata: {name: web}\n"),
        ("env/settings.env", "DYN_ROUTER_MODE=kv-aware\n"),
        ("script/run.sh", "true\n"),
        (
            "overlay/kustomization.yaml",
            "resources: [../base]\ncomponents: [../parts]\nconfigMapGenerator:\n  - name: settings\n    options: {disableNameSuffixHash: true}\n    envs: [../env/settings.env]\n    \
             files: [run=../script/run.sh]\n",
        ),
        ("shared/dynlint.toml", "[severity]\nunknown-router-mode = \"error\"\n"),
        ("overlay/dynlint.toml", "extend = \"../shared/dynlint.toml\"\n"),
        ("elsewhere/deploy.yaml", &WRONG.replace("name: web", "name: other")),
    ]);
    let p = dir.path();
    git(p, &["init", "-q", "-b", "main"]);
    git(p, &["add", "-A"]);
    git(p, &["commit", "-qm", "one"]);
    assert_eq!(changed(p), []);
    let rule = "unknown-router-mode";
    assert!(rules(&json(p, &["overlay"])).0.contains(&rule.to_owned()), "{:?}", json(p, &["overlay"]));
    // A directory with nothing but a kustomization is something to lint.
    assert_eq!(run(p, &["check", "overlay", "--fail-on", "never"]).code, 0);
    for (part, text) in [
        ("base/deploy.yaml", format!("# touched\n{generated}")),
        ("base/kustomization.yaml", "# touched\nresources: [deploy.yaml]\n".to_owned()),
        (
            "parts/nothing.yaml",
            "# touched\napiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata: {name: web}\n"
                .to_owned(),
        ),
        ("env/settings.env", "DYN_ROUTER_MODE=kv-awar\n".to_owned()),
        ("script/run.sh", "false\n".to_owned()),
        ("shared/dynlint.toml", "[severity]\nunknown-router-mode = \"warning\"\n".to_owned()),
    ] {
        write(p, part, &text);
        let found = changed(p);
        assert!(found.iter().any(|(found, path)| found == rule && !path.contains("elsewhere")), "{part}: {found:?}");
        assert!(!found.iter().any(|(_, path)| path.contains("elsewhere")), "{part}: {found:?}");
        git(p, &["checkout", "-q", "--", "."]);
    }
}

#[test]
fn what_stands_beside_a_file_touches_it() {
    let claim = "apiVersion: resource.nvidia.com/v1beta1\nkind: ComputeDomain\nmetadata:\n  name: cd\n";
    let dir = dir(&[
        ("a/deploy.yaml", WRONG),
        ("a/more.yaml", &WRONG.replace("name: web", "name: more")),
        ("a/cd.yaml", claim),
        ("b/deploy.yaml", WRONG),
    ]);
    let p = dir.path();
    git(p, &["init", "-q", "-b", "main"]);
    git(p, &["add", "-A"]);
    git(p, &["commit", "-qm", "one"]);
    write(p, "a/cd.yaml", &format!("{claim}spec: {{}}\n"));
    let paths = |list: Vec<(String, String)>| {
        list.into_iter()
            .map(|(_, path)| path)
            .filter(|p| p.ends_with("e.yaml") || p.ends_with("y.yaml"))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(changed(p)), ["a/deploy.yaml", "a/more.yaml"]);
    git(p, &["checkout", "-q", "--", "."]);
    // Another graph is nothing that its neighbours look at.
    write(p, "a/more.yaml", &WRONG.replace("name: web", "name: evenmore"));
    assert_eq!(paths(changed(p)), ["a/more.yaml"]);
    git(p, &["checkout", "-q", "--", "."]);
    std::fs::remove_file(p.join("a/cd.yaml")).expect("removed");
    assert_eq!(paths(changed(p)), ["a/deploy.yaml", "a/more.yaml"]);
}

#[test]
fn doctor_says_what_would_be_linted_and_why_not() {
    let dir = repository();
    let p = dir.path();
    write(p, "chart/values.yaml", "a: 1\n");
    write(p, "dynlint.toml", "exclude = [\"other\"]\n");
    let ran = run(p, &["doctor"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for words in [
        env!("CARGO_PKG_VERSION"),
        "configuration dynlint.toml",
        "apps/web/base/deploy.yaml",
        "builds clusters/one/web",
        "chart/values.yaml",
        "other/deploy.yaml",
        "excluded by configuration",
    ] {
        assert!(ran.out.contains(words), "no `{words}` in\n{}", ran.out);
    }
    write(p, "dynlint.toml", "exclud = []\n");
    assert_eq!(run(p, &["doctor"]).code, 2);
}
