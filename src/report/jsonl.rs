//! One JSON object per line, told apart by `type`: `finding`, `undecided`, `suppressed`, `skipped`, and at the end one
//! `summary`. The objects are those of the `json` format.

use serde::Serialize;

use super::wire::{Check, Summary};

/// A line.
#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    r#type: &'static str,
    #[serde(flatten)]
    of: &'a T,
}

/// The last line.
#[derive(Serialize)]
struct Last<'a> {
    version: u32,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Renders a report as lines of JSON.
///
/// # Errors
/// None that the types allow; serde_json's signature wants one.
pub fn jsonl(check: &Check) -> serde_json::Result<String> {
    let mut out = String::new();
    lines(&mut out, "finding", &check.findings)?;
    lines(&mut out, "undecided", check.undecided.as_deref().unwrap_or_default())?;
    lines(&mut out, "suppressed", &check.suppressed)?;
    lines(&mut out, "skipped", &check.skipped)?;
    lines(&mut out, "summary", &[Last { version: check.version, summary: &check.summary }])?;
    Ok(out)
}

fn lines<T: Serialize>(out: &mut String, r#type: &'static str, list: &[T]) -> serde_json::Result<()> {
    for of in list {
        out.push_str(&serde_json::to_string(&Line { r#type, of })?);
        out.push('\n');
    }
    Ok(())
}
