//! A process, how long it took and how much memory it had at most.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub struct Run {
    pub stdout: Vec<u8>,
    pub code: Option<i32>,
    pub took: Duration,
    /// Bytes; 0 where the system does not tell.
    pub peak: u64,
}

/// Runs it to its end. The most memory it had is what the kernel last said of it, some milliseconds before the end.
pub fn run(command: &mut Command) -> Run {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let status = format!("/proc/{}/status", child.id());
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).expect("its output");
        bytes
    });
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("it can be waited for") {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = start.elapsed();
    Run { stdout: reader.join().expect("no panic"), code: ended.code(), took, peak }
}
