//! One planted mistake per rule: where it applies, and what is changed.

use dynlint::resolve::{Deployment, FabricKind, Framework, Role, Service, Transfer, Version};
use dynlint::source::Fact;

use super::edits;
use super::manifest::{Manifest, Op};

/// Changes to services by name.
pub type Ops = Vec<(String, Op)>;

/// A mistake that can be planted.
pub struct Plant {
    /// The rule that must speak.
    pub rule: &'static str,
    /// Others above advice that may speak too, because the mistake has a second bad effect.
    pub also: &'static [&'static str],
    /// What to change, for each place where it applies.
    pub make: fn(&Deployment) -> Vec<Ops>,
}

const fn plant(rule: &'static str, also: &'static [&'static str], make: fn(&Deployment) -> Vec<Ops>) -> Plant {
    Plant { rule, also, make }
}

fn at(service: &Service, op: Op) -> Ops {
    vec![(service.name.clone(), op)]
}

fn env(service: &Service, name: &'static str, value: &str) -> Ops {
    at(service, Op::Env(name, value.to_owned()))
}

fn flag(service: &Service, name: &'static str, value: &str) -> Ops {
    at(service, Op::Flag(name, Some(value.to_owned())))
}

fn switch(service: &Service, name: &'static str) -> Ops {
    at(service, Op::Flag(name, None))
}

/// A change of its own.
fn edit(service: &Service, change: fn(&mut Manifest, &str) -> Option<()>) -> Ops {
    at(service, Op::Edit(change))
}

fn each<'a>(services: impl Iterator<Item = &'a Service>, f: impl Fn(&Service) -> Ops) -> Vec<Ops> {
    services.map(f).collect()
}

/// Prefill and decode workers of a split deployment whose KV cache is known to go over UCX, and whose command is there to
/// be seen.
fn ucx(d: &Deployment) -> impl Iterator<Item = &Service> {
    d.disaggregated().filter(|s| {
        matches!(s.kv.path, Fact::Known(Transfer::NixlUcx | Transfer::TrtllmUcx))
            && s.framework != Some(Framework::Mocker)
    })
}

/// Of these, those in pods with an RDMA device that UCX can use.
fn ucx_rdma(d: &Deployment) -> impl Iterator<Item = &Service> {
    ucx(d).filter(|s| s.fabric.devices.iter().any(|x| x.kind != FabricKind::Efa))
}

/// Those without a ComputeDomain, where NVLink reaches from pod to pod whatever the adapters do.
fn apart<'a>(services: impl Iterator<Item = &'a Service>) -> impl Iterator<Item = &'a Service> {
    services.filter(|s| s.fabric.channel().is_none())
}

fn nixl(d: &Deployment) -> impl Iterator<Item = &Service> {
    d.disaggregated().filter(|s| matches!(s.kv.path, Fact::Known(Transfer::NixlUcx | Transfer::NixlLibfabric)))
}

/// Workers of engines that span nodes.
fn multinode(d: &Deployment) -> impl Iterator<Item = &Service> {
    d.workers().filter(|s| s.nodes > 1 && s.framework != Some(Framework::Mocker))
}

fn kvbm(s: &Service) -> bool {
    s.env.vars.iter().any(|v| v.name.starts_with("DYN_KVBM_"))
}

fn engine(d: &Deployment, framework: Framework) -> impl Iterator<Item = &Service> {
    d.workers().filter(move |s| s.framework == Some(framework) && s.process.is_some())
}

/// Frontends whose command line can be changed: visible, a router in them.
fn frontends(d: &Deployment) -> impl Iterator<Item = &Service> {
    d.role(Role::Frontend).filter(|s| s.component.epp_config.is_none())
}

fn spelled_frontends(d: &Deployment) -> impl Iterator<Item = &Service> {
    frontends(d).filter(spelled)
}

/// The mode that a frontend says, by flag or variable; round-robin when it says nothing.
fn mode(s: &Service) -> String {
    let by_flag = s.flag(&["--router-mode"]).and_then(|f| f.value()).and_then(|w| w.as_known()).map(str::to_owned);
    by_flag.or_else(|| s.env.known("DYN_ROUTER_MODE").map(|t| t.as_str().to_owned())).unwrap_or("round-robin".into())
}

fn kv(d: &Deployment) -> impl Iterator<Item = &Service> {
    frontends(d).filter(|s| mode(s) == "kv")
}

fn listening(d: &Deployment) -> impl Iterator<Item = &Service> {
    kv(d).filter(|s| {
        s.flag(&["--no-router-kv-events", "--no-kv-events", "--load-aware", "--router-policy-config"]).is_none()
            && s.env.get("DYN_ROUTER_USE_KV_EVENTS").is_none()
            && s.env.get("DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT").is_none()
            && s.env.get("DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT").is_none()
            && s.flag(&["--kv-overlap-score-weight", "--router-kv-overlap-score-credit"]).is_none()
    })
}

fn no_kv(d: &Deployment) -> impl Iterator<Item = &Service> {
    frontends(d).filter(|s| {
        mode(s) == "round-robin" && s.flag(&["--load-aware"]).is_none() && s.env.get("DYN_ROUTER_LOAD_AWARE").is_none()
    })
}

fn spelled(s: &&Service) -> bool {
    s.process.as_ref().is_some_and(|p| !p.implied && p.module.value == "dynamo.frontend")
}

fn from(major: u16, minor: u16) -> impl Fn(&&Service) -> bool {
    move |s| s.version().is_some_and(|v| v >= Version::new(major, minor))
}

fn below(major: u16, minor: u16) -> impl Fn(&&Service) -> bool {
    move |s| s.version().is_some_and(|v| v < Version::new(major, minor))
}

fn sides(d: &Deployment) -> Option<(&Service, &Service)> {
    let prefill: Vec<&Service> = d.role(Role::Prefill).collect();
    let decode: Vec<&Service> = d.role(Role::Decode).collect();
    match (prefill.as_slice(), decode.as_slice()) {
        ([p], [c]) if p.framework == c.framework => Some((p, c)),
        _ => None,
    }
}

/// What else a worker sets off that takes itself for an aggregated one.
const ROLE_GONE: &[&str] = &[
    "disagg-peer-missing",
    "kv-connector-mismatch",
    "kv-router-partial-events",
    "kv-router-no-events",
    "kv-events-without-prefix-cache",
];

