//! Volumes of a pod and the mounts of its containers.

use super::object::names_volume;
use crate::finding::Severity;
use crate::manifest::{Component, Container, GraphKind, Mount, Volume, VolumeSource, quantity};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

/// A container with what its pod offers it.
struct Pod<'a> {
    owner: &'a str,
    container: &'a Container,
    volumes: &'a [Volume],
    /// Whether somebody else gives the pod a volume of that name.
    added: &'a dyn Fn(&str) -> bool,
}

/// Volumes that the operator gives a pod for purposes of its own (`shared_memory.go`, `gms.go`, `component_epp.go`, …).
const OPERATORS: [&str; 5] = ["shared-memory", "gms-intrapod-control", "topology-labels", "epp-config", "hf-cache"];

/// Whether the operator gives the pod of a component a volume of that name: a claim for a mount of the main container
/// (`graph.go:1937-1974`), the compilation cache, or one of its own.
fn operator_adds(component: &Component, name: &str) -> bool {
    let none = component.shared_memory.as_ref().is_some_and(|s| quantity::parse(&s.value) == Some(0.0));
    // It takes mounts at `/dev/shm` away before it looks.
    let stays = |mount: &Mount| none || mount.path.as_ref().is_none_or(|p| p.value != "/dev/shm");
    component.main.mounts.iter().any(|m| m.name.value == name && stays(m))
        || component.compilation_cache.as_ref().is_some_and(|(claim, _)| claim.value == name)
        || (OPERATORS.contains(&name) && !(none && name == "shared-memory"))
}

/// `mount-invalid`
pub fn mount_invalid(recipe: &Recipe, out: &mut Findings) {
    for object in &recipe.here {
        if let Some(graph) = object.graph() {
            for c in &graph.components {
                for container in c.containers() {
                    let added = |name: &str| operator_adds(c, name);
                    check(&Pod { owner: &c.name.value, container, volumes: &c.volumes, added: &added }, out);
                    sub_paths(recipe, container, &c.volumes, out);
                }
            }
        } else if let Some(workload) = object.workload() {
            // Volumes of a StatefulSet can come from its claim templates.
            let added = |_: &str| object.kind == "StatefulSet";
            for container in workload.containers.iter().chain(&workload.init_containers) {
                check(&Pod { owner: &object.name, container, volumes: &workload.volumes, added: &added }, out);
                sub_paths(recipe, container, &workload.volumes, out);
            }
        }
    }
}

