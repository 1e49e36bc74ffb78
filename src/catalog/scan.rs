//! C's `scanf` and `strtol` families, as far as value parsers lean on them: what they take and what they leave.

/// `%d`, `%u`, `%ld`, `%lu`: blanks, a sign, decimal digits. The number's text and the rest.
pub(super) fn decimal(text: &str) -> Option<(&str, &str)> {
    let start = text.trim_start_matches(is_space);
    let digits = start.strip_prefix(['+', '-']).unwrap_or(start);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    (count > 0).then(|| start.split_at(start.len() - digits.len() + count))
}

/// `%lf`: decimal and hexadecimal floats, `inf`, `infinity`, `nan`. The number's text and the rest.
pub(super) fn float(text: &str) -> Option<(&str, &str)> {
    let start = text.trim_start_matches(is_space);
    let body = start.strip_prefix(['+', '-']).unwrap_or(start);
    let sign = start.len() - body.len();
    for word in ["infinity", "inf", "nan"] {
        if body.get(..word.len()).is_some_and(|b| b.eq_ignore_ascii_case(word)) {
            return Some(start.split_at(sign + word.len()));
        }
    }
    let hex = body.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("0x"));
    let (skip, digit): (usize, fn(&u8) -> bool) =
        if hex { (2, u8::is_ascii_hexdigit) } else { (0, u8::is_ascii_digit) };
    let bytes = body.as_bytes();
    let run = |from: usize| bytes[from..].iter().take_while(|b| digit(b)).count();
    let whole = run(skip);
    let mut end = skip + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = run(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return hex.then(|| start.split_at(sign + 1));
    }
    let exponent = if hex { b'p' } else { b'e' };
    if bytes.get(end).is_some_and(|b| b.eq_ignore_ascii_case(&exponent)) {
        let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let digits = bytes.get(signed..).map_or(0, |b| b.iter().take_while(|b| b.is_ascii_digit()).count());
        if digits > 0 {
            end = signed + digits;
        }
    }
    Some(start.split_at(sign + end))
}

/// `strtoll(…, 0)` and `%i`: the value (clamped to what fits), and the rest. `None` when there is no number.
pub(super) fn integer_base0(text: &str) -> Option<(i64, &str)> {
    let start = text.trim_start_matches(is_space);
    let (negative, body) = match start.as_bytes().first() {
        Some(b'-') => (true, &start[1..]),
        Some(b'+') => (false, &start[1..]),
        _ => (false, start),
    };
    let after_prefix = body.get(..2).filter(|p| p.eq_ignore_ascii_case("0x")).map(|_| &body[2..]);
    let (base, digits) = match after_prefix {
        Some(hex) if hex.starts_with(|c: char| c.is_ascii_hexdigit()) => (16, hex),
        _ if body.starts_with('0') => (8, body),
        _ => (10, body),
    };
    let count = digits.chars().take_while(|c| c.is_digit(base)).count();
    if count == 0 {
        return None;
    }
    let (number, rest) = digits.split_at(count);
    let magnitude = i128::from_str_radix(number, base).unwrap_or(i128::MAX);
    let value = if negative { -magnitude } else { magnitude };
    let clamped = i64::try_from(value).unwrap_or(if negative { i64::MIN } else { i64::MAX });
    Some((clamped, rest))
}

/// C's `isspace` in the C locale.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_takes_a_sign_and_stops_at_the_first_other_character() {
        assert_eq!(decimal("12kb"), Some(("12", "kb")));
        assert_eq!(decimal("  -1"), Some(("-1", "")));
        assert_eq!(decimal("k"), None);
        assert_eq!(decimal(""), None);
        assert_eq!(decimal("-"), None);
    }

    #[test]
    fn float_takes_what_strtod_takes() {
        for (text, number, rest) in [
            ("1.5m", "1.5", "m"),
            (".5s", ".5", "s"),
            ("5.", "5.", ""),
            ("1e3us", "1e3", "us"),
            ("1e", "1", "e"),
            ("1e+", "1", "e+"),
            ("inf", "inf", ""),
            ("-Infinity", "-Infinity", ""),
            ("0x1p3", "0x1p3", ""),
            ("0xg", "0", "xg"),
        ] {
            assert_eq!(float(text), Some((number, rest)), "{text}");
        }
        for text in ["", ".", "s", "-", "µ"] {
            assert_eq!(float(text), None, "{text}");
        }
    }

    #[test]
    fn integer_knows_bases_and_never_overflows() {
        assert_eq!(integer_base0("0x10"), Some((16, "")));
        assert_eq!(integer_base0("010"), Some((8, "")));
        assert_eq!(integer_base0("08"), Some((0, "8")));
        assert_eq!(integer_base0("0xz"), Some((0, "xz")));
        assert_eq!(integer_base0("-2"), Some((-2, "")));
        assert_eq!(integer_base0("99999999999999999999999999999999999999999999"), Some((i64::MAX, "")));
        assert_eq!(integer_base0("true"), None);
        assert_eq!(integer_base0("é"), None);
    }
}
