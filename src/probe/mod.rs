//! Live and recorded evidence: what nodes, pods, NIXL and the router really have, asked through one [`Transport`].
//!
//! A probe reads, and says what it saw as [`Check`]s; with a manifest at hand, also as findings on its characters.

pub mod check;
pub mod node;
pub mod pods;
pub mod program;
pub mod report;
pub mod transport;

pub use check::{Check, Counts, Layer, Status};
pub use transport::{Answer, Ask, Bounds, Place, Transport, Trouble, TroubleKind};
