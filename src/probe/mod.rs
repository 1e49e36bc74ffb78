//! Live and recorded evidence: what nodes, pods, NIXL and the router really have, asked through one [`Transport`].
//!
//! Checks are there in every build, since the readiness verdict of the manifests alone is made of them; whatever asks needs
//! the feature `probe`.
//!
//! A probe reads, and says what it saw as [`Check`]s; with a manifest at hand, also as findings on its characters.

pub mod check;
#[cfg(feature = "probe")]
pub mod compare;
#[cfg(feature = "probe")]
pub mod env;
#[cfg(feature = "probe")]
pub mod nixl;
#[cfg(feature = "probe")]
pub mod node;
#[cfg(feature = "probe")]
pub mod pods;
#[cfg(feature = "probe")]
pub mod program;
#[cfg(feature = "probe")]
pub mod report;
#[cfg(feature = "probe")]
pub mod router;
#[cfg(feature = "probe")]
mod sections;
#[cfg(feature = "probe")]
pub mod told;
#[cfg(feature = "probe")]
pub mod transport;

pub use check::{Check, Counts, Layer, Status};
#[cfg(feature = "probe")]
pub use transport::{Answer, Ask, Bounds, Place, Transport, Trouble, TroubleKind};
