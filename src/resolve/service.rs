//! One component, resolved.

use std::sync::Arc;

use super::env::{self, Context};
use super::role::{self, Said};
use super::{
    DynamoProcess, Env, Framework, KvEvents, KvTransfer, Launch, Place, PodProcess, Role, Service, Sidecar, config,
    events, fabric, kv, launch, version,
};
use crate::command::{Args, Process};
use crate::manifest::{Component, ComponentType, Container};
use crate::source::Spanned;
use crate::yaml::Node;

/// A container other than the main one, with what it starts.
struct Companion<'a> {
    container: &'a Container,
    place: Place,
    env: Env,
    launch: Launch,
}

/// The process that decides what the service is, and where it runs.
struct Subject {
    container: String,
    process: Option<DynamoProcess>,
    framework: Option<Framework>,
    /// Options of a process that is no Dynamo module.
    args: Option<Args>,
    /// Whether those are Dynamo's own options.
    speaks_dynamo: bool,
    env: Env,
}

pub(super) fn of(ctx: &Context<'_>, component: &Arc<Component>) -> Service {
    let mut env = env::main(ctx, component);
    ctx.options.cluster.running.decide(ctx.graph, component, &mut env);
    let started = launch::main(ctx, component, &env);
    let mut sidecar = None;
    let mut companions = Vec::new();
    let all = component.sidecars.iter().map(|c| (c, false)).chain(component.init_containers.iter().map(|c| (c, true)));
    for (container, init) in all {
        match &component.frontend_sidecar {
            Some(name) if !init && name.value == container.name => {
                sidecar = Some(Box::new(frontend_sidecar(ctx, component, name, container)));
            }
            _ => companions.push(companion(ctx, component, container, init)),
        }
    }
    let subject = subject(&started, env, &companions, &component.component_type);
    let container = companions.iter().map(|c| c.container).find(|c| c.name == subject.container);
    let container = container.unwrap_or(&component.main);
    let image = version::image(ctx, &component.main);
    let own = version::image(ctx, container);

    let mut service = Service {
        name: component.name.value.clone(),
        span: component.name.span,
        role: Role::Other,
        role_span: None,
        role_known: false,
        framework: subject.framework,
        process: subject.process,
        env: Env::default(),
        version: version::version(ctx, component, &[&own, &image]),
        age: None,
        image,
        replicas: version::replicas(ctx, component),
        nodes: component.node_count.map_or(1, |n| n.value),
        gpus: version::gpus(ctx, component),
        fabric: fabric::of(ctx, component),
        kv: KvTransfer::default(),
        events: KvEvents::default(),
        configs: Vec::new(),
        sidecar,
        others: companions.iter().flat_map(processes).collect(),
        engine_container: subject.container,
        component: Arc::clone(component),
        launch: started,
    };
    let engine = service.framework.zip(service.process.as_ref().map(|process| &process.args).or(subject.args.as_ref()));
    if let Some((framework, args)) = engine {
        service.configs = config::of(ctx, component, container, framework, args, &subject.env);
    } else if let Some(process) = &service.process {
        service.configs = match process.module.value.as_str() {
            "dynamo.planner" => config::planner(ctx, component, container, &process.args),
            "dynamo.global_router" => config::global_router(ctx, component, container, &process.args, &subject.env),
            _ => Vec::new(),
        };
    }
    let said = role(&service, engine, &subject.env, subject.speaks_dynamo);
    (service.role, service.role_span, service.role_known) = (said.role, said.span, said.known);
    if service.role.is_worker() {
        service.kv =
            engine.map_or_else(kv::unseen, |(framework, args)| kv::of(&service, framework, args, &subject.env));
        service.events =
            engine.map_or_else(events::unseen, |(framework, args)| events::of(&service, framework, args, &subject.env));
    }
    service.env = subject.env;
    service
}

fn subject(started: &Launch, mut env: Env, companions: &[Companion<'_>], kind: &ComponentType) -> Subject {
    let main = || "main".to_owned();
    if let Some(raw) = launch::choose(started, kind) {
        env.apply(raw);
        return dynamo(main(), launch::dynamo_process(started, raw), env);
    }
    if let Some((companion, raw)) = engine_elsewhere(companions, kind) {
        let mut env = companion.env.clone();
        env.apply(raw);
        return dynamo(companion.container.name.clone(), launch::dynamo_process(&companion.launch, raw), env);
    }
    // A program that is no Dynamo module still has options that say what it does.
    let engine = started.processes.iter().rev().find_map(|process| {
        let program = launch::program_name(process)?;
        Some((process, program, role::foreign_framework(program, &process.argv)?))
    });
    let Some((raw, program, framework)) = engine else {
        return Subject { container: main(), process: None, framework: None, args: None, speaks_dynamo: false, env };
    };
    env.apply(raw);
    Subject {
        container: main(),
        process: None,
        framework: Some(framework),
        args: Some(launch::options(raw)),
        speaks_dynamo: program.starts_with("dynamo-"),
        env,
    }
}

fn dynamo(container: String, process: Option<DynamoProcess>, env: Env) -> Subject {
    let framework = process.as_ref().and_then(|p| role::framework(&p.module.value));
    Subject { container, process, framework, args: None, speaks_dynamo: true, env }
}

fn processes<'a>(companion: &'a Companion<'_>) -> impl Iterator<Item = PodProcess> + 'a {
    let (container, place) = (&companion.container.name, companion.place);
    let of = move |process: &Process| PodProcess { container: container.clone(), place, process: process.clone() };
    companion.launch.processes.iter().map(of)
}

fn role(service: &Service, engine: Option<(Framework, &Args)>, env: &Env, speaks_dynamo: bool) -> Said {
    let by_type = || {
        let said = role::of_type(&service.component.component_type, service.component.type_span);
        // A component may pose as `frontend` for its port and service and run something else altogether.
        let foreign = said.role == Role::Frontend
            && !service.launch.command_implied
            && !service.launch.processes.is_empty()
            && service.launch.errors.is_empty();
        if foreign { Said { role: Role::Other, ..said } } else { said }
    };
    if let Some(process) = &service.process {
        let at = (!process.implied).then_some(process.module.span);
        if let Some(said) = role::of_module(&process.module.value, at) {
            return said;
        }
        if service.framework.is_none() {
            return by_type();
        }
    }
    if service.component.component_type == ComponentType::Epp && service.framework.is_none() {
        return by_type();
    }
    let Some((framework, args)) = engine else { return by_type() };
    let said = role::of_engine(service, framework, args, env);
    if speaks_dynamo || said.span.is_some() {
        return said;
    }
    // A foreign engine does what the type says when that is a worker.
    let typed = by_type();
    Said { known: false, ..if typed.role.is_worker() { typed } else { said } }
}

fn companion<'a>(ctx: &Context<'_>, component: &Component, container: &'a Container, init: bool) -> Companion<'a> {
    let env = env::plain(ctx, container);
    let launch = launch::plain(ctx, component, container, &env);
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
    let launch = launch::frontend_sidecar(ctx, component, name.span, container, &env);
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
