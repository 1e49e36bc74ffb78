//! How `UCX_TLS` is written: what UCX refuses, drops, or takes for something else.

use super::common::{Reads, each_variable, reads_ucx, value_span};
use crate::catalog::ucx::{ListError, ListErrorKind, Mode, NetDevices, TlsList};
use crate::finding::{Applicability, Edit, Severity};
use crate::resolve::{Deployment, EnvVar, Service};
use crate::rules::{Findings, Report};
use crate::source::Text;

/// `^` in front of another item than the first.
pub fn ucx_tls_caret_not_first(deployment: &Deployment, out: &mut Findings) {
    lists(deployment, &["UCX_TLS", "UCX_NET_DEVICES"], |service, var, text| {
        let (mode, errors) = read(var, text);
        let carets: Vec<&ListError> = errors.iter().filter(|e| e.kind == ListErrorKind::CaretNotFirst).collect();
        let Some(first) = carets.first() else { return };
        let negated = mode == Mode::Negate;
        let token = &text.as_str()[first.range.clone()];
        let mut report = out
            .report(
                text.slice_span(first.range.clone()),
                format!("`{token}` in `{}` excludes nothing", var.name),
                if negated {
                    "`^` counts once, in front of the whole list: this item stays allowed"
                } else {
                    "`^` counts only as the first character: here it is part of a name that matches nothing"
                },
            )
            .service(service)
            .subject(var.name.clone());
        for more in carets.iter().skip(1) {
            report = report.label(text.slice_span(more.range.clone()), "this one too");
        }
        if negated {
            let right: Vec<&str> = text[1..].split(',').map(|t| t.trim_start_matches('^')).collect();
            let right = format!("^{}", right.join(","));
            rewrite(report.help(format!("write `{right}`")), text, &right).emit();
        } else {
            report
                .help("write either the items to allow, or `^` and all items to exclude, such as `^cuda_ipc,sm`")
                .emit();
        }
    });
}

/// `all` together with other items.
pub fn ucx_tls_all_not_alone(deployment: &Deployment, out: &mut Findings) {
    lists(deployment, &["UCX_TLS", "UCX_NET_DEVICES"], |service, var, text| {
        let (_, errors) = read(var, text);
        let kinds = [ListErrorKind::AllNotAlone, ListErrorKind::AllNotFirst];
        let Some(error) = errors.iter().find(|e| kinds.contains(&e.kind)) else { return };
        let first = error.kind == ListErrorKind::AllNotAlone;
        out.report(
            text.slice_span(error.range.clone()),
            format!("`all` in `{}` does not stand alone", var.name),
            if first {
                "UCX refuses the value and does not start"
            } else {
                "means nothing behind other items: only those are allowed"
            },
        )
        .service(service)
        .subject(var.name.clone())
        .severity(if first { Severity::Error } else { Severity::Warning })
        .help("write `all` alone, or better remove the variable; or only the other items")
        .emit();
    });
}

/// A list without an item.
pub fn ucx_tls_empty(deployment: &Deployment, out: &mut Findings) {
    lists(deployment, &["UCX_TLS"], |service, var, text| {
        let (_, errors) = read(var, text);
        if !errors.iter().any(|e| e.kind == ListErrorKind::Empty) {
            return;
        }
        let Some(at) = value_span(var) else { return };
        out.report(at, "`UCX_TLS` is set but names no transport", "UCX stops with `The TLs list is empty`")
            .service(service)
            .subject(var.name.clone())
            .help("remove the variable: an empty value does not mean the default")
            .emit();
    });
}

/// A blank, a quote or a capital letter inside an item.
pub fn ucx_tls_token_format(deployment: &Deployment, out: &mut Findings) {
    lists(deployment, &["UCX_TLS"], |service, var, text| {
        let (_, errors) = read(var, text);
        let kinds = [ListErrorKind::Blank, ListErrorKind::Quote, ListErrorKind::Case];
        let wrong: Vec<&ListError> = errors.iter().filter(|e| kinds.contains(&e.kind)).collect();
        let Some(first) = wrong.first() else { return };
        let token = &text.as_str()[first.range.clone()];
        let right = corrected(text, &wrong);
        let why = match first.kind {
            ListErrorKind::Blank => "the blank is taken for part of the name",
            ListErrorKind::Quote => "the quote is taken for part of the name",
            _ => "names are compared exactly, in lower case",
        };
        let mut report = out
            .report(text.slice_span(first.range.clone()), format!("UCX does not know the transport `{token}`"), why)
            .service(service)
            .subject(var.name.clone())
            .severity(severity(text, &right))
            .help(format!("write `UCX_TLS={right}`"));
        for more in wrong.iter().skip(1) {
            report = report.label(text.slice_span(more.range.clone()), "this one too");
        }
        rewrite(report, text, &right).emit();
    });
}

