//! The command line: what the shell and the operator make of it.

mod aiperf;
mod argv;
mod config_file;
mod dashes;
mod engine_config;
mod engine_keys;
mod entry;
mod flags;
mod lines;
mod nodes;
mod parallel;
mod release;
mod removed;
mod script;
mod starts;
mod strays;
mod values;
mod words;

pub use aiperf::unknown_aiperf_flag;
pub use argv::{duplicated_flag, malformed_python, wrong_module_for_framework};
pub use config_file::worker_config_option;
pub use dashes::flag_dash;
pub use engine_config::{engine_config_key, engine_config_syntax};
pub use entry::{args_without_command, command_without_args};
pub use flags::{flag_missing_value, misspelled_worker_flag};
pub use lines::{json_quotes_lost, script_line_lost};
pub use nodes::node_flag_overridden;
pub(in crate::rules) use parallel::{Ranks, ranks};
pub use parallel::{data_parallel_refused, gpus_above_parallelism, gpus_below_parallelism, invisible_parallel_flag};
pub(in crate::rules) use release::published;
pub use release::{deprecated_worker_flag, unknown_worker_flag};
pub use removed::{planner_cli_removed, removed_worker_flag};
pub use script::{folded_script_backslash, script_syntax};
pub use strays::stray_argument;
pub use values::{flag_json_invalid, worker_flag_value};
pub use words::{flag_with_blank, variable_undefined};
