//! Claims, ConfigMaps and paths that something must provide.

use super::near::{beside_recipe, typo};
use super::object::possible;
use crate::finding::{Applicability, Edit, Severity};
use crate::manifest::{ApiVersion, Component, Container, Graph, Mount, Object, Volume, VolumeSource};
use crate::resolve::{Deployment, Framework, Recipe, Role, Service, Version};
use crate::rules::disagg::{Said, model_names, said};
use crate::rules::published::REGISTRY;
use crate::rules::{Findings, workload};
use crate::source::Span;
use crate::yaml::Node;

/// A claim that a pod needs, and where it is named: a place at least.
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) places: Vec<Span>,
    owner: String,
}

/// Whether the operator makes a declared claim.
fn created(pvc: &Node) -> bool {
    pvc.get("create").and_then(Node::as_bool) == Some(true)
}

/// The claim that a volume is of: its name and place.
fn claimed(volume: &Volume) -> Option<(&str, Span)> {
    let VolumeSource::Claim(name) = &volume.source else { return None };
    let at = volume.node.at(&["persistentVolumeClaim", "claimName"]).map_or(volume.name.span, |n| n.span);
    Some((name, at))
}

/// Mounts of a main container that stand for claims, in v1alpha1: those without a volume of their name.
fn implied<'a>(graph: &Graph, component: &'a Component) -> Vec<(&'a str, Span)> {
    let mounts = component.node.get("volumeMounts").filter(|_| graph.shape == ApiVersion::V1Alpha1);
    let names = mounts.into_iter().flat_map(Node::items).filter_map(|mount| mount.get("name"));
    let claims = names.map(|name| (name.as_text().unwrap_or_default(), name.span));
    claims.filter(|(name, _)| !component.volumes.iter().any(|v| v.name.value == *name)).collect()
}

/// Claims that the pods of a component mount: name and place.
pub(super) fn mounted<'a>(graph: &Graph, component: &'a Component) -> Vec<(&'a str, Span)> {
    component.volumes.iter().filter_map(claimed).chain(implied(graph, component)).collect()
}

/// Whether a claim of that name, at that place, is there for a mount alone.
pub(super) fn is_implied(recipe: &Recipe, claim: &Claim) -> bool {
    let graphs = recipe.here.iter().filter_map(|object| object.graph());
    let mut mounts = graphs.flat_map(|graph| graph.components.iter().flat_map(|c| implied(graph, c)));
    mounts.any(|(_, at)| at == claim.places[0])
}

/// Claims that the objects of a file need and do not make themselves.
pub(super) fn claims(recipe: &Recipe) -> Vec<Claim> {
    let mut all: Vec<Claim> = Vec::new();
    let mut add = |name: &str, span: Span, owner: &str| {
        if name.is_empty() || name.contains(['$', '<', '{']) {
            return;
        }
        match all.iter_mut().find(|c| c.name == name && c.owner == owner) {
            // A node behind an alias is met again.
            Some(known) if known.places.contains(&span) => {}
            Some(known) => known.places.push(span),
            None => all.push(Claim { name: name.to_owned(), places: vec![span], owner: owner.to_owned() }),
        }
    };
    for object in &recipe.here {
        if let Some(graph) = object.graph() {
            let declared: Vec<&Node> = object.node.at(&["spec", "pvcs"]).into_iter().flat_map(Node::items).collect();
            for pvc in &declared {
                let Some(name) = pvc.get("name") else { continue };
                if !created(pvc) {
                    add(name.as_text().unwrap_or_default(), name.span, &object.name);
                }
            }
            for component in &graph.components {
                component.volumes.iter().filter_map(claimed).for_each(|(name, at)| add(name, at, &object.name));
                for (name, at) in implied(graph, component) {
                    let named = |pvc: &&&Node| pvc.get("name").and_then(Node::as_text) == Some(name);
                    if !declared.iter().find(named).is_some_and(|pvc| created(pvc)) {
                        add(name, at, &object.name);
                    }
                }
            }
        } else if let Some(workload) = object.workload() {
            workload.volumes.iter().filter_map(claimed).for_each(|(name, at)| add(name, at, &object.name));
        }
    }
    all
}

