//! Fixes that change several files: drawn whole, written whole or not at all.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::disk::{dynlint, text};

const BASE: &str = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: llama
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
    Worker:
      componentType: worker
      subComponentType: decode
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          command: [python3, -m, dynamo.vllm]
      resources: {limits: {gpu: '1'}}
";

const PATCH: &str = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: llama
spec:
  services:
    Worker:
      extraPodSpec:
        mainContainer:
          args: [--model, Qwen/Qwen3-0.6B, --disaggregation-mode, decode]
";

/// Where the role is said, and what is left of that.
const SAID: [(&str, &str, &str); 2] = [
    ("base/deploy.yaml", "      subComponentType: decode\n", ""),
    ("overlays/prod/patch.yaml", ", --disaggregation-mode, decode", ""),
];

fn lay(dir: &Path) {
    let files = [
        ("base/kustomization.yaml", "resources: [deploy.yaml]\n"),
        ("base/deploy.yaml", BASE),
        ("overlays/prod/kustomization.yaml", "resources: [../../base]\npatches:\n  - path: patch.yaml\n"),
        ("overlays/prod/patch.yaml", PATCH),
    ];
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn laid() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path());
    dir
}

/// Which of the two files are as the fix wants them. Panics when one is neither that nor as it was.
fn mended(dir: &Path) -> [bool; 2] {
    SAID.map(|(name, said, left)| {
        let (is, old) =
            (fs::read_to_string(dir.join(name)).unwrap(), if name.starts_with("base") { BASE } else { PATCH });
        assert!(is == old || is == old.replace(said, left), "{name}: {is}");
        is != old
    })
}

fn hidden(dir: &Path) -> Vec<String> {
    let all =
        walkdir::WalkDir::new(dir).into_iter().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    all.filter(|name| name.starts_with(".dynlint")).collect()
}

const FIX: [&str; 4] = ["check", "--fix-only", "--unsafe-fixes", "."];

#[test]
fn every_file_is_drawn_with_its_lines() {
    let dir = laid();
    let report = text(&dynlint(dir.path(), &["check", "."]).stdout);
    let drawn = report.split("fix verified, unsafe").nth(1).unwrap_or_else(|| panic!("{report}"));
    let lines: Vec<&str> = drawn.lines().skip(1).take_while(|line| !line.is_empty()).map(str::trim).collect();
    let expected = [
        "overlays/prod/patch.yaml:10",
        "10 │ -           args: [--model, Qwen/Qwen3-0.6B, --disaggregation-mode, decode]",
        "10 │ +           args: [--model, Qwen/Qwen3-0.6B]",
        "base/deploy.yaml:14",
        "14 │ -       subComponentType: decode",
    ];
    assert_eq!(lines, expected, "{report}");
    let diff = text(&dynlint(dir.path(), &["check", "--diff", "--unsafe-fixes", "."]).stdout);
    assert!(diff.contains("+++ b/base/deploy.yaml") && diff.contains("+++ b/overlays/prod/patch.yaml"), "{diff}");
    let json = text(&dynlint(dir.path(), &["check", "--format", "json", "."]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["fix"]["edits"].as_array().unwrap().len(), 2);
    assert_eq!(dynlint(dir.path(), &FIX).status.code(), Some(0));
    assert_eq!(mended(dir.path()), [true, true]);
    assert!(hidden(dir.path()).is_empty());
}

/// What the real program leaves when the kernel kills it as it is about to rename the second file; none without a C
/// compiler.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn half_done() -> Option<tempfile::TempDir> {
    use std::os::unix::process::ExitStatusExt as _;
    const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
int rename(const char *from, const char *to) {
    static int files;
    if (strstr(to, ".yaml") && files++ == 1) kill(getpid(), SIGKILL);
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}
"#;
    let dir = laid();
    let tools = tempfile::tempdir().unwrap();
    let (source, shim) = (tools.path().join("shim.c"), tools.path().join("shim.so"));
    fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).arg("-ldl").status();
    if !built.is_ok_and(|status| status.success()) {
        println!("skipped: no C compiler");
        return None;
    }
    let killed =
        Command::new(env!("CARGO_BIN_EXE_dynlint")).args(FIX).current_dir(dir.path()).env("LD_PRELOAD", &shim).output();
    let killed = killed.unwrap();
    assert_eq!(killed.status.signal(), Some(9), "{}", text(&killed.stderr));
    Some(dir)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn what_a_killed_run_left_half_done_is_finished_by_the_next() {
    let Some(dir) = half_done() else { return };
    let half = mended(dir.path());
    assert_ne!(half[0], half[1], "it died between the renames");
    assert_eq!(
        hidden(dir.path()).len(),
        3,
        "a text that waits, and a journal in each directory: {:?}",
        hidden(dir.path())
    );
    // Reading changes nothing; neither does a diff. Both say what is the matter, once, and what to do about it.
    for args in [&["check", "."][..], &["check", "--diff", "."], &["check", "overlays/prod", "-q"]] {
        let said = text(&dynlint(dir.path(), args).stderr);
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("interrupted")).collect();
        let quiet = args.contains(&"-q");
        assert_eq!(lines.len(), usize::from(!quiet), "{args:?}: {said}");
        assert!(
            quiet || lines[0].contains("`base/deploy.yaml`") && lines[0].contains("`dynlint check --fix "),
            "{said}"
        );
    }
    assert_eq!(mended(dir.path()), half);
    // Over one of the directories, with nothing else to mend.
    let next = dynlint(dir.path(), &["check", "--fix", "overlays/prod"]);
    let said = text(&next.stderr);
    assert!(said.contains("finished a fix of ") && said.contains("that was interrupted"), "{said}");
    assert!(said.contains("`base/deploy.yaml`") && said.contains("`overlays/prod/patch.yaml`"), "{said}");
    assert!(said.contains("fixed nothing"), "{said}");
    assert_eq!(next.status.code(), Some(0), "{said}");
    assert_eq!(mended(dir.path()), [true, true]);
    assert!(hidden(dir.path()).is_empty());
    assert!(!text(&dynlint(dir.path(), &FIX).stderr).contains("interrupted"), "said once");
}

