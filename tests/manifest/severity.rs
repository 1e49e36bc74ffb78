//! How loud a finding is, where that hangs on something else that the manifest says.

use dynlint::finding::Severity::{self, Advice, Error, Warning};
use dynlint::lint::{Input, Options, lint};

fn severity(yaml: &str, rule: &str) -> Severity {
    let input = Input::Bytes { bytes: yaml.as_bytes().to_vec(), path: None };
    let report = lint(&[input], &Options::default());
    let found = report.findings.iter().find(|found| found.finding.rule == rule);
    found.unwrap_or_else(|| panic!("{rule} is silent")).finding.severity
}

/// A graph with an image of an internal registry, a field that the operator does not have any more, and another image.
fn graph(pod: &str, image: &str) -> String {
    format!(
        "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata: {{name: chat}}\nspec:\n  services:\n    \
         Frontend:\n      componentType: frontend\n      pvc: {{name: a}}\n      extraPodSpec:\n        {pod}\n        \
         mainContainer: {{image: \"nvcr.io/nvidian/x/vllm-runtime:1.4.0\"}}\n    Other:\n      componentType: worker\n      \
         extraPodSpec: {{mainContainer: {{image: \"{image}\"}}}}\n"
    )
}

const FOREIGN: &str = "vllm/vllm-openai:v0.25.0";

#[test]
fn whoever_names_a_secret_can_pull_the_image() {
    assert_eq!(severity(&graph("imagePullSecrets: [{name: nvcr}]", FOREIGN), "image-private"), Advice);
    assert_eq!(severity(&graph("imagePullSecrets: []", FOREIGN), "image-private"), Warning);
}

#[test]
fn an_image_of_dynamos_own_says_how_old_the_operator_is() {
    let young = graph("imagePullSecrets: []", FOREIGN);
    assert_eq!(severity(&young, "unknown-field"), Error);
    let old = young.replace("1.4.0", "0.5.0");
    assert_eq!(severity(&old, "unknown-field"), Warning);
    // Where none of Dynamo's says it, any does.
    assert_eq!(severity(&old.replace("vllm-runtime", "mine"), "unknown-field"), Warning);
}
