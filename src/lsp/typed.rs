//! What is being typed, from the line up to the cursor: it is seldom YAML yet.

use crate::catalog::json;

/// What is typed behind `key:`, also in `{ name: …`, without an opening quote.
pub(super) fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let at = line.rfind(&format!("{key}:"))?;
    let before = line[..at].trim_end();
    let starts = before.is_empty() || before.ends_with(['-', '{', ',']);
    let value = line[at + key.len() + 1..].trim_start();
    let value = value.strip_prefix(['"', '\'']).unwrap_or(value);
    (starts && !value.contains([' ', '"', '\'', '}', ':'])).then_some(value)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line stands in a list of variables.
pub(super) fn in_env(text: &str, start: usize) -> bool {
    let line = text[start..].lines().next().unwrap_or_default();
    let flow = line.split("name:").next().unwrap_or_default();
    if flow.contains("env: [") || flow.contains("envs: [") {
        return true;
    }
    let mut least = indent(line);
    if line.trim_start().starts_with('-') {
        // A list may stand at its key's own indentation.
        least += 1;
    }
    for above in text[..start].lines().rev() {
        let content = above.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let here = indent(above);
        if here >= least {
            continue;
        }
        let key = content.trim_start_matches("- ");
        if key.starts_with("env:") || key.starts_with("envs:") {
            return true;
        }
        if !content.starts_with('-') {
            return false;
        }
        least = here + usize::from(here > 0);
    }
    false
}

/// The name beside a value that is being typed.
pub(super) fn sibling(text: &str, start: usize) -> Option<String> {
    let name = |line: &str| {
        let at = line.find("name:")?;
        let value = line[at + 5..].split(['}', ',', '#']).next().unwrap_or_default();
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let line = text[start..].lines().next().unwrap_or_default();
    if line.contains('{') {
        return name(line);
    }
    let column = |line: &str| indent(line) + if line.trim_start().starts_with("- ") { 2 } else { 0 };
    let item = column(line);
    let above = || {
        if line.trim_start().starts_with("- ") {
            return None;
        }
        for above in text[..start].lines().rev().filter(|line| !line.trim().is_empty()) {
            if column(above) != item {
                return None;
            }
            if above.trim_start().trim_start_matches("- ").starts_with("name:") {
                return name(above);
            }
            if above.trim_start().starts_with("- ") {
                return None;
            }
        }
        None
    };
    let below = || {
        for below in text[start..].lines().skip(1).filter(|line| !line.trim().is_empty()) {
            if column(below) != item || below.trim_start().starts_with("- ") {
                return None;
            }
            if below.trim_start().starts_with("name:") {
                return name(below);
            }
        }
        None
    };
    above().or_else(below)
}

/// A word that starts an option.
pub(super) fn option_word(line: &str) -> Option<&str> {
    let word = line.rsplit([' ', '\t', '[', ',', '"', '\'']).next()?;
    // `- ` begins an item of a list.
    let dashes = word.starts_with("--") || (word == "-" && line.trim_start().len() > 1);
    (dashes && !word.contains('=')).then_some(word)
}

/// The option whose value is being typed: `--flag=…`, `--flag …`, or the item behind it in a list.
pub(super) fn option_value<'a>(text: &str, start: usize, line: &'a str) -> Option<(String, &'a str)> {
    let word = line.rsplit([' ', '\t', '[', ',', '"', '\'']).next()?;
    if let Some((flag, value)) = word.split_once('=') {
        return flag.starts_with("--").then(|| (flag.to_owned(), value));
    }
    let tidy = |word: &str| word.trim_matches(['"', '\'', ',', '[', ']']).to_owned();
    let before = line[..line.len() - word.len()].trim_end_matches(['"', '\'', '[']);
    if before.trim() == "-" || before.trim().is_empty() {
        // The line above, unless it belongs to another list.
        let above = text[..start].lines().next_back()?;
        let same = before.trim() == "-" && above.trim_start().starts_with('-') || before.trim().is_empty();
        let last = tidy(above.trim_end().trim_end_matches('\\').split_whitespace().next_back()?);
        return (same && last.starts_with("--") && !last.contains('=')).then_some((last, word));
    }
    let last = tidy(before.trim_end_matches([',', ' ']).split([' ', '\t', ',']).rfind(|w| !w.trim().is_empty())?);
    (last.starts_with("--") && !last.contains('=')).then_some((last, word))
}

