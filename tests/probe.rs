//! Probes against a server that speaks the protocol of a real one, against recordings, and on this machine.
#![cfg(feature = "probe")]

#[path = "probe/cluster.rs"]
mod cluster;
#[path = "probe/env.rs"]
mod env;
#[path = "probe/failures.rs"]
mod failures;
#[allow(dead_code)]
#[path = "ready/fake.rs"]
mod fake;
#[path = "probe/formats.rs"]
mod formats;
#[path = "probe/forward.rs"]
mod forward;
#[path = "probe/nixl.rs"]
mod nixl;
#[path = "probe/peak.rs"]
mod peak;
#[path = "probe/real.rs"]
mod real;
#[path = "probe/seeds.rs"]
mod seeds;
#[path = "probe/server.rs"]
mod server;
#[path = "probe/ways.rs"]
mod ways;
