//! Command lines that name a module of Dynamo's and start something else, or nothing.

use super::argv::{is_module, is_python};
use crate::command::{Process, Word, is_shell};
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;

/// A word that is not what it looks like: what is wrong, why, and what to write.
struct Slip<'a> {
    at: &'a Word,
    message: String,
    label: String,
    help: String,
}

/// Says of every service whose command line names a module that is not run what is run instead; the part of
/// `malformed-python` that looks at what becomes of the words.
pub(super) fn not_run(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        if !service.launch.errors.is_empty() {
            continue;
        }
        let slip = script_alone(service)
            .or_else(|| optional(service))
            .or_else(|| whole(service))
            .or_else(|| left_behind(service))
            .or_else(|| {
                // What the service runs is known otherwise: another word of its script is not its engine.
                let blank = |p: &crate::resolve::DynamoProcess| p.module.value.contains(char::is_whitespace);
                let looked = service.process.as_ref().is_none_or(blank);
                service.launch.processes.iter().find_map(|process| looked.then(|| program(process))?)
            });
        let Some(slip) = slip else { continue };
        out.report(slip.at.span(), slip.message, slip.label).service(service).subject("command").help(slip.help).emit();
    }
}

/// Whether a text of several words has a module among them.
fn names_module(text: &str) -> bool {
    text.contains(char::is_whitespace) && text.split_whitespace().any(is_module)
}

/// The first words of a text, for a message.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(4).collect();
    words.join(" ")
}

fn items(text: &str) -> String {
    format!("write each word as an entry of its own: `{}`, …", short(text).replace(' ', "`, `"))
}

/// A program or its first words that swallow what stands behind them.
fn program(process: &Process) -> Option<Slip<'_>> {
    let words = process.argv.get(process.program()..)?;
    let (first, rest) = words.split_first()?;
    let name = first.as_known()?;
    let mut parts = name.split_whitespace();
    let swallows = parts.next().is_some_and(|first| is_shell(first) || is_python_path(first));
    if names_module(name) || swallows && parts.next().is_some() {
        return Some(Slip {
            at: first,
            message: format!("there is no program `{} …`", short(name)),
            label: "one word with blanks in it: no shell splits it".to_owned(),
            help: items(name),
        });
    }
    let options =
        rest.iter().take_while(|w| w.as_known().is_some_and(|t| t.starts_with(['-', '+']) && !names_module(t)));
    let options: Vec<&str> = options.filter_map(Word::as_known).collect();
    let next = rest.get(options.len())?;
    let text = next.as_known()?;
    if is_shell(name) && process.shell_script().is_none() {
        // `sh -s` reads its script from elsewhere.
        let file =
            names_module(text) || is_python_path(text) && rest.iter().any(|w| w.as_known().is_some_and(is_module));
        return (file && !options.iter().any(|o| !o.starts_with("--") && o.contains('s'))).then(|| Slip {
            at: next,
            message: format!("`{name}` takes `{} …` for the name of a script", short(text)),
            label: "no `-c` in front of it".to_owned(),
            help: format!("write `{name}`, `-c` and then the script as one entry"),
        });
    }
    if !is_python_path(name) {
        return None;
    }
    if names_module(text) {
        return Some(Slip {
            at: next,
            message: format!("Python finds no module or file of the name `{} …`", short(text.trim_start_matches("-m"))),
            label: "one word with blanks in it: no shell splits it".to_owned(),
            help: items(text),
        });
    }
    None
}

/// `sh -c python3 -m dynamo.vllm`: the script is `python3`, and what stands behind it names the shell (`$0`) and its
/// arguments (`$1`), which the script does not read.
fn script_alone(service: &Service) -> Option<Slip<'_>> {
    let launch = &service.launch;
    let argv = launch.command.iter().chain(&launch.args);
    let script = launch.script.as_ref().filter(|_| !launch.command_implied && !launch.args_implied)?;
    let text = script.as_known().filter(|t| !t.contains('$'))?;
    let mut behind = argv.skip_while(|w| *w != script).skip(1);
    let lost = behind.find(|w| w.as_known().is_some_and(|t| t.starts_with("--") && t.len() > 2 || is_module(t)))?;
    let starts =
        text.split_whitespace().any(is_module) || text.split_whitespace().next_back().is_some_and(is_python_path);
    starts.then(|| Slip {
        at: lost,
        message: format!("the shell runs `{}` without `{}`", shown(text), short(&lost.text)),
        label: "behind the script of `-c`: one of its arguments, which it does not read".to_owned(),
        help: "write all of it into the one entry behind `-c`, or leave the shell out".to_owned(),
    })
}

/// `sh -c --model X`: options of the engine behind a shell that wants a script.
fn optional(service: &Service) -> Option<Slip<'_>> {
    let launch = &service.launch;
    let mut words = launch.command.iter().chain(&launch.args).filter(|_| !launch.command_implied);
    words.next()?.as_known().filter(|t| is_shell(t))?;
    words.find(|w| w.as_known().is_some_and(|t| t.starts_with('-') && !t.starts_with("--") && t.contains('c')))?;
    let at = words.next()?;
    let option = at.as_known().filter(|t| t.starts_with("--") && t.len() > 2)?;
    Some(Slip {
        at,
        message: format!("the shell takes `{}` for an option of its own", short(option)),
        label: "behind `-c` stands the script".to_owned(),
        help: "write the program too, all of it in the one entry behind `-c`, or leave the shell out".to_owned(),
    })
}

/// `python3 -m dynamo.vllm "python3 -m dynamo.vllm --model X"`: a script behind what is no shell.
fn whole(service: &Service) -> Option<Slip<'_>> {
    let process = service.process.as_ref().filter(|p| !p.implied)?;
    let at = process
        .args
        .positional
        .first()
        .filter(|w| names_module(&w.text) && is_python_path(w.text.split(' ').next().unwrap_or_default()))?;
    Some(Slip {
        at,
        message: format!("`{}` gets a whole command line as one word", process.module.value),
        label: "no shell is there to run it".to_owned(),
        help: "write `command: [/bin/sh, -c]`, or each option as an entry of its own".to_owned(),
    })
}

/// An engine in the background of a script that ends right behind it: with the shell the container ends.
fn left_behind(service: &Service) -> Option<Slip<'_>> {
    const WAITS: [&str; 9] = ["wait", "fg", "read", "while", "until", "for", "sleep", "tail", "trap"];
    let (process, launch) = (service.process.as_ref().filter(|p| !p.implied)?, &service.launch);
    let text = launch.script.as_ref()?.as_known()?;
    let at = launch.processes.iter().position(|p| p.span == process.span && p.background && !p.conditional)?;
    let waits = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|w| WAITS.contains(&w));
    let first = process.argv.first()?;
    (!waits && launch.processes[at..].iter().all(|p| p.background)).then(|| Slip {
        at: first,
        message: format!("the script ends while `{}` runs in the background", process.module.value),
        label: "`&` at its end, and nothing waits for it: the container ends with the shell".to_owned(),
        help: "drop the `&`, or end the script in `wait`".to_owned(),
    })
}

fn is_python_path(word: &str) -> bool {
    word.rsplit('/').next().is_some_and(is_python)
}

fn shown(script: &str) -> String {
    let line = script.trim().lines().last().unwrap_or_default().trim();
    let cut: String = line.chars().take(40).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}
