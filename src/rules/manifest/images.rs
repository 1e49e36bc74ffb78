//! Images that do not fit, or that nobody else can pull.

use crate::finding::Severity;
use crate::manifest::{ComponentType, Container, GraphKind, Image};
use crate::resolve::{Deployment, Framework, Recipe, Role, Service, Version};
use crate::rules::published::REGISTRY;
use crate::rules::{Findings, workload};
use crate::source::Span;
use crate::yaml::Node;

/// What an image of NVIDIA's own naming holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Engine(Framework),
    Planner,
    Frontend,
}

fn holds(image: &str) -> Option<Holds> {
    Some(match Image::cut(image).name() {
        "vllm-runtime" | "vllm-runtime-xpu" => Holds::Engine(Framework::Vllm),
        "sglang-runtime" => Holds::Engine(Framework::Sglang),
        "tensorrtllm-runtime" | "trtllm-runtime" => Holds::Engine(Framework::Trtllm),
        "dynamo-planner" => Holds::Planner,
        "dynamo-frontend" => Holds::Frontend,
        _ => return None,
    })
}

/// `image-missing`
pub fn image_missing(deployment: &Deployment, out: &mut Findings) {
    if deployment.graph.kind == GraphKind::RequestOverride {
        return;
    }
    // Where no component has one, the file is a part of something that sets them.
    let some = deployment.services.iter().any(|s| s.component.main.image.is_some());
    for service in deployment.services.iter().filter(|_| some) {
        let component = &service.component;
        if component.main.image.is_none() && component.component_type == ComponentType::Unset {
            orphan(deployment, service, out);
        }
        // A command shows that the container is meant to be whole here.
        let Some(process) = service.process.as_ref().filter(|p| !p.implied && service.engine_container == "main")
        else {
            continue;
        };
        if component.main.image.is_some() || component.main.node.is_none() {
            continue;
        }
        out.report(
            process.module.span,
            format!("`{}` has no image", service.name),
            "the operator knows none to put in, and Kubernetes refuses a container without one",
        )
        .service(service)
        .subject("image")
        .help("give the main container the image of the others")
        .emit();
    }
}

/// A component that a patch brings into a graph which has none of that name: what was meant has another.
fn orphan(deployment: &Deployment, service: &Service, out: &mut Findings) {
    let graph = &deployment.graph;
    let from_patch = |name: Span| name.file != graph.object.file;
    let name = &service.component.name;
    let own = graph.components.iter().filter(|c| !from_patch(c.name.span)).map(|c| c.name.value.as_str());
    let own: Vec<&str> = own.collect();
    if !from_patch(name.span) || own.is_empty() {
        return;
    }
    let near = own.iter().find(|own| strsim::osa_distance(own, &name.value) <= 2);
    out.report(
        name.span,
        format!("the patch adds a component `{}` to the graph `{}`", name.value, graph.object.name),
        "no component of this name to patch: a new one without image and type",
    )
    .service(service)
    .subject("name")
    .help(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("patch one of {}", own.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
    })
    .emit();
}

/// The virtual environment that images of vLLM had before they were built on the engine's own (1.3: ai-dynamo/dynamo#7648,
/// aws-samples/aws-do-eks#38).
fn without_venv(deployment: &Deployment, service: &Service, out: &mut Findings) {
    const VENV: &str = "/opt/dynamo/venv/bin/";
    let main = &service.component.main;
    for node in workload::words(main) {
        let Some(text) = node.as_text().filter(|text| text.contains(VENV)) else { continue };
        // Who asks first, or goes on without it, is safe.
        let strict = text.contains("set -e") || text.contains("activate &&");
        let guarded =
            ["-f /opt", "-d /opt", "-e /opt", "||", "uv venv", "-m venv", "if "].iter().any(|w| text.contains(w));
        let at = text.match_indices(VENV).map(|(at, _)| at).find(|at| {
            let rest = &text[at + VENV.len()..];
            rest.starts_with("python") && !text[..*at].ends_with([':', '=']) || rest.starts_with("activate") && strict
        });
        let (Some(at), Some(text)) = (at.filter(|_| !guarded), deployment.recipe.text(node)) else { continue };
        let span = text.slice_span(at..at + VENV.len() - 1);
        out.report(
            span,
            format!("the image of `{}` has no `/opt/dynamo/venv`", service.name),
            "gone with 1.3: no such file",
        )
        .service(service)
        .subject("venv")
        .help("start `python3` without a path: Dynamo is installed for it")
        .emit();
        return;
    }
}

