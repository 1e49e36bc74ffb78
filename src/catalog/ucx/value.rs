//! One value against one UCX type. Every arm follows the `ucs_config_sscanf_*` of that type; what C's `sscanf` leaves
//! unread is reported as read differently, not as refused.

use crate::catalog::scan::{decimal, float, integer_base0, is_space};
use crate::catalog::{Expected, nearest_of, words};

/// Checks `value` against the UCX type `kind` as the data file spells it: `BOOL`, `ENUM(a|b)`, `KEY_VALUE(k,l;TIME)`, ….
/// A type that is not known accepts everything.
///
/// # Errors
///
/// Says what is legal, and what UCX makes of the value.
pub fn check(kind: &str, value: &str) -> Result<(), Expected> {
    let (name, detail) = match kind.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
        None => (kind, ""),
    };
    match name {
        "BOOL" => boolean(value, "`y`, `yes`, `on`, `1`, `n`, `no`, `off` or `0`", is_bool),
        "TERNARY" => boolean(value, "`y`, `n`, `try` or `maybe`", |v| is_bool(v) || is_any(v, &["try", "maybe"])),
        "TERNARY_AUTO" => {
            boolean(value, "`y`, `n`, `try` or `auto`", |v| is_bool(v) || is_any(v, &["try", "maybe", "auto"]))
        }
        "ON_OFF_AUTO" => {
            boolean(value, "`on`, `off` or `auto`", |v| is_bool(v) || is_any(v, &["on", "off", "try", "maybe", "auto"]))
        }
        "ENUM" => one_of(value, detail),
        "BITMAP" => each(value, |item| one_of(item, detail)),
        "TIME" => time(value, "a number with an optional `m`, `s`, `ms`, `us` or `ns`"),
        "TIME_UNITS" if matches!(value, "inf" | "auto") => Ok(()),
        "TIME_UNITS" => time(value, "a number with an optional `m`, `s`, `ms`, `us` or `ns`, or `inf`, or `auto`"),
        "MEMUNITS" => memory(value),
        "BW" => bandwidth(value),
        "ULUNITS" if is_any(value, &["inf", "auto"]) => Ok(()),
        "ULUNITS" => number(value, "an unsigned integer, `inf` or `auto`", decimal(value)),
        "UINT" if is_any(value, &["inf"]) => Ok(()),
        "UINT" => number(value, "an unsigned integer", decimal(value)),
        "ULONG" => number(value, "an unsigned integer", decimal(value)),
        "INT" => {
            let scanned = integer_base0(value).map(|(_, rest)| (&value[..value.len() - rest.len()], rest));
            number(value, "an integer", scanned)
        }
        "DOUBLE" => number(value, "a number", float(value)),
        "POS_DOUBLE" if is_any(value, &["auto"]) => Ok(()),
        "POS_DOUBLE" => match float(value) {
            Some((n, _)) if n.parse::<f64>().is_ok_and(|n| n <= 0.0) => {
                Err(Expected::rejected("a positive number or `auto`", None))
            }
            scanned => number(value, "a positive number or `auto`", scanned),
        },
        "HEX" => hexadecimal(value),
        "RANGE_SPEC" => range(value),
        "KEY_VALUE" => key_value(value, detail),
        "ARRAY" => each(value, |item| check(detail, item)),
        "ALLOW_LIST" | "ALLOW_LIST_RANGES" => allow_list(value),
        _ => Ok(()),
    }
}

fn is_any(value: &str, words: &[&str]) -> bool {
    words.iter().any(|w| value.eq_ignore_ascii_case(w))
}

/// `on` and `off` count in lower case only here (parser.c:246).
fn is_bool(value: &str) -> bool {
    is_any(value, &["y", "yes", "n", "no"]) || matches!(value, "on" | "1" | "off" | "0")
}

fn boolean(value: &str, legal: &str, accepts: impl Fn(&str) -> bool) -> Result<(), Expected> {
    if accepts(value) {
        return Ok(());
    }
    let word = value.trim_matches(|c: char| is_space(c) || c == '"' || c == '\'').to_ascii_lowercase();
    let suggestion = match word.as_str() {
        "true" | "t" | "enable" | "enabled" | "on" | "y" | "yes" | "1" => Some("y"),
        "false" | "f" | "disable" | "disabled" | "off" | "n" | "no" | "0" | "none" => Some("n"),
        other => [("try", "try"), ("maybe", "try"), ("auto", "auto")]
            .into_iter()
            .find(|(w, s)| *w == other && accepts(s))
            .map(|(_, s)| s),
    };
    Err(Expected::rejected(legal, suggestion.map(str::to_owned)))
}

