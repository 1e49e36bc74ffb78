//! What the frontend's own endpoints say: models, health, readiness, version.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resolve::Version;

/// Ids that `/v1/models` lists; none when it is no list of models.
#[must_use]
pub fn models(body: &Value) -> Option<Vec<String>> {
    let list = body.get("data")?.as_array()?;
    Some(list.iter().filter_map(|m| m.get("id")?.as_str()).filter(|id| !id.is_empty()).map(str::to_owned).collect())
}

/// The frontend's version: `/openapi.json` has the package's (`lib/llm/src/http/service/openapi_docs.rs`).
#[must_use]
pub fn version(openapi: &Value) -> Option<(String, Version)> {
    let info = openapi.get("info")?;
    info.get("title")?.as_str().filter(|title| title.contains("Dynamo"))?;
    let text = info.get("version")?.as_str()?;
    Some((text.to_owned(), Version::parse(text)?))
}

/// One endpoint of one process, as `/health` lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Dynamo namespace.
    pub namespace: String,
    /// Component: `backend`, `prefill`, `encode`, or what `--endpoint` says.
    pub component: String,
    /// Endpoint: `generate`, `router-discovery`, `worker_kv_query_source_…`.
    pub endpoint: String,
    /// The process.
    pub id: u64,
}

/// What `/health` says. It says `healthy` whatever there is; its instances are the useful part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Its `status`.
    pub status: String,
    /// Instances.
    pub instances: BTreeSet<Instance>,
}

impl Health {
    /// Reads the answer.
    #[must_use]
    pub fn of(body: &Value) -> Option<Self> {
        let status = body.get("status")?.as_str()?.to_owned();
        let instance = |v: &Value| {
            let text = |key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
            Some(Instance {
                namespace: text("namespace")?,
                component: text("component")?,
                endpoint: text("endpoint")?,
                id: v.get("instance_id")?.as_u64()?,
            })
        };
        let list = body.get("instances").and_then(Value::as_array);
        Some(Self { status, instances: list.into_iter().flatten().filter_map(instance).collect() })
    }

    /// Workers by component: processes with a `generate` endpoint.
    #[must_use]
    pub fn workers(&self) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        for worker in self.generating() {
            *out.entry(worker.component.clone()).or_default() += 1;
        }
        out
    }

    /// The instances of `generate`.
    pub fn generating(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|i| i.endpoint == "generate")
    }

    /// Whether a KV router has registered itself: the endpoint is there for replicas to find each other, up to 1.3
    /// (`lib/llm/src/kv_router.rs:321-339`).
    #[must_use]
    pub fn kv_router(&self) -> bool {
        self.instances.iter().any(|i| i.endpoint == "router-discovery")
    }

    /// Processes whose KV state can be asked for, by component: what publishes KV events with a local indexer also offers
    /// `worker_kv_query_source_<hex>` (1.4) or `worker_kv_indexer_query_dp<rank>` (before).
    #[must_use]
    pub fn event_sources(&self) -> BTreeMap<String, usize> {
        let mut found: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        let asks =
            |name: &str| name.starts_with("worker_kv_query_source_") || name.starts_with("worker_kv_indexer_query_dp");
        for instance in self.instances.iter().filter(|i| asks(&i.endpoint)) {
            found.entry(&instance.component).or_default().insert(instance.id);
        }
        found.into_iter().map(|(component, ids)| (component.to_owned(), ids.len())).collect()
    }

    /// Dynamo namespaces with workers in them.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<&str> {
        self.generating().map(|i| i.namespace.as_str()).collect()
    }
}

/// What `/v1/models/{m}/ready` says (1.3 and later): `lib/llm/src/discovery/model.rs:51-78`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Whether the model can be served.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Workers by role (`aggregated`, `prefill`, `decode`, `encode`), over all namespaces.
    pub workers: BTreeMap<String, usize>,
    /// Roles that somebody needs and nobody fills.
    pub missing: BTreeSet<String>,
}

impl Ready {
    /// Reads the answer.
    #[must_use]
    pub fn of(body: &Value) -> Option<Self> {
        let mut out = Self {
            ready: body.get("ready")?.as_bool()?,
            reason: body.get("reason").and_then(Value::as_str).map(str::to_owned),
            ..Self::default()
        };
        for namespace in body.get("namespaces").and_then(Value::as_object).into_iter().flat_map(|m| m.values()) {
            for (role, set) in namespace.get("worker_types").and_then(Value::as_object).into_iter().flatten() {
                let n = set.get("workers").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                *out.workers.entry(role.clone()).or_default() += n;
            }
            let missing = namespace.get("missing_worker_types").and_then(Value::as_array);
            out.missing.extend(missing.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
            // The reason of the namespace says more than that of the model.
            if let Some(reason) = namespace.get("reason").and_then(Value::as_str) {
                out.reason = Some(reason.to_owned());
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Health, Ready, models, version};

    #[test]
    fn a_list_without_ids_is_an_empty_list() {
        assert_eq!(models(&json!({"data": [{"id": "m"}, {"id": ""}, {}, 3]})), Some(vec!["m".to_owned()]));
        assert_eq!(models(&json!({"data": {}})), None);
        assert_eq!(models(&json!([])), None);
    }

    #[test]
    fn only_dynamo_has_a_version() {
        let of = |title: &str| version(&json!({"info": {"title": title, "version": "1.6.1"}})).map(|v| v.0);
        assert_eq!(of("NVIDIA Dynamo OpenAI Frontend"), Some("1.6.1".to_owned()));
        assert_eq!(of("FastAPI"), None);
    }

    #[test]
    fn health_counts_processes_not_endpoints() {
        let instance = |component: &str, endpoint: &str, id: u64| json!({"namespace": "dynamo", "component": component, "endpoint": endpoint, "instance_id": id});
        let health = Health::of(&json!({"status": "healthy", "instances": [
            instance("backend", "generate", u64::MAX),
            instance("backend", "worker_kv_query_source_a", u64::MAX),
            instance("backend", "worker_kv_query_source_b", u64::MAX),
            instance("prefill", "generate", 2),
            {"component": "no id"},
        ]}))
        .expect("health");
        assert_eq!(health.workers().into_iter().collect::<Vec<_>>(), [("backend".into(), 1), ("prefill".into(), 1)]);
        assert_eq!(
            health.event_sources().into_iter().collect::<Vec<_>>(),
            [("backend".into(), 1)],
            "two ranks, one process"
        );
        assert!(!health.kv_router());
    }

    #[test]
    fn readiness_adds_namespaces_up() {
        let ready = Ready::of(&json!({"model": "m", "ready": false, "reason": "no namespace", "namespaces": {
            "a": {"ready": false, "reason": "missing worker types: decode",
                  "worker_types": {"prefill": {"workers": 2, "needs": [["decode"]]}}, "missing_worker_types": ["decode"]}
        }}))
        .expect("ready");
        assert_eq!(ready.workers["prefill"], 2);
        assert_eq!(ready.reason.as_deref(), Some("missing worker types: decode"));
        assert!(ready.missing.contains("decode"));
    }
}
