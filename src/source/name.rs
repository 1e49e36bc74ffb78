//! Names of variables, as shells and Kubernetes have them.

/// Length of the variable's name at the start of a text, in bytes; 0 when none stands there.
#[must_use]
pub fn name_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
        return 0;
    }
    bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()
}

/// Whether all of a text is a variable's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && name_len(text) == text.len()
}

/// Whether a text is a variable's name in capitals, as what comes from outside a script has by convention.
#[must_use]
pub fn is_capital_name(text: &str) -> bool {
    is_name(text) && !text.bytes().any(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{is_capital_name, is_name, name_len};

    #[test]
    fn names_begin_with_no_digit() {
        assert_eq!(["A1=2", "_a b", "1A", "", "é"].map(name_len), [2, 2, 0, 0, 0]);
        assert_eq!(["A1", "a_", "1A", "A-B", ""].map(is_name), [true, true, false, false, false]);
        assert_eq!(["A1_", "A1a", "_"].map(is_capital_name), [true, false, true]);
    }
}