/// `claim-not-in-recipe`
pub fn claim_not_in_recipe(recipe: &Recipe, out: &mut Findings) {
    let claims = claims(recipe);
    if claims.is_empty() {
        return;
    }
    let Some(file) = recipe.here.first().map(|o| o.file) else { return };
    let made: Vec<&Object> = beside_recipe(recipe, file, "PersistentVolumeClaim");
    if made.is_empty() {
        return;
    }
    for claim in claims.iter().filter(|c| !made.iter().any(|o| o.name == c.name) && possible(&c.name).is_none()) {
        // Another claim with a name of its own is made elsewhere; one that nearly has this name was meant.
        let Some(meant) = made.iter().find(|o| alike(&o.name, &claim.name)) else { continue };
        // The recipe uses both: two claims, unless one is the other with `-pvc` behind it, or with a slip in it.
        let one = tagged(&meant.name, &claim.name) || slip(&meant.name, &claim.name);
        if claims.iter().any(|c| c.name == meant.name) && !one {
            continue;
        }
        out.report(
            claim.places[0],
            format!("no PersistentVolumeClaim `{}` in this recipe", claim.name),
            format!("the recipe makes `{}`: the pod stays Pending", meant.name),
        )
        .subject(claim.name.clone())
        .label(meant.name_span, "the claim that is made")
        .help(format!("write `{}`", meant.name))
        .fix_edits(
            Applicability::Unsafe,
            claim.places.iter().map(|span| Edit { span: *span, text: meant.name.clone() }).collect(),
        )
        .emit();
    }
}

/// Whether one name is the other with a word for "volume" behind it, or a typo of it. Other endings tell storage apart.
fn alike(a: &str, b: &str) -> bool {
    // `perf-pvc` for `perf-cache`: the same thing, with another word for where it is kept.
    let stem = |name: &str| {
        let (stem, tag) = name.rsplit_once('-')?;
        matches!(tag, "pvc" | "claim" | "volume" | "vol" | "storage" | "cache" | "store").then(|| stem.to_owned())
    };
    a != b && (tagged(a, b) || typo(a, b) || stem(a).is_some_and(|a| stem(b) == Some(a)))
}

/// Whether one name is the other with a word for "volume" behind it.
fn tagged(a: &str, b: &str) -> bool {
    let tag = |long: &str, short: &str| {
        let rest = long.strip_prefix(short).unwrap_or_default();
        matches!(rest, "-pvc" | "-claim" | "-volume" | "-vol" | "-storage" | "-pv")
    };
    tag(a, b) || tag(b, a)
}

/// Whether two names differ by separators alone, or by one letter of one word: not in a number, and no plural.
fn slip(a: &str, b: &str) -> bool {
    let plain = |name: &str| name.replace(['-', '.'], "");
    let apart = |name: &str| name.split(['-', '.']).map(str::to_owned).collect::<Vec<_>>();
    let (left, right) = (apart(a), apart(b));
    let mut other = left.iter().zip(&right).filter(|(a, b)| a != b);
    let word = |a: &str, b: &str| {
        let letters = |word: &str| word.len() >= 4 && word.bytes().all(|b| b.is_ascii_lowercase());
        let plural = a.strip_suffix('s') == Some(b) || b.strip_suffix('s') == Some(a);
        letters(a) && letters(b) && !plural && strsim::osa_distance(a, b) == 1
    };
    let one = match (other.next(), other.next()) {
        (Some((a, b)), None) => left.len() == right.len() && word(a, b),
        _ => false,
    };
    one || plain(a) == plain(b)
}

/// `configmap-missing`
pub fn configmap_missing(recipe: &Recipe, out: &mut Findings) {
    for object in &recipe.here {
        let mut needed: Vec<(&str, &Node)> = Vec::new();
        let pods: Vec<&[Volume]> = match object.graph() {
            Some(graph) => graph.components.iter().map(|c| &*c.volumes).collect(),
            None => object.workload().map(|w| &*w.volumes).into_iter().collect(),
        };
        for volume in pods.into_iter().flatten() {
            let Some(map) = volume.node.get("configMap") else { continue };
            let optional = map.get("optional").and_then(Node::as_bool) == Some(true);
            if let (Some(name), false) = (map.get("name"), optional)
                && let Some(text) = name.as_text().filter(|t| !t.contains(['$', '<', '{']))
                && !needed.iter().any(|(n, _)| *n == text)
            {
                needed.push((text, name));
            }
        }
        for (name, node) in needed {
            let there = recipe.around.has("ConfigMap", name);
            // Made by a controller, by kustomize, or by the cluster.
            if there || name.starts_with("kube-") || recipe.around.any("Kustomization") {
                continue;
            }
            out.report(
                node.span,
                format!("ConfigMap `{name}` is not among these manifests"),
                "the pod waits in ContainerCreating until it exists",
            )
            .subject(name)
            .help("add the ConfigMap to the recipe, or mark the volume `optional: true`")
            .emit();
        }
    }
}

