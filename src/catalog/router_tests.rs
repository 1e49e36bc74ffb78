use super::*;
use crate::catalog::{Reading, flags};

#[test]
fn modes_are_exact() {
    for mode in &MODES {
        assert_eq!(mode_from(mode.name), ModeLookup::Known(mode));
    }
    for (value, meant) in [
        ("KV", "kv"),
        ("kv-aware", "kv"),
        ("kv_router", "kv"),
        (" kv", "kv"),
        ("round_robin", "round-robin"),
        ("roundrobin", "round-robin"),
        ("Round-Robin", "round-robin"),
        ("rond-robin", "round-robin"),
        ("power_of_two", "power-of-two"),
        ("least_loaded", "least-loaded"),
        ("driect", "direct"),
        ("ramdom", "random"),
    ] {
        assert!(
            matches!(mode_from(value), ModeLookup::Suggest(m) if m.name == meant),
            "{value}: {:?}",
            mode_from(value)
        );
    }
    for value in ["", "magic", "k", "sticky"] {
        assert_eq!(mode_from(value), ModeLookup::Unknown, "{value}");
    }
}

#[test]
fn modes_and_their_releases_agree_with_the_help_texts() {
    let frontend = flags::component("frontend").expect("in the catalog");
    let flag = frontend.flag("--router-mode").expect("known").flag;
    for release in frontend.releases {
        let mut from_help = frontend.choices(flag, Some(*release));
        let mut ours = mode_names(Some(*release));
        from_help.sort_unstable();
        ours.sort_unstable();
        assert_eq!(from_help, ours, "{release:?}");
    }
    assert_eq!(mode_names(None).len(), 7);
}

#[test]
fn every_knob_is_a_flag_of_the_frontend_with_that_variable_and_release() {
    let frontend = flags::component("frontend").expect("in the catalog");
    for knob in knobs() {
        let found = frontend.flag(knob.flag).unwrap_or_else(|| panic!("{} is no flag", knob.flag));
        assert_eq!(found.flag.name, knob.flag);
        assert_eq!(found.flag.env, knob.env, "{}", knob.flag);
        assert_eq!(frontend.since(&found).unwrap_or((1, 0)).max((1, 0)), knob.since, "{}", knob.flag);
        assert_eq!(matches!(knob.kind, KnobKind::Bool), found.flag.kind == flags::Kind::Bool, "{}", knob.flag);
        if !knob.default.is_empty() {
            assert_eq!(knob.check(knob.default), Ok(()), "{}", knob.flag);
        }
    }
}

#[test]
fn every_router_flag_of_the_newest_release_is_a_knob() {
    let frontend = flags::component("frontend").expect("in the catalog");
    for flag in frontend.flags().filter(|f| f.name.starts_with("--router-")) {
        let gone = frontend.removed(&frontend.flag(flag.name).expect("its own name")).is_some();
        let old = rename(flag.name, "frontend").is_some();
        assert!(gone || old || knob(flag.name).is_some(), "{}", flag.name);
    }
}

