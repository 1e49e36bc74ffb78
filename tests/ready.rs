//! The readiness verdict, the router probe and the comparison, as a user meets them.

#[cfg(feature = "probe")]
#[path = "ready/fake.rs"]
mod fake;
#[path = "ready/readiness.rs"]
mod readiness;
#[cfg(feature = "probe")]
#[path = "ready/router.rs"]
mod router;
#[cfg(feature = "probe")]
#[path = "ready/seeds.rs"]
mod seeds;
