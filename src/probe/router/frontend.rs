//! Where a frontend is, and how it is asked.

use serde_json::Value;

use crate::probe::pods;
use crate::probe::transport::{Endpoint, HttpReply, HttpRequest, Pod, Url};
use crate::probe::{Bounds, Transport, Trouble, TroubleKind};

/// The port that the operator gives frontends (`commonconsts.DynamoServicePort`).
pub const PORT: u16 = 8000;

/// A frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// By URL, without a slash at its end.
    Url(String),
    /// A port of a pod.
    Pod {
        /// Namespace.
        namespace: String,
        /// Pod.
        pod: String,
        /// Port.
        port: u16,
    },
}

impl std::fmt::Display for Frontend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Pod { namespace, pod, port } => write!(f, "{namespace}/{pod}:{port}"),
        }
    }
}

impl Frontend {
    /// By URL: `http` or `https`, a path prefix allowed.
    ///
    /// # Errors
    /// When it is no such URL, or has a query or fragment.
    pub fn url(text: &str) -> Result<Self, Trouble> {
        let url = Url::parse(text)?;
        if text.contains(['?', '#']) {
            return Err(Trouble::new(TroubleKind::Unsupported, format!("`{text}` has a query: write the base alone")));
        }
        Ok(Self::Url(url.to_string().trim_end_matches('/').to_owned()))
    }

    /// The frontend of a deployment: its first ready frontend pod. Also says how many frontend pods there are.
    ///
    /// # Errors
    /// When the pods cannot be listed, or none of them is a frontend that runs.
    pub async fn of_deployment(
        transport: &dyn Transport,
        namespace: &str,
        deployment: &str,
        port: Option<u16>,
        bounds: Bounds,
    ) -> Result<(Self, usize), Trouble> {
        let mut list = pods::of_deployment(transport, namespace, deployment, bounds).await?;
        list.retain(|pod| pod.component_type().as_deref() == Some("frontend"));
        let Some(first) = list.first() else {
            let message = format!("deployment `{deployment}` in namespace `{namespace}` has no frontend pod");
            return Err(Trouble::new(TroubleKind::NotFound, message));
        };
        let best = list.iter().find(|pod| pod.ready && pod.usable(None).is_ok()).unwrap_or(first);
        best.usable(None)?;
        Ok((Self::of_pod(best, port), list.len()))
    }

    /// The pod behind a service that kubectl would forward to, and the port of it that the service's port leads to: the
    /// one asked for, else its port `http`, else its first. Also says how many pods are behind it.
    ///
    /// # Errors
    /// When there is no such service or port, it selects nothing, or none of its pods runs.
    pub async fn of_service(
        transport: &dyn Transport,
        namespace: &str,
        name: &str,
        port: Option<u16>,
        bounds: Bounds,
    ) -> Result<(Self, usize), Trouble> {
        let nothing = |message: String| Trouble::new(TroubleKind::NotFound, message);
        let service = transport.service(namespace, name, bounds).await?;
        let asked = service.ports.iter().find(|p| port.is_some_and(|port| i32::from(port) == p.port));
        let named = || service.ports.iter().find(|p| p.name.as_deref() == Some("http"));
        let chosen = if port.is_some() { asked } else { named().or_else(|| service.ports.first()) };
        let Some(chosen) = chosen else {
            let ports = service.ports.iter().map(|p| p.port.to_string()).collect::<Vec<_>>().join(", ");
            let wanted = port.map_or_else(String::new, |port| format!(" {port}; it has {ports}"));
            return Err(nothing(format!("service {namespace}/{name} has no port{wanted}")));
        };
        if service.selector.is_empty() {
            return Err(nothing(format!("service {namespace}/{name} selects no pods")));
        }
        let list = transport.pods(namespace, &Pod::selector(&service.selector), bounds).await?;
        let Some(first) = list.first() else {
            return Err(nothing(format!("no pod is behind service {namespace}/{name}")));
        };
        let best = list.iter().find(|pod| pod.ready && pod.usable(None).is_ok()).unwrap_or(first);
        best.usable(None)?;
        let target = chosen.target.clone().unwrap_or_else(|| chosen.port.to_string());
        let of_name = || {
            let mut ports = best.containers.iter().flat_map(|c| &c.ports);
            ports.find(|p| p.name.as_deref() == Some(target.as_str())).and_then(|p| u16::try_from(p.port).ok())
        };
        let Some(port) = target.parse().ok().or_else(of_name) else {
            return Err(nothing(format!("pod {} has no port `{target}`, to which the service leads", best.path())));
        };
        Ok((Self::Pod { namespace: best.namespace.clone(), pod: best.name.clone(), port }, list.len()))
    }

    /// A pod as a frontend: the port asked for, else its port `http`, else [`PORT`].
    #[must_use]
    pub fn of_pod(pod: &Pod, port: Option<u16>) -> Self {
        let ports = pod.containers.iter().flat_map(|c| &c.ports);
        let named = ports.filter(|p| p.name.as_deref() == Some("http")).find_map(|p| u16::try_from(p.port).ok());
        Self::Pod { namespace: pod.namespace.clone(), pod: pod.name.clone(), port: port.or(named).unwrap_or(PORT) }
    }

    fn endpoint(&self, path: &str) -> Endpoint {
        match self {
            Self::Url(base) => Endpoint::Url { url: format!("{base}{path}") },
            Self::Pod { namespace, pod, port } => {
                Endpoint::Pod { namespace: namespace.clone(), pod: pod.clone(), port: *port, path: path.to_owned() }
            }
        }
    }

    /// A `GET`.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn get(&self, transport: &dyn Transport, path: &str, bounds: Bounds) -> Result<HttpReply, Trouble> {
        transport.http(HttpRequest::get(self.endpoint(path)), bounds).await
    }

    /// A `POST` of JSON with further headers.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn post(
        &self,
        transport: &dyn Transport,
        path: &str,
        body: &Value,
        headers: &[(&str, String)],
        bounds: Bounds,
    ) -> Result<HttpReply, Trouble> {
        let mut request = HttpRequest::post(self.endpoint(path), body);
        request.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        transport.http(request, bounds).await
    }
}

/// A text as one segment of a path.
#[must_use]
pub(super) fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Frontend, segment};

    #[test]
    fn urls_are_bases() {
        let of = |text: &str| Frontend::url(text).map(|f| f.to_string()).map_err(|e| e.message);
        assert_eq!(of("http://127.0.0.1:8000/"), Ok("http://127.0.0.1:8000".to_owned()));
        assert_eq!(of("https://example.com/dynamo//"), Ok("https://example.com/dynamo".to_owned()));
        assert_eq!(of("http://[::1]:8000"), Ok("http://[::1]:8000".to_owned()));
        for wrong in ["file:///etc/passwd", "ftp://x", "127.0.0.1:8000", "http://", "", "http://x/?a=b", "http://u:p@x"]
        {
            assert!(of(wrong).is_err(), "{wrong}: {:?}", of(wrong));
        }
    }

    #[test]
    fn model_names_are_one_segment() {
        assert_eq!(segment("Qwen/Qwen3-0.6B"), "Qwen%2FQwen3-0.6B");
        assert_eq!(segment("/models/ü"), "%2Fmodels%2F%C3%BC");
    }
}