/// An engine's own image, which has nothing of Dynamo's, under a process of Dynamo's that nothing installs.
fn engines_own(service: &Service, image: &str, at: Span, out: &mut Findings) -> bool {
    const OWN: [&str; 3] = ["vllm/vllm-openai", "lmsysorg/sglang", "nvcr.io/nvidia/tensorrt-llm/release"];
    let repository = Image::cut(image).repository;
    let main = &service.component.main;
    let process = service.process.as_ref().filter(|p| !p.implied && p.module.value.starts_with("dynamo."));
    // Somebody may bring Dynamo along: a script, a volume, another container, a path of one's own.
    let mut words = workload::words(main).filter_map(Node::as_text);
    let brings = words.any(|word| word.contains("install") || word.contains("/venv") || word.contains("PYTHONPATH"))
        || !service.component.init_containers.is_empty()
        || ["PYTHONPATH", "PATH"].iter().any(|name| service.env.get(name).is_some_and(|v| v.written()));
    let (Some(process), true) = (process, OWN.contains(&repository) && !brings) else { return false };
    out.report(
        at,
        format!("`{}` runs `{}` in the image `{repository}`", service.name, process.module.value),
        "no Dynamo in there",
    )
    .service(service)
    .subject("image")
    .label(process.module.span, "no module of this name")
    .help("use the runtime image of Dynamo for this engine")
    .emit();
    true
}

/// `image-framework-mismatch`
pub fn image_framework_mismatch(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let Some(image) = service.image.known() else { continue };
        let Some(node) = &service.component.main.image else { continue };
        if engines_own(service, image, node.span, out) {
            continue;
        }
        let Some(held) = holds(image) else { continue };
        let name = Image::cut(image).name();
        if held == Holds::Engine(Framework::Vllm) && service.at_least(1, 3) {
            without_venv(deployment, service, out);
        }
        if planner(service, held) {
            // Until 1.0 the planner came with the engine images.
            if service.below(1, 1) {
                continue;
            }
            out.report(
                node.span,
                format!("`{}` is a planner in the image `{name}`", service.name),
                "engine images carry no planner dependencies since Dynamo 1.1",
            )
            .service(service)
            .subject("image")
            .severity(if service.at_least(1, 1) { Severity::Warning } else { Severity::Advice })
            .help("use `dynamo-planner` of the same release")
            .emit();
            continue;
        }
        let picker = service.component.component_type == ComponentType::Epp && service.launch.command_implied;
        if picker && matches!(held, Holds::Engine(_) | Holds::Planner) {
            out.report(
                node.span,
                format!("`{}` is an endpoint picker in the image `{name}`", service.name),
                "the picker is not in there",
            )
            .service(service)
            .subject("image")
            .help("use `dynamo-frontend` of the same release, which brings it")
            .emit();
            continue;
        }
        let Some(process) = service.process.as_ref().filter(|p| !p.implied) else { continue };
        let wrong = match (service.framework, held) {
            (Some(wanted @ (Framework::Vllm | Framework::Sglang | Framework::Trtllm)), Holds::Engine(has)) => {
                wanted != has
            }
            (Some(Framework::Vllm | Framework::Sglang | Framework::Trtllm), Holds::Planner | Holds::Frontend) => true,
            _ => false,
        };
        if !wrong || !service.role.is_worker() {
            continue;
        }
        out.report(
            node.span,
            format!("`{}` runs `{}` in the image `{name}`", service.name, process.module.value),
            "the module's engine is not installed there",
        )
        .service(service)
        .subject("image")
        .label(process.module.span, "what is started")
        .help(match service.framework {
            Some(Framework::Trtllm) => "use `tensorrtllm-runtime`".to_owned(),
            Some(f) => format!("use `{}-runtime`", f.as_str()),
            None => "use the engine's own image".to_owned(),
        })
        .emit();
    }
}

