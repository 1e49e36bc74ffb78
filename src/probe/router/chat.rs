//! Chat completions: what to send, and whether what came back is one.

use serde_json::{Value, json};

use crate::probe::transport::HttpReply;

/// The body of a request. Nothing is sampled that need not be: temperature 0.
#[must_use]
pub fn body(model: &str, prompt: &str, max_tokens: u32, stream: bool) -> Value {
    let mut body = json!({
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
    });
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

/// A completion that is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Its id: different for every request.
    pub id: String,
    /// The text, or what stands for it: reasoning, tool calls.
    pub text: String,
    /// Prompt tokens, when said.
    pub prompt_tokens: Option<u64>,
    /// Completion tokens, when said.
    pub completion_tokens: Option<u64>,
    /// Prompt tokens taken from a cache, when said (1.5 and later).
    pub cached_tokens: Option<u64>,
    /// When the first text of a stream came, in microseconds since the request.
    pub first_micros: Option<u64>,
    /// Pieces of text in a stream.
    pub pieces: usize,
}

/// Why an answer is no completion of the model asked, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotOne {
    /// One line; lower case, no full stop.
    pub message: String,
    /// Status of the answer.
    pub status: u16,
}

/// A text of a server, fit for one line.
#[must_use]
pub(super) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// What an error answer says: its `message`, else its first words.
#[must_use]
pub(super) fn message(reply: &HttpReply) -> String {
    let json: Option<Value> = serde_json::from_str(&reply.body).ok();
    let said = json.as_ref().and_then(|v| {
        let inner = v.get("error").unwrap_or(v);
        inner.get("message").and_then(Value::as_str).or_else(|| inner.as_str())
    });
    let said = short(said.unwrap_or(&reply.body));
    if said.is_empty() { format!("HTTP {}", reply.status) } else { format!("HTTP {}: {said}", reply.status) }
}

/// What of a message counts as an answer.
fn text(message: &Value) -> String {
    let of = |key: &str| message.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let plain = of("content").or_else(|| of("reasoning_content")).or_else(|| of("reasoning"));
    let called = || message.get("tool_calls").and_then(Value::as_array).filter(|list| !list.is_empty());
    plain.map(str::to_owned).or_else(|| called().map(|list| format!("{} tool calls", list.len()))).unwrap_or_default()
}

fn usage(value: &Value, completion: &mut Completion) {
    let Some(usage) = value.get("usage").filter(|u| u.is_object()) else { return };
    let number = |key: &str| usage.get(key).and_then(Value::as_u64);
    completion.prompt_tokens = number("prompt_tokens").or(completion.prompt_tokens);
    completion.completion_tokens = number("completion_tokens").or(completion.completion_tokens);
    let details = usage.get("prompt_tokens_details").and_then(|d| d.get("cached_tokens")).and_then(Value::as_u64);
    completion.cached_tokens = details.or(completion.cached_tokens);
}

/// An error that comes with status 200: `{"error": …}`, or an `error` event.
fn error(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|e| !e.is_null())?;
    let said = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
    Some(short(said.unwrap_or(&error.to_string())))
}

/// Reads the answer to a request that was not streamed.
///
/// # Errors
/// When it is no completion of that model.
pub fn unary(reply: &HttpReply, model: &str) -> Result<Completion, NotOne> {
    let not = |message: String| Err(NotOne { message, status: reply.status });
    if reply.status != 200 {
        return not(message(reply));
    }
    if let Some(cut) = &reply.cut {
        return not(format!("200, but {}", cut.message));
    }
    if reply.truncated {
        return not("200, but the answer has no end".to_owned());
    }
    let Ok(value) = serde_json::from_str::<Value>(&reply.body) else {
        return not(format!("200, but not JSON: `{}`", short(&reply.body)));
    };
    if let Some(said) = error(&value) {
        return not(format!("200, but an error: {said}"));
    }
    let Some(choice) = value.get("choices").and_then(|c| c.get(0)) else {
        return not("200, but no completion in it".to_owned());
    };
    let mut completion = Completion {
        id: value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        text: text(choice.get("message").unwrap_or(&Value::Null)),
        ..Completion::default()
    };
    usage(&value, &mut completion);
    judge(completion, value.get("model").and_then(Value::as_str), model, reply.status)
}

