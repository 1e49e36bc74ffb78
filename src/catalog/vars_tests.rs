use super::*;
use crate::catalog::Reading;

#[test]
fn variables_are_sorted_and_unique() {
    assert!(VARIABLES.len() > 2500, "{}", VARIABLES.len());
    for pair in VARIABLES.windows(2) {
        assert!(pair[0].name.get() < pair[1].name.get(), "{}", pair[1].name.get());
    }
}

#[test]
fn every_ucx_default_is_in_its_own_grammar() {
    // The strongest check on both the parsers and the table: UCX itself reads its defaults with the same parser.
    for variable in all().filter(|v| v.owner == "ucx" && !v.default.is_empty()) {
        if variable.default.contains('"') || variable.default.contains("UCS_") {
            continue;
        }
        assert_eq!(variable.check(variable.default), Ok(()), "{} = {}", variable.name, variable.default);
    }
}

#[test]
fn lookup_finds_exact_names_only() {
    assert_eq!(lookup("UCX_TLS").map(|v| v.owner), Some("ucx"));
    assert_eq!(lookup("NCCL_IB_DISABLE").map(|v| v.grammar), Some(Grammar::NcclInt));
    assert!(lookup("UCX_TLSS").is_none());
    assert!(lookup("ucx_tls").is_none());
    assert!(lookup("").is_none());
}

#[test]
fn common_misspellings_have_their_right_name() {
    for (wrong, right) in [
        ("UCX_NET_DEVICE", "UCX_NET_DEVICES"),
        ("UCX_IB_DEVICES", "UCX_NET_DEVICES"),
        ("UCX_DEVICES", "UCX_NET_DEVICES"),
        ("UCX_TRANSPORTS", "UCX_TLS"),
        ("UCX_TLS_LIST", "UCX_TLS"),
        ("UCX_IB_GPU_DIRECT", "UCX_IB_GPU_DIRECT_RDMA"),
        ("UCX_RNDV_THRESHOLD", "UCX_RNDV_THRESH"),
        ("UCX_CUDA_IPC_MNNVL", "UCX_CUDA_IPC_ENABLE_MNNVL"),
        ("UCX_ROCE_REACHABILITY_MODE", "UCX_IB_ROCE_REACHABILITY_MODE"),
        ("UCX_TSL", "UCX_TLS"),
        ("UCX_TLSS", "UCX_TLS"),
        ("NCCL_MIN_CHANNELS", "NCCL_MIN_NCHANNELS"),
        ("NCCL_BUFFERSIZE", "NCCL_BUFFSIZE"),
        ("NCCL_IB_QPS", "NCCL_IB_QPS_PER_CONNECTION"),
        ("NCCL_IB_DISABEL", "NCCL_IB_DISABLE"),
        ("NIXL_PLUGINS_DIR", "NIXL_PLUGIN_DIR"),
        ("FI_EFA_ENABLE_SHM", "FI_EFA_ENABLE_SHM_TRANSFER"),
    ] {
        assert_eq!(nearest(wrong), Some(right), "{wrong}");
        assert!(lookup(right).is_some_and(|v| !v.is_unread()), "{right}");
    }
}

#[test]
fn every_misspelling_row_points_at_a_live_name() {
    for (wrong, right, note) in MISSPELLINGS {
        assert!(lookup(wrong).is_none_or(|v| v.is_unread()), "{wrong} is a live name");
        assert!(right.is_empty() || lookup(right).is_some_and(|v| !v.is_unread()), "{right}");
        assert!(!(right.is_empty() && note.is_empty()), "{wrong} says nothing");
    }
}

#[test]
fn names_far_from_everything_have_no_suggestion() {
    for name in
        ["UCX_NOPE", "NCCL_SOMETHING_ELSE_ENTIRELY", "FOO", "NCCL_STORE_TIMEOUT", "UCX_MEMTYPE_REG_WHOLE", "UCX_", ""]
    {
        assert_eq!(nearest(name), None, "{name}");
    }
}

#[test]
fn plugins_own_their_names() {
    for name in [
        "NCCL_FASTRAK_CTRL_DEV",
        "NCCL_FASTRAK_SOMETHING_NEW",
        "NCCL_GPUDIRECTTCPX_FORCE_ACK",
        "NCCL_TUNER_CONFIG_PATH",
        "NCCL_SHIMNET_GUEST_CONFIG_CHECKER_CONFIG_FILE",
        "NCCL_IBEXT_DISABLE",
        "NCCL_ASYNC_ERROR_HANDLING",
        "NCCL_BLOCKING_WAIT",
        "NCCL_VERSION",
        "DYN_KVBM_NIXL_BACKEND_HF3FS",
    ] {
        assert!(is_external(name), "{name}");
    }
    for name in ["NCCL_IB_DISABLE", "NCCL_STORE_TIMEOUT", "UCX_TLS", "TORCH_NCCL_TRACE"] {
        assert!(!is_external(name), "{name}");
    }
}

