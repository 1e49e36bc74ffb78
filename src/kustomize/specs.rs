//! Field specs: which field of which kind a transformer touches, and the built-in lists of them
//! (`api/types/fieldspec.go`, `api/internal/konfig/builtinpluginconsts`).

use super::edit::visit;
use super::resource::Identity;
use crate::source::Span;
use crate::yaml::Node;

/// One field of a kind; an empty group, version or kind stands for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldSpec {
    /// API group.
    pub(super) group: String,
    /// Version.
    pub(super) version: String,
    /// Kind.
    pub(super) kind: String,
    /// Keys joined by `/`, one of a key's own written `\/`.
    pub(super) path: String,
    /// Whether the field is made when it is absent.
    pub(super) create: bool,
}

/// What gives two specs of one list the same place and differs in the rest.
pub(super) type Conflict = String;

impl FieldSpec {
    /// Reads one as written.
    pub(super) fn read(node: &Node) -> Self {
        let text = |key: &str| node.get(key).and_then(Node::as_text).unwrap_or_default().to_owned();
        Self {
            group: text("group"),
            version: text("version"),
            kind: text("kind"),
            path: text("path"),
            create: node.get("create").and_then(Node::as_bool).unwrap_or(false),
        }
    }

    /// Every one of a list as written.
    pub(super) fn list(node: Option<&Node>) -> Vec<Self> {
        node.into_iter().flat_map(Node::items).map(Self::read).collect()
    }

    /// One of the built-in lists: `Kind.group/version` of which every part may be missing, and the path.
    fn built_in(of: &str, path: &str, create: bool) -> Self {
        let (of, version) = of.split_once('/').unwrap_or((of, ""));
        let (kind, group) = of.split_once('.').unwrap_or((of, ""));
        let owned = str::to_owned;
        Self { group: owned(group), version: owned(version), kind: owned(kind), path: owned(path), create }
    }

    /// Any object of a kind.
    pub(super) fn of_kind(kind: &str) -> Self {
        Self::built_in(kind, "", false)
    }

    /// Whether it speaks of such an object.
    pub(super) fn selects(&self, id: &Identity) -> bool {
        let fits = |wanted: &str, have: &str| wanted.is_empty() || wanted == have;
        fits(&self.group, &id.group) && fits(&self.version, &id.version) && fits(&self.kind, &id.kind)
    }

    /// The keys on the way.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for part in self.path.split('/') {
            match out.last_mut().filter(|last| last.ends_with('\\')) {
                Some(last) => {
                    last.pop();
                    last.push('/');
                    last.push_str(part);
                }
                None => out.push(part.to_owned()),
            }
        }
        out
    }

    /// Rewrites every field that it names; `None` when nothing changes. What is made stands for `span`.
    pub(super) fn visit(
        &self,
        root: &Node,
        span: Span,
        f: &mut dyn FnMut(Option<&Node>) -> Option<Node>,
    ) -> Option<Node> {
        let keys = self.keys();
        let path: Vec<&str> = keys.iter().map(String::as_str).collect();
        visit(root, &path, self.create.then_some(span), f)
    }

    /// Whether a list with this one needs no `new` (`effectivelyEquals`): what `new` leaves open, any of this one's will do.
    fn covers(&self, new: &Self) -> bool {
        let fits = |wanted: &str, have: &str| wanted.is_empty() || wanted == have;
        self.path == new.path
            && fits(&new.group, &self.group)
            && fits(&new.version, &self.version)
            && fits(&new.kind, &self.kind)
    }
}

/// Adds what is not there yet.
///
/// # Errors
/// A spec for the same field says otherwise whether to create it.
pub(super) fn merge(list: &mut Vec<FieldSpec>, new: &[FieldSpec]) -> Result<(), Conflict> {
    for spec in new {
        match list.iter().find(|have| have.covers(spec)) {
            Some(have) if have.create != spec.create => {
                return Err(format!("`{}` is created here and not there", spec.path));
            }
            Some(_) => {}
            None => list.push(spec.clone()),
        }
    }
    Ok(())
}

/// The built-in list of such lines.
fn all(lines: &[(&str, &str, bool)]) -> Vec<FieldSpec> {
    lines.iter().map(|(of, path, create)| FieldSpec::built_in(of, path, *create)).collect()
}

/// `metadata/name`, for prefixes and suffixes.
pub(super) fn names() -> Vec<FieldSpec> {
    all(&[("", "metadata/name", false)])
}

