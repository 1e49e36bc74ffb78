//! `[ … ]`, `test …` and `[[ … ]]`, as far as their words are known.

use super::super::Word;
use super::ast::RawWord;
use super::eval::Code;
use super::{Shell, arith};

/// The verdict of `[` or `test` on expanded words.
pub(super) fn simple(argv: &[Word]) -> Code {
    let mut words: Vec<&Word> = argv[1..].iter().collect();
    if argv[0].as_known() == Some("[") {
        match words.pop().and_then(Word::as_known) {
            Some("]") => {}
            _ => return Code::Unknown,
        }
    }
    if words.iter().any(|w| w.open) {
        return Code::Unknown;
    }
    code(verdict(&words))
}

const fn code(verdict: Option<bool>) -> Code {
    match verdict {
        Some(true) => Code::Zero,
        Some(false) => Code::NonZero,
        None => Code::Unknown,
    }
}

fn verdict(words: &[&Word]) -> Option<bool> {
    match words {
        [] => Some(false),
        [one] => one.as_known().map(|t| !t.is_empty()),
        [not, rest @ ..] if not.as_known() == Some("!") && rest.len() < 4 => verdict(rest).map(|v| !v),
        [op, operand] => unary(op.as_known()?, operand),
        [left, op, right] => binary(left, op.as_known()?, right),
        _ => None,
    }
}

fn unary(op: &str, operand: &Word) -> Option<bool> {
    let text = operand.as_known()?;
    match op {
        "-z" => Some(text.is_empty()),
        "-n" => Some(!text.is_empty()),
        _ => None,
    }
}

fn binary(left: &Word, op: &str, right: &Word) -> Option<bool> {
    let (a, b) = (left.as_known()?, right.as_known()?);
    let integers = || Some((arith::number(a.trim())?, arith::number(b.trim())?));
    Some(match op {
        "=" | "==" => a == b,
        "!=" => a != b,
        "-eq" => integers().map(|(a, b)| a == b)?,
        "-ne" => integers().map(|(a, b)| a != b)?,
        "-lt" => integers().map(|(a, b)| a < b)?,
        "-le" => integers().map(|(a, b)| a <= b)?,
        "-gt" => integers().map(|(a, b)| a > b)?,
        "-ge" => integers().map(|(a, b)| a >= b)?,
        _ => return None,
    })
}

impl Shell<'_> {
    /// The verdict of `[[ … ]]`, whose words are given when no operator but words stands among them.
    pub(super) fn double_brackets(&mut self, words: Option<&[RawWord]>) -> Code {
        code(words.and_then(|words| self.double(words)))
    }

    fn double(&mut self, words: &[RawWord]) -> Option<bool> {
        match words {
            [not, rest @ ..] if &self.src[not.range.clone()] == "!" => self.double(rest).map(|v| !v),
            [left, op, right] => {
                let op = &self.src[op.range.clone()];
                let left = self.expand_single(left);
                if matches!(op, "=" | "==" | "!=") {
                    let equal = self.pattern(right)?.matches(left.as_known()?);
                    return Some(equal == (op != "!="));
                }
                let right = self.expand_single(right);
                binary(&left, op, &right)
            }
            [op, operand] => {
                let operand = self.expand_single(operand);
                unary(&self.src[op.range.clone()], &operand)
            }
            [one] => self.expand_single(one).as_known().map(|t| !t.is_empty()),
            _ => None,
        }
    }
}
