//! Ranks of prefill and decode that SGLang cannot map onto each other.

use super::facts::{pairs, place};
use crate::resolve::Deployment;
use crate::rules::Findings;
use crate::rules::command::{Ranks, ranks};

/// `pd-layout-refused`
pub fn pd_layout_refused(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        let (Some(p), Some(d)) = (ranks(prefill), ranks(decode)) else { continue };
        let (stages, theirs) = (d.pipeline.value, p.pipeline.value);
        let (a, b) = (attention(&d).unwrap_or(1), attention(&p).unwrap_or(1));
        // 0.9 pins the first SGLang (0.5.8) that asserts it of stages.
        let staged = stages != 1 && stages != theirs && !decode.below(0, 9);
        if !staged && (a.is_multiple_of(b) || b.is_multiple_of(a)) {
            continue;
        }
        let (ours, their, what, why) = if staged {
            (d.pipeline, p.pipeline, "pipeline stages", "SGLang asserts that decode has one, or as many as prefill")
        } else {
            (
                d.tensor,
                p.tensor,
                "attention ranks",
                "one number must divide the other: SGLang divides and drops the rest",
            )
        };
        let (here, there) = if staged { (stages, theirs) } else { (a, b) };
        out.report(
            ours.span.unwrap_or_else(|| place(decode)),
            format!("{here} {what} of decode cannot be mapped onto {there} of prefill"),
            why,
        )
        .service(decode)
        .subject(if staged { "--pp-size" } else { "--tp-size" })
        .label(their.span.unwrap_or_else(|| place(prefill)), "prefill's")
        .help("give decode as many as prefill")
        .emit();
    }
}

/// Ranks among which a layer's heads are split: with data-parallel attention each group has its own.
fn attention(ranks: &Ranks) -> Option<u64> {
    let groups = if ranks.attention { ranks.data.value } else { 1 }; // at least 2, or 1
    ranks.tensor.value.is_multiple_of(groups).then(|| ranks.tensor.value / groups).filter(|n| *n > 0)
}
