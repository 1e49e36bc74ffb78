//! Code actions: fixes that were proven before they are offered, and ignores.

use std::collections::HashMap;

use gen_lsp_types::{
    CodeAction, CodeActionKind, CodeActionParams, Diagnostic, DocumentChange, Edit as LspEdit,
    OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit, TextDocumentIdentifier, TextEdit, Uri,
    WorkspaceEdit,
};
use similar::{DiffTag, TextDiff};

use super::diagnostics;
use super::view::View;
use crate::finding::ignore::{Wanted, write};
use crate::finding::{Applicability, Finding};
use crate::fix::{Certifier, Changed};
use crate::source::{SourceFile, Span};
use crate::yaml::{self, Limits};

/// The kind of the action that fixes all there is to fix.
pub(super) const FIX_ALL: &str = "source.fixAll.dynlint";

/// What stands in a new ignore for the author to fill in.
const REASON: &str = "TODO: say why";

/// Longest text quoted in a title, in characters.
const QUOTED: usize = 40;

/// The actions for a range.
pub(super) fn at(view: &View<'_>, params: &CodeActionParams, versioned: bool) -> Vec<CodeAction> {
    let context = Context::new(view, versioned);
    let wanted = |kind: &str| {
        let asked = params.context.only.as_ref();
        asked.is_none_or(|only| only.iter().any(|o| is_a(kind, &o.to_string())))
    };
    let mut out = Vec::new();
    if wanted("quickfix") {
        let from = view.offset(params.range.start);
        let to = view.offset(params.range.end);
        let here: Vec<&Finding> = context.findings().filter(|f| touches(f.primary.span, from, to)).collect();
        for finding in &here {
            out.extend(context.fix(finding));
        }
        let mut rules: Vec<&str> = Vec::new();
        for finding in &here {
            if !rules.contains(&finding.rule) {
                rules.push(finding.rule);
                out.extend(context.fix_rule(finding.rule));
            }
        }
        for finding in &here {
            out.extend(context.ignore(finding));
        }
    }
    if wanted(FIX_ALL) && params.context.only.is_some() {
        out.extend(context.fix_all());
    }
    out
}

