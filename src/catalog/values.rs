//! Value grammars of NIXL, libfabric, TensorRT-LLM, KVBM and Dynamo itself.

use super::scan::{decimal, float, is_space};
use super::{Expected, Reading, nearest_of, words};

const fn strip(value: &str) -> &str {
    value.trim_ascii()
}

fn is_any(value: &str, words: &[&str]) -> bool {
    words.iter().any(|w| value.eq_ignore_ascii_case(w))
}

fn yes_no(value: &str, yes: &str, no: &str) -> Option<String> {
    let word = value.trim_matches(|c: char| is_space(c) || matches!(c, '"' | '\'')).to_ascii_lowercase();
    match word.as_str() {
        "true" | "t" | "y" | "yes" | "on" | "1" | "enable" | "enabled" => Some(yes.to_owned()),
        "false" | "f" | "n" | "no" | "off" | "0" | "disable" | "disabled" | "none" => Some(no.to_owned()),
        other => nearest_of(other, ["true", "false"], 2).map(|w| if w == "true" { yes } else { no }.to_owned()),
    }
}

/// NIXL: anything outside its words throws (`src/utils/common/configuration.*`).
///
/// # Errors
///
/// Says what is legal.
pub fn nixl_bool(value: &str) -> Result<(), Expected> {
    const WORDS: &[&str] = &["y", "yes", "on", "1", "true", "enable", "n", "no", "off", "0", "false", "disable"];
    if is_any(value, WORDS) {
        return Ok(());
    }
    Err(Expected::rejected("`y`, `yes`, `on`, `1`, `true`, `enable` or their opposites", yes_no(value, "y", "n")))
}

/// libfabric: a word outside the list leaves the default (`src/var.c`).
///
/// # Errors
///
/// Says what is legal.
pub fn fi_bool(value: &str) -> Result<(), Expected> {
    if is_any(value, &["0", "false", "no", "off", "1", "true", "yes", "on"]) {
        return Ok(());
    }
    let suggestion = yes_no(value, "1", "0");
    Err(Expected {
        legal: "`1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`".into(),
        suggestion,
        reading: Reading::Ignored,
    })
}

/// libfabric: `strtol`, whose failure nobody looks at, so that a word is 0 (`src/var.c`).
///
/// # Errors
///
/// Says what is legal.
pub fn fi_int(value: &str) -> Result<(), Expected> {
    match super::nccl::parse_int(value) {
        Some((_, true)) => Ok(()),
        read => {
            let read = read.map_or(0, |(number, _)| number).to_string();
            Err(Expected::read_as("an integer", yes_no(value, "1", "0"), read))
        }
    }
}

/// SGLang `EnvBool`: an unknown word leaves the default, with a warning (`srt/environ.py`). `on` and `off`, which not every
/// release takes, pass.
///
/// # Errors
///
/// Says what is legal.
pub fn sglang_bool(value: &str) -> Result<(), Expected> {
    if is_any(value, &["true", "1", "yes", "y", "false", "0", "no", "n", "on", "off"]) {
        return Ok(());
    }
    let legal = "`true`, `1`, `yes`, `y` or `false`, `0`, `no`, `n`".to_owned();
    Err(Expected { legal, suggestion: yes_no(value, "true", "false"), reading: Reading::Ignored })
}

/// One of a few words; the empty value of a case-insensitive one counts as unset.
///
/// # Errors
///
/// Says what is legal.
pub fn one_of(value: &str, legal: &[&str], exact: bool) -> Result<(), Expected> {
    if legal.iter().any(|l| if exact { *l == value } else { l.eq_ignore_ascii_case(value) }) {
        return Ok(());
    }
    // where only one word does anything, a yes means that word and a no says what happens anyway
    let only = match legal {
        [only] => yes_no(value, only, ""),
        _ => None,
    };
    if only.as_deref() == Some("") || (value.is_empty() && !exact) {
        return Ok(());
    }
    let suggestion = only.or_else(|| {
        let lower = strip(value).to_ascii_lowercase();
        let exactly = legal.iter().find(|l| l.eq_ignore_ascii_case(&lower)).copied();
        let near =
            || legal.iter().copied().find(|l| nearest_of(&lower, [l.to_ascii_lowercase().as_str()], 2).is_some());
        exactly.or_else(near).map(str::to_owned)
    });
    Err(Expected { legal: words(legal), suggestion, reading: Reading::Ignored })
}

