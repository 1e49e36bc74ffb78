//! Options whose dashes are not two hyphens.

use super::flags::known;
use crate::catalog::flags::Lookup;
use crate::finding::Applicability;
use crate::resolve::Deployment;
use crate::rules::Findings;

/// What editors and chat windows make of `-` and `--`.
pub(super) const DASHES: [char; 7] =
    ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}', '\u{2212}'];

/// `flag-dash`
pub fn flag_dash(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let Some(process) = service.process.as_ref().filter(|p| !p.implied) else { continue };
        let known = known(service);
        let exact = |name: &str| known.iter().any(|c| c.flag(name).is_some());
        for word in &process.argv {
            let Some(text) = word.as_known() else { continue };
            let bare = text.trim_start_matches(DASHES);
            let typographic = bare.len() < text.len();
            let name = bare.trim_start_matches('-');
            if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.contains(char::is_whitespace) {
                continue;
            }
            let single = text.starts_with('-') && !text.starts_with("--") && name.len() > 3;
            if !typographic && !single {
                continue;
            }
            let right = format!("--{}", name.split('=').next().unwrap_or(name));
            let written = text.split('=').next().unwrap_or(text);
            let why = if typographic {
                "a typographic dash, which argparse takes for a value"
            } else if exact(&right) && known.iter().all(|c| matches!(c.find(written), Lookup::Unknown)) {
                "one hyphen: argparse knows no such option"
            } else {
                continue;
            };
            let dashes = text.len() - name.len();
            out.report(word.span(), format!("`{written}` is not `{right}`"), why)
                .service(service)
                .subject(right.clone())
                .help(format!("write `{right}`"))
                .fix(Applicability::Unsafe, word.text.slice_span(0..dashes), "--")
                .emit();
        }
    }
}