/// Where a container can find files that no image brings: mount path and the volume behind it.
pub(super) fn provided<'a>(
    container: &'a Container,
    volumes: &'a [Volume],
    path: &str,
) -> Option<(&'a Mount, Option<&'a Volume>)> {
    let covering = container.mounts.iter().filter(|mount| mount.covers(path));
    let mount = covering.max_by_key(|m| m.path.as_ref().map_or(0, |p| p.value.len()))?;
    Some((mount, volumes.iter().find(|v| v.name.value == mount.name.value)))
}

/// `a/./b/../c` without the dots; `None` when it climbs above the root.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// A path as the process will open it.
fn absolute(service: &Service, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return normal(path);
    }
    let directory = service.component.main.working_dir.as_ref()?.as_text()?;
    normal(&format!("{directory}/{path}"))
}

/// `config-file-missing`
pub fn config_file_missing(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.engine_container == "main") {
        for config in &service.configs {
            if config.path.is_empty() || config.content.known().is_some() || config.problem.is_some() {
                continue;
            }
            let Some(path) = absolute(service, &config.path) else { continue };
            if provided(&service.component.main, &service.component.volumes, &path).is_some() {
                not_in_config_map(deployment, service, (&path, config.span, &config.flag), out);
            } else {
                elsewhere(deployment, service, (&path, config.span, &config.flag), out);
            }
        }
    }
    // What else is read from a ConfigMap: templates, chat templates, schemas, settings of planners and global routers.
    for service in &deployment.services {
        for flag in service.args().iter().flat_map(|args| &args.flags) {
            let engine = service.framework.is_some() && service.configs.iter().any(|c| c.flag == flag.name);
            let Some(word) = flag.value().filter(|_| !engine) else { continue };
            if let Some(path) = word.as_known().filter(|path| path.starts_with('/')).and_then(normal) {
                let named = (path.as_str(), word.span(), flag.name.as_str());
                not_in_config_map(deployment, service, named, out);
                // What is written need not be there yet.
                let read = matches!(flag.name.as_str(), "--config" | "--chat-template" | "--custom-jinja-template");
                if read && provided(&service.component.main, &service.component.volumes, &path).is_none() {
                    elsewhere(deployment, service, named, out);
                }
            }
        }
    }
}

/// A file that would be a key of a ConfigMap that is mounted there, and is none: the path, where it is named, and by what.
fn not_in_config_map(
    deployment: &Deployment,
    service: &Service,
    (path, span, flag): (&str, Span, &str),
    out: &mut Findings,
) {
    let Some((mount, Some(volume))) = provided(&service.component.main, &service.component.volumes, path) else {
        return;
    };
    let VolumeSource::ConfigMap(name) = &volume.source else { return };
    let Some(map) = deployment.recipe.find("ConfigMap", name) else { return };
    if mount.sub_path.is_some() || volume.node.at(&["configMap", "items"]).is_some() {
        return;
    }
    let root = mount.path.as_ref().map(|p| p.value.trim_end_matches('/').to_owned()).unwrap_or_default();
    let rest = path.strip_prefix(&root).unwrap_or_default().trim_start_matches('/');
    let data = map.node.get("data").into_iter().chain(map.node.get("binaryData"));
    let keys: Vec<&str> = data.flat_map(Node::entries).map(|e| &*e.key.name).collect();
    if rest.is_empty() || keys.contains(&rest) || keys.is_empty() {
        return;
    }
    let near = keys.iter().find(|k| rest.rsplit('/').next() == Some(**k));
    let listed = keys.iter().take(6).map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    out.report(
        span,
        format!("there is no file `{path}` in `{}`", service.name),
        format!("`{root}` is ConfigMap `{name}`, which holds {listed}"),
    )
    .service(service)
    .subject(flag)
    .label(mount.path.as_ref().map_or(mount.name.span, |p| p.span), "mounted here")
    .help(match near {
        Some(key) => format!("write `{root}/{key}`"),
        None => "name a key of the ConfigMap".to_owned(),
    })
    .emit();
}

