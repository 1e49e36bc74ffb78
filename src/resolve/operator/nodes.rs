//! Pods of one component over several nodes: who they are, how they find each other, and what each engine is told.

use super::inject::{Words, double_quoted, single_quoted};

/// Port of the multiprocessing master of vLLM, and of SGLang's rendezvous.
const MASTER_PORT: u16 = 29_500;
/// Port of a Ray head.
const RAY_PORT: u16 = 6379;
/// Port of vLLM's data parallel coordinator.
const DATA_PARALLEL_PORT: u16 = 13_445;
/// Port of the SSH daemon that mpirun speaks to.
const SSH_PORT: u16 = 2222;
/// Port of Dynamo's system server.
const SYSTEM_PORT: u16 = 9090;

/// What a pod is within its component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PodRole {
    /// The only one of a replica.
    Main,
    /// The first of several nodes.
    Leader,
    /// One of the others.
    Worker,
}

impl PodRole {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Leader => "leader",
            Self::Worker => "worker",
        }
    }
}

/// Who starts the pods of a component (`grove.go:54-94`, `lws.go:17-67`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deployer<'a> {
    /// A PodCliqueScalingGroup of Grove; the component's name.
    Grove(&'a str),
    /// A LeaderWorkerSet.
    Lws,
}

impl Deployer<'_> {
    /// Address of the leader, for the kubelet to expand.
    pub fn leader(self) -> String {
        match self {
            Self::Grove(name) => grove_host(name, "ldr", 0),
            Self::Lws => "$(LWS_LEADER_ADDRESS)".to_owned(),
        }
    }

    /// Rank of a worker, and whether a shell has to compute it.
    const fn rank(self) -> (&'static str, bool) {
        match self {
            Self::Grove(_) => ("$((GROVE_PCLQ_POD_INDEX + 1))", true),
            Self::Lws => ("$(LWS_WORKER_INDEX)", false),
        }
    }

    fn hosts(self, nodes: u32) -> Vec<String> {
        let worker = |at: u32| match self {
            Self::Grove(name) => grove_host(name, "wkr", at - 1),
            Self::Lws => format!("$(echo \"$LWS_LEADER_ADDRESS\" | sed 's/\\./-{at}\\./')"),
        };
        std::iter::once(self.leader()).chain((1..nodes).map(worker)).collect()
    }
}

fn grove_host(name: &str, role: &str, at: u32) -> String {
    let name = name.to_lowercase();
    format!("$(GROVE_PCSG_NAME)-$(GROVE_PCSG_INDEX)-{name}-{role}-{at}.$(GROVE_HEADLESS_SERVICE)")
}

/// One pod of a component over several nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub deployer: Deployer<'a>,
    pub role: PodRole,
    pub nodes: u32,
    /// GPUs that the operator counts in one pod; 0 when it sees none.
    pub gpus: u32,
}