/// Whether a kind is that one or below it; the empty kind is above all.
fn is_a(kind: &str, of: &str) -> bool {
    of.is_empty() || kind.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn touches(span: Span, from: u32, to: u32) -> bool {
    span.start <= to && from <= span.end
}

struct Context<'a> {
    view: &'a View<'a>,
    versioned: bool,
    inputs: Vec<crate::lint::Input>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    fn new(view: &'a View<'a>, versioned: bool) -> Self {
        let mut all = diagnostics::all(view.analysis, view.documents, view.encoding);
        let diagnostics = all.remove(&view.path).unwrap_or_default();
        Self { view, versioned, inputs: view.analysis.job.inputs(), diagnostics }
    }

    /// What was found in this document and is shown there.
    fn findings(&self) -> impl Iterator<Item = &'a Finding> {
        let view = self.view;
        let all = view.analysis.report.findings.iter().map(|reported| &reported.finding);
        all.filter(move |finding| view.has(finding.primary.span))
    }

    fn certifier(&self) -> Certifier<'_> {
        Certifier::new(&self.inputs, &self.view.analysis.job.options, &self.view.analysis.report)
    }

    fn diagnostic(&self, finding: &Finding) -> Option<Vec<Diagnostic>> {
        let range = self.view.range(finding.primary.span);
        let code = gen_lsp_types::Code::String(finding.rule.to_owned());
        let found: Vec<Diagnostic> =
            self.diagnostics.iter().filter(|d| d.range == range && d.code.as_ref() == Some(&code)).cloned().collect();
        (!found.is_empty()).then_some(found)
    }

    /// The finding's own fix, if it holds what it promises.
    fn fix(&self, finding: &Finding) -> Option<CodeAction> {
        let certificate = self.certifier().certify(finding).filter(|certificate| certificate.verified())?;
        let fix = finding.fix.as_ref()?;
        let safe = fix.applicability == Applicability::Safe;
        let title = title(finding, self.view);
        Some(CodeAction {
            title: if safe { title } else { format!("{title} (check that this is meant)") },
            kind: Some(CodeActionKind::QuickFix),
            diagnostics: self.diagnostic(finding),
            is_preferred: Some(safe),
            edit: self.edit(&certificate.changed),
            ..CodeAction::default()
        })
    }

    /// All fixes of one rule in this document, where there are several. Who asks for that rule has seen what it does, so
    /// that likely ones are among them; the title says so.
    fn fix_rule(&self, rule: &str) -> Option<CodeAction> {
        let own = |most| self.findings().filter(move |f| f.rule == rule && self.mendable(f, most));
        let all: Vec<&Finding> = own(Applicability::Unsafe).collect();
        let safe = own(Applicability::Safe).count() == all.len();
        if all.len() < 2 {
            return None;
        }
        let (changed, count) = self.together(&all)?;
        if count < 2 {
            return None;
        }
        let title = format!("fix all {count} of `{rule}` in this file");
        Some(CodeAction {
            title: if safe { title } else { format!("{title} (check that this is meant)") },
            kind: Some(CodeActionKind::QuickFix),
            edit: self.edit(&changed),
            ..CodeAction::default()
        })
    }

    fn fix_all(&self) -> Option<CodeAction> {
        let all: Vec<&Finding> = self.findings().filter(|f| self.mendable(f, Applicability::Safe)).collect();
        let (changed, count) = self.together(&all)?;
        Some(CodeAction {
            title: format!("fix all that dynlint can fix safely ({count})"),
            kind: Some(CodeActionKind::Custom(FIX_ALL.into())),
            edit: self.edit(&changed),
            ..CodeAction::default()
        })
    }

    /// Whether a fix is no bolder than that and stays in this document.
    fn mendable(&self, finding: &Finding, most: Applicability) -> bool {
        finding
            .fix
            .as_ref()
            .is_some_and(|fix| fix.applicability <= most && fix.edits.iter().all(|edit| self.view.has(edit.span)))
    }

    /// As many of these fixes as hold together, in order.
    fn together(&self, findings: &[&Finding]) -> Option<(Vec<Changed>, usize)> {
        let certifier = self.certifier();
        if let Ok(changed) = certifier.together(findings)
            && !findings.is_empty()
        {
            return Some((changed, findings.len()));
        }
        let mut kept: Vec<&Finding> = Vec::new();
        let mut best = None;
        for finding in findings {
            kept.push(finding);
            match certifier.together(&kept) {
                Ok(changed) => best = Some(changed),
                Err(_) => {
                    kept.pop();
                }
            }
        }
        best.map(|changed| (changed, kept.len()))
    }

    /// A comment that silences the finding.
    fn ignore(&self, finding: &Finding) -> Option<CodeAction> {
        let file = &self.view.file;
        let limits = Limits::default();
        let stream = yaml::parse(file, &limits);
        let wanted = Wanted { rule: finding.rule, span: finding.primary.span };
        let after = write(file, &stream, &[wanted], REASON, &limits);
        let changed = Changed { file: std::sync::Arc::clone(file), after };
        Some(CodeAction {
            title: format!("ignore `{}` here, with a reason", finding.rule),
            kind: Some(CodeActionKind::QuickFix),
            diagnostics: self.diagnostic(finding),
            edit: self.edit(&[changed]),
            ..CodeAction::default()
        })
    }

    fn edit(&self, changed: &[Changed]) -> Option<WorkspaceEdit> {
        let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
        let mut documents = Vec::new();
        for Changed { file, after } in changed {
            let path = file.path.as_deref()?;
            let uri = self.view.documents.uri(path)?;
            let edits = edits(file, after, |span| self.view.encoding.range(file, span));
            if self.versioned {
                let version = self.view.documents.get(path).map(|document| document.version);
                documents.push(DocumentChange::TextDocumentEdit(TextDocumentEdit {
                    text_document: OptionalVersionedTextDocumentIdentifier {
                        version,
                        text_document_identifier: TextDocumentIdentifier { uri },
                    },
                    edits: edits.into_iter().map(LspEdit::TextEdit).collect(),
                }));
            } else {
                changes.insert(uri, edits);
            }
        }
        let (changes, documents) = if self.versioned { (None, Some(documents)) } else { (Some(changes), None) };
        Some(WorkspaceEdit { changes, document_changes: documents, change_annotations: None })
    }
}

