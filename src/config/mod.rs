//! Configuration: `dynlint.toml`, or `[tool.dynlint]` in `pyproject.toml`, found from the linted file upwards.

mod error;
mod find;
mod keys;
mod layer;
mod own;
mod parse;
mod settings;
mod write;

pub use error::{ConfigFile, Drawn, Error};
pub use find::{Configs, Effective, FILE_NAME, Mode};
pub use layer::{Entry, Layer, Origin, Override, Value};
pub use settings::{FailOn, Settings};
pub use write::{schema, show, template};
