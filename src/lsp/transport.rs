//! Messages on standard input and output. What cannot be read as a message is said and passed over: an editor must not
//! lose its server over one bad line.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{Receiver, Sender};

use lsp_server::Message;

use super::server::Event;

/// Largest message that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// Reads messages until the input ends or nobody listens any more.
pub(super) fn read(mut input: impl BufRead, events: &Sender<Event>) {
    loop {
        let event = match body(&mut input) {
            Ok(None) | Err(_) => break,
            Ok(Some(Err(problem))) => Event::Malformed(problem),
            Ok(Some(Ok(text))) => match serde_json::from_slice::<Message>(&text) {
                Ok(message) => Event::Client(message),
                Err(error) => Event::Malformed(error.to_string()),
            },
        };
        if events.send(event).is_err() {
            return;
        }
    }
    // The server may be gone already.
    let _ = events.send(Event::Closed);
}

/// The next body, or why there is none behind these headers; `None` at the end of the input.
fn body(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, String>>> {
    let mut length = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        // A header line is short; what is not is taken in parts.
        if input.by_ref().take(8 << 10).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            break;
        }
        if let Some((name, value)) = text.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let Some(length) = length else {
        return Ok(Some(Err("a message without `Content-Length`".to_owned())));
    };
    if length > LARGEST {
        io::copy(&mut input.by_ref().take(length), &mut io::sink())?;
        return Ok(Some(Err(format!("a message of {length} bytes is more than is read"))));
    }
    let mut body = Vec::new();
    let read = input.by_ref().take(length).read_to_end(&mut body)?;
    if (read as u64) < length { Ok(None) } else { Ok(Some(Ok(body))) }
}

/// Writes messages until there are no more, or nobody reads them.
pub(super) fn write(mut output: impl Write, messages: &Receiver<Message>) {
    for message in messages {
        if message.write(&mut output).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn bad_messages_are_said_and_passed_over() {
        let framed = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let exit = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let input = format!(
            "{}{}Content-Type: x\r\n\r\n{}Content-Length: x\r\n\r\n{}Content-Length: 99\r\n\r\nshort",
            framed(exit),
            framed("{\"oops"),
            framed("[1,2]"),
            framed(exit),
        );
        let (send, receive) = channel();
        read(input.as_bytes(), &send);
        let kinds: Vec<&str> = receive
            .try_iter()
            .map(|event| match event {
                Event::Client(_) => "message",
                Event::Malformed(_) => "malformed",
                Event::Closed => "closed",
                _ => "other",
            })
            .collect();
        assert_eq!(kinds, ["message", "malformed", "malformed", "malformed", "malformed", "message", "closed"]);
    }

    #[test]
    fn messages_are_framed() {
        let (send, receive) = channel();
        let params = serde_json::json!({"message": "é"});
        send.send(lsp_server::Notification::new("window/logMessage".to_owned(), params).into()).unwrap();
        drop(send);
        let mut out = Vec::new();
        write(&mut out, &receive);
        let text = String::from_utf8(out).unwrap();
        let (header, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(header, format!("Content-Length: {}", body.len()));
        assert!(body.contains("\"jsonrpc\":\"2.0\""));
    }
}
