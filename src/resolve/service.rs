//! One component, resolved.

use super::env::{self, Context};
use super::role::{self, Said};
use super::{
    Env, Fabric, Framework, KvEvents, KvTransfer, Launch, Place, PodProcess, Role, Service, Sidecar, config, events,
    fabric, kv, launch, version,
};
use crate::command::{Args, Process};
use crate::manifest::{Component, ComponentType, Container};
use crate::source::{Fact, Spanned};
use crate::yaml::Node;

/// A container other than the main one, with what it starts.
struct Companion<'a> {
    container: &'a Container,
    place: Place,
    env: Env,
    launch: Launch,
}

pub(super) fn of(ctx: &Context<'_>, component: &Component) -> Service {
    let mut env = env::main(ctx, component);
    let started = launch::main(ctx, component, &env);
    let mut sidecar = None;
    let mut companions = Vec::new();
    let all = component.sidecars.iter().map(|c| (c, false)).chain(component.init_containers.iter().map(|c| (c, true)));
    for (container, init) in all {
        match &component.frontend_sidecar {
            Some(name) if !init && name.value == container.name => {
                sidecar = Some(Box::new(frontend_sidecar(ctx, component, name, container)));
            }
            _ => companions.push(companion(ctx, container, init)),
        }
    }

    let chosen = launch::choose(&started, &component.component_type);
    let elsewhere = if chosen.is_none() { engine_elsewhere(&companions, &component.component_type) } else { None };
    let (container, process_env, process) = match (&chosen, elsewhere) {
        (None, Some((companion, process))) => {
            (companion.container, Some(companion.env.clone()), launch::dynamo_process(&companion.launch, process))
        }
        _ => (&component.main, None, chosen.and_then(|p| launch::dynamo_process(&started, p))),
    };
    // A program that is no Dynamo module still has options that say what it does.
    let foreign = chosen.is_none().then(|| foreign(&started, elsewhere)).flatten();
    if let Some(other) = process_env {
        env = other;
    }
    if let Some(raw) = chosen.or(elsewhere.map(|(_, p)| p)).or(foreign.as_ref().map(|f| f.process)) {
        env.apply(raw);
    }

    let framework = match &process {
        Some(process) => role::framework(&process.module.value),
        None => foreign.as_ref().map(|f| f.framework),
    };
    let options = match (&process, &foreign) {
        (Some(process), _) => Some(process.args.clone()),
        (None, Some(foreign)) => Some(foreign.args.clone()),
        (None, None) => None,
    };
    let known_program = process.is_some() || foreign.as_ref().is_some_and(|f| f.speaks_dynamo);
    let companion_images: Vec<Fact<_>> = companions.iter().map(|c| version::image(ctx, c.container)).collect();
    let image = version::image(ctx, &component.main);
    let mut images = vec![&image];
    images.extend(&companion_images);
    let version = version::version(ctx, component, &images);

    let mut service = Service {
        name: component.name.value.clone(),
        span: component.name.span,
        role: Role::Other,
        role_span: None,
        role_known: false,
        framework,
        process,
        env: Env::default(),
        image,
        version,
        replicas: version::replicas(ctx, component),
        nodes: component.node_count.map_or(1, |n| n.value),
        gpus: version::gpus(ctx, component),
        fabric: Fabric::default(),
        kv: KvTransfer::default(),
        events: KvEvents::default(),
        configs: Vec::new(),
        sidecar,
        others: Vec::new(),
        engine_container: container.name.clone(),
        component: component.clone(),
        launch: Launch::default(),
    };
    service.fabric = fabric::of(ctx, component);
    if let (Some(framework), Some(args)) = (framework, &options) {
        service.configs = config::of(ctx, component, container, framework, args, &env);
    }
    let said = role(&service, options.as_ref(), &env, known_program);
    (service.role, service.role_span, service.role_known) = (said.role, said.span, said.known);
    if service.role.is_worker() {
        let nothing = Args::default();
        match (&options, framework) {
            (Some(args), Some(_)) => {
                service.kv = kv::of(&service, framework, args, &env);
                service.events = events::of(&service, framework, args, &env);
            }
            _ => {
                service.kv = kv::of(&service, None, &nothing, &env);
                service.events = events::of(&service, None, &nothing, &env);
            }
        }
    }
    service.env = env;
    service.launch = started;
    service.others = companions.into_iter().flat_map(processes).collect();
    service
}