/// TensorRT-LLM `getBoolEnv`: true for exactly `1` (`cpp/tensorrt_llm/common/envUtils.cpp`).
///
/// # Errors
///
/// Says so, and whether the value was meant as a yes; `0` and the empty value are fine.
pub fn exactly_one(value: &str) -> Result<(), Expected> {
    match value {
        "1" | "0" | "" => Ok(()),
        _ => Err(Expected::read_as("exactly `1` for true", yes_no(value, "1", "0"), "false")),
    }
}

/// TensorRT-LLM `parseMemorySize`: a number and `b`, `kb`, `mb`, `gb` or `tb`; without the unit it throws.
///
/// # Errors
///
/// Says what is legal.
pub fn size_with_unit(value: &str) -> Result<(), Expected> {
    const LEGAL: &str = "a number with `B`, `KB`, `MB`, `GB` or `TB`";
    let Some((number, unit)) = float(value) else { return Err(Expected::rejected(LEGAL, None)) };
    let unit = unit.trim_matches(is_space);
    if is_any(unit, &["b", "kb", "mb", "gb", "tb"]) {
        return Ok(());
    }
    let suggestion = match unit.to_ascii_lowercase().as_str() {
        "" if number.parse::<u32>().is_ok_and(|n| n < 65_536) => Some(format!("{number}MB")),
        "k" | "ki" | "kib" => Some(format!("{number}KB")),
        "m" | "mi" | "mib" => Some(format!("{number}MB")),
        "g" | "gi" | "gib" => Some(format!("{number}GB")),
        _ => None,
    };
    Err(Expected::rejected(LEGAL, suggestion))
}

/// An unsigned integer up to and including `max`.
///
/// # Errors
///
/// Says what is legal.
pub fn uint(value: &str, max: u64) -> Result<(), Expected> {
    let legal = if max == u64::MAX { "an unsigned integer".to_owned() } else { format!("an integer from 0 to {max}") };
    match decimal(value) {
        Some((number, rest)) if rest.chars().all(is_space) && number.trim().parse::<u64>().is_ok_and(|n| n <= max) => {
            Ok(())
        }
        _ => Err(Expected::rejected(legal, None)),
    }
}

/// Dynamo's Python side: true for `true`, `1`, `yes`, `on` in any case and trimmed, false for *everything else*
/// (`components/src/dynamo/common/configuration/utils.py:74-75`). The value read, and whether its word is one that means
/// something.
#[must_use = "the value read says nothing about whether it was meant"]
pub fn python_bool(value: &str) -> (bool, Result<(), Expected>) {
    let word = value.trim();
    if is_any(word, &["true", "1", "yes", "on"]) {
        return (true, Ok(()));
    }
    if is_any(word, &["false", "0", "no", "off"]) {
        return (false, Ok(()));
    }
    let legal = "`true`, `1`, `yes`, `on` or `false`, `0`, `no`, `off`";
    (false, Err(Expected::read_as(legal, yes_no(word, "true", "false"), "false")))
}

/// Dynamo's Rust side: `1`, `true`, `on`, `yes` or `0`, `false`, `off`, `no`; an unknown word and the empty value keep the
/// default (`lib/truthy/src/lib.rs:22-45,68`). `None` = the default.
#[must_use = "the value read says nothing about whether it was meant"]
pub fn rust_bool(value: &str) -> (Option<bool>, Result<(), Expected>) {
    let word = value.trim();
    if is_any(word, &["1", "true", "on", "yes"]) {
        return (Some(true), Ok(()));
    }
    if is_any(word, &["0", "false", "off", "no"]) {
        return (Some(false), Ok(()));
    }
    if word.is_empty() {
        return (None, Ok(()));
    }
    let legal = "`1`, `true`, `on`, `yes` or `0`, `false`, `off`, `no`".to_owned();
    (None, Err(Expected { legal, suggestion: yes_no(word, "true", "false"), reading: Reading::Ignored }))
}

/// KVBM back ends: an unknown word is an error (`lib/memory/src/nixl/config.rs:64-102`).
///
/// # Errors
///
/// Says what is legal.
pub fn kvbm_bool(value: &str) -> Result<(), Expected> {
    if is_any(value, &["true", "false", "1", "0", "on", "off", "yes", "no"]) {
        return Ok(());
    }
    Err(Expected::rejected("`true`, `1`, `on`, `yes` or `false`, `0`, `off`, `no`", yes_no(value, "true", "false")))
}

