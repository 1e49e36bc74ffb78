//! Regular expressions as Go writes them: those of schemas, of kustomizations, and of the operator.

use regex_automata::nfa::thompson;
use regex_automata::nfa::thompson::pikevm::{Cache, PikeVM};
use regex_automata::util::syntax;

/// A regular expression, with the memory that matching takes.
#[derive(Clone, Debug)]
pub struct Pattern(PikeVM, Cache);

impl Pattern {
    /// Compiles an expression; `None` when it is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        // `\d`, `\s`, `\w` and `\b` are those of ASCII in Go: an expression with one of them is read as one over bytes, and so
        // is one that asks for tables of Unicode, which are not built in.
        let ascii = [r"\d", r"\D", r"\s", r"\S", r"\w", r"\W", r"\b", r"\B"].iter().any(|class| text.contains(class));
        [!ascii, false].into_iter().find_map(|unicode| {
            let syntax = syntax::Config::new().unicode(unicode).utf8(unicode);
            let compile = thompson::Config::new().utf8(unicode);
            let vm = PikeVM::builder().syntax(syntax).thompson(compile).build(text).ok()?;
            let cache = vm.create_cache();
            Some(Self(vm, cache))
        })
    }

    /// Whether it matches anywhere.
    #[must_use]
    pub fn is_match(&mut self, text: &str) -> bool {
        self.0.is_match(&mut self.1, text)
    }

    /// Puts `with` of the groups of each match in its place; a group that took no part is empty.
    pub fn replace_all(&mut self, text: &str, with: impl Fn(&[&str]) -> String) -> String {
        let (mut out, mut done) = (String::new(), 0);
        for found in self.0.captures_iter(&mut self.1, text) {
            let groups: Vec<&str> =
                found.iter().map(|at| at.and_then(|at| text.get(at.range())).unwrap_or("")).collect();
            let Some(whole) = found.get_match() else { continue };
            out.push_str(text.get(done..whole.start()).unwrap_or_default());
            out.push_str(&with(&groups));
            done = whole.end();
        }
        out.push_str(text.get(done..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn matches_as_go_does() {
        let is = |pattern: &str, text: &str| Pattern::new(pattern).expect(pattern).is_match(text);
        assert!(is("^[a-z]([-a-z0-9]*[a-z0-9])?$", "a-b") && !is("^[a-z]([-a-z0-9]*[a-z0-9])?$", "a-b\n"));
        assert!(is(r"^\d+(\.\w+)?$", "12.ab") && !is(r"^\d+$", "١"));
        assert!(is("^.{2}$", "éé") && !is("^.{2}$", "é"));
        assert!(is("(?i)^gpu$", "GPU") && is("a|^$", ""));
        assert!(Pattern::new("(").is_none());
    }

    #[test]
    fn replaces_every_match() {
        let mut pattern = Pattern::new("(a+)(b)?").unwrap();
        assert_eq!(pattern.replace_all("xaabyaz", |g| format!("<{}|{}>", g[1], g[2])), "x<aa|b>y<a|>z");
        assert_eq!(pattern.replace_all("é", |_| String::new()), "é");
    }
}
