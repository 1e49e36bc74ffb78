//! Commands of a script that are a slip away from what was meant: they parse, and do something else.

use std::ops::Range;

use super::script::{Scripted, each_script};
use crate::command::{Call, Function, Listing};
use crate::finding::Severity;
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::source::{Text, is_capital_name, is_name, name_len};

/// Builtins that take assignments for words.
const DECLARE: [&str; 5] = ["local", "export", "readonly", "declare", "typeset"];

/// Commands to which `=` is a word like any other.
const COMPARE: [&str; 6] = ["test", "expr", "echo", "printf", "let", "grep"];

/// What is wrong, where, and what to write.
struct Slip {
    range: Range<usize>,
    message: String,
    label: String,
    help: String,
    severity: Severity,
}

fn error(range: Range<usize>, message: impl Into<String>, label: impl Into<String>, help: impl Into<String>) -> Slip {
    Slip { range, message: message.into(), label: label.into(), help: help.into(), severity: Severity::Error }
}

/// `script-word-slip`
pub fn script_word_slip(recipe: &Recipe, out: &mut Findings) {
    each_script(recipe, |owner, container, Scripted { text, listing, .. }| {
        let set = |name: &str| {
            container.env.iter().any(|(_, entry)| entry.name.value == name) || text.contains(&format!("{name}="))
        };
        let calls = || listing.calls.iter();
        let found = calls()
            .find_map(|call| slip(text, call, listing).or_else(|| hub(text, call, &listing.calls)))
            .or_else(|| calls().find_map(|call| literal(text, call, set)));
        let Some(slip) = found else { return };
        out.report(text.slice_span(slip.range), format!("{} (`{owner}`)", slip.message), slip.label)
            .severity(slip.severity)
            .subject(owner)
            .help(slip.help)
            .emit();
    });
}

fn slip(text: &Text, call: &Call, listing: &Listing) -> Option<Slip> {
    let word = |n: usize| call.words.get(n).map(|range| &text[range.clone()]);
    assignment(text, call)
        .or_else(|| call.words.iter().find_map(|range| no_arithmetic(text, range)))
        .or_else(|| function(word(call.assigned)?, text, call, listing))
}

/// Options that the hub's old program took and `hf` never did, and patterns behind the first, which `hf` takes for names of
/// files since 1.0 (tried with 0.36.0, 1.16.4, 1.22.0 and 2.4.0).
fn hub(text: &Text, call: &Call, calls: &[Call]) -> Option<Slip> {
    let words = &call.words[call.assigned..];
    let word = |n: usize| words.get(n).map(|range| &text[range.clone()]);
    if (word(0), word(1)) != (Some("hf"), Some("download")) {
        return None;
    }
    let old = |word: &str| word.starts_with("--local-dir-use-symlinks") || word == "--resume-download";
    if let Some(range) = words.iter().find(|range| old(&text[(*range).clone()])) {
        let option = text[range.clone()].split('=').next().unwrap_or_default();
        let help = "drop it: downloads are resumed, and a directory gets files, without it";
        return Some(error(range.clone(), format!("`hf` has no option `{option}`"), "the download ends here", help));
    }
    // Of an older release the patterns behind are patterns as well; what else is installed may want one of those.
    let mut installed =
        calls.iter().flat_map(|call| &call.words).map(|range| text[range.clone()].trim_matches(['"', '\'']));
    let mut new =
        installed.clone().filter(|word| word.ends_with("_hub") || word.contains("hub==1") || word.contains("hub==2"));
    let recent =
        new.next().is_some() && !installed.any(|w| ["transformers", "vllm", "datasets"].iter().any(|p| w.contains(p)));
    let pattern = |n: usize| word(n).is_some_and(|w| w.starts_with(['"', '\'']) && w.contains('*'));
    let at = (2..words.len()).find(|n| matches!(word(*n), Some("--include" | "--exclude")))?;
    (pattern(at + 1) && pattern(at + 2) && recent).then(|| {
        let option = word(at).unwrap_or_default();
        let message = format!("`hf` takes {} for the name of a file", word(at + 2).unwrap_or_default());
        let help = format!("write `{option}` in front of each pattern");
        error(words[at + 2].clone(), message, format!("`{option}` takes one pattern"), help)
    })
}

