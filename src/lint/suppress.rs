//! Findings that comments silence, and what is wrong with those comments.

use rustc_hash::FxHashMap;

use super::line::Line;
use super::threads::map;
use super::{Suppression, SuppressionKind, problem};
use crate::finding::ignore::{self, Directive, Ignores, Known, Name, Verb};
use crate::finding::{Applicability, Date, Edit, Finding, Fix};
use crate::rules::{self, Rule};
use crate::source::{FileId, SourceFile, Span};
use crate::yaml::{self, Limits, Stream};

/// A finding on its way, and what silences it.
pub(super) type Silenced = (Finding, Option<Suppression>);

/// What the caller knows.
pub(super) struct Policy<'a> {
    /// The day it is.
    pub(super) today: Option<Date>,
    /// Whether an ignore in that file must say why.
    pub(super) needs_reason: &'a dyn Fn(FileId) -> bool,
    /// Whether a rule ran on that file.
    pub(super) runs: &'a dyn Fn(FileId, &Rule) -> bool,
    /// Whether a rule crashed: what it would have said is unknown, so nothing counts as unused.
    pub(super) crashed: bool,
    pub(super) limits: &'a Limits,
}

/// One file with ignores.
struct Speaking {
    file: std::sync::Arc<SourceFile>,
    ignores: Ignores,
    /// The tree, when the line does not hold it.
    parsed: Option<Stream>,
}

/// Matches findings with the ignores of the files they stand in, and adds what is to be said about these.
pub(super) fn judge(line: &Line, findings: Vec<Finding>, policy: &Policy<'_>, parallel: bool) -> Vec<Silenced> {
    let files = line.sources.all();
    let mentions: Vec<bool> = map(&files, parallel, |file| ignore::mentions(&file.text));
    if !mentions.contains(&true) {
        return findings.into_iter().map(|finding| (finding, None)).collect();
    }
    let streams: FxHashMap<FileId, &Stream> = line
        .files
        .iter()
        .filter(|(file, _)| !file.stream.documents.is_empty())
        .map(|(file, _)| (file.file.id, &file.stream))
        .collect();
    let names: Vec<(&str, &str)> = rules::all().map(|rule| (rule.id, rule.family)).collect();
    let fixed: Vec<&str> = rules::all().filter(|rule| !rule.ignorable).map(|rule| rule.id).collect();
    let known = Known { rules: &names, fixed: &fixed };
    let mut speaking: FxHashMap<FileId, Speaking> = FxHashMap::default();
    for file in files.into_iter().zip(mentions).filter_map(|(file, mentions)| mentions.then_some(file)) {
        let parsed = (!streams.contains_key(&file.id)).then(|| yaml::parse(&file, policy.limits));
        let Some(stream) = parsed.as_ref().or_else(|| streams.get(&file.id).copied()) else { continue };
        let ignores = Ignores::new(ignore::scan(&file, stream, known), policy.today);
        speaking.insert(file.id, Speaking { file, ignores, parsed });
    }
    let kustomizations: FxHashMap<&str, FileId> = line
        .files
        .iter()
        .zip(&line.overlays)
        .filter_map(|((file, _), overlay)| Some((overlay.as_deref()?, file.file.id)))
        .collect();
    let mut out: Vec<Silenced> = Vec::with_capacity(findings.len());
    for finding in findings {
        let rule = rules::find(finding.rule).filter(|rule| rule.ignorable);
        let by = rule.and_then(|rule| silence(&mut speaking, &streams, &kustomizations, rule, &finding));
        out.push((finding, by));
    }
    let mut about = Vec::new();
    for (id, Speaking { file, ignores, .. }) in &speaking {
        if line.is_judged(file) {
            about.extend(say(*id, file, ignores, line.asked.contains(id), policy));
        }
    }
    out.extend(about.into_iter().map(|finding| (finding, None)));
    out
}

fn silence(
    speaking: &mut FxHashMap<FileId, Speaking>,
    streams: &FxHashMap<FileId, &Stream>,
    kustomizations: &FxHashMap<&str, FileId>,
    rule: &Rule,
    finding: &Finding,
) -> Option<Suppression> {
    let suppression = |directive: &Directive| Suppression {
        kind: SuppressionKind::Comment,
        reason: (!directive.reason.is_empty()).then(|| directive.reason.clone()),
        span: Some(directive.span),
    };
    let mut by = None;
    let span = finding.primary.span;
    if let Some(Speaking { file, ignores, parsed }) = speaking.get_mut(&span.file) {
        let stream = parsed.as_ref().or_else(|| streams.get(&span.file).copied());
        let lines = stream.map(|stream| ignore::lines_of(file, stream, span)).unwrap_or_default();
        by = ignores.silence(rule.id, rule.family, &lines).map(suppression);
    }
    // What a kustomization says about the whole of its file, it says about all that it builds.
    for overlay in &finding.overlays {
        if by.is_none()
            && let Some(id) = kustomizations.get(overlay.as_str()).filter(|id| **id != span.file)
            && let Some(Speaking { ignores, .. }) = speaking.get_mut(id)
        {
            by = ignores.silence_whole(rule.id, rule.family).map(suppression);
        }
    }
    by
}