#[test]
fn removed_and_unread_names_say_so() {
    let methods = lookup("UCX_IB_REG_METHODS").expect("known");
    assert_eq!(methods.removed(), Some("v1.15.0"));
    assert!(methods.is_unread());
    assert!(lookup("NCCL_STORE_TIMEOUT").expect("known").is_unread());
    assert_eq!(lookup("NCCL_WORK_FIFO_DEPTH").expect("known").removed(), Some("2.21"));
    assert_eq!(lookup("UCX_RMA_PPLN_ENABLE").expect("known").since(), Some("1.22"));
    assert_eq!(lookup("NIXL_TELEMETRY_MULTIPROC_DIR").expect("known").since(), Some("1.5.1"));
    assert!(!lookup("UCX_MAX_RNDV_LANES").expect("an alias is valid").is_unread());
    assert!(!lookup("NCCL_GRAPH_MIXING_SUPPORT").expect("valid in 2.28").is_unread());
}

#[test]
fn values_of_working_recipes_are_accepted() {
    // what must never be flagged, as far as a value's grammar goes
    for (name, value) in [
        ("NCCL_IB_DISABLE", "0"),
        ("NCCL_IB_DISABLE", "1"),
        ("NCCL_P2P_LEVEL", "NVL"),
        ("NCCL_CUMEM_ENABLE", "1"),
        ("NCCL_MNNVL_ENABLE", "1"),
        ("NCCL_DEBUG", "info"),
        ("NCCL_SOCKET_IFNAME", "^lo,docker"),
        ("UCX_MEMTYPE_CACHE", "y"),
        ("UCX_MEMTYPE_CACHE", "n"),
        ("UCX_MEMTYPE_CACHE", "1"),
        ("UCX_MEMTYPE_CACHE", "0"),
        ("UCX_IB_GPU_DIRECT_RDMA", "yes"),
        ("UCX_TLS", "tcp,self"),
        ("UCX_TLS", "^cuda_ipc"),
        ("UCX_TLS", "all"),
        ("UCX_RC_TIMEOUT", "600s"),
        ("UCX_KEEPALIVE_INTERVAL", "300s"),
        ("UCX_RNDV_THRESH", "8192"),
        ("UCX_RNDV_THRESH", "intra:8k,inter:64k"),
        ("UCX_RNDV_THRESH", "0"),
        ("UCX_RNDV_SCHEME", "get_zcopy"),
        ("UCX_MAX_RNDV_RAILS", "4"),
        ("UCX_IB_GID_INDEX", "3"),
        ("UCX_IB_ADDR_TYPE", "eth"),
        ("UCX_IB_ROCE_REACHABILITY_MODE", "all"),
        ("UCX_CUDA_IPC_ENABLE_MNNVL", "y"),
        ("UCX_LOG_LEVEL", "info"),
        ("UCX_LOG_LEVEL", "INFO"),
        ("UCX_RCACHE_MAX_UNRELEASED", "1024"),
        ("NIXL_TELEMETRY_ENABLE", "y"),
        ("NIXL_LOG_LEVEL", "debug"),
        ("FI_EFA_USE_DEVICE_RDMA", "1"),
        ("FI_EFA_ENABLE_SHM_TRANSFER", "0"),
        ("FI_PROVIDER", "efa"),
        ("TRTLLM_USE_UCX_KVCACHE", "1"),
        ("TRTLLM_USE_UCX_KVCACHE", "0"),
        ("NVIDIA_GDRCOPY", "enabled"),
    ] {
        let variable = lookup(name).unwrap_or_else(|| panic!("{name} is not in the catalog"));
        assert_eq!(variable.check(value), Ok(()), "{name}={value}");
    }
}

#[test]
fn values_outside_their_grammar_are_told() {
    for (name, value, suggestion) in [
        ("UCX_MEMTYPE_CACHE", "true", Some("y")),
        ("UCX_IB_GPU_DIRECT_RDMA", "false", Some("n")),
        ("UCX_RNDV_SCHEME", "get_zcop", Some("get_zcopy")),
        ("UCX_RNDV_THRESH", "8KiB", Some("8k")),
        ("UCX_RC_TIMEOUT", "5min", Some("5m")),
        ("NCCL_P2P_LEVEL", "nvl", Some("NVL")),
        ("NIXL_TELEMETRY_ENABLE", "maybe", None),
        ("NVIDIA_GDRCOPY", "1", Some("enabled")),
        ("TRTLLM_NIXL_KVCACHE_BACKEND", "libfabric", Some("LIBFABRIC")),
    ] {
        let told = lookup(name).expect(name).check(value).expect_err(name);
        assert_eq!(told.suggestion.as_deref(), suggestion, "{name}={value}: {told}");
    }
    let told = lookup("NCCL_IB_DISABLE").expect("known").check("true").expect_err("not an integer");
    assert_eq!(told.reading, Reading::ReadAs("0".into()));
}