/// A config that no mount provides, while a ConfigMap that is mounted at another path, or not at all, holds a file of that
/// name.
fn elsewhere(deployment: &Deployment, service: &Service, (path, span, flag): (&str, Span, &str), out: &mut Findings) {
    let main = &service.component.main;
    let file = path.rsplit('/').next().unwrap_or_default();
    for mount in &main.mounts {
        let Some(root) = mount.path.as_ref().filter(|_| mount.sub_path.is_none()) else { continue };
        let volume = service.component.volumes.iter().find(|v| v.name.value == mount.name.value);
        let Some(VolumeSource::ConfigMap(name)) = volume.map(|v| &v.source) else { continue };
        let Some(map) = deployment.recipe.find("ConfigMap", name).filter(|m| m.data(file).is_some()) else { continue };
        let right = format!("{}/{file}", root.value.trim_end_matches('/'));
        out.report(
            span,
            format!("there is no file `{path}` in `{}`", service.name),
            format!("ConfigMap `{}` with `{file}` is mounted at `{}`", map.name, root.value),
        )
        .service(service)
        .subject(flag)
        .label(root.span, "mounted here")
        .help(format!("write `{right}`"))
        .emit();
        return;
    }
    let component = &service.component;
    let containers = || [main].into_iter().chain(&component.sidecars).chain(&component.init_containers);
    for volume in &component.volumes {
        let VolumeSource::ConfigMap(name) = &volume.source else { continue };
        let mounted = containers().any(|c| c.mounts.iter().any(|m| m.name.value == volume.name.value));
        let Some(map) = deployment.recipe.find("ConfigMap", name).filter(|m| !mounted && m.data(file).is_some()) else {
            continue;
        };
        let directory = path.strip_suffix(file).unwrap_or_default().trim_end_matches('/');
        out.report(
            span,
            format!("there is no file `{path}` in `{}`", service.name),
            format!("ConfigMap `{}` with `{file}` is a volume that nothing mounts", map.name),
        )
        .service(service)
        .subject(flag)
        .label(volume.name.span, "the volume")
        .help(format!("mount `{}` at `{directory}`", volume.name.value))
        .emit();
        return;
    }
}

/// The words of a worker that name a model by path.
fn model_path(service: &Service) -> Option<(String, Span)> {
    let names: &[&str] = match service.framework? {
        Framework::Vllm => &["--model"],
        Framework::Sglang | Framework::Trtllm => &["--model-path", "--model"],
        Framework::Mocker | Framework::Tokenspeed => return None,
    };
    let word = service.flag(names)?.value()?;
    let text = word.as_known()?;
    text.starts_with('/').then(|| (text.to_owned(), word.span()))
}

/// `model-path-not-mounted`
pub fn model_path_not_mounted(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.engine_container == "main") {
        let Some((path, span)) = model_path(service) else { continue };
        let main = &service.component.main;
        let cache = service.component.compilation_cache.is_some();
        if provided(main, &service.component.volumes, &path).is_some() || path.contains('$') {
            continue;
        }
        // A model may be baked into the image; a Hugging Face cache never is, nor is a path under a mount of a peer.
        let hub = path.contains("/models--");
        let peer = deployment
            .services
            .iter()
            .filter(|s| s.name != service.name)
            .find(|s| provided(&s.component.main, &s.component.volumes, &path).is_some());
        let storage = main.mounts.iter().find(|m| {
            let volume = service.component.volumes.iter().find(|v| v.name.value == m.name.value);
            volume.is_none_or(|v| matches!(v.source, VolumeSource::Claim(_) | VolumeSource::HostPath(_)))
        });
        // `/models-cache/x` beside a volume at `/model-cache`.
        let slip = storage.and_then(|m| m.path.as_ref()).is_some_and(|mount| {
            let root = mount.value.trim_end_matches('/');
            let depth = root.matches('/').count();
            let start: Vec<&str> = path.splitn(depth + 2, '/').take(depth + 1).collect();
            root.len() > 5 && strsim::osa_distance(&start.join("/"), root) <= 2
        });
        // Published images hold no models; what the container's own script puts there is another matter.
        let words = || workload::words(main).filter_map(Node::as_text);
        let published = storage.is_some()
            && main.image.as_ref().and_then(Node::as_text).is_some_and(|i| i.starts_with(REGISTRY))
            && !handed_over(service)
            && !["/workspace", "/opt/dynamo", "/opt/nvidia", "/tmp/", "/usr/", "/dev/"]
                .iter()
                .any(|p| path.starts_with(p))
            && !words().any(|t| ["download", "mkdir", "cp ", "ln ", "sync", "mount "].iter().any(|w| t.contains(w)));
        if !(hub || slip || published || peer.is_some()) || (storage.is_none() && peer.is_none() && cache) {
            continue;
        }
        out.report(span, format!("no volume of `{}` provides `{path}`", service.name), "the model is not in the pod")
            .service(service)
            .subject("model")
            .label_opt(storage.map(|m| m.path.as_ref().map_or(m.name.span, |p| p.span)), "storage is mounted here")
            .label_opt(
                peer.and_then(|p| provided(&p.component.main, &p.component.volumes, &path))
                    .map(|(m, _)| m.path.as_ref().map_or(m.name.span, |p| p.span)),
                "another service mounts it here",
            )
            .help("mount the model's volume at the path, or write the path under the mount")
            .emit();
    }
    unseen_by_frontends(deployment, out);
}

