//! Stops the writing of several files at every step: by an error, by errors from there on, by the death of the process.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::apply::Changed;
use super::disk::{Disk, Step};
use super::journal::{Recovered, recover_on};
use super::write::{Unwritten, write_on};
use crate::source::Sources;

const FILES: [&str; 3] = ["base/deploy.yaml", "overlays/a/patch.yaml", "overlays/a/other.yaml"];

fn old(name: &str) -> String {
    format!("name: {name}\nvalue: old\n")
}

fn new(name: &str) -> String {
    old(name).replace("old", "a longer, newer value")
}

fn lay() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for name in FILES {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, old(name)).expect("written");
    }
    dir
}

/// Writes all three as one fix.
fn write(disk: Disk<'_>, dir: &Path) -> Vec<Unwritten> {
    let sources = Sources::new();
    let change = |name: &&str| {
        let file = sources.add((*name).to_owned(), Some(&dir.join(name)), old(name));
        Changed { file: Arc::clone(&file), after: new(name) }
    };
    let changed: Vec<Changed> = FILES.iter().map(change).collect();
    let names: Vec<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
    // Two fixes that share a file belong together too.
    write_on(disk, &changed, &[&names[..2], &names[1..]])
}

/// Waits until the writer of every journal is gone: a process that another test starts holds all that is open here, locks
/// as well, from its fork until it is the other program.
fn wait_for_writers(dir: &Path) {
    let held = |path: &PathBuf| {
        fs::File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
    };
    let end = Instant::now() + Duration::from_secs(10);
    while hidden(dir).iter().any(held) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn recover(dir: &Path) -> Vec<Recovered> {
    wait_for_writers(dir);
    recover_at_once(dir)
}

fn recover_at_once(dir: &Path) -> Vec<Recovered> {
    // As a later run meets it, over one of the directories only.
    recover_on(Disk::REAL, [dir.join("overlays/a").as_path()])
}

fn recover_all(dir: &Path) -> Vec<Recovered> {
    wait_for_writers(dir);
    recover_on(Disk::REAL, [dir.join("base").as_path(), &dir.join("overlays/a")])
}

/// Whether all files are new (`true`) or old (`false`). Panics when they are neither.
fn whole(dir: &Path, what: &str) -> bool {
    let texts = FILES.map(|name| fs::read_to_string(dir.join(name)).expect("a file"));
    let new = texts == FILES.map(new);
    assert!(new || texts == FILES.map(old), "{what}: half done: {texts:#?}");
    new
}

fn hidden(dir: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(dir).into_iter().flatten().map(|entry| entry.path().to_owned());
    all.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".dynlint"))).collect()
}

/// Steps of a writing that nothing stops.
fn steps() -> usize {
    let count = Cell::new(0);
    let dir = lay();
    let before = |_: Step, _: &Path| {
        count.set(count.get() + 1);
        Ok(())
    };
    assert!(write(Disk { before: &before }, dir.path()).is_empty());
    assert!(whole(dir.path(), "unhindered"));
    assert_eq!(hidden(dir.path()), [] as [PathBuf; 0]);
    count.get()
}

#[test]
fn an_error_at_any_step_leaves_all_or_nothing() {
    for at in 0..steps() {
        for lasting in [false, true] {
            let (dir, count) = (lay(), Cell::new(0));
            let what = format!("error at step {at}, lasting: {lasting}");
            let before = |_: Step, _: &Path| {
                let now = count.replace(count.get() + 1);
                if now == at || lasting && now > at { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
            };
            let failed = write(Disk { before: &before }, dir.path());
            if !lasting {
                // Without another run.
                assert_eq!(whole(dir.path(), &what), failed.is_empty(), "{what}: {failed:?}");
            }
            let said = recover(dir.path());
            assert!(said.iter().all(|recovered| recovered.problem.is_none()), "{what}: {said:?}");
            let new = whole(dir.path(), &what);
            assert_eq!(recover_all(dir.path()), [], "{what}: the rest is not worth a word");
            assert!(new || !failed.is_empty(), "{what}: nothing is written and nothing said");
            assert_eq!(hidden(dir.path()), [] as [PathBuf; 0], "{what}");
        }
    }
}

/// The child of the test below: dies at the step that the environment names.
#[test]
fn a_process_that_dies() {
    let Ok(place) = std::env::var("DYNLINT_DIES") else { return };
    let (at, dir) = place.split_once(':').expect("a step and a directory");
    let (at, count): (usize, _) = (at.parse().expect("a number"), Cell::new(0));
    let before = |_: Step, _: &Path| {
        if count.replace(count.get() + 1) == at {
            std::process::abort();
        }
        Ok(())
    };
    let _ = write(Disk { before: &before }, Path::new(dir));
}

#[test]
fn a_process_that_dies_at_any_step_leaves_all_or_nothing() {
    let (mut halves, mut finished) = (0, 0);
    for at in 0..steps() {
        let dir = lay();
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "fix::write_tests::a_process_that_dies"])
            .env("DYNLINT_DIES", format!("{at}:{}", dir.path().display()))
            .output()
            .expect("it starts");
        assert!(!child.status.success(), "step {at}: {}", String::from_utf8_lossy(&child.stdout));
        let texts = FILES.map(|name| fs::read_to_string(dir.path().join(name)).expect("a file"));
        let half = texts != FILES.map(old) && texts != FILES.map(new);
        let mut said = recover(dir.path());
        if said.is_empty() {
            // It died between the copies of the journal: nothing is changed yet, and whoever meets the one there is goes on.
            assert!(!half, "step {at}: every directory leads on from a half");
            said = recover_all(dir.path());
        }
        let new = whole(dir.path(), &format!("died at step {at}"));
        if half {
            halves += 1;
            assert!(new, "step {at}: rolled forward");
        }
        // A decision is carried out and said; without one nothing happened.
        let journal = said.iter().filter(|recovered| recovered.problem.is_none()).count();
        finished += journal;
        assert_eq!(said.len(), journal, "{said:?}");
        if journal > 0 {
            assert_eq!(said[0].files.len(), FILES.len());
        }
        // What outlives the last of them is a copy that has nothing to say, whatever happens to the files.
        if new {
            fs::write(dir.path().join(FILES[1]), "mine\n").expect("written");
        }
        assert_eq!(recover_all(dir.path()), [], "step {at}: nothing is left to say");
        assert!(!hidden(dir.path()).iter().any(|path| path.extension().is_some_and(|e| e == "journal")), "step {at}");
    }
    assert_eq!(halves, FILES.len() - 1, "the test stops between the renames");
    assert!(finished > halves, "{finished}");
}

