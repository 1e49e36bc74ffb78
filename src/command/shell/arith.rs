//! `$((…))` over integers that are known.

use crate::source::Reason;

/// What a name stands for.
pub(super) type Value<'a> = dyn Fn(&str) -> Result<i64, Reason> + 'a;

/// Evaluates an expression. `Err(None)` when it is not understood or not an integer.
pub(super) fn eval(text: &str, value: &Value<'_>) -> Result<i64, Option<Reason>> {
    let mut parser = Parser { text: text.as_bytes(), at: 0, value, depth: 0 };
    let result = parser.binary(0)?;
    parser.blanks();
    if parser.at == parser.text.len() { Ok(result) } else { Err(None) }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    value: &'a Value<'a>,
    depth: u32,
}

const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Parser<'_> {
    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn operator(&mut self, level: usize) -> Option<&'static str> {
        self.blanks();
        let rest = &self.text[self.at..];
        let found = LEVELS[level].iter().copied().find(|op| rest.starts_with(op.as_bytes()))?;
        let next = rest.get(found.len()).copied().unwrap_or(0);
        // `a & b` is not `a && b`, `a < b` is not `a << b`, and assignments are not evaluated.
        let clash = (found.len() == 1 && next == found.as_bytes()[0] && matches!(found, "|" | "&" | "<" | ">" | "*"))
            || (next == b'=' && !matches!(found, "==" | "!=" | "<=" | ">="));
        if clash {
            return None;
        }
        self.at += found.len();
        Some(found)
    }

    fn binary(&mut self, level: usize) -> Result<i64, Option<Reason>> {
        if level == LEVELS.len() {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(op) = self.operator(level) {
            let right = self.binary(level + 1)?;
            left = apply(op, left, right).ok_or(None)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i64, Option<Reason>> {
        self.depth += 1;
        if self.depth > 200 {
            return Err(None);
        }
        self.blanks();
        match self.text.get(self.at) {
            Some(op @ (b'-' | b'+' | b'!' | b'~')) if self.text.get(self.at + 1) != Some(op) => {
                self.at += 1;
                let value = self.unary()?;
                match op {
                    b'-' => value.checked_neg().ok_or(None),
                    b'!' => Ok(i64::from(value == 0)),
                    b'~' => Ok(!value),
                    _ => Ok(value),
                }
            }
            Some(b'(') => {
                self.at += 1;
                let value = self.binary(0)?;
                self.blanks();
                if self.text.get(self.at) != Some(&b')') {
                    return Err(None);
                }
                self.at += 1;
                Ok(value)
            }
            Some(b) if b.is_ascii_digit() => {
                let word = self.word();
                number(&word).ok_or(None)
            }
            Some(b) if b.is_ascii_alphabetic() || *b == b'_' => {
                let word = self.word();
                (self.value)(&word).map_err(Some)
            }
            Some(b'$') => {
                self.at += 1;
                let brace = self.text.get(self.at) == Some(&b'{');
                self.at += usize::from(brace);
                let word = self.word();
                if word.is_empty() || (brace && self.text.get(self.at) != Some(&b'}')) {
                    return Err(None);
                }
                self.at += usize::from(brace);
                (self.value)(&word).map_err(Some)
            }
            _ => Err(None),
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_') {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }
}

fn apply(op: &str, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        "||" => i64::from(a != 0 || b != 0),
        "&&" => i64::from(a != 0 && b != 0),
        "|" => a | b,
        "^" => a ^ b,
        "&" => a & b,
        "==" => i64::from(a == b),
        "!=" => i64::from(a != b),
        "<=" => i64::from(a <= b),
        ">=" => i64::from(a >= b),
        "<" => i64::from(a < b),
        ">" => i64::from(a > b),
        "<<" => a.checked_shl(u32::try_from(b).ok()?)?,
        ">>" => a.checked_shr(u32::try_from(b).ok()?)?,
        "+" => a.checked_add(b)?,
        "-" => a.checked_sub(b)?,
        "*" => a.checked_mul(b)?,
        "/" => a.checked_div(b)?,
        "%" => a.checked_rem(b)?,
        _ => return None,
    })
}

/// An integer as the shell reads it: decimal, `0x…`, `0…` octal.
pub(super) fn number(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Option<i64> {
        let value = |name: &str| {
            if name == "TP" { Ok(4) } else { Err(Reason::Variable(name.to_owned())) }
        };
        eval(text, &value).ok()
    }

    #[test]
    fn integers() {
        assert_eq!(known("1 + 2 * 3"), Some(7));
        assert_eq!(known("(1+2)*TP"), Some(12));
        assert_eq!(known(" $TP / ${TP} - 1 "), Some(0));
        assert_eq!(known("-3 + 0x10"), Some(13));
        assert_eq!(known("1 << 4 | 1"), Some(17));
        assert_eq!(known("TP >= 4 && !0"), Some(1));
        assert_eq!(known("010"), Some(8));
    }

    #[test]
    fn what_is_not_known_or_not_arithmetic() {
        for text in ["", "1 +", "1/0", "x++", "TP = 2", "TP += 2", "UNSET + 1", "9223372036854775807 + 1", "(1", "a[0]"]
        {
            assert_eq!(known(text), None, "{text}");
        }
        assert_eq!(eval("N", &|n| Err(Reason::Variable(n.into()))), Err(Some(Reason::Variable("N".into()))));
        assert_eq!(known(&"(".repeat(5000)), None);
    }
}
