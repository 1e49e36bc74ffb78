//! NCCL value grammars (NCCL v2.30.7 `src/misc/param.cc`, `src/graph/paths.cc`, `src/misc/socket.cc`).

use std::ops::Range;

use super::scan::{integer_base0, is_space};
use super::{Expected, Reading};

/// An integer parameter as NCCL reads it: `strtoll` with base 0, what follows the number is never looked at
/// (`src/misc/param.cc:~95`). The value, and whether all of it was read. `None` for the empty value, which counts as unset.
/// Without a number the value is 0.
#[must_use]
pub fn parse_int(value: &str) -> Option<(i64, bool)> {
    if value.is_empty() {
        return None;
    }
    Some(match integer_base0(value) {
        Some((number, rest)) => (number, rest.chars().all(is_space)),
        None => (0, false),
    })
}

pub(super) fn check_int(value: &str) -> Result<(), Expected> {
    match parse_int(value) {
        None | Some((_, true)) => Ok(()),
        Some((read, false)) => {
            let suggestion = match value.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" | "enable" | "enabled" => Some("1"),
                "false" | "no" | "off" | "n" | "disable" | "disabled" => Some("0"),
                _ => None,
            };
            Err(Expected::read_as("an integer", suggestion.map(str::to_owned), read.to_string()))
        }
    }
}

/// Topology levels, nearest first (`src/graph/topo.cc:34`).
pub const LEVELS: [&str; 10] = ["LOC", "NVL", "NVB", "C2C", "PIX", "PXB", "P2C", "PXN", "PHB", "SYS"];

/// A level as NCCL reads it (`NCCL_P2P_LEVEL`, `NCCL_NET_GDR_LEVEL`): a name in exactly that case, or a legacy digit
/// (`src/graph/paths.cc:244-280`). `None` = dropped without a message.
#[must_use]
pub fn level(value: &str) -> Option<&'static str> {
    if let Some(name) = LEVELS.iter().find(|l| **l == value) {
        return Some(name);
    }
    // a number that is not one of the old levels counts as the nearest of them
    match integer_base0(value)? {
        (..=0, "") => Some("LOC"),
        (1, "") => Some("PIX"),
        (2, "") => Some("PXB"),
        (3, "") => Some("PHB"),
        (_, "") => Some("SYS"),
        _ => None,
    }
}

pub(super) fn check_level(value: &str) -> Result<(), Expected> {
    if value.is_empty() || level(value).is_some() {
        return Ok(());
    }
    let upper = value.trim().to_ascii_uppercase();
    let suggestion = LEVELS.iter().find(|l| **l == upper).map(|l| (*l).to_owned());
    Err(Expected { legal: format!("{} in upper case", super::words(&LEVELS)), suggestion, reading: Reading::Ignored })
}

/// `NCCL_IB_HCA`, `NCCL_SOCKET_IFNAME`, `NCCL_OOB_NET_IFNAME`: `[^][=]item[,item…]`, where an item matches by prefix
/// unless the list starts with `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    /// `^`: everything but these.
    pub negate: bool,
    /// `=`: names match whole, not by prefix.
    pub exact: bool,
    /// The items.
    pub items: Vec<FilterItem<'a>>,
    /// What is wrong, in the order of the value.
    pub errors: Vec<FilterError>,
}

/// One name of a [`Filter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterItem<'a> {
    /// Name without the port.
    pub name: &'a str,
    /// What stands after the first colon (`1`, `1:0:0`), empty when nothing does.
    pub port: &'a str,
    /// Bytes of the whole item in the value.
    pub range: Range<usize>,
}

/// A mistake in a [`Filter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// What.
    pub kind: FilterErrorKind,
    /// Bytes of the value.
    pub range: Range<usize>,
}

/// Kinds of mistakes in a [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterErrorKind {
    /// `=^`: the order is `^=`, so that the caret is part of the first name.
    EqualsBeforeCaret,
    /// `^` or `=` before an item that is not the first: part of the name.
    MarkNotFirst,
    /// A blank or quote that becomes part of a name.
    Blank,
    /// A `*` or `?`: there are no patterns, only prefixes.
    Glob,
}