fn planner(service: &Service, held: Holds) -> bool {
    // Started as `planner_sla` it is of a release before 1.0.
    let starts = match service.module() {
        Some(module) => matches!(module, "dynamo.planner" | "dynamo.global_planner"),
        None => service.role == Role::Planner && service.component.component_type == ComponentType::Planner,
    };
    starts && matches!(held, Holds::Engine(_))
}

/// Registries and organisations that only NVIDIA's own network can pull from.
const INTERNAL: [&str; 6] = [
    "gitlab-master.nvidia.com",
    "urm.nvidia.com/",
    "nvcr.io/nvidian/",
    "nvcr.io/nvstaging/",
    "nvcr.io/nv-",
    "artifactory.nvidia.com",
];

/// That of an image that nobody else can pull.
pub(super) fn internal(image: &str) -> Option<&'static str> {
    INTERNAL.into_iter().find(|prefix| image.starts_with(prefix))
}

/// `image-private`
pub fn image_private(recipe: &Recipe, out: &mut Findings) {
    for (owner, image, login) in images(recipe) {
        let Some(reference) = image.as_text() else { continue };
        let reference = reference.trim();
        if let Some(prefix) = internal(reference) {
            out.report(
                image.span,
                format!("the image of `{owner}` lies in an internal registry"),
                format!("`{}` cannot be pulled from outside", prefix.trim_end_matches('/')),
            )
            .subject(owner.clone())
            // Whoever names a secret for it can pull it.
            .severity(if login { Severity::Advice } else { Severity::Warning })
            .help(format!("use a published image, e.g. from `{REGISTRY}/`"))
            .emit();
        } else if let Some(user) = personal(reference) {
            out.report(
                image.span,
                format!("the image of `{owner}` is a personal one of `{user}`"),
                "a private build on Docker Hub: nobody answers for its content or keeps it",
            )
            .subject(owner.clone())
            .severity(Severity::Advice)
            .help(format!("use a published image, e.g. from `{REGISTRY}/`"))
            .emit();
        }
    }
}

/// The Docker Hub account of an image that carries Dynamo's name but is not NVIDIA's.
fn personal(image: &str) -> Option<&str> {
    let path = image.strip_prefix("docker.io/").or_else(|| image.strip_prefix("index.docker.io/"))?;
    let (user, name) = Image::cut(path).repository.split_once('/')?;
    let dynamo = ["dynamo", "vllm-runtime", "sglang-runtime", "trtllm-runtime"].iter().any(|n| name.contains(n));
    (dynamo && !matches!(user, "nvidia" | "library" | "vllm" | "lmsysorg") && !user.contains(['$', '<']))
        .then_some(user)
}

/// Every image, with what it is an image of, and whether its pod names secrets to pull it with.
fn images(recipe: &Recipe) -> Vec<(String, Node, bool)> {
    let mut all: Vec<(String, Node, bool)> = Vec::new();
    let mut add = |owner: &str, containers: &[Container], pod: Option<&Node>| {
        let login =
            pod.is_some_and(|pod| pod.get("imagePullSecrets").is_some_and(|list| list.items().next().is_some()));
        all.extend(containers.iter().filter_map(|c| Some((owner.to_owned(), c.image.clone()?, login))));
    };
    for object in &recipe.here {
        if let Some(graph) = object.graph() {
            for c in &graph.components {
                for list in [std::slice::from_ref(&c.main), &c.sidecars, &c.init_containers] {
                    add(&c.name.value, list, c.pod_spec.as_ref());
                }
            }
        } else if let Some(workload) = object.workload() {
            for list in [&workload.containers, &workload.init_containers] {
                add(&object.name, list, Some(&workload.spec));
            }
        }
    }
    all
}

