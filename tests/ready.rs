//! The readiness verdict, the router probe and the comparison, as a user meets them.

#[path = "ready/readiness.rs"]
mod readiness;
