//! Rule pages (`rules/<family>/<rule-id>.md`) to the registry: front matter becomes a static, the page text a file that
//! the static includes. A page without a function does not compile, since the static names the function.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What stands between the `---` lines of a page.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FrontMatter {
    /// One line: what it finds.
    summary: String,
    severity: Severity,
    confidence: Confidence,
    /// dynlint version that brought it.
    since: String,
    /// Versions of Dynamo it holds for, in words.
    applies_to: String,
    #[serde(default)]
    scope: Scope,
    /// Severity under `--profile strict`, where it differs.
    strict: Option<Severity>,
    /// Whether a comment may silence it.
    #[serde(default = "yes")]
    ignorable: bool,
    /// Whether it speaks once for a whole deployment, at the first place that shows it: its findings are then known by the
    /// deployment alone, whichever service comes first.
    #[serde(default)]
    once: bool,
    /// Which other server says the same in an editor.
    #[serde(default)]
    said_by: SaidBy,
    /// Raised when its findings change their place or subject, so that a baseline knows that it cannot compare.
    #[serde(default = "first")]
    revision: u32,
    /// CVSS-like score for rules about security, `0.1` to `10.0`.
    security_severity: Option<String>,
}

const fn yes() -> bool {
    true
}

const fn first() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Error,
    Warning,
    Advice,
}

#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    Certain,
    Likely,
    Possible,
}

#[derive(Clone, Copy, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    Deployment,
    File,
    Reader,
    Probe,
}

#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SaidBy {
    #[default]
    Nobody,
    Yaml,
    Schemas,
    SchemasOfV1beta1,
}

struct Page {
    /// Hits, confirmed, debatable and advice over the real manifests.
    measured: [u32; 4],
    id: String,
    family: String,
    front: FrontMatter,
    body: String,
}

/// Writes `rules.rs` (the registry's items) and `pages/*.md` below `out`.
///
/// # Errors
/// A page that cannot be read or is malformed; the message names it.
pub fn generate(rules: &Path, out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", rules.display());
    let mut pages = Vec::new();
    for family in sorted(rules)? {
        let name = file_name(&family);
        if !family.is_dir() || name == "catalog" {
            continue;
        }
        println!("cargo::rerun-if-changed={}", family.display());
        for file in sorted(&family)? {
            if file.extension().is_some_and(|e| e == "md") {
                println!("cargo::rerun-if-changed={}", file.display());
                pages.push(read(&file, &name).map_err(|e| format!("{}: {e}", file.display()))?);
            }
        }
    }
    pages.sort_by(|a, b| a.id.cmp(&b.id));
    measured(&rules.join("catalog/precision.tsv"), &mut pages)?;
    if let Some(pair) = pages.windows(2).find(|w| w[0].id == w[1].id) {
        return Err(format!("rule `{}` has a page in both `{}` and `{}`", pair[0].id, pair[0].family, pair[1].family));
    }
    // The pages are a tenth of their size so, and only who asks for one pays for unpacking them.
    let texts: String = pages.iter().map(|page| page.body.as_str()).collect();
    let packed = out.join("pages.deflate");
    fs::write(&packed, miniz_oxide::deflate::compress_to_vec(texts.as_bytes(), 10))
        .map_err(|e| format!("{}: {e}", packed.display()))?;
    write_if_changed(&out.join("rules.rs"), &source(&pages))
}

/// Reads what `cargo xtask ecosystem` has counted. A rule that is not in the table was never seen to speak.
fn measured(table: &Path, pages: &mut [Page]) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", table.display());
    let text = fs::read_to_string(table).map_err(|e| format!("{}: {e}", table.display()))?;
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let wrong = || format!("{}: `{line}` is not a rule and four numbers", table.display());
        let mut cells = line.split('\t');
        let rule = cells.next().unwrap_or_default();
        let numbers: Vec<u32> = cells.map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let numbers = <[u32; 4]>::try_from(numbers).map_err(|_| wrong())?;
        // A rule that was taken back leaves its line until the next count.
        if let Some(page) = pages.iter_mut().find(|page| page.id == rule) {
            page.measured = numbers;
        }
    }
    Ok(())
}

fn source(pages: &[Page]) -> String {
    let length: usize = pages.iter().map(|page| page.body.len()).sum();
    let mut code = format!(
        "static PAGES: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/pages.deflate\"));\n\
         const PAGES_LENGTH: usize = {length};\n\
         /// Every rule, sorted by id.\npub static RULES: &[Rule] = &[\n"
    );
    let mut from = 0;
    for Page { id, family, front, body, measured: [hits, confirmed, debatable, advice] } in pages {
        let to = from + body.len();
        let function = format!("crate::rules::{family}::{}", id.replace('-', "_"));
        let check = match front.scope {
            Scope::Deployment => format!("Check::Deployment({function})"),
            Scope::File => format!("Check::File({function})"),
            Scope::Reader => "Check::Reader".to_owned(),
            Scope::Probe => "Check::Probe".to_owned(),
        };
        let strict = front.strict.map_or_else(|| "None".to_owned(), |severity| format!("Some(Severity::{severity:?})"));
        let FrontMatter {
            summary, severity, confidence, since, applies_to, ignorable, once, said_by, revision, ..
        } = front;
        let security_severity = &front.security_severity;
        let _ = writeln!(
            code,
            "    Rule {{ id: {id:?}, family: {family:?}, summary: {summary:?}, severity: Severity::{severity:?}, \
             confidence: Confidence::{confidence:?}, strict: {strict}, since: {since:?}, applies_to: {applies_to:?}, \
             ignorable: {ignorable}, scoped: false, once: {once}, said_by: SaidBy::{said_by:?}, revision: {revision}, \
             security_severity: {security_severity:?}, \
             measured: Measured {{ hits: {hits}, confirmed: {confirmed}, debatable: {debatable}, advice: {advice} }}, \
             page: PageText::Packed {{ from: {from}, to: {to} }}, check: {check} }},"
        );
        from = to;
    }
    code.push_str("];\n");
    code
}

fn read(file: &Path, family: &str) -> Result<Page, String> {
    let id = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    for name in [id.as_str(), family] {
        let kebab = !name.is_empty()
            && name
                .split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        if !kebab {
            return Err(format!("`{name}` is not kebab case"));
        }
    }
    let text = fs::read_to_string(file).map_err(|e| e.to_string())?.replace("\r\n", "\n");
    let rest = text.strip_prefix("---\n").ok_or("no front matter: the first line must be `---`")?;
    let (front, body) = rest.split_once("\n---\n").ok_or("the front matter has no closing `---` line")?;
    let front: FrontMatter = serde_yaml::from_str(front).map_err(|e| format!("front matter: {e}"))?;
    for (key, value) in [("summary", &front.summary), ("since", &front.since), ("applies-to", &front.applies_to)] {
        if value.trim().is_empty() || value.trim() != value || value.contains('\n') {
            return Err(format!("front matter: `{key}` must be one line without blanks around it"));
        }
    }
    if let Some(score) = &front.security_severity
        && !score.parse::<f32>().is_ok_and(|score| score > 0.0 && score <= 10.0)
    {
        return Err("front matter: `security-severity` must be a quoted number from 0.1 to 10.0".to_owned());
    }
    if front.summary.ends_with('.') {
        return Err("front matter: `summary` must not end with a full stop".to_owned());
    }
    Ok(Page { measured: [0; 4], id, family: family.to_owned(), front, body: body.trim_start_matches('\n').to_owned() })
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        if !file_name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn write_if_changed(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
