//! Options of workers against those that their release takes.

use super::flags::{catalogs, elsewhere, foreign, moved, sure};
use crate::catalog::flags::{self, Component, Leaving, Lookup, Match};
use crate::catalog::{Release, router};
use crate::command::Flag;
use crate::finding::Confidence;
use crate::manifest::Image;
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;
use crate::rules::published::{REGISTRY, runtime};

/// Programs of Dynamo's own that end on an argument that they do not know (`parse_args`).
const OWN: [&str; 5] =
    ["dynamo.mocker", "dynamo.router", "dynamo.global_router", "dynamo.global_planner", "dynamo.planner.planner_sla"];

/// The parser of a program of Dynamo's own, the frontend's apart: only where its module is seen to start.
pub(super) fn program(service: &Service) -> Option<&'static Component> {
    let process = service.process.as_ref().filter(|p| !p.implied)?;
    let module = process.module.value.as_str();
    // The planner's old command line has a rule of its own.
    let planner = module == "dynamo.planner" && process.args.last(&["--config"]).is_some();
    let own = planner || OWN.contains(&module);
    if own { flags::component(module) } else { parser(service) }
}

/// The parser of a worker's command line: only where its own module is seen to start.
pub(super) fn parser(service: &Service) -> Option<&'static Component> {
    let process = service.process.as_ref().filter(|p| !p.implied)?;
    let worker = matches!(process.module.value.as_str(), "dynamo.vllm" | "dynamo.sglang" | "dynamo.trtllm");
    worker.then(|| flags::component(&process.module.value)).flatten()
}

/// A release whose engine is the one that was read.
#[derive(Clone, Copy)]
pub(in crate::rules) struct Published {
    pub release: Release,
    /// Whether the image comes from where NVIDIA publishes it; else it is a copy by all appearances.
    pub official: bool,
}

/// The release of a worker that runs a published image as it is: no build of somebody's own, no other engine in it.
pub(in crate::rules) fn published(service: &Service, catalog: &Component) -> Option<Published> {
    let image = service.image.known().filter(|_| service.engine_container == "main")?;
    let image = Image::cut(image);
    let (tag, (registry, name)) = (image.tag?, image.place());
    let own = match service.framework.and_then(runtime) {
        Some(runtime) => name == runtime,
        // Dynamo's own programs are the same in all of its images.
        None => registry.ends_with("/ai-dynamo"),
    };
    let (core, flavour) = tag.trim_start_matches('v').split_once('-').unwrap_or((tag.trim_start_matches('v'), ""));
    let mut numbers = core.split('.').map(|n| n.parse::<u16>().ok());
    let (Some(Some(major)), Some(Some(minor)), Some(Some(_)), None) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    // `1.3.0-nemotron-dev.1` has an engine of its own.
    let plain =
        flavour.split('-').all(|w| w.is_empty() || w.starts_with("cuda") || matches!(w, "efa" | "amd64" | "arm64"));
    let release = (major, minor);
    let same = service.version().is_some_and(|v| (v.major, v.minor) == release);
    (own && plain && same && catalog.covers(release) && !altered(service))
        .then(|| Published { release, official: registry == REGISTRY })
}

/// What Google's gIB has workloads source: variables of NCCL and nothing else
/// (docs.cloud.google.com/ai-hypercomputer, "Enable NCCL/gIB").
const NCCL_SETTINGS: &str = "/gib/scripts/set_nccl_env.sh";

