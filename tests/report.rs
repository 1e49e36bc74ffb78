//! Reports: every format against its own definition, over fixtures and whatever corpora there are.

mod common;

#[path = "report/formats.rs"]
mod formats;
#[path = "report/json.rs"]
mod json;
#[path = "report/run.rs"]
mod run;
#[path = "report/sarif.rs"]
mod sarif;
#[path = "report/shell.rs"]
mod shell;
#[path = "report/targets.rs"]
mod targets;