fn processes(companion: Companion<'_>) -> impl Iterator<Item = PodProcess> {
    let (container, place) = (companion.container.name.clone(), companion.place);
    companion.launch.processes.into_iter().map(move |process| PodProcess {
        container: container.clone(),
        place,
        process,
    })
}

fn role(service: &Service, args: Option<&Args>, env: &Env, known_program: bool) -> Said {
    let by_type = || role::of_type(&service.component.component_type, service.component.type_span);
    if let Some(process) = &service.process {
        if let Some(said) = role::of_module(&process.module.value, process.module.span) {
            return said;
        }
        if service.framework.is_none() {
            let said = by_type();
            return Said { role: said.role, ..said };
        }
    }
    if service.component.component_type == ComponentType::Epp && service.framework.is_none() {
        return by_type();
    }
    match (service.framework, args) {
        (Some(framework), Some(args)) => {
            let said = role::of_engine(service, framework, args, env);
            if known_program || said.span.is_some() {
                said
            } else {
                Said { known: false, ..by_type_or(said, by_type()) }
            }
        }
        _ => by_type(),
    }
}

/// What a foreign program does is the type's guess when that is a worker.
fn by_type_or(said: Said, by_type: Said) -> Said {
    if by_type.role.is_worker() { by_type } else { said }
}

fn companion<'a>(ctx: &Context<'_>, container: &'a Container, init: bool) -> Companion<'a> {
    let env = env::plain(ctx, container);
    let launch = launch::plain(ctx, container, &env);
    let restarts =
        container.node.as_ref().and_then(|n| n.get("restartPolicy")).and_then(Node::as_text) == Some("Always");
    let place = if init && !restarts { Place::Init } else { Place::Sidecar };
    Companion { container, place, env, launch }
}

fn frontend_sidecar(
    ctx: &Context<'_>,
    component: &Component,
    name: &Spanned<String>,
    container: &Container,
) -> Sidecar {
    let mut env = env::frontend_sidecar(ctx, component, container);
    let launch = launch::frontend_sidecar(ctx, name.span, container, &env);
    let chosen = launch::choose(&launch, &ComponentType::Frontend);
    let process = chosen.and_then(|p| launch::dynamo_process(&launch, p));
    if let Some(chosen) = chosen {
        env.apply(chosen);
    }
    Sidecar { name: name.clone(), process, env }
}

/// An engine outside the main container: `main` may be a thin sidecar of it (reference §7.16).
fn engine_elsewhere<'a, 'b>(
    companions: &'a [Companion<'b>],
    kind: &ComponentType,
) -> Option<(&'a Companion<'b>, &'a Process)> {
    if !matches!(kind, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode | ComponentType::Other(_))
    {
        return None;
    }
    let module = |process: &Process| {
        launch::dynamo_module(process).is_some_and(|(module, _)| role::framework(&module.text).is_some())
    };
    companions
        .iter()
        .filter(|c| c.place == Place::Sidecar)
        .find_map(|c| Some((c, c.launch.processes.iter().find(|p| module(p))?)))
}

/// A program that is no Dynamo module but an engine.
struct Foreign<'a> {
    process: &'a Process,
    framework: Framework,
    args: Args,
    /// Whether it takes Dynamo's own options.
    speaks_dynamo: bool,
}

fn foreign<'a>(started: &'a Launch, elsewhere: Option<(&Companion<'_>, &Process)>) -> Option<Foreign<'a>> {
    if elsewhere.is_some() {
        return None;
    }
    started.processes.iter().rev().find_map(|process| {
        let program = launch::program_name(process)?;
        let framework = role::foreign_framework(program, &process.argv)?;
        Some(Foreign {
            process,
            framework,
            args: launch::options(process),
            speaks_dynamo: program.starts_with("dynamo-"),
        })
    })
}
