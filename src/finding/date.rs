//! A day of the calendar. Rules know no time: who stands at the edge says which day it is.

use std::fmt;

/// A day, proleptic Gregorian. Compares in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Year, 0 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

impl Date {
    /// Reads `2027-01-31`; none when there is no such day.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| {
            let digits = text.get(range)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
        };
        let (year, month, day) = (number(0..4)?, u8::try_from(number(5..7)?).ok()?, u8::try_from(number(8..10)?).ok()?);
        (1..=12).contains(&month).then_some(())?;
        (1..=days_in(year, month)).contains(&day).then_some(Self { year, month, day })
    }

    /// The day that is `days` after 1970-01-01, UTC; the last day there is when that is out of range.
    #[must_use]
    pub fn from_unix_days(days: u64) -> Self {
        let mut left = days;
        for year in 1970..=9999 {
            let length = if is_leap(year) { 366 } else { 365 };
            if left >= length {
                left -= length;
                continue;
            }
            for month in 1..=12 {
                let length = u64::from(days_in(year, month));
                if left < length {
                    return Self { year, month, day: u8::try_from(left + 1).unwrap_or(31) };
                }
                left -= length;
            }
        }
        Self { year: 9999, month: 12, day: 31 }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_there_are() {
        assert_eq!(Date::parse("2027-01-31").unwrap().to_string(), "2027-01-31");
        assert!(Date::parse("2028-02-29").is_some());
        for wrong in
            ["2027-02-29", "2100-02-29", "2027-13-01", "2027-00-01", "2027-01-00", "2027-1-31", "+027-01-01", ""]
        {
            assert_eq!(Date::parse(wrong), None, "{wrong}");
        }
        assert!(Date::parse("2027-01-31") < Date::parse("2027-02-01"));
    }

    #[test]
    fn days_since_the_epoch() {
        // `date -u -d @$((86400 * n)) +%F`
        for (days, text) in [(0, "1970-01-01"), (59, "1970-03-01"), (11016, "2000-02-29"), (20778, "2026-11-21")] {
            assert_eq!(Date::from_unix_days(days).to_string(), text);
        }
        assert_eq!(Date::from_unix_days(u64::MAX).year, 9999);
    }
}
