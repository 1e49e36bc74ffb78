//! The two seed scripts and dynlint, case by case. The scripts are other people's code: they are looked for in
//! `DYNLINT_SEEDS` or `~/.cache/dynlint/seeds` and never kept here; without them only our side runs, against what theirs
//! is known to do.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fake::{Answer, EMPTY, Fake, MODELS, Script, but, chat, good, say, stream};
use crate::readiness::dynlint;

fn seed(name: &str) -> Option<PathBuf> {
    let dirs = [
        std::env::var_os("DYNLINT_SEEDS").map(PathBuf::from),
        std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/dynlint/seeds")),
    ];
    dirs.into_iter().flatten().map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn theirs(script: &Path, args: &[&str]) -> Option<i32> {
    Command::new("python3").arg(script).args(args).output().ok()?.status.code()
}

/// A case of the router script: what is served, with which options, how theirs exits and how ours does. Theirs: 0 well, 2
/// no models, 3 no model, 4 no chat, 1 a traceback. Ours: 0 well, 1 not. `why` is empty where both mean the same.
struct Case {
    name: &'static str,
    serves: Script,
    args: &'static [&'static str],
    theirs: i32,
    ours: i32,
    why: &'static str,
}

fn case(name: &'static str, serves: Script, theirs: i32, ours: i32, why: &'static str) -> Case {
    Case { name, serves, args: &[], theirs, ours, why }
}

