//! dynlint as a library: lint a recipe that is still in memory, and print what it says.

use dynlint::lint::{Input, Options, lint};
use dynlint::report::{concise, wire};

fn main() {
    let recipe = "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  components:
    - name: Frontend
      type: frontend
      podTemplate:
        spec:
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
              env:
                - name: DYN_ROUTER_MODE
                  value: kv-aware
";
    let input = Input::Bytes { bytes: recipe.into(), path: Some("chat.yaml".into()) };
    let report = lint(&[input], &Options::default());

    // Findings as the engine has them…
    let worst = report.findings.iter().map(|reported| reported.finding.severity).max();
    println!("{} findings, the worst is {worst:?}", report.findings.len());
    // …and as every format reads them.
    print!("{}", concise(&wire::Check::new(&report, false)));
}
