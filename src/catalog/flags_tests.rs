use super::*;

fn frontend() -> &'static Component {
    component("frontend").expect("in the catalog")
}

#[test]
fn components_go_by_name_and_by_module() {
    for (module, name) in [
        ("dynamo.frontend", "frontend"),
        ("dynamo.mocker", "mocker"),
        ("dynamo.vllm", "dynamo-vllm"),
        ("dynamo.sglang", "dynamo-sglang"),
        ("dynamo-trtllm", "dynamo-trtllm"),
    ] {
        assert_eq!(component(module).map(|c| c.name), Some(name), "{module}");
    }
    assert!(component("dynamo.unheard").is_none());
    assert_eq!(frontend().releases.first(), Some(&(0, 4)));
    assert_eq!(frontend().releases.last(), Some(&(1, 6)));
}

#[test]
fn spellings_are_unique_in_every_component() {
    for component in all() {
        let mut seen = std::collections::BTreeSet::new();
        for spelling in component.spellings(ANY).filter(|s| !s.negated) {
            assert!(seen.insert(spelling.spelling), "{}: {}", component.name, spelling.spelling);
            let found = component.flag(spelling.spelling).expect(spelling.spelling);
            assert!(
                found.flag.name == spelling.flag.name && !found.abbreviated && !found.negated,
                "{}",
                spelling.spelling
            );
        }
        assert!(component.flags().is_sorted_by(|a, b| a.name < b.name), "{}", component.name);
        for flag in component.flags() {
            assert_ne!(flag.present, 0, "{}: {}", component.name, flag.name);
        }
    }
}

#[test]
fn aliases_and_negations_lead_to_one_option() {
    for (written, negated) in [
        ("--router-kv-events", false),
        ("--no-router-kv-events", true),
        ("--kv-events", false),
        ("--no-kv-events", true),
    ] {
        let found = frontend().flag(written).expect(written);
        assert_eq!(found.flag.name, "--router-kv-events", "{written}");
        assert_eq!((found.negated, found.abbreviated), (negated, false), "{written}");
        assert_eq!(found.flag.env, "DYN_ROUTER_USE_KV_EVENTS");
        assert_eq!(found.flag.kind, Kind::Bool);
    }
    assert_eq!(frontend().flag("-i").expect("short").flag.name, "--interactive");
    assert_eq!(frontend().flag("--router-mode=kv").expect("joined").flag.name, "--router-mode");
}

#[test]
fn beginnings_count_on_the_frontend_and_not_on_vllm() {
    let found = frontend().flag("--router-mo").expect("unique");
    assert!(found.abbreviated);
    assert_eq!(found.flag.name, "--router-mode");
    assert!(
        matches!(frontend().find("--router-t"), Lookup::Ambiguous(names) if names.contains(&"--router-temperature"))
    );
    assert!(matches!(frontend().find("--router-k"), Lookup::Ambiguous(_)));
    let found = frontend().flag("--no-router-rep").expect("unique");
    assert_eq!((found.flag.name, found.negated), ("--router-replica-sync", true));
    let vllm = component("dynamo.vllm").expect("in the catalog");
    assert!(vllm.flag("--disaggregation-mo").is_none());
    assert!(vllm.flag("--disaggregation-mode").is_some());
    assert!(matches!(frontend().find("--"), Lookup::Unknown));
    assert!(matches!(frontend().find(""), Lookup::Unknown));
    assert!(matches!(frontend().find("--no-such-thing"), Lookup::Unknown));
}

#[test]
fn vllm_takes_underscores_and_dotted_keys() {
    let vllm = component("dynamo.vllm").expect("in the catalog");
    assert_eq!(vllm.flag("--tensor_parallel_size").expect("underscores").flag.name, "--tensor-parallel-size");
    assert_eq!(vllm.flag("--kv-transfer-config.kv_connector").expect("dotted").flag.name, "--kv-transfer-config");
    assert_eq!(vllm.flag("-tp").expect("short").flag.name, "--tensor-parallel-size");
    assert!(component("dynamo.sglang").expect("in the catalog").flag("--tp_size").is_none());
    assert_eq!(
        component("dynamo.sglang").expect("in the catalog").flag("--tp").map(|m| m.flag.name),
        Some("--tp-size"),
        "a beginning or an alias of it"
    );
}

