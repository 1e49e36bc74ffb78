//! Prometheus text, as far as the router's own metrics need it.

use std::collections::BTreeSet;

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name, with `_bucket`, `_sum` and `_count` kept.
    pub name: String,
    /// Labels, in the order written.
    pub labels: Vec<(String, String)>,
    /// Value.
    pub value: f64,
}

impl Sample {
    /// A label's value.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// One reading of `/metrics`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Samples in the order written.
    pub samples: Vec<Sample>,
    /// Names declared by `# TYPE`, whether they have samples or not.
    pub families: Vec<String>,
}

impl Metrics {
    /// Reads the text format; lines that are none of it are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut out = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                out.families.extend(rest.split_whitespace().next().map(str::to_owned));
            } else if !line.starts_with('#') {
                out.samples.extend(sample(line));
            }
        }
        out
    }

    /// Whether there is anything in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.families.is_empty()
    }

    /// Whether a family is there. `suffix` leaves out the prefix, which `DYN_METRICS_PREFIX` can change.
    #[must_use]
    pub fn has(&self, suffix: &str) -> bool {
        self.families.iter().any(|name| named(name, suffix)) || self.of(suffix).next().is_some()
    }

    /// Models that workers have registered, listed or not.
    #[must_use]
    pub fn models(&self) -> BTreeSet<String> {
        self.of("model_kv_cache_block_size").filter_map(|s| s.label("model")).map(str::to_owned).collect()
    }

    /// Samples of a name.
    pub fn of<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| named(&sample.name, suffix))
    }

    /// Sum of the samples of a name that `keep` keeps; none when there is no such name.
    #[must_use]
    pub fn sum(&self, suffix: &str, keep: impl Fn(&Sample) -> bool) -> Option<f64> {
        let mut seen = self.has(suffix).then_some(0.0);
        for sample in self.of(suffix).filter(|s| keep(s)) {
            seen = Some(seen.unwrap_or(0.0) + sample.value);
        }
        seen
    }
}

fn named(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('_'))
}

/// `name{label="value",…} value [timestamp]`
fn sample(line: &str) -> Option<Sample> {
    let line = line.trim();
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value: f64 = match rest.split_whitespace().next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    Some(Sample { name: name.to_owned(), labels, value })
}

/// The labels behind `{`, and what follows their `}`.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((out, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, c) => value.push(c),
            }
        };
        out.push((name.trim().to_owned(), value));
        rest = &after[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn samples_with_and_without_labels() {
        let text = "# HELP a b\n# TYPE dynamo_component_x gauge\ndynamo_component_x{m=\"a\\\"b,}\",n=\"\"} 3 170\n\
                    dynamo_component_x 4.5\nempty_family\n# TYPE dynamo_component_y counter\nz{a=\"1\",} +Inf\n{} 1\nbad{a=1} 2\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.samples.len(), 3, "{:?}", metrics.samples);
        assert_eq!(metrics.samples[0].label("m"), Some("a\"b,}"));
        assert_eq!(metrics.sum("component_x", |_| true), Some(7.5));
        assert_eq!(metrics.sum("component_y", |_| true), Some(0.0), "declared, no sample");
        assert_eq!(metrics.sum("component_q", |_| true), None);
        assert!(!metrics.has("ponent_x"), "a suffix starts at a word");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[ -~\n\\\\\"{}=,é]{0,200}") {
            let _ = Metrics::parse(&text);
        }
    }
}
