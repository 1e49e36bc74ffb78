//! Keeps credentials out of reports: a snippet shows whole lines, and the line beside a finding may hold a token.

use std::borrow::Cow;

use crate::resolve::wire::is_credential;

/// How well-known tokens start: Hugging Face, NVIDIA NGC, OpenAI, GitHub, GitLab, AWS.
const TOKENS: [&str; 8] = ["hf_", "nvapi-", "sk-", "ghp_", "github_pat_", "glpat-", "AKIA", "eyJhbGci"];

/// The text with every credential replaced by `*`. Same length in bytes, same lines, so that spans stay true.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let mut at = 0;
    let mut named = false;
    let mut secret = SecretData::of(text);
    for line in text.split_inclusive('\n') {
        let in_secret = secret.holds(line, &text[at + line.len()..]);
        let of_name = named && line.trim_start().trim_start_matches("- ").starts_with("value:");
        let hidden = if in_secret || of_name { value(line) } else { assigned(line).or_else(|| token(line)) };
        if let Some(range) = hidden.filter(|range| !range.is_empty()) {
            let masked = "*".repeat(range.len());
            out.get_or_insert_with(|| text.to_owned()).replace_range(at + range.start..at + range.end, &masked);
        }
        // `- name: HF_TOKEN` speaks about the `value:` in the next line that is no comment.
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            named = content
                .trim_start_matches("- ")
                .strip_prefix("name:")
                .is_some_and(|n| is_credential(n.trim().trim_matches(['"', '\''])));
        }
        at += line.len();
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
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
        None => line.len() - line.trim_start().len(),
    };
    let text = line[start..].trim_end();
    let lead = text.len() - text.trim_start().len();
    (!matches!(text.trim(), "|" | ">" | "|-" | ">-" | "|+" | ">+")).then(|| start + lead..start + text.len())
}

/// The value of `NAME=value` or `NAME: value` where the name is a credential's and the value a literal.
fn assigned(line: &str) -> Option<std::ops::Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    for (at, sign) in line.match_indices(['=', ':']) {
        let before = &line[..at];
        let name = &before[before.trim_end_matches(is_name).len()..];
        if !is_credential(name) {
            continue;
        }
        let rest = &line[at + 1..];
        if sign == ":" && !rest.starts_with(' ') {
            continue;
        }
        let lead = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start().trim_end();
        // In a shell the value ends at the blank, in YAML at the end of the line.
        let len = if sign == "=" { rest.find([' ', ';', '&', '|']).unwrap_or(rest.len()) } else { rest.len() };
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

/// A word that looks like a well-known token.
fn token(line: &str) -> Option<std::ops::Range<usize>> {
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
    }

    #[test]
    fn characters_beyond_ascii_keep_their_bytes() {
        assert_eq!(mask("password: é\n"), "password: **\n");
        assert_eq!(mask("é: hf_ééé\n"), "é: hf_ééé\n");
    }
}