#[test]
fn dynamo_names_are_known_with_their_reader() {
    for name in [
        "DYN_ROUTER_MODE",
        "DYN_ROUTER_USE_KV_EVENTS",
        "DYN_SYSTEM_PORT",
        "DYN_NAMESPACE",
        "DYN_DISCOVERY_BACKEND",
        "DYN_VLLM_DISAGGREGATION_MODE",
        "DYN_TRTLLM_PUBLISH_KV_EVENTS",
        "DYN_USE_KV_EVENTS",
        "DYN_KVBM_CPU_CACHE_GB",
        "DYN_LORA_ENABLED",
        "NATS_SERVER",
    ] {
        assert!(lookup(name).is_some_and(|v| !v.is_unread()), "{name}");
    }
    assert_eq!(lookup("DYN_ROUTER_USE_KV_EVENTS").map(|v| v.grammar), Some(Grammar::PythonBool));
    assert_eq!(lookup("DYN_USE_KV_EVENTS").map(|v| v.grammar), Some(Grammar::RustBool));
    assert_eq!(nearest("DYN_ROUTER_USE_KV_EVENT"), Some("DYN_ROUTER_USE_KV_EVENTS"));
    assert_eq!(nearest("DYN_ROUTER_MOED"), Some("DYN_ROUTER_MODE"));
    assert_eq!(nearest("DYN_SYSTEM_PROT"), Some("DYN_SYSTEM_PORT"));
    assert_eq!(nearest("DYN_SOMETHING_OF_A_PLUGIN"), None);
}

#[test]
fn families_know_their_completeness() {
    assert!(family("UCX_FOO").is_some_and(|f| f.complete() && f.reader == "UCX"));
    assert!(family("DYN_FOO").is_some_and(|f| !f.complete()));
    assert_eq!(family("DYN_KVBM_X").map(|f| f.prefix), Some("DYN_KVBM_"));
    assert_eq!(family("OFI_NCCL_X").map(|f| f.prefix), Some("OFI_NCCL_"));
    assert_eq!(family("PATH"), None);
}

/// `1.4`.
fn release(text: &str) -> (u16, u16) {
    let (major, minor) = text.split_once('.').expect("a minor release");
    (major.parse().expect("a number"), minor.parse().expect("a number"))
}

#[test]
fn engines_and_dynamo_are_dated_by_releases_of_dynamo() {
    let known = super::super::flags::component("dynamo.vllm").expect("a worker");
    let mut dated = 0;
    for variable in all().filter(|v| matches!(v.owner, "vllm" | "sglang" | "dynamo" | "kvbm")) {
        let (since, removed) = (variable.since().map(release), variable.removed().map(release));
        for said in since.iter().chain(&removed) {
            assert!(known.covers(*said), "{}: {said:?}", variable.name);
        }
        assert!(removed.is_none_or(|last| since.is_none_or(|first| first <= last)), "{}", variable.name);
        dated += usize::from(since.is_some() || removed.is_some());
    }
    assert!(dated > 1000, "{dated}");
    // vLLM 0.14.1 (Dynamo 0.9) has it, 0.16.0 (1.0) has not; 0.16.0 has not the other yet, 0.19.0 (1.1) has.
    assert_eq!(lookup("VLLM_ATTENTION_BACKEND").expect("known").removed(), Some("0.9"));
    assert_eq!(lookup("VLLM_ALLREDUCE_USE_FLASHINFER").expect("known").since(), Some("1.1"));
}

#[test]
fn every_default_of_an_engine_is_in_its_own_grammar() {
    for variable in all().filter(|v| matches!(v.owner, "vllm" | "sglang") && !v.default.is_empty()) {
        // a switch is off by a word that is not among those for on
        assert_eq!(variable.check(variable.default), Ok(()), "{} = {}", variable.name, variable.default);
    }
}

#[test]
fn engines_say_what_they_make_of_a_value() {
    let read = |name: &str, value: &str| lookup(name).expect("known").check(value).map_err(|e| e.reading);
    for value in ["0", "1", " 1 ", "-1", "+7", "1_000"] {
        assert_eq!(read("VLLM_ALLREDUCE_USE_FLASHINFER", value), Ok(()), "{value}");
    }
    for value in ["true", "yes", "1.0", "0x10", "_1", "1__0", "+", "-"] {
        assert_eq!(read("VLLM_ALLREDUCE_USE_FLASHINFER", value), Err(Reading::Rejected), "{value}");
    }
    for value in ["1", "TRUE", "0", "no", "off", "whatever"] {
        assert_eq!(read("VLLM_ALLOW_LONG_MAX_MODEL_LEN", value), Ok(()), "{value}");
    }
    assert_eq!(read("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "yes"), Err(Reading::ReadAs("off".to_owned())));
    assert_eq!(read("SGLANG_DISAGGREGATION_BOOTSTRAP_TIMEOUT", "5m"), Err(Reading::Ignored));
    assert_eq!(read("VLLM_NIXL_SIDE_CHANNEL_PORT", "70000"), Err(Reading::Rejected));
}
