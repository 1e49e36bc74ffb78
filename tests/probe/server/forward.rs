//! Port-forward: what a pod's port says, over the channels of a web socket, or over the streams of SPDY.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Request, State, Stream, frame, half_a_head, spdy, stall, upgrade, upgrade_spdy};

/// SPDY within a web socket, as kubectl asks for it since 1.31.
pub const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
/// How long a connection may go on after everything was said.
const REST: Duration = Duration::from_secs(10);

pub async fn serve(stream: Stream, pod: &str, request: &Request, state: &State) {
    if pod.starts_with("phase-head") {
        return half_a_head(stream, pod).await;
    }
    if request.spdy() {
        let Some(stream) = upgrade_spdy(stream, request, &["portforward.k8s.io"]).await else { return };
        return streams(stream, pod, state).await;
    }
    let Some((protocol, socket)) = upgrade(stream, request, state).await else { return };
    if protocol == TUNNEL {
        let (near, far) = tokio::io::duplex(64 << 10);
        tokio::join!(streams(near, pod, state), tunnel(socket, far));
        return;
    }
    let ports = request.all("ports");
    let Some(port) = ports.first().and_then(|port| port.parse().ok()) else { return };
    channels(socket, pod, port, state).await;
}

/// What a port of the pod says: the server behind it, or why there is none.
async fn dial(pod: &str, port: u16, state: &State) -> Result<Box<dyn Port>, String> {
    let refused = || {
        format!("error forwarding port {port} to pod {pod}: dial tcp4 127.0.0.1:{port}: connect: connection refused")
    };
    if pod.starts_with("closed") {
        return Err(refused());
    }
    if pod.starts_with("front") {
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", state.config.frontend)).await;
        return tcp.map(|tcp| Box::new(tcp) as Box<dyn Port>).map_err(|_| refused());
    }
    let (near, far) = tokio::io::duplex(64 << 10);
    tokio::spawn(canned(far, pod.starts_with("metrics")));
    Ok(Box::new(near))
}

trait Port: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Port for T {}

/// One HTTP answer, in small pieces.
async fn canned(mut io: tokio::io::DuplexStream, metrics: bool) {
    let mut sent = Vec::new();
    while !sent.windows(4).any(|w| w == b"\r\n\r\n") {
        if io.read_buf(&mut sent).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let line = String::from_utf8_lossy(&sent).lines().next().unwrap_or_default().to_owned();
    let body = if metrics {
        "# TYPE agent_tx_bytes_total counter\nagent_tx_bytes_total{agent_name=\"a\",hostname=\"h\"} 4096\n".to_owned()
    } else {
        format!("you asked {line}")
    };
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    for piece in answer.as_bytes().chunks(40) {
        let _ = io.write_all(piece).await;
    }
}

/// A port on channels 0 (data) and 1 (errors) of a web socket.
async fn channels(mut socket: WebSocketStream<Stream>, pod: &str, port: u16, state: &State) {
    if pod.starts_with("phase-upgrade") {
        return stall(pod).await;
    }
    for channel in [0, 1] {
        let _ = socket.send(frame(channel, &port.to_le_bytes())).await;
    }
    if pod.starts_with("phase") {
        return phases(socket, pod).await;
    }
    match dial(pod, port, state).await {
        Ok(io) => pipe(socket, io).await,
        Err(said) => {
            let _ = socket.send(frame(1, said.as_bytes())).await;
            let _ = socket.close(None).await;
            while let Some(Ok(_)) = socket.next().await {}
        }
    }
}

/// Connections that end in the middle, or stop there.
async fn phases(mut socket: WebSocketStream<Stream>, pod: &str) {
    if pod.starts_with("phase-ports") {
        return stall(pod).await;
    }
    let mut sent = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else { continue };
        sent.extend_from_slice(bytes.get(1..).unwrap_or_default());
        if sent.windows(4).any(|w| w == b"\r\n\r\n") {
            break;
        }
    }
    let whole = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{\"object\":\"list\"";
    let upto = if pod.starts_with("phase-answer") { 25 } else { whole.len() };
    let _ = socket.send(frame(0, &whole.as_bytes()[..upto])).await;
    stall(pod).await;
}

/// Carries a port to a web socket, and back. Whatever the client still says is read to its end: a socket that is closed over
/// unread bytes is reset, and a reset may cost the client what it has not read yet.
async fn pipe(socket: WebSocketStream<Stream>, io: Box<dyn Port>) {
    let (mut from, mut to) = tokio::io::split(io);
    let (mut out, mut incoming) = socket.split();
    let up = async {
        while let Some(Ok(message)) = incoming.next().await {
            if let Message::Binary(bytes) = message
                && bytes.first() == Some(&0)
            {
                // One that does not listen any more may still have something to say.
                let _ = to.write_all(&bytes[1..]).await;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if out.send(frame(0, &buffer[..n])).await.is_err() {
                break;
            }
        }
        let _ = out.close().await;
    };
    tokio::pin!(up);
    tokio::select! {
        () = &mut up => {},
        () = down => drop(tokio::time::timeout(REST, up).await),
    }
}

/// The bytes of SPDY, in and out of the messages of a web socket.
async fn tunnel(socket: WebSocketStream<Stream>, io: tokio::io::DuplexStream) {
    let (mut from, mut to) = tokio::io::split(io);
    let (mut out, mut incoming) = socket.split();
    let up = async {
        while let Some(Ok(message)) = incoming.next().await {
            if let Message::Binary(bytes) = message
                && to.write_all(&bytes).await.is_err()
            {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    let down = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if out.send(Message::binary(buffer[..n].to_vec())).await.is_err() {
                return;
            }
        }
        let _ = out.close().await;
    };
    tokio::join!(up, down);
}

/// Ports on streams: of each connection to one there is a stream for errors, then one for data, with the same `requestid`.
async fn streams(io: impl AsyncRead + AsyncWrite + Send + 'static, pod: &str, state: &State) {
    let mut opened = spdy::accept(io);
    let mut errors = BTreeMap::new();
    let mut connections = futures::stream::FuturesUnordered::new();
    loop {
        tokio::select! {
            stream = opened.recv() => {
                let Some(stream) = stream else { break };
                let request = stream.header("requestid").to_owned();
                if stream.header("streamtype") == "error" {
                    errors.insert(request, stream);
                } else if let Some(error) = errors.remove(&request) {
                    connections.push(connection(stream, error, pod, state));
                }
            }
            Some(()) = connections.next() => {}
        }
    }
}

async fn connection(mut data: spdy::Stream, error: spdy::Stream, pod: &str, state: &State) {
    let port = data.header("port").parse().unwrap_or(0);
    match dial(pod, port, state).await {
        Err(said) => drop(error.send(said.as_bytes())),
        Ok(io) => {
            let (mut from, mut to) = tokio::io::split(io);
            let (mut buffer, mut listens) = (vec![0; 16 << 10], true);
            loop {
                tokio::select! {
                    bytes = data.incoming.recv(), if listens => match bytes {
                        Some(bytes) => drop(to.write_all(&bytes).await),
                        None => {
                            listens = false;
                            let _ = to.shutdown().await;
                        }
                    },
                    read = from.read(&mut buffer) => match read {
                        Ok(n @ 1..) if data.send(&buffer[..n]) => {}
                        _ => break,
                    },
                }
            }
        }
    }
    data.finish();
    error.finish();
}