/// Whether something may have put another engine, or other sources of it, into the container.
fn altered(service: &Service) -> bool {
    const TOOLS: [&str; 14] =
        ["git", "patch", "sed", "cp", "mv", "ln", "rsync", "curl", "wget", "tar", "unzip", "uv", "pip", "pip3"];
    let changes = |process: &crate::command::Process| {
        let program = process.argv.get(process.program()).and_then(|w| w.as_known()).unwrap_or_default();
        let installs = process.argv.iter().any(|w| w.text.as_str() == "install");
        let sources = process.env_open.as_ref().is_some_and(|why| !why.to_string().contains(NCCL_SETTINGS));
        installs || sources || TOOLS.contains(&program.rsplit('/').next().unwrap_or_default())
    };
    let over = |path: &str| {
        // Beside the environment, recipes keep their engine configs.
        let configs = path.trim_end_matches('/').rsplit('/').next().is_some_and(|last| last.ends_with("configs"));
        !(configs && path.starts_with("/opt/dynamo/"))
            && ["/workspace", "/opt/dynamo", "/opt/vllm", "/sgl-workspace", "/usr/local/lib"]
                .iter()
                .any(|p| path.starts_with(p))
            || path.contains("-packages")
    };
    let mounts = &service.component.main.mounts;
    service.launch.processes.iter().any(changes)
        || !service.launch.errors.is_empty()
        || service.env.get("PYTHONPATH").is_some_and(|v| v.written())
        || mounts.iter().any(|m| m.path.as_ref().is_some_and(|p| over(&p.value)))
}

/// What a release makes of an option's name.
pub(super) enum Name {
    /// An option of it.
    Fine(Match),
    /// It has lost the option.
    Gone(Release),
    /// It does not have the option yet.
    NotYet(Release),
    /// No release has it.
    Unknown,
    /// Nothing can be said for certain.
    Open,
}

/// What the worker of TensorRT-LLM takes keys of the engine's config behind, from 1.1 on, and no other dotted name. The value is
/// a word of its own: with `=` it becomes a part of the key (`parse_dynamic_flags` of `dynamo/trtllm/dynamic_flags.py`).
const DYNAMIC: &str = "--trtllm.";

/// Judges a name as written.
pub(super) fn name(catalog: &'static Component, written: &str, release: Release) -> Name {
    // A name with an expansion is not known.
    if written.contains(['$', '{', '<', '`']) || !written.starts_with("--") || written.len() < 4 {
        return Name::Open;
    }
    // Keys of JSON options are taken as they come.
    match (written.contains('.'), written.starts_with(DYNAMIC), catalog.name) {
        (false, ..) => {}
        (true, true, "dynamo-trtllm") if release < (1, 1) => return Name::NotYet((1, 1)),
        (true, false, "dynamo-trtllm") => return Name::Unknown,
        _ => return Name::Open,
    }
    match catalog.find_in(written, release) {
        Lookup::Found(found) => return Name::Fine(found),
        // Two parsers read a worker's command line: which one is asked first is known for the engine's own options only.
        Lookup::Ambiguous(names) if names.iter().any(|n| catalog.flag(n).is_none_or(|m| !m.flag.env.is_empty())) => {
            return Name::Open;
        }
        _ => {}
    }
    match catalog.find(written) {
        Lookup::Found(found) if found.abbreviated => Name::Open,
        Lookup::Found(found) => match (catalog.next(&found, release), catalog.removed(&found)) {
            (Some(first), _) => Name::NotYet(first),
            (None, Some(gone)) if gone <= release => Name::Gone(gone),
            _ => Name::Open,
        },
        Lookup::Ambiguous(_) => Name::Open,
        Lookup::Unknown => Name::Unknown,
    }
}

fn shown((major, minor): Release) -> String {
    format!("{major}.{minor}")
}

/// Long options of a worker's own command line.
fn options(service: &Service) -> impl Iterator<Item = &Flag> {
    service.args().into_iter().flat_map(|a| &a.flags).filter(|f| f.name.starts_with("--"))
}