/// One file of a ConfigMap, by a name that is none of its keys: Kubernetes makes an empty directory there.
fn sub_paths(recipe: &Recipe, container: &Container, volumes: &[Volume], out: &mut Findings) {
    for mount in container.node.iter().filter_map(|n| n.get("volumeMounts")).flat_map(Node::items) {
        let Some((path, key)) = mount.get("subPath").and_then(|path| Some((path, path.as_text()?))) else { continue };
        let name = mount.get("name").and_then(Node::as_text);
        let volume = volumes.iter().find(|v| Some(v.name.value.as_str()) == name);
        let Some(map) = volume.and_then(|v| v.node.get("configMap")).filter(|map| map.get("items").is_none()) else {
            continue;
        };
        let made = map.get("name").and_then(Node::as_text).and_then(|name| recipe.find("ConfigMap", name));
        let Some(made) = made.filter(|made| made.node.get("binaryData").is_none()) else { continue };
        let keys: Vec<&str> = made.node.get("data").into_iter().flat_map(Node::entries).map(|e| &*e.key.name).collect();
        if keys.is_empty() || key.contains(['$', '<', '{', '/']) || keys.contains(&key) {
            continue;
        }
        out.report(path.span, format!("ConfigMap `{}` has no key `{key}`", made.name), "an empty directory is mounted")
            .subject(key)
            .label(made.name_span, "this ConfigMap")
            .help(format!("its keys are {}", keys.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")))
            .emit();
    }
}

fn check(pod: &Pod<'_>, out: &mut Findings) {
    for (index, mount) in pod.container.mounts.iter().enumerate() {
        let name = &mount.name.value;
        let volume = pod.volumes.iter().any(|v| v.name.value == *name);
        if !volume && !name.contains(['$', '<', '{']) && !(pod.added)(name) {
            let near = pod.volumes.iter().map(|v| v.name.value.as_str()).find(|v| strsim::osa_distance(v, name) <= 2);
            out.report(
                mount.name.span,
                format!("`{}` mounts `{name}`, and its pod has no such volume", pod.owner),
                "Kubernetes refuses the pod",
            )
            .subject(name.clone())
            .help(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add a volume `{name}` to the pod"),
            })
            .emit();
        }
        let Some(path) = &mount.path else { continue };
        let at = path.value.trim_end_matches('/');
        let earlier = pod.container.mounts[..index]
            .iter()
            .find_map(|m| m.path.as_ref().filter(|p| p.value.trim_end_matches('/') == at));
        // The operator takes every mount at `/dev/shm` away.
        if let Some(earlier) = earlier.filter(|_| at != "/dev/shm") {
            out.report(
                path.span,
                format!("`{}` mounts two volumes at `{}`", pod.owner, path.value),
                "Kubernetes refuses the pod: the path must be unique",
            )
            .subject(path.value.clone())
            .label(earlier.span, "the first one")
            .help("give one of them another path, or drop it")
            .emit();
        }
    }
}

/// `mount-without-volume`
pub fn mount_without_volume(recipe: &Recipe, out: &mut Findings) {
    for graph in recipe.here.iter().filter_map(|o| o.graph()) {
        let claims: Vec<&str> = graph
            .object
            .node
            .at(&["spec", "pvcs"])
            .into_iter()
            .flat_map(Node::items)
            .filter_map(|p| p.get("name")?.as_text())
            .collect();
        for c in &graph.components {
            let mounted = |name: &str| c.containers().any(|k| k.mounts.iter().any(|m| m.name.value == name));
            let cache = c.compilation_cache.as_ref().map(|(claim, _)| claim.value.as_str());
            for mount in &c.main.mounts {
                let name = mount.name.value.as_str();
                let known = c.volumes.iter().any(|v| v.name.value == name) || claims.contains(&name);
                if known
                    || cache == Some(name)
                    || name.contains(['$', '<', '{'])
                    || recipe.around.has("PersistentVolumeClaim", name)
                {
                    continue;
                }
                let idle = c.volumes.iter().find(|v| {
                    let volume = v.name.value.as_str();
                    !mounted(volume)
                        && (strsim::osa_distance(volume, name) <= 2 || volume.contains(name) || name.contains(volume))
                });
                let Some(idle) = idle else {
                    // Who declares volumes declares all of them.
                    let declares = !claims.is_empty() || graph.components.iter().any(|c| !c.volumes.is_empty());
                    let operators =
                        name == "shared-memory" || mount.path.as_ref().is_none_or(|p| p.value == "/dev/shm");
                    if operators || graph.kind != GraphKind::Deployment {
                        continue;
                    }
                    // A kustomization may give a graph without any its volumes.
                    let severity = match names_volume(name) {
                        false => Severity::Error,
                        true if declares || !recipe.around.any("Kustomization") => Severity::Warning,
                        true => Severity::Advice,
                    };
                    let near = claims.iter().copied().chain(c.volumes.iter().map(|v| v.name.value.as_str()));
                    let near = near.into_iter().find(|known| strsim::osa_distance(known, name) <= 2);
                    out.report(
                        mount.name.span,
                        format!("nothing declares the volume `{name}` that `{}` mounts", c.name.value),
                        match severity {
                            Severity::Error => "the operator makes a volume of that name, and Kubernetes refuses the pod: it is no DNS label",
                            _ => "the operator takes it for a PersistentVolumeClaim of that name, which has to be there already",
                        },
                    )
                    .subject(name)
                    .severity(severity)
                    .help(match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("declare `{name}` with the other volumes"),
                    })
                    .emit();
                    continue;
                };
                out.report(
                    mount.name.span,
                    format!("`{}` mounts `{name}`, and its pod has no such volume", c.name.value),
                    "the operator takes it for a PersistentVolumeClaim of that name: the pod stays Pending",
                )
                .subject(name)
                .label(idle.name.span, "nothing mounts this volume")
                .help(format!("did you mean `{}`?", idle.name.value))
                .fix(crate::finding::Applicability::Unsafe, mount.name.span, idle.name.value.clone())
                .emit();
            }
        }
    }
}

/// `volume-not-mounted`
pub fn volume_not_mounted(recipe: &Recipe, out: &mut Findings) {
    // A kustomization may bring the mount.
    let severity = if recipe.around.any("Kustomization") { Severity::Advice } else { Severity::Warning };
    for object in &recipe.here {
        if let Some(graph) = object.graph().filter(|graph| graph.kind != GraphKind::RequestOverride) {
            for c in &graph.components {
                idle(&c.name.value, &c.volumes, &c.containers().collect::<Vec<_>>(), severity, out);
            }
        } else if let Some(pod) = object.workload() {
            let containers: Vec<&Container> = pod.containers.iter().chain(&pod.init_containers).collect();
            idle(&object.name, &pod.volumes, &containers, severity, out);
        }
    }
}

/// Storage that nothing in a whole pod mounts; of a ConfigMap `config-file-missing` speaks where somebody asks for it.
fn idle(owner: &str, volumes: &[Volume], containers: &[&Container], severity: Severity, out: &mut Findings) {
    let mounted = |name: &str| {
        containers.iter().any(|c| {
            let mut devices = c.node.iter().filter_map(|n| n.get("volumeDevices")).flat_map(Node::items);
            c.mounts.iter().any(|m| m.name.value == name)
                || devices.any(|d| d.get("name").and_then(Node::as_text) == Some(name))
        })
    };
    // A mount of another name is what `mount-invalid` and `mount-without-volume` speak about, and a part of a pod says
    // nothing about the rest.
    let other = |m: &Mount| !volumes.iter().any(|v| v.name.value == m.name.value);
    if containers.iter().any(|c| c.image.is_none() || c.mounts.iter().any(other)) {
        return;
    }
    for volume in volumes.iter().filter(|v| matches!(v.source, VolumeSource::Claim(_) | VolumeSource::HostPath(_))) {
        let name = &volume.name.value;
        if mounted(name) || OPERATORS.contains(&name.as_str()) || name.contains(['$', '<', '{']) {
            continue;
        }
        out.report(
            volume.name.span,
            format!("no container of `{owner}` mounts the volume `{name}`"),
            "what it holds cannot be seen, and what is written goes elsewhere",
        )
        .subject(name.clone())
        .severity(severity)
        .help("mount it where it is needed, or drop it")
        .emit();
    }
}