/// A transport that no release of UCX has.
pub fn ucx_tls_unknown_transport(deployment: &Deployment, out: &mut Findings) {
    lists(deployment, &["UCX_TLS"], |service, var, text| {
        let (_, errors) = read(var, text);
        for error in errors.iter().filter(|e| e.kind == ListErrorKind::Unknown) {
            let token = &text.as_str()[error.range.clone()];
            let right = corrected(text, &[error]);
            let at = text.slice_span(error.range.clone());
            let report = out
                .report(
                    at,
                    format!("UCX has no transport `{token}`"),
                    "matches nothing: UCX warns once and goes on without it",
                )
                .service(service)
                .subject(var.name.clone())
                .severity(severity(text, &right));
            match &error.replacement {
                Some(near) if !near.is_empty() => {
                    let report = report.help(format!("did you mean `{near}`?"));
                    if at.len() as usize == error.range.len() {
                        report.fix(Applicability::Unsafe, at, near.clone()).emit();
                    } else {
                        report.emit();
                    }
                }
                _ => report
                    .help(
                        "write transports such as `rc_x`, `tcp`, `cuda_copy`, `cuda_ipc`, `sm`, `self`, \
                        or remove the variable",
                    )
                    .emit(),
            }
        }
    });
}

/// Items that say what another item says.
pub fn ucx_tls_redundant(deployment: &Deployment, out: &mut Findings) {
    lists(deployment, &["UCX_TLS"], |service, var, text| {
        let list = TlsList::parse(text);
        let redundant = list.redundant();
        let Some((first, wider)) = redundant.first() else { return };
        let mut report = out
            .report(
                text.slice_span(first.range.clone()),
                format!("`{}` adds nothing to `UCX_TLS={text}`", first.text),
                format!("`{}` stands for it already", wider.text),
            )
            .service(service)
            .subject(var.name.clone())
            .help("leave it out; the order has no meaning");
        for (item, wider) in redundant.iter().skip(1) {
            report =
                report.label(text.slice_span(item.range.clone()), format!("`{}` stands for this, too", wider.text));
        }
        report.emit();
    });
}

/// Calls `f` for each list that may be read, once a place.
fn lists(deployment: &Deployment, names: &[&str], mut f: impl FnMut(&Service, &EnvVar, &Text)) {
    each_variable(
        deployment,
        |s| reads_ucx(s) != Reads::No,
        |name, _| names.contains(&name),
        |service, var| {
            if let Some(text) = var.known().filter(|_| names.contains(&var.name.as_str())) {
                f(service, var, text);
            }
        },
    );
}

fn read(var: &EnvVar, text: &Text) -> (Mode, Vec<ListError>) {
    if var.name == "UCX_TLS" {
        let list = TlsList::parse(text);
        (list.mode(), list.errors())
    } else {
        let list = NetDevices::parse(text);
        (list.mode(), list.errors())
    }
}

/// The value with what the errors would have in their places.
fn corrected(text: &Text, errors: &[&ListError]) -> String {
    let mut value = text.as_str().to_owned();
    for error in errors.iter().rev() {
        if let Some(right) = &error.replacement {
            value.replace_range(error.range.clone(), right);
        }
    }
    value
}

/// Nothing works without a transport that carries messages or recognises GPU memory; else the loss is speed.
fn severity(text: &Text, right: &str) -> Severity {
    let (have, want) = (TlsList::parse(text), TlsList::parse(right));
    let lost = (want.has_cuda_copy() && !have.has_cuda_copy()) || !have.has_am_transport();
    if lost { Severity::Error } else { Severity::Warning }
}

fn rewrite<'a>(report: Report<'a>, text: &Text, right: &str) -> Report<'a> {
    let span = text.span();
    if span.len() as usize != text.len() {
        return report;
    }
    report.fix_edits(Applicability::Safe, vec![Edit { span, text: right.to_owned() }])
}