/// `unknown-worker-flag`
pub fn unknown_worker_flag(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let Some(catalog) = program(service) else { continue };
        let Some(published) = published(service, catalog) else { continue };
        let module = service.module().unwrap_or_default();
        for flag in options(service) {
            let unknown = "it exits on an unknown argument";
            let (message, label, help) = match name(catalog, &flag.name, published.release) {
                // `router-env-on-worker` says where it belongs.
                Name::NotYet(_) | Name::Unknown
                    if service.framework.is_some() && router::knob(&flag.name.replacen("--no-", "--", 1)).is_some() =>
                {
                    continue;
                }
                Name::NotYet(first) => (
                    format!("`{module}` {} has no `{}` yet", shown(published.release), flag.name),
                    unknown,
                    format!("use an image of {} or later, or drop it", shown(first)),
                ),
                // `misspelled-worker-flag` and `removed-worker-flag` say what was meant.
                Name::Unknown
                    if slip(service, catalog, &flag.name) || flags::leaving(catalog.name, &flag.name).is_some() =>
                {
                    continue;
                }
                Name::Open if catalog.name == "dynamo-trtllm" && flag.joined && flag.name.starts_with(DYNAMIC) => (
                    format!("the value of `{}` becomes a part of the key", flag.name),
                    "it exits: no value",
                    "write the value as a word of its own, without `=`".to_owned(),
                ),
                Name::Unknown => (
                    format!("`{module}` has no `{}`", flag.name),
                    unknown,
                    match (foreign(&flag.name, catalog), catalog.nearest(&flag.name)) {
                        (Some(of), _) => moved(of),
                        _ if flag.name.contains('.') && published.release >= (1, 1) => {
                            format!("write `{DYNAMIC}{}`, with the value as a word of its own", &flag.name[2..])
                        }
                        _ if flag.name.contains('.') => "write the key into `--override-engine-args`".to_owned(),
                        (None, Some(near)) => format!("did you mean `{near}`?"),
                        (None, None) => "drop it".to_owned(),
                    },
                ),
                _ => continue,
            };
            out.report(flag.span, message, label)
                .service(service)
                .subject(flag.name.clone())
                .confidence(if published.official { Confidence::Certain } else { Confidence::Likely })
                .help(help)
                .emit();
        }
    }
}

/// Whether `misspelled-worker-flag` is sure of what was meant.
fn slip(service: &Service, catalog: &Component, written: &str) -> bool {
    if catalogs(service).is_empty() {
        return false;
    }
    elsewhere(written, service.framework).is_some() || catalog.nearest(written).is_some_and(|near| sure(written, &near))
}

/// Where an option of this worker went, and when, as far as its release is sure to lack it.
pub(super) struct Removed {
    pub since: Release,
    pub now: Option<&'static str>,
    pub official: bool,
}

/// Tells whether a worker's release has lost an option; none where nothing is known of its options.
pub(super) fn removed(service: &Service) -> Option<impl Fn(&str) -> Option<Removed>> {
    let catalog = catalogs(service).first().copied()?;
    // Asked once a worker: it looks at all that the container starts and mounts.
    let read = parser(service).and_then(|parser| Some((parser, published(service, parser)?)));
    Some(move |written: &str| {
        let row = flags::leaving(catalog.name, written);
        let now = row.map(Leaving::now);
        // What Dynamo took away itself is gone whatever the engine is; what went with 1.0 or before, from every release that
        // is still supported.
        if let Some(since) = row.and_then(|r| r.gone)
            && service.at_least(since.0, since.1)
        {
            return Some(Removed { since, now, official: true });
        }
        let (parser, published) = read?;
        match name(parser, written, published.release) {
            Name::Gone(since) => Some(Removed { since, now, official: published.official }),
            _ => None,
        }
    })
}

/// `deprecated-worker-flag`
pub fn deprecated_worker_flag(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let Some(catalog) = parser(service) else { continue };
        let Some(published) = published(service, catalog) else { continue };
        for flag in options(service) {
            let Some(row) = flags::leaving(catalog.name, &flag.name) else { continue };
            let Some(since) = row.deprecated.filter(|since| *since <= published.release) else { continue };
            let Name::Fine(found) = name(catalog, &flag.name, published.release) else { continue };
            if found.abbreviated {
                continue;
            }
            let later =
                catalog.removed(&found).map_or_else(String::new, |gone| format!(", and {} exits on it", shown(gone)));
            out.report(
                flag.span,
                format!("`{}` is on its way out", flag.name),
                format!("deprecated since {}{later}", shown(since)),
            )
            .service(service)
            .subject(flag.name.clone())
            .help(row.now())
            .emit();
        }
    }
}
