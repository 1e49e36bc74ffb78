//! SARIF 2.1.0, for code scanning services and viewers.
//!
//! Only rules that the log speaks of are listed, each with its whole page. What one service's limits would drop is left
//! out here, the least severe first, and a notification says so.

mod location;
mod model;
mod notify;
mod results;
mod rules;

use serde_json::{Map, json};

use super::root::Root;
use super::wire::Check;
use model::{AutomationDetails, Driver, Invocation, Log, Run, Tool};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Name of the base that paths are relative to.
const BASE: &str = "SRCROOT";

/// What GitHub takes at most of one run; more makes it refuse the whole file.
mod limit {
    /// Results of a run.
    pub const RESULTS: usize = 25_000;
    /// Locations of a result.
    pub const LOCATIONS: usize = 1_000;
    /// Places of one code flow that viewers can follow.
    pub const STEPS: usize = 100;
    /// Characters of a description.
    pub const DESCRIPTION: usize = 1_024;
}

/// Renders a report.
///
/// # Errors
/// None that the types allow; serde_json's signature wants one.
pub fn sarif(check: &Check, root: &Root) -> serde_json::Result<String> {
    let mut listed = rules::Listed::default();
    let mut artifacts = location::Artifacts::new(root);
    let (results, left_out) = results::all(check, &mut listed, &mut artifacts);
    let told = notify::all(check, left_out, &mut listed, &mut artifacts);
    let mut bases = Map::new();
    let description = json!({"text": "top of the checkout, or the working directory when there is none"});
    bases.insert(BASE.to_owned(), json!({"uri": root.base(), "description": description}));
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: vec![Run {
            tool: Tool {
                driver: Driver {
                    name: "dynlint",
                    version: env!("CARGO_PKG_VERSION"),
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules: listed.descriptors(),
                    notifications: told.descriptors,
                },
            },
            invocations: vec![Invocation {
                execution_successful: told.successful,
                tool_execution_notifications: told.notifications,
            }],
            original_uri_base_ids: bases,
            column_kind: "unicodeCodePoints",
            automation_details: AutomationDetails { id: "dynlint/" },
            artifacts: artifacts.list(),
            results,
        }],
    };
    serde_json::to_string_pretty(&log)
}
