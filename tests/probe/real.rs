//! The probes against a real API server, kubelet and containerd, as a user that is bound to the role in the docs and to
//! nothing else; then the server's audit log says what they asked.
//!
//! `.ci/apiserver --full -- cargo test --all-features --test probe real -- --nocapture`

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dynlint::probe::transport::HttpRequest;
use serde_json::{Value, json};

use crate::cluster::{check, json};
use crate::forward::ask;

const MANIFEST: &str = "fixtures/probe/manifest/devices.yaml";

fn kubectl(args: &[&str], stdin: Option<&str>) -> String {
    let mut command = Command::new("kubectl");
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::piped());
    let mut child = command.spawn().expect("kubectl runs");
    let mut input = child.stdin.take().expect("standard input");
    input.write_all(stdin.unwrap_or_default().as_bytes()).expect("kubectl reads");
    drop(input);
    let output = child.wait_with_output().expect("kubectl ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "kubectl {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A service account, bound to a role of that name when there is one, and a kubeconfig for it.
struct User {
    name: &'static str,
    kubeconfig: PathBuf,
}

impl User {
    fn new(dir: &Path, name: &'static str, role: Option<&Value>) -> Self {
        kubectl(&["create", "serviceaccount", name], None);
        if let Some(role) = role {
            kubectl(&["apply", "-f", "-"], Some(&role.to_string()));
            let role = role["metadata"]["name"].as_str().expect("a name");
            let account = format!("--serviceaccount=default:{name}");
            kubectl(&["create", "rolebinding", name, &format!("--role={role}"), &account], None);
        }
        let token = kubectl(&["create", "token", name], None);
        let mut config: Value =
            serde_json::from_str(&kubectl(&["config", "view", "--raw", "-o", "json"], None)).expect("JSON");
        config["users"][0]["user"] = json!({"token": token.trim()});
        let kubeconfig = dir.join(name);
        std::fs::write(&kubeconfig, config.to_string()).expect("a kubeconfig");
        Self { name, kubeconfig }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynlint"));
        command.arg("probe").args(args).env("KUBECONFIG", &self.kubeconfig).env("NO_COLOR", "1");
        command
    }

    /// Runs a probe that has to end in time, whatever happens.
    fn probe(&self, args: &[&str]) -> Value {
        let start = Instant::now();
        let output = self.command(&[args, &["-f", "json", "--timeout", "15"]].concat()).output().expect("dynlint runs");
        assert!(start.elapsed() < Duration::from_secs(40), "{args:?} took {:?}", start.elapsed());
        self.read(args, &output)
    }

    fn read(&self, args: &[&str], output: &Output) -> Value {
        let report = json(output);
        let failed =
            report["counts"]["fail"] != 0 || !report["manifest"]["findings"].as_array().is_none_or(Vec::is_empty);
        assert_eq!(output.status.code(), Some(i32::from(failed)), "{} {args:?}: {report:#}", self.name);
        report
    }
}

/// The role of the docs, word for word.
fn documented_role() -> Value {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/probe.md")).expect("docs");
    let blocks = docs.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let role = blocks.map(|block| serde_yaml::from_str::<Value>(block).expect("YAML")).find(|v| v["kind"] == "Role");
    role.expect("a role in docs/probe.md")
}

fn pod(name: &str, labels: &[&str; 3], script: &str, env: &Value) -> Value {
    let [deployment, component, kind] = labels;
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {
            "nvidia.com/dynamo-graph-deployment-name": deployment,
            "nvidia.com/dynamo-component": component,
            "nvidia.com/dynamo-component-type": kind,
        }},
        "spec": {
            "nodeName": "localhost", "hostNetwork": true, "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main", "image": "dynlint.test/worker:1", "imagePullPolicy": "Never", "env": env,
                "command": ["/bin/sh", "-c", script, "sh", "-m", "dynamo.vllm", "--kv-transfer-config",
                    "{\"kv_connector\":\"NixlConnector\",\"kv_role\":\"kv_consumer\"}"],
            }],
        },
    })
}

/// A program of the pod's own in place of a GPU or RDMA tool.
fn tool(name: &str, body: &str) -> String {
    format!(
        "/bin/mkdir -p /usr/local/bin; printf '#!/bin/sh\\n{body}\\n' >/usr/local/bin/{name}; /bin/chmod +x /usr/local/bin/{name}; exec /bin/sleep 100000"
    )
}

