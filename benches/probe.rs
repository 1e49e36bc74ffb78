//! `dynlint probe node` on 200 pods at once, against the test server: time and memory of the binary.
//!
//! `cargo bench --features probe --bench probe`

#[allow(dead_code)]
#[path = "../tests/probe/peak.rs"]
mod peak;
#[allow(dead_code)]
#[path = "../tests/probe/server.rs"]
mod server;

use std::process::Command;

use server::{Config, Server, pod};

fn main() {
    // `cargo test --benches` wants to know that it runs, not how fast.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { 5 } else { 1 };
    for kind in ["h100", "flood"] {
        let pods = (0..200).map(|n| pod(&format!("{kind}-{n:03}"), "qwen", "prefill", "worker")).collect();
        let server = Server::start(Config { pods, ..Config::default() });
        let mut best = f64::MAX;
        for _ in 0..rounds {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dynlint"));
            command
                .args(["probe", "node", "--deployment", "qwen", "-f", "json"])
                .env("KUBECONFIG", server.kubeconfig());
            let run = peak::run(&mut command);
            println!("200 pods ({kind}): {:.2} s, peak {} MiB", run.took.as_secs_f64(), run.peak >> 20);
            best = best.min(run.took.as_secs_f64());
            assert!(run.peak < 320 << 20, "memory is not bounded: {} MiB", run.peak >> 20);
        }
        // Pods that print 10 MB each are about memory: 2 GB have to come through the server.
        if rounds > 1 && kind == "h100" {
            println!("200 pods: {best:.2} s at best, {:.0} % of the 3 s that it may take", best / 3.0 * 100.0);
            assert!(best < 3.0, "{best:.2} s");
        }
    }
}
