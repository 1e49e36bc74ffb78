//! What a scalar is: the two readers that recipes meet disagree, so each has its own table.
//!
//! `kubectl` and the API server read manifests with `sigs.k8s.io/yaml`: go-yaml v2 (`resolve.go`) and then JSON, where a
//! float without a fraction is an integer again. Engine configs inside ConfigMaps are read by Python processes with
//! PyYAML's safe loader (`resolver.py`).

use std::sync::Arc;

use super::{Style, Typed};

/// Who reads a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `kubectl` and the API server.
    Kubernetes,
    /// PyYAML's safe loader.
    Python,
}

/// Core tags that force a type; every other tag makes a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// No tag: the style and the text decide.
    None,
    /// `!!str`, `!`, and everything unknown.
    Str,
    /// `!!bool`
    Bool,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!null`
    Null,
    /// `!!merge`
    Merge,
}

impl Tag {
    /// The tag of a core-schema suffix (`str` of `!!str`).
    pub(super) fn of_core(suffix: Option<&str>) -> Self {
        match suffix {
            Some("bool") => Self::Bool,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("null") => Self::Null,
            Some("merge") => Self::Merge,
            _ => Self::Str,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::None | Self::Str | Self::Merge => "!!str",
            Self::Bool => "!!bool",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Null => "!!null",
        }
    }
}

/// Types a scalar.
///
/// # Errors
/// When a core tag does not fit the text, which go-yaml refuses to read: what is wrong.
pub(super) fn typed(dialect: Dialect, tag: Tag, style: Style, text: &str) -> Result<Typed, String> {
    if tag == Tag::Str || tag == Tag::Merge || (tag == Tag::None && style != Style::Plain) {
        return Ok(Typed::Str);
    }
    let typed = match dialect {
        Dialect::Kubernetes => kubernetes(text),
        Dialect::Python => python(text),
    };
    let fits = match tag {
        Tag::Bool => matches!(typed, Typed::Bool(_)),
        Tag::Int => matches!(typed, Typed::Int(_)) && !(dialect == Dialect::Kubernetes && is_go_float(text)),
        Tag::Float => matches!(typed, Typed::Float(_) | Typed::Int(_)),
        Tag::Null => typed == Typed::Null,
        Tag::None | Tag::Str | Tag::Merge => true,
    };
    if fits {
        return Ok(typed);
    }
    match dialect {
        Dialect::Kubernetes => Err(format!("`{text}` cannot be read as `{}`", tag.name())),
        Dialect::Python => Ok(Typed::Str),
    }
}

/// Whether an unquoted scalar is the merge key.
pub(super) fn is_merge(tag: Tag, style: Style, text: &str) -> bool {
    text == "<<" && (tag == Tag::Merge || (tag == Tag::None && style == Style::Plain))
}

/// The name of a key that is no string, as `sigs.k8s.io/yaml` writes it into JSON; `None` when it is the text itself.
///
/// # Errors
/// When that library refuses such a key: what is wrong.
pub(super) fn key_name(dialect: Dialect, typed: &Typed, text: &str) -> Result<Option<Arc<str>>, String> {
    match (dialect, typed) {
        (_, Typed::Str) | (Dialect::Python, Typed::Null | Typed::Float(_)) => Ok(None),
        (_, Typed::Bool(value)) => Ok(Some(Arc::from(if *value { "true" } else { "false" }))),
        (Dialect::Kubernetes, Typed::Null) => Err("a key must not be null".to_owned()),
        (Dialect::Kubernetes, Typed::Float(value)) => Ok(Some(Arc::from(float_key(*value)))),
        (Dialect::Kubernetes, Typed::Int(_)) if is_go_float(text) => {
            Ok(go_float(text).map(|value| Arc::from(float_key(value))))
        }
        (Dialect::Kubernetes, Typed::Int(value)) if value.get() > i128::from(i64::MAX) => {
            Err(format!("`{text}` is too large for a key"))
        }
        (_, Typed::Int(value)) => {
            let name = value.get().to_string();
            Ok((name != text).then(|| Arc::from(name)))
        }
    }
}

/// go-yaml v2's table for unquoted scalars, then what JSON makes of floats.
fn kubernetes(text: &str) -> Typed {
    let Some(&first) = text.as_bytes().first() else { return Typed::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Typed::Bool(true),
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Typed::Bool(false),
            "~" | "null" | "Null" | "NULL" => Typed::Null,
            _ => Typed::Str,
        },
        b'.' | b'+' | b'-' | b'0'..=b'9' => special_float(text).or_else(|| number(text)).unwrap_or(Typed::Str),
        _ => Typed::Str,
    }
}

fn special_float(text: &str) -> Option<Typed> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(Typed::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(Typed::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => Some(Typed::Float(f64::NEG_INFINITY)),
        _ => None,
    }
}

fn number(text: &str) -> Option<Typed> {
    if let Some(value) = go_int(text) {
        return Some(Typed::Int(value.into()));
    }
    let value = go_float(text)?;
    // JSON has one kind of number: `1.0`, `1e3` and `08` reach the API server as `1`, `1000` and `8`.
    if value.fract() == 0.0 && value.abs() < 9.0e18 {
        #[expect(clippy::cast_possible_truncation, reason = "in the range of i64")]
        return Some(Typed::Int((value as i128).into()));
    }
    Some(Typed::Float(value))
}

/// `strconv.ParseInt(text, 0, 64)`, then `ParseUint`, with underscores taken out before, as go-yaml does.
fn go_int(text: &str) -> Option<i128> {
    if text.starts_with('.') {
        return None;
    }
    let plain = without_underscores(text);
    let (negative, digits) = match plain.as_bytes()[0] {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, &*plain),
    };
    let signed = digits.len() != plain.len();
    let bytes = digits.as_bytes();
    let (radix, digits) = match bytes {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -value } else { value };
    let limit = if signed { i128::from(i64::MAX) } else { i128::from(u64::MAX) };
    (i128::from(i64::MIN)..=limit).contains(&value).then_some(value)
}

/// go-yaml's `yamlStyleFloat` and `ParseFloat`.
fn go_float(text: &str) -> Option<f64> {
    // Underscores are taken out of all numbers but those that start with the point.
    let plain = if text.starts_with('.') { std::borrow::Cow::Borrowed(text) } else { without_underscores(text) };
    if !is_style_float(&plain) {
        return None;
    }
    plain.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn is_go_float(text: &str) -> bool {
    go_int(text).is_none() && go_float(text).is_some()
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_style_float(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    let digits = |from: usize| rest[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(0);
    let mut at = whole;
    if rest.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole == 0 && fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return false;
    }
    if matches!(rest.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(rest.get(at + 1), Some(b'-' | b'+')));
        let exponent = rest.get(at..).map_or(0, |_| digits(at));
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == rest.len()
}

fn without_underscores(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() > 1 && text.contains('_') { text.replace('_', "").into() } else { text.into() }
}

/// `strconv.FormatFloat(value, 'g', -1, 32)` with YAML's names for what is not finite.
fn float_key(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "that is what the library does")]
    let short = value as f32;
    if short.is_nan() {
        return ".nan".to_owned();
    }
    if short.is_infinite() {
        return if short > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{short:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // The shortest form decides with a precision of 6.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{short}")
}

/// PyYAML's implicit resolvers. Dates and base 60 are left as strings: nothing here needs them.
fn python(text: &str) -> Typed {
    let Some(&first) = text.as_bytes().first() else { return Typed::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => match text {
            "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Typed::Bool(true),
            "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Typed::Bool(false),
            "~" | "null" | "Null" | "NULL" => Typed::Null,
            _ => Typed::Str,
        },
        b'.' | b'+' | b'-' | b'0'..=b'9' => special_float(text)
            .or_else(|| python_int(text).map(|value| Typed::Int(value.into())))
            .or_else(|| python_float(text).map(Typed::Float))
            .unwrap_or(Typed::Str),
        _ => Typed::Str,
    }
}

/// `[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+`
fn python_int(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (radix, body) = match digits.as_bytes() {
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        [b'0'..=b'9', ..] => (10, digits),
        _ => return None,
    };
    let value = i128::from_str_radix(&body.replace('_', ""), radix).ok()?;
    if body.starts_with(['+', '-']) {
        return None;
    }
    Some(if text.starts_with('-') { -value } else { value })
}

/// `[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?`
fn python_float(text: &str) -> Option<f64> {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, tail) = rest.split_once('.')?;
    let (fraction, exponent) = match tail.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (tail, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let starts = |s: &str| s.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    if whole.is_empty() && (!starts(fraction) || rest.len() != text.len()) || (!whole.is_empty() && !starts(whole)) {
        return None;
    }
    if let Some(exponent) = exponent {
        let power = exponent.strip_prefix(['-', '+'])?;
        if power.is_empty() || !power.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn k(text: &str) -> Typed {
        kubernetes(text)
    }

    #[test]
    fn kubernetes_booleans_and_nulls() {
        for text in ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"] {
            assert_eq!(k(text), Typed::Bool(true), "{text}");
        }
        for text in ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"] {
            assert_eq!(k(text), Typed::Bool(false), "{text}");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(k(text), Typed::Null, "{text}");
        }
        for text in ["yEs", "tRUE", "nULL", "oN", "yes ", "nope", "none"] {
            assert_eq!(k(text), Typed::Str, "{text}");
        }
    }

    #[test]
    fn kubernetes_numbers() {
        for (text, value) in [
            ("0", 0),
            ("017", 15),
            ("0o17", 15),
            ("0O17", 15),
            ("0b11", 3),
            ("0B11", 3),
            ("-0b11", -3),
            ("1_000", 1000),
            ("0x1F", 31),
            ("0x1_F", 31),
            ("-0x1F", -31),
            ("08", 8),
            ("-017", -15),
            ("+12", 12),
            ("1e3", 1000),
            ("1.0", 1),
            ("1.", 1),
            ("-0", 0),
            ("18446744073709551615", u64::MAX as i128),
            ("-9223372036854775808", i64::MIN as i128),
        ] {
            assert_eq!(k(text), Typed::Int(value.into()), "{text}");
        }
        for (text, value) in [
            ("0.5", 0.5),
            (".5", 0.5),
            ("-.5", -0.5),
            ("1_0.5", 10.5),
            ("1.5e-3", 0.0015),
            ("99999999999999999999", 1e20),
            (".inf", f64::INFINITY),
            ("-.INF", f64::NEG_INFINITY),
        ] {
            assert_eq!(k(text), Typed::Float(value), "{text}");
        }
        assert!(matches!(k(".nan"), Typed::Float(v) if v.is_nan()));
        for text in [
            "2020-01-01",
            "12:30",
            "1.2.3",
            "v1",
            "1e400",
            "0x",
            "0xg",
            "-",
            "+",
            ".",
            "._5",
            ".e3",
            "1e",
            "1e+",
            "0b2",
            "--1",
            "+-1",
            "0x-1",
            "_1",
            "inf",
            "+inf",
            "0x1p-2",
            "-18446744073709551615e",
            "1,000",
            "８",
        ] {
            assert_eq!(k(text), Typed::Str, "{text}");
        }
    }

    #[test]
    fn keys_are_strings_in_the_end() {
        let name = |text: &str| {
            let typed = typed(Dialect::Kubernetes, Tag::None, Style::Plain, text).expect("typed");
            key_name(Dialect::Kubernetes, &typed, text).map(|n| n.map_or_else(|| text.to_owned(), |n| n.to_string()))
        };
        assert_eq!(name("y").as_deref(), Ok("true"));
        assert_eq!(name("off").as_deref(), Ok("false"));
        assert_eq!(name("8080").as_deref(), Ok("8080"));
        assert_eq!(name("017").as_deref(), Ok("15"));
        assert_eq!(name("08").as_deref(), Ok("8"));
        assert_eq!(name("1.5").as_deref(), Ok("1.5"));
        assert_eq!(name("1.0").as_deref(), Ok("1"));
        assert_eq!(name("1e6").as_deref(), Ok("1e+06"));
        assert_eq!(name("1e5").as_deref(), Ok("100000"));
        assert_eq!(name("0.00001").as_deref(), Ok("1e-05"));
        assert_eq!(name(".inf").as_deref(), Ok(".inf"));
        assert_eq!(name("12:30").as_deref(), Ok("12:30"));
        assert!(name("~").is_err());
        assert!(name("18446744073709551615").is_err());
    }

    #[test]
    fn tags_force_a_type_or_fail() {
        let t = |tag, style, text| typed(Dialect::Kubernetes, tag, style, text);
        assert_eq!(t(Tag::Str, Style::Plain, "12"), Ok(Typed::Str));
        assert_eq!(t(Tag::Int, Style::Double, "017"), Ok(Typed::Int(15.into())));
        assert_eq!(t(Tag::Float, Style::Plain, "1"), Ok(Typed::Int(1.into())));
        assert_eq!(t(Tag::Bool, Style::Single, "on"), Ok(Typed::Bool(true)));
        assert_eq!(t(Tag::None, Style::Single, "on"), Ok(Typed::Str));
        assert!(t(Tag::Int, Style::Plain, "foo").is_err());
        assert!(t(Tag::Int, Style::Plain, "1.0").is_err());
        assert!(t(Tag::Null, Style::Plain, "x").is_err());
        assert_eq!(Tag::of_core(Some("binary")), Tag::Str);
    }

    #[test]
    fn python_differs() {
        for (text, want) in [
            ("y", Typed::Str),
            ("n", Typed::Str),
            ("yes", Typed::Bool(true)),
            ("off", Typed::Bool(false)),
            ("017", Typed::Int(15.into())),
            ("0o17", Typed::Str),
            ("08", Typed::Str),
            ("0b11", Typed::Int(3.into())),
            ("1_000", Typed::Int(1000.into())),
            ("1e3", Typed::Str),
            ("1.0e3", Typed::Str),
            ("1.0e+3", Typed::Float(1000.0)),
            ("1.0", Typed::Float(1.0)),
            ("0.9", Typed::Float(0.9)),
            (".5", Typed::Float(0.5)),
            ("-.5", Typed::Str),
            ("", Typed::Null),
            (".inf", Typed::Float(f64::INFINITY)),
        ] {
            assert_eq!(python(text), want, "{text}");
        }
    }
}
