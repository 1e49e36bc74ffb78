//! Keeps credentials out of reports: a snippet shows whole lines, and the line beside a finding may hold a token.

use std::borrow::Cow;

use crate::resolve::wire::is_credential;
use crate::source::{SourceFile, Span};
use crate::yaml::{self, Limits, Node};

/// How well-known tokens start: Hugging Face, NVIDIA NGC, OpenAI, GitHub, GitLab, AWS.
const TOKENS: [&str; 8] = ["hf_", "nvapi-", "sk-", "ghp_", "github_pat_", "glpat-", "AKIA", "eyJhbGci"];

/// The text with every credential replaced by `*`. Same length in bytes, same lines, so that spans stay true.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    // Most messages are one line, with none above that could speak about it.
    if memchr::memchr(b'\n', text.as_bytes()).is_none() && assigned(text).or_else(|| token(text)).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out: Option<String> = None;
    let mut at = 0;
    let (mut named, mut flag) = (false, false);
    let mut secret = SecretData::of(text);
    for line in text.split_inclusive('\n') {
        let in_secret = secret.holds(line, &text[at + line.len()..]);
        let of_name = named && line.trim_start().trim_start_matches("- ").starts_with("value:");
        let of_flag = std::mem::replace(&mut flag, is_bare_flag(line));
        let hidden = if in_secret || of_name || of_flag { value(line) } else { assigned(line).or_else(|| token(line)) };
        if let Some(range) = hidden.filter(|range| !range.is_empty()) {
            let masked = "*".repeat(range.len());
            out.get_or_insert_with(|| text.to_owned()).replace_range(at + range.start..at + range.end, &masked);
        }
        // `- name: HF_TOKEN` speaks about every `value:` up to the next item or name.
        let content = line.trim();
        let name = content.trim_start_matches("- ").strip_prefix("name:");
        if let Some(name) = name {
            named = is_credential(name.trim().trim_matches(['"', '\'']));
        } else if content.starts_with("- ") {
            named = false;
        }
        at += line.len();
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The same with what only the tree shows: a `value` wherever it stands in the entry of a credential, a Secret's data
/// however it is written.
#[must_use]
pub fn mask_file(file: &SourceFile) -> Cow<'_, str> {
    let mut spans = Vec::new();
    for root in yaml::parse(file, &Limits::default()).documents.iter().filter_map(|document| document.root.as_ref()) {
        if root.get("kind").and_then(Node::as_str) == Some("Secret") {
            let data = ["data", "stringData"].into_iter().filter_map(|key| root.get(key));
            spans.extend(data.flat_map(Node::entries).map(|entry| entry.value.span));
        }
        credentials(root, &mut spans);
    }
    let mut text = mask(&file.text);
    for range in spans.into_iter().filter(|span| span.file == file.id).map(Span::range) {
        if let Some(part) = text.get(range.clone()) {
            // Lines stay lines, and a value of many bytes stays that long.
            let masked: String =
                part.chars().map(|c| if c.is_whitespace() { c.into() } else { "*".repeat(c.len_utf8()) }).collect();
            text.to_mut().replace_range(range, &masked);
        }
    }
    text
}

/// Collects the spans of values that belong to names of credentials.
fn credentials(node: &Node, out: &mut Vec<Span>) {
    for item in node.items() {
        credentials(item, out);
    }
    let named = node.get("name").and_then(Node::as_text).is_some_and(is_credential);
    for entry in node.entries() {
        let key = &*entry.key.name;
        let literal = entry.value.as_text().is_some_and(|value| !value.is_empty() && !value.starts_with('$'));
        if literal && (named && key == "value" || is_key(key)) {
            out.push(entry.value.span);
        }
        credentials(&entry.value, out);
    }
}

/// Whether a line is an item `- --api-key`, whose value is the next item.
fn is_bare_flag(line: &str) -> bool {
    let item = line.trim().strip_prefix("- ").map(|item| item.trim().trim_matches(['"', '\'']));
    item.is_some_and(|item| item.starts_with("--") && !item.contains(['=', ' ']) && is_credential(item))
}

/// Whether a YAML key names a credential itself: `HF_TOKEN`, `password`, `apiKey`; not `secretName`, `imagePullSecrets`,
/// `automountServiceAccountToken`.
fn is_key(key: &str) -> bool {
    const KEYS: [&str; 6] = ["PASSWORD", "PASSWD", "TOKEN", "API_KEY", "APIKEY", "SECRET_KEY"];
    let upper = key.to_ascii_uppercase().replace('-', "_");
    is_credential(key) && (key == upper || KEYS.contains(&upper.as_str()) || upper == "SECRETKEY")
}

/// Follows `data:` and `stringData:` of a document whose `kind` is Secret, wherever in it the `kind` stands.
struct SecretData {
    secret: bool,
    data: bool,
}

impl SecretData {
    fn of(document: &str) -> Self {
        let kind =
            |line: &str| line.strip_prefix("kind:").map(|kind| kind.trim().trim_matches(['"', '\'']) == "Secret");
        Self {
            secret: document.lines().take_while(|l| !l.starts_with("---")).any(|l| kind(l) == Some(true)),
            data: false,
        }
    }

    fn holds(&mut self, line: &str, rest: &str) -> bool {
        let top = !line.starts_with([' ', '\t', '#', '\n', '\r']);
        if line.starts_with("---") {
            *self = Self::of(rest);
        } else if top {
            self.data = line.starts_with("data:") || line.starts_with("stringData:");
        }
        self.secret && self.data && !top
    }
}

