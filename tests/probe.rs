//! Probes against a server that speaks the protocol of a real one, against recordings, and on this machine.
#![cfg(feature = "probe")]

#[path = "probe/cluster.rs"]
mod cluster;
#[path = "probe/env.rs"]
mod env;
#[path = "probe/nixl.rs"]
mod nixl;
#[path = "probe/real.rs"]
mod real;
#[path = "probe/server.rs"]
mod server;
