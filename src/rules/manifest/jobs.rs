//! Jobs beside a graph, what stands in them, and the commands of their scripts.

use std::ops::Range;

use crate::manifest::{Container, EnvSource, Image, Object};
use crate::resolve::{Recipe, Version};
use crate::rules::workload;
use crate::source::Text;
use crate::yaml::Node;

/// Whether an object is a Job, or the bare Pod that people write instead of one.
pub(in crate::rules) fn is_job(object: &&Object) -> bool {
    matches!(object.kind.as_str(), "Job" | "Pod" | "CronJob")
}

/// Scalars of a container in which a host or model can stand: env values, command, args. With their values: where each
/// byte stands is worth finding out only for the few that hold something.
pub(super) fn texts(container: &Container) -> impl Iterator<Item = (&str, &Node)> {
    let env = container.env.iter().filter_map(|(_, e)| match &e.source {
        EnvSource::Value(Some(node)) => Some(node),
        _ => None,
    });
    env.chain(workload::words(container)).filter_map(|node| Some((&*node.as_scalar()?.value, node)))
}

/// Those of them that hold a word, traced.
pub(super) fn texts_with<'a>(
    container: &'a Container,
    recipe: &'a Recipe,
    word: &'a str,
) -> impl Iterator<Item = Text> + 'a {
    texts(container).filter(move |(value, _)| value.contains(word)).filter_map(|(_, node)| recipe.text(node))
}

/// A word of a script and its byte offset.
pub(in crate::rules) type At<'a> = (&'a str, usize);

/// Commands of a script that start with that program, as places of words; backslashes join lines.
pub(super) fn commands(text: &Text, program: &str) -> Vec<Vec<Range<usize>>> {
    let value = text.as_str();
    let mut found: Vec<Vec<Range<usize>>> = Vec::new();
    let mut current: Option<Vec<Range<usize>>> = None;
    let mut at = 0;
    while at < value.len() {
        // Most lines have nothing to do with the program, and need not be taken apart.
        if current.is_none() {
            let Some(next) = value[at..].find(program) else { break };
            at = value[..at + next].rfind('\n').map_or(0, |end| end + 1);
        }
        let line = value[at..].split_inclusive('\n').next().unwrap_or_default();
        let body = line.trim_end();
        let comment = body.trim_start().starts_with('#');
        let mut offset = at;
        // `tmux send-keys "aiperf …"`: the words of the quotes.
        let mut inside = false;
        for word in body.split(' ') {
            if !word.is_empty() && !comment && word != "\\" {
                let mut from = offset;
                if current.is_none() && word.strip_prefix('"').is_some_and(|word| word == program) {
                    inside = true;
                    from += 1;
                }
                if current.is_none() && (inside || word == program) {
                    current = Some(Vec::new());
                }
                let closes =
                    inside && word.ends_with('"') && !word.ends_with("\\\"") || inside && word.ends_with("\\\"\"");
                if let Some(words) = &mut current {
                    words.push(from..offset + word.len() - usize::from(closes));
                }
                if closes {
                    found.extend(current.take());
                    inside = false;
                }
            }
            offset += word.len() + 1;
        }
        at += line.len();
        if !body.ends_with('\\')
            && let Some(done) = current.take()
        {
            found.push(done);
        }
    }
    found.extend(current);
    found
}

/// What may stand around a word.
pub(super) const QUOTES: [char; 3] = ['"', '\'', ';'];

/// Calls `f` for every command of a Job that starts aiperf: the script, the words, where the first one stands, and the
/// release that the Job pins.
pub(in crate::rules) fn each_aiperf(recipe: &Recipe, mut f: impl FnMut(&Text, &[At<'_>], usize, Option<Version>)) {
    for Aiperf { text, words, release } in &recipe.memo().once(|| AiperfCommands::of(recipe)).0 {
        let at: Vec<At<'_>> = words.iter().map(|word| (&text.as_str()[word.clone()], word.start)).collect();
        f(text, &at, words.first().map_or(0, |word| word.start), *release);
    }
}

/// A command that starts aiperf: the script, the places of its words, and the release that the Job pins.
struct Aiperf {
    text: Text,
    words: Vec<Range<usize>>,
    release: Option<Version>,
}

/// All of them in the Jobs of a file. Several rules speak about them; they are looked for once.
struct AiperfCommands(Vec<Aiperf>);

impl AiperfCommands {
    fn of(recipe: &Recipe) -> Self {
        let mut all = Vec::new();
        for job in recipe.here.iter().filter(is_job) {
            for container in job.workload().into_iter().flat_map(|w| &w.containers) {
                if let Some((text, words)) = listed(container, recipe) {
                    all.push(Aiperf { text, words, release: aiperf_release(container, recipe) });
                    continue;
                }
                for text in texts_with(container, recipe, "aiperf") {
                    let release = aiperf_release(container, recipe);
                    let commands = commands(&text, "aiperf");
                    all.extend(commands.into_iter().map(|words| Aiperf { text: text.clone(), words, release }));
                }
            }
        }
        Self(all)
    }
}

/// The words of a container that starts aiperf without a shell, as one text with a blank between them.
fn listed(container: &Container, recipe: &Recipe) -> Option<(Text, Vec<Range<usize>>)> {
    let nodes: Vec<&Node> = workload::words(container).collect();
    let program = nodes.first()?.as_text()?;
    if program.rsplit('/').next() != Some("aiperf") {
        return None;
    }
    let mut whole = Text::empty(nodes[0].span);
    let mut words = Vec::new();
    for node in nodes {
        let start = whole.as_str().len();
        whole.push(&recipe.text(node)?);
        words.push(start..whole.as_str().len());
        whole.push_piece(" ", node.span);
    }
    Some((whole, words))
}

/// The release of aiperf that a Job pins: `aiperf==0.10.0` in its script, `AIPERF_VERSION`, or the tag of its image.
pub(super) fn aiperf_release(container: &Container, recipe: &Recipe) -> Option<Version> {
    let pinned = texts(container)
        .find_map(|(t, _)| t.split_once("aiperf=="))
        .map(|(_, rest)| rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>());
    let image = container.image.as_ref().and_then(Node::as_text).map(Image::cut);
    let image = image.filter(|i| i.name() == "aiperf").and_then(|i| i.tag);
    let variable = workload::env(container, recipe, "AIPERF_VERSION").and_then(|w| w.as_known().map(str::to_owned));
    pinned
        .and_then(|v| Version::parse(v.trim_end_matches('.')))
        .or_else(|| Version::parse(&variable?))
        .or_else(|| Version::parse(image?))
}
