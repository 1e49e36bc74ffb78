//! The main loop: owns the state, answers requests, hands units to the linter and says what it found.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use gen_lsp_types::{
    Diagnostic, DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, PublishDiagnosticsParams,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::analysis::{Analysis, Job};
use super::diagnostics;
use super::documents::{Document, path_of};
use super::settings::{Settings, bring, leave};
use super::state::State;
use super::units::{is_kustomization, is_yaml};
use super::{capabilities, requests};
use crate::config::FILE_NAME;
use crate::fix::{self, Recovered};
use crate::lint::guard;

/// Stack of a thread of ours: what works for `dynlint check` on its main thread works here.
const STACK: usize = 8 << 20;

/// What the main loop waits for.
pub(super) enum Event {
    /// A message of the client.
    Client(Message),
    /// Something that should have been one; why it is none.
    Malformed(String),
    /// The linter is done with a job.
    Linted(Box<Analysis>),
    /// The linter could not do a job: which unit, and what the panic said.
    Failed(PathBuf, String),
    /// The client is gone.
    Closed,
}

/// Runs until the client says goodbye.
pub(super) fn run(events: (Sender<Event>, Receiver<Event>), out: Sender<Message>) -> Result<(), String> {
    let server = std::thread::Builder::new().name("dynlint-lsp".to_owned()).stack_size(STACK).spawn(move || {
        let (send, receive) = events;
        Loop::start(&receive, send, out)?.run(&receive)
    });
    let server = server.map_err(|error| error.to_string())?;
    server.join().unwrap_or_else(|_| Err("the server stumbled".to_owned()))
}