/// Names under which NVIDIA's registry has no image, and those that were meant.
const MISNAMED: [(&str, &str); 14] = [
    ("trtllm-runtime", "tensorrtllm-runtime"),
    ("tensorrt-llm-runtime", "tensorrtllm-runtime"),
    ("tensorrt_llm-runtime", "tensorrtllm-runtime"),
    ("tensorrtllm", "tensorrtllm-runtime"),
    ("vllm", "vllm-runtime"),
    ("sglang", "sglang-runtime"),
    ("sgl-runtime", "sglang-runtime"),
    ("planner", "dynamo-planner"),
    // ai-dynamo/dynamo#8002
    ("frontend", "dynamo-frontend"),
    // The mocker comes with every engine's image (ai-dynamo/dynamo#9098).
    ("mocker-runtime", "vllm-runtime"),
    ("mocker", "vllm-runtime"),
    ("dynamo-vllm", "vllm-runtime"),
    ("dynamo-sglang", "sglang-runtime"),
    ("dynamo-trtllm", "tensorrtllm-runtime"),
];

/// Images that NVIDIA publishes there.
const PUBLISHED: [&str; 5] =
    ["vllm-runtime", "sglang-runtime", "tensorrtllm-runtime", "dynamo-frontend", "dynamo-planner"];

/// The repository of an image that nobody publishes, and the name of the one that was meant.
fn misnamed(image: &str) -> Option<(&str, &'static str)> {
    let image = Image::cut(image);
    let (path, (place, name)) = (image.repository, image.place());
    if place == REGISTRY {
        if let Some((_, right)) = MISNAMED.iter().find(|(wrong, _)| *wrong == name) {
            return Some((path, right));
        }
        if PUBLISHED.contains(&name) {
            return None;
        }
        // `sglang-runtim`, `dynamo-vllm-runtime`, `vllm-runtime1.3.0`
        let slip = |right: &&&str| {
            let rest = name.strip_prefix(**right).unwrap_or_default();
            (name.len().abs_diff(right.len()) < 2 && strsim::osa_distance(name, right) == 1)
                || name.strip_prefix("dynamo-") == Some(**right)
                || (!rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        };
        return PUBLISHED.iter().find(slip).map(|right| (path, *right));
    }
    // `ncvr.io/nvidia/ai-dynamo/…`, `nvcr.io/ai-dynamo/…`, `nvcr.io/nvidia/…`
    let right = PUBLISHED.iter().find(|right| **right == name)?;
    let (host, rest) = place.split_once('/')?;
    let (right_host, right_rest) = REGISTRY.split_once('/')?;
    let near = match host == right_host {
        true => {
            matches!(rest, "ai-dynamo" | "nvidia")
                || rest == "nvidia/dynamo"
                || strsim::osa_distance(rest, right_rest) <= 2
        }
        false => rest == right_rest && strsim::osa_distance(host, right_host) <= 2,
    };
    near.then_some((path, right))
}

/// The tag to write instead of one that no release of an image has: git's, the variant for EFA as another release names it, one for
/// CUDA 12, which never had a tag of its own (tags as the registry lists them: ai-dynamo/dynamo#13596;
/// `docs/reference/release-artifacts.md`, 1.0 to 1.3). Builds with a name of their own (`1.4.0-kimi-k3-dev.1`) are not judged.
fn never_tagged<'a>(name: &str, tag: &'a str) -> Option<(&'a str, &'static str)> {
    let plain = tag.trim_start_matches('v');
    let (core, variant) = plain.split_once('-').unwrap_or((plain, ""));
    // Three numbers, and nothing else.
    let version = Version::parse(core).filter(|_| core.bytes().filter(|b| *b == b'.').count() == 2)?;
    let release = (version.major, version.minor);
    let instead = match (name, variant) {
        (_, "efa-amd64") if release >= (1, 3) => "-efa",
        ("vllm-runtime" | "tensorrtllm-runtime", "efa") if ((1, 0)..(1, 2)).contains(&release) => "-efa-amd64",
        (_, "cuda12") => "",
        (_, "") if plain != tag => "",
        _ => return None,
    };
    Some((core, instead))
}