fn pods() -> Vec<Value> {
    let worker = json!([
        {"name": "UCX_NET_DEVICES", "value": "mlx5_0:1"}, {"name": "NCCL_SOCKET_IFNAME", "value": "ens,enp"},
        {"name": "HF_TOKEN", "value": "hunter2hunter2"},
    ]);
    let sleep = "while :; do /bin/sleep 1; done";
    let serve = "mkdir -p /www/v1; echo '{\"object\":\"list\",\"data\":[{\"id\":\"tiny\",\"object\":\"model\"}]}' >/www/v1/models; exec httpd -f -p 127.0.0.1:8000 -h /www";
    let mut list = vec![
        pod("prefill-0", &["qwen", "prefill", "prefill"], sleep, &worker),
        pod("decode-0", &["qwen", "decode", "decode"], sleep, &json!([])),
        pod("front-0", &["qwen", "Frontend", "frontend"], serve, &json!([])),
        pod("flood-0", &["odd", "prefill", "worker"], &tool("nvidia-smi", "yes flood | head -c 10000000"), &json!([])),
        pod("hang-0", &["odd", "prefill", "worker"], &tool("ibstat", "exec sleep 100"), &json!([])),
        pod("cut-0", &["odd", "prefill", "worker"], &tool("ibstat", "exec sleep 100"), &json!([])),
        pod(
            "noshell-0",
            &["odd", "prefill", "worker"],
            "exec /bin/sleep 100000",
            &json!([{"name": "PATH", "value": "/nowhere"}]),
        ),
    ];
    let mut waiting = pod("waiting-0", &["odd", "prefill", "worker"], sleep, &json!([]));
    waiting["spec"]["containers"][0]["image"] = "dynlint.test/not-there:1".into();
    list.push(waiting);
    let mut unscheduled = pod("unscheduled-0", &["odd", "prefill", "worker"], sleep, &json!([]));
    unscheduled["spec"].as_object_mut().expect("a spec").remove("nodeName");
    list.push(unscheduled);
    list
}

#[test]
fn real_api_server_kubelet_and_containerd() {
    let Some(cluster) = std::env::var_os("DYNLINT_CLUSTER").map(PathBuf::from) else {
        println!("skipped: no real API server; `.ci/apiserver --full --` starts one");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let probe = User::new(dir.path(), "probe", Some(&documented_role()));
    let mut no_exec = documented_role();
    no_exec["metadata"]["name"] = "lister".into();
    no_exec["rules"].as_array_mut().expect("rules").retain(|rule| rule["resources"][0] == "pods");
    let lister = User::new(dir.path(), "lister", Some(&no_exec));
    let nobody = User::new(dir.path(), "nobody", None);
    kubectl(&["apply", "-f", "-"], Some(&json!({"apiVersion": "v1", "kind": "List", "items": pods()}).to_string()));
    let inside = inside(&dir);
    kubectl(&["apply", "-f", "-"], Some(&inside.to_string()));
    let ready = ["inside-0", "prefill-0", "decode-0", "front-0", "flood-0", "hang-0", "cut-0", "noshell-0"]
        .map(|n| format!("pod/{n}"));
    let wait: Vec<&str> = ["wait", "--for=condition=Ready", "--timeout=90s"]
        .into_iter()
        .chain(ready.iter().map(String::as_str))
        .collect();
    kubectl(&wait, None);

    what_works(&probe, dir.path());
    from_within();
    what_fails(&probe, &lister, &nobody);
    a_pod_that_goes_away(&probe);
    many_port_forwards(&probe, &cluster.join("audit.log"));
    audit(&cluster.join("audit.log"), &probe);
}

fn what_works(user: &User, dir: &Path) {
    let report = user.probe(&["node", "--pod", "prefill-0"]);
    assert_eq!(check(&report, "node-access"), ("ok", "all facts read", None), "{report:#}");
    assert_eq!(report["target"], "default/prefill-0");
    let report = user.probe(&["node", "--deployment", "qwen", "--manifest", MANIFEST]);
    let targets: BTreeSet<&str> =
        report["checks"].as_array().expect("checks").iter().filter_map(|c| c["target"].as_str()).collect();
    assert_eq!(targets, BTreeSet::from(["default/decode-0", "default/prefill-0"]), "frontends have no fabric");

    let recording = dir.join("recording");
    let at = recording.to_str().expect("UTF-8");
    let args = ["env", "--deployment", "qwen", "--manifest", MANIFEST];
    let report = user.probe(&[&args[..], &["--record", at]].concat());
    let said = report["manifest"]["findings"].to_string();
    assert!(said.contains("on the cluster now: `mlx5_0:1`"), "{report:#}");
    assert!(!report.to_string().contains("hunter2"));
    assert_eq!(user.probe(&[&args[..], &["--snapshot", at]].concat()), report);
    assert!(!std::fs::read_to_string(recording.join("snapshot.json")).expect("a snapshot").contains("hunter2"));

    let report = user.probe(&["nixl", "--deployment", "qwen"]);
    let (status, _, next) = check(&report, "nixl-transfer");
    let command = "dynlint probe nixl --run-transfer -n default --prefill-pod prefill-0 --decode-pod decode-0";
    assert_eq!((status, next), ("skipped", Some(command)));
    // By port-forward: the file server has models and nothing else of a frontend.
    let report = user.probe(&["router", "--deployment", "qwen", "--skip-chat", "--retries", "1"]);
    assert_eq!(check(&report, "models"), ("ok", "tiny", None), "{report:#}");
    assert_eq!(report["target"], "default/front-0:8000");
    kubectl(&["expose", "pod", "front-0", "--name=qwen-frontend", "--port=80", "--target-port=8000"], None);
    let report = user.probe(&["router", "--service", "qwen-frontend", "--skip-chat", "--retries", "1"]);
    assert_eq!((check(&report, "models").0, &report["target"]), ("ok", &json!("default/front-0:8000")), "{report:#}");
    let report = user.probe(&["router", "--pod", "front-0", "--port", "8001", "--retries", "1"]);
    assert!(check(&report, "models").1.contains("refused"), "{report:#}");
    let captured = dir.join("capture");
    let report = user.probe(&["capture", captured.to_str().expect("UTF-8"), "--deployment", "qwen"]);
    assert_eq!(check(&report, "env-access").0, "ok");
}

/// A pod that has dynlint in it and a service account: what `kubectl exec POD -- dynlint probe …` sees.
fn inside(dir: &tempfile::TempDir) -> Value {
    let config: Value = serde_json::from_str(&kubectl(&["config", "view", "--raw", "-o", "json"], None)).expect("JSON");
    let authority = config["clusters"][0]["cluster"]["certificate-authority-data"].as_str().expect("an authority");
    let path = dir.path().join("ca.crt");
    std::fs::write(
        &path,
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, authority).expect("base64"),
    )
    .expect("written");
    kubectl(&["create", "configmap", "authority", &format!("--from-file=ca.crt={}", path.display())], None);
    let env = json!([
        {"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"}, {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
    ]);
    let mut pod = pod("inside-0", &["tools", "tools", "tools"], "while :; do /bin/sleep 1; done", &env);
    let bin = Path::new(env!("CARGO_BIN_EXE_dynlint")).parent().expect("a directory");
    let host = |name: &str, path: &Path| json!({"name": name, "hostPath": {"path": path}});
    pod["spec"]["serviceAccountName"] = "probe".into();
    pod["spec"]["volumes"] = json!([
        host("lib", Path::new("/usr/lib")), host("bin", bin),
        {"name": "account", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
            {"configMap": {"name": "authority", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]}},
    ]);
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path, "readOnly": true});
    pod["spec"]["containers"][0]["volumeMounts"] = json!([
        mount("lib", "/host/lib"),
        mount("bin", "/host/bin"),
        mount("account", "/var/run/secrets/kubernetes.io/serviceaccount"),
    ]);
    pod
}