impl<'a> Filter<'a> {
    /// Reads a value. Never fails.
    #[must_use]
    pub fn parse(value: &'a str) -> Self {
        let mut rest = value;
        let negate = rest.strip_prefix('^').inspect(|r| rest = r).is_some();
        let exact = rest.strip_prefix('=').inspect(|r| rest = r).is_some();
        let mut filter = Self { negate, exact, items: Vec::new(), errors: Vec::new() };
        let mut at = value.len() - rest.len();
        for (index, text) in rest.split(',').enumerate() {
            let range = at..at + text.len();
            at = range.end + 1;
            if text.is_empty() {
                continue;
            }
            let kind = if index == 0 && text.starts_with('^') && exact {
                Some(FilterErrorKind::EqualsBeforeCaret)
            } else if text.trim_start().starts_with(['^', '=']) {
                Some(FilterErrorKind::MarkNotFirst)
            } else if text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
                Some(FilterErrorKind::Blank)
            } else if text.contains(['*', '?']) {
                Some(FilterErrorKind::Glob)
            } else {
                None
            };
            filter.errors.extend(kind.map(|kind| FilterError { kind, range: range.clone() }));
            let (name, port) = text.split_once(':').unwrap_or((text, ""));
            filter.items.push(FilterItem { name, port, range });
        }
        filter
    }

    /// Items that match more adapters than they name, were there ten: `mlx5_1` matches `mlx5_10`, too.
    pub fn ambiguous(&self) -> impl Iterator<Item = &FilterItem<'a>> {
        self.items.iter().filter(|i| {
            let number = i.name.len() - i.name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            !self.exact && i.name.starts_with("mlx5_") && number == 1 && !i.name.ends_with('0')
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_strtoll_does() {
        for (value, read) in [
            ("1", (1, true)),
            ("0", (0, true)),
            ("-2", (-2, true)),
            ("0x10", (16, true)),
            ("010", (8, true)),
            (" 1", (1, true)),
            ("1 ", (1, true)),
            ("true", (0, false)),
            ("yes", (0, false)),
            ("1x", (1, false)),
            ("4194304k", (4_194_304, false)),
            ("é", (0, false)),
        ] {
            assert_eq!(parse_int(value), Some(read), "{value}");
        }
        assert_eq!(parse_int(""), None);
    }

    #[test]
    fn words_for_integers_are_told_with_what_they_mean() {
        for (value, read, suggestion) in [
            ("true", "0", Some("1")),
            ("false", "0", Some("0")),
            ("ON", "0", Some("1")),
            ("1x", "1", None),
            ("4M", "4", None),
        ] {
            let told = check_int(value).expect_err(value);
            assert_eq!(told.reading, Reading::ReadAs(read.into()), "{value}");
            assert_eq!(told.suggestion.as_deref(), suggestion, "{value}");
        }
        for value in ["0", "1", "-1", "0x1", "", "22"] {
            assert_eq!(check_int(value), Ok(()), "{value}");
        }
    }

    #[test]
    fn levels_are_case_sensitive() {
        for (value, is) in
            [("NVL", Some("NVL")), ("SYS", Some("SYS")), ("1", Some("PIX")), ("5", Some("SYS")), ("0", Some("LOC"))]
        {
            assert_eq!(level(value), is, "{value}");
            assert_eq!(check_level(value), Ok(()));
        }
        let told = check_level("nvl").expect_err("wrong case");
        assert_eq!((told.suggestion.as_deref(), told.reading), (Some("NVL"), Reading::Ignored));
        assert!(check_level("NVLINK").expect_err("no level").suggestion.is_none());
        assert_eq!(check_level(""), Ok(()));
    }

    fn errors(value: &str) -> Vec<(FilterErrorKind, &str)> {
        Filter::parse(value).errors.iter().map(|e| (e.kind, &value[e.range.clone()])).collect()
    }

    #[test]
    fn filters_of_real_recipes_are_clean() {
        for value in [
            "eth0",
            "^lo,docker",
            "=eth0",
            "^=mlx5_1",
            "mlx5",
            "mlx5_0:1,mlx5_1:1",
            "=mlx5_0:1:0:0",
            "^docker0,lo,bond",
            "",
        ] {
            assert_eq!(errors(value), [], "{value}");
        }
        let filter = Filter::parse("^=mlx5_0:1,mlx5_1");
        assert!(filter.negate && filter.exact);
        assert_eq!(filter.items[0], FilterItem { name: "mlx5_0", port: "1", range: 2..10 });
        assert_eq!(filter.items[1].name, "mlx5_1");
    }

    #[test]
    fn marks_count_only_in_front() {
        assert_eq!(errors("=^eth0"), [(FilterErrorKind::EqualsBeforeCaret, "^eth0")]);
        assert_eq!(errors("^lo,^docker"), [(FilterErrorKind::MarkNotFirst, "^docker")]);
        assert_eq!(errors("eth0, eth1"), [(FilterErrorKind::Blank, " eth1")]);
        assert_eq!(errors("eth*"), [(FilterErrorKind::Glob, "eth*")]);
        assert_eq!(errors("\"eth0\""), [(FilterErrorKind::Blank, "\"eth0\"")]);
    }

    #[test]
    fn a_prefix_can_match_more_than_it_names() {
        let names = |value: &str| Filter::parse(value).ambiguous().map(|i| i.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names("mlx5_1,mlx5_0,mlx5_10"), ["mlx5_1"]);
        assert!(names("=mlx5_1").is_empty());
        assert!(names("mlx5,eth1").is_empty());
    }
}
