//! Kubernetes quantities: `4`, `500m`, `80Gi`, `1e3`.

const SUFFIXES: &[(&str, f64)] = &[
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The number a quantity stands for; `None` when it is none (apimachinery `resource.ParseQuantity`).
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits);
    if number.is_empty() || number == "." || number.matches('.').count() > 1 {
        return None;
    }
    let value: f64 = number.parse().ok()?;
    let value = if text.starts_with('-') { -value } else { value };
    if suffix.is_empty() {
        return Some(value);
    }
    if let Some((_, factor)) = SUFFIXES.iter().find(|(name, _)| *name == suffix) {
        return Some(value * factor);
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some(value * 10f64.powi(exponent))
}

/// The quantity as a count of devices: a whole number that is not negative.
#[must_use]
pub fn count(text: &str) -> Option<u32> {
    let value = parse(text)?;
    (value >= 0.0 && value.fract() == 0.0 && value <= f64::from(u32::MAX)).then_some(value as u32)
}

#[cfg(test)]
mod tests {
    use super::{count, parse};

    #[test]
    fn quantities() {
        assert_eq!(parse("80Gi"), Some(85_899_345_920.0));
        assert_eq!(parse("500m"), Some(0.5));
        assert_eq!(parse("1e3"), Some(1000.0));
        assert_eq!(parse("12E"), Some(12e18));
        assert_eq!(parse("-1"), Some(-1.0));
        for bad in ["", ".", "Gi", "1.2.3", "4 GPUs", "${GPUS}", "1gi", "0x8"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(count("8"), Some(8));
        assert_eq!(count("8.0"), Some(8));
        assert_eq!(count("1k"), Some(1000));
        assert_eq!(count("0.5"), None);
        assert_eq!(count("-2"), None);
    }
}