/// What stands behind the first `: ` of a line, or the whole line of a block scalar.
fn value(line: &str) -> Option<std::ops::Range<usize>> {
    let start = match line.find(": ") {
        Some(colon) => colon + 2,
        None if line.trim_end().ends_with(':') => return None,
        None => line.len() - line.trim_start().trim_start_matches("- ").len(),
    };
    let text = line[start..].trim_end();
    let lead = text.len() - text.trim_start().len();
    (!matches!(text.trim(), "|" | ">" | "|-" | ">-" | "|+" | ">+")).then(|| start + lead..start + text.len())
}

/// The value of `NAME=value` or `NAME: value` where the name is a credential's and the value a literal.
fn assigned(line: &str) -> Option<std::ops::Range<usize>> {
    memchr::memchr2(b'=', b':', line.as_bytes())?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    for (at, sign) in line.match_indices(['=', ':']) {
        let before = &line[..at];
        let name = &before[before.trim_end_matches(is_name).len()..];
        if !is_credential(name) {
            continue;
        }
        let rest = &line[at + 1..];
        if sign == ":" && !(rest.starts_with(' ') && is_key(name)) {
            continue;
        }
        let lead = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start().trim_end();
        // In a shell the value ends at the blank, in YAML at the end of the line.
        let len = if sign == "=" { rest.find([' ', ';', '&', '|', '`']).unwrap_or(rest.len()) } else { rest.len() };
        let text = rest[..len].trim_matches(['"', '\'']);
        // A reference is no secret, nor is the start of a mapping.
        if text.is_empty() || text.starts_with(['$', '{', '<', '|', '>', '&', '*']) {
            continue;
        }
        let start = at + 1 + lead;
        return Some(start..start + len);
    }
    None
}

/// Whether any word is long enough to be a token and has two digits, which few lines have.
fn has_long_word(line: &str) -> bool {
    const LEAST: usize = 16;
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let mut rest = line.as_bytes();
    while let Some(start) = rest.get(..LEAST) {
        // From behind: a word that ends in between is too short, and so are those before it.
        let passed = match start.iter().rposition(|byte| !in_word(byte)) {
            Some(at) => at + 1,
            None => {
                let len = rest.iter().position(|byte| !in_word(byte)).unwrap_or(rest.len());
                if rest[..len].iter().filter(|byte| byte.is_ascii_digit()).count() >= 2 {
                    return true;
                }
                len
            }
        };
        rest = &rest[passed..];
    }
    false
}

/// A word that looks like a well-known token.
fn token(line: &str) -> Option<std::ops::Range<usize>> {
    if !has_long_word(line) {
        return None;
    }
    TOKENS.iter().find_map(|prefix| {
        line.match_indices(prefix).find_map(|(at, _)| {
            let word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            if line[..at].ends_with(word) {
                return None;
            }
            let len = line[at..].find(|c| !word(c)).unwrap_or(line.len() - at);
            let random = line[at + prefix.len()..at + len].bytes();
            let digits = random.clone().filter(u8::is_ascii_digit).count();
            (len >= prefix.len() + 16 && digits >= 2).then(|| at..at + len)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_and_all_else_stays() {
        let text = "\
- name: HF_TOKEN
  # from the vault
  value: \"abc def\"
- name: MAX_TOKENS
  value: \"8192\"
- name: X
  value: hf_abcdefghijklmnop1234
  export NGC_API_KEY=zzz; run --x
  HF_TOKEN: ${HF_TOKEN}
  password: hunter2
  --max-num-batched-tokens=8192
  args: sk-learn
  secretName: s
  - --api-key
  - abc
  - def
---
stringData:
  a: b
  c: |
    line
kind: Secret
---
kind: ConfigMap
data:
  a: b
";
        let want = "\
- name: HF_TOKEN
  # from the vault
  value: *********
- name: MAX_TOKENS
  value: \"8192\"
- name: X
  value: ***********************
  export NGC_API_KEY=***; run --x
  HF_TOKEN: ${HF_TOKEN}
  password: *******
  --max-num-batched-tokens=8192
  args: sk-learn
  secretName: s
  - --api-key
  - ***
  - def
---
stringData:
  a: *
  c: |
    ****
kind: Secret
---
kind: ConfigMap
data:
  a: b
";
        let masked = mask(text);
        assert_eq!(masked, want);
        assert_eq!(masked.len(), text.len());
        assert!(matches!(mask("kind: X\n"), Cow::Borrowed(_)));
        // Messages go through it as well.
        assert_eq!(mask("`HF_TOKEN=abc` is set"), "`HF_TOKEN=***` is set");
    }

    #[test]
    fn the_tree_shows_what_lines_do_not() {
        let text = "\
- value: |-
    first
    second
  name: HF_TOKEN
- {name: NGC_API_KEY, value: zzz}
- {name: SEED, value: 42}
- secretName: fine
---
{kind: Secret, data: {a: b, c: é}}
";
        let file = crate::source::Sources::new().add("x".to_owned(), None, text);
        let want = text.replace("|-", "**").replace("first", "*****").replace("second", "******").replace("zzz", "***");
        let want = want.replace("a: b, c: é", "a: *, c: **");
        assert_eq!(mask_file(&file), want);
    }

    #[test]
    fn characters_beyond_ascii_keep_their_bytes() {
        assert_eq!(mask("password: é\n"), "password: **\n");
        assert_eq!(mask("é: hf_ééé\n"), "é: hf_ééé\n");
    }
}
