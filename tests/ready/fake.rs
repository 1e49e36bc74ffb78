//! A frontend that answers as it is told: what real ones do, and what real ones never should.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What comes back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Status and body, JSON unless it starts with `<`.
    Say(u16, String),
    /// Status, content type, body.
    As(u16, &'static str, String),
    /// A redirect.
    Redirect(String),
    /// These bytes and an end.
    Raw(&'static [u8]),
    /// The connection ends at once.
    Close,
    /// Nothing, ever.
    Hang,
    /// One byte of a head every 100 ms, without an end.
    Drip,
    /// A body shorter than it says.
    Short,
}

pub fn say(status: u16, body: impl Into<String>) -> Answer {
    Answer::Say(status, body.into())
}

pub const MODELS: &str = r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;
pub const EMPTY: &str = r#"{"object":"list","data":[]}"#;

pub fn chat(model: &str, message: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","model":"{model}","choices":[{{"message":{message},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":9,"completion_tokens":2}}}}"#
    )
}

pub fn stream(model: &str) -> Answer {
    let event = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"model\":\"{model}\",\"choices\":[{{\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let body = event(r#"{"content":"hel"}"#, "null") + &event(r#"{"content":"lo"}"#, "\"stop\"") + "data: [DONE]\n\n";
    Answer::As(200, "text/event-stream", body)
}

/// Answers by path; each list is used up to its last, which stays. `chat` and `stream` are the two kinds of completion.
pub type Script = HashMap<&'static str, Vec<Answer>>;

pub struct Fake {
    pub port: u16,
    /// Bodies of the completions asked for.
    pub asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Fake {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (stopped, log, script) = (stop.clone(), asked.clone(), Arc::new(Mutex::new((script, HashMap::new()))));
        std::thread::spawn(move || {
            for peer in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (log, script, stopped) = (log.clone(), script.clone(), stopped.clone());
                std::thread::spawn(move || serve(peer, &script, &log, &stopped));
            }
        });
        Self { port, asked, stop }
    }
}

type State = Mutex<(Script, HashMap<String, usize>)>;

fn serve(mut peer: TcpStream, script: &State, log: &Mutex<Vec<String>>, stopped: &AtomicBool) {
    let mut reader = BufReader::new(peer.try_clone().expect("a handle"));
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) == 0 || header == "\r\n" {
            break;
        }
        if let Some(n) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let body = String::from_utf8_lossy(&body).into_owned();
    let key = if path == "/v1/chat/completions" {
        log.lock().expect("no panic").push(body.clone());
        if body.contains("\"stream\":true") { "stream".to_owned() } else { "chat".to_owned() }
    } else {
        path
    };
    let answer = {
        let mut state = script.lock().expect("no panic");
        let turn = state.1.entry(key.clone()).or_default();
        let at = *turn;
        *turn += 1;
        let list = state.0.get(key.as_str());
        list.and_then(|l| l.get(at).or(l.last())).cloned()
    };
    let answer = answer.unwrap_or_else(|| say(404, r#"{"message":"not found","code":404}"#));
    let mut send = |status: u16, kind: &str, more: &str, body: &str| {
        let _ = write!(
            peer,
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    };
    match answer {
        Answer::Say(status, body) => {
            let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
            send(status, kind, "", &body);
        }
        Answer::As(status, kind, body) => send(status, kind, "", &body),
        Answer::Redirect(to) => send(302, "text/html", &format!("location: {to}\r\n"), ""),
        Answer::Raw(bytes) => drop(peer.write_all(bytes)),
        Answer::Close => {}
        Answer::Hang => wait(stopped, || true),
        Answer::Drip => wait(stopped, || peer.write_all(b"H").is_ok()),
        Answer::Short => {
            let _ = peer
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{\"id\"");
        }
    }
}

fn wait(stopped: &AtomicBool, mut step: impl FnMut() -> bool) {
    for _ in 0..600 {
        if stopped.load(Ordering::SeqCst) || !step() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A frontend that serves model `m`.
pub fn good() -> Script {
    HashMap::from([
        ("/v1/models", vec![say(200, MODELS)]),
        ("chat", vec![say(200, chat("m", r#"{"content":"hello"}"#))]),
        ("stream", vec![stream("m")]),
        ("/live", vec![say(200, r#"{"status":"live"}"#)]),
    ])
}

/// The same with another answer somewhere.
pub fn but(path: &'static str, answers: Vec<Answer>) -> Script {
    let mut script = good();
    script.insert(path, answers);
    script
}
