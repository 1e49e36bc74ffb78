//! Turns `rules/` into statics, so that nothing is parsed at run time.

#[path = "build/catalog.rs"]
mod catalog;
#[path = "build/link.rs"]
mod link;
#[path = "build/pool.rs"]
mod pool;
#[path = "build/rules.rs"]
mod rules;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    link::pack_relocations();
    link::fold_same_code();
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for made in [
        rules::generate(std::path::Path::new("rules"), &out),
        catalog::generate(std::path::Path::new("rules/catalog"), &out),
    ] {
        if let Err(message) = made {
            println!("cargo::error={message}");
        }
    }
}
