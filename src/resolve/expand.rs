//! Placeholders, and the texts of nodes.

use super::Recipe;
use crate::command::Word;
use crate::source::{Span, Text, is_capital_name};
use crate::yaml::Node;

/// The first placeholder in a value that is to be filled before the manifest is used: `${VAR}` for envsubst,
/// `<your-image>`, `{{ .Values.x }}`.
pub(super) fn placeholder(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    // `$NAME` alone is nothing but a placeholder; within a longer text it may be the text's own.
    if let Some(name) = text.strip_prefix('$')
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && is_capital_name(name)
    {
        return Some(text);
    }
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

/// The text of a scalar, or of nothing at all for anything else. Rules that look at the same scripts find them traced.
pub(super) fn text(node: &Node, recipe: &Recipe) -> Text {
    recipe.text(node).unwrap_or_else(|| Text::empty(node.span))
}

/// A word that the operator adds; it stands for `span`.
pub(super) fn implied(value: &str, span: Span) -> Word {
    let mut text = Text::empty(span);
    text.push_piece(value, span);
    Word::known(text)
}

#[cfg(test)]
mod tests {
    use super::placeholder;

    #[test]
    fn placeholders() {
        assert_eq!(placeholder("nvcr.io/${TAG}"), Some("${TAG}"));
        assert_eq!(placeholder("<your-registry>/x"), Some("<your-registry>"));
        assert_eq!(placeholder("{{ .Values.tag }}"), Some("{{ .Values.tag }}"));
        assert_eq!(placeholder("$IMAGE"), Some("$IMAGE"));
        for plain in ["$(A)", "$a", "$A/b", "{\"a\":{\"b\":1}}", "a < b > c", "^cuda_ipc", "${", "<", "{{", "${1}"] {
            assert_eq!(placeholder(plain), None, "{plain}");
        }
    }
}