impl Member<'_> {
    fn rank(&self) -> (&'static str, bool) {
        if self.role == PodRole::Worker { self.deployer.rank() } else { ("0", false) }
    }

    /// `backend_sglang.go:67-83`
    pub fn sglang(&self, words: &mut Words) {
        let (rank, needs_shell) = self.rank();
        let (leader, nodes) = (self.deployer.leader(), self.nodes);
        let flags = format!("--dist-init-addr {leader}:{MASTER_PORT} --nnodes {nodes} --node-rank {rank}");
        words.inject(&flags, needs_shell, "sglang");
    }

    /// `updateVLLMMultinodeArgs`: the first that applies of a world larger than the pod, elastic expert parallelism,
    /// and data parallel ranks beyond the pod.
    pub fn vllm(&self, words: &mut Words, multiprocessing: bool) {
        let expanded = words.expanded();
        let gpus = i64::from(self.gpus);
        let world = flag_value(&expanded, "--tensor-parallel-size") * flag_value(&expanded, "--pipeline-parallel-size");
        let ranks = flag_value(&expanded, "--data-parallel-size");
        let elastic = expanded.contains(&"--enable-elastic-ep");
        let counted = expanded.contains(&"--data-parallel-size");
        if gpus > 0 && world > gpus {
            if multiprocessing {
                self.multiprocessing(words);
            } else {
                self.ray(words);
            }
        } else if elastic {
            elastic_ray(words, self.role, &self.deployer.leader());
        } else if gpus > 0 && world.saturating_mul(ranks) > gpus {
            self.data_parallel(words, gpus / world.max(1), ranks, counted);
        }
    }

    fn multiprocessing(&self, words: &mut Words) {
        let (leader, nodes) = (self.deployer.leader(), self.nodes);
        let mut flags = format!(
            "--distributed-executor-backend mp --nnodes {nodes} --master-addr {leader} --master-port {MASTER_PORT}"
        );
        let (rank, needs_shell) = self.rank();
        flags.push_str(&format!(" --node-rank {rank}"));
        if self.role == PodRole::Worker {
            flags.push_str(" --headless");
        }
        words.inject(&flags, needs_shell, "vllm");
    }

    fn ray(&self, words: &mut Words) {
        let script = if self.role == PodRole::Worker {
            format!("ray start --address={}:{RAY_PORT} --block", self.deployer.leader())
        } else {
            let command = quoted_parts(words, double_quoted);
            format!("ray start --head --port={RAY_PORT} && {command} --distributed-executor-backend ray")
        };
        words.shell("/bin/sh", script);
    }

    fn data_parallel(&self, words: &mut Words, local: i64, ranks: i64, counted: bool) {
        let total = if ranks == 1 { local * i64::from(self.nodes) } else { ranks };
        let worker = self.role == PodRole::Worker;
        let start = if worker { format!("$(( {local} * {} ))", self.deployer.rank().0) } else { "0".to_owned() };
        let size = if counted { String::new() } else { format!(" --data-parallel-size {total}") };
        let flags = format!(
            "--data-parallel-hybrid-lb{size} --data-parallel-size-local {local} --data-parallel-start-rank {start} \
             --data-parallel-address {} --data-parallel-rpc-port {DATA_PARALLEL_PORT}",
            self.deployer.leader()
        );
        words.inject(&flags, worker, "vllm");
    }

    /// `backend_trtllm.go:111-243`: the leader runs the command under mpirun, workers only an SSH daemon. `env` are the
    /// names in the container's list: with a fixed list of others they are all that reaches the remote ranks.
    pub fn trtllm(&self, words: &mut Words, env: &[String]) {
        let script = if self.role == PodRole::Worker { ssh_daemon() } else { self.mpirun(words, env) };
        words.shell("/bin/sh", script);
    }

    fn mpirun(&self, words: &Words, env: &[String]) -> String {
        let original = if words.is_python() {
            words.quoted(double_quoted)
        } else if !words.args.is_empty() {
            words.args.join(" ")
        } else {
            words.command.join(" ")
        };
        let hosts = self.deployer.hosts(self.nodes);
        let exported: String = forwarded(env).iter().map(|name| format!(" -x {name}")).collect();
        let run = format!(
            "mpirun $([ \"$(id -u)\" = \"0\" ] && echo --allow-run-as-root) --oversubscribe -n {} -H {} --mca pml ob1 \
             --mca plm_rsh_args \"-p {SSH_PORT} -o StrictHostKeyChecking=no -i $HOME/.ssh/id_rsa\"{exported} \
             bash -c 'trtllm-llmapi-launch {original}'",
            self.nodes * self.gpus,
            hosts.join(","),
        );
        let mut steps = ssh_client("$HOME/.ssh");
        if self.deployer == Deployer::Lws {
            steps.push(dns_wait(&hosts[1..].join(" ")));
        }
        steps.push(run);
        steps.join(" && ")
    }
}

/// `getFlagValue`: an exact word followed by a whole number; 1 otherwise. `--flag=8`, `-tp 8` and `--flag "$TP"` are not
/// seen.
fn flag_value(words: &[&str], flag: &str) -> i64 {
    words.windows(2).filter(|pair| pair[0] == flag).find_map(|pair| pair[1].parse().ok()).unwrap_or(1)
}

fn quoted_parts(words: &Words, quote: impl Fn(&str) -> String + Copy) -> String {
    let join = |list: &[String]| list.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    format!("{} {}", join(&words.command), join(&words.args))
}

/// A Ray cluster that elastic expert parallelism can grow (`injectElasticEPRayLaunchFlags`). False when the command
/// stands in the image, which leaves it as it is.
pub(super) fn elastic_ray(words: &mut Words, role: PodRole, leader: &str) -> bool {
    if role != PodRole::Worker && words.command.is_empty() {
        return false;
    }
    let script = if role == PodRole::Worker {
        format!(
            "i=0; until python3 -c \"import urllib.request; urllib.request.urlopen('http://{leader}:{SYSTEM_PORT}/live', \
             timeout=5)\" 2>/dev/null; do i=$((i+1)); [ \"$i\" -ge 720 ] && {{ echo \"ERROR: leader /live did not become \
             ready within 3h\" >&2; exit 1; }}; echo 'waiting for leader dynamo.vllm /live to return 200...'; sleep 15; \
             done && ray start --address={leader}:{RAY_PORT} --block"
        )
    } else {
        let command = quoted_parts(words, single_quoted);
        let command = command.trim();
        let (exec, address) =
            if role == PodRole::Main { ("exec ", " --node-ip-address=\"$POD_IP\"") } else { ("", "") };
        format!(
            "ray start --head --port={RAY_PORT}{address} --block & i=0; until python3 -c \"import socket; \
             s=socket.create_connection(('127.0.0.1',{RAY_PORT}),timeout=1); s.close()\" 2>/dev/null; do i=$((i+1)); \
             [ \"$i\" -ge 150 ] && {{ echo \"ERROR: Ray head did not start within 300s\" >&2; exit 1; }}; sleep 2; done \
             && {exec}{command}"
        )
    };
    words.shell("/bin/sh", script);
    true
}