#[test]
fn releases_bring_and_remove_flags() {
    let frontend = frontend();
    let get = |name: &str| frontend.flag(name).expect(name);
    let durable = get("--router-durable-kv-events");
    assert_eq!(frontend.accepts(&durable, (1, 3)), Some(true));
    assert_eq!(frontend.accepts(&durable, (1, 4)), Some(false));
    assert_eq!(frontend.removed(&durable), Some((1, 4)));
    let aware = get("--load-aware");
    assert_eq!(frontend.since(&aware), Some((1, 2)));
    assert_eq!(frontend.removed(&aware), None);
    assert_eq!(frontend.accepts(&aware, (0, 9)), Some(false));
    assert_eq!(frontend.accepts(&aware, (0, 3)), None, "not read");
    assert_eq!(frontend.next(&aware, (0, 9)), Some((1, 2)));
    assert_eq!(frontend.removed(&get("--decode-fallback")), Some((1, 1)));
    let ttl = get("--router-ttl");
    assert_eq!((ttl.flag.name, frontend.removed(&ttl)), ("--router-ttl-secs", Some((1, 1))));
    assert_eq!(frontend.since(&get("--router-mode")), None);
    let ais = get("--ais-tp-size");
    assert_eq!(frontend.since(&ais), Some((1, 6)));
    assert_eq!(frontend.accepts(&get("--aic-tp-size"), (1, 6)), Some(true));
}

#[test]
fn workers_have_the_options_of_their_release() {
    let of = |module: &str, written: &str, release| component(module).expect(module).find_in(written, release);
    assert!(matches!(of("dynamo.sglang", "--nsa-prefill-backend", (1, 5)), Lookup::Found(_)));
    assert!(matches!(of("dynamo.sglang", "--nsa-prefill-backend", (1, 6)), Lookup::Unknown));
    // Two of its heirs begin so: argparse refuses that as well.
    assert!(matches!(of("dynamo.sglang", "--cuda-graph-max-bs", (1, 6)), Lookup::Ambiguous(_)));
    assert!(matches!(of("dynamo.vllm", "--disable-log-requests", (1, 0)), Lookup::Found(_)));
    assert!(matches!(of("dynamo.vllm", "--disable-log-requests", (1, 1)), Lookup::Unknown));
    assert!(matches!(of("dynamo.vllm", "--router-mode", (1, 4)), Lookup::Unknown));
    assert!(matches!(of("dynamo.vllm", "--router-mode", (1, 5)), Lookup::Found(_)));
    // vLLM's parser takes beginnings, Dynamo's own in front of it does not.
    assert!(matches!(of("dynamo.vllm", "--max-model-le", (1, 6)), Lookup::Found(m) if m.abbreviated));
    assert!(matches!(of("dynamo.vllm", "--disaggregation-mo", (1, 6)), Lookup::Unknown));
    assert!(matches!(of("dynamo.trtllm", "--publish-events-and-metrics", (1, 6)), Lookup::Found(_)));
    assert!(matches!(of("dynamo.sglang", "--nsa-prefill-backend", (9, 9)), Lookup::Found(_)), "not read");
    // Options go back to 0.4.
    assert!(matches!(of("dynamo.vllm", "--disaggregation-mode", (0, 9)), Lookup::Unknown));
    assert!(matches!(of("dynamo.vllm", "--is-prefill-worker", (0, 7)), Lookup::Found(_)));
    assert!(matches!(of("dynamo.trtllm", "--disaggregation-mode", (0, 7)), Lookup::Found(_)));
    assert!(matches!(of("dynamo.sglang", "--config-key", (0, 9)), Lookup::Found(_)));
    assert!(matches!(of("dynamo.sglang", "--config-key", (1, 0)), Lookup::Unknown));
    let trtllm = component("dynamo.trtllm").expect("TensorRT-LLM");
    let mode = trtllm.flag("--disaggregation-mode").expect("an option").flag;
    assert!(trtllm.choices(mode, Some((0, 9))).contains(&"prefill_and_decode"));
    assert!(!trtllm.choices(mode, Some((1, 0))).contains(&"none"));
}

