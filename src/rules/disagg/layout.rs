//! Ranks of prefill and decode that SGLang cannot map onto each other.

use super::facts::{pairs, place};
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::rules::command::{Ranks, ranks};
use crate::source::Span;

/// `pd-layout-refused`
pub fn pd_layout_refused(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment).filter(|(p, _)| p.framework == Some(Framework::Sglang)) {
        let (Some(p), Some(d)) = (ranks(prefill), ranks(decode)) else { continue };
        // 0.9 pins the first SGLang (0.5.8) that asserts it.
        if !decode.below(0, 9) && d.pipeline.value != 1 && d.pipeline.value != p.pipeline.value {
            report(
                (decode, d.pipeline.span),
                (prefill, p.pipeline.span),
                format!("{} pipeline stages on decode, {} on prefill", d.pipeline.value, p.pipeline.value),
                "SGLang asserts that decode has one, or as many as prefill",
                "--pp-size",
                out,
            );
        }
        let (Some(a), Some(b)) = (attention(&d), attention(&p)) else { continue };
        if !a.is_multiple_of(b) && !b.is_multiple_of(a) {
            report(
                (decode, d.tensor.span),
                (prefill, p.tensor.span),
                format!("{a} attention ranks of decode cannot be mapped onto {b} of prefill"),
                "one number must divide the other: SGLang divides and drops the rest",
                "--tp-size",
                out,
            );
        }
    }
}

/// Ranks among which a layer's heads are split: with data-parallel attention each group has its own.
fn attention(ranks: &Ranks) -> Option<u64> {
    let groups = if ranks.attention { ranks.data.value } else { 1 }; // at least 2, or 1
    ranks.tensor.value.is_multiple_of(groups).then(|| ranks.tensor.value / groups).filter(|n| *n > 0)
}

fn report(
    (decode, here): (&Service, Option<Span>),
    (prefill, there): (&Service, Option<Span>),
    message: String,
    why: &str,
    subject: &str,
    out: &mut Findings,
) {
    out.report(here.unwrap_or_else(|| place(decode)), message, why)
        .service(decode)
        .subject(subject)
        .label(there.unwrap_or_else(|| place(prefill)), format!("`{}`", prefill.name))
        .help("give decode as many as prefill")
        .emit();
}