/// Passes messages of a connection on.
pub(super) fn connect(connection: Connection) -> ((Sender<Event>, Receiver<Event>), Sender<Message>) {
    let (send, receive) = channel();
    let (out, messages) = channel::<Message>();
    let Connection { sender, receiver } = connection;
    let events = send.clone();
    std::thread::spawn(move || {
        for message in receiver {
            if events.send(Event::Client(message)).is_err() {
                return;
            }
        }
        let _ = events.send(Event::Closed);
    });
    std::thread::spawn(move || {
        for message in messages {
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    ((send, receive), out)
}

struct Loop {
    state: State,
    out: Sender<Message>,
    jobs: Sender<Job>,
    /// Jobs at the linter.
    busy: bool,
    /// Units that changed: a file of each, and when it may be linted.
    due: BTreeMap<PathBuf, (PathBuf, Instant)>,
    /// When each unit was last handed to the linter.
    started: HashMap<PathBuf, Instant>,
    /// Files of each unit that the client shows diagnostics of.
    published: HashMap<PathBuf, HashSet<PathBuf>>,
    /// Interrupted fixes that the user has been told of.
    pending: Vec<Recovered>,
    queue: VecDeque<Message>,
    next_request: i32,
    said_goodbye: bool,
}

/// How the loop ends.
enum End {
    Exit,
    Gone,
}

impl Loop {
    /// Shakes hands.
    fn start(events: &Receiver<Event>, send: Sender<Event>, out: Sender<Message>) -> Result<Self, String> {
        let gone = || "the client went away before it said `initialize`".to_owned();
        let request = loop {
            match events.recv().map_err(|_| gone())? {
                Event::Client(Message::Request(request)) if request.method == "initialize" => break request,
                Event::Client(Message::Request(request)) => {
                    let text = "the first request must be `initialize`".to_owned();
                    let _ =
                        out.send(Response::new_err(request.id, ErrorCode::ServerNotInitialized as i32, text).into());
                }
                Event::Client(Message::Notification(n)) if n.method == "exit" => return Err(gone()),
                Event::Closed => return Err(gone()),
                _ => {}
            }
        };
        let asked = capabilities::Asked::read(&request.params);
        let (settings, problems) = Settings::read(&asked.options, &asked.roots);
        let state = State::new(asked, settings);
        let _ = out.send(Response::new_ok(request.id, capabilities::result(&state)).into());
        let jobs = linter(send)?;
        let mut this = Self {
            state,
            out,
            jobs,
            busy: false,
            due: BTreeMap::new(),
            started: HashMap::new(),
            published: HashMap::new(),
            pending: Vec::new(),
            queue: VecDeque::new(),
            next_request: 1,
            said_goodbye: false,
        };
        for problem in problems {
            this.notify("window/showMessage", json!({"type": 2, "message": format!("dynlint: {problem}")}));
        }
        Ok(this)
    }

    fn run(mut self, events: &Receiver<Event>) -> Result<(), String> {
        loop {
            let now = Instant::now();
            let wait = self.due.values().map(|(_, at)| at.saturating_duration_since(now)).min();
            let event = match wait.filter(|_| !self.busy) {
                Some(wait) => events.recv_timeout(wait),
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let end = match event {
                Ok(event) => {
                    let mut end = self.take(event);
                    // Whatever else has come meanwhile: a later message may cancel an earlier one.
                    while let (None, Ok(event)) = (&end, events.try_recv()) {
                        end = self.take(event);
                    }
                    self.answer().or(end)
                }
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(End::Gone),
            };
            match end {
                None => self.lint(),
                Some(End::Exit) if self.said_goodbye => return Ok(()),
                Some(End::Exit) => return Err("the client said `exit` without `shutdown`".to_owned()),
                Some(End::Gone) => return Err("the client went away".to_owned()),
            }
        }
    }

    /// Queues a message, or deals with what is none.
    fn take(&mut self, event: Event) -> Option<End> {
        match event {
            Event::Client(Message::Notification(n)) if n.method == "$/cancelRequest" => {
                let id: Option<RequestId> = n.params.get("id").and_then(|id| serde_json::from_value(id.clone()).ok());
                self.cancel(&id?);
            }
            Event::Client(Message::Response(_)) => {}
            Event::Client(message) => self.queue.push_back(message),
            Event::Malformed(problem) => self.log(&format!("not a message: {problem}")),
            Event::Linted(analysis) => self.linted(*analysis),
            Event::Failed(unit, message) => {
                self.busy = false;
                self.log(&format!("internal error while linting {}: {message}", unit.display()));
            }
            Event::Closed => return Some(End::Gone),
        }
        None
    }

    fn cancel(&mut self, id: &RequestId) {
        let waiting = |message: &Message| matches!(message, Message::Request(request) if request.id == *id);
        if let Some(at) = self.queue.iter().position(waiting) {
            self.queue.remove(at);
            let text = "cancelled".to_owned();
            self.send(Response::new_err(id.clone(), ErrorCode::RequestCanceled as i32, text));
        }
    }

    /// Deals with all queued messages, in order.
    fn answer(&mut self) -> Option<End> {
        while let Some(message) = self.queue.pop_front() {
            match message {
                Message::Request(request) => self.request(request),
                Message::Notification(notification) => {
                    if notification.method == "exit" {
                        return Some(End::Exit);
                    }
                    let method = notification.method.clone();
                    // A panic in here is a bug; the client keeps its server all the same.
                    match guard(|| self.notification(notification)).unwrap_or_else(Err) {
                        Ok(()) => {}
                        Err(problem) => self.log(&format!("{method}: {problem}")),
                    }
                }
                Message::Response(_) => {}
            }
        }
        None
    }

    fn request(&mut self, request: Request) {
        let Request { id, method, params } = request;
        if self.said_goodbye {
            let text = "the server is shutting down".to_owned();
            return self.send(Response::new_err(id, ErrorCode::InvalidRequest as i32, text));
        }
        if method == "shutdown" {
            self.said_goodbye = true;
            return self.send(Response::new_ok(id, Value::Null));
        }
        let answer = guard(|| requests::answer(&mut self.state, &method, params));
        let response = match answer {
            Ok(Ok(value)) => Response::new_ok(id, value),
            Ok(Err(refusal)) => Response::new_err(id, refusal.code as i32, refusal.message),
            Err(panic) => {
                let text = format!("internal error in `{method}`: {panic}");
                Response::new_err(id, ErrorCode::InternalError as i32, text)
            }
        };
        self.send(response);
    }

    fn notification(&mut self, notification: Notification) -> Result<(), String> {
        let Notification { method, params } = notification;
        match method.as_str() {
            "initialized" => self.initialized(),
            "textDocument/didOpen" => {
                let params: DidOpenTextDocumentParams = read(params)?;
                let item = params.text_document;
                if let Some(path) = path_of(&item.uri) {
                    let document = Document { uri: item.uri, version: item.version, text: item.text };
                    self.state.documents.open(path.clone(), document);
                    self.edited(&path);
                    self.say_pending(&path);
                }
            }
            "textDocument/didChange" => {
                let params: DidChangeTextDocumentParams = read(params)?;
                let version = params.text_document.version;
                let Some(path) = path_of(&params.text_document.text_document_identifier.uri) else { return Ok(()) };
                if self.state.documents.change(&path, version, params.content_changes, self.state.encoding) {
                    self.edited(&path);
                }
            }
            "textDocument/didClose" => {
                let params: DidCloseTextDocumentParams = read(params)?;
                if let Some(path) = path_of(&params.text_document.uri) {
                    self.closed(&path);
                }
            }
            "workspace/didChangeWatchedFiles" => {
                let params: DidChangeWatchedFilesParams = read(params)?;
                let paths: Vec<PathBuf> = params.changes.iter().filter_map(|change| path_of(&change.uri)).collect();
                self.on_disk(&paths);
            }
            "textDocument/didSave" => {}
            "workspace/didChangeConfiguration" => {
                let roots = self.state.roots().to_vec();
                let (settings, problems) = Settings::read(params.get("settings").unwrap_or(&Value::Null), &roots);
                for problem in problems {
                    self.notify("window/showMessage", json!({"type": 2, "message": format!("dynlint: {problem}")}));
                }
                let old = std::mem::replace(&mut self.state.settings, settings);
                leave(&old.rules, &self.state.settings.rules);
                self.state.forget_configs();
                self.state.changed(None);
                self.all_again();
            }
            "workspace/didChangeWorkspaceFolders" => {
                let params: DidChangeWorkspaceFoldersParams = read(params)?;
                let gone: Vec<PathBuf> = params.event.removed.iter().filter_map(|f| path_of(&f.uri)).collect();
                let mut roots: Vec<PathBuf> =
                    self.state.roots().iter().filter(|root| !gone.contains(root)).cloned().collect();
                roots.extend(params.event.added.iter().filter_map(|f| path_of(&f.uri)));
                self.state.units.set_roots(roots);
                self.state.changed(None);
                self.all_again();
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks the client to watch what we read.
    fn initialized(&mut self) {
        if !self.state.client.watches {
            return;
        }
        let globs = ["**/*.{yaml,yml}", "**/Kustomization", "**/dynlint.toml", "**/pyproject.toml", "**/*.md"];
        let watchers: Vec<Value> = globs.iter().map(|glob| json!({ "globPattern": glob })).collect();
        let registration = json!({
            "id": "dynlint-files",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": { "watchers": watchers },
        });
        self.ask("client/registerCapability", json!({ "registrations": [registration] }));
    }

    /// A buffer changed.
    fn edited(&mut self, path: &Path) {
        let state = &mut self.state;
        if let Some(document) = state.documents.get(path) {
            state.buffers.insert(path, document.text.as_bytes().to_vec());
        }
        state.units.touch(path, &state.buffers);
        state.changed(Some(path));
        self.dirty(path);
    }

    /// Says once which fixes a killed run of the command line left half written beside a file.
    fn say_pending(&mut self, path: &Path) {
        let unit = self.state.unit(path);
        let directories: BTreeSet<&Path> = unit.files.iter().filter_map(|file| file.parent()).collect();
        for pending in fix::pending(directories) {
            if !self.pending.contains(&pending) {
                let message = format!("dynlint: {}", pending.advice());
                self.pending.push(pending);
                self.notify("window/showMessage", json!({"type": 2, "message": message}));
            }
        }
    }

    fn closed(&mut self, path: &Path) {
        let state = &mut self.state;
        if state.documents.close(path).is_none() {
            return;
        }
        state.buffers.remove(path);
        state.units.touch(path, &state.buffers);
        state.changed(Some(path));
        // Nobody looks at the unit any more: what was said about it goes. Otherwise the disk speaks for the file again.
        let unit = state.unit(path);
        let open = state.documents.all().any(|(open, _)| unit.files.contains(open));
        if open {
            self.dirty(path);
        } else {
            self.due.remove(&unit.key);
            state.analyses.remove(&unit.key);
            for file in self.published.remove(&unit.key).into_iter().flatten() {
                self.publish(&file, Vec::new());
            }
        }
    }

    /// Files changed, came or went on disk.
    fn on_disk(&mut self, paths: &[PathBuf]) {
        let state = &mut self.state;
        for path in paths {
            state.units.touch(path, &state.buffers);
        }
        // A page may be a rule of the user's own, or may be one no longer.
        let pages = paths.iter().any(|path| path.extension().is_some_and(|extension| extension == "md"));
        let problems = if pages { bring(&state.settings.rules) } else { Vec::new() };
        if pages || paths.iter().any(|path| is_config(path)) {
            state.forget_configs();
        }
        state.changed(None);
        for problem in problems {
            self.notify("window/showMessage", json!({"type": 2, "message": format!("dynlint: {problem}")}));
        }
        self.all_again();
    }

    /// Lints every unit that somebody looks at, soon.
    fn all_again(&mut self) {
        let open: Vec<PathBuf> = self.state.documents.all().map(|(path, _)| path.clone()).collect();
        for path in open {
            self.dirty(&path);
        }
        if !self.state.pushes() && self.state.client.refreshes {
            self.ask("workspace/diagnostic/refresh", Value::Null);
        }
    }

    fn dirty(&mut self, path: &Path) {
        if !self.state.pushes() || !(is_yaml(path) || is_kustomization(path)) {
            return;
        }
        let key = self.state.unit(path).key.clone();
        let now = Instant::now();
        // The first change is looked at at once, those that follow on its heels together.
        let earliest = self.started.get(&key).map_or(now, |at| (*at + self.state.settings.debounce).max(now));
        self.due.entry(key).or_insert_with(|| (path.to_owned(), earliest)).0 = path.to_owned();
    }

    /// Hands the unit that has waited longest to the linter, when that has nothing to do.
    fn lint(&mut self) {
        let now = Instant::now();
        if self.busy {
            return;
        }
        let next = self.due.iter().filter(|(_, (_, at))| *at <= now).min_by_key(|(_, (_, at))| *at);
        let Some(key) = next.map(|(key, _)| key.clone()) else { return };
        let Some((path, _)) = self.due.remove(&key) else { return };
        self.started.insert(key, now);
        let job = self.state.job(&path);
        self.busy = self.jobs.send(job).is_ok();
    }

    fn linted(&mut self, analysis: Analysis) {
        self.busy = false;
        let state = &mut self.state;
        let key = analysis.job.unit.key.clone();
        // Another run is on its way: what this one found points at text that is no longer there.
        if self.due.contains_key(&key) {
            return;
        }
        let by_file = diagnostics::all(&analysis, &state.documents, state.encoding);
        let open = state.documents.all().map(|(path, _)| path).filter(|path| analysis.job.unit.files.contains(path));
        let mut files: HashSet<PathBuf> = open.cloned().collect();
        files.extend(by_file.keys().cloned());
        let before = self.published.remove(&key).unwrap_or_default();
        if state.analyses.get(&key).is_none_or(|newest| newest.job.revision <= analysis.job.revision) {
            state.analyses.insert(key.clone(), analysis);
        }
        let mut by_file: HashMap<PathBuf, Vec<Diagnostic>> = by_file.into_iter().collect();
        for file in before.union(&files) {
            self.publish(file, by_file.remove(file).unwrap_or_default());
        }
        self.published.insert(key, files);
    }

    fn publish(&mut self, path: &Path, diagnostics: Vec<Diagnostic>) {
        let Some(uri) = self.state.documents.uri(path) else { return };
        let version = self.state.documents.get(path).map(|document| document.version);
        let params = PublishDiagnosticsParams { uri, version, diagnostics };
        self.notify("textDocument/publishDiagnostics", serde_json::to_value(params).unwrap_or_default());
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(Notification { method: method.to_owned(), params });
    }

    fn ask(&mut self, method: &str, params: Value) {
        let id = RequestId::from(format!("dynlint-{}", self.next_request));
        self.next_request += 1;
        self.send(Request { id, method: method.to_owned(), params });
    }

    fn log(&mut self, text: &str) {
        self.notify("window/logMessage", json!({"type": 1, "message": format!("dynlint: {text}")}));
    }

    fn send(&mut self, message: impl Into<Message>) {
        // A client that is gone is found out by the reader.
        let _ = self.out.send(message.into());
    }
}

fn is_config(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == FILE_NAME || name == "pyproject.toml")
}

/// Starts the thread that lints.
fn linter(events: Sender<Event>) -> Result<Sender<Job>, String> {
    let (jobs, receive) = channel::<Job>();
    let work = move || {
        for job in receive {
            let unit = job.unit.key.clone();
            let event = match guard(|| job.run()) {
                Ok(analysis) => Event::Linted(Box::new(analysis)),
                Err(message) => Event::Failed(unit, message),
            };
            if events.send(event).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("dynlint-linter".to_owned()).stack_size(STACK).spawn(work);
    thread.map(|_| jobs).map_err(|error| error.to_string())
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, String> {
    serde_json::from_value(params).map_err(|error| error.to_string())
}