/// What the fix does, in a few words.
fn title(finding: &Finding, view: &View<'_>) -> String {
    let edits = finding.fix.as_ref().map_or(&[][..], |fix| &fix.edits);
    let quote = |text: &str| {
        let line = text.trim().lines().next().unwrap_or_default();
        let cut: String = line.chars().take(QUOTED).collect();
        let more = if cut.len() < text.trim().len() { "…" } else { "" };
        format!("`{}{more}`", crate::report::mask(&cut))
    };
    let what = match edits {
        [edit] => {
            let file = view.analysis.sources().get(edit.span.file);
            let old = file.text.get(edit.span.range()).unwrap_or_default();
            match (old.trim().is_empty(), edit.text.trim().is_empty()) {
                (true, _) => format!("add {}", quote(&edit.text)),
                (false, true) => format!("remove {}", quote(old)),
                (false, false) => format!("replace {} by {}", quote(old), quote(&edit.text)),
            }
        }
        edits => {
            let mut files: Vec<_> = edits.iter().map(|edit| edit.span.file).collect();
            files.sort_unstable();
            files.dedup();
            match files.len() {
                1 => format!("apply {} edits", edits.len()),
                many => format!("apply {} edits in {many} files", edits.len()),
            }
        }
    };
    format!("{what} ({})", finding.rule)
}

/// The replacements that make one text of the other, each as small as its lines allow.
fn edits(file: &SourceFile, after: &str, range: impl Fn(Span) -> Range) -> Vec<TextEdit> {
    let before = &*file.text;
    let diff = TextDiff::from_lines(before, after);
    let starts = |text: &str| {
        let mut at = 0;
        let mut starts = vec![0];
        for line in text.split_inclusive('\n') {
            at += line.len();
            starts.push(at);
        }
        starts
    };
    let (old, new) = (starts(before), starts(after));
    let mut out = Vec::new();
    for op in diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal) {
        let (a, b) = (op.old_range(), op.new_range());
        let (mut from, mut to) = (old[a.start], old[a.end]);
        let mut text = &after[new[b.start]..new[b.end]];
        let same =
            |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
        let lead: usize = same(&before[from..to], text);
        from += lead;
        text = &text[lead..];
        let tail: usize = {
            let (a, b) = (before[from..to].chars().rev(), text.chars().rev());
            a.zip(b).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
        };
        to -= tail;
        text = &text[..text.len() - tail];
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        out.push(TextEdit { range: range(Span::new(file.id, number(from), number(to))), new_text: text.to_owned() });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::position::Encoding;
    use crate::source::Sources;

    #[test]
    fn edits_are_small_and_make_the_text() {
        for (before, after) in [
            ("a: 1\nb: é2🦀\nc: 3\n", "a: 1\nb: é4🦀\nc: 3\n"),
            ("a: 1\r\nb: 2\r\n", "a: 1\r\n# x\r\nb: 2\r\n"),
            ("a: 1\nb: 2", "a: 1\n"),
            ("", "a: 1\n"),
            ("a\na\na\n", "a\nb\na\nc"),
        ] {
            let file = Sources::new().add("t".to_owned(), None, before);
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
                let mut edits = edits(&file, after, |span| encoding.range(&file, span));
                edits.sort_by_key(|edit| std::cmp::Reverse(edit.range.start));
                let mut text = before.to_owned();
                for edit in edits {
                    let (from, to) = (encoding.offset(&text, edit.range.start), encoding.offset(&text, edit.range.end));
                    text.replace_range(from..to, &edit.new_text);
                }
                assert_eq!(text, after);
            }
        }
        let file = Sources::new().add("t".to_owned(), None, "b: é2🦀\n");
        let edits = edits(&file, "b: é4🦀\n", |span| Encoding::Utf16.range(&file, span));
        assert_eq!((edits.len(), edits[0].new_text.as_str(), edits[0].range.start.character), (1, "4", 4));
    }
}