/// The in-cluster account, in a cluster: no kubeconfig anywhere.
fn from_within() {
    let libraries = "/host/lib/x86_64-linux-gnu";
    let loader = format!("{libraries}/ld-linux-x86-64.so.2");
    let args = ["exec", "inside-0", "--", &loader, "--library-path", libraries, "/host/bin/dynlint"];
    let probe = ["probe", "node", "--deployment", "qwen", "-f", "json", "--timeout", "15"];
    let text = kubectl(&[&args[..], &probe[..]].concat(), None);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!((check(&report, "node-access").0, &report["target"]), ("ok", &json!("default/qwen")), "{report:#}");
    println!("in-cluster account: {} checks of {}", report["checks"].as_array().map_or(0, Vec::len), report["target"]);
}

fn what_fails(user: &User, lister: &User, nobody: &User) {
    let said = |user: &User, pod: &str, more: &[&str]| {
        let report = user.probe(&[&["node", "--pod", pod], more].concat());
        let (status, detail, next) = check(&report, "node-access");
        assert_eq!(status, "fail", "{pod}: {detail}");
        (detail.to_owned(), next.unwrap_or_default().to_owned())
    };
    let expect = |user: &User, pod: &str, more: &[&str], detail: &str, next: &str| {
        let (said, then) = said(user, pod, more);
        assert!(said.contains(detail), "{pod}: {said}");
        assert!(then.contains(next), "{pod}: {then}");
    };
    expect(user, "gone-0", &[], "pods \"gone-0\" not found", "check namespace and name");
    expect(user, "prefill-0", &["-c", "nope"], "has no container `nope`; it has `main`", "");
    expect(user, "waiting-0", &[], "does not run", "kubectl describe pod");
    expect(user, "unscheduled-0", &[], "is Pending", "kubectl describe pod");
    expect(user, "noshell-0", &[], "the container has no `sh`", "debug container");
    expect(user, "flood-0", &[], "more than 1048576 bytes", "");
    expect(user, "prefill-0", &["-n", "kube-system"], "forbidden", "read-only role");
    expect(lister, "prefill-0", &[], "cannot get resource \"pods/exec\"", "read-only role");
    expect(nobody, "prefill-0", &[], "cannot get resource \"pods\"", "read-only role");
    // A tool that hangs costs ten seconds, not the probe.
    let report = user.probe(&["node", "--pod", "hang-0"]);
    assert_eq!(check(&report, "node-access").0, "ok", "{report:#}");
    let output =
        user.command(&["node", "--pod", "hang-0", "--timeout", "3", "-f", "json"]).output().expect("dynlint runs");
    assert!(check(&json(&output), "node-access").1.contains("not done within 3 s"));
    // Without exec the spec still tells of drift.
    let report = lister.probe(&["env", "--pod", "prefill-0", "--manifest", MANIFEST]);
    assert!(check(&report, "env-access").1.contains("judged by the pod's spec"), "{report:#}");
    // Python and NIXL are not in these pods: the transfer fails, and says why.
    let pair = ["nixl", "--run-transfer", "--prefill-pod", "prefill-0", "--decode-pod", "decode-0"];
    let report = user.probe(&pair);
    assert!(check(&report, "nixl-transfer").1.contains("the container has no `python3`"), "{report:#}");
    let report = nobody.probe(&["router", "--deployment", "qwen", "--retries", "1"]);
    assert!(check(&report, "frontend").1.contains("forbidden"), "{report:#}");
}