/// Ignores are written into the files that a fix was about.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn who_writes_ignores_finishes_first_what_was_left_half_done() {
    let Some(dir) = half_done() else { return };
    let next = dynlint(dir.path(), &["check", "--add-ignores", "a reason", "."]);
    let said = text(&next.stderr);
    assert!(said.contains("finished a fix of ") && said.contains("that was interrupted"), "{said}");
    assert!(!said.contains("half-way"), "nothing is left to do: {said}");
    assert_eq!(mended(dir.path()), [true, true]);
    assert!(hidden(dir.path()).is_empty());
}

/// A file system of a few pages, where the user may mount one: full at every point of the writing, one after the other.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_all_or_nothing() {
    let dir = laid();
    let script = r#"
mount -t tmpfs -o size=$((4 * (4 + FREE)))k tmpfs mnt || exit 77
cp -r base overlays mnt && cd mnt || exit 78
"$DYNLINT" check --fix-only --unsafe-fixes . ; code=$?
cp -r . ../out
exit $code
"#;
    let mut seen = [false; 2];
    for free in 0..6 {
        for name in ["mnt", "out"] {
            let _ = fs::remove_dir_all(dir.path().join(name));
        }
        fs::create_dir(dir.path().join("mnt")).unwrap();
        let run = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .env("DYNLINT", env!("CARGO_BIN_EXE_dynlint"))
            .env("FREE", free.to_string())
            .current_dir(dir.path())
            .output();
        let Some(run) = run.ok().filter(|run| matches!(run.status.code(), Some(0 | 4))) else {
            println!("skipped: no file system can be mounted");
            return;
        };
        let now = mended(&dir.path().join("out"));
        assert_eq!(now[0], now[1], "{free} pages free: half done, {}", text(&run.stderr));
        assert_eq!(run.status.code(), Some(if now[0] { 0 } else { 4 }), "{}", text(&run.stderr));
        assert!(hidden(&dir.path().join("out")).is_empty());
        seen[usize::from(now[0])] = true;
    }
    assert_eq!(seen, [true, true], "both ends were seen");
}

/// A directory that cannot be written to.
#[cfg(unix)]
#[test]
fn a_second_directory_that_is_read_only_keeps_the_first_as_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = laid();
    let base = dir.path().join("base");
    fs::set_permissions(&base, fs::Permissions::from_mode(0o555)).unwrap();
    let root = tempfile::tempfile_in(&base).is_ok();
    if !root {
        let out = dynlint(dir.path(), &FIX);
        assert_eq!(out.status.code(), Some(4));
        assert!(text(&out.stderr).contains("a file that belongs to the same fix cannot be written"));
    }
    fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
    if root {
        println!("skipped: root writes everywhere; a read-only file stands in");
        fs::set_permissions(base.join("deploy.yaml"), fs::Permissions::from_mode(0o444)).unwrap();
        let out = dynlint(dir.path(), &FIX);
        assert_eq!(out.status.code(), Some(4));
        assert!(text(&out.stderr).contains("cannot write `base/deploy.yaml`: the file is read-only"));
        assert!(text(&out.stderr).contains("a file that belongs to the same fix cannot be written"));
    }
    assert_eq!(mended(dir.path()), [false, false]);
    assert!(hidden(dir.path()).is_empty());
}
