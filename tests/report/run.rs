//! Runs the binary, and the trees it is run over.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jsonschema::Validator;
use serde_json::Value;
use tempfile::TempDir;

/// What a run comes to.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The binary without the caller's environment: CI would change what it prints.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynlint"));
    command.current_dir(dir).env_clear().stdin(Stdio::null()).args(args);
    command
}

pub fn finish(mut command: Command) -> Ran {
    let output = command.output().expect("the binary runs");
    Ran {
        code: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        err: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

pub fn run(dir: &Path, args: &[&str]) -> Ran {
    finish(command(dir, args))
}

pub fn json(dir: &Path, args: &[&str]) -> Value {
    let ran = run(dir, args);
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {args:?}\n{}{}", ran.out, ran.err))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn dir(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    dir
}

/// Files that cannot be read, files that can, and names that need encoding.
pub fn awkward() -> TempDir {
    let sound = b"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n";
    let twice = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: café\ndata:\n  \"ö\": a\n  \"ö\": b\n";
    dir(&[
        ("latin1.yaml", b"kind: Service\nname: caf\xe9\n"),
        ("a b/50% ü#?.yaml", twice.as_bytes()),
        ("bom.yaml", b"\xef\xbb\xbfapiVersion: v1\r\nkind: ConfigMap\r\ndata:\r\n  a: x\r\n  a: z\r\n"),
        ("broken.yaml", b"apiVersion: v1\nkind: [Service\n"),
        ("sound.yaml", sound),
    ])
}

/// Trees to lint, each with the working directory to do it from: fixtures, awkward input, nothing, the corpora.
pub fn trees() -> Vec<(PathBuf, String)> {
    let mut trees = vec![(root().to_owned(), "fixtures".to_owned())];
    match crate::common::corpus() {
        Some(corpus) => {
            for name in ["upstream", "third-party", "wild"] {
                if corpus.join(name).is_dir() {
                    trees.push((corpus.clone(), name.to_owned()));
                }
            }
        }
        None => println!("skipped: no corpus"),
    }
    trees
}

pub fn schema(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(path)).expect("the schema is in the repository");
    serde_json::from_str(&text).expect("the schema is JSON")
}

pub fn valid(validator: &Validator, what: &str, value: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(value).take(5).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {}", errors.join("\n"));
}