fn router_cases() -> Vec<Case> {
    let models = |answer: Answer| but("/v1/models", vec![answer]);
    let chats = |answer: Answer| but("chat", vec![answer]);
    let text = |model: &str, message: &str| say(200, chat(model, message));
    let a_200 = "a 200 without a completion of the model asked is a failure";
    let waits = "a frontend answers 200 with an empty list until a worker has registered: that is waited for";
    let with = |case: Case, args: &'static [&'static str]| Case { args, ..case };
    vec![
        case("all well", good(), 0, 0, ""),
        with(case("all well, no chat", good(), 0, 0, ""), &["--skip-chat"]),
        with(case("the model named", good(), 0, 0, ""), &["--model", "m"]),
        with(case("prompt and tokens", good(), 0, 0, ""), &["--prompt", "hi there", "--max-tokens", "7"]),
        case("models 500", models(say(500, "{}")), 2, 1, ""),
        case("models 404", models(say(404, "{}")), 2, 1, ""),
        case("models 401", models(say(401, "{}")), 2, 1, ""),
        case("models 503, then there", but("/v1/models", vec![say(503, "{}"), say(200, MODELS)]), 0, 0, ""),
        case("models not JSON", models(say(200, "<html>hello</html>")), 3, 1, ""),
        case("models without a body", models(say(200, "")), 3, 1, ""),
        case("models a bare list", models(say(200, "[]")), 3, 1, ""),
        case("models without ids", models(say(200, r#"{"data":[{}]}"#)), 3, 1, ""),
        case("models with an empty id", models(say(200, r#"{"data":[{"id":""}]}"#)), 3, 1, ""),
        case("no model", models(say(200, EMPTY)), 3, 1, ""),
        case("no model, then one", but("/v1/models", vec![say(200, EMPTY), say(200, MODELS)]), 3, 0, waits),
        with(
            case("no model, no chat", models(say(200, EMPTY)), 0, 1, "no model listed is no frontend that serves"),
            &["--skip-chat"],
        ),
        case("models not HTTP", models(Answer::Raw(b"SSH-2.0-OpenSSH\r\n")), 1, 1, "theirs ends in a traceback"),
        case("models closed", models(Answer::Close), 1, 1, "theirs ends in a traceback"),
        case("models cut short", models(Answer::Short), 1, 1, "theirs ends in a traceback"),
        case(
            "models redirected to a login",
            {
                let mut script = models(Answer::Redirect("/login".to_owned()));
                script.insert("/login", vec![say(200, "<html>login</html>")]);
                script
            },
            3,
            1,
            "",
        ),
        case(
            "models redirected elsewhere",
            {
                let mut script = models(Answer::Redirect("/other/v1/models".to_owned()));
                script.insert("/other/v1/models", vec![say(200, MODELS)]);
                script
            },
            0,
            1,
            "theirs asks one server for models and another for the chat; ours names the URL to use",
        ),
        case("chat 500", chats(say(500, r#"{"message":"boom"}"#)), 4, 1, ""),
        case("chat 404", chats(say(404, r#"{"message":"Model not found"}"#)), 4, 1, ""),
        case("chat 503", chats(say(503, r#"{"message":"not ready"}"#)), 4, 1, ""),
        case("chat 400", chats(say(400, r#"{"message":"Invalid request"}"#)), 4, 1, ""),
        case("chat 429", chats(say(429, "{}")), 4, 1, ""),
        case("chat 200, not JSON", chats(say(200, "<html>login</html>")), 0, 1, a_200),
        case("chat 200, no body", chats(say(200, "")), 0, 1, a_200),
        case("chat 200, an error", chats(say(200, r#"{"error":{"message":"boom"}}"#)), 0, 1, a_200),
        case("chat 200, no choices", chats(say(200, r#"{"model":"m","choices":[]}"#)), 0, 1, a_200),
        case("chat 200, no text", chats(text("m", r#"{"content":""}"#)), 0, 1, a_200),
        case("chat 200, null text", chats(text("m", r#"{"content":null}"#)), 0, 1, a_200),
        case("chat 200, another model", chats(text("other", r#"{"content":"hi"}"#)), 0, 1, a_200),
        case("chat 200, reasoning alone", chats(text("m", r#"{"content":null,"reasoning_content":"hm"}"#)), 0, 0, ""),
        case("chat 200, a tool call", chats(text("m", r#"{"content":null,"tool_calls":[{"id":"1"}]}"#)), 0, 0, ""),
        case("chat closed", chats(Answer::Close), 1, 1, "theirs ends in a traceback"),
        case("chat cut short", chats(Answer::Short), 1, 1, "theirs ends in a traceback"),
        case("stream not a stream", but("stream", vec![say(200, "{}")]), 0, 1, "clients stream: that must work too"),
        case("stream of another model", but("stream", vec![stream("x")]), 0, 1, "clients stream: that must work too"),
        with(case("another model named", chats(say(404, "{}")), 4, 1, ""), &["--model", "gone"]),
    ]
}

#[test]
fn the_router_script_and_ours_agree_or_ours_is_better() {
    let script = seed("check_router_health.py");
    if script.is_none() {
        eprintln!("skipped: no seed scripts; only our side of the table runs");
    }
    let mut wrong = Vec::new();
    let cases = router_cases();
    let count = cases.len();
    for Case { name, serves, args, theirs: want_theirs, ours: want_ours, why } in cases {
        let retry = ["--retries", "2", "--retry-sleep", "0.01"];
        if let Some(script) = &script {
            let fake = Fake::start(serves.clone());
            let url = fake.url();
            let all: Vec<&str> = ["--base-url", &url].into_iter().chain(retry).chain(args.iter().copied()).collect();
            let got = theirs(script, &all);
            if got != Some(want_theirs) {
                wrong.push(format!("{name}: theirs exits {got:?}, the table says {want_theirs}"));
            }
        }
        let fake = Fake::start(serves);
        let url = fake.url();
        let all: Vec<&str> = ["probe", "router", "-f", "json", "--timeout", "5", "--base-url", &url]
            .into_iter()
            .chain(retry)
            .chain(args.iter().copied())
            .collect();
        let output = dynlint(&all);
        if output.status.code() != Some(want_ours) {
            let text = String::from_utf8_lossy(&output.stdout);
            wrong.push(format!("{name}: ours exits {:?}, the table says {want_ours}\n{text}", output.status.code()));
        }
        // Both mean the same, or the table says why not.
        if (want_theirs == 0) != (want_ours == 0) && why.is_empty() {
            wrong.push(format!("{name}: no reason given"));
        }
        if args.contains(&"--prompt") {
            let asked = fake.asked.lock().expect("no panic");
            assert!(asked[0].contains("hi there") && asked[0].contains("\"max_tokens\":7"), "{asked:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 40, "{count} cases");
}

#[test]
fn urls_that_are_none_end_both_at_once() {
    let script = seed("check_router_health.py");
    for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:8000", "http://127.0.0.1:1"] {
        let retry = ["--retries", "1", "--retry-sleep", "0"];
        if let Some(script) = &script {
            let args: Vec<&str> = ["--base-url", url].into_iter().chain(retry).collect();
            assert_eq!(theirs(script, &args), Some(2), "{url}");
        }
        let args: Vec<&str> = ["probe", "router", "--base-url", url].into_iter().chain(retry).collect();
        let output = dynlint(&args);
        assert_eq!(output.status.code(), Some(1), "{url}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            text.matches("\n  fail").count() + usize::from(text.starts_with("  fail")),
            1,
            "one clear check: {text}"
        );
        assert!(text.contains("next:"), "{text}");
    }
}

/// A case of the interconnect script's `env`: theirs exits 1 only when there is no file.
#[test]
fn the_env_script_and_ours_agree_or_ours_is_better() {
    let script = seed("check_interconnect.py");
    if script.is_none() {
        eprintln!("skipped: no seed scripts; only our side of the table runs");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let empty = tempfile::tempdir().expect("a directory");
    // Path, how theirs exits, how ours does. Where theirs says 0 to a mistake, it looked at names and not at values.
    let mut cases: Vec<(PathBuf, i32, i32)> = vec![
        (empty.path().join("missing"), 1, 1),
        (empty.path().to_owned(), 1, 1),
        (empty.path().join("missing.yaml"), 1, 1),
    ];
    let listed = |kind: &str| {
        let mut dirs: Vec<PathBuf> = std::fs::read_dir(root.join("fixtures").join(kind))
            .expect("fixtures")
            .map(|e| e.expect("entry").path())
            .collect();
        dirs.sort();
        dirs
    };
    cases.extend(listed("good").into_iter().map(|dir| (dir, 0, 0)));
    for dir in listed("bad") {
        // `check` knows what is an error; readiness fails on errors.
        let path = dir.to_str().expect("UTF-8");
        let error = dynlint(&["check", "--min-severity", "error", path]).status.code() == Some(1);
        cases.push((dir, 0, i32::from(error)));
    }
    for (path, want_theirs, want_ours) in cases {
        let shown = path.to_str().expect("UTF-8");
        if let Some(script) = &script {
            assert_eq!(theirs(script, &["env", shown]), Some(want_theirs), "theirs on {shown}");
        }
        let output = dynlint(&["readiness", shown, "-f", "json"]);
        assert_eq!(output.status.code(), Some(want_ours), "ours on {shown}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for key in ["checks", "counts", "verdict"] {
            assert!(report.get(key).is_some(), "the seeds' key `{key}` on {shown}");
        }
        let warns = report["counts"]["warn"].as_u64().expect("a number") > 0;
        if shown.contains("/good/") {
            assert!(!warns, "theirs warns of gaps on {shown}, which has none");
        }
        if shown.contains("/bad/") {
            assert!(warns || want_ours == 1, "the mistake in {shown} is seen");
        }
    }
}

/// Their `env`, check by check: each in each status that it can have. `env` as a warning cannot come: whatever names no
/// variable at all lacks the six that `env:disagg-transport` wants.
#[test]
fn the_env_script_check_by_check() {
    let script = seed("check_interconnect.py");
    if script.is_none() {
        eprintln!("skipped: no seed scripts; only our side of the table runs");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let sound = root.join("good/vllm-disagg-infiniband");
    let manifest = std::fs::read_to_string(sound.join("deploy.yaml")).expect("a manifest");
    let dir = tempfile::tempdir().expect("a directory");
    let with = |title: &str, entry: &str| {
        let path = dir.path().join(title);
        std::fs::create_dir(&path).expect("a directory");
        let anchor = "            - name: UCX_TLS\n";
        assert!(manifest.contains(anchor));
        std::fs::write(path.join("deploy.yaml"), manifest.replace(anchor, &format!("{entry}{anchor}")))
            .expect("written");
        path
    };
    let value = |name: &str, value: &str| {
        with(name, &format!("            - name: {name}\n              value: \"{value}\"\n"))
    };
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).expect("a directory");
    std::fs::write(empty.join("notes.txt"), "UCX_TLS=rc").expect("written");
    let judged = "the value is judged, not the name";
    // Path, their check and its status, ours and its status, why they differ.
    let mut rows = vec![
        (sound.clone(), "env:UCX_TLS", "ok", "env:UCX_TLS", "ok", ""),
        (root.join("bad/ucx-tls-without-cuda-copy"), "env:UCX_TLS", "ok", "env:UCX_TLS", "fail", judged),
        (
            sound,
            "env:disagg-transport",
            "warn",
            "env:disagg-transport",
            "ok",
            "unset is right: UCX and NCCL find the devices",
        ),
        (
            root.join("good/sglang-agg"),
            "env:disagg-transport",
            "warn",
            "kv-transfer",
            "ok",
            "nothing is transferred here",
        ),
        (empty.join("missing"), "env", "fail", "manifests", "fail", ""),
        (empty, "env", "fail", "manifests", "fail", ""),
        (
            with(
                "secret",
                "            - name: UCX_RNDV_SCHEME\n              valueFrom: {secretKeyRef: {name: s, key: k}}\n",
            ),
            "env:UCX_RNDV_SCHEME",
            "ok",
            "env:UCX_RNDV_SCHEME",
            "skipped",
            "what a Secret holds cannot be judged",
        ),
    ];
    // The other ten, each with a value that is sound here.
    let names = [
        ("env:UCX_NET_DEVICES", "mlx5_0:1,mlx5_1:1,mlx5_2:1,mlx5_3:1"),
        ("env:UCX_IB_GPU_DIRECT_RDMA", "yes"),
        ("env:UCX_RNDV_SCHEME", "get_zcopy"),
        ("env:NIXL_PLUGIN_DIR", "/opt/nvidia/nvda_nixl/lib64/plugins"),
        ("env:NCCL_IB_HCA", "mlx5"),
        ("env:NCCL_SOCKET_IFNAME", "eth0"),
        ("env:NCCL_IB_DISABLE", "0"),
        ("env:NCCL_NET_GDR_LEVEL", "PHB"),
        ("env:NCCL_P2P_LEVEL", "NVL"),
        ("env:NCCL_IB_GID_INDEX", "3"),
    ];
    rows.extend(names.map(|(check, text)| (value(&check[4..], text), check, "ok", check, "ok", "")));
    let (mut wrong, count) = (Vec::new(), rows.len());
    for (path, their, want_theirs, our, want_ours, why) in rows {
        let shown = path.to_str().expect("UTF-8");
        let statuses = |bytes: &[u8], name: &str| -> Vec<String> {
            let report: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
            let checks = report["checks"].as_array().expect("checks").iter();
            checks.filter(|c| c["name"] == name).map(|c| c["status"].as_str().expect("text").to_owned()).collect()
        };
        if let Some(script) = &script {
            let output = Command::new("python3").arg(script).args(["env", shown]).output().expect("python3 runs");
            let got = statuses(&output.stdout, their);
            if got != [want_theirs] {
                wrong.push(format!("{shown}: their `{their}` is {got:?}, the table says {want_theirs}"));
            }
        }
        let got = statuses(&dynlint(&["readiness", shown, "-f", "json"]).stdout, our);
        // One for each worker: the worst of them counts.
        let worst = ["fail", "warn", "skipped", "ok"].into_iter().find(|status| got.iter().any(|g| g == status));
        if worst != Some(want_ours) {
            wrong.push(format!("{shown}: our `{our}` is {got:?}, the table says {want_ours}"));
        }
        assert_eq!(want_theirs == want_ours, why.is_empty(), "{shown}: a reason exactly where they differ");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{count} rows");
}
