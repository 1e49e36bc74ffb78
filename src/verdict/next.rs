//! The commands that would decide what is open.

use super::State;

/// What is known when the next steps are named.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Paths of the manifests.
    pub paths: Vec<String>,
    /// Name of the deployment, when there is one.
    pub deployment: Option<String>,
    /// Kubernetes namespace, when one was given.
    pub namespace: Option<String>,
    /// URL of the frontend, when one was given.
    pub base_url: Option<String>,
    /// A prefill and a decode pod, when both are known.
    pub pair: Option<(String, String)>,
    /// Whether KV cache crosses between workers.
    pub needs_transfer: bool,
    /// How the configuration stands.
    pub configuration: Option<State>,
    /// How the capability stands.
    pub capability: Option<State>,
    /// How the transfer stands.
    pub transfer: Option<State>,
    /// Whether an endpoint was probed.
    pub router_probed: bool,
}

/// A word as a shell takes it.
#[must_use]
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Commands, the most useful first; none when nothing is open.
#[must_use]
pub fn steps(known: &Known) -> Vec<String> {
    let open = |state: Option<State>| state != Some(State::Verified);
    let namespace = known.namespace.as_ref().map_or_else(|| "-n NAMESPACE".to_owned(), |n| format!("-n {}", quote(n)));
    let deployment = known.deployment.as_ref().map_or_else(|| "NAME".to_owned(), |n| quote(n));
    let paths = known.paths.iter().map(|p| quote(p)).collect::<Vec<_>>().join(" ");
    let mut steps = Vec::new();
    if open(known.configuration) && !paths.is_empty() {
        steps.push(format!("dynlint check --show-undecided {paths}"));
    }
    if open(known.capability) {
        if known.needs_transfer {
            steps.push(format!("dynlint probe node {namespace} --deployment {deployment}"));
        }
        if let [path] = known.paths.as_slice() {
            steps.push(format!("dynlint probe env {namespace} --deployment {deployment} --manifest {}", quote(path)));
        }
    }
    if known.needs_transfer && open(known.transfer) {
        let (prefill, decode) = match &known.pair {
            Some((prefill, decode)) => (quote(prefill), quote(decode)),
            None => ("PREFILL_POD".to_owned(), "DECODE_POD".to_owned()),
        };
        steps.push(format!(
            "dynlint probe nixl {namespace} --run-transfer --prefill-pod {prefill} --decode-pod {decode}"
        ));
    }
    if !known.router_probed {
        let manifest = match known.paths.as_slice() {
            [path] => format!(" --manifest {}", quote(path)),
            _ => String::new(),
        };
        steps.push(match &known.base_url {
            Some(url) => format!("dynlint probe router --base-url {}{manifest}", quote(url)),
            None => format!("dynlint probe router {namespace} --deployment {deployment}{manifest}"),
        });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::{Known, quote, steps};
    use crate::verdict::State;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quote("recipes/llama-70b"), "recipes/llama-70b");
        assert_eq!(quote("it's here"), r"'it'\''s here'");
        assert_eq!(quote("$(rm -rf /)"), "'$(rm -rf /)'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn nothing_open_needs_no_step() {
        let all = Some(State::Verified);
        let known = Known {
            paths: vec!["a.yaml".to_owned()],
            needs_transfer: true,
            configuration: all,
            capability: all,
            transfer: all,
            router_probed: true,
            ..Known::default()
        };
        assert!(steps(&known).is_empty());
    }

    #[test]
    fn known_pods_are_named() {
        let known = Known {
            namespace: Some("demo".to_owned()),
            pair: Some(("p-0".to_owned(), "d-0".to_owned())),
            needs_transfer: true,
            ..Known::default()
        };
        let wanted = "dynlint probe nixl -n demo --run-transfer --prefill-pod p-0 --decode-pod d-0";
        assert!(steps(&known).iter().any(|s| s == wanted), "{:?}", steps(&known));
    }
}