fn one_of(value: &str, legal: &str) -> Result<(), Expected> {
    let all: Vec<&str> = legal.split('|').collect();
    if all.is_empty() || is_any(value, &all) {
        return Ok(());
    }
    let tidy =
        value.trim_matches(|c: char| is_space(c) || c == '"' || c == '\'').to_ascii_lowercase().replace('-', "_");
    let suggestion = all
        .iter()
        .copied()
        .find(|v| *v == tidy)
        .or_else(|| nearest_of(&tidy, all.iter().copied(), if tidy.len() > 4 { 2 } else { 1 }));
    Err(Expected::rejected(words(&all), suggestion.map(str::to_owned)))
}

/// Comma-separated, empty items skipped (`strtok`); the first bad one counts, its correction is the whole list's.
fn each(value: &str, item: impl Fn(&str) -> Result<(), Expected>) -> Result<(), Expected> {
    for part in value.split(',').filter(|p| !p.is_empty()) {
        if let Err(mut told) = item(part) {
            told.legal = format!("a comma-separated list of {}", told.legal);
            told.suggestion = told.suggestion.map(|right| value.replacen(part, &right, 1));
            return Err(told);
        }
    }
    Ok(())
}

/// A number of which `sscanf` reads the front and never looks at what follows.
fn number(value: &str, legal: &str, scanned: Option<(&str, &str)>) -> Result<(), Expected> {
    match scanned {
        None => Err(Expected::rejected(legal, None)),
        Some((_, rest)) if rest.chars().all(is_space) => Ok(()),
        Some((read, _)) => {
            let read = read.trim_start_matches(is_space);
            Err(Expected::read_as(legal, plain_size(value), read))
        }
    }
}

/// `8k` as the plain number that a count wants.
fn plain_size(value: &str) -> Option<String> {
    let (number, unit) = decimal(value)?;
    let factor: u64 = match unit.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    number.trim_start_matches(is_space).parse::<u64>().ok()?.checked_mul(factor).map(|n| n.to_string())
}

fn time(value: &str, legal: &str) -> Result<(), Expected> {
    let Some((number, rest)) = float(value) else { return Err(Expected::rejected(legal, None)) };
    // "%lf%c%c": two characters of unit are looked at, the rest is not
    let mut chars = rest.chars();
    let unit: String = chars.by_ref().take(2).collect();
    if matches!(unit.as_str(), "" | "m" | "s" | "ms" | "us" | "ns") {
        return match chars.as_str() {
            "" => Ok(()),
            _ => Err(Expected::read_as(legal, Some(format!("{number}{unit}")), format!("{number}{unit}"))),
        };
    }
    let suggestion = match rest.trim_matches(is_space).to_ascii_lowercase().as_str() {
        "min" | "mins" | "minute" | "minutes" | "m" => Some(format!("{number}m")),
        "sec" | "secs" | "second" | "seconds" | "s" => Some(format!("{number}s")),
        "ms" | "millisecond" | "milliseconds" => Some(format!("{number}ms")),
        "us" | "µs" => Some(format!("{number}us")),
        "ns" => Some(format!("{number}ns")),
        "h" | "hr" | "hour" | "hours" => number.parse::<u32>().ok().map(|n| format!("{}m", u64::from(n) * 60)),
        _ => None,
    };
    Err(Expected::rejected(legal, suggestion))
}

fn memory(value: &str) -> Result<(), Expected> {
    const LEGAL: &str = "an integer with an optional `k`, `m`, `g` or `t` (and an optional `b`), or `inf`, or `auto`";
    if is_any(value, &["inf", "auto"]) {
        return Ok(());
    }
    let Some((number, rest)) = decimal(value) else { return Err(Expected::rejected(LEGAL, None)) };
    // "%ld%c%c": one letter of unit, perhaps a `b`, and nothing after is looked at
    let unit = rest.as_bytes();
    let legal = match unit {
        [] => true,
        [u] => matches!(u.to_ascii_lowercase(), b'b' | b'k' | b'm' | b'g' | b't'),
        [u, b, ..] => {
            matches!(u.to_ascii_lowercase(), b'b' | b'k' | b'm' | b'g' | b't') && b.eq_ignore_ascii_case(&b'b')
        }
    };
    if legal {
        return match rest.get(2..) {
            None | Some("") => Ok(()),
            Some(_) => {
                let read = format!("{number}{}", &rest[..2]);
                Err(Expected::read_as(LEGAL, Some(read.clone()), read))
            }
        };
    }
    Err(Expected::rejected(LEGAL, memory_suggestion(value)))
}