#[test]
fn releases_before_1_0_have_their_own_options() {
    let of = |module: &str, written: &str, release| component(module).expect(module).find_in(written, release);
    let kind = |module: &str, written: &str, release| match of(module, written, release) {
        Lookup::Found(found) => Some((found.flag.name, found.negated, found.flag.kind)),
        _ => None,
    };
    // `--no-kv-events` stood alone before the pair of switches became one option.
    let events = "--router-kv-events";
    assert_eq!(kind("dynamo.frontend", "--no-kv-events", (0, 5)), Some((events, true, Kind::Switch)));
    assert_eq!(kind("dynamo.frontend", "--no-kv-ev", (0, 5)), Some((events, true, Kind::Switch)));
    assert_eq!(kind("dynamo.frontend", "--kv-events", (0, 5)), None);
    assert_eq!(kind("dynamo.frontend", "--kv-events", (0, 4)), Some((events, false, Kind::Switch)));
    assert_eq!(kind("dynamo.frontend", "--no-router-kv-events", (0, 9)), None);
    assert_eq!(kind("dynamo.frontend", "--no-router-kv-events", (1, 0)), Some((events, true, Kind::Bool)));
    // A switch then, a pair now.
    let sync = "--router-replica-sync";
    assert_eq!(kind("dynamo.frontend", sync, (0, 9)), Some((sync, false, Kind::Switch)));
    assert_eq!(kind("dynamo.frontend", "--no-router-replica-sync", (0, 9)), None);
    assert_eq!(kind("dynamo.frontend", "--no-router-replica-sync", (1, 0)), Some((sync, true, Kind::Bool)));
    let found = frontend().flag("--no-router-replica-sync").expect("an option");
    assert_eq!(frontend().since(&found), Some((1, 0)), "the pair");
    // Gone for a release, and back.
    let disagg = frontend().flag("--enforce-disagg").expect("an option");
    assert_eq!(frontend().accepts(&disagg, (1, 0)), Some(false));
    assert_eq!((frontend().next(&disagg, (1, 0)), frontend().removed(&disagg)), (Some((1, 1)), None));
    // One parser had all of vLLM's worker before 1.0 and took beginnings.
    assert!(matches!(of("dynamo.vllm", "--is-prefill-w", (0, 9)), Lookup::Found(m) if m.abbreviated));
    assert!(matches!(of("dynamo.vllm", "--is-prefill-w", (1, 0)), Lookup::Unknown));
    assert!(component("dynamo.router").expect("known").accepts(&disagg, (0, 5)).is_none(), "not in that wheel");
    let planner = component("dynamo.planner.planner_sla").expect("known");
    assert_eq!(planner.releases.last(), Some(&(0, 9)));
    let backend = planner.flag("--backend").expect("an option").flag;
    assert_eq!(planner.choices(backend, Some((0, 4))), ["vllm", "sglang"]);
    // What the frontend alone takes is no option of a worker that advertises its router.
    assert!(matches!(of("dynamo.vllm", "--router-min-initial-workers", (1, 6)), Lookup::Unknown));
    assert!(matches!(of("dynamo.frontend", "--router-min-initial-workers", (1, 6)), Lookup::Found(_)));
}

#[test]
fn options_on_their_way_out_are_options_of_some_release() {
    for row in crate::catalog::tables::LEAVING {
        let (flag, engine) = (row.flag.get(), row.component.get());
        if engine == "any" || row.gone.is_some_and(|gone| gone <= (1, 0)) {
            continue;
        }
        let component = component(&format!("dynamo.{engine}")).expect(engine);
        let found = component.flag(flag).unwrap_or_else(|| panic!("{engine} {flag}"));
        assert!(!found.abbreviated, "{engine} {flag}");
        if let Some(deprecated) = row.deprecated {
            assert_eq!(component.accepts(&found, deprecated), Some(true), "{engine} {flag}");
        }
        if let Some(gone) = row.gone {
            assert_eq!(component.removed(&found), Some(gone), "{engine} {flag}");
        }
    }
    assert!(leaving("dynamo-vllm", "--store-kv").is_some() && leaving("frontend", "--store-kv").is_none());
}