#[test]
fn numbers_have_ranges() {
    let ok = |name: &str, values: &[&str]| {
        for value in values {
            assert_eq!(knob(name).expect(name).check(value), Ok(()), "{name}={value}");
        }
    };
    let bad = |name: &str, values: &[&str]| {
        for value in values {
            let told = knob(name).expect(name).check(value).expect_err(&format!("{name}={value}"));
            assert_eq!(told.reading, Reading::Rejected);
        }
    };
    ok("DYN_ROUTER_TEMPERATURE", &["0", "0.5", "1", " 2 ", "1_0"]);
    bad("DYN_ROUTER_TEMPERATURE", &["-0.1", "hot", "", "nan", "inf", "None"]);
    ok("--active-decode-blocks-threshold", &["0", "1", "0.85", "None", ""]);
    bad("--active-decode-blocks-threshold", &["1.5", "-1", "85%"]);
    ok("--router-session-affinity-ttl-secs", &["1", "31536000"]);
    bad("--router-session-affinity-ttl-secs", &["0", "31536001", "1.5"]);
    ok("--router-event-threads", &["1", "16"]);
    bad("--router-event-threads", &["0", "x"]);
    ok("--router-kv-overlap-score-credit", &["0", "1", "3"]);
    bad("--router-kv-overlap-score-credit", &["-1"]);
    assert_eq!(knob("--router-host-cache-hit-weight").unwrap().check("2").unwrap_err().legal, "a number from 0 to 1");
    assert_eq!(knob("--router-ttl-secs").unwrap().check("-2").unwrap_err().legal, "a number of at least 0");
    ok("--router-queue-policy", &["fcfs", "wspt"]);
    bad("--router-queue-policy", &["lcfs", "FCFS", ""]);
    ok("--router-conditional-disagg-config", &["{}", r#"{"policy":"isl_bounding"}"#]);
    bad("--router-conditional-disagg-config", &["{", ""]);
}

#[test]
fn the_endpoint_picker_has_names_of_its_own() {
    assert_eq!(epp_reads("DYN_ROUTER_USE_KV_EVENTS"), Some(false));
    assert_eq!(epp_reads("DYN_ROUTER_MODE"), Some(false));
    assert_eq!(epp_reads("DYN_ROUTER_TTL_SECS"), Some(false));
    assert_eq!(epp_reads("DYN_ROUTER_TEMPERATURE"), Some(true));
    assert_eq!(epp_reads("DYN_ROUTER_REPLICA_SYNC"), Some(true));
    assert_eq!(epp_reads("PATH"), None);
    for name in EPP_ONLY {
        assert!(knob(name).is_none(), "{name}");
    }
}

#[test]
fn kv_settings_are_scoped() {
    assert_eq!(knob("--router-temperature").map(|k| k.scope), Some(Scope::Kv));
    assert_eq!(knob("--router-min-initial-workers").map(|k| k.scope), Some(Scope::Any));
    assert_eq!(knob("--active-decode-blocks-threshold").map(|k| k.scope), Some(Scope::Any));
}

#[test]
fn renames_agree_with_the_help_texts() {
    let frontend = flags::component("frontend").expect("in the catalog");
    for rename in renames().iter().filter(|r| r.component == "frontend" && r.kind == NameKind::Flag) {
        // a new name that is a flag is one that the newest release takes
        for new in rename.new {
            assert!(frontend.flag(new).is_some_and(|m| frontend.removed(&m).is_none()), "{} -> {new}", rename.old);
        }
        let Some(found) = frontend.flag(rename.old).filter(|m| !m.abbreviated) else {
            assert_ne!(rename.effect, Effect::Alias, "{} is an alias but no help has it", rename.old);
            continue;
        };
        let takes = |release| frontend.accepts(&found, release);
        match rename.effect {
            Effect::Alias => assert_eq!(takes((1, 6)), Some(true), "{}", rename.old),
            Effect::Rejected => {
                assert_eq!(takes(rename.since), Some(false), "{} at {:?}", rename.old, rename.since);
                assert_eq!(frontend.removed(&found), Some(rename.since), "{}", rename.old);
            }
            // hidden from the help or kept in it, but parsed
            Effect::Mapped | Effect::Ignored => assert_eq!(takes(rename.since), Some(true), "{}", rename.old),
            Effect::Dead => panic!("{} is a flag: nothing is dead about it", rename.old),
        }
    }
    // a variable that is dead from the start is known as one that nothing reads
    for rename in renames().iter().filter(|r| r.effect == Effect::Dead && r.since == (1, 0)) {
        let variable = crate::catalog::vars::lookup(rename.old).unwrap_or_else(|| panic!("{}", rename.old));
        assert!(variable.is_unread(), "{}", rename.old);
    }
    assert_eq!(rename("DYN_KV_EVENTS", "frontend").map(|r| r.new), Some(&["DYN_ROUTER_USE_KV_EVENTS"][..]));
    assert_eq!(rename("DYN_STORE_KV", "vllm").map(|r| r.effect), Some(Effect::Dead));
    assert!(rename("DYN_VLLM_KV_EVENT_PORT", "frontend").is_none());
    assert!(rename("--router-mode", "frontend").is_none());
}
