//! From `command` and `args` to processes.

use super::env::Context;
use super::{DynamoProcess, Env, Launch, config, expand, operator};
use crate::catalog::flags;
use crate::command::{self, Args, Dialect, Process, Word, kubelet_expand};
use crate::manifest::{Component, ComponentType, Container, ContainerField};
use crate::source::{Reason, Span, Spanned, Text};

/// What the main container starts, the defaults of its component type merged in: a list of the user's replaces the
/// default when it is not empty (mergo, reference §2.1).
pub(super) fn main(ctx: &Context<'_>, component: &Component, env: &Env) -> Launch {
    merged(ctx, component, &component.component_type, &component.main, component.name.span, env)
}

/// What the frontend sidecar starts.
pub(super) fn frontend_sidecar(
    ctx: &Context<'_>,
    component: &Component,
    at: Span,
    container: &Container,
    env: &Env,
) -> Launch {
    merged(ctx, component, &ComponentType::Frontend, container, at, env)
}

/// What any other container starts; nothing visible when the image decides.
pub(super) fn plain(ctx: &Context<'_>, component: &Component, container: &Container, env: &Env) -> Launch {
    let command = words(ctx, &container.command, env);
    let args = words(ctx, &container.args, env);
    let files = |path: &str| config::find(ctx, component, container, path);
    finish(ctx, Launch { command, args, ..Launch::default() }, container_span(container), env, &files)
}

fn merged(
    ctx: &Context<'_>,
    component: &Component,
    kind: &ComponentType,
    container: &Container,
    at: Span,
    env: &Env,
) -> Launch {
    let mut command = words(ctx, &container.command, env);
    let mut args = words(ctx, &container.args, env);
    let (mut command_implied, mut args_implied) = (false, false);
    if let Some((base_command, base_args)) = operator::launch(ctx, kind) {
        if command.is_empty() {
            command = base_command.iter().map(|w| expand::implied(w, at)).collect();
            command_implied = true;
        }
        if args.is_empty() {
            args = base_args.iter().map(|w| expand::implied(w, at)).collect();
            args_implied = true;
        }
    }
    let span = container_span(container).unwrap_or(at);
    let files = |path: &str| config::find(ctx, component, container, path);
    finish(ctx, Launch { command, args, command_implied, args_implied, ..Launch::default() }, Some(span), env, &files)
}

/// Words of a list after the kubelet's `$(VAR)`.
fn words(ctx: &Context<'_>, field: &ContainerField, env: &Env) -> Vec<Word> {
    let word = |node| kubelet_expand(&expand::text(node, ctx.recipe), &|name| env.lookup(name));
    field.items.iter().map(word).collect()
}

fn container_span(container: &Container) -> Option<Span> {
    match (container.command.span, container.args.span) {
        (Some(command), Some(args)) => Some(command.to(args)),
        (command, args) => command.or(args),
    }
}

/// The text of a file of the container, where a ConfigMap at hand has it.
type Files<'a> = dyn Fn(&str) -> Option<Text> + 'a;

/// How much is read of scripts within scripts, in bytes, for one container: a file may run itself, many times over.
const SCRIPTS: usize = 1 << 20;

/// What a script counts for at least.
const SCRIPT: usize = 4 << 10;

/// Where scripts come from, and how much of them is still read.
struct Scripts<'a> {
    files: &'a Files<'a>,
    left: usize,
}

/// A script that a process runs.
struct Script {
    word: Word,
    dialect: Dialect,
    /// It stands on the command line, not in a file.
    inline: bool,
    /// Index of the word that is `$0`: the one behind the script of `-c`, or the file.
    positional: usize,
}

impl Scripts<'_> {
    /// The script of `sh -c SCRIPT`, or one out of a ConfigMap, unless enough has been read.
    fn of(&mut self, process: &Process) -> Option<Script> {
        let script = match process.shell_script() {
            Some(at) => {
                let word = process.argv.get(at)?.clone();
                Script { word, dialect: process.dialect(), inline: true, positional: at + 1 }
            }
            None => {
                let at = process.script_file()?;
                let text = (self.files)(process.argv.get(at)?.as_known()?)?;
                let dialect = process.dialect_of_file(text.as_str())?;
                Script { word: Word::known(text), dialect, inline: false, positional: at }
            }
        };
        self.left = self.left.checked_sub(script.word.text.as_str().len().max(SCRIPT))?;
        Some(script)
    }
}

fn finish(ctx: &Context<'_>, mut launch: Launch, span: Option<Span>, env: &Env, files: &Files<'_>) -> Launch {
    let argv: Vec<Word> = launch.command.iter().chain(&launch.args).cloned().collect();
    // Without a command the image's entry point takes the args.
    let (Some(first), false) = (argv.first(), launch.command.is_empty()) else { return launch };
    let span = span.unwrap_or_else(|| first.span());
    let process = Process::new(argv, span);
    unfold(process, env, &mut launch, &mut Scripts { files, left: SCRIPTS }, 0);
    if let Some(script) = launch.script.as_ref().filter(|_| launch.errors.is_empty()) {
        ctx.recipe.note_sound(&script.text);
    }
    launch
}