/// From 0.7 on a frontend reads tokenizer and templates at the worker's path (ai-dynamo/dynamo#3659), or downloads what has the
/// model's name; from 1.5 on workers hand them over unasked (#11417).
fn unseen_by_frontends(deployment: &Deployment, out: &mut Findings) {
    let handed = |s: &Service| {
        s.env.vars.iter().any(|v| v.name == "DYN_SELF_HOST_METADATA" || v.name.starts_with("MODEL_EXPRESS"))
    };
    let seen = |s: &Service, path: &str| provided(&s.component.main, &s.component.volumes, path).is_some();
    let found = deployment.workers().filter(|s| s.engine_container == "main" && !handed(s)).find_map(|s| {
        let (path, at) = model_path(s)?;
        // What lies in a Hugging Face cache can be downloaded.
        (seen(s, &path) && !path.contains('$') && !path.contains("/models--")).then_some((path, at))
    });
    let Some((path, at)) = found else { return };
    for service in deployment.role(Role::Frontend) {
        let read = service.version().is_some_and(|v| v >= Version::new(0, 7) && v < Version::new(1, 5));
        let own = service.flag(&["--model-path"]).is_some() || handed(service) || service.process.is_none();
        if !read || own || seen(service, &path) {
            continue;
        }
        out.report(
            service.span,
            format!("`{}` does not see the tokenizer in `{path}`", service.name),
            "no volume there: it downloads what Hugging Face has under the model's name, or the model never appears",
        )
        .service(service)
        .subject("model")
        .severity(Severity::Advice)
        .label(at, "the worker's model lies in a volume")
        .help("mount the volume at the same path, or from 1.2 on give the worker `DYN_SELF_HOST_METADATA=true`")
        .emit();
    }
}

/// `hf-home-not-mounted`
pub fn hf_home_not_mounted(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        if service.role.is_worker()
            && service.engine_container == "main"
            && !deployment.recipe.around.any("Kustomization")
        {
            offline(service, out);
            gated(service, out);
        }
        let Some(var) = service.env.get("HF_HOME") else { continue };
        let Some(path) = var.known().map(|t| t.as_str().trim_end_matches('/').to_owned()) else { continue };
        if !path.starts_with('/') || service.component.main.image.is_none() || service.process.is_none() {
            continue;
        }
        if provided(&service.component.main, &service.component.volumes, &path).is_some() {
            continue;
        }
        // A home directory is there in every image and writable.
        if ["/home/", "/root/", "/tmp/"].iter().any(|home| path.starts_with(home)) && !service.role.is_worker() {
            continue;
        }
        // Only where the graph shows that the path is meant to be a volume.
        let Some((peer, mount)) = deployment.services.iter().filter(|s| s.name != service.name).find_map(|s| {
            let same = s.env.known("HF_HOME").is_some_and(|t| t.as_str().trim_end_matches('/') == path);
            let (mount, _) = provided(&s.component.main, &s.component.volumes, &path).filter(|_| same)?;
            Some((s, mount))
        }) else {
            continue;
        };
        // The same volume at another path is meant for this.
        let here = service.component.main.mounts.iter().find(|m| m.name.value == mount.name.value);
        let here = here.and_then(|m| m.path.as_ref());
        let severity = if service.role.is_worker() || here.is_some() { Severity::Warning } else { Severity::Advice };
        out.report(
            service.span,
            format!("`{}` has `HF_HOME={path}` but no volume there", service.name),
            "nothing is mounted at this path: what is fetched is lost, and the directory may not be writable",
        )
        .service(service)
        .subject("HF_HOME")
        .severity(severity)
        .label_opt(var.winner().span, "set here")
        .label_opt(here.map(|path| path.span), "the volume is mounted here")
        .label(
            mount.path.as_ref().map_or(mount.name.span, |p| p.span),
            format!("`{}` mounts a volume there", peer.name),
        )
        .help(format!("mount the same volume at `{path}`"))
        .emit();
    }
}