/// An assignment with a blank or a dollar too many.
fn assignment(text: &Text, call: &Call) -> Option<Slip> {
    let word = |n: usize| call.words.get(n).map(|range| &text[range.clone()]);
    let blank = |name: usize| {
        let range = call.words[name].start..call.words.get(name + 1)?.end;
        let name = &text[call.words[name].clone()];
        Some((range, name, format!("write `{name}=…` without blanks around the `=`")))
    };
    let equals = |n: usize| word(n).is_some_and(|word| word.starts_with('=') && !word.starts_with("=="));
    let first = word(call.assigned)?;
    if call.assigned == 1 && call.words.len() == 2 {
        let value = first.trim_matches(['"', '\'']);
        let name = word(0)?.strip_suffix('=').filter(|name| is_name(name))?;
        let number = value.bytes().all(|b| b.is_ascii_digit());
        let path = value.contains('/') && !value.starts_with(['/', '.', '~']) && !value.contains('$');
        let range = call.words[0].start..call.words[1].end;
        return (!value.is_empty() && (number || path)).then(|| {
            let message = format!("the shell starts `{value}` here and gives it an empty `{name}`");
            error(range, message, "the blank ends the assignment", format!("write `{name}={first}`"))
        });
    }
    if call.assigned > 0 {
        return None;
    }
    if is_name(first) && equals(1) && !COMPARE.contains(&first) && !DECLARE.contains(&first) {
        let (range, name, help) = blank(0)?;
        let message = format!("the shell starts a program `{name}` here, and sets nothing");
        return Some(error(range, message, "blanks around the `=`", help));
    }
    if DECLARE.contains(&first)
        && let Some(at) = (1..call.words.len()).find(|&n| word(n).is_some_and(is_name) && equals(n + 1))
    {
        let (range, name, help) = blank(at)?;
        let message = format!("`{first}` refuses the word `=` here, and sets no `{name}`");
        return Some(error(range, message, "blanks around the `=`", help));
    }
    let (name, _) = first.strip_prefix('$')?.split_once('=')?;
    is_name(name).then(|| {
        let range = call.words[0].start..call.words[0].start + 1 + name.len();
        let message = format!("the shell starts a program that is called as the value of `{name}`, and sets nothing");
        error(range, message, "a `$` in front of what is assigned", format!("write `{name}=…`"))
    })
}

/// `$(A * B)`, which runs a program `A`.
fn no_arithmetic(text: &Text, range: &Range<usize>) -> Option<Slip> {
    let word = &text[range.clone()];
    word.match_indices("$(").find_map(|(at, _)| {
        let inner = word[at + 2..].trim_start_matches(' ');
        let (name, rest) = inner.split_at(name_len(inner));
        let rest = rest.strip_prefix(' ')?.trim_start_matches(' ');
        let operand = rest.strip_prefix(['*', '+', '-', '/', '%'])?.strip_prefix(' ')?;
        let closes = operand.split_once(')')?.0;
        if !is_capital_name(name) || word[..at].contains('\'') || closes.contains(['|', ';', '&']) {
            return None;
        }
        let end = word.len() - operand.len() + closes.len() + 1;
        let message = format!("`$(…)` runs a program `{name}` and does no arithmetic");
        Some(error(range.start + at..range.start + end, message, "one parenthesis", "write `$((…))`"))
    })
}