fn judge(completion: Completion, of: Option<&str>, model: &str, status: u16) -> Result<Completion, NotOne> {
    let not = |message: String| Err(NotOne { message, status });
    match of {
        Some(other) if other != model => return not(format!("200, but from model `{}`", short(other))),
        None => return not("200, but the completion names no model".to_owned()),
        Some(_) => {}
    }
    if completion.text.is_empty() {
        let tokens = completion.completion_tokens.map_or_else(String::new, |n| format!(" ({n} tokens)"));
        return not(format!("200, but the completion is empty{tokens}"));
    }
    Ok(completion)
}

/// Reads the answer to a streamed request.
///
/// # Errors
/// When it is no completion of that model, or no stream, or one without an end.
pub fn streamed(reply: &HttpReply, model: &str) -> Result<Completion, NotOne> {
    let not = |message: String| Err(NotOne { message, status: reply.status });
    if reply.status != 200 {
        return not(message(reply));
    }
    let kind = reply.header("content-type").unwrap_or_default();
    if !kind.starts_with("text/event-stream") {
        return not(format!("200, but no event stream (`{}`)", short(kind)));
    }
    let mut completion = Completion::default();
    let (mut of, mut finished, mut done) = (None, false, false);
    let mut at = 0;
    for line in reply.body.split_inclusive('\n') {
        at += line.len() as u64;
        let Some(data) = line.trim_end().strip_prefix("data:").map(str::trim) else { continue };
        if data == "[DONE]" {
            done = true;
            continue;
        }
        let Ok(value) = serde_json::from_str::<Value>(data) else {
            // The last line of a stream that was cut is no JSON; the cut is what is said then.
            if reply.cut.is_some() || reply.truncated {
                break;
            }
            return not(format!("an event is not JSON: `{}`", short(data)));
        };
        if let Some(said) = error(&value) {
            return not(format!("the stream ends in an error: {said}"));
        }
        usage(&value, &mut completion);
        of = value.get("model").and_then(Value::as_str).map(str::to_owned).or(of);
        if let Some(id) = value.get("id").and_then(Value::as_str) {
            id.clone_into(&mut completion.id);
        }
        let Some(choice) = value.get("choices").and_then(|c| c.get(0)) else { continue };
        finished |= choice.get("finish_reason").is_some_and(|r| !r.is_null());
        let piece = text(choice.get("delta").unwrap_or(&Value::Null));
        if !piece.is_empty() {
            completion.pieces += 1;
            completion.text.push_str(&piece);
            completion.first_micros = completion.first_micros.or_else(|| arrival(reply, at));
        }
    }
    if let Some(cut) = &reply.cut {
        return not(format!("the stream was cut after {} pieces: {}", completion.pieces, cut.message));
    }
    if reply.truncated {
        return not("the stream has no end".to_owned());
    }
    if !finished && !done {
        return not(format!("the stream ends without a finish after {} pieces", completion.pieces));
    }
    judge(completion, of.as_deref(), model, reply.status)
}

/// When that many bytes of the body had come.
fn arrival(reply: &HttpReply, bytes: u64) -> Option<u64> {
    reply.arrivals.iter().find(|(so_far, _)| *so_far >= bytes).map(|(_, micros)| *micros)
}

