//! Every key there is: read by the parser, the schema, `config show` and `config init`, so that nothing is said twice.

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A Dynamo release.
    Version,
    /// A path relative to the file that holds it.
    Path,
    /// Directories, each relative to the file that holds it.
    Directories,
    /// Rule ids, families, globs over them, `all`.
    Rules,
    /// Globs over paths relative to the directory of the file that holds them.
    Globs,
    /// Severities by rule.
    Severities,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// What it does, in one line.
    pub(super) doc: &'static str,
    /// The default, or an example where there is none, as TOML.
    pub(super) example: &'static str,
    /// Whether `example` is the default.
    pub(super) is_default: bool,
    /// Whether `[[per-path]]` may set it.
    pub(super) per_path: bool,
}

pub(super) const SEVERITIES: &[&str] = &["error", "warning", "advice"];
/// What `fabric` may say.
pub(super) const FABRICS: &[&str] = &["infiniband", "roce", "efa"];

const fn key(name: &'static str, shape: Shape, example: &'static str, doc: &'static str) -> Key {
    Key { name, shape, doc, example, is_default: false, per_path: true }
}

impl Key {
    /// The example is the default.
    const fn default(mut self) -> Self {
        self.is_default = true;
        self
    }

    /// Not for `[[per-path]]`.
    const fn whole(mut self) -> Self {
        self.per_path = false;
        self
    }
}

/// All keys but `per-path`, in the order they are shown.
pub(super) const KEYS: &[Key] = &[
    key(
        "extend",
        Shape::Path,
        "\"../dynlint.toml\"",
        "another configuration to start from; what this file says replaces what that one says",
    )
    .whole(),
    key(
        RULES_DIRS,
        Shape::Directories,
        "[\"lint\"]",
        "directories with rules of your own, which hold where this configuration does; added to those it extends",
    )
    .whole(),
    key("select", Shape::Rules, "[\"all\"]", "rules to run: ids, families, globs (`kv-*`), `all`").default(),
    key("ignore", Shape::Rules, "[]", "rules not to run; wins over `select`").default(),
    key(
        "profile",
        Shape::Choice(&["default", "strict", "audit"]),
        "\"default\"",
        "how much to show: `strict` raises what works by luck to warnings, `audit` adds what is only possible",
    )
    .default(),
    key("min-severity", Shape::Choice(SEVERITIES), "\"advice\"", "hide findings less severe than this").default(),
    key(
        "fail-on",
        Shape::Choice(&["error", "warning", "advice", "never"]),
        "\"warning\"",
        "least severity that makes the exit code 1",
    )
    .default(),
    key(
        "exclude",
        Shape::Globs,
        "[]",
        "paths to leave out when directories are walked (and always under --force-exclude)",
    )
    .default()
    .whole(),
    key("ignores-need-reason", Shape::Flag, "false", "whether every ignore comment must say why").default(),
    key("baseline", Shape::Path, "\"dynlint-baseline.json\"", "findings recorded there do not fail a check").whole(),
    key(
        "fabric",
        Shape::Choice(FABRICS),
        "\"infiniband\"",
        "the network between nodes, where a manifest asks for no device that shows it",
    ),
    key("dynamo-version", Shape::Version, "\"1.0\"", "Dynamo version where no image tag and no override gives one"),
    key("namespace", Shape::Text, "\"default\"", "Kubernetes namespace of objects that name none"),
    key("grove", Shape::Flag, "true", "whether Grove is installed and the operator uses it").default(),
    key(
        "operator-version",
        Shape::Version,
        "\"1.0\"",
        "version of the operator that creates the deployments; 1.0 or later when not given",
    ),
    key(
        "discovery-backend",
        Shape::Choice(&["kubernetes", "etcd"]),
        "\"kubernetes\"",
        "discovery backend that the operator is configured with",
    )
    .default(),
    key("nats-server", Shape::Text, "\"nats://nats:4222\"", "NATS address that the operator is configured with"),
    key("etcd-endpoints", Shape::Text, "\"http://etcd:2379\"", "etcd address that the operator is configured with"),
    key(
        "model-express-url",
        Shape::Text,
        "\"http://model-express:8001\"",
        "Model Express address that the operator is configured with",
    ),
    key(
        "prometheus-endpoint",
        Shape::Text,
        "\"http://prometheus:9090\"",
        "Prometheus address that the operator is configured with",
    ),
    key("severity", Shape::Severities, "{}", "severities of your own, by rule id, family or glob; an id wins")
        .default(),
];

/// Directories of rules of the user's own.
pub(super) const RULES_DIRS: &str = "rules-dirs";

/// What `per-path` says about itself.
pub(super) const PER_PATH: &str = "settings for some paths: `paths` holds globs, `ignore` adds to the list above, all \
                                   else replaces what stands above";

/// The key of that name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