/// A variable in single quotes, among the words of a program that does nothing with a `$`.
fn literal(text: &Text, call: &Call, set: impl Fn(&str) -> bool) -> Option<Slip> {
    const PROGRAMS: [&str; 7] = ["aiperf", "genai-perf", "hf", "huggingface-cli", "curl", "wget", "vllm"];
    let words = &call.words[call.assigned..];
    let word = |n: usize| words.get(n).map(|range| &text[range.clone()]);
    let first = word(0)?;
    let python =
        || first.starts_with("python") && word(1) == Some("-m") && word(2).is_some_and(|m| m.starts_with("dynamo."));
    if !PROGRAMS.contains(&first) && !python() {
        return None;
    }
    words.iter().find_map(|range| {
        let raw = &text[range.clone()];
        dollars(raw).filter(|(_, single)| *single).find_map(|(at, _)| {
            let name = raw[at + 1..].trim_start_matches('{');
            let name = &name[..name_len(name)];
            if name.len() < 2 || !is_capital_name(name) || !set(name) {
                return None;
            }
            let end = range.start + at + 1 + usize::from(raw[at + 1..].starts_with('{')) + name.len();
            let message = format!("`{first}` gets the characters `${name}` here, not the value");
            let help = "write double quotes, or end the single ones in front of the `$`";
            Some(error(range.start + at..end, message, "in single quotes", help))
        })
    })
}

/// Where each `$` stands, and whether in single quotes.
pub(super) fn dollars(text: &str) -> impl Iterator<Item = (usize, bool)> + '_ {
    let (mut single, mut double) = (false, false);
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'$' => return Some((at, single)),
            _ => {}
        }
        None
    })
}

/// A call of a function by another name, or with too little.
fn function(first: &str, text: &Text, call: &Call, listing: &Listing) -> Option<Slip> {
    let functions = || listing.functions.iter();
    let at = call.words[call.assigned].clone();
    let named: Vec<&Function> = functions().filter(|function| function.name == first).collect();
    if let [function] = named[..] {
        let wanted = positional(&text[function.range.clone()])?;
        let given = &call.words[call.assigned + 1..];
        // One word may stand for many.
        let many = given.iter().map(|range| &text[range.clone()]).any(|word| {
            word.contains("$@")
                || word.contains("$*")
                || word.contains("[@]")
                || word.contains("[*]")
                || word.contains(['*', '?', '{', '`'])
                || word.contains("$(") && !word.starts_with('"')
        });
        // Within the function itself its parameters are those of the call outside.
        let inside = function.range.contains(&at.start);
        if wanted <= given.len() || many || inside {
            return None;
        }
        let message = format!("`{first}` reads `${wanted}`, and this call gives it {}", given.len());
        let slip = error(at, message, "the rest is empty", "give it the value, or a default (`${…:-…}`)");
        return Some(Slip { severity: Severity::Warning, ..slip });
    }
    if !named.is_empty() || first.len() < 6 || !is_name(first) {
        return None;
    }
    let near = functions().find(|function| {
        let distance = strsim::osa_distance(&function.name, first);
        distance == 1 || distance == 2 && first.len() >= 10
    })?;
    // A file that is read may define it.
    if ["source ", ". /", ". \""].iter().any(|word| text.contains(word)) {
        return None;
    }
    let message = format!("the script has no function `{first}`");
    Some(error(at, message, "not found", format!("did you mean `{}`?", near.name)))
}

/// The highest parameter that a function reads by its number; `None` when it asks how many there are, or what is empty.
fn positional(body: &str) -> Option<usize> {
    const OPEN: [&str; 14] =
        ["$@", "$*", "$#", "${#", "shift", "getopts", "set --", "<<", "${!", " -z ", " -n ", ":-", ":=", ":+"];
    if OPEN.iter().any(|word| body.contains(word)) {
        return None;
    }
    let bytes = body.as_bytes();
    let mut highest = 0;
    for (at, single) in dollars(body) {
        let escaped = at.checked_sub(1).is_some_and(|before| bytes[before] == b'\\');
        if single || escaped {
            continue;
        }
        let (digit, braced) = match bytes.get(at + 1)? {
            b'{' => (bytes.get(at + 2)?, true),
            digit => (digit, false),
        };
        if !digit.is_ascii_digit() {
            continue;
        }
        if braced && bytes.get(at + 3) != Some(&b'}') {
            return None;
        }
        highest = highest.max(usize::from(digit - b'0'));
    }
    Some(highest)
}