/// A prompt of about that many tokens that no cache can hold: its first words differ for every seed.
#[must_use]
pub fn fresh_prompt(seed: u64, tokens: usize) -> String {
    const WORDS: [&str; 16] = [
        "river", "stone", "amber", "cloud", "lamp", "north", "paper", "quiet", "garden", "seven", "violet", "window",
        "yellow", "zebra", "market", "signal",
    ];
    let mut state = seed | 1;
    let mut out = format!("probe {seed:016x}:");
    for _ in 0..tokens.max(1) {
        // xorshift64: any mixing will do, as long as it is the same everywhere
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.push(' ');
        out.push_str(WORDS[usize::try_from(state % 16).unwrap_or(0)]);
    }
    out
}

/// A seed out of what no two runs share and a recording repeats: an answer.
#[must_use]
pub fn seed(text: &str) -> u64 {
    // FNV-1a, which is the same on every platform and release.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{fresh_prompt, seed, streamed, unary};
    use crate::probe::transport::HttpReply;

    fn reply(status: u16, kind: &str, body: &str) -> HttpReply {
        HttpReply {
            status,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.to_owned(),
            truncated: false,
            cut: None,
            head_micros: 1,
            arrivals: vec![(10, 5), (body.len() as u64, 9)],
            total_micros: 9,
        }
    }

    fn said(body: &str) -> String {
        unary(&reply(200, "application/json", body), "m").map_or_else(|e| e.message, |c| c.text)
    }

    #[test]
    fn a_200_is_not_enough() {
        assert_eq!(said(r#"{"id":"1","model":"m","choices":[{"message":{"content":"hi"}}]}"#), "hi");
        assert_eq!(said(r#"{"model":"m","choices":[{"message":{"content":null,"reasoning_content":"hm"}}]}"#), "hm");
        assert_eq!(said(r#"{"model":"n","choices":[{"message":{"content":"hi"}}]}"#), "200, but from model `n`");
        assert_eq!(said(r#"{"choices":[{"message":{"content":"hi"}}]}"#), "200, but the completion names no model");
        assert_eq!(said(r#"{"model":"m","choices":[]}"#), "200, but no completion in it");
        assert_eq!(said(r#"{"error":{"message":"boom"}}"#), "200, but an error: boom");
        assert_eq!(said("<html>login</html>"), "200, but not JSON: `<html>login</html>`");
        let empty = r#"{"model":"m","choices":[{"message":{"content":""}}],"usage":{"completion_tokens":4}}"#;
        assert_eq!(said(empty), "200, but the completion is empty (4 tokens)");
    }

    #[test]
    fn streams_need_text_and_an_end() {
        let chunk = |delta: &str, finish: &str| {
            format!("data: {{\"model\":\"m\",\"choices\":[{{\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
        };
        let text = chunk(r#"{"content":"a"}"#, "null");
        let whole = format!("{text}{}data: [DONE]\n\n", chunk("{}", "\"stop\""));
        let stream = |body: &str| streamed(&reply(200, "text/event-stream", body), "m");
        let good = stream(&whole).expect("a stream");
        assert_eq!((good.text.as_str(), good.pieces, good.first_micros), ("a", 1, Some(9)));
        assert_eq!(stream(&text).unwrap_err().message, "the stream ends without a finish after 1 pieces");
        assert!(stream("data: [DONE]\n\n").unwrap_err().message.contains("names no model"));
        assert!(stream("data: {oops\n\n").unwrap_err().message.contains("not JSON"));
        let json = streamed(&reply(200, "application/json", &whole), "m").unwrap_err();
        assert!(json.message.contains("no event stream"), "{}", json.message);
    }

    #[test]
    fn fresh_prompts_differ_from_the_first_word() {
        let (a, b) = (fresh_prompt(seed("chatcmpl-1"), 40), fresh_prompt(seed("chatcmpl-2"), 40));
        assert_ne!(a.split(' ').nth(1), b.split(' ').nth(1));
        assert_eq!(a, fresh_prompt(seed("chatcmpl-1"), 40));
        assert_eq!(a.split(' ').count(), 42);
    }
}
