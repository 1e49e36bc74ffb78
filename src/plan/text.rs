//! A plan for people.

use std::fmt::Write as _;

use super::Plan;

/// Draws a plan; `kustomize` adds the patch for kustomize, `write` says that verified edits are being written.
#[must_use]
pub fn text(plan: &Plan, kustomize: bool, write: bool) -> String {
    let mut out = String::new();
    let mut section = |title: &str, body: &str| {
        let _ = writeln!(out, "\u{1b}[1m{title}\u{1b}[0m");
        for line in body.trim_end().lines() {
            let _ = writeln!(out, "  {line}");
        }
        out.push('\n');
    };
    let kv = match plan.kv {
        Some("events") => ", by the workers' KV events",
        Some(_) => ", approximate: without KV events",
        None => "",
    };
    let now = plan.mode_now.as_ref().map_or_else(String::new, |mode| format!("\nnow: {mode}"));
    section(&format!("mode of {}", plan.deployment), &format!("{}{kv}\nwhy: {}{now}", plan.mode, plan.why));
    section("local command", &plan.local_command);
    if plan.done {
        section("manifest", &format!("`{}` runs in this mode already", plan.frontend));
    } else {
        section(&format!("env patch for `{}` ({})", plan.frontend, plan.api_version), &plan.patch);
        let state = match &plan.refused {
            None if write => "verified: only what is meant changes, and nothing new is found".to_owned(),
            None => "verified: only what is meant changes, and nothing new is found; `--write` applies it".to_owned(),
            Some(why) => format!("not verified, to be applied by hand: {why}"),
        };
        section("edits", &state);
    }
    if kustomize && !plan.done {
        let target = format!(
            "# kustomization.yaml\npatches:\n  - path: router-mode.yaml\n    target: {{group: nvidia.com, kind: DynamoGraphDeployment, name: {}}}\n\n# router-mode.yaml\n",
            plan.deployment
        );
        match &plan.kustomize {
            Some(patch) => section("kustomize patch", &format!("{target}{patch}")),
            None => section(
                "kustomize patch",
                "none: it would have to change a command line that is no list of words, or says the mode itself",
            ),
        }
    }
    if plan.mode == "kv" && !plan.workers.is_empty() {
        let lines: Vec<String> = plan
            .workers
            .iter()
            .map(|worker| {
                let framework = worker.framework.unwrap_or("unknown engine");
                match (worker.publishes, &worker.add) {
                    (Some(true), _) => format!("{} ({framework}): publishes", worker.service),
                    (Some(false), Some(add)) => format!("{} ({framework}): silent; add {add}", worker.service),
                    (Some(false), None) => format!("{} ({framework}): cannot publish", worker.service),
                    (None, _) => format!("{} ({framework}): cannot be seen", worker.service),
                }
            })
            .collect();
        section("KV events of the workers", &lines.join("\n"));
    }
    section("frontend service", &format!("{}:{}\n{}", plan.service.name, plan.service.port, plan.service.port_forward));
    section("limits", &plan.limits.join("\n"));
    section("next", &plan.next.join("\n"));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}