/// `image-misnamed`
pub fn image_misnamed(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let Some(node) = &service.component.main.image else { continue };
        let Some(text) = node.as_text() else { continue };
        let image = Image::cut(text);
        let known = image.place().0 == REGISTRY && PUBLISHED.contains(&image.name());
        let tag = image.tag.filter(|_| known).and_then(|tag| never_tagged(image.name(), tag));
        let (wrong, help) = if let Some((core, variant)) = tag {
            (text, format!("write `{}:{core}{variant}`", image.repository))
        } else {
            let Some((path, right)) = misnamed(text) else { continue };
            // The tag stays; of `vllm-runtime1.3.0` it is what follows the name.
            let joined = image.name().strip_prefix(right).filter(|rest| rest.contains('.'));
            let tag = image.tag.or(joined).map(|tag| format!(":{tag}")).unwrap_or_default();
            (path, format!("write `{REGISTRY}/{right}{tag}`"))
        };
        out.report(node.span, format!("there is no image `{wrong}`"), "the pod stays in ImagePullBackOff")
            .service(service)
            .subject("image")
            .help(help)
            .emit();
    }
}

/// `image-placeholder`
pub fn image_placeholder(deployment: &Deployment, out: &mut Findings) {
    let mut found = deployment.services.iter().filter_map(|s| {
        let node = s.component.main.image.as_ref()?;
        let text = node.as_text()?;
        let part = ["my-registry/", ":my-tag", "<your-registry>", "<my-tag>", "<your-tag>"]
            .iter()
            .find(|p| text.contains(**p))?;
        Some((s, node, part.trim_matches([':', '/'])))
    });
    let Some((service, node, part)) = found.next() else { return };
    let more = found.count();
    let also = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    out.report(
        node.span,
        format!("the image still has the placeholder `{part}`{also}"),
        "nothing can be pulled under this name",
    )
    .service(service)
    .subject("image")
    .help("write a real registry and tag")
    .emit();
}

#[cfg(test)]
mod tests {
    use super::misnamed;

    #[test]
    fn names_that_nobody_publishes() {
        for (image, right) in [
            ("nvcr.io/nvidia/ai-dynamo/sglang-runtim:1.3.0", "sglang-runtime"),
            ("nvcr.io/nvidia/ai-dynamo/dynamo-vllm-runtime:1.3.0", "vllm-runtime"),
            ("nvcr.io/nvidia/ai-dynamo/vllm-runtime1.3.0", "vllm-runtime"),
            ("ncvr.io/nvidia/ai-dynamo/sglang-runtime:1.3.0", "sglang-runtime"),
            ("nvcr.io/ai-dynamo/sglang-runtime:1.3.0", "sglang-runtime"),
            ("nvcr.io/nvidia/dynamo/vllm-runtime:1.3.0", "vllm-runtime"),
            ("nvcr.io/nvidia/ai-dynamo/frontend:1.3.0", "dynamo-frontend"),
            ("nvcr.io/nvidia/ai-dynamo/mocker-runtime:1.3.0", "vllm-runtime"),
        ] {
            assert_eq!(misnamed(image).map(|(_, right)| right), Some(right), "{image}");
        }
        for image in [
            "nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0",
            "nvcr.io/nvidia/ai-dynamo/vllm-runtime-xpu:1.3.0",
            "nvcr.io/nvidia/ai-dynamo/kubernetes-operator:1.3.0",
            "quay.io/ai-dynamo/vllm-runtime:1.3.0",
            "my-registry/vllm-runtime:my-tag",
            "nvcr.io/my-org/my-team/vllm-runtime:1",
        ] {
            assert_eq!(misnamed(image), None, "{image}");
        }
    }
}