/// Adds a process, or those of the script when it is `sh -c SCRIPT` or a script out of a ConfigMap.
fn unfold(process: Process, env: &Env, launch: &mut Launch, scripts: &mut Scripts<'_>, depth: u8) {
    let found = if depth < 4 { scripts.of(&process) } else { None };
    let Some(Script { word, dialect, inline, positional }) = found else { return launch.processes.push(process) };
    let positional = process.argv.get(positional..).unwrap_or_default();
    let mut changed = None;
    if !process.env.is_empty() || process.env_open.is_some() {
        let inner: &mut Env = changed.insert(env.clone());
        inner.apply(&process);
    }
    let inner = changed.as_ref().unwrap_or(env);
    let parsed = command::script(&word.text, dialect, &|name| inner.lookup(name), positional);
    launch.errors.extend(parsed.errors);
    if inline {
        launch.script.get_or_insert(word);
    }
    for mut child in parsed.processes {
        if !process.env.is_empty() {
            child.env.splice(0..0, process.env.iter().cloned());
        }
        child.env_open = child.env_open.or_else(|| process.env_open.clone());
        child.background |= process.background;
        child.conditional |= process.conditional;
        unfold(child, inner, launch, scripts, depth + 1);
    }
}

/// The process a container is about: the one that runs a Dynamo module that fits best. In the foreground rather than
/// in the background, unconditional rather than conditional, the last one.
pub(super) fn choose<'a>(launch: &'a Launch, kind: &ComponentType) -> Option<&'a Process> {
    let wanted = |module: &str| match kind {
        ComponentType::Frontend => module.starts_with("dynamo.frontend"),
        ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode => {
            super::role::framework(module).is_some()
        }
        ComponentType::Planner => module.contains("planner"),
        _ => true,
    };
    launch
        .processes
        .iter()
        .enumerate()
        .filter_map(|(at, process)| {
            let (module, _) = dynamo_module(process)?;
            Some(((wanted(&module.text), !process.background, !process.conditional, at), process))
        })
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, process)| process)
}

/// The planner as recipes before 1.0 start it, out of the directory that it lies in.
const OLD_PLANNER: &str = "planner_sla";

/// The `dynamo.*` module a process runs, with the index of the first word after it.
pub(super) fn dynamo_module(process: &Process) -> Option<(&Word, usize)> {
    process
        .python_module()
        .filter(|(module, _)| module.text.starts_with("dynamo.") || module.text.as_str() == OLD_PLANNER)
}

/// The process as rules see it.
pub(super) fn dynamo_process(launch: &Launch, process: &Process) -> Option<DynamoProcess> {
    let (module, after) = dynamo_module(process)?;
    let name = match module.text.as_str() {
        OLD_PLANNER => "dynamo.planner.planner_sla",
        name => name,
    };
    let mut args = Args::parse(process.argv.get(after..).unwrap_or_default());
    recognise(name, &mut args);
    let alternatives = || {
        launch
            .processes
            .iter()
            .any(|p| p.span != process.span && dynamo_module(p).is_some_and(|(m, _)| m.text == module.text))
    };
    if process.conditional && args.open.is_none() && alternatives() {
        args.open = Some(Reason::Shell("a condition chooses between several commands".to_owned()));
    }
    Some(DynamoProcess {
        module: Spanned::new(name.to_owned(), module.span()),
        argv: process.argv.clone(),
        args,
        span: process.span,
        implied: launch.command_implied && launch.args_implied,
    })
}

/// Gives options that are not written in full the name that the module's parser takes them for.
fn recognise(module: &str, args: &mut Args) {
    let Some(known) = flags::component(module) else { return };
    for flag in &mut args.flags {
        // `--option.key` of vLLM is a part of the option, not the option.
        let Some(found) = known.flag(&flag.name).filter(|_| !flag.name.contains('.')) else { continue };
        if found.abbreviated || flag.name.contains('_') {
            let negated = if found.negated { "no-" } else { "" };
            let meant = format!("--{negated}{}", found.spelling.trim_start_matches('-'));
            flag.meant = (meant != flag.name).then(|| meant.into());
        }
    }
}

/// Options of the Dynamo process that a rendered pod's main container starts, the operator's own among them. None of it is
/// written anywhere, so all of it stands for `at`.
pub(super) fn rendered(spec: &serde_json::Value, at: Span) -> Option<Args> {
    let main = spec.get("containers")?.get(0)?;
    let list = |key: &str| main.get(key).and_then(serde_json::Value::as_array).into_iter().flatten();
    let words = list("command").chain(list("args")).filter_map(serde_json::Value::as_str);
    let argv: Vec<Word> = words.map(|word| Word::known(Text::opaque(word, at))).collect();
    let process = Process::new(argv, at);
    let unknown = |name: &str| {
        let reason = Reason::Cluster("an environment that is not asked for".to_owned());
        Some(Word::unknown(Text::opaque(format!("${{{name}}}"), at), reason))
    };
    let processes = match process.shell_script() {
        Some(script) => {
            let positional = process.argv.get(script + 1..).unwrap_or_default();
            command::script(&process.argv.get(script)?.text, process.dialect(), &unknown, positional).processes
        }
        None => vec![process],
    };
    processes.iter().rev().find(|process| dynamo_module(process).is_some()).map(options)
}

/// Options of a process whatever its program: the words after it, or after its Python module.
pub(super) fn options(process: &Process) -> Args {
    let after = process.python_module().map_or_else(|| process.program() + 1, |(_, after)| after);
    Args::parse(process.argv.get(after..).unwrap_or_default())
}

/// A text as one word of a message.
pub(super) fn program_name(process: &Process) -> Option<&str> {
    let word: &Text = &process.argv.get(process.program())?.text;
    word.rsplit('/').next()
}
