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

/// Has functions with the same instructions kept once in releases, where the toolchain is known to link with its own
/// `lld`: the one for x86-64 Linux does since 1.90. Nothing here compares functions by address.
pub fn fold_same_code() {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
    let gnu = "x86_64-unknown-linux-gnu";
    // Whoever chose a linker knows better.
    let chosen = std::env::var_os("RUSTC_LINKER").is_some()
        || std::env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if is("PROFILE", "release") && is("TARGET", gnu) && is("HOST", gnu) && !chosen && has_lld(gnu) {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// Whether the compiler brings the `lld` that it links with by itself.
fn has_lld(target: &str) -> bool {
    let said = |argument: &[&str]| {
        let out = Command::new(std::env::var_os("RUSTC")?).args(argument).output().ok()?;
        String::from_utf8(out.stdout).ok()
    };
    let minor = || said(&["--version"])?.strip_prefix("rustc 1.")?.split_once('.')?.0.parse::<u32>().ok();
    let brought = || {
        let sysroot = said(&["--print", "sysroot"])?;
        let own = std::path::Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("bin/gcc-ld/ld.lld");
        Some(own.exists())
    };
    minor() >= Some(90) && brought() == Some(true)
}

/// The glibc of this system.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let said = String::from_utf8(said).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
