//! Exec: what a program prints and how it ends, on the channels of a web socket or the streams of SPDY.

use std::collections::BTreeMap;
use std::process::Command;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{Request, State, Stream, frame, half_a_head, spdy, stall, upgrade, upgrade_spdy};

const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;

fn exit_status(code: i32) -> String {
    if code == 0 {
        return SUCCESS.to_owned();
    }
    json!({"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}})
    .to_string()
}

/// What containerd and the kubelet say when there is no such program: an InternalError without an exit code.
fn no_program(name: &str) -> String {
    json!({"metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": format!("Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"231d6c75cc8744c9\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"{name}\": executable file not found in $PATH: unknown")})
    .to_string()
}

/// Where it all goes to.
enum Wire {
    Web(Box<WebSocketStream<Stream>>),
    Spdy(BTreeMap<String, spdy::Stream>),
}

impl Wire {
    async fn open(stream: Stream, request: &Request, state: &State) -> Option<Self> {
        if !request.spdy() {
            return Some(Self::Web(Box::new(upgrade(stream, request, state).await?.1)));
        }
        let stream = upgrade_spdy(stream, request, &state.config.protocols).await?;
        let wanted = |name: &&str| *name == "error" || request.all(name).iter().any(|v| v == "true" || v == "1");
        let count = ["error", "stdin", "stdout", "stderr"].iter().filter(|name| wanted(name)).count();
        let (mut opened, mut streams) = (spdy::accept(stream), BTreeMap::new());
        while streams.len() < count {
            let stream = opened.recv().await?;
            streams.insert(stream.header("streamtype").to_owned(), stream);
        }
        Some(Self::Spdy(streams))
    }

    /// Sends on one of the channels 1 (output), 2 (errors) and 3 (the end); `false` when nobody listens any more.
    async fn send(&mut self, channel: u8, bytes: &[u8]) -> bool {
        match self {
            Self::Web(socket) => socket.send(frame(channel, bytes)).await.is_ok(),
            Self::Spdy(streams) => {
                let name = ["stdin", "stdout", "stderr", "error"][usize::from(channel.min(3))];
                streams.get(name).is_none_or(|stream| stream.send(bytes))
            }
        }
    }

    /// Waits for the other side to go.
    async fn rest(&mut self) {
        match self {
            Self::Web(socket) => while let Some(Ok(_)) = socket.next().await {},
            Self::Spdy(streams) => {
                if let Some(stream) = streams.get_mut("error") {
                    while stream.incoming.recv().await.is_some() {}
                }
            }
        }
    }

    async fn close(&mut self, code: Option<CloseCode>) {
        match self {
            Self::Web(socket) => {
                let socket: &mut WebSocketStream<Stream> = socket;
                let _ = socket.close(code.map(|code| CloseFrame { code, reason: "".into() })).await;
            }
            Self::Spdy(streams) => streams.values().for_each(spdy::Stream::finish),
        }
    }
}

pub async fn serve(stream: Stream, pod: &str, request: &Request, state: &State) {
    let argv = request.all("command");
    if pod.starts_with("phase-head") {
        return half_a_head(stream, pod).await;
    }
    let Some(mut wire) = Wire::open(stream, request, state).await else { return };
    if pod.starts_with("phase-upgrade") {
        return stall(pod).await;
    }
    // A real server sends an empty frame on each channel first.
    for channel in [1, 2, 3] {
        let _ = wire.send(channel, b"").await;
    }
    let kind = pod.split('-').next().unwrap_or_default();
    let h100 = include_bytes!("../../../fixtures/probe/node/h100.txt");
    let end = match kind {
        _ if state.config.says.contains_key(pod) => {
            for piece in state.config.says[pod].as_bytes().chunks(4000) {
                let _ = wire.send(1, piece).await;
            }
            SUCCESS.to_owned()
        }
        "h100" => {
            // In small pieces, the way a slow tool prints.
            for piece in h100.chunks(700) {
                let _ = wire.send(1, piece).await;
            }
            SUCCESS.to_owned()
        }
        "env" => {
            let _ = wire.send(1, include_bytes!("../../../fixtures/probe/env/prefill.txt")).await;
            SUCCESS.to_owned()
        }
        "phase" => {
            let upto = if pod.starts_with("phase-output") { 1500 } else { h100.len() };
            let _ = wire.send(1, &h100[..upto]).await;
            return stall(pod).await;
        }
        "noshell" => no_program(argv.first().map_or("", String::as_str)),
        "cut" => {
            let _ = wire.send(1, &h100[..1500]).await;
            // No close frame, no TLS end: the connection is just gone.
            return;
        }
        "close" => {
            let _ = wire.send(1, &h100[..900]).await;
            wire.close(None).await;
            return;
        }
        "hang" => {
            let _ = wire.send(1, &h100[..1500]).await;
            wire.rest().await;
            return;
        }
        "flood" => {
            let page = vec![b'x'; 64 << 10];
            for _ in 0..160 {
                if !wire.send(1, &page).await {
                    return;
                }
            }
            SUCCESS.to_owned()
        }
        "garbage" => {
            let _ = wire.send(1, b"\xff\xfe\x00<html>\x1b[2J").await;
            if let Wire::Web(socket) = &mut wire {
                let _ = socket.send(frame(9, b"what")).await;
                let _ = socket.send(Message::text("text where binary belongs")).await;
            }
            SUCCESS.to_owned()
        }
        "nostatus" => {
            let _ = wire.send(1, h100).await;
            let _ = wire.send(3, b"{not json").await;
            return;
        }
        _ => {
            let path = state.config.path.clone();
            let ran = tokio::task::spawn_blocking(move || {
                let (name, args) = argv.split_first()?;
                let mut command = Command::new(name);
                if let Some(path) = path {
                    command.env("PATH", path);
                }
                Some((name.clone(), command.args(args).output()))
            });
            match ran.await.ok().flatten() {
                Some((_, Ok(output))) => {
                    for (channel, bytes) in [(1, &output.stdout), (2, &output.stderr)] {
                        for piece in bytes.chunks(32 << 10) {
                            let _ = wire.send(channel, piece).await;
                        }
                    }
                    exit_status(output.status.code().unwrap_or(137))
                }
                Some((name, Err(_))) => no_program(&name),
                None => exit_status(1),
            }
        }
    };
    let _ = wire.send(3, end.as_bytes()).await;
    wire.close(Some(CloseCode::Normal)).await;
    wire.rest().await;
}
