//! Fixes: the command line, what is written to disk, and the certificate held against the disk.

#[path = "common/mod.rs"]
mod common;
#[path = "fixes/disk.rs"]
mod disk;
#[path = "fixes/passes.rs"]
mod passes;
#[path = "fixes/plan.rs"]
mod plan;
#[path = "fixes/property.rs"]
mod property;
#[path = "fixes/repairs.rs"]
mod repairs;
#[path = "fixes/several.rs"]
mod several;
#[path = "fixes/trees.rs"]
mod trees;
#[path = "fixes/wild.rs"]
mod wild;