/// The option whose JSON is being typed, when a key is due.
pub(super) fn json_key(text: &str, offset: usize) -> Option<(&'static str, &str)> {
    let window = &text[..offset];
    let flag = json::flags().filter_map(|f| Some((window.rfind(f)?, f))).max()?;
    let behind = &window[flag.0 + flag.1.len()..];
    let open = behind.find('{')?;
    let object = &behind[open..];
    let depth = object.matches('{').count().checked_sub(object.matches('}').count())?;
    let quote = object.rfind('"')?;
    let word = &object[quote + 1..];
    let before = object[..quote].trim_end().trim_end_matches('\\').trim_end();
    let due = before.ends_with('{') || before.ends_with(',');
    let plain = word.chars().all(|c| c.is_alphanumeric() || c == '_');
    (depth == 1 && due && plain && behind.len() < 4096).then_some((flag.1, word))
}

/// The mapping that an entry being typed stands in: `configMapKeyRef` for `configMapKeyRef: {name: …` and for a line below
/// `configMapKeyRef:`.
pub(super) fn holder<'a>(text: &'a str, start: usize, line: &'a str, key: &str) -> Option<&'a str> {
    let name = |text: &'a str| {
        let text = text.trim_end().strip_suffix(':')?;
        text.rsplit([' ', '{', ',']).next().filter(|name| !name.is_empty())
    };
    let before = &line[..line.rfind(&format!("{key}:"))?];
    if let Some(open) = before.rfind('{') {
        return name(&before[..open]);
    }
    let least = indent(line);
    let above = text[..start].lines().rev().filter(|above| !above.trim().is_empty());
    name(above.into_iter().find(|above| indent(above) < least)?)
}

/// Whether an item of a list of arguments is due on a line, of which nothing is there but the dash.
pub(super) fn in_args(text: &str, start: usize, line: &str) -> bool {
    let dash = indent(line);
    let mut above = text[..start].lines().rev().filter(|above| !above.trim().is_empty());
    let key =
        above.find(|above| indent(above) < dash || (indent(above) == dash && !above.trim_start().starts_with('-')));
    line.trim() == "-" && key.is_some_and(|key| key.trim().trim_start_matches("- ") == "args:")
}

/// The variable that a script is setting: its name as far as it is typed, and its value when that is.
pub(super) fn exported(line: &str) -> Option<(&str, Option<&str>)> {
    let at = line.rfind("export ")?;
    let word = &line[at + 7..];
    let starts = line[..at].trim_end();
    let first = starts.is_empty() || starts.ends_with([';', '&', '|', '"', '\'', '-']);
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (first && plain && !word.contains([' ', ';', '$'])).then_some((name, value))
}