#[test]
fn values_of_workers_have_types() {
    for (module, flag, value) in [
        ("dynamo.vllm", "--max-num-seqs", Value::Int),
        ("dynamo.vllm", "--max-model-len", Value::HumanInt),
        ("dynamo.vllm", "--gpu-memory-utilization", Value::Float),
        ("dynamo.vllm", "--speculative-config", Value::Json),
        ("dynamo.sglang", "--mem-fraction-static", Value::Float),
        ("dynamo.sglang", "--page-size", Value::Int),
        ("dynamo.trtllm", "--max-num-tokens", Value::Int),
    ] {
        assert_eq!(component(module).expect(module).flag(flag).expect(flag).flag.value, value, "{module} {flag}");
    }
}

#[test]
fn choices_follow_the_release() {
    let frontend = frontend();
    let mode = frontend.flag("--router-mode").expect("known").flag;
    assert!(!frontend.choices(mode, Some((1, 0))).contains(&"power-of-two"));
    assert!(frontend.choices(mode, Some((1, 1))).contains(&"power-of-two"));
    assert_eq!(frontend.choices(mode, None).len(), 7);
    let plane = frontend.flag("--request-plane").expect("known").flag;
    assert!(frontend.choices(plane, Some((1, 2))).contains(&"http"));
    assert!(!frontend.choices(plane, Some((1, 3))).contains(&"http"));
    assert!(frontend.choices(frontend.flag("--http-port").expect("known").flag, None).is_empty());
}

#[test]
fn engine_flags_that_rules_lean_on_are_there() {
    for (module, flag, kind) in [
        ("dynamo.vllm", "--kv-transfer-config", Kind::Value),
        ("dynamo.vllm", "--kv-events-config", Kind::Value),
        ("dynamo.vllm", "--enable-prefix-caching", Kind::Bool),
        ("dynamo.vllm", "--disaggregation-mode", Kind::Value),
        ("dynamo.vllm", "--data-parallel-size", Kind::Value),
        ("dynamo.vllm", "--block-size", Kind::Value),
        ("dynamo.sglang", "--disaggregation-transfer-backend", Kind::Value),
        ("dynamo.sglang", "--disaggregation-ib-device", Kind::Value),
        ("dynamo.sglang", "--kv-events-config", Kind::Value),
        ("dynamo.sglang", "--disable-radix-cache", Kind::Switch),
        ("dynamo.sglang", "--page-size", Kind::Value),
        ("dynamo.mocker", "--disaggregation-mode", Kind::Value),
    ] {
        let found = component(module).expect(module).flag(flag).unwrap_or_else(|| panic!("{module} {flag}"));
        assert_eq!(found.flag.kind, kind, "{module} {flag}");
    }
    let sglang = component("dynamo.sglang").expect("in the catalog");
    let backend = sglang.flag("--disaggregation-transfer-backend").expect("known").flag;
    for name in ["mooncake", "nixl", "ascend", "fake"] {
        assert!(sglang.choices(backend, None).contains(&name), "{name}");
    }
}

#[test]
fn slips_have_a_neighbour() {
    for (wrong, right) in [
        ("--router-mod", Some("--router-mode")),
        ("--router-modes", Some("--router-mode")),
        ("--router_mode", Some("--router-mode")),
        ("--no-router-kv-event", Some("--no-router-kv-events")),
        ("--router-kv-evnts", Some("--router-kv-events")),
        ("--something-else", None),
        ("--no-router-mode", Some("--router-mode")),
    ] {
        assert_eq!(frontend().nearest(wrong).as_deref(), right, "{wrong}");
    }
}

#[test]
fn variables_lead_back_to_their_flag() {
    assert_eq!(frontend().by_env("DYN_ROUTER_MODE").map(|f| f.name), Some("--router-mode"));
    assert!(frontend().by_env("").is_none());
    assert!(frontend().by_env("DYN_NOPE").is_none());
}
