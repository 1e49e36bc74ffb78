//! HTTP/1.1 by hand of hyper: one exchange a connection, bounded in time and size, no redirects followed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{ARRIVALS, Bounds, Endpoint, HttpReply, HttpRequest, Trouble, TroubleKind, redact, trouble::seconds};

/// A URL, as far as a probe needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https`.
    pub tls: bool,
    /// Host, without the brackets of an IPv6 address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query; at least `/`.
    pub path: String,
}

impl Url {
    /// Reads an absolute `http` or `https` URL. User information is refused: it would end up in reports.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, Trouble> {
        let wrong = |what: &str| Trouble::new(TroubleKind::Unsupported, what.to_owned());
        let uri: http::Uri = text.trim().parse().map_err(|e| wrong(&format!("`{text}` is no URL: {e}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(wrong(&format!("`{other}` is not supported: write an `http` or `https` URL"))),
            None => return Err(wrong(&format!("`{text}` has no scheme: write `http://{text}`"))),
        };
        let authority = uri.authority().ok_or_else(|| wrong(&format!("`{text}` has no host")))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a URL with a user name or password is not taken: it would end up in reports"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong(&format!("`{text}` has no host")));
        }
        let path = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        Ok(Self { tls, host, port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }), path })
    }

    /// `host:port`, or the host alone with the scheme's own port.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http{}://{}{}", if self.tls { "s" } else { "" }, self.authority(), self.path)
    }
}

/// Makes the exchange over a connection of its own.
pub(super) async fn exchange(request: &HttpRequest, bounds: Bounds) -> Result<HttpReply, Trouble> {
    let Endpoint::Url { url } = &request.endpoint else {
        return Err(Trouble::new(TroubleKind::Unsupported, "a pod's port needs a cluster"));
    };
    let url = Url::parse(url)?;
    let start = Instant::now();
    let connect = async {
        let unreachable = |e: std::io::Error| {
            Trouble::new(TroubleKind::Unreachable, format!("cannot connect to {}: {}", url.authority(), plain(&e)))
        };
        let tcp = tokio::net::TcpStream::connect((url.host.as_str(), url.port)).await.map_err(unreachable)?;
        let _ = tcp.set_nodelay(true);
        if !url.tls {
            return Ok(Stream::Plain(tcp));
        }
        let name = rustls::pki_types::ServerName::try_from(url.host.clone())
            .map_err(|e| Trouble::new(TroubleKind::Tls, format!("`{}`: {e}", url.host)))?;
        let connector = tokio_rustls::TlsConnector::from(tls_config()?);
        let tls = connector.connect(name, tcp).await;
        let failed = |e: std::io::Error| {
            Trouble::new(TroubleKind::Tls, format!("TLS with {} failed: {}", url.authority(), plain(&e)))
        };
        Ok(Stream::Tls(Box::new(tls.map_err(failed)?)))
    };
    let stream = tokio::time::timeout(bounds.time, connect).await.map_err(|_| {
        let within = seconds(bounds.time);
        Trouble::new(TroubleKind::TimedOut, format!("no connection to {} within {within}", url.authority()))
    })??;
    match stream {
        Stream::Plain(io) => over(io, &url.authority(), &url.path, request, start, bounds).await,
        Stream::Tls(io) => over(*io, &url.authority(), &url.path, request, start, bounds).await,
    }
}

enum Stream {
    Plain(tokio::net::TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>),
}

/// What an I/O error says, without the layers around it.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Trusts the web's certificate authorities, and those of `SSL_CERT_FILE`.
fn tls_config() -> Result<Arc<rustls::ClientConfig>, Trouble> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        let wrong = |e: &dyn fmt::Display| {
            Trouble::new(TroubleKind::Config, format!("cannot read `SSL_CERT_FILE` {}: {e}", path.display()))
        };
        let certificates = rustls::pki_types::CertificateDer::pem_file_iter(&path).map_err(|e| wrong(&e))?;
        for certificate in certificates {
            roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Trouble::new(TroubleKind::Tls, e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Makes the exchange over a stream that is there.
pub(super) async fn over<S>(
    stream: S,
    host: &str,
    path: &str,
    request: &HttpRequest,
    start: Instant,
    bounds: Bounds,
) -> Result<HttpReply, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let deadline = tokio::time::Instant::from_std(start + bounds.time);
    let slow = |what: &str| Trouble::new(TroubleKind::TimedOut, format!("{what} within {}", seconds(bounds.time)));
    let body = Full::new(Bytes::from(request.body.clone().unwrap_or_default()));
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(path)
        .header(http::header::HOST, host)
        .header(http::header::USER_AGENT, concat!("dynlint/", env!("CARGO_PKG_VERSION")))
        .header(http::header::ACCEPT, "*/*")
        .header(http::header::CONNECTION, "close");
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let outgoing = builder.body(body).map_err(|e| Trouble::new(TroubleKind::Unsupported, e.to_string()))?;

    let talk = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(outgoing).await.map_err(|e| broken(&e));
        // The driver is ended with the exchange, whatever state it is in.
        Ok::<_, Trouble>((answer?, Driver(driver), sender))
    };
    let (answer, _driver, _sender) =
        tokio::time::timeout_at(deadline, talk).await.map_err(|_| slow(&format!("{host} gave no answer")))??;
    let head_micros = micros(start);
    let (head, mut body) = answer.into_parts();
    let mut reply = HttpReply {
        status: head.status.as_u16(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: String::new(),
        truncated: false,
        cut: None,
        head_micros,
        arrivals: Vec::new(),
        total_micros: head_micros,
    };
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => {
                reply.cut = Some(slow("the answer did not end"));
                break;
            }
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                reply.cut = Some(broken(&error));
                break;
            }
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                let room = bounds.bytes.saturating_sub(bytes.len());
                bytes.extend_from_slice(&data[..data.len().min(room)]);
                if reply.arrivals.len() < ARRIVALS {
                    reply.arrivals.push((bytes.len() as u64, micros(start)));
                }
                if data.len() > room {
                    reply.truncated = true;
                    break;
                }
            }
        }
    }
    reply.total_micros = micros(start);
    reply.body = String::from_utf8_lossy(&bytes).into_owned();
    redact::reply(&mut reply);
    Ok(reply)
}

struct Driver<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().min(Duration::from_secs(86_400)).as_micros()).unwrap_or(u64::MAX)
}

/// What hyper says in one line.
fn broken(error: &hyper::Error) -> Trouble {
    if error.is_parse() {
        return Trouble::new(TroubleKind::Garbage, "the answer is not HTTP");
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Trouble::new(TroubleKind::Cut, "the connection was closed before the answer was complete");
    }
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Trouble::new(TroubleKind::Cut, format!("{error}: {source}").trim_end_matches(": ").to_owned())
}