/// Findings about the ignores of one file. What silences nothing in one that was not asked for may do so in an overlay that
/// is no part of this run.
fn say(id: FileId, file: &SourceFile, ignores: &Ignores, asked: bool, policy: &Policy<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for fault in &ignores.faults {
        let mut finding =
            problem::reader("invalid-ignore", fault.span, fault.message.clone(), &fault.label, fault.help.clone());
        finding.fix = fault.instead.as_ref().map(|text| Fix {
            applicability: Applicability::Unsafe,
            edits: vec![Edit { span: fault.span, text: text.clone() }],
            verified: false,
        });
        out.push(finding);
    }
    for directive in &ignores.directives {
        if let Some((until, at)) = directive.until.filter(|_| directive.expired) {
            out.push(problem::reader(
                "expired-ignore",
                at,
                format!("this ignore ended on {until}"),
                "no longer silences anything",
                "mend what it silenced, or give it a later day".to_owned(),
            ));
        }
        if directive.reason.is_empty() && directive.verb != Verb::End && (policy.needs_reason)(id) {
            out.push(problem::reader(
                "ignore-without-reason",
                directive.span,
                "this ignore does not say why".to_owned(),
                "a reason belongs here",
                "write the reason behind the brackets: the configuration asks for one".to_owned(),
            ));
        }
    }
    let decided = |name: Option<&Name>| {
        let selector = name.and_then(|name| name.selector.as_ref());
        // What only a probe can say is not asked of the manifests; whoever names it is not told that it is idle.
        let of_manifests = |rule: &Rule| !matches!(rule.check, rules::Check::Probe);
        let named = |rule: &&Rule| {
            selector.map_or_else(|| of_manifests(rule), |selector| selector.matches(rule.id, rule.family))
        };
        rules::all().filter(named).all(|rule| (policy.runs)(id, rule))
    };
    if policy.crashed || !asked {
        return out;
    }
    for (directive, idle) in ignores.unused(decided) {
        let all = directive.rules.as_ref().is_none_or(|names| names.len() == idle.len());
        let rules: Vec<String> = idle.iter().map(|name| format!("`{}`", name.text)).collect();
        let (span, message) = match idle.as_slice() {
            [] => (directive.span, "this ignore silences nothing".to_owned()),
            _ if all => (directive.span, format!("this ignore of {} silences nothing", rules.join(", "))),
            [one, ..] => (one.span, format!("{} silences nothing here", rules.join(", "))),
        };
        let help = "remove it: what it was written for is gone, or stands elsewhere";
        let mut finding = problem::reader("unused-ignore", span, message, "has no effect", help.to_owned());
        let edits = if all { remove(file, directive, ignores) } else { shorten(directive, &idle) };
        let applicability = if directive.removable { Applicability::Safe } else { Applicability::Unsafe };
        finding.fix = (!edits.is_empty()).then_some(Fix { applicability, edits, verified: false });
        out.push(finding);
    }
    out
}

/// Takes the comment away, its line with it when nothing else stands there; of a region both ends.
fn remove(file: &SourceFile, directive: &Directive, ignores: &Ignores) -> Vec<Edit> {
    let end = ignores.end_of(directive);
    [Some(directive.span), end].into_iter().flatten().map(|span| remove_comment(file, span)).collect()
}

fn remove_comment(file: &SourceFile, comment: Span) -> Edit {
    let line = file.line_range(file.line_of(comment.start));
    let before = &file.text[line.start..comment.start as usize];
    let (start, end) = if before.trim_start_matches('\u{feff}').trim().is_empty() {
        let start = line.start + before.find(|c: char| c != '\u{feff}').unwrap_or(before.len());
        let rest = &file.text[line.end..];
        let newline = if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) };
        (start, line.end + newline)
    } else {
        (line.start + before.trim_end().len(), comment.end as usize)
    };
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Edit { span: Span::new(comment.file, at(start), at(end)), text: String::new() }
}

/// Takes names out of the brackets.
fn shorten(directive: &Directive, idle: &[&Name]) -> Vec<Edit> {
    let names = directive.rules.as_deref().unwrap_or_default();
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return Vec::new() };
    let left = names.iter().filter(|name| !idle.iter().any(|idle| idle.span == name.span));
    let left: Vec<&str> = left.map(|name| name.text.as_str()).collect();
    vec![Edit { span: first.span.to(last.span), text: left.join(", ") }]
}