/// Names that mpirun forwards whether or not the container's list has them (`backend_trtllm.go:236-243`).
const ALWAYS_FORWARDED: [&str; 21] = [
    "CPATH",
    "CUDA_VISIBLE_DEVICES",
    "HF_DATASETS_CACHE",
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_TOKEN",
    "HOME",
    "HUGGING_FACE_HUB_TOKEN",
    "LD_LIBRARY_PATH",
    "MODEL_PATH",
    "NCCL_DEBUG",
    "NCCL_IB_DISABLE",
    "NCCL_P2P_DISABLE",
    "PATH",
    "PYTHONPATH",
    "TENSORRT_LLM_CACHE_DIR",
    "TOKENIZERS_PARALLELISM",
    "TRANSFORMERS_CACHE",
    "TRITON_PTXAS_PATH",
    "TRTLLM_USE_UCX_KVCACHE",
    "USER",
];

/// Names that reach every rank of a TensorRT-LLM engine over several nodes, sorted. Variables of an `envFrom` are not
/// among them unless they are on the fixed list.
pub(super) fn forwarded(env: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = ALWAYS_FORWARDED.into_iter().chain(env.iter().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn ssh_client(directory: &str) -> Vec<String> {
    [
        format!("mkdir -p {directory}"),
        "ls -la /ssh-pk/".to_owned(),
        "cp /ssh-pk/private.key $HOME/.ssh/id_rsa".to_owned(),
        "cp /ssh-pk/private.key.pub $HOME/.ssh/id_rsa.pub".to_owned(),
        "cp /ssh-pk/private.key.pub $HOME/.ssh/authorized_keys".to_owned(),
        "chmod 600 $HOME/.ssh/id_rsa $HOME/.ssh/authorized_keys".to_owned(),
        "chmod 644 $HOME/.ssh/id_rsa.pub".to_owned(),
        format!(
            "printf 'Host *\\nIdentityFile '$HOME'/.ssh/id_rsa\\nStrictHostKeyChecking no\\nPort {SSH_PORT}\\n' > \
             $HOME/.ssh/config"
        ),
    ]
    .to_vec()
}

fn ssh_daemon() -> String {
    let mut steps = ssh_client("$HOME/.ssh $HOME/.ssh/host_keys $HOME/.ssh/run");
    for kind in ["rsa", "ecdsa", "ed25519"] {
        steps.push(format!("ssh-keygen -t {kind} -f $HOME/.ssh/host_keys/ssh_host_{kind}_key -N ''"));
    }
    let keys: String = ["rsa", "ecdsa", "ed25519"]
        .iter()
        .map(|kind| format!("HostKey '$HOME'/.ssh/host_keys/ssh_host_{kind}_key\\n"))
        .collect();
    steps.push(format!(
        "printf 'Port {SSH_PORT}\\n{keys}PidFile '$HOME'/.ssh/run/sshd.pid\\nStrictModes no\\nPermitRootLogin yes\\n\
         PasswordAuthentication no\\nPubkeyAuthentication yes\\nAuthorizedKeysFile '$HOME'/.ssh/authorized_keys\\n' > \
         $HOME/.ssh/sshd_config"
    ));
    steps.push("/usr/sbin/sshd -D -f $HOME/.ssh/sshd_config".to_owned());
    steps.join(" && ")
}

/// Pods of a LeaderWorkerSet start at once: the leader waits for the others' names.
fn dns_wait(workers: &str) -> String {
    format!(
        "TIMEOUT=300; START_TIME=$(date +%s); for worker in {workers}; do echo \"Waiting for DNS: $worker\"; until getent \
         hosts $worker >/dev/null 2>&1; do CURRENT_TIME=$(date +%s); if [ $((CURRENT_TIME - START_TIME)) -gt $TIMEOUT ]; \
         then echo \"ERROR: Timeout waiting for DNS: $worker\"; exit 1; fi; echo \"DNS not ready for $worker, \
         retrying...\"; sleep 2; done; echo \"✓ DNS resolved: $worker\"; done; echo \"All workers DNS ready\""
    )
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
