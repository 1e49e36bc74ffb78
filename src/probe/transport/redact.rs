//! Credentials go before anything leaves the transport.

use super::objects::{Container, Pod};
use super::{HttpReply, HttpRequest, Output};
use crate::report::mask;
use crate::resolve::wire::is_credential;

/// Stands for a value that is not shown.
pub(super) const MASK: &str = "***";

/// Masks what looks like a credential in both streams.
pub(super) fn output(output: &mut Output) {
    output.stdout = arguments(&mask(&output.stdout));
    output.stderr = mask(&output.stderr).into_owned();
}

/// Masks the word behind a flag that takes a credential, in lines `arg<TAB>word`.
fn arguments(text: &str) -> String {
    if !text.contains("\narg\t") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut hidden = false;
    for line in text.split_inclusive('\n') {
        let word = line.strip_prefix("arg\t").map(str::trim_end);
        match word {
            Some(word) if std::mem::take(&mut hidden) && !word.starts_with('-') => {
                out.push_str("arg\t");
                out.push_str(MASK);
                out.push('\n');
            }
            _ => {
                hidden = word.is_some_and(|w| w.starts_with("--") && !w.contains('=') && is_credential(w));
                out.push_str(line);
            }
        }
    }
    out
}

/// Masks credentials in an answer's body, and drops what a snapshot should not hold: cookies and the like.
pub(super) fn reply(reply: &mut HttpReply) {
    const KEEP: [&str; 6] = ["content-type", "content-length", "location", "retry-after", "server", "date"];
    reply.headers.retain(|(name, _)| KEEP.contains(&name.as_str()) || name.starts_with("x-dynamo-"));
    // The date would make two recordings of the same thing differ.
    reply.headers.retain(|(name, _)| name != "date");
    if let std::borrow::Cow::Owned(body) = mask(&reply.body) {
        reply.body = body;
    }
}

/// The request as it may be written down: without authorization.
pub(super) fn request(request: &HttpRequest) -> HttpRequest {
    let mut clean = request.clone();
    for (name, value) in &mut clean.headers {
        let lower = name.to_ascii_lowercase();
        if lower == "authorization" || lower == "cookie" || is_credential(&lower) {
            MASK.clone_into(value);
        }
    }
    if let super::Endpoint::Url { url } = &mut clean.endpoint
        && let Some((scheme, rest)) = url.split_once("://")
    {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        if let Some(at) = rest[..end].rfind('@') {
            *url = format!("{scheme}://{MASK}@{}", &rest[at + 1..]);
        }
    }
    clean
}

/// Masks values of variables that hold credentials, and credentials in commands.
pub(super) fn pod(pod: &mut Pod) {
    pod.containers.iter_mut().for_each(container);
}

fn container(container: &mut Container) {
    for entry in &mut container.env {
        if let Some(value) = &mut entry.value {
            if is_credential(&entry.name) && !value.is_empty() {
                MASK.clone_into(value);
            } else {
                *value = mask(value).into_owned();
            }
        }
    }
    let mut hidden = false;
    for word in container.command.iter_mut().chain(&mut container.args) {
        if std::mem::take(&mut hidden) && !word.starts_with('-') {
            MASK.clone_into(word);
            continue;
        }
        if let Some(name) = word.strip_prefix("--") {
            match name.split_once('=') {
                Some((flag, _)) if is_credential(flag) => *word = format!("--{flag}={MASK}"),
                None => hidden = is_credential(name) && !word.contains(char::is_whitespace),
                Some(_) => {}
            }
        }
        *word = mask(word).into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_arguments_and_variables_go() {
        let text =
            "x\narg\t--api-key\narg\thunter2\narg\t--model\narg\tqwen\narg\t--api-key=zzz\nHF_TOKEN=abc\nUCX_TLS=tcp\n";
        let mut output =
            Output { stdout: text.to_owned(), stderr: "password: hunter2".to_owned(), ..Output::default() };
        super::output(&mut output);
        assert!(!output.stdout.contains("hunter2") && !output.stdout.contains("zzz") && !output.stdout.contains("abc"));
        assert!(output.stdout.contains("arg\tqwen\n") && output.stdout.contains("UCX_TLS=tcp"));
        assert!(!output.stderr.contains("hunter2"));
    }

    #[test]
    fn credentials_of_pods_go() {
        let entry = |name: &str, value: &str| super::super::EnvEntry {
            name: name.into(),
            value: Some(value.into()),
            from: None,
        };
        let mut pod = Pod {
            containers: vec![Container {
                env: vec![entry("HF_TOKEN", "abc"), entry("UCX_TLS", "rc"), entry("X", "hf_abcdefghijklmnop1234")],
                args: ["--hf-token", "abc", "--api-key=abc", "--model", "m"].map(str::to_owned).into(),
                ..Container::default()
            }],
            ..Pod::default()
        };
        super::pod(&mut pod);
        let values: Vec<_> = pod.containers[0].env.iter().filter_map(|e| e.value.as_deref()).collect();
        assert_eq!(values[..2], ["***", "rc"]);
        assert!(!values[2].contains("abcdef"));
        assert_eq!(pod.containers[0].args, ["--hf-token", "***", "--api-key=***", "--model", "m"]);
    }

    #[test]
    fn requests_are_written_down_without_authorization() {
        let endpoint = super::super::Endpoint::Url { url: "http://u:p@h:8000/v1".into() };
        let mut with = HttpRequest::get(endpoint);
        with.headers.push(("Authorization".into(), "Bearer x".into()));
        let clean = request(&with);
        assert_eq!(clean.headers[0].1, MASK);
        assert_eq!(clean.endpoint.to_string(), "http://***@h:8000/v1");
    }
}
