//! The order of the result: as accumulated (`fifo`), or by kind and name (`legacy`, the default of `kubectl kustomize`).

use super::resource::Resource;
use crate::yaml::Node;

const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Orders the result as `sortOptions` says.
pub(super) fn sort(resources: &mut Vec<Resource>, options: Option<&Node>) {
    let order = options.and_then(|o| o.get("order")).and_then(Node::as_text);
    if order == Some("fifo") {
        return;
    }
    let list = |key: &str| -> Option<Vec<String>> {
        let list = options?.at(&["legacySortOptions", key])?;
        Some(list.items().filter_map(Node::as_text).map(str::to_owned).collect())
    };
    let first = list("orderFirst").unwrap_or_else(|| FIRST.iter().map(|k| (*k).to_owned()).collect());
    let last = list("orderLast").unwrap_or_else(|| LAST.iter().map(|k| (*k).to_owned()).collect());
    let rank = |kind: &str| -> i64 {
        let at = |list: &[String]| list.iter().position(|k| k == kind).and_then(|n| i64::try_from(n).ok());
        if let Some(n) = at(&first) {
            return n - 1000;
        }
        at(&last).map_or(0, |n| n + 1000)
    };
    // An absent part sorts as `~` and a letter: behind what begins with a letter.
    let or = |text: String, absent: &str| if text.is_empty() { absent.to_owned() } else { text };
    let key = |r: &Resource| {
        let id = r.identity();
        let rank = rank(&id.kind);
        let kind = format!("{}_{}_{}", or(id.group, "~G"), or(id.version, "~V"), or(id.kind, "~K"));
        (rank, kind, format!("{}|{}", or(id.namespace, "~X"), or(id.name, "~N")))
    };
    let mut keyed: Vec<_> = resources.drain(..).map(|r| (key(&r), r)).collect();
    crate::source::order(&mut keyed, |(a, _), (b, _)| a.cmp(b));
    resources.extend(keyed.into_iter().map(|(_, r)| r));
}