/// Python's digits: underscores stand between two of them.
fn digits(text: &str) -> Option<String> {
    let digit = |side: Option<&str>, last: bool| {
        let byte = side.map(str::as_bytes).and_then(|s| if last { s.last() } else { s.first() });
        byte.is_some_and(u8::is_ascii_digit)
    };
    let between =
        text.match_indices('_').all(|(at, _)| digit(text.get(..at), true) && digit(text.get(at + 1..), false));
    (between && !text.is_empty()).then(|| text.replace('_', ""))
}

/// Python's `int` of a text (vLLM `envs.py`: `bool(int(os.getenv(…)))`), which raises on anything else.
///
/// # Errors
///
/// Says what is legal.
pub fn python_int(value: &str) -> Result<(), Expected> {
    let word = value.trim();
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    match digits(unsigned) {
        Some(plain) if plain.chars().all(|c| c.is_ascii_digit()) => Ok(()),
        _ => Err(Expected::rejected("an integer", yes_no(value, "1", "0"))),
    }
}

/// Python's `float` of a text, which raises on anything else.
///
/// # Errors
///
/// Says what is legal.
pub fn python_float(value: &str) -> Result<(), Expected> {
    // Rust's numbers are Python's but for the underscores.
    match digits(value.trim()) {
        Some(plain) if plain.parse::<f64>().is_ok() => Ok(()),
        _ => Err(Expected::rejected("a number", None)),
    }
}

/// A switch that is on for some words and off for all others (vLLM `envs.py`: `os.getenv(…).lower() in ("1", "true")`): another
/// word for yes is read as no.
///
/// # Errors
///
/// Says what is legal.
pub fn on(value: &str, on: &[&str], exact: bool) -> Result<(), Expected> {
    if on.iter().any(|word| if exact { *word == value } else { word.eq_ignore_ascii_case(value.trim()) }) {
        return Ok(());
    }
    match (yes_no(value, "yes", "no").as_deref(), on) {
        (Some("yes"), [first, ..]) => Err(Expected::read_as(words(on), Some((*first).to_owned()), "off")),
        _ => Ok(()),
    }
}

