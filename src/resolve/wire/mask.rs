//! Credentials in what is printed.

/// What stands for a credential.
pub(super) const MASK: &str = "***";

/// Whether a variable or flag of that name holds a credential, as far as a name can tell.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    // Every name that counts has one of these in it, and most names have none.
    let begins =
        |part: &[u8]| ["KEY", "TOK", "SEC", "PAS", "CRE"].iter().any(|b| part.eq_ignore_ascii_case(b.as_bytes()));
    if !name.as_bytes().windows(3).any(begins) {
        return false;
    }
    let upper = name.to_ascii_uppercase().replace('-', "_");
    // Counts of model tokens and tokenizers are no secrets, nor are keys of a config or a label.
    let upper = upper.replace("TOKENS", "").replace("TOKENIZER", "");
    let names =
        ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "API_KEY", "ACCESS_KEY"];
    let other_key = upper.ends_with("CONFIG_KEY") || upper.ends_with("LABEL_KEY") || upper.ends_with("CACHE_KEY");
    names.iter().any(|part| upper.contains(part)) || (upper.ends_with("_KEY") && !other_key)
}

/// Masks what looks like a credential within a text: well-known token prefixes, and `NAME=value`.
pub(super) fn masked(text: &str) -> String {
    const TOKENS: [&str; 8] = ["hf_", "nvapi-", "sk-", "ghp_", "github_pat_", "glpat-", "AKIA", "eyJhbGci"];
    let token = |word: &str| {
        let rest = TOKENS.iter().find_map(|prefix| word.strip_prefix(prefix));
        rest.is_some_and(|rest| {
            rest.len() >= 16 && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        })
    };
    let separator = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',');
    let mut out = String::with_capacity(text.len());
    let mut named = false;
    for part in text.split_inclusive(separator) {
        let word = part.trim_end_matches(separator);
        let tail = &part[word.len()..];
        let hidden = named && !word.is_empty() && !word.starts_with(['-', '$']);
        // `--api-key VALUE`: the flag speaks about the next word.
        if !word.is_empty() {
            named = word.starts_with("--") && !word.contains('=') && is_credential(word);
        }
        match word.split_once('=') {
            _ if hidden => out.push_str(MASK),
            Some((name, value))
                if (is_credential(name) && !value.is_empty() && !value.starts_with('$')) || token(value) =>
            {
                out.push_str(name);
                out.push('=');
                out.push_str(MASK);
            }
            _ if token(word) => out.push_str(MASK),
            _ => out.push_str(word),
        }
        out.push_str(tail);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{is_credential, masked};

    #[test]
    fn credentials() {
        for name in ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "--api-key", "DB_PASSWORD", "NGC_KEY", "SSH_PRIVATE_KEY"] {
            assert!(is_credential(name), "{name}");
        }
        for name in
            ["MAX_TOKENS", "TOKENIZERS_PARALLELISM", "--skip-tokenizer-init", "KEY_ORDER", "--disagg-config-key"]
        {
            assert!(!is_credential(name), "{name}");
        }
        assert_eq!(masked("export HF_TOKEN=abc x=1"), "export HF_TOKEN=*** x=1");
        assert_eq!(masked("a \"hf_0123456789abcdefgh\" b"), "a \"***\" b");
        assert_eq!(masked("run --api-key abc --port 1"), "run --api-key *** --port 1");
        assert_eq!(masked("sk-ip this hf_home --token=$HF_TOKEN"), "sk-ip this hf_home --token=$HF_TOKEN");
    }
}
