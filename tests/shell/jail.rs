//! A script in a root directory of its own: it may write what it likes and call programs by any path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Run, finish, names, permitted, records, stub};

/// Programs that really are there.
const PROGRAMS: [&str; 4] = ["/bin/sh", "/bin/bash", "/bin/cat", "/bin/sleep"];

/// Programs that really do what they are asked for, once they have written it down.
const MAKERS: [&str; 2] = ["/bin/mkdir", "/bin/touch"];

/// Whether this machine lets us: namespaces of our own, in which we are root.
pub fn works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        let probe = Command::new("unshare").args(["-Urmpf", "--mount-proc", "true"]).output();
        probe.is_ok_and(|run| run.status.success())
            && PROGRAMS.iter().chain(&MAKERS).all(|program| Path::new(program).exists())
    })
}

/// What the dynamic linker needs for them.
fn libraries() -> &'static BTreeSet<PathBuf> {
    static LIBRARIES: OnceLock<BTreeSet<PathBuf>> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        let said = Command::new("ldd").args(PROGRAMS.iter().chain(&MAKERS)).output().expect("ldd runs");
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        text.split_whitespace()
            .filter(|word| word.starts_with('/') && !word.ends_with(':'))
            .map(PathBuf::from)
            .collect()
    })
}

/// Runs a script for real; every program that it names by a path is there, and writes down what it is given.
pub fn run(shell: &Path, source: &str, env: &BTreeMap<String, String>) -> Run {
    let dir = tempfile::tempdir().expect("a directory");
    let inside = |path: &Path| dir.path().join(path.strip_prefix("/").unwrap_or(path));
    for path in ["/bin", "/log", "/cwd", "/proc", "/dev", "/tmp", "/stubs"] {
        fs::create_dir_all(inside(Path::new(path))).unwrap();
    }
    for path in PROGRAMS.iter().map(PathBuf::from).chain(libraries().iter().cloned()) {
        let target = inside(&path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, &target).unwrap();
    }
    for maker in MAKERS {
        let target = inside(&Path::new("/makers").join(maker.trim_start_matches("/bin/")));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(maker, &target).unwrap();
    }
    fs::write(inside(Path::new("/dev/null")), "").unwrap();
    for (name, number) in [("stdin", 0), ("stdout", 1), ("stderr", 2)] {
        symlink(format!("/proc/self/fd/{number}"), dir.path().join("dev").join(name)).unwrap();
    }
    let program = dir.path().join("stub");
    // Directories are made, as what is written into them is no program's business but the shell's.
    let makes = "case \"${0##*/}\" in mkdir|touch) exec \"/makers/${0##*/}\" \"$@\";; esac\n";
    fs::write(&program, stub(Path::new("/log")) + makes).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    // A variable may name a program, too.
    let values: Vec<&str> = env.values().flat_map(|value| value.split_whitespace()).collect();
    for name in names(source).into_iter().chain(values).filter(|name| !name.contains('/')) {
        // Wrappers that run another program would have to be brought along; only shells are.
        let target = if matches!(name, "sh" | "bash") { format!("/bin/{name}") } else { "/stub".to_owned() };
        symlink(target, dir.path().join("stubs").join(name)).ok();
    }
    let word = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-' | '/'));
    let words = |text: &str| -> BTreeSet<String> { text.split(word).map(str::to_owned).collect() };
    // What is written to or read in by the shell itself is no program.
    let files: BTreeSet<String> = source
        .split(['>', '<'])
        .skip(1)
        .chain(source.split("source ").skip(1))
        .chain(source.split(". ").skip(1))
        .filter_map(|rest| rest.trim_start_matches(['>', '|', ' ', '"', '\'']).split(word).next())
        .map(str::to_owned)
        .collect();
    let named = words(source);
    let (first, then): (Vec<&String>, Vec<&String>) = named.iter().partition(|path| files.contains(*path));
    for path in first.into_iter().chain(then).filter(|word| word.contains('/') && !word.ends_with('/')) {
        let at = if path.starts_with('/') { inside(Path::new(path)) } else { dir.path().join("cwd").join(path) };
        // A path that leads out, or through a file, or to what is there already, is left alone.
        let free = !path.contains("..") && !path.starts_with("/dev/") && !path.starts_with("/proc/") && !at.exists();
        let made = at.parent().is_some_and(|parent| free && fs::create_dir_all(parent).is_ok());
        if !made {
            continue;
        }
        if files.contains(path) {
            fs::write(at, "").ok();
        } else {
            symlink("/stub", at).ok();
        }
    }
    for path in guarded(source, env) {
        let at = if path.starts_with('/') { inside(Path::new(&path)) } else { dir.path().join("cwd").join(&path) };
        let free = !path.contains("..") && !path.starts_with("/dev/") && !path.starts_with("/proc/") && !at.exists();
        if free && at.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok()) {
            fs::write(at, "{}\n").ok();
        }
    }
    let mut command = Command::new("/usr/bin/unshare");
    command
        .args(["-Urmpf", "--kill-child", "--mount-proc", "--wd=/cwd"])
        .arg(format!("--root={}", dir.path().display()));
    let name = shell.file_name().expect("a name");
    // With the first process of the namespace all others end: it outlives the script when that has left some behind.
    let pause = if source.contains('&') { "/bin/sleep 0.3" } else { ":" };
    command.args(["/bin/sh", "-c", &format!("\"$@\"; code=$?; {pause}; exit $code"), "-"]);
    command
        .arg(Path::new("/bin").join(name))
        .arg("-c")
        .arg(permitted(source))
        .env_clear()
        .envs(env)
        .env("PATH", "/stubs");
    // `kill 0` is for the script's own group.
    command.process_group(0);
    let (failed, timed_out) = finish(command, source);
    Run { records: records(&dir.path().join("log")), failed, timed_out }
}

/// Files without which a script goes no further: what `-f "…"` and its kin ask for, variables replaced by their values.
pub fn guarded(source: &str, env: &BTreeMap<String, String>) -> Vec<String> {
    let asked = ["-f \"", "-s \"", "-e \"", "-r \""].iter().flat_map(|test| source.split(test).skip(1));
    asked.filter_map(|rest| fill(rest.split('"').next()?, env)).collect()
}

/// `$NAME` and `${NAME}` replaced; nothing when there is more to it.
fn fill(text: &str, env: &BTreeMap<String, String>) -> Option<String> {
    let mut pieces = text.split('$');
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let braced = piece.strip_prefix('{');
        let name = braced.unwrap_or(piece);
        let len = name.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let rest = if braced.is_some() { name[len..].strip_prefix('}')? } else { &name[len..] };
        out.push_str(env.get(&name[..len])?);
        out.push_str(rest);
    }
    Some(out).filter(|path| !path.is_empty() && !path.ends_with('/'))
}
