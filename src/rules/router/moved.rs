//! Settings that 1.6 moves into the policy file (`Deprecated(…, remove_in="v1.7")` in `kv_router_args.py` of 1.6.1).

use super::knobs::knob;
use super::settings::{Place, Source, routers};
use crate::resolve::Deployment;
use crate::rules::Findings;

/// The flag and what the policy file has for it.
const MOVED: &[(&str, &str)] = &[
    ("--load-aware", "the load-only policy"),
    ("--router-kv-overlap-score-credit", "`overlap_score_credit`"),
    ("--router-kv-overlap-score-credit-decay", "`overlap_score_credit_decay`"),
    ("--router-prefill-load-scale", "`prefill_load_scale`"),
    ("--router-decode-active-request-weight", "`decode_active_request_weight`"),
    ("--router-temperature", "`router_temperature`"),
    ("--router-queue-threshold", "`policy_classes[].prefill_busy_threshold_frac`"),
    ("--router-queue-policy", "`policy_classes[].queue_policy`"),
    ("--router-prefill-policy", "`worker_selection.prefill`"),
    ("--router-decode-policy", "`worker_selection.decode`"),
    ("--shared-cache-multiplier", "`shared_cache_multiplier`"),
];

/// `router-setting-moves-to-file`
pub fn router_setting_moves_to_file(deployment: &Deployment, out: &mut Findings) {
    for router in routers(deployment).iter().filter(|r| r.place != Place::Epp && r.at_least(1, 6)) {
        let given = MOVED.iter().filter_map(|(flag, now)| {
            let source = match router.flag(flag) {
                Some((used, _)) => Source::Flag(used),
                None => Source::Env(router.env.get(knob(flag)?.env).filter(|v| v.written())?),
            };
            let span = match source {
                Source::Flag(used) => used.span,
                Source::Env(var) => var.winner().name_span?,
                Source::Default => return None,
            };
            Some((source.name().to_owned(), span, *now))
        });
        for (name, span, now) in given {
            out.report(span, format!("`{name}` is to go in Dynamo 1.7"), "1.6 warns about it at start")
                .service(router.service)
                .subject(name)
                .help(format!("write {now} in the file of `--router-policy-config`"))
                .emit();
        }
    }
}
