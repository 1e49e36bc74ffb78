//! Quantiles, and how far a difference of medians may be chance.

use serde::Serialize;

/// How often the samples are drawn again for an interval.
const DRAWS: usize = 2000;

/// Quantiles of some measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many measurements.
    pub samples: usize,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile; null below 100 samples, where it would be the maximum under another name.
    pub p99: Option<f64>,
    /// Largest.
    pub max: f64,
}

/// A difference with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Candidate minus baseline.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Difference {
    /// Whether the interval leaves no doubt about the sign.
    #[must_use]
    pub fn clear(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The value below which that share of sorted values lies, between neighbours linearly.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of samples
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len().saturating_sub(1)) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    let (a, b) = (sorted[low], sorted[high.min(sorted.len() - 1)]);
    a + (b - a) * (at - at.floor())
}

impl Quantiles {
    /// Of measurements; none of none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a count of samples
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let max = *sorted.last()?;
        Some(Self {
            samples: sorted.len(),
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            p50: quantile(&sorted, 0.5),
            p90: quantile(&sorted, 0.9),
            p99: (sorted.len() >= 100).then(|| quantile(&sorted, 0.99)),
            max,
        })
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(values, 0.5)
}

/// The difference of the medians of pairs `(baseline, candidate)`, with the 2.5th and 97.5th percentile of the same
/// difference over pairs drawn again with replacement. Pairs are drawn whole: both sides got the same prompt at nearly
/// the same time. The draws are the same in every run.
#[must_use]
pub fn difference(pairs: &[(f64, f64)]) -> Option<Difference> {
    if pairs.is_empty() {
        return None;
    }
    let of = |chosen: &[(f64, f64)]| {
        let (mut a, mut b): (Vec<f64>, Vec<f64>) = chosen.iter().copied().unzip();
        median(&mut b) - median(&mut a)
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % n as u64).unwrap_or(0)
    };
    let mut drawn: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let again: Vec<(f64, f64)> = (0..pairs.len()).map(|_| pairs[next(pairs.len())]).collect();
            of(&again)
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    Some(Difference { value: of(pairs), low: quantile(&drawn, 0.025), high: quantile(&drawn, 0.975) })
}

#[cfg(test)]
mod tests {
    use super::{Quantiles, difference};

    #[test]
    fn quantiles_of_known_numbers() {
        let values: Vec<f64> = (1..=101).map(f64::from).collect();
        let q = Quantiles::of(&values).expect("values");
        assert_eq!((q.samples, q.p50, q.p90, q.p99, q.max), (101, 51.0, 91.0, Some(100.0), 101.0));
        assert!(Quantiles::of(&[1.0]).expect("one").p99.is_none());
        assert_eq!(Quantiles::of(&[]), None);
        assert_eq!(Quantiles::of(&[f64::NAN]), None);
    }

    #[test]
    fn a_shift_is_clear_and_noise_is_not() {
        let noise = |i: u32| f64::from((i * 7919) % 100) / 10.0;
        let shifted: Vec<(f64, f64)> = (0..60).map(|i| (100.0 + noise(i), 70.0 + noise(i + 31))).collect();
        let d = difference(&shifted).expect("pairs");
        assert!(d.clear() && d.low <= d.value && d.value <= d.high, "{d:?}");
        assert!((-36.0..-24.0).contains(&d.value), "{d:?}");
        let same: Vec<(f64, f64)> = (0..60).map(|i| (100.0 + noise(i), 100.0 + noise(i + 31))).collect();
        assert!(!difference(&same).expect("pairs").clear());
        assert_eq!(difference(&same), difference(&same), "the draws are the same");
    }
}
