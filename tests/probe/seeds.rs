//! The seed script's `node` and `nixl`, case by case, on theirs and on ours; and the scripts of our skill, which take the
//! place of theirs. Theirs is other people's code: it is looked for in `DYNLINT_SEEDS` or `~/.cache/dynlint/seeds` and never
//! kept here; without it only our side runs, against what theirs is known to do.
//!
//! A case is one world, told twice: to theirs by programs of the names that it runs, to ours by what a pod of the test
//! server says.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cluster::{check, dynlint, json};
use crate::fake::{EMPTY, Fake, but, good, say};
use crate::server::{Config, Server, pod};

fn seed() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/dynlint/seeds"));
    let dirs = [std::env::var_os("DYNLINT_SEEDS").map(PathBuf::from), home];
    let found = dirs.into_iter().flatten().map(|dir| dir.join("check_interconnect.py")).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no corpus (the seed scripts); only our side of the table runs");
    }
    found
}

/// What a program prints, and its exit code.
type Says = (&'static str, i32);

const IBSTAT: &str = include_str!("../../fixtures/probe/tools/ibstat-ndr.txt");
const NODE: &str = include_str!("../../fixtures/probe/node/h100.txt");
const DEVINFO: &str = "    2 HCAs found:\n\tmlx5_0\n\tmlx5_1\n";
const TOPOLOGY: &str = "\tGPU0\tGPU1\tNIC0\tNIC1\nGPU0\t X \tNV18\tPIX\tSYS\nGPU1\tNV18\t X \tSYS\tPXB\n";

/// A world: the programs of theirs by name (`ls` by what it lists), and the output of our script.
struct World {
    theirs: BTreeMap<&'static str, Says>,
    ours: String,
}

impl World {
    /// Two GPUs, two ports, everything there.
    fn good() -> Self {
        let theirs = BTreeMap::from([
            ("ls /dev/infiniband", ("rdma_cm\nuverbs0\nuverbs1", 0)),
            ("ls /dev/gdrdrv", ("/dev/gdrdrv", 0)),
            ("ibv_devinfo", (DEVINFO, 0)),
            ("ibstat", (IBSTAT, 0)),
            ("lsmod", ("nvidia_peermem 16384 0\nmlx5_ib 495616 0", 0)),
            ("nvidia-smi", (TOPOLOGY, 0)),
            ("sh", ("", 0)),
        ]);
        let devinfo = include_str!("../../fixtures/probe/tools/ibv_devinfo-roce.txt");
        let ours = NODE.replace("@@ ibstat\n\n@@= missing", &format!("@@ ibstat\n{IBSTAT}\n@@= 0"));
        let ours = ours.replace("@@ ibv_devinfo\n\n@@= missing", &format!("@@ ibv_devinfo\n{devinfo}\n@@= 0"));
        Self { theirs, ours }
    }

    fn says(mut self, program: &'static str, says: Says) -> Self {
        self.theirs.insert(program, says);
        // The sections of our script that run the same program.
        let section = match program {
            "nvidia-smi" => "topology",
            "ibstat" | "ibv_devinfo" => program,
            _ => return self,
        };
        self.section(section, &format!("{}\n@@= {}", says.0, says.1))
    }

    fn without(mut self, program: &'static str) -> Self {
        self.theirs.remove(program);
        match program {
            "nvidia-smi" => self.section("topology", "\n@@= missing").section("nvidia-smi", "\n@@= missing"),
            "ibstat" | "ibv_devinfo" => self.section(program, "\n@@= missing"),
            _ => self,
        }
    }

    /// A section of our output in other words.
    fn section(mut self, name: &str, body: &str) -> Self {
        let start = self.ours.find(&format!("@@ {name}\n")).expect("a section") + name.len() + 4;
        let end = start + self.ours[start..].find("\n\n@@ ").expect("another section");
        self.ours.replace_range(start..end, body);
        self
    }

    fn ours(mut self, from: &str, to: &str) -> Self {
        assert!(self.ours.contains(from), "{from}");
        self.ours = self.ours.replace(from, to);
        self
    }

    fn no_device_files(self) -> Self {
        self.says("ls /dev/infiniband", ("", 2)).ours("/dev/infiniband/", "/dev/other/")
    }

    fn no_devices(self) -> Self {
        let world = self.no_device_files().section("infiniband", "\n@@= 0");
        world
            .says("ibv_devinfo", ("Failed to get IB devices list: Function not implemented", 255))
            .says("ibstat", ("", 0))
    }

    fn no_peermem(self) -> Self {
        let world = self.says("lsmod", ("mlx5_ib 495616 0", 0)).ours("/sys/module/nvidia_peermem\n", "");
        world.ours("nvidia_peermem 16384", "other 1")
    }

    fn no_gdrcopy(self) -> Self {
        self.says("ls /dev/gdrdrv", ("", 2)).ours("/dev/gdrdrv\n", "")
    }

    fn no_gpu(self) -> Self {
        let world = self.without("nvidia-smi").ours("/dev/nvidia0\n/dev/nvidia1\n/dev/nvidiactl", "/dev/other");
        world.ours("/sys/module/nvidia\n", "").ours("/proc/driver/nvidia/", "/proc/driver/other/")
    }
}

/// One check of theirs with its status, the one of ours that answers the same, with its status, and why they differ; empty
/// where they do not.
type Answer = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn cases() -> Vec<(&'static str, World, Vec<Answer>)> {
    let world = World::good;
    let sysfs = "the kernel tells in /sys what the tool would; no tool is needed";
    let inconclusive = "what could not be seen is inconclusive, no gap";
    vec![
        (
            "everything there",
            world(),
            vec![
                ("ib-devices", "ok", "rdma-access", "ok", ""),
                ("ibv-devinfo", "ok", "verbs-tools", "ok", ""),
                ("ib-link", "ok", "infiniband", "ok", ""),
                ("gpudirect-peermem", "ok", "gpudirect-rdma", "ok", ""),
                ("gdrcopy", "ok", "gdrcopy", "ok", ""),
                ("gpu-topology", "ok", "nvlink", "ok", ""),
            ],
        ),
        (
            "devices on the node, not in the container",
            world().no_device_files(),
            vec![("ib-devices", "warn", "rdma-access", "fail", "the node has RDMA and the container cannot use it")],
        ),
        (
            "no device at all",
            world().no_devices(),
            vec![
                ("ib-devices", "warn", "infiniband", "warn", ""),
                ("ib-link", "warn", "infiniband", "warn", ""),
                ("ibv-devinfo", "warn", "verbs-tools", "skipped", "one missing fabric is said once, by `infiniband`"),
            ],
        ),
        (
            "no ls",
            world().without("ls /dev/infiniband"),
            vec![
                ("ib-devices", "skipped", "rdma-access", "ok", sysfs),
                ("gdrcopy", "skipped", "gdrcopy", "ok", "our script asks the shell, which is there"),
            ],
        ),
        // Ours needs a shell in a pod, and says so as `node-access` (`tests/probe/cluster.rs`); here the tools come before it.
        ("no sh", world().without("sh"), vec![("gpudirect-peermem", "skipped", "gpudirect-rdma", "ok", sysfs)]),
        (
            "an empty directory of devices",
            world().says("ls /dev/infiniband", ("", 0)).ours("/dev/infiniband/", "/dev/other/"),
            vec![("ib-devices", "warn", "rdma-access", "fail", "the node has RDMA and the container cannot use it")],
        ),
        (
            "no ibv_devinfo, no ibstat",
            world().without("ibv_devinfo").without("ibstat"),
            vec![
                ("ibv-devinfo", "skipped", "verbs-tools", "skipped", ""),
                ("ib-link", "skipped", "infiniband", "ok", sysfs),
            ],
        ),
        (
            "verbs cannot open the devices",
            world().without("ibstat").says("ibv_devinfo", ("Failed to get IB devices list: Unknown error -38", 255)),
            vec![("ibv-devinfo", "warn", "verbs-tools", "warn", "")],
        ),
        (
            "ibv_devinfo prints nothing",
            world().without("ibstat").says("ibv_devinfo", ("", 0)),
            vec![("ibv-devinfo", "warn", "verbs-tools", "skipped", inconclusive)],
        ),
        (
            "no port is active",
            world()
                .says("ibstat", ("CA 'mlx5_0'\n\tPort 1:\n\t\tState: Down\n\t\tPhysical state: Polling\n", 0))
                .ours("4: ACTIVE", "1: DOWN"),
            vec![("ib-link", "warn", "infiniband", "fail", "a fabric without a link carries nothing")],
        ),
        (
            "a link without a subnet manager",
            world()
                .says("ibstat", ("CA 'mlx5_0'\n\tPort 1:\n\t\tState: Initializing\n\t\tPhysical state: LinkUp\n", 0))
                .ours("4: ACTIVE", "2: INIT"),
            vec![("ib-link", "ok", "infiniband", "fail", "a port that is not active carries nothing, link or no link")],
        ),
        (
            "ibstat fails",
            world().says("ibstat", ("ibpanic: can't open UMAD port", 255)),
            vec![("ib-link", "warn", "infiniband", "ok", sysfs)],
        ),
        (
            "DMA-BUF in place of the module",
            world().no_peermem(),
            vec![("gpudirect-peermem", "warn", "gpudirect-rdma", "ok", "DMA-BUF needs no module")],
        ),
        (
            "neither module nor DMA-BUF",
            world().no_peermem().ours("UNIX Open Kernel Module", "UNIX x86_64 Kernel Module"),
            vec![("gpudirect-peermem", "warn", "gpudirect-rdma", "warn", "")],
        ),
        (
            "the older module",
            world()
                .says("lsmod", ("nv_peer_mem 16384 0", 0))
                .ours("/sys/module/nvidia_peermem", "/sys/module/nv_peer_mem"),
            vec![("gpudirect-peermem", "ok", "gpudirect-rdma", "ok", "")],
        ),
        ("no lsmod", world().without("lsmod"), vec![("gpudirect-peermem", "warn", "gpudirect-rdma", "ok", sysfs)]),
        ("no GDRCopy", world().no_gdrcopy(), vec![("gdrcopy", "warn", "gdrcopy", "warn", "")]),
        (
            "no GPU",
            world().no_gdrcopy().no_peermem().no_gpu(),
            vec![
                ("gpu-topology", "skipped", "nvlink", "skipped", ""),
                ("gdrcopy", "warn", "gdrcopy", "skipped", "without a GPU nothing of GPUs is missing"),
                ("gpudirect-peermem", "warn", "gpudirect-rdma", "skipped", "without a GPU nothing of GPUs is missing"),
            ],
        ),
        ("no nvidia-smi", world().without("nvidia-smi"), vec![("gpu-topology", "skipped", "nvlink", "skipped", "")]),
        (
            "no NVLink",
            world().says("nvidia-smi", ("\tGPU0\tGPU1\nGPU0\t X \tPHB\nGPU1\tPHB\t X \n", 0)),
            vec![("gpu-topology", "warn", "nvlink", "warn", "")],
        ),
        (
            "one pair without NVLink",
            world().says(
                "nvidia-smi",
                ("\tGPU0\tGPU1\tGPU2\nGPU0\t X \tNV4\tPHB\nGPU1\tNV4\t X \tPHB\nGPU2\tPHB\tPHB\t X \n", 0),
            ),
            vec![("gpu-topology", "ok", "nvlink", "warn", "the slowest pair counts, not the best")],
        ),
        (
            "one GPU",
            world().says("nvidia-smi", ("\tGPU0\nGPU0\t X \n", 0)),
            vec![("gpu-topology", "warn", "nvlink", "skipped", "one GPU has no other to link to")],
        ),
        (
            "nvidia-smi fails",
            world().says("nvidia-smi", ("Failed to initialize NVML: Driver/library version mismatch", 18)),
            vec![("gpu-topology", "warn", "nvlink", "skipped", inconclusive)],
        ),
    ]
}

/// Programs of these names in a directory of their own.
fn programs(dir: &Path, theirs: &BTreeMap<&'static str, Says>) {
    std::fs::create_dir_all(dir).expect("a directory");
    let mut scripts: BTreeMap<&str, String> = BTreeMap::new();
    for (name, (text, code)) in theirs.iter().filter(|(name, _)| **name != "sh") {
        let (program, argument) = name.split_once(' ').unwrap_or((name, ""));
        let stream = if *code == 0 { "" } else { " >&2" };
        let body = format!("/bin/cat{stream} <<'EOF'\n{text}\nEOF\nexit {code}\n");
        let script = scripts.entry(program).or_insert_with(|| "#!/bin/sh\n".to_owned());
        if argument.is_empty() {
            script.push_str(&body);
        } else {
            script.push_str(&format!("if [ \"$1\" = {argument} ]; then\n{body}fi\n"));
        }
    }
    if !theirs.contains_key("ls /dev/infiniband") {
        scripts.remove("ls");
    }
    for (name, script) in scripts {
        let path = dir.join(name);
        std::fs::write(&path, script).expect("a script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }
    // Stands for the real one; a script's own first line finds it without the path.
    let shell = ["sh"].into_iter().filter(|name| theirs.contains_key(name) || theirs.contains_key("kubectl"));
    for name in shell.chain(["grep"]) {
        std::os::unix::fs::symlink(Path::new("/bin").join(name), dir.join(name)).expect("a link");
    }
}

/// The interpreter itself: what is on the path may be a script that needs more of the path.
fn python() -> PathBuf {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().expect("python3");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn run_theirs(script: &Path, path: &Path, args: &[&str], kubeconfig: Option<&Path>) -> (Value, Option<i32>) {
    let mut command = Command::new(python());
    command.arg(script).args(args).env("PATH", path);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().expect("python3 runs");
    (json(&output), output.status.code())
}

fn status<'a>(report: &'a Value, name: &str) -> &'a str {
    check(report, name).0
}

#[test]
fn nodes_case_by_case() {
    let script = seed();
    let dir = tempfile::tempdir().expect("a directory");
    let cases = cases();
    let name = |number: usize| format!("world-{number}");
    let says = cases.iter().enumerate().map(|(n, (_, world, _))| (name(n), world.ours.clone())).collect();
    let pods = (0..cases.len()).map(|n| pod(&name(n), "qwen", "prefill", "worker")).collect();
    let server = Server::start(Config { pods, says, ..Config::default() });
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for (number, (title, world, answers)) in cases.iter().enumerate() {
        let theirs = script.as_ref().map(|script| {
            let path = dir.path().join(name(number));
            programs(&path, &world.theirs);
            run_theirs(script, &path, &["node"], None).0
        });
        let output = dynlint(&server, &["probe", "node", "--pod", &name(number), "-f", "json"]);
        let ours = json(&output);
        for (their, want_theirs, our, want_ours, why) in answers {
            rows += 1;
            if let Some(theirs) = &theirs
                && status(theirs, their) != *want_theirs
            {
                wrong.push(format!(
                    "{title}: their `{their}` is {}, the table says {want_theirs}",
                    check(theirs, their).1
                ));
            }
            if status(&ours, our) != *want_ours {
                let (status, detail, _) = check(&ours, our);
                wrong.push(format!("{title}: our `{our}` is {status} ({detail}), the table says {want_ours}"));
            }
            if (want_theirs == want_ours) != why.is_empty() {
                wrong.push(format!("{title}: `{our}` differs without a reason, or has one and does not differ"));
            }
        }
        let failed = answers.iter().any(|(_, _, _, ours, _)| *ours == "fail");
        assert_eq!(output.status.code(), Some(i32::from(failed)), "{title}: {ours:#}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{rows} rows in {} worlds", cases.len());
    // Each check of theirs in each status that it can have (`classify_node_probe`).
    let seen: std::collections::BTreeSet<(&str, &str)> =
        cases.iter().flat_map(|(_, _, answers)| answers.iter().map(|answer| (answer.0, answer.1))).collect();
    for check in ["ib-devices", "ibv-devinfo", "ib-link", "gpudirect-peermem", "gdrcopy", "gpu-topology"] {
        for status in ["ok", "warn", "skipped"] {
            assert!(seen.contains(&(check, status)), "no case for `{check}` as {status}");
        }
    }
    assert!(rows >= 34, "{rows} rows");
}

#[test]
fn nixl_case_by_case() {
    let script = seed();
    let ours = |tools: &str| {
        format!(
            "\n@@ tools\n{tools}\n@@= 0\n\n@@ versions\nnixl\t1.5.1\n\n@@= 0\n\n@@ plugins\n\n@@= 0\n\n@@ ucx-version\n\n@@= missing\n\n@@ ucx-devices\n\n@@= missing\n\n@@ done\n\n@@= 0\n"
        )
    };
    // What their script finds by `command -v` and `ls`, our list of tools, their status, ours, why.
    let cases = [
        ("nothing", "", ours(""), "warn", "skipped", "a tool that is missing is inconclusive"),
        ("nixlbench", "/usr/local/bin/nixlbench", ours("nixlbench\t/usr/local/bin/nixlbench"), "ok", "ok", ""),
        ("a directory", "bin\nlib", ours(""), "ok", "skipped", "a directory is no tool"),
        (
            "other tools",
            "",
            ours("ucx_info\t/usr/bin/ucx_info"),
            "warn",
            "skipped",
            "a tool that is missing is inconclusive",
        ),
    ];
    let name = |number: usize| format!("tools-{number}");
    let says = cases.iter().enumerate().map(|(n, case)| (name(n), case.2.clone())).collect();
    let pods = (0..cases.len()).map(|n| pod(&name(n), "qwen", "prefill", "worker")).collect();
    let server = Server::start(Config { pods, says, ..Config::default() });
    let dir = tempfile::tempdir().expect("a directory");
    for (number, (title, found, _, want_theirs, want_ours, why)) in cases.iter().enumerate() {
        if let Some(script) = &script {
            let path = dir.path().join(name(number));
            programs(&path, &BTreeMap::from([("kubectl", (*found, 0))]));
            let (theirs, _) = run_theirs(script, &path, &["nixl", "--pod", "p", "-n", "demo"], None);
            assert_eq!(status(&theirs, "nixl:binary"), *want_theirs, "{title}: {theirs:#}");
        }
        let ours = json(&dynlint(&server, &["probe", "nixl", "--pod", &name(number), "-f", "json"]));
        assert_eq!(status(&ours, "nixl-tools"), *want_ours, "{title}: {ours:#}");
        // Both name the pairwise test as what is left to do; ours with the command.
        let (transfer, _, next) = check(&ours, "nixl-transfer");
        assert_eq!(transfer, "skipped");
        assert!(next.is_some_and(|next| next.starts_with("dynlint probe nixl --run-transfer -n demo")), "{next:?}");
        assert_eq!(want_theirs == want_ours, why.is_empty(), "{title}");
    }
    // Without a pod theirs looks at nothing; ours looks at this machine.
    if let Some(script) = &script {
        let (theirs, code) = run_theirs(script, dir.path(), &["nixl"], None);
        assert_eq!((status(&theirs, "nixl"), code), ("skipped", Some(0)));
    }
    let here = json(&dynlint(&server, &["probe", "nixl", "-f", "json"]));
    assert_eq!(status(&here, "nixl-transfer"), "skipped");
}

/// The same pods, asked by both through real clients: theirs by kubectl, ours by itself.
#[test]
fn pods_through_kubectl_and_without() {
    let Some(script) = seed() else { return };
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        println!("skipped: no kubectl");
        return;
    }
    let names = ["real-0", "gone-0", "denied-0"];
    let server = Server::start(Config {
        pods: names.iter().map(|name| pod(name, "qwen", "prefill", "worker")).collect(),
        protocols: vec!["v5.channel.k8s.io"],
        path: Some("/usr/bin:/bin".to_owned()),
        ..Config::default()
    });
    let path = PathBuf::from(std::env::var_os("PATH").expect("a path"));
    let theirs = |pod: &str| {
        run_theirs(&script, &path, &["node", "--namespace", "demo", "--pod", pod], Some(&server.kubeconfig()))
    };
    // A tool that a pod lacks: kubectl exits 1, which theirs takes for a gap. With ours it is inconclusive.
    let (report, code) = theirs("real-0");
    assert_eq!((status(&report, "gpu-topology"), code), ("warn", Some(0)), "{report:#}");
    let ours = json(&dynlint(&server, &["probe", "node", "--namespace", "demo", "--pod", "real-0", "-f", "json"]));
    assert_eq!(status(&ours, "nvlink"), "skipped");
    // A pod that cannot be asked: six warnings and exit code 0, or one failure with the next step.
    for pod in ["gone-0", "denied-0"] {
        let (report, code) = theirs(pod);
        assert_eq!((&report["counts"]["warn"], code), (&Value::from(6), Some(0)), "{report:#}");
        let output = dynlint(&server, &["probe", "node", "--namespace", "demo", "--pod", pod, "-f", "json"]);
        let report = json(&output);
        let (status, _, next) = check(&report, "node-access");
        assert_eq!((status, next.is_some(), output.status.code()), ("fail", true, Some(1)), "{report:#}");
    }
}

/// What `SKILL.md` tells an agent to run, word for word: the script's path and its arguments.
fn documented() -> Vec<(String, Vec<String>)> {
    let text = include_str!("../../skills/dynlint/SKILL.md");
    let calls = text.lines().filter_map(|line| line.strip_prefix("run_script(\"")?.strip_suffix("])"));
    let split = calls.map(|call| call.split_once("\", args=[").expect("arguments"));
    let words = |list: &str| list.split(", ").map(|word| word.trim_matches('"').to_owned()).collect();
    split.map(|(script, args)| (script.to_owned(), words(args))).collect()
}

#[test]
fn the_skill_runs_as_it_is_documented() {
    let says = BTreeMap::from([("qwen-worker-0".to_owned(), World::good().ours)]);
    let server = Server::start(Config {
        pods: vec![pod("qwen-worker-0", "qwen", "prefill", "worker")],
        says,
        ..Config::default()
    });
    let frontend = Fake::start(good());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().expect("a directory");
    let bin = Path::new(env!("CARGO_BIN_EXE_dynlint")).parent().expect("a directory").to_owned();
    let path = std::env::join_paths([bin, PathBuf::from("/usr/bin"), PathBuf::from("/bin")]).expect("a path");
    let run = |script: &str, args: &[String]| {
        let mut command = Command::new(python());
        command.arg(root.join(script)).args(args).current_dir(dir.path());
        command.env("KUBECONFIG", server.kubeconfig()).env("PATH", &path);
        command.output().expect("python3 runs")
    };
    let calls = documented();
    assert_eq!(calls.len(), 4, "{calls:?}");
    for (script, mut args) in calls {
        match args[0].as_str() {
            // The recipe that it names: one that is sound.
            "env" => {
                let recipe = dir.path().join(&args[1]);
                std::fs::create_dir_all(recipe.parent().expect("a parent")).expect("directories");
                std::os::unix::fs::symlink(root.join("fixtures/good/vllm-disagg-infiniband"), recipe).expect("a link");
            }
            "--base-url" => args[1] = frontend.url(),
            _ => {}
        }
        let output = run(&script, &args);
        let report = json(&output);
        let failed = report["counts"]["fail"].as_u64().expect("a number");
        assert_eq!(output.status.code(), Some(i32::from(failed > 0)), "{args:?}: {report:#}");
        // The keys that readers of theirs look for.
        assert!(report["checks"].as_array().is_some_and(|list| {
            list.iter().all(|c| ["name", "status", "detail"].iter().all(|key| c[key].is_string()))
        }));
        assert!(["ok", "warn"].iter().all(|key| report["counts"][key].is_u64()), "{report:#}");
        assert!(report["verdict"].is_string(), "{report:#}");
        match args[0].as_str() {
            "env" => assert_eq!(failed, 0, "{report:#}"),
            "node" => assert_eq!((status(&report, "infiniband"), failed), ("ok", 0)),
            "nixl" => assert_eq!(status(&report, "nixl-transfer"), "skipped"),
            _ => assert_eq!((&report["ok"], &report["base_url"]), (&Value::from(true), &Value::from(frontend.url()))),
        }
    }
    // Exit codes of theirs for what is wrong.
    let health = |url: &str| {
        let args = ["--base-url", url, "--retries", "1", "--retry-sleep", "0"].map(str::to_owned);
        run("skills/dynlint/scripts/check_router_health.py", &args).status.code()
    };
    assert_eq!(health("http://127.0.0.1:1"), Some(2));
    assert_eq!(health(&Fake::start(but("/v1/models", vec![say(200, EMPTY)])).url()), Some(3));
    assert_eq!(health(&Fake::start(but("chat", vec![say(500, "{}")])).url()), Some(4));
    let missing = ["env".to_owned(), "nowhere".to_owned()];
    assert_eq!(run("skills/dynlint/scripts/check_interconnect.py", &missing).status.code(), Some(1));
    let none = run("skills/dynlint/scripts/check_interconnect.py", &[]);
    assert_eq!(none.status.code(), Some(2));
}
