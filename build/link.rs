//! How the binary is linked.

use std::process::Command;

/// The first glibc whose loader reads relative relocations as a bitmap (`DT_RELR`).
const PACKED: (u32, u32) = (2, 36);

/// Has relative relocations packed where the system that the binary is built for, and on, is known to read them: of the
/// tables of rules and catalogs they are some 250 KB otherwise. A binary that is to run on older systems is built on one.
pub fn pack_relocations() {
    let set = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
    let here = std::env::var("HOST").is_ok_and(|host| set("TARGET", &host));
    if here && set("CARGO_CFG_TARGET_OS", "linux") && set("CARGO_CFG_TARGET_ENV", "gnu") && glibc() >= Some(PACKED) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The glibc of this system.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let said = String::from_utf8(said).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