/// Dies between the first and the second rename.
fn half_done() -> tempfile::TempDir {
    let dir = lay();
    for at in 0..steps() {
        let texts = FILES.map(|name| fs::read_to_string(dir.path().join(name)).expect("a file"));
        if texts != FILES.map(old) {
            assert_ne!(texts, FILES.map(new));
            return dir;
        }
        for path in hidden(dir.path()) {
            fs::remove_file(path).expect("removed");
        }
        let status = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "fix::write_tests::a_process_that_dies"])
            .env("DYNLINT_DIES", format!("{at}:{}", dir.path().display()))
            .output();
        assert!(!status.expect("it starts").status.success());
    }
    panic!("no step is between the renames")
}

#[test]
fn what_somebody_wrote_since_is_kept() {
    let dir = half_done();
    fs::write(dir.path().join(FILES[2]), "mine\n").expect("written");
    let said = recover(dir.path());
    assert_eq!(said.len(), 1);
    assert!(said[0].problem.as_ref().is_some_and(|problem| problem.contains("changed since")), "{said:?}");
    assert_eq!(fs::read_to_string(dir.path().join(FILES[2])).expect("a file"), "mine\n");
    assert_eq!(hidden(dir.path()), [] as [PathBuf; 0]);
}

#[test]
fn a_directory_may_move_and_a_strangers_journal_reaches_nothing() {
    let dir = half_done();
    let moved = tempfile::tempdir().expect("a directory");
    fs::rename(dir.path(), moved.path().join("there")).expect("moved");
    let there = moved.path().join("there");
    let said = recover(&there);
    assert!(said.len() == 1 && said[0].problem.is_none(), "{said:?}");
    assert!(whole(&there, "moved"));

    // Names that lead out of their directory, or to what is not ours to move.
    let (before, after) = (super::journal::digest(b"old\n"), super::journal::digest(b"evil\n"));
    for (waiting, target) in [("evil", "kept"), (".dynlint-a.tmp", "../kept"), ("../.dynlint-a.tmp", "kept")] {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).expect("made");
        for place in [dir.path(), &inner] {
            fs::write(place.join("kept"), "old\n").expect("written");
            fs::write(place.join("evil"), "evil\n").expect("written");
            fs::write(place.join(".dynlint-a.tmp"), "evil\n").expect("written");
        }
        let line = serde_json::json!({
            "directory": "", "waiting": waiting, "target": target, "before": before, "after": after,
        });
        let text = serde_json::json!({ "version": 1, "files": [line] }).to_string();
        fs::write(inner.join(".dynlint-x.journal"), text).expect("written");
        let said = recover_on(Disk::REAL, [inner.as_path()]);
        assert!(said.len() == 1 && said[0].problem.is_some(), "{said:?}");
        for place in [dir.path(), &inner] {
            assert_eq!(fs::read_to_string(place.join("kept")).expect("a file"), "old\n", "{waiting} {target}");
        }
    }
    for junk in ["", "{}", "[1]", "{\"version\":2,\"files\":[]}", "\u{0}"] {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(".dynlint-x.journal"), junk).expect("written");
        assert_eq!(recover_on(Disk::REAL, [dir.path()]).len(), 1, "{junk}");
    }
}

#[test]
fn what_is_being_written_is_left_to_its_writer() {
    let dir = lay();
    let met = Cell::new(false);
    let before = |step: Step, _: &Path| {
        if step == Step::Rename && !hidden(dir.path()).is_empty() {
            met.set(true);
            assert_eq!(recover_at_once(dir.path()), [], "its writer lives");
        }
        Ok(())
    };
    assert!(write(Disk { before: &before }, dir.path()).is_empty());
    assert!(met.get() && whole(dir.path(), "beside another run"));
}

#[test]
fn texts_that_nothing_came_of_are_swept_up_when_they_are_old() {
    let dir = lay();
    let inner = dir.path().join("overlays/a");
    for (name, age) in [(".dynlint-old.tmp", 7200), (".dynlint-new.tmp", 60), ("dynlint-old.tmp", 7200)] {
        let file = fs::File::create(inner.join(name)).expect("made");
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        file.set_modified(then).expect("dated");
    }
    assert_eq!(recover(dir.path()), []);
    let left = |name: &str| inner.join(name).exists();
    assert!(!left(".dynlint-old.tmp") && left(".dynlint-new.tmp") && left("dynlint-old.tmp"));
}