/// Whether something else may bring the model: a container before it, ModelExpress, a loader of another kind.
fn handed_over(service: &Service) -> bool {
    !service.component.init_containers.is_empty()
        || service.env.vars.iter().any(|v| v.name.starts_with("MODEL_EXPRESS"))
        || service.flag(&["--load-format"]).is_some()
}

/// The model that a worker in an image without models has to fetch from the hub, where nothing could hold it.
fn fetched(service: &Service) -> Option<Said<'_>> {
    let main = &service.component.main;
    let model = model_names(service).and_then(|names| said(service, names))?;
    let published = main.image.as_ref().and_then(Node::as_text).is_some_and(|i| i.starts_with(REGISTRY));
    let storage = |m: &Mount| {
        let volume = service.component.volumes.iter().find(|v| v.name.value == m.name.value);
        let config = volume.is_some_and(|v| matches!(v.source, VolumeSource::ConfigMap(_) | VolumeSource::Secret(_)));
        !config && m.path.as_ref().is_none_or(|p| p.value != "/dev/shm")
    };
    let mut words = workload::words(main).filter_map(Node::as_text);
    let other = model.text.split('/').count() != 2
        || model.text.starts_with(['/', '.', '~'])
        || !published
        || main.mounts.iter().any(storage)
        || handed_over(service)
        || service.component.experimental.is_some()
        || words.any(|word| word.contains("download"));
    (!other).then_some(model)
}

/// A worker that may not ask the hub, in an image without models, with nothing that could hold one.
fn offline(service: &Service, out: &mut Findings) {
    let Some(var) = service.env.get("HF_HUB_OFFLINE").filter(|v| v.written()) else { return };
    let on = var.known().is_some_and(|v| ["1", "true", "yes", "on"].iter().any(|on| v.eq_ignore_ascii_case(on)));
    let Some(model) = Some(service).filter(|_| on).and_then(fetched) else { return };
    let at = var.winner().name_span.or(var.winner().span).unwrap_or(service.span);
    out.report(
        at,
        format!("`{}` may not fetch `{}` and has no volume with it", service.name, model.text),
        "the worker exits",
    )
    .service(service)
    .subject("HF_HUB_OFFLINE")
    .label(model.value, "looked for in a cache that is empty")
    .help("mount the volume with the model and set `HF_HOME` to it, or remove `HF_HUB_OFFLINE`")
    .emit();
}

/// A worker that fetches what the hub hands out to those only who have accepted its terms, and says not who it is.
fn gated(service: &Service, out: &mut Findings) {
    const GATED: [&str; 4] = ["meta-llama/Llama-3", "meta-llama/Meta-Llama-3", "google/gemma-2-", "google/gemma-3-"];
    let main = &service.component.main;
    let known = service.env.open.is_none();
    let tells =
        |name: &str| name.contains("TOKEN") || name.starts_with("HF_") && name != "HF_HOME" || name.contains("OFFLINE");
    let Some(model) = Some(service).filter(|_| known).and_then(fetched) else { return };
    let mut words = workload::words(main).filter_map(Node::as_text);
    if !GATED.iter().any(|start| model.text.starts_with(start))
        || service.env.vars.iter().any(|var| tells(&var.name))
        || words.any(|word| word.contains("login") || word.contains("HF_TOKEN"))
    {
        return;
    }
    out.report(
        model.value,
        format!("`{}` fetches `{}` without a token", service.name, model.text),
        "the repository is gated: the hub answers 401, and the worker exits",
    )
    .service(service)
    .subject("HF_TOKEN")
    .help("take `HF_TOKEN` from a Secret: `envFromSecret: hf-token-secret`, or `envFrom` of the container")
    .emit();
}