/// The key of an option's JSON whose value is being typed, in quotes or not.
pub(super) fn json_value(text: &str, offset: usize) -> Option<(&'static str, &str, &str)> {
    let window = &text[..offset];
    let colon = window.rfind(':')?;
    let word = window[colon + 1..].trim_start().trim_start_matches('\\').trim_start_matches('"');
    let key = window[..colon].trim_end().strip_suffix('"')?.trim_end_matches('\\');
    let quote = key.rfind('"')?;
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (flag, _) = json_key(text, quote + 1).filter(|_| plain)?;
    Some((flag, &key[quote + 1..], word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_behind_keys() {
        assert_eq!(value_of("  - name: UC", "name"), Some("UC"));
        assert_eq!(value_of("  - { name: \"UC", "name"), Some("UC"));
        assert_eq!(value_of("  value:", "value"), Some(""));
        assert_eq!(value_of("  - {name: X, value: ", "value"), Some(""));
        assert_eq!(value_of("  name: done }", "name"), None);
        assert_eq!(value_of("  hostname: x", "name"), None);
    }

    #[test]
    fn lists_of_variables() {
        let in_env = |text: &str| in_env(text, text.rfind('\n').map_or(0, |at| at + 1));
        assert!(in_env("a:\n  env:\n    - name: "));
        assert!(in_env("a:\n  env:\n  - name: "));
        assert!(in_env("a:\n  envs:\n    - name: X\n      value: y\n    - name: "));
        assert!(in_env("  env:\n    - value: y\n      name: "));
        assert!(in_env("  env: [{name: "));
        assert!(!in_env("a:\n  containers:\n    - name: "));
        assert!(!in_env("env:\n  - name: X\nmetadata:\n  name: "));
        assert!(!in_env("      env:\n        - name: X\n          value: y\n    - name: "));
    }

    #[test]
    fn names_beside_values() {
        let sibling = |text: &str| sibling(text, text.rfind('\n').map_or(0, |at| at + 1));
        assert_eq!(sibling("  - name: X\n    value: ").as_deref(), Some("X"));
        assert_eq!(sibling("  - name: X\n    value: y\n  - value: "), None);
        assert_eq!(super::sibling("  - value: \n    name: 'X'\n", 0).as_deref(), Some("X"));
        assert_eq!(super::sibling("- {name: X, value: }\n", 0).as_deref(), Some("X"));
    }

    #[test]
    fn options_and_their_values() {
        assert_eq!(option_word("  args: [--rou"), Some("--rou"));
        assert_eq!(option_word("    - --rou"), Some("--rou"));
        assert_eq!(option_word("    -"), None);
        assert_eq!(option_word("    run --router-mode=k"), None);
        let value = |text: &'static str| {
            let start = text.rfind('\n').map_or(0, |at| at + 1);
            option_value(text, start, &text[start..])
        };
        let mode = |word| Some(("--router-mode".to_owned(), word));
        assert_eq!(value("run --router-mode=k"), mode("k"));
        assert_eq!(value("run --router-mode k"), mode("k"));
        assert_eq!(value("args: [\"--router-mode\", \"k"), mode("k"));
        assert_eq!(value("  - --router-mode\n  - "), mode(""));
        assert_eq!(value("  run --router-mode \\\n    k"), mode("k"));
        assert_eq!(value("  - --router-mode kv\n  - "), None);
        assert_eq!(value("  name: x"), None);
    }

    #[test]
    fn what_an_entry_stands_in() {
        let of = |text: &'static str, key: &str| {
            let start = text.rfind('\n').map_or(0, |at| at + 1);
            holder(text, start, &text[start..], key)
        };
        assert_eq!(of("    valueFrom: {configMapKeyRef: {name: x", "name"), Some("configMapKeyRef"));
        assert_eq!(of("  valueFrom: {configMapKeyRef: {name: x, key: ", "key"), Some("configMapKeyRef"));
        assert_eq!(of("  configMapKeyRef:\n    key: a\n    name: ", "name"), Some("configMapKeyRef"));
        assert_eq!(of("  env:\n    - name: ", "name"), Some("env"));
        assert_eq!(of("  env: [{name: ", "name"), None);
    }

    #[test]
    fn items_of_arguments() {
        let due = |text: &str| {
            let start = text.rfind('\n').map_or(0, |at| at + 1);
            in_args(text, start, &text[start..])
        };
        assert!(due("  args:\n    - --x\n    - "));
        assert!(due("  args:\n  - "));
        assert!(!due("  args:\n    - x"));
        assert!(!due("  env:\n    - "));
    }

    #[test]
    fn variables_of_scripts() {
        assert_eq!(exported("    export UC"), Some(("UC", None)));
        assert_eq!(exported("  cd /x && export UCX_TLS=rc,"), Some(("UCX_TLS", Some("rc,"))));
        assert_eq!(exported("  export A=b C"), None);
        assert_eq!(exported("  noexport A"), None);
    }

    #[test]
    fn values_of_json() {
        let value = |text: &'static str| json_value(text, text.len());
        let role = |word| Some(("--kv-transfer-config", "kv_role", word));
        assert_eq!(value("--kv-transfer-config '{\"a\": 1, \"kv_role\": \"kv_"), role("kv_"));
        assert_eq!(value("--kv-transfer-config \"{\\\"kv_role\\\":\\\""), role(""));
        assert_eq!(value("--kv-transfer-config '{\"a\": {\"kv_role\": \"kv_"), None);
        assert_eq!(value("name: \"x"), None);
    }

    #[test]
    fn keys_of_json() {
        let key = |text: &'static str| json_key(text, text.len());
        assert_eq!(key("--kv-transfer-config '{\"kv_c"), Some(("--kv-transfer-config", "kv_c")));
        assert_eq!(key("--kv-events-config '{\"publisher\":\"zmq\", \""), Some(("--kv-events-config", "")));
        assert_eq!(key("--kv-events-config '{\"publisher\":\"z"), None);
        assert_eq!(key("--kv-events-config '{\"a\":1}' \""), None);
    }
}
