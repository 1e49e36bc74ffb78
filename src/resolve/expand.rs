//! Placeholders, and `$(VAR)` as the kubelet expands it.

use crate::command::Word;
use crate::source::{Span, Text};
use crate::yaml::{self, Node};

/// The first placeholder in a value that is to be filled before the manifest is used: `${VAR}` for envsubst,
/// `<your-image>`, `{{ .Values.x }}`.
pub(super) fn placeholder(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    for at in memchr::memchr3_iter(b'$', b'<', b'{', bytes) {
        let rest = &text[at..];
        let found = match bytes[at] {
            b'$' => rest.starts_with("${").then(|| braced(rest)).flatten(),
            b'<' => angled(rest),
            _ => rest.starts_with("{{").then(|| templated(rest)).flatten(),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn braced(text: &str) -> Option<&str> {
    let end = text.find('}')?;
    let name = &text[2..end];
    let head = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    (head > 0 && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| &text[..=end])
}

fn angled(text: &str) -> Option<&str> {
    let end = text.find('>')?;
    let name = &text[1..end];
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ' ' | '.' | '/' | ':');
    let ok = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(word) && name.len() <= 60;
    ok.then(|| &text[..=end])
}

fn templated(text: &str) -> Option<&str> {
    let end = text.find("}}")?;
    let inner = text[2..end].trim_start_matches('-').trim_start();
    inner.starts_with(|c: char| c == '.' || c.is_ascii_alphabetic()).then(|| &text[..end + 2])
}

/// The text of a scalar, or of nothing at all for anything else.
pub(super) fn text(node: &Node, sources: &crate::source::Sources) -> Text {
    yaml::text(node, sources).unwrap_or_else(|| Text::empty(node.span))
}

/// Expands `$(VAR)` and `$$` (`k8s.io/kubernetes/third_party/forked/golang/expansion`): what `lookup` does not have
/// stays as written.
pub(super) fn kubelet(text: &Text, lookup: &dyn Fn(&str) -> Option<Word>) -> Word {
    if !text.contains("$(") && !text.contains("$$") {
        return Word::known(text.clone());
    }
    let mut out = Text::empty(text.whole());
    let mut dynamic = None;
    let (mut from, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while let Some(found) = memchr::memchr(b'$', &bytes[at..]) {
        let dollar = at + found;
        match bytes.get(dollar + 1) {
            Some(b'$') => {
                out.push_slice(text, from..dollar + 1);
                at = dollar + 2;
                from = at;
            }
            Some(b'(') => {
                let Some(len) = memchr::memchr(b')', &bytes[dollar..]) else { break };
                let end = dollar + len + 1;
                at = end;
                if let Some(word) = lookup(&text[dollar + 2..end - 1]) {
                    out.push_slice(text, from..dollar);
                    match word.dynamic {
                        Some(reason) => {
                            out.push_slice(text, dollar..end);
                            dynamic.get_or_insert(reason);
                        }
                        None => out.push(&word.text),
                    }
                    from = end;
                }
            }
            _ => at = dollar + 1,
        }
    }
    out.push_slice(text, from..text.len());
    Word { text: out, dynamic, open: false }
}

/// A word that the operator adds; it stands for `span`.
pub(super) fn implied(value: &str, span: Span) -> Word {
    let mut text = Text::empty(span);
    text.push_piece(value, span);
    Word::known(text)
}

#[cfg(test)]
mod tests {
    use super::{kubelet, placeholder};
    use crate::command::Word;
    use crate::source::{FileId, Reason, Span, Text};

    fn text(value: &str) -> Text {
        let len = u32::try_from(value.len()).unwrap_or(0);
        Text::opaque(value, Span::new(FileId(0), 0, len))
    }

    fn expand(value: &str) -> Word {
        kubelet(&text(value), &|name| match name {
            "A" => Some(Word::known(text("one"))),
            "S" => Some(Word::unknown(text(""), Reason::Secret("s".into()))),
            _ => None,
        })
    }

    #[test]
    fn expansion() {
        assert_eq!(expand("x$(A)y$(B)").text.as_str(), "xoney$(B)");
        assert_eq!(expand("$$(A) $$$(A) $x").text.as_str(), "$(A) $one $x");
        assert_eq!(expand("$(A").text.as_str(), "$(A");
        assert_eq!(expand("$").text.as_str(), "$");
        let secret = expand("a$(S)b");
        assert_eq!((secret.text.as_str(), secret.as_known()), ("a$(S)b", None));
    }

    #[test]
    fn spans_survive() {
        let word = expand("$$ab $(B)c");
        assert_eq!(word.text.slice_span(1..3), Span::new(FileId(0), 2, 4));
    }

    #[test]
    fn placeholders() {
        assert_eq!(placeholder("nvcr.io/${TAG}"), Some("${TAG}"));
        assert_eq!(placeholder("<your-registry>/x"), Some("<your-registry>"));
        assert_eq!(placeholder("{{ .Values.tag }}"), Some("{{ .Values.tag }}"));
        for plain in ["$(A)", "$A", "{\"a\":{\"b\":1}}", "a < b > c", "^cuda_ipc", "${", "<", "{{", "${1}"] {
            assert_eq!(placeholder(plain), None, "{plain}");
        }
    }
}
