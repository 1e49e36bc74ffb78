//! The programs that probes run: a closed list, so that nothing else can ever be sent to a container. All of them read
//! and print; only [`Program::TransferTarget`] and [`Program::TransferInitiator`], which a user has to ask for, move bytes.

use serde::{Deserialize, Serialize};

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Program {
    /// Devices, modules, limits and the tools that describe them.
    Node,
}

impl Program {
    /// Its name in snapshots and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Node => "node",
        }
    }

    /// What is executed. Arguments that come from outside are arguments, never part of a script.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        let shell = |script: &str| vec!["sh".to_owned(), "-c".to_owned(), script.to_owned(), "dynlint".to_owned()];
        match self {
            Self::Node => shell(include_str!("scripts/node.sh")),
        }
    }
}
