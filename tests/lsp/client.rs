//! A small client.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lsp_server::{Connection, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};

/// How long a server may take to say something.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    connection: Connection,
    server: Option<JoinHandle<Result<(), String>>>,
    next: i32,
    version: i32,
    /// What came while something else was waited for.
    pub heard: Vec<Message>,
    pub initialized: Value,
    pub dir: tempfile::TempDir,
}

/// What a client with push diagnostics can do.
pub fn plain() -> Value {
    json!({})
}

impl Client {
    /// A server over a directory with these files.
    pub fn new(files: &[(&str, &str)], capabilities: Value, options: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self::over(dir, capabilities, options)
    }

    pub fn over(dir: tempfile::TempDir, capabilities: Value, options: Value) -> Self {
        let (server, connection) = Connection::memory();
        let server = std::thread::spawn(move || dynlint::lsp::serve(server));
        let mut client = Self {
            connection,
            server: Some(server),
            next: 0,
            version: 1,
            heard: Vec::new(),
            initialized: Value::Null,
            dir,
        };
        let root = client.uri("");
        client.initialized = client.request(
            "initialize",
            json!({
                "processId": null,
                "rootUri": root,
                "workspaceFolders": [{ "uri": root, "name": "w" }],
                "capabilities": capabilities,
                "initializationOptions": options,
            }),
        );
        client.notify("initialized", json!({}));
        client
    }

    pub fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.dir.path().to_owned() } else { self.dir.path().join(name) }
    }

    pub fn uri(&self, name: &str) -> String {
        uri(&self.path(name))
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        let message = Notification { method: method.to_owned(), params };
        self.connection.sender.send(message.into()).unwrap();
    }

    pub fn send(&mut self, method: &str, params: Value) -> RequestId {
        self.next += 1;
        let id = RequestId::from(self.next);
        let request = Request { id: id.clone(), method: method.to_owned(), params };
        self.connection.sender.send(request.into()).unwrap();
        id
    }

    pub fn response(&mut self, id: &RequestId) -> Response {
        self.wait(
            |message| matches!(message, Message::Response(response) if response.id == *id),
            |message| match message {
                Message::Response(response) => response,
                _ => unreachable!(),
            },
        )
    }

    /// The result of a request; panics when it is an error.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.response(&id).response_result.unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    pub fn refused(&mut self, method: &str, params: Value) -> lsp_server::ResponseError {
        let id = self.send(method, params);
        self.response(&id).response_result.expect_err(method)
    }

    fn wait<T>(&mut self, wanted: impl Fn(&Message) -> bool, take: impl Fn(Message) -> T) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.connection.receiver.recv_timeout(left).expect("the server says something");
            if wanted(&message) {
                return take(message);
            }
            self.heard.push(message);
        }
    }

    /// The next notification of that method, from what was heard before on.
    pub fn notification(&mut self, method: &str) -> Value {
        let is = |m: &Message| matches!(m, Message::Notification(n) if n.method == method);
        let params = |m: Message| match m {
            Message::Notification(n) => n.params,
            _ => unreachable!(),
        };
        match self.heard.iter().position(is) {
            Some(at) => params(self.heard.remove(at)),
            None => self.wait(is, params),
        }
    }

    /// The next diagnostics for a file.
    pub fn published(&mut self, name: &str) -> Vec<Value> {
        let uri = self.uri(name);
        loop {
            let params = self.notification("textDocument/publishDiagnostics");
            if params["uri"] == uri {
                return params["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// Opens a file as it is on disk.
    pub fn open(&mut self, name: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        self.open_as(name, &text);
    }

    pub fn open_as(&mut self, name: &str, text: &str) {
        let item = json!({ "uri": self.uri(name), "languageId": "yaml", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": item }));
    }

    /// Changes a range: `[line, from, line, to]`.
    pub fn change(&mut self, name: &str, range: [u32; 4], text: &str) {
        self.version += 1;
        let [a, b, c, d] = range;
        let range = json!({ "start": { "line": a, "character": b }, "end": { "line": c, "character": d } });
        let document = json!({ "uri": self.uri(name), "version": self.version });
        let change = json!({ "range": range, "text": text });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
    }

    pub fn at(&self, name: &str, line: u32, character: u32) -> Value {
        json!({ "textDocument": { "uri": self.uri(name) }, "position": { "line": line, "character": character } })
    }

    /// Says goodbye; the server must end well.
    pub fn end(mut self) {
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        self.server.take().unwrap().join().unwrap().unwrap();
    }

    pub fn server(&mut self) -> JoinHandle<Result<(), String>> {
        self.server.take().unwrap()
    }
}

pub fn uri(path: &Path) -> String {
    gen_lsp_types::Uri::from_file_path(path).unwrap().to_string()
}

pub fn codes(diagnostics: &[Value]) -> Vec<&str> {
    diagnostics.iter().map(|d| d["code"].as_str().unwrap()).collect()
}

/// Where a needle stands in a text, as the protocol counts in UTF-16.
pub fn find(text: &str, needle: &str) -> (u32, u32) {
    let at = text.find(needle).unwrap_or_else(|| panic!("no {needle:?}"));
    let line = text[..at].matches('\n').count();
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    (u32::try_from(line).unwrap(), u32::try_from(text[start..at].encode_utf16().count()).unwrap())
}

/// What a range covers.
pub fn covered(text: &str, range: &Value) -> String {
    let number = |v: &Value| usize::try_from(v.as_u64().unwrap()).unwrap();
    let (start, end) = (&range["start"], &range["end"]);
    assert_eq!(start["line"], end["line"], "a range on one line");
    let line: Vec<u16> = text.split('\n').nth(number(&start["line"])).unwrap().encode_utf16().collect();
    String::from_utf16(&line[number(&start["character"])..number(&end["character"])]).unwrap()
}
