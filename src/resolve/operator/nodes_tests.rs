use super::*;

const GROVE: Deployer<'_> = Deployer::Grove("Decode");
const GROVE_LEADER: &str = "$(GROVE_PCSG_NAME)-$(GROVE_PCSG_INDEX)-decode-ldr-0.$(GROVE_HEADLESS_SERVICE)";

fn words(command: &[&str], args: &[&str]) -> Words {
    let owned = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
    Words { command: owned(command), args: owned(args) }
}

fn python(args: &[&str]) -> Words {
    words(&["python3", "-m", "dynamo.vllm"], args)
}

fn member(deployer: Deployer<'_>, role: PodRole) -> Member<'_> {
    Member { deployer, role, nodes: 2, gpus: 8 }
}

fn vllm(deployer: Deployer<'_>, role: PodRole, args: &[&str], multiprocessing: bool) -> Words {
    let mut words = python(args);
    member(deployer, role).vllm(&mut words, multiprocessing);
    words
}

#[test]
fn a_world_larger_than_the_pod_runs_by_multiprocessing() {
    let args = ["--tensor-parallel-size", "16"];
    let leader = vllm(GROVE, PodRole::Leader, &args, true);
    assert_eq!(leader.command, ["python3", "-m", "dynamo.vllm"]);
    let flags = format!(
        "--tensor-parallel-size 16 --distributed-executor-backend mp --nnodes 2 --master-addr {GROVE_LEADER} \
         --master-port 29500 --node-rank 0"
    );
    assert_eq!(leader.args.join(" "), flags);

    // Grove's rank is arithmetic, so a worker needs a shell; that of a LeaderWorkerSet is not.
    let worker = vllm(GROVE, PodRole::Worker, &args, true);
    assert_eq!(worker.command, ["sh", "-c"]);
    assert!(worker.args[0].starts_with("exec python3 -m dynamo.vllm --tensor-parallel-size 16 --distributed"));
    assert!(worker.args[0].ends_with("--node-rank $((GROVE_PCLQ_POD_INDEX + 1)) --headless"));
    let worker = vllm(Deployer::Lws, PodRole::Worker, &args, true);
    assert_eq!(worker.command, ["python3", "-m", "dynamo.vllm"]);
    let tail = "--master-addr $(LWS_LEADER_ADDRESS) --master-port 29500 --node-rank $(LWS_WORKER_INDEX) --headless";
    assert!(worker.args.join(" ").ends_with(tail), "{:?}", worker.args);
}

#[test]
fn or_by_ray_with_an_operator_before_1_0() {
    let args = ["--tensor-parallel-size", "16", "--kv", "{\"a\": 1}"];
    let leader = vllm(GROVE, PodRole::Leader, &args, false);
    assert_eq!(leader.command, ["/bin/sh", "-c"]);
    assert_eq!(
        leader.args,
        ["ray start --head --port=6379 && python3 -m dynamo.vllm --tensor-parallel-size 16 --kv \"{\\\"a\\\": 1}\" \
          --distributed-executor-backend ray"]
    );
    let worker = vllm(Deployer::Lws, PodRole::Worker, &args, false);
    assert_eq!(worker.args, ["ray start --address=$(LWS_LEADER_ADDRESS):6379 --block"]);
}

#[test]
fn data_parallel_ranks_beyond_the_pod() {
    let leader = vllm(GROVE, PodRole::Leader, &["--data-parallel-size", "16"], true);
    let flags = format!(
        "--data-parallel-size 16 --data-parallel-hybrid-lb --data-parallel-size-local 8 --data-parallel-start-rank 0 \
         --data-parallel-address {GROVE_LEADER} --data-parallel-rpc-port 13445"
    );
    assert_eq!(leader.args.join(" "), flags);
    let args = ["--tensor-parallel-size", "2", "--data-parallel-size", "8"];
    let worker = vllm(Deployer::Lws, PodRole::Worker, &args, true);
    assert_eq!(worker.command, ["sh", "-c"], "arithmetic needs a shell");
    assert!(
        worker.args[0]
            .contains("--data-parallel-size-local 4 --data-parallel-start-rank $(( 4 * $(LWS_WORKER_INDEX) ))")
    );
}

/// What the operator cannot read leaves the command as it is: the engine spans one node only.
#[test]
fn spellings_that_the_operator_cannot_see() {
    for args in [
        &["--tensor-parallel-size=16"][..],
        &["-tp", "16"],
        &["--tensor-parallel-size", "$(TP)"],
        &["--tensor-parallel-size", "8"],
        &["--data-parallel-size=16"],
    ] {
        let before = python(args);
        assert_eq!(vllm(GROVE, PodRole::Leader, args, true), before, "{args:?}");
    }
    // In `command` it does not look at all.
    let mut hidden = words(&["python3", "-m", "dynamo.vllm", "--tensor-parallel-size", "16"], &[]);
    let before = hidden.clone();
    member(GROVE, PodRole::Leader).vllm(&mut hidden, true);
    assert_eq!(hidden, before);
    // Without GPUs that it can count it does nothing either.
    let mut blind = python(&["--tensor-parallel-size", "16"]);
    let before = blind.clone();
    Member { gpus: 0, ..member(GROVE, PodRole::Leader) }.vllm(&mut blind, true);
    assert_eq!(blind, before);
}

#[test]
fn in_a_script_flags_stand_before_the_users_own() {
    let mut script = words(
        &["/bin/bash", "-lc"],
        &["set -e\nexec python3 -m dynamo.vllm \\\n  --tensor-parallel-size 16 --master-port 1"],
    );
    member(GROVE, PodRole::Leader).vllm(&mut script, true);
    let text = &script.args[0];
    assert!(text.starts_with("set -e\nexec python3 -m dynamo.vllm --distributed-executor-backend mp --nnodes 2"));
    assert!(text.ends_with("--node-rank 0 \\\n  --tensor-parallel-size 16 --master-port 1"), "{text}");
}

#[test]
fn elastic_expert_parallelism() {
    let args = ["--enable-elastic-ep", "--data-parallel-size", "2"];
    let leader = vllm(GROVE, PodRole::Leader, &args, true);
    assert_eq!(leader.command, ["/bin/sh", "-c"]);
    assert!(leader.args[0].starts_with("ray start --head --port=6379 --block & i=0; until python3"));
    assert!(leader.args[0].ends_with("&& python3 -m dynamo.vllm --enable-elastic-ep --data-parallel-size 2"));
    let worker = vllm(GROVE, PodRole::Worker, &args, true);
    assert!(worker.args[0].ends_with(&format!("&& ray start --address={GROVE_LEADER}:6379 --block")));

    let mut alone = python(&args);
    assert!(elastic_ray(&mut alone, PodRole::Main, ""));
    assert!(alone.args[0].contains("--port=6379 --node-ip-address=\"$POD_IP\" --block &"));
    assert!(alone.args[0].ends_with("&& exec python3 -m dynamo.vllm --enable-elastic-ep --data-parallel-size 2"));
    let mut image = words(&[], &args);
    assert!(!elastic_ray(&mut image, PodRole::Main, ""), "the command stands in the image");
}

#[test]
fn sglang_always_meets_at_the_leader() {
    let mut leader = words(&["python3", "-m", "dynamo.sglang"], &["--tp", "16"]);
    member(Deployer::Lws, PodRole::Leader).sglang(&mut leader);
    assert_eq!(leader.args.join(" "), "--tp 16 --dist-init-addr $(LWS_LEADER_ADDRESS):29500 --nnodes 2 --node-rank 0");
    let mut worker = words(
        &["bash", "-c"],
        &["ulimit -l unlimited && exec python3 -m dynamo.sglang --config /etc/sglang/a.yaml --tp 8"],
    );
    member(GROVE, PodRole::Worker).sglang(&mut worker);
    let expected = format!(
        "ulimit -l unlimited && exec python3 -m dynamo.sglang --config /etc/sglang/a.yaml --dist-init-addr \
         {GROVE_LEADER}:29500 --nnodes 2 --node-rank $((GROVE_PCLQ_POD_INDEX + 1)) --tp 8"
    );
    assert_eq!(worker.args, [expected], "behind the config's path, which names the engine too");
}

#[test]
fn trtllm_runs_under_mpirun() {
    let env = ["UCX_TLS".to_owned(), "HF_TOKEN".to_owned()];
    let mut leader = words(&["python3", "-m", "dynamo.trtllm"], &["--override", "{\"a\": 1}"]);
    member(GROVE, PodRole::Leader).trtllm(&mut leader, &env);
    assert_eq!(leader.command, ["/bin/sh", "-c"]);
    let script = &leader.args[0];
    let worker = GROVE_LEADER.replace("ldr", "wkr");
    assert!(script.starts_with("mkdir -p $HOME/.ssh && ls -la /ssh-pk/ && cp /ssh-pk/private.key $HOME/.ssh/id_rsa"));
    assert!(script.contains(&format!("--oversubscribe -n 16 -H {GROVE_LEADER},{worker} --mca pml ob1")), "{script}");
    assert!(script.contains(" -x TRTLLM_USE_UCX_KVCACHE -x UCX_TLS -x USER bash -c"), "{script}");
    assert!(script.ends_with(r#"bash -c 'trtllm-llmapi-launch python3 -m dynamo.trtllm --override "{\"a\": 1}"'"#));
    assert!(!script.contains("getent"), "Grove needs no wait for names");

    let mut leader = words(&["/bin/sh", "-c"], &["python3 -m dynamo.trtllm --tp 16"]);
    member(Deployer::Lws, PodRole::Leader).trtllm(&mut leader, &[]);
    assert!(leader.args[0].contains("until getent hosts $worker"));
    assert!(leader.args[0].contains("-H $(LWS_LEADER_ADDRESS),$(echo \"$LWS_LEADER_ADDRESS\" | sed 's/\\./-1\\./') "));
    assert!(leader.args[0].ends_with("bash -c 'trtllm-llmapi-launch python3 -m dynamo.trtllm --tp 16'"));

    let mut worker = words(&["python3", "-m", "dynamo.trtllm"], &[]);
    member(GROVE, PodRole::Worker).trtllm(&mut worker, &env);
    assert!(worker.args[0].ends_with("/usr/sbin/sshd -D -f $HOME/.ssh/sshd_config"));
    assert!(!worker.args[0].contains("dynamo.trtllm"));
}

/// Remote ranks see what the list of the container names, and a fixed list: nothing of an `envFrom`.
#[test]
fn what_mpirun_forwards() {
    let names = forwarded(&[]);
    assert_eq!(names.len(), 21);
    assert!(names.contains(&"LD_LIBRARY_PATH") && !names.contains(&"UCX_TLS"));
    let own = ["UCX_TLS".to_owned(), "PATH".to_owned()];
    let names = forwarded(&own);
    assert_eq!(names.len(), 22);
    assert!(names.is_sorted());
}
