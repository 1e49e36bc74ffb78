//! Credentials go before anything leaves the transport.

use super::objects::{Container, Pod};
use super::{HttpReply, HttpRequest, Output};
use crate::report::mask;
use crate::resolve::wire::is_credential;

/// Stands for a value that is not shown.
pub(super) const MASK: &str = "***";

/// Masks what looks like a credential in both streams.
pub(super) fn output(output: &mut Output) {
    output.stdout = mask(&output.stdout).into_owned();
    output.stderr = mask(&output.stderr).into_owned();
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