/// `cache-outside-volume`
pub fn cache_outside_volume(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.engine_container == "main") {
        let Some(var) = service.env.get("HF_HOME").or_else(|| service.env.get("HF_HUB_CACHE")) else { continue };
        let Some(path) =
            var.known().map(|t| t.as_str().trim_end_matches('/').to_owned()).filter(|p| p.starts_with('/'))
        else {
            continue;
        };
        let main = &service.component.main;
        let volumes = &service.component.volumes;
        if provided(main, volumes, &path).is_some() || model_path(service).is_some() {
            continue;
        }
        // One claim, by its name or place meant for models; what an engine compiles has its own.
        let compiled = service.component.compilation_cache.as_ref().map(|(claim, _)| &claim.value);
        let claims: Vec<&Mount> = main
            .mounts
            .iter()
            .filter(|m| match volumes.iter().find(|v| v.name.value == m.name.value) {
                Some(volume) => matches!(volume.source, VolumeSource::Claim(_)),
                None => true,
            })
            .filter(|m| Some(&m.name.value) != compiled)
            .collect();
        let says = |m: &Mount, words: &[&str]| {
            let at = m.path.as_ref().map(|p| p.value.to_ascii_lowercase()).unwrap_or_default();
            words.iter().any(|w| m.name.value.to_ascii_lowercase().contains(w) || at.contains(w))
        };
        // Beside other claims, the one that says models.
        let models: Vec<&Mount> = claims.iter().copied().filter(|m| says(m, &["model", "hugging"])).collect();
        let (([claim], _) | (_, [claim])) = (&claims[..], &models[..]) else { continue };
        let Some(at) = claim.path.as_ref().filter(|_| says(claim, &["model", "cache", "hugging", "hf"])) else {
            continue;
        };
        // The mount may lie inside the cache (`…/hub`).
        if at.value.starts_with(&format!("{path}/")) {
            continue;
        }
        out.report(
            var.winner().span.unwrap_or(service.span),
            format!("the model cache of `{}` lies outside its volume", service.name),
            format!("`{}` is `{path}`, and the volume is mounted at `{}`", var.name, at.value),
        )
        .service(service)
        .subject(var.name.clone())
        .label(at.span, "the volume")
        .help(format!("write `{}`, or mount the volume at `{path}`", at.value))
        .emit();
    }
}

/// Where Dynamo's own images look for models of the Hub when nothing tells them: in the home of their user.
pub(super) fn default_cache(service: &Service) -> Option<String> {
    const PLACES: [&str; 7] = [
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_CACHE",
        "XDG_CACHE_HOME",
        "HOME",
        "MODEL_EXPRESS_URL",
    ];
    let main = &service.component.main;
    let stock = main.image.as_ref().and_then(Node::as_text)?.starts_with("nvcr.io/nvidia/ai-dynamo/");
    let told = PLACES.iter().any(|name| service.env.get(name).is_some())
        || service.flag(&["--download-dir", "--load-format", "--model-express-url"]).is_some()
        || service.args_open()
        || main.env_from.iter().any(|from| !from.secret)
        || super::jobs::texts(main).any(|(text, _)| ["HF_HOME", "download", "ln -s"].iter().any(|w| text.contains(w)));
    // A model of the Hub is named `org/name`.
    let names: &[&str] = &["--model", "--model-path"];
    let model = service.flag(names)?.value()?;
    let hub = model.as_known().is_some_and(|m| m.split('/').count() == 2 && !m.starts_with(['/', '.', '$']));
    (stock && hub && !told && service.at_least(0, 7)).then(|| "/home/dynamo/.cache/huggingface".to_owned())
}

/// `model-snapshot-path`
pub fn model_snapshot_path(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let Some((path, span)) = model_path(service) else { continue };
        let Some((_, rest)) = path.split_once("/models--") else { continue };
        let mut parts = rest.split('/');
        let (Some(model), Some("snapshots"), Some(hash)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if hash.len() != 40 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            continue;
        }
        let id = model.replacen("--", "/", 1);
        out.report(
            span,
            format!("`{}` names one snapshot of a Hugging Face cache", service.name),
            "not there where the download fetches another revision",
        )
        .service(service)
        .subject("model")
        .help(format!(
            "write `{id}` and point `HF_HOME` at the cache; pin with `--revision {}…` if need be",
            &hash[..8]
        ))
        .emit();
    }
}
