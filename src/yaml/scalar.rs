//! Plain scalars as `sigs.k8s.io/yaml` types them (go-yaml v2 `resolve.go`), which is not YAML 1.2: `on`, `y` and `no`
//! are booleans, `017` is octal, `1_000` is a number, dates stay strings.

use super::Typed;

/// Types an untagged plain scalar.
pub(super) fn resolve(text: &str) -> Typed {
    let Some(&first) = text.as_bytes().first() else { return Typed::Null };
    match first {
        b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => word(text),
        b'.' => dotted(text),
        b'0'..=b'9' | b'+' | b'-' => number(text),
        _ => Typed::Str,
    }
}

fn word(text: &str) -> Typed {
    match text {
        "~" | "null" | "Null" | "NULL" => Typed::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Typed::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Typed::Bool(false),
        _ => Typed::Str,
    }
}

fn dotted(text: &str) -> Typed {
    match text {
        ".nan" | ".NaN" | ".NAN" => Typed::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" => Typed::Float(f64::INFINITY),
        _ => float(text),
    }
}

fn number(text: &str) -> Typed {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => return Typed::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Typed::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let plain = if text.contains('_') { text.replace('_', "") } else { text.to_owned() };
    integer(&plain).map_or_else(|| float(&plain), Typed::Int)
}

/// Go's `strconv.ParseInt(s, 0, 64)` or `ParseUint`.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// go-yaml's float pattern: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn float(text: &str) -> Typed {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = body.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = &body[whole..];
    let mut fraction = 0;
    if let Some(tail) = rest.strip_prefix('.') {
        fraction = tail.bytes().take_while(u8::is_ascii_digit).count();
        rest = &tail[fraction..];
    }
    if whole == 0 && fraction == 0 {
        return Typed::Str;
    }
    if let Some(tail) = rest.strip_prefix(['e', 'E']) {
        let tail = tail.strip_prefix(['-', '+']).unwrap_or(tail);
        if tail.is_empty() || !tail.bytes().all(|b| b.is_ascii_digit()) {
            return Typed::Str;
        }
    } else if !rest.is_empty() {
        return Typed::Str;
    }
    text.parse().map_or(Typed::Str, Typed::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_strings_as_kubectl_reads_them() {
        for (text, want) in [
            ("on", Typed::Bool(true)),
            ("y", Typed::Bool(true)),
            ("N", Typed::Bool(false)),
            ("oN", Typed::Str),
            ("", Typed::Null),
            ("~", Typed::Null),
            ("017", Typed::Int(15)),
            ("0o17", Typed::Int(15)),
            ("0b11", Typed::Int(3)),
            ("1_000", Typed::Int(1000)),
            ("0x1F", Typed::Int(31)),
            ("-0x1F", Typed::Int(-31)),
            ("08", Typed::Float(8.0)),
            ("1e3", Typed::Float(1000.0)),
            ("1.5", Typed::Float(1.5)),
            (".5", Typed::Float(0.5)),
            ("5.", Typed::Float(5.0)),
            ("12:30", Typed::Str),
            ("2026-01-01", Typed::Str),
            ("1.2.3", Typed::Str),
            ("-", Typed::Str),
            ("+", Typed::Str),
            ("0x", Typed::Str),
            ("18446744073709551615", Typed::Int(i128::from(u64::MAX))),
            ("kv", Typed::Str),
        ] {
            assert_eq!(resolve(text), want, "{text}");
        }
    }
}