/// Where a namespace goes besides `metadata/namespace`.
pub(super) fn namespace() -> Vec<FieldSpec> {
    all(&[
        ("Namespace", "metadata/name", true),
        ("APIService.apiregistration.k8s.io", "spec/service/namespace", true),
        (
            "CustomResourceDefinition.apiextensions.k8s.io",
            "spec/conversion/webhook/clientConfig/service/namespace",
            false,
        ),
    ])
}

/// Labels of the object, of its pods and of the claims of a StatefulSet.
const LABELS: &[(&str, &str, bool)] = &[
    ("", "metadata/labels", true),
    ("ReplicationController/v1", "spec/template/metadata/labels", true),
    ("Deployment", "spec/template/metadata/labels", true),
    ("ReplicaSet", "spec/template/metadata/labels", true),
    ("DaemonSet", "spec/template/metadata/labels", true),
    ("StatefulSet.apps", "spec/template/metadata/labels", true),
    ("StatefulSet.apps", "spec/volumeClaimTemplates[]/metadata/labels", true),
    ("Job.batch", "spec/template/metadata/labels", true),
    ("CronJob.batch", "spec/jobTemplate/metadata/labels", true),
    ("CronJob.batch", "spec/jobTemplate/spec/template/metadata/labels", true),
];

/// Selectors that follow common labels.
const SELECTORS: &[(&str, &str, bool)] = &[
    ("Service/v1", "spec/selector", true),
    ("ReplicationController/v1", "spec/selector", true),
    ("Deployment", "spec/selector/matchLabels", true),
    ("ReplicaSet", "spec/selector/matchLabels", true),
    ("DaemonSet", "spec/selector/matchLabels", true),
    ("StatefulSet.apps", "spec/selector/matchLabels", true),
    ("Job.batch", "spec/selector/matchLabels", false),
    ("CronJob.batch", "spec/jobTemplate/spec/selector/matchLabels", false),
    ("PodDisruptionBudget.policy", "spec/selector/matchLabels", false),
    ("NetworkPolicy.networking.k8s.io", "spec/podSelector/matchLabels", false),
    ("NetworkPolicy.networking.k8s.io", "spec/ingress/from/podSelector/matchLabels", false),
    ("NetworkPolicy.networking.k8s.io", "spec/egress/to/podSelector/matchLabels", false),
];

/// Selectors of other pods within the pod template of a Deployment or StatefulSet.
const NEIGHBOURS: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

/// `labels` without selectors.
pub(super) fn plain_labels() -> Vec<FieldSpec> {
    all(&LABELS[..1])
}

/// `labels` with `includeTemplates`.
pub(super) fn template_labels() -> Vec<FieldSpec> {
    all(&LABELS[1..])
}

/// `commonLabels`.
pub(super) fn common_labels() -> Vec<FieldSpec> {
    let mut out = all(SELECTORS);
    for kind in ["Deployment.apps", "StatefulSet.apps"] {
        out.extend(
            NEIGHBOURS.iter().map(|path| FieldSpec::built_in(kind, &format!("spec/template/spec/{path}"), false)),
        );
    }
    out.extend(all(LABELS));
    out
}

/// `commonAnnotations`.
pub(super) fn annotations() -> Vec<FieldSpec> {
    all(&[
        ("", "metadata/annotations", true),
        ("ReplicationController/v1", "spec/template/metadata/annotations", true),
        ("Deployment", "spec/template/metadata/annotations", true),
        ("ReplicaSet", "spec/template/metadata/annotations", true),
        ("DaemonSet", "spec/template/metadata/annotations", true),
        ("StatefulSet", "spec/template/metadata/annotations", true),
        ("Job.batch", "spec/template/metadata/annotations", true),
        ("CronJob.batch", "spec/jobTemplate/metadata/annotations", true),
        ("CronJob.batch", "spec/jobTemplate/spec/template/metadata/annotations", true),
    ])
}

/// `images`, besides every list called `containers` or `initContainers`.
pub(super) fn images() -> Vec<FieldSpec> {
    all(&[
        ("", "spec/containers[]/image", true),
        ("", "spec/initContainers[]/image", true),
        ("", "spec/template/spec/containers[]/image", true),
        ("", "spec/template/spec/initContainers[]/image", true),
    ])
}

/// `replicas`.
pub(super) fn replicas() -> Vec<FieldSpec> {
    all(&[
        ("Deployment", "spec/replicas", true),
        ("ReplicationController", "spec/replicas", true),
        ("ReplicaSet", "spec/replicas", true),
        ("StatefulSet", "spec/replicas", true),
    ])
}