/// Every mistake.
pub const PLANTS: &[Plant] = &[
    // ---- how UCX_TLS is written
    plant("ucx-tls-empty", &[], |d| each(ucx(d), |s| env(s, "UCX_TLS", ""))),
    plant("ucx-tls-token-format", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_TLS", "rc, cuda_copy,cuda_ipc,tcp"))),
    plant("ucx-tls-caret-not-first", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_TLS", "rc,cuda_copy,cuda_ipc,^sm"))),
    plant("ucx-tls-all-not-alone", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_TLS", "all,cuda_copy"))),
    plant("ucx-tls-unknown-transport", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_TLS", "rc,cuda_copy,cuda_icp,tcp"))),
    plant("ucx-tls-redundant", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_TLS", "rc,rc_x,cuda_copy,cuda_ipc,tcp"))),
    // ---- what it means
    plant("ucx-tls-missing-cuda-copy", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_TLS", "rc,cuda_ipc,tcp"))),
    plant(
        "ucx-tls-no-am-transport",
        &["ucx-tls-tcp-only-with-rdma", "ucx-tls-roles-disjoint", "compute-domain-asymmetric"],
        |d| each(ucx(d), |s| env(s, "UCX_TLS", "cuda_copy,cuda_ipc,sm,self")),
    ),
    plant("ucx-tls-tcp-only-with-rdma", &["ucx-tls-roles-disjoint"], |d| {
        each(apart(ucx_rdma(d)), |s| env(s, "UCX_TLS", "tcp,cuda_copy,cuda_ipc"))
    }),
    plant("ucx-tls-rdma-only-without-rdma", &["ucx-tls-roles-disjoint", "rdma-asymmetric-roles"], |d| {
        each(ucx(d).filter(|s| !s.fabric.may_have_rdma()), |s| env(s, "UCX_TLS", "rc,cuda_copy,cuda_ipc"))
    }),
    plant("ucx-tls-no-fast-path", &["disagg-no-fabric"], |d| {
        let gpu = |s: &Service| s.kv.buffer_device.as_ref().is_none_or(|b| b.value == "cuda");
        each(ucx(d).filter(|s| !s.fabric.may_have_rdma() && s.fabric.claims.is_empty() && gpu(s)), |s| {
            env(s, "UCX_TLS", "tcp,cuda_copy")
        })
    }),
    plant("ucx-tls-raw-ib-without-aux", &[], |d| {
        each(ucx_rdma(d), |s| env(s, "UCX_TLS", "rc_mlx5,cuda_copy,cuda_ipc"))
    }),
    // ---- other UCX variables
    plant("ucx-invalid-value", &[], |d| each(ucx(d), |s| env(s, "UCX_RNDV_SCHEME", "get_zcpy"))),
    plant("ucx-net-devices-glob", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_NET_DEVICES", "mlx5_*:1"))),
    plant("ucx-net-devices-missing-port", &["ucx-net-devices-single-hca"], |d| {
        each(ucx_rdma(d).filter(below(1, 4)), |s| env(s, "UCX_NET_DEVICES", "mlx5_0,mlx5_1"))
    }),
    plant("ucx-net-devices-no-ib", &["ucx-tls-no-am-transport"], |d| {
        each(ucx_rdma(d), |s| env(s, "UCX_NET_DEVICES", "eth0"))
    }),
    plant("ucx-net-devices-single-hca", &[], |d| {
        each(ucx_rdma(d).filter(|s| s.gpus.known().is_some_and(|n| *n >= 4)), |s| env(s, "UCX_NET_DEVICES", "mlx5_0:1"))
    }),
    plant("ucx-gpu-direct-disabled", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_IB_GPU_DIRECT_RDMA", "no"))),
    plant("ucx-gid-index-hardcoded", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_IB_GID_INDEX", "3"))),
    plant("ucx-rndv-inert-under-nixl", &[], |d| {
        each(ucx(d).filter(|s| s.kv.path == Fact::Known(Transfer::NixlUcx)), |s| env(s, "UCX_RNDV_THRESH", "0"))
    }),
    plant("ucx-addr-type-noop", &[], |d| each(ucx_rdma(d), |s| env(s, "UCX_IB_ADDR_TYPE", "eth"))),
    plant("unknown-transport-variable", &[], |d| each(ucx(d), |s| env(s, "UCX_NET_DEVICE", "mlx5_0:1"))),
    plant("env-shell-expansion", &[], |d| each(ucx(d), |s| edit(s, edits::shell_reference))),
    plant("frontend-transport-vars", &[], |d| each(frontends(d), |s| env(s, "UCX_TLS", "rc,cuda_copy,cuda_ipc"))),
    plant("transport-vars-in-agg", &[], |d| {
        each(
            d.role(Role::Aggregated).filter(|s| {
                s.framework.is_some_and(|f| f != Framework::Mocker)
                    && s.kv.path == Fact::Known(Transfer::None)
                    && !s
                        .env
                        .vars
                        .iter()
                        .any(|v| ["DYN_KVBM_", "MODEL_EXPRESS", "MX_"].iter().any(|p| v.name.starts_with(p)))
                    && !d.is_disaggregated()
                    && d.role(Role::Prefill).next().is_none()
            }),
            |s| env(s, "UCX_TLS", "rc,cuda_copy,cuda_ipc"),
        )
    }),
    // ---- NCCL and others
    plant("nccl-non-integer-value", &[], |d| each(multinode(d), |s| env(s, "NCCL_IB_DISABLE", "false"))),
    plant("nccl-level-invalid", &[], |d| each(multinode(d), |s| env(s, "NCCL_P2P_LEVEL", "NVLINK"))),
    plant("nccl-filter-syntax", &["disagg-no-fabric"], |d| each(multinode(d), |s| env(s, "NCCL_IB_HCA", "mlx5_*"))),
    plant("nccl-ib-disable-multinode", &[], |d| {
        each(apart(multinode(d)).filter(|s| !s.fabric.devices.is_empty()), |s| env(s, "NCCL_IB_DISABLE", "1"))
    }),
    plant("nccl-net-socket-multinode", &[], |d| {
        each(apart(multinode(d)).filter(|s| !s.fabric.devices.is_empty()), |s| env(s, "NCCL_NET", "Socket"))
    }),
    plant("gloo-ifname-pattern", &[], |d| {
        each(multinode(d).filter(|s| s.framework != Some(Framework::Trtllm)), |s| {
            env(s, "GLOO_SOCKET_IFNAME", "^lo,docker")
        })
    }),
    plant("nixl-invalid-bool", &[], |d| each(nixl(d), |s| env(s, "NIXL_TELEMETRY_ENABLE", "enabled"))),
    plant("fi-aborting-variable", &[], |d| {
        each(
            d.disaggregated().filter(|s| {
                s.fabric.device(FabricKind::Efa).is_some() && s.kv.path == Fact::Known(Transfer::NixlLibfabric)
            }),
            |s| env(s, "FI_EFA_MTU_SIZE", "4096"),
        )
    }),
    plant("gdrcopy-value", &[], |d| each(ucx(d), |s| env(s, "NVIDIA_GDRCOPY", "1"))),
    plant("vllm-all2all-env", &[], |d| {
        each(engine(d, Framework::Vllm).filter(from(1, 3)), |s| env(s, "VLLM_ALL2ALL_BACKEND", "pplx"))
    }),
    plant("trtllm-bool-not-1", &[], |d| {
        each(d.disaggregated().filter(|s| s.framework == Some(Framework::Trtllm)), |s| {
            env(s, "TRTLLM_DISABLE_KV_CACHE_TRANSFER_OVERLAP", "true")
        })
    }),
    plant("engine-variable-value", &[], |d| {
        let numbers = each(engine(d, Framework::Vllm), |s| env(s, "VLLM_ALLREDUCE_USE_FLASHINFER", "true"));
        let switches = each(engine(d, Framework::Vllm), |s| env(s, "VLLM_ALLOW_LONG_MAX_MODEL_LEN", "yes"));
        let defaults = each(engine(d, Framework::Sglang), |s| env(s, "SGLANG_DISAGGREGATION_BOOTSTRAP_TIMEOUT", "5m"));
        [numbers, switches, defaults].concat()
    }),
    // ---- fabric
    plant(
        "rdma-asymmetric-roles",
        &["security-asymmetric", "ucx-tls-rdma-only-without-rdma", "multinode-no-nic", "ucx-net-devices-no-ib"],
        |d| {
            let Some((p, c)) = sides(d) else { return Vec::new() };
            let plain = |s: &Service| {
                !s.fabric.devices.is_empty()
                    && s.fabric.privileged.is_none()
                    && s.fabric.host_network.is_none()
                    && s.fabric.dev_infiniband.is_none()
                    && s.fabric.network_annotation.is_none()
                    && s.fabric.claims.is_empty()
                    && matches!(
                        s.kv.path,
                        Fact::Known(Transfer::NixlUcx | Transfer::NixlLibfabric | Transfer::TrtllmUcx)
                    )
                    && s.env.get("UCX_TLS").is_none()
            };
            if plain(p) && plain(c) { vec![at(p, Op::NoDevice), at(c, Op::NoDevice)] } else { Vec::new() }
        },
    ),
    plant("rdma-kind-mismatch", &["efa-with-ucx-backend", "security-asymmetric"], |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        let ib =
            |s: &Service| !s.fabric.devices.is_empty() && s.fabric.devices.iter().all(|x| x.kind == FabricKind::Rdma);
        if !ib(p) || !ib(c) {
            return Vec::new();
        }
        [p, c]
            .iter()
            .map(|s| vec![(s.name.clone(), Op::NoDevice), (s.name.clone(), Op::Device("vpc.amazonaws.com/efa", "4"))])
            .collect()
    }),
    plant("rdma-kind-mismatch", &["ucx-net-devices-role-mismatch"], |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        let usual = |s: &Service| s.fabric.devices.len() == 1 && s.fabric.devices[0].name == "rdma/ib";
        if !usual(p) || !usual(c) {
            return Vec::new();
        }
        [p, c]
            .iter()
            .map(|s| vec![(s.name.clone(), Op::NoDevice), (s.name.clone(), Op::Device("rdma/lb", "8"))])
            .collect()
    }),
    // ---- router
    plant("unknown-router-mode", &["router-mode-flag-env-conflict"], |d| {
        each(spelled_frontends(d), |s| flag(s, "--router-mode", "kv-aware"))
    }),
    plant("unknown-router-mode", &[], |d| {
        each(frontends(d).filter(|s| s.flag(&["--router-mode"]).is_none()), |s| env(s, "DYN_ROUTER_MODE", "KV"))
    }),
    plant("router-mode-flag-env-conflict", &[], |d| {
        each(spelled_frontends(d).filter(|s| s.flag(&["--router-mode"]).is_some()), |s| {
            env(s, "DYN_ROUTER_MODE", if mode(s) == "random" { "round-robin" } else { "random" })
        })
    }),
    plant("bool-env-unrecognised", &[], |d| {
        each(
            kv(d).filter(|s| s.flag(&["--router-replica-sync"]).is_none() && s.flag(&["--load-aware"]).is_none()),
            |s| env(s, "DYN_ROUTER_REPLICA_SYNC", "enabled"),
        )
    }),
    plant("router-env-on-worker", &[], |d| {
        // From 1.5 on a worker advertises it, which may be meant.
        let reader = |s: &&Service| s.sidecar.is_none() && s.process.is_some() && !from(1, 5)(s);
        each(d.workers().filter(reader), |s| env(s, "DYN_ROUTER_MODE", "kv"))
    }),
    plant("removed-router-flag", &[], |d| {
        each(spelled_frontends(d).filter(from(1, 2)), |s| switch(s, "--router-reset-states"))
    }),
    plant("unknown-frontend-flag", &[], |d| each(spelled_frontends(d), |s| flag(s, "--router-temprature", "0.5"))),
    plant("kv-knob-in-non-kv-mode", &[], |d| {
        each(no_kv(d).filter(|s| s.process.as_ref().is_some_and(|p| !p.implied)), |s| {
            flag(s, "--router-temperature", "0.5")
        })
    }),
    plant("router-number-out-of-range", &[], |d| each(kv(d), |s| env(s, "DYN_ROUTER_TEMPERATURE", "warm"))),
    plant("predicted-ttl-without-events", &[], |d| {
        let unsaid = |s: &&Service| s.flag(&["--router-kv-events"]).is_none();
        each(listening(d).filter(from(1, 3)).filter(unsaid), |s| {
            vec![
                (s.name.clone(), Op::Env("DYN_ROUTER_USE_KV_EVENTS", "false".into())),
                (s.name.clone(), Op::Env("DYN_ROUTER_PREDICTED_TTL_SECS", "5".into())),
            ]
        })
    }),
    plant("replica-sync-missing", &["bool-env-unrecognised"], |d| {
        each(
            listening(d).filter(|s| {
                s.flag(&["--router-replica-sync"]).is_none() && s.env.get("DYN_ROUTER_REPLICA_SYNC").is_none()
            }),
            |s| at(s, Op::Replicas(3)),
        )
    }),
    plant("kv-router-no-events", &[], |d| {
        // A frontend in another mode is put into kv mode, and no worker publishes.
        let silent = d.workers().all(|s| {
            s.events.published == Fact::Known(false)
                && s.role_known
                && s.version().is_some_and(|v| v >= Version::new(1, 1))
                && s.framework.is_some_and(|f| f != Framework::Mocker && f != Framework::Tokenspeed)
        });
        let any = d.workers().next().is_some();
        let clash = |s: &&Service| s.flag(&["--router-mode"]).is_none();
        if silent && any { each(no_kv(d).filter(clash), |s| env(s, "DYN_ROUTER_MODE", "kv")) } else { Vec::new() }
    }),
    plant("kv-router-no-events", &["kv-events-without-prefix-cache", "kv-router-partial-events"], |d| {
        // Workers of a kv router lose their flag.
        if listening(d).next().is_none() || d.role(Role::Epp).next().is_some() {
            return Vec::new();
        }
        let workers: Vec<&Service> = engine(d, Framework::Vllm)
            .filter(|s| {
                s.flag(&["--kv-events-config"]).is_some() && s.version().is_some_and(|v| v >= Version::new(1, 1))
            })
            .collect();
        if workers.is_empty() || workers.len() != d.workers().count() {
            return Vec::new();
        }
        vec![workers.iter().map(|s| (s.name.clone(), Op::NoFlag("--kv-events-config", true))).collect()]
    }),
    plant("vllm-events-not-enabled", &["kv-router-no-events"], |d| {
        if listening(d).next().is_none() {
            return Vec::new();
        }
        each(
            engine(d, Framework::Vllm)
                .filter(from(1, 0))
                .filter(|s| s.events.published == Fact::Known(true) && s.role != Role::Decode),
            |s| flag(s, "--kv-events-config", r#"{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:20080"}"#),
        )
    }),
    plant("kv-events-without-prefix-cache", &[], |d| {
        if listening(d).next().is_none() {
            return Vec::new();
        }
        each(
            engine(d, Framework::Vllm)
                .filter(from(1, 0))
                .filter(|s| s.events.published == Fact::Known(true) && s.role != Role::Decode),
            |s| {
                vec![
                    (s.name.clone(), Op::NoFlag("--enable-prefix-caching", false)),
                    (s.name.clone(), Op::Flag("--no-enable-prefix-caching", None)),
                ]
            },
        )
    }),
    plant("event-plane-mismatch", &["request-plane-mismatch"], |d| {
        let Some(_) = listening(d).next() else { return Vec::new() };
        each(
            d.workers()
                .filter(|s| {
                    s.events.published == Fact::Known(true)
                        && s.role != Role::Decode
                        && s.env.get("DYN_EVENT_PLANE").is_none()
                        && s.flag(&["--event-plane"]).is_none()
                        && s.version().is_some_and(|v| v >= Version::new(1, 1))
                })
                .take(1)
                .filter(|_| d.services.iter().all(|s| s.env.get("DYN_EVENT_PLANE").is_none())),
            |s| env(s, "DYN_EVENT_PLANE", if from(1, 3)(&s) { "nats" } else { "zmq" }),
        )
    }),
    plant("request-plane-mismatch", &[], |d| {
        let free = |s: &Service| s.env.get("DYN_REQUEST_PLANE").is_none() && s.flag(&["--request-plane"]).is_none();
        if !d.services.iter().all(free) || frontends(d).next().is_none() || d.role(Role::Epp).next().is_some() {
            return Vec::new();
        }
        each(d.workers().filter(|s| s.process.is_some() && s.framework.is_some()).filter(from(1, 0)), |s| {
            env(s, "DYN_REQUEST_PLANE", "nats")
        })
    }),
    plant("indexer-flag-conflict", &[], |d| {
        each(listening(d).filter(from(1, 2)).filter(|s| s.process.as_ref().is_some_and(|p| !p.implied)), |s| {
            vec![
                (s.name.clone(), Op::Flag("--serve-indexer", None)),
                (s.name.clone(), Op::Flag("--use-remote-indexer", None)),
            ]
        })
    }),
    plant("min-initial-workers-unreachable", &[], |d| {
        let unsaid = |s: &&Service| s.flag(&["--router-min-initial-workers"]).is_none();
        each(frontends(d).filter(from(1, 3)).filter(unsaid), |s| env(s, "DYN_ROUTER_MIN_INITIAL_WORKERS", "500"))
    }),
    plant("dead-router-env", &[], |d| {
        each(frontends(d).filter(from(1, 4)), |s| env(s, "DYN_ROUTER_RESET_STATES", "true"))
    }),
    plant("ignored-router-setting", &[], |d| {
        each(frontends(d).filter(from(1, 3)), |s| env(s, "DYN_ENFORCE_DISAGG", "true"))
    }),
    plant("text-input-with-kv-or-direct", &[], |d| {
        if kv(d).next().is_none() {
            return Vec::new();
        }
        each(engine(d, Framework::Vllm).filter(from(1, 3)).filter(|s| s.flag(&["--embedding-worker"]).is_none()), |s| {
            switch(s, "--use-vllm-tokenizer")
        })
    }),
    // ---- disaggregation
    plant("disagg-role-undeclared", ROLE_GONE, |d| {
        let Some((_, c)) = sides(d) else { return Vec::new() };
        let said = c.flag(&["--disaggregation-mode"]).is_some() && c.version().is_some_and(|v| v >= Version::new(1, 3));
        if said { vec![at(c, Op::NoFlag("--disaggregation-mode", true))] } else { Vec::new() }
    }),
    plant("disagg-role-undeclared", ROLE_GONE, |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        let said = p.flag(&["--disaggregation-mode"]).is_some()
            && p.version().is_some_and(|v| v >= Version::new(1, 3))
            && p.component.component_type == dynlint::manifest::ComponentType::Prefill
            && c.role_known;
        if said { vec![at(p, Op::NoFlag("--disaggregation-mode", true))] } else { Vec::new() }
    }),
    plant("vllm-kv-transfer-missing", &["kv-connector-mismatch", "ucx-vars-without-ucx"], |d| {
        each(
            d.disaggregated().filter(|s| {
                s.framework == Some(Framework::Vllm)
                    && s.flag(&["--kv-transfer-config"]).is_some()
                    && s.configs.is_empty()
                    && s.version().is_some_and(|v| v >= Version::new(1, 1))
            }),
            |s| at(s, Op::NoFlag("--kv-transfer-config", true)),
        )
    }),
    plant("kv-transfer-json-invalid", &[], |d| {
        each(d.disaggregated().filter(|s| s.framework == Some(Framework::Vllm)), |s| {
            flag(s, "--kv-transfer-config", r#"{"kv_connector":"NixlConnector","kv_role":"kv_both""#)
        })
    }),
    plant("kv-connector-mismatch", &["efa-with-ucx-backend", "nixl-side-channel-host"], |d| {
        let Some((p, _)) = sides(d) else { return Vec::new() };
        let nixl = d.disaggregated().all(|s| {
            s.framework == Some(Framework::Vllm)
                && s.kv.connectors.len() == 1
                && s.kv.connectors[0].value == "NixlConnector"
        });
        if nixl {
            vec![flag(p, "--kv-transfer-config", r#"{"kv_connector":"P2pNcclConnector","kv_role":"kv_both"}"#)]
        } else {
            Vec::new()
        }
    }),
    plant("vllm-connector-flag-removed", &["kv-connector-mismatch"], |d| {
        each(engine(d, Framework::Vllm).filter(from(1, 1)), |s| flag(s, "--connector", "nixl"))
    }),
    plant("pd-block-size-mismatch", &[], |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        let plain = p.framework == Some(Framework::Vllm)
            && p.flag(&["--block-size"]).is_none()
            && c.flag(&["--block-size"]).is_none()
            && p.kv.connectors.iter().any(|x| x.value == "NixlConnector")
            && p.configs.is_empty()
            && c.configs.is_empty();
        if plain {
            vec![vec![
                (p.name.clone(), Op::Flag("--block-size", Some("64".into()))),
                (c.name.clone(), Op::Flag("--block-size", Some("128".into()))),
            ]]
        } else {
            Vec::new()
        }
    }),
    plant("pd-kv-dtype-mismatch", &[], |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        let plain = p.framework == Some(Framework::Vllm)
            && p.flag(&["--kv-cache-dtype"]).is_none()
            && c.flag(&["--kv-cache-dtype"]).is_none()
            && p.kv.connectors.iter().any(|x| x.value == "NixlConnector")
            && p.configs.is_empty()
            && c.configs.is_empty();
        if plain { vec![flag(p, "--kv-cache-dtype", "fp8")] } else { Vec::new() }
    }),
    plant("pd-model-mismatch", &["model-name-mismatch", "perf-model-mismatch"], |d| {
        let Some((p, _)) = sides(d) else { return Vec::new() };
        let said = p.framework == Some(Framework::Vllm)
            && p.flag(&["--model"]).is_some()
            && p.flag(&["--served-model-name"]).is_none();
        if said { vec![flag(p, "--model", "mistralai/Mistral-7B-v0.3")] } else { Vec::new() }
    }),
    plant("operator-type-contradicts-role", &["disagg-subtype-missing", "planner-refused"], |d| {
        let Some((p, _)) = sides(d) else { return Vec::new() };
        let typed = p.component.component_type == dynlint::manifest::ComponentType::Prefill && p.role_known;
        if typed { vec![at(p, Op::Kind("decode"))] } else { Vec::new() }
    }),
    plant("sglang-bind-host", &[], |d| {
        let Some((p, _)) = sides(d) else { return Vec::new() };
        let said = p.framework == Some(Framework::Sglang) && p.flag(&["--host"]).is_some();
        if said { vec![flag(p, "--host", "127.0.0.1")] } else { Vec::new() }
    }),
    plant("sglang-backend-defaults-mooncake", &["kv-connector-mismatch", "efa-with-ucx-backend"], |d| {
        let said = d.disaggregated().all(|s| {
            s.framework == Some(Framework::Sglang) && s.flag(&["--disaggregation-transfer-backend"]).is_some()
        });
        if !said || !d.is_disaggregated() {
            return Vec::new();
        }
        vec![
            d.disaggregated()
                .map(|s| (s.name.clone(), Op::NoFlag("--disaggregation-transfer-backend", true)))
                .collect(),
        ]
    }),
    // ---- more transports
    plant("efa-with-ucx-backend", &["rdma-kind-mismatch", "security-asymmetric", "rdma-asymmetric-roles"], |d| {
        let plain = d.disaggregated().all(|s| {
            !s.fabric.devices.is_empty()
                && s.fabric.devices.iter().all(|x| x.kind == FabricKind::Rdma)
                && s.kv.path == Fact::Known(Transfer::NixlUcx)
                && s.env.get("UCX_TLS").is_none()
        });
        if !d.is_disaggregated() || !plain {
            return Vec::new();
        }
        let ops =
            |s: &Service| [(s.name.clone(), Op::NoDevice), (s.name.clone(), Op::Device("vpc.amazonaws.com/efa", "4"))];
        vec![d.disaggregated().flat_map(ops).collect()]
    }),
    plant("efa-wrong-selector", &[], |d| {
        let chosen = |s: &&Service| {
            s.fabric.device(FabricKind::Efa).is_some() && s.kv.path == Fact::Known(Transfer::NixlLibfabric)
        };
        d.disaggregated().find(chosen).map(|s| edit(s, edits::wrong_selector)).into_iter().collect()
    }),
    plant("efa-shm-transfer", &[], |d| {
        each(d.disaggregated().filter(|s| s.fabric.device(FabricKind::Efa).is_some()), |s| {
            env(s, "FI_EFA_ENABLE_SHM_TRANSFER", "false")
        })
    }),
    plant("fi-vars-without-libfabric", &[], |d| {
        each(ucx_rdma(d).filter(|s| s.fabric.device(FabricKind::Efa).is_none() && s.nodes == 1), |s| {
            env(s, "FI_PROVIDER", "efa")
        })
    }),
    plant("kvbm-backend-value", &[], |d| {
        each(engine(d, Framework::Vllm), |s| env(s, "DYN_KVBM_NIXL_BACKEND_UCX", "enabled"))
    }),
    plant("mc-vars-without-mooncake", &[], |d| each(ucx(d), |s| env(s, "MC_MS_AUTO_DISC", "1"))),
    plant("ucx-vars-without-ucx", &[], |d| {
        each(d.disaggregated().filter(|s| s.kv.path == Fact::Known(Transfer::NixlLibfabric) && !kvbm(s)), |s| {
            env(s, "UCX_TLS", "rc,cuda_copy,cuda_ipc")
        })
    }),
    plant("mnnvl-without-compute-domain", &[], |d| {
        each(apart(multinode(d)).filter(|s| s.fabric.privileged.is_none()), |s| env(s, "NCCL_MNNVL_ENABLE", "1"))
    }),
    plant("nccl-cumem-0-with-mnnvl", &[], |d| {
        each(multinode(d).filter(|s| s.fabric.channel().is_some_and(|c| c.used)), |s| env(s, "NCCL_CUMEM_ENABLE", "0"))
    }),
    plant("ucx-mnnvl-contradiction", &[], |d| {
        each(apart(ucx(d)).filter(|s| s.fabric.may_have_rdma()), |s| {
            vec![
                (s.name.clone(), Op::Env("UCX_TLS", "rc,cuda_copy,tcp".into())),
                (s.name.clone(), Op::Env("UCX_CUDA_IPC_ENABLE_MNNVL", "y".into())),
            ]
        })
    }),
    plant("nixl-side-channel-host", &[], |d| {
        each(
            d.disaggregated().filter(|s| {
                s.framework == Some(Framework::Vllm)
                    && matches!(s.kv.path, Fact::Known(Transfer::NixlUcx | Transfer::NixlLibfabric))
            }),
            |s| env(s, "VLLM_NIXL_SIDE_CHANNEL_HOST", "127.0.0.1"),
        )
    }),
    plant("port-collision", &[], |d| {
        each(nixl(d).filter(|s| s.env.known("DYN_SYSTEM_PORT").is_some()), |s| {
            let port = s.env.known("DYN_SYSTEM_PORT").map(|t| t.as_str().to_owned()).unwrap_or_default();
            vec![
                (s.name.clone(), Op::Env("NIXL_TELEMETRY_ENABLE", "y".into())),
                (s.name.clone(), Op::Env("NIXL_TELEMETRY_EXPORTER", "prometheus".into())),
                (s.name.clone(), Op::Env("NIXL_TELEMETRY_PROMETHEUS_PORT", port)),
            ]
        })
    }),
    plant("sglang-ib-device-with-nixl", &[], |d| {
        each(nixl(d).filter(|s| s.framework == Some(Framework::Sglang)), |s| {
            flag(s, "--disaggregation-ib-device", "mlx5_0")
        })
    }),
    plant("sglang-nixl-params-invalid", &[], |d| {
        each(nixl(d).filter(|s| s.framework == Some(Framework::Sglang)), |s| {
            env(s, "SGLANG_DISAGGREGATION_NIXL_BACKEND_PARAMS", "{num_threads: 8}")
        })
    }),
    plant("trtllm-buffer-size-unit", &[], |d| {
        each(d.disaggregated().filter(|s| s.framework == Some(Framework::Trtllm)), |s| {
            env(s, "TRTLLM_KVCACHE_TRANSFER_BUFFER_SIZE", "512")
        })
    }),
    plant("ucx-gid-and-subnets", &[], |d| {
        each(ucx_rdma(d), |s| {
            vec![
                (s.name.clone(), Op::Env("UCX_IB_GID_INDEX", "3".into())),
                (s.name.clone(), Op::Env("UCX_IB_ROCE_SUBNETS", "10.0.0.0/8".into())),
            ]
        })
    }),
    plant("ucx-net-devices-suspicious-name", &["ucx-net-devices-no-ib", "ucx-net-devices-single-hca"], |d| {
        each(ucx_rdma(d), |s| env(s, "UCX_NET_DEVICES", "mlx_0:1,mlx5_1:1"))
    }),
    plant("ucx-removed-variable", &[], |d| each(ucx(d), |s| env(s, "UCX_IB_REG_METHODS", "odp"))),
    plant("ucx-tls-roles-disjoint", &["ucx-tls-tcp-only-with-rdma"], |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        let names: Vec<&str> = apart(ucx_rdma(d)).map(|s| s.name.as_str()).collect();
        if !names.contains(&p.name.as_str()) || !names.contains(&c.name.as_str()) {
            return Vec::new();
        }
        vec![vec![
            (p.name.clone(), Op::Env("UCX_TLS", "rc,cuda_copy,cuda_ipc".into())),
            (c.name.clone(), Op::Env("UCX_TLS", "tcp,cuda_copy,cuda_ipc".into())),
        ]]
    }),
    plant("vllm-nic-mapping-pair", &[], |d| {
        each(engine(d, Framework::Vllm).filter(|s| s.env.open.is_none()), |s| {
            env(s, "VLLM_GPU_NIC_PCIE_MAPPING", "0:0")
        })
    }),
    plant(
        "multinode-no-nic",
        &["rdma-asymmetric-roles", "disagg-no-fabric", "security-asymmetric", "ucx-tls-rdma-only-without-rdma"],
        |d| {
            each(
                multinode(d).filter(|s| {
                    !s.fabric.devices.is_empty()
                        && s.fabric.privileged.is_none()
                        && s.fabric.host_network.is_none()
                        && s.fabric.dev_infiniband.is_none()
                        && s.fabric.network_annotation.is_none()
                        && s.fabric.claims.is_empty()
                }),
                |s| at(s, Op::NoDevice),
            )
        },
    ),
    // ---- more of the router
    plant("approximate-policy-with-events", &[], |d| {
        each(listening(d).filter(from(1, 6)).filter(spelled), |s| flag(s, "--router-approximate-cache-policy", "lru"))
    }),
    plant("conditional-disagg-requirements", &[], |d| {
        each(no_kv(d).filter(from(1, 5)).filter(spelled), |s| switch(s, "--router-conditional-disagg"))
    }),
    plant("deprecated-flag-alias", &[], |d| {
        each(kv(d).filter(from(1, 1)).filter(spelled), |s| switch(s, "--track-active-blocks"))
    }),
    plant(
        "direct-without-external-router",
        &["text-input-with-kv-or-direct", "router-mode-flag-env-conflict", "kv-knob-in-non-kv-mode"],
        |d| {
            let alone = !d.services.iter().any(|s| matches!(s.role, Role::Epp | Role::Router));
            let outside =
                ["InferencePool", "Gateway", "HTTPRoute"].iter().any(|k| d.recipe.of_kind(k).next().is_some());
            if alone && !outside {
                each(spelled_frontends(d), |s| flag(s, "--router-mode", "direct"))
            } else {
                Vec::new()
            }
        },
    ),
    plant("epp-wrong-env", &[], |d| each(frontends(d), |s| env(s, "DYN_USE_KV_EVENTS", "false"))),
    plant("events-unused", &[], |d| {
        let alone = !d.services.iter().any(|s| matches!(s.role, Role::Epp | Role::Router));
        if !alone || no_kv(d).next().is_none() || frontends(d).count() != 1 {
            return Vec::new();
        }
        each(engine(d, Framework::Vllm).filter(from(1, 1)), |s| {
            flag(
                s,
                "--kv-events-config",
                r#"{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:20080","enable_kv_cache_events":true}"#,
            )
        })
    }),
    plant("frontend-block-size-inert", &[], |d| {
        each(frontends(d).filter(|s| s.flag(&["--dyn-chat-processor"]).is_none()), |s| {
            env(s, "DYN_KV_CACHE_BLOCK_SIZE", "64")
        })
    }),
    plant("frontend-choice-invalid", &[], |d| each(spelled_frontends(d), |s| flag(s, "--request-plane", "grpc"))),
    plant("frontend-model-path", &["model-name-mismatch"], |d| {
        each(spelled_frontends(d), |s| flag(s, "--model-path", "Qwen/Qwen3-32B"))
    }),
    plant("kv-router-partial-events", &["compute-domain-numnodes"], |d| {
        let Some(_) = listening(d).next() else { return Vec::new() };
        let prefill: Vec<&Service> = d.workers().filter(|s| s.role != Role::Decode).collect();
        let publishing = prefill.iter().filter(|s| s.events.published == Fact::Known(true)).count();
        if prefill.is_empty() || publishing != prefill.len() {
            return Vec::new();
        }
        let said = |s: &&&Service| s.framework == Some(Framework::Vllm) && s.flag(&["--kv-events-config"]).is_some();
        // One worker that publishes, and another like it that does not.
        if let [one] = prefill[..] {
            let told = one.version().is_some() && one.role_known;
            let alone = one.role == Role::Aggregated && told && said(&&one);
            let twice = || (one.name.clone(), Op::Edit(edits::second));
            let silent = || (one.name.clone(), Op::NoFlag("--kv-events-config", true));
            return alone.then(|| vec![twice(), silent()]).into_iter().collect();
        }
        prefill.iter().filter(said).map(|s| at(s, Op::NoFlag("--kv-events-config", true))).collect()
    }),
    plant("load-aware-overrides", &["router-mode-flag-env-conflict", "replica-sync-missing"], |d| {
        each(spelled_frontends(d).filter(from(1, 3)).filter(|s| s.flag(&["--load-aware"]).is_none()), |s| {
            vec![
                (s.name.clone(), Op::Flag("--router-mode", Some("random".into()))),
                (s.name.clone(), Op::Flag("--load-aware", None)),
            ]
        })
    }),
    plant("lora-unsupported-mode", &["router-mode-flag-env-conflict", "kv-knob-in-non-kv-mode"], |d| {
        each(spelled_frontends(d).filter(from(1, 4)), |s| {
            vec![
                (s.name.clone(), Op::Flag("--router-mode", Some("least-loaded".into()))),
                (s.name.clone(), Op::Env("DYN_LORA_ENABLED", "true".into())),
            ]
        })
    }),
    plant("output-blocks-without-active", &[], |d| {
        each(kv(d).filter(from(1, 2)).filter(spelled), |s| {
            vec![
                (s.name.clone(), Op::NoFlag("--router-track-active-blocks", false)),
                (s.name.clone(), Op::Flag("--router-track-output-blocks", None)),
                (s.name.clone(), Op::Flag("--no-router-track-active-blocks", None)),
            ]
        })
    }),
    plant("overlap-weight-deprecated", &[], |d| {
        each(kv(d).filter(from(1, 2)).filter(spelled), |s| flag(s, "--router-kv-overlap-score-weight", "1.0"))
    }),
    plant("queue-policy-invalid", &[], |d| {
        each(kv(d).filter(from(1, 2)).filter(spelled), |s| flag(s, "--router-queue-policy", "lifo"))
    }),
    plant("router-setting-moves-to-file", &[], |d| {
        each(kv(d).filter(from(1, 6)).filter(spelled), |s| flag(s, "--router-temperature", "0.5"))
    }),
    plant("sglang-events-schema", &["kv-router-no-events"], |d| {
        if listening(d).next().is_none() {
            return Vec::new();
        }
        each(engine(d, Framework::Sglang).filter(|s| s.role != Role::Decode), |s| {
            flag(
                s,
                "--kv-events-config",
                r#"{"topic":"kv-events","endpoint":"tcp://*:5557","enable_kv_cache_events":true}"#,
            )
        })
    }),
    plant("trtllm-event-buffer-without-publish", &["kv-router-no-events", "kv-router-partial-events"], |d| {
        if listening(d).next().is_none() {
            return Vec::new();
        }
        each(
            engine(d, Framework::Trtllm).filter(from(1, 3)).filter(|s| {
                s.flag(&["--publish-kv-events"]).is_some()
                    && s.config_at(&["kv_cache_config", "event_buffer_max_size"]).is_some()
                    && s.flag(&["--publish-events-and-metrics"]).is_none()
            }),
            |s| at(s, Op::NoFlag("--publish-kv-events", false)),
        )
    }),
    plant("ttl-inert", &[], |d| each(listening(d), |s| env(s, "DYN_ROUTER_TTL_SECS", "120"))),
    // ---- what needs more than a variable or a flag
    plant("backend-cannot-publish", &["image-framework-mismatch"], |d| {
        if listening(d).next().is_none() {
            return Vec::new();
        }
        each(engine(d, Framework::Vllm).filter(|s| s.role != Role::Decode), |s| edit(s, edits::tokenspeed))
    }),
    plant("compute-domain-asymmetric", &["compute-domain-numnodes", "ucx-tls-rdma-only-without-rdma"], |d| {
        let Some((_, c)) = sides(d) else { return Vec::new() };
        let nvlink = |s: &Service| s.env.known("UCX_TLS").is_some_and(|t| t.as_str().contains("cuda_ipc"));
        if d.disaggregated().any(|s| s.fabric.channel().is_none() || s.fabric.may_have_rdma() || !nvlink(s)) {
            return Vec::new();
        }
        vec![edit(c, edits::no_claims)]
    }),
    plant("compute-domain-claim-undefined", &["compute-domain-numnodes", "compute-domain-asymmetric"], |d| {
        let told = d.recipe.of_kind("ComputeDomain").next().is_some();
        each(d.workers().filter(|s| told && s.fabric.channel().is_some()), |s| edit(s, edits::another_template))
    }),
    plant("compute-domain-numnodes", &[], |d| {
        let claimed = d.workers().find(|s| s.fabric.channel().is_some());
        claimed.map(|s| edit(s, edits::one_node_more)).into_iter().collect()
    }),
    plant("dgd-name-prefix-collision", &[], |d| {
        if frontends(d).next().is_none() || d.workers().next().is_none() {
            return Vec::new();
        }
        vec![edit(&d.services[0], edits::twin)]
    }),
    plant("disagg-no-fabric", &["ucx-tls-rdma-only-without-rdma", "multinode-no-nic"], |d| {
        let bare = |s: &Service| {
            !s.fabric.devices.is_empty()
                && s.env.get("UCX_TLS").is_none()
                && s.fabric.host_network.is_none()
                && s.fabric.dev_infiniband.is_none()
                && s.fabric.network_annotation.is_none()
                && s.fabric.privileged.is_none()
                && s.fabric.claims.is_empty()
        };
        let all: Vec<&Service> = ucx(d).collect();
        if sides(d).is_none() || all.len() != d.disaggregated().count() || !all.iter().all(|s| bare(s)) {
            return Vec::new();
        }
        vec![all.into_iter().map(|s| (s.name.clone(), Op::NoDevice)).collect()]
    }),
    plant("disagg-transport-unpinned", &[], |d| {
        each(ucx_rdma(d).filter(|s| s.env.get("UCX_TLS").is_some()), |s| edit(s, edits::no_ucx_tls))
    }),
    plant("efa-hugepages", &[], |d| {
        let pages = |s: &Service| s.component.main.limits.iter().any(|(name, ..)| name.starts_with("hugepages-"));
        each(d.disaggregated().filter(|s| s.fabric.device(FabricKind::Efa).is_some() && !pages(s)), |s| {
            env(s, "FI_EFA_USE_HUGE_PAGE", "1")
        })
    }),
    plant("epp-sidecar-not-direct", &["kv-router-no-events", "kv-router-partial-events"], |d| {
        let picked = d.role(Role::Epp).next().is_some();
        each(d.workers().filter(|s| picked && s.sidecar.is_some()), |s| edit(s, edits::sidecar_chooses))
    }),
    plant("gke-rdma-incomplete", &[], |d| {
        each(d.workers().filter(|s| s.fabric.device(FabricKind::GkeRdma).is_some()), |s| edit(s, edits::no_interfaces))
    }),
    plant(
        "mixed-image-versions",
        &["unknown-worker-flag", "worker-flag-value", "flag-json-invalid", "pd-handshake-refused"],
        |d| {
            if listening(d).find(from(1, 4)).is_none() {
                return Vec::new();
            }
            each(d.workers().filter(from(1, 4)).filter(|s| s.events.published == Fact::Known(true)), |s| {
                edit(s, edits::older_image)
            })
        },
    ),
    plant("mpirun-env-not-forwarded", &[], |d| {
        each(multinode(d).filter(|s| s.framework == Some(Framework::Trtllm)), |s| edit(s, edits::export_in_script))
    }),
    plant("rdma-resource-limits-only", &[], |d| {
        each(d.workers().filter(|s| !s.fabric.devices.is_empty()), |s| edit(s, edits::more_devices_than_the_limit))
    }),
    plant("rdma-without-memlock", &[], |d| {
        let all: Vec<&Service> = ucx_rdma(d).collect();
        if all.is_empty() || all.len() != d.workers().count() {
            return Vec::new();
        }
        let op = || Op::Edit(edits::no_security_context);
        vec![all.into_iter().map(|s| (s.name.clone(), op())).collect()]
    }),
    plant("security-asymmetric", &[], |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        each(ucx_rdma(d).filter(|s| s.name == p.name || s.name == c.name), |s| edit(s, edits::no_security_context))
    }),
    plant("mnnvl-kv-not-fabric-memory", &[], |d| {
        let joined = |s: &Service| {
            s.fabric.channel().is_some()
                && !s.fabric.may_have_rdma()
                && s.env.known("UCX_TLS").is_some_and(|t| t.as_str().contains("cuda_ipc"))
        };
        if sides(d).is_none() || !ucx(d).all(joined) {
            return Vec::new();
        }
        each(ucx(d), |s| edit(s, edits::no_fabric_memory))
    }),
    plant("nccl-hca-prefix-ambiguous", &[], |d| {
        each(multinode(d).filter(|s| s.fabric.on_ib()), |s| env(s, "NCCL_IB_HCA", "mlx5_1,mlx5_2"))
    }),
    plant("rdma-in-single-node-agg", &["rdma-without-memlock"], |d| {
        let alone = |s: &Service| s.role == Role::Aggregated && s.role_known && s.nodes == 1;
        let plain = |s: &Service| {
            alone(s)
                && s.kv.path == Fact::Known(Transfer::None)
                && s.fabric.devices.is_empty()
                && s.env.open.is_none()
                && s.args().is_some_and(|a| a.open.is_none())
                && s.flag(&["--load-format"]).is_none()
                && !s.env.written().any(|v| {
                    ["DYN_KVBM_", "MODEL_EXPRESS_", "MX_", "LMCACHE_", "MOONCAKE_", "NIXL_", "UCX_", "FI_", "NVSHMEM_"]
                        .iter()
                        .any(|p| v.name.starts_with(p))
                })
        };
        if !d.workers().all(alone) {
            return Vec::new();
        }
        each(engine(d, Framework::Vllm).filter(|s| plain(s)), |s| at(s, Op::Device("rdma/ib", "1")))
    }),
    plant("aic-prerequisites", &[], |d| {
        each(kv(d).filter(from(1, 1)).filter(below(1, 6)).filter(spelled), |s| {
            flag(s, "--router-prefill-load-model", "aic")
        })
    }),
    plant("epp-standalone-env", &[], |d| each(d.role(Role::Epp), |s| env(s, "DYN_EPP_MODE", "standalone"))),
    // ---- more of disaggregation
    plant("disagg-subtype-missing", &[], |d| {
        each(
            d.disaggregated().filter(|s| {
                use dynlint::manifest::ComponentType::{Decode, Prefill};
                s.role_known && (s.is_type(&Prefill) || s.is_type(&Decode))
            }),
            |s| at(s, Op::Kind("worker")),
        )
    }),
    plant("standalone-router-block-size", &[], |d| {
        let standalone =
            |s: &&Service| s.module() == Some("dynamo.router") && s.flag(&["--router-block-size"]).is_some();
        each(d.services.iter().filter(standalone), |s| flag(s, "--router-block-size", "8"))
    }),
    plant("frontend-refused", &[], |d| {
        each(frontends(d).filter(|s| !s.args_open() && !s.below(1, 0)), |s| flag(s, "--migration-limit", "-1"))
    }),
    plant("router-service-refused", &[], |d| {
        let standalone = |s: &&Service| s.module() == Some("dynamo.router") && s.flag(&["--endpoint"]).is_some();
        each(d.services.iter().filter(standalone), |s| flag(s, "--endpoint", "default.backend"))
    }),
    // ---- two components for one thing
    plant("worker-set-asymmetric", &["compute-domain-numnodes"], |d| {
        let one = |s: &&Service| {
            let model = s.flag(&["--model", "--model-path"]).and_then(|f| f.value()).and_then(|w| w.as_known());
            s.role == Role::Aggregated && s.role_known && model.is_some() && s.args().is_some_and(|a| a.open.is_none())
        };
        each(d.workers().filter(from(1, 5)).filter(one).filter(|s| s.flag(&["--endpoint"]).is_none()), |s| {
            vec![
                (s.name.clone(), Op::Edit(edits::second)),
                (s.name.clone(), Op::Flag("--router-mode", Some("random".into()))),
            ]
        })
    }),
    plant("epp-namespace-mismatch", &["kv-router-no-events", "kv-router-partial-events"], |d| {
        let plain = |s: &Service| {
            matches!(s.framework, Some(Framework::Vllm | Framework::Sglang))
                && s.flag(&["--endpoint", "--namespace"]).is_none()
                && s.args().is_some_and(|a| a.open.is_none())
        };
        if !d.workers().all(plain) {
            return Vec::new();
        }
        each(d.role(Role::Epp), |s| env(s, "DYN_COMPONENT_NAME", "vllm-worker"))
    }),
    plant("port-collision", &["system-port-mismatch"], |d| {
        let port = |s: &Service| {
            let config = s.events.config.as_ref().filter(|_| s.events.published == Fact::Known(true))?;
            config.get("endpoint")?.as_str()?.strip_prefix("tcp://*:").map(str::to_owned)
        };
        let here = |s: &&Service| {
            let spread = |name: &str| name.starts_with("--data-parallel-");
            s.nodes == 1 && s.args().is_some_and(|a| a.open.is_none() && !a.flags.iter().any(|f| spread(&f.name)))
        };
        let nixl = |s: &&Service| s.kv.connectors.iter().any(|c| c.value == "NixlConnector");
        engine(d, Framework::Vllm)
            .filter(from(1, 0))
            .filter(here)
            .filter(nixl)
            .filter_map(|s| Some(env(s, "VLLM_NIXL_SIDE_CHANNEL_PORT", &port(s)?)))
            .collect()
    }),
    plant("port-collision", &[], |d| {
        let seen = |s: &&Service| s.role_known && s.args().is_some_and(|a| a.open.is_none());
        let port = |s: &Service| s.env.known("DYN_SYSTEM_PORT").map(|t| t.as_str().to_owned());
        let prefill = engine(d, Framework::Sglang).filter(|s| s.role == Role::Prefill).filter(seen);
        prefill.filter_map(|s| Some(flag(s, "--disaggregation-bootstrap-port", &port(s)?))).collect()
    }),
    plant("port-collision", &[], |d| {
        let usual = |s: &&Service| {
            s.env.known("DYN_HTTP_PORT").is_none_or(|t| t.as_str() == "8000") && s.flag(&["--http-port"]).is_none()
        };
        each(spelled_frontends(d).filter(from(1, 0)).filter(usual), |s| env(s, "DYN_SYSTEM_PORT", "8000"))
    }),
    plant("nats-without-server", &["event-plane-mismatch", "kv-router-no-events"], |d| {
        let unset = |s: &&Service| s.env.open.is_none() && s.env.get("NATS_SERVER").is_none();
        each(spelled_frontends(d).filter(from(1, 4)).filter(unset), |s| env(s, "DYN_EVENT_PLANE", "nats"))
    }),
    plant("ucx-net-devices-role-mismatch", &[], |d| {
        let Some((p, c)) = sides(d) else { return Vec::new() };
        let count = |s: &Service| s.gpus.known().copied().filter(|n| *n > 0);
        if count(p).is_none() || count(p) != count(c) || ucx_rdma(d).count() != 2 {
            return Vec::new();
        }
        let list = |s: &Service, list: &str| (s.name.clone(), Op::Env("UCX_NET_DEVICES", list.to_owned()));
        vec![vec![list(p, "mlx5_0:1,mlx5_1:1,mlx5_2:1,mlx5_3:1"), list(c, "mlx5_0:1,mlx5_1:1")]]
    }),
    plant("frontend-modes-differ", &[], |d| {
        each(no_kv(d).filter(spelled), |s| {
            vec![
                (s.name.clone(), Op::Edit(edits::second)),
                (s.name.clone(), Op::Flag("--router-mode", Some("random".into()))),
            ]
        })
    }),
];

/// Rules of the transport and router families without a plant, and why.
pub const UNPLANTED: &[(&str, &str)] =
    &[("pool-namespace-unknown", "wants several graphs under one global router or planner")];
