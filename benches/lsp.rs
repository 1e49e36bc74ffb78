//! Keystroke to diagnostics, as a client sees it: from sending the change to having what it comes to, over an in-memory
//! connection: `cargo bench --features lsp --bench lsp`.
//!
//! Two cases: the largest manifest with a graph below `fixtures` (or the directory that `DYNLINT_BENCH_DIR` names), with
//! all that lies beside it; and a kustomization with five overlays, whose base and one of whose patches are edited. Fails
//! when a median is over ten milliseconds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use dynlint::source::{WalkOptions, discover};
use lsp_server::{Connection, Message, Notification, Request};
use serde_json::{Value, json};

/// Changes measured in each case.
const KEYSTROKES: usize = 200;

/// What a median may be.
const LIMIT: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    // `cargo test --benches` only wants to know that it runs.
    let keystrokes = if std::env::args().any(|arg| arg == "--bench") { KEYSTROKES } else { 3 };
    let mut slow = false;
    let mut case = |name: &str, file: &Path, root: &Path| {
        let median = measure(name, file, root, keystrokes);
        slow |= median > LIMIT;
    };
    let dir = std::env::var_os("DYNLINT_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures"), PathBuf::from);
    match largest(&dir) {
        Some(file) => case("largest manifest", &file, file.parent().unwrap_or(&dir)),
        None => println!("no manifest below {}", dir.display()),
    }
    let tree = overlays();
    let root = tree.path();
    case("base of five overlays", &root.join("base/deploy.yaml"), root);
    case("patch of one of them", &root.join("overlays/o2/patch.yaml"), root);
    if slow && keystrokes == KEYSTROKES && !cfg!(debug_assertions) {
        println!("a median is over {LIMIT:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn largest(dir: &Path) -> Option<PathBuf> {
    let files = discover(&[dir.to_owned()], WalkOptions::default()).files;
    let graphs = files.into_iter().filter_map(|file| file.path).filter_map(|path| {
        let text = std::fs::read_to_string(&path).ok()?;
        text.contains("kind: DynamoGraphDeployment\n").then_some((text.len(), path))
    });
    graphs.max().map(|(_, path)| path)
}

/// A base with a disaggregated graph, and five overlays that patch it.
fn overlays() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    };
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad/ucx-tls-without-cuda-copy/deploy.yaml");
    let text = std::fs::read_to_string(recipe).expect("the fixture");
    let name = text.lines().find_map(|line| line.strip_prefix("  name: ")).expect("its name").to_owned();
    let version = text.lines().find_map(|line| line.strip_prefix("apiVersion: ")).expect("its version").to_owned();
    write("base/deploy.yaml", &text);
    write("base/kustomization.yaml", "resources: [deploy.yaml]\n");
    for overlay in 0..5 {
        write(
            &format!("overlays/o{overlay}/kustomization.yaml"),
            &format!("namespace: team-{overlay}\nresources: [../../base]\npatches:\n  - path: patch.yaml\n"),
        );
        write(
            &format!("overlays/o{overlay}/patch.yaml"),
            &format!(
                "apiVersion: {version}\nkind: DynamoGraphDeployment\nmetadata:\n  name: {name}\n  annotations:\n    note: one\n"
            ),
        );
    }
    dir
}

struct Client {
    connection: Connection,
    uri: String,
    version: i32,
}

impl Client {
    fn notify(&self, method: &str, params: Value) {
        let message = Notification { method: method.to_owned(), params };
        self.connection.sender.send(message.into()).expect("the server listens");
    }

    /// Waits until diagnostics for the newest version are there; gives back how many.
    fn diagnostics(&self) -> usize {
        loop {
            let message = self.connection.receiver.recv().expect("the server speaks");
            if let Message::Notification(n) = message
                && n.method == "textDocument/publishDiagnostics"
                && n.params["uri"] == self.uri
                && n.params["version"] == self.version
            {
                return n.params["diagnostics"].as_array().map_or(0, Vec::len);
            }
        }
    }

    fn change(&mut self, line: usize, column: usize, end: usize, text: &str) {
        self.version += 1;
        let range =
            json!({ "start": { "line": line, "character": column }, "end": { "line": line, "character": end } });
        let document = json!({ "uri": self.uri, "version": self.version });
        let change = json!({ "range": range, "text": text });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
    }
}

fn measure(name: &str, file: &Path, root: &Path, keystrokes: usize) -> Duration {
    let (server, connection) = Connection::memory();
    let server = std::thread::spawn(move || dynlint::lsp::serve(server));
    let uri = |path: &Path| gen_lsp_types::Uri::from_file_path(path).expect("an absolute path").to_string();
    let mut client = Client { connection, uri: uri(file), version: 1 };
    let request = |method: &str, params: Value, id: i32| Request { id: id.into(), method: method.to_owned(), params };
    let params = json!({ "rootUri": uri(root), "capabilities": {}, "initializationOptions": { "debounce": 0 } });
    client.connection.sender.send(request("initialize", params, 1).into()).expect("the server listens");
    client.connection.receiver.recv().expect("an answer");
    client.notify("initialized", json!({}));
    let text = std::fs::read_to_string(file).expect("the file");
    let item = json!({ "uri": client.uri, "languageId": "yaml", "version": 1, "text": text });
    let start = Instant::now();
    client.notify("textDocument/didOpen", json!({ "textDocument": item }));
    let found = client.diagnostics();
    let first = start.elapsed();

    // Types a word behind a value in the middle, one letter at a time, and takes it away again.
    let lines: Vec<&str> = text.lines().collect();
    let middle = lines.len() / 2;
    let value = |line: &usize| lines[*line].contains(": ") && !lines[*line].contains(['#', '{', '|', '>', '"', '\'']);
    let line = (middle..lines.len()).chain(0..middle).find(value).expect("a value");
    let end = lines[line].encode_utf16().count();
    let mut times = Vec::with_capacity(keystrokes);
    for at in 0..keystrokes {
        let typed = at % 16;
        let start = Instant::now();
        if typed < 8 {
            client.change(line, end + typed, end + typed, "x");
        } else {
            client.change(line, end + 15 - typed, end + 16 - typed, "");
        }
        client.diagnostics();
        times.push(start.elapsed());
    }
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "{name}: {} ({:.1} kB, {} diagnostics): first {:.2} ms; keystroke median {:.2} ms, 95 % {:.2} ms, most {:.2} ms",
        file.strip_prefix(root).unwrap_or(file).display(),
        text.len() as f64 / 1e3,
        found,
        ms(first),
        ms(at(50)),
        ms(at(95)),
        ms(at(100)),
    );
    client.connection.sender.send(request("shutdown", Value::Null, 2).into()).expect("the server listens");
    client.notify("exit", Value::Null);
    drop(client);
    server.join().expect("the server ends").expect("it ends well");
    at(50)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
