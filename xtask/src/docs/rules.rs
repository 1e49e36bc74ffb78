//! Rule pages, from `rules/` and `dynlint rules`.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Book, Result};

/// A rule as its page says it.
pub struct Rule {
    pub id: String,
    pub family: String,
    summary: String,
    severity: String,
    confidence: String,
    since: String,
    applies_to: String,
    /// The page, front matter stripped.
    body: String,
}

/// All of them, by family and id.
pub fn all(book: &Book) -> Result<Vec<Rule>> {
    let list: Value =
        serde_json::from_str(&book.dynlint(&["rules", "--format", "json"])?).map_err(|e| e.to_string())?;
    let list = list["rules"].as_array().ok_or("`dynlint rules` lists no rules")?;
    let mut rules = list.iter().map(|rule| one(book, rule)).collect::<Result<Vec<_>>>()?;
    rules.sort_by(|a, b| (&a.family, &a.id).cmp(&(&b.family, &b.id)));
    Ok(rules)
}

fn one(book: &Book, rule: &Value) -> Result<Rule> {
    let text = |key: &str| rule[key].as_str().map(str::to_owned).ok_or_else(|| format!("a rule without `{key}`"));
    let (id, family) = (text("id")?, text("family")?);
    let page = book.read(&format!("rules/{family}/{id}.md"))?;
    let body = page.split_once("\n---\n").map(|(_, body)| body.trim().to_owned());
    Ok(Rule {
        body: body.ok_or_else(|| format!("rules/{family}/{id}.md has no front matter"))?,
        summary: text("summary")?,
        severity: text("severity")?,
        confidence: text("confidence")?,
        since: text("since")?,
        applies_to: text("applies_to")?,
        id,
        family,
    })
}

impl Rule {
    /// The page as a chapter: its facts on top, the fences' second word in words, markers as comments.
    pub fn page(&self) -> String {
        let Self { id, summary, severity, confidence, since, applies_to, family, .. } = self;
        let mut out = format!(
            "# {id}\n\n**{summary}**\n\n{severity} · {confidence} · {family} · {applies_to} · since {since}\n\n"
        );
        for line in self.body.lines() {
            match line {
                "```yaml bad" => out.push_str("Found:\n\n```yaml\n"),
                "```yaml good" => out.push_str("Fine:\n\n```yaml\n"),
                // The marker keeps its columns: carets stand under what is found.
                _ => {
                    out.push_str(&line.replacen("#~", "# ", 1));
                    out.push('\n');
                }
            }
        }
        out
    }

    fn path(&self) -> String {
        format!("rules/{}/{}.md", self.family, self.id)
    }
}

/// Families, in order, each once.
pub fn families(rules: &[Rule]) -> Vec<&str> {
    let mut names: Vec<&str> = rules.iter().map(|rule| rule.family.as_str()).collect();
    names.dedup();
    names
}

/// The rules of a family, their links relative to `to`.
fn table(family: &str, rules: &[Rule], to: &str) -> String {
    let mut out = String::from("| rule | | what it finds |\n|---|---|---|\n");
    for rule in rules.iter().filter(|rule| rule.family == family) {
        let path = rule.path();
        let path = path.strip_prefix(to).unwrap_or(&path);
        let summary = rule.summary.replace('|', "\\|");
        let _ = writeln!(out, "| [{}]({path}) | {} | {summary} |", rule.id, rule.severity);
    }
    out
}

/// A family's own page.
pub fn family_page(family: &str, rules: &[Rule]) -> String {
    format!("# {family}\n\n{}", table(family, rules, "rules/"))
}

/// One table a family.
pub fn index(rules: &[Rule]) -> String {
    let one = |family: &&str| format!("\n## {family}\n\n{}", table(family, rules, ""));
    families(rules).iter().map(one).collect()
}

/// The rules' lines of `SUMMARY.md`, below their families.
pub fn summary(rules: &[Rule]) -> String {
    let mut out = Vec::new();
    for family in families(rules) {
        out.push(format!("  - [{family}](rules/{family}.md)"));
        let own = rules.iter().filter(|rule| rule.family == family);
        out.extend(own.map(|rule| format!("    - [{}]({})", rule.id, rule.path())));
    }
    out.join("\n")
}