/// `8KiB`, `4 Mi`, `1.5m` in the spelling UCX reads, when it is a whole number of some unit.
fn memory_suggestion(value: &str) -> Option<String> {
    const UNITS: [char; 5] = ['b', 'k', 'm', 'g', 't'];
    let (number, rest) = float(value)?;
    let unit = rest.trim_matches(is_space).to_ascii_lowercase();
    let letter = match unit.as_str() {
        "" => 'b',
        "b" | "byte" | "bytes" => 'b',
        _ => unit.chars().next().filter(|_| matches!(unit.get(1..), Some("" | "b" | "i" | "ib")))?,
    };
    let mut at = UNITS.iter().position(|u| *u == letter)?;
    let mut number: f64 = number.parse().ok()?;
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    while number.fract() != 0.0 && at > 0 {
        number *= 1024.0;
        at -= 1;
    }
    (number.fract() == 0.0 && number < 1e15).then(|| match UNITS[at] {
        'b' => format!("{number:.0}"),
        unit => format!("{number:.0}{unit}"),
    })
}

fn bandwidth(value: &str) -> Result<(), Expected> {
    const LEGAL: &str = "a number with `Bps`, `KBps`, `MBps`, `GBps` or `TBps` (`b` for bits), or `auto`";
    if is_any(value, &["auto"]) {
        return Ok(());
    }
    let unit = float(value).map(|(_, rest)| rest.trim_start_matches(is_space)).filter(|rest| {
        let rest = rest.strip_prefix(['K', 'M', 'G', 'T']).unwrap_or(rest);
        // a lone `B` counts as its own prefix, so that it needs a second one: `BBps` (parser.c `ucs_config_sscanf_bw`)
        let rest = rest.strip_prefix(['B', 'b']).map(|r| r.strip_prefix(['B', 'b']).unwrap_or(r));
        rest.is_some_and(|r| matches!(r.split(is_space).next(), Some("ps" | "/s" | "s")))
    });
    match unit {
        Some(_) => Ok(()),
        None => {
            let tidy = value.to_ascii_lowercase();
            let suggestion = float(&tidy).and_then(|(number, rest)| {
                let rest = rest.trim_matches(is_space);
                let letter = rest.chars().next().filter(|c| "kmgt".contains(*c))?.to_ascii_uppercase();
                matches!(rest.get(1..), Some("" | "b" | "bps" | "b/s" | "bs")).then(|| format!("{number}{letter}Bps"))
            });
            Err(Expected::rejected(LEGAL, suggestion))
        }
    }
}

fn hexadecimal(value: &str) -> Result<(), Expected> {
    const LEGAL: &str = "`0x` with hexadecimal digits, or `auto`";
    if is_any(value, &["auto"]) {
        return Ok(());
    }
    let digits = value.get(..2).filter(|p| p.eq_ignore_ascii_case("0x")).map(|_| &value[2..]);
    match digits {
        Some(d) if d.starts_with(|c: char| c.is_ascii_hexdigit()) => Ok(()),
        _ => {
            let plain = value.parse::<u32>().ok().map(|n| format!("{n:#x}"));
            Err(Expected::rejected(LEGAL, plain))
        }
    }
}

fn range(value: &str) -> Result<(), Expected> {
    const LEGAL: &str = "a number or `<first>-<last>`";
    let ok = match value.split_once('-') {
        None => decimal(value).is_some(),
        Some((first, last)) => decimal(first).is_some() && decimal(last).is_some(),
    };
    if ok { Ok(()) } else { Err(Expected::rejected(LEGAL, None)) }
}

/// `detail` is `key,key;TYPE` (parser.c `ucs_config_sscanf_key_value`). A value without a key is every other key's.
fn key_value(value: &str, detail: &str) -> Result<(), Expected> {
    let Some((keys, kind)) = detail.split_once(';') else { return Ok(()) };
    let keys: Vec<&str> = keys.split(',').collect();
    let mut missing = keys.clone();
    let mut default = false;
    for token in value.split(',') {
        let (key, part) = match token.split_once(':') {
            Some((key, part)) => (Some(key), part),
            None => (None, token),
        };
        match key {
            None => default = true,
            Some(key) if keys.contains(&key) => missing.retain(|k| *k != key),
            Some(key) => {
                let right = nearest_of(key, keys.iter().copied(), 2).map(|k| value.replacen(key, k, 1));
                return Err(Expected::rejected(format!("a value, or `key:value` with key {}", words(&keys)), right));
            }
        }
        if let Err(mut told) = check(kind, part) {
            told.suggestion = told.suggestion.map(|right| value.replacen(part, &right, 1));
            return Err(told);
        }
    }
    if default || missing.is_empty() {
        return Ok(());
    }
    Err(Expected::rejected(format!("a value for {} as well, or one without a key", words(&missing)), None))
}

fn allow_list(value: &str) -> Result<(), Expected> {
    let body = value.strip_prefix('^').unwrap_or(value);
    let mut items = body.split(',').filter(|i| !i.is_empty());
    if items.next() == Some("all") && items.next().is_some() {
        return Err(Expected::rejected("a list, or `all` alone", Some("all".to_owned())));
    }
    Ok(())
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