/// The pod is deleted while something runs in it.
fn a_pod_that_goes_away(user: &User) {
    let args = ["node", "--pod", "cut-0", "-f", "json", "--timeout", "15"];
    let mut command = user.command(&args);
    let start = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("dynlint runs");
    std::thread::sleep(Duration::from_secs(3));
    kubectl(&["delete", "pod", "cut-0", "--grace-period=0", "--force", "--wait=false"], None);
    let output = child.wait_with_output().expect("dynlint ends");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let report = user.read(&args, &output);
    let (status, detail, _) = check(&report, "node-access");
    assert_eq!(status, "fail", "{detail}");
    assert!(detail.contains("killed") || detail.contains("the connection ended"), "{detail}");
}

/// Each is answered: a real API server and kubelet lose none on the way.
fn many_port_forwards(user: &User, log: &Path) {
    const COUNT: usize = 300;
    let opened = || {
        let text = std::fs::read_to_string(log).expect("an audit log");
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let forwards = events.filter(|event| event["objectRef"]["subresource"] == "portforward");
        forwards.map(|event| event["auditID"].to_string()).collect::<BTreeSet<String>>().len()
    };
    let before = opened();
    let said = ask(&user.kubeconfig, "front-0", COUNT, 4, HttpRequest::get);
    let lost: Vec<&String> = said.iter().filter_map(|answer| answer.as_ref().err()).collect();
    println!("{COUNT} questions by port-forward, {} port-forwards, {} lost: {lost:?}", opened() - before, lost.len());
    assert!(lost.is_empty() && opened() - before == COUNT);
}

/// Who asked what: nothing but reading, and nothing that the probes do not need.
fn audit(log: &Path, user: &User) {
    let text = std::fs::read_to_string(log).expect("an audit log");
    let account = format!("system:serviceaccount:default:{}", user.name);
    let mut asked = BTreeSet::new();
    let mut count = 0;
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        if event["user"]["username"] != account.as_str() {
            continue;
        }
        count += 1;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (verb, object) = (text(&event["verb"]), &event["objectRef"]);
        let kind = [text(&object["resource"]), text(&object["subresource"])].join("/");
        asked.insert(format!("{verb} {}", kind.trim_end_matches('/')));
    }
    println!("{count} audit events of the probes: {asked:?}");
    // An API server from 1.35 on calls the web socket of exec `create`, an older one `get`.
    let fits = |allowed: &str| asked.iter().any(|verb| verb == allowed);
    for (new, old) in [("create pods/exec", "get pods/exec"), ("create pods/portforward", "get pods/portforward")] {
        assert!(fits(new) || fits(old), "{asked:?}");
    }
    assert!(fits("get pods") && fits("list pods") && fits("get services"), "{asked:?}");
    let allowed = [
        "get services",
        "get pods",
        "list pods",
        "get pods/exec",
        "create pods/exec",
        "get pods/portforward",
        "create pods/portforward",
    ];
    let other: Vec<&String> = asked.iter().filter(|verb| !allowed.contains(&verb.as_str())).collect();
    assert!(other.is_empty(), "{other:?}");
}
