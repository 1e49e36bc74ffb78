//! What one process runs with.

use std::collections::BTreeMap;

use crate::probe::program::steers;
use crate::probe::sections::{End, split};
use crate::probe::transport::Container;

/// Where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From a process.
    Process {
        /// Its number in the container.
        pid: u32,
        /// Whether it is the Dynamo process; process 1 otherwise.
        dynamo: bool,
    },
    /// From the spec of the pod: without the image's own variables, `$(VAR)` not expanded.
    Spec,
}

/// What one process runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where it was read.
    pub source: Source,
    /// Words of its command line; empty when unknown.
    pub argv: Vec<String>,
    /// Its variables of transport and router.
    pub env: BTreeMap<String, String>,
}

/// Why `scripts/environ.sh` itself says that it can read no process, and what to do about it; none when it does not say.
pub(super) fn unread(output: &str) -> Option<(String, &'static str)> {
    let access = split(output).into_iter().find(|section| section.name == "access")?;
    match access.end {
        End::Missing => {
            Some(("the container has no `tr`".to_owned(), "use an image that has it, or a debug container"))
        }
        End::Code(1..) => {
            let file = access.body.lines().find_map(|line| line.strip_prefix("denied\t")).unwrap_or("/proc/1/environ");
            let next = "name the container that runs Dynamo with `-c`; only its own user may read what it runs with";
            Some((format!("`{file}` may not be read"), next))
        }
        _ => None,
    }
}

impl Running {
    /// Reads the output of `scripts/environ.sh`; none when no process could be read.
    #[must_use]
    pub fn read(output: &str) -> Option<Self> {
        let sections = split(output);
        let get = |name: &str| sections.iter().find(|s| s.name == name);
        let access = get("access").filter(|s| s.end == End::Code(0))?;
        let field = |name: &str| access.body.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('\t'));
        // Cut in the middle of the variables, one that is missing would look like drift.
        let environ = get("environ").filter(|s| s.end == End::Code(0))?;
        let env = environ.body.lines().filter_map(|line| line.split_once('='));
        let env = env.filter(|(name, _)| steers(name)).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let argv = get("argv")
            .filter(|s| s.end == End::Code(0))
            .map(|s| s.body.lines().filter_map(|l| l.strip_prefix("arg\t")).map(str::to_owned).collect());
        let pid = field("pid").and_then(|pid| pid.parse().ok()).unwrap_or(1);
        let source = Source::Process { pid, dynamo: field("kind") == Some("dynamo") };
        Some(Self { source, argv: argv.unwrap_or_default(), env })
    }

    /// What the spec of a container says.
    #[must_use]
    pub fn of_spec(container: &Container) -> Self {
        let known = |value: &Option<String>| value.clone().filter(|v| !v.contains("$("));
        let env =
            container.env.iter().filter(|e| steers(&e.name)).filter_map(|e| Some((e.name.clone(), known(&e.value)?)));
        Self {
            source: Source::Spec,
            argv: container.command.iter().chain(&container.args).cloned().collect(),
            env: env.collect(),
        }
    }

    /// Whether the variables are those that the Dynamo process itself sees, after every script.
    #[must_use]
    pub const fn is_dynamo(&self) -> bool {
        matches!(self.source, Source::Process { dynamo: true, .. })
    }

    /// The words after `-m dynamo.…`, with the module; none when the command line does not show one.
    #[must_use]
    pub fn module(&self) -> Option<(&str, &[String])> {
        let at = self.argv.windows(2).position(|w| w[0] == "-m" && w[1].starts_with("dynamo."))?;
        Some((&self.argv[at + 1], &self.argv[at + 2..]))
    }

    /// The last value of a flag, or that it stands without one.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<Option<&str>> {
        let (_, words) = self.module()?;
        let mut found = None;
        for (at, word) in words.iter().enumerate() {
            if word == name {
                let value = words.get(at + 1).filter(|v| !v.starts_with("--"));
                found = Some(value.map(String::as_str));
            } else if let Some(value) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                found = Some(Some(value));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\n@@ access\npid\t42\nkind\tdynamo\n\n@@= 0\n\n@@ argv\narg\tpython3\narg\t-m\narg\tdynamo.vllm\n\
        arg\t--model\narg\tqwen\narg\t--tp=4\narg\t--enforce-eager\narg\t--tp\narg\t8\n\n@@= 0\n\n@@ environ\nUCX_TLS=rc=x\nHOME=/root\n\
        DYN_X=\n\n@@= 0\n";

    #[test]
    fn a_process_as_the_script_prints_it() {
        let running = Running::read(OUTPUT).unwrap();
        assert!(running.is_dynamo());
        assert_eq!(running.env.keys().collect::<Vec<_>>(), ["DYN_X", "UCX_TLS"]);
        assert_eq!(running.env["UCX_TLS"], "rc=x");
        assert_eq!(running.module().unwrap().0, "dynamo.vllm");
        assert_eq!(running.flag("--tp"), Some(Some("8")));
        assert_eq!(running.flag("--enforce-eager"), Some(None));
        assert_eq!(running.flag("--nope"), None);
        // A list of variables that was cut would make drift out of nothing.
        for at in 0..OUTPUT.len() - 2 {
            assert_eq!(Running::read(&OUTPUT[..at]), None, "{at}");
        }
        let denied = OUTPUT.replacen("@@= 0", "denied\t/proc/7/environ\n@@= 1", 1);
        assert_eq!(Running::read(&denied), None);
        assert_eq!(unread(&denied).map(|(why, _)| why).as_deref(), Some("`/proc/7/environ` may not be read"));
        assert_eq!(
            unread("@@ access\n@@= missing\n").map(|(why, _)| why).as_deref(),
            Some("the container has no `tr`")
        );
        assert_eq!(unread(OUTPUT), None);
    }
}