/// A JSON object with strings as values (SGLang `srt/disaggregation/nixl/conn.py:423-433`).
///
/// # Errors
///
/// Says what is legal.
pub fn json_string_map(value: &str) -> Result<(), Expected> {
    const LEGAL: &str = "a JSON object whose values are all strings";
    match serde_json::from_str::<serde_json::Value>(value) {
        Ok(serde_json::Value::Object(map)) if map.values().all(serde_json::Value::is_string) => Ok(()),
        Ok(serde_json::Value::Object(map)) => {
            let plain = |v: &serde_json::Value| v.is_string() || v.is_number() || v.is_boolean();
            let suggestion = map.values().all(plain).then(|| {
                let quoted: serde_json::Map<_, _> = map
                    .into_iter()
                    .map(|(k, v)| match v {
                        serde_json::Value::String(_) => (k, v),
                        other => (k, serde_json::Value::String(other.to_string())),
                    })
                    .collect();
                serde_json::Value::Object(quoted).to_string()
            });
            Err(Expected::rejected(LEGAL, suggestion))
        }
        _ => Err(Expected::rejected(LEGAL, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&str) -> Result<(), Expected>;

    fn told(check: Check, value: &str) -> Expected {
        check(value).expect_err(value)
    }

    #[test]
    fn booleans_of_each_reader() {
        for value in ["y", "Yes", "ON", "1", "true", "enable", "n", "no", "off", "0", "FALSE", "disable"] {
            assert_eq!(nixl_bool(value), Ok(()), "{value}");
        }
        for (value, right) in [("enabled", Some("y")), ("ture", Some("y")), ("", None), ("2", None), (" y", Some("y"))]
        {
            assert_eq!(told(nixl_bool, value).suggestion.as_deref(), right, "{value}");
        }
        for value in ["0", "false", "no", "off", "1", "TRUE", "yes", "on"] {
            assert_eq!(fi_bool(value), Ok(()), "{value}");
        }
        assert_eq!(told(fi_bool, "y").suggestion.as_deref(), Some("1"));
        assert_eq!(kvbm_bool("True"), Ok(()));
        assert_eq!(told(kvbm_bool, "y").suggestion.as_deref(), Some("true"));
        assert!(told(kvbm_bool, "maybe").suggestion.is_none());
    }

    #[test]
    fn python_and_rust_read_unknown_words_in_opposite_ways() {
        for value in ["true", "True", " yes ", "1", "on"] {
            assert_eq!(python_bool(value), (true, Ok(())), "{value}");
            assert_eq!(rust_bool(value), (Some(true), Ok(())), "{value}");
        }
        for value in ["false", "0", "No", "off"] {
            assert_eq!(python_bool(value), (false, Ok(())), "{value}");
            assert_eq!(rust_bool(value), (Some(false), Ok(())), "{value}");
        }
        for (value, right) in
            [("ture", Some("true")), ("enabled", Some("true")), ("y", Some("true")), ("t", Some("true")), ("2", None)]
        {
            let (read, result) = python_bool(value);
            assert!(!read, "{value}");
            let told = result.expect_err(value);
            assert_eq!(told.suggestion.as_deref(), right, "{value}");
            assert_eq!(told.reading, Reading::ReadAs("false".into()));
            let (read, result) = rust_bool(value);
            assert_eq!(read, None, "{value}");
            assert_eq!(result.expect_err(value).reading, Reading::Ignored);
        }
        assert!(python_bool("").1.is_err(), "empty is a silent false");
        assert_eq!(rust_bool(""), (None, Ok(())));
    }

    #[test]
    fn trtllm_words() {
        for value in ["1", "0", ""] {
            assert_eq!(exactly_one(value), Ok(()));
        }
        assert_eq!(told(exactly_one, "true").suggestion.as_deref(), Some("1"));
        assert_eq!(told(exactly_one, "TRUE").reading, Reading::ReadAs("false".into()));
        for value in ["512MB", "1gb", "1.5GB", "1024 kb", "7b"] {
            assert_eq!(size_with_unit(value), Ok(()), "{value}");
        }
        for (value, right) in
            [("512", Some("512MB")), ("1GiB", Some("1GB")), ("536870912", None), ("big", None), ("", None)]
        {
            assert_eq!(told(size_with_unit, value).suggestion.as_deref(), right, "{value}");
        }
    }

    #[test]
    fn words_and_numbers() {
        assert_eq!(one_of("info", &["INFO", "WARN"], false), Ok(()));
        assert_eq!(one_of("inof", &["INFO", "WARN"], false).unwrap_err().suggestion.as_deref(), Some("INFO"));
        assert_eq!(one_of("ucx", &["UCX", "LIBFABRIC"], true).unwrap_err().suggestion.as_deref(), Some("UCX"));
        assert_eq!(one_of("1", &["enabled"], true).unwrap_err().suggestion.as_deref(), Some("enabled"));
        assert_eq!(one_of("0", &["enabled"], true), Ok(()), "off is what it is anyway");
        assert_eq!(one_of("", &["INFO"], false), Ok(()));
        assert!(one_of("", &["UCX", "LIBFABRIC"], true).is_err());
        assert_eq!(uint("19090", 65_535), Ok(()));
        for value in ["65536", "-1", "x", "", "90 90"] {
            assert!(uint(value, 65_535).is_err(), "{value}");
        }
        assert_eq!(fi_int("1"), Ok(()));
        assert_eq!(told(fi_int, "true").suggestion.as_deref(), Some("1"));
        assert_eq!(told(fi_int, "true").reading, Reading::ReadAs("0".into()));
        assert_eq!(sglang_bool("True"), Ok(()));
        assert_eq!(told(sglang_bool, "enabled").suggestion.as_deref(), Some("true"));
    }

    #[test]
    fn nixl_parameters_are_strings() {
        assert_eq!(json_string_map("{}"), Ok(()));
        assert_eq!(json_string_map(r#"{"num_threads": "4"}"#), Ok(()));
        let told = json_string_map(r#"{"num_threads": 4}"#).unwrap_err();
        assert_eq!(told.suggestion.as_deref(), Some(r#"{"num_threads":"4"}"#));
        for value in ["", "[]", "{", "{\"a\": {\"b\": 1}}"] {
            assert_eq!(json_string_map(value).unwrap_err().suggestion, None, "{value}");
        }
    }
}
