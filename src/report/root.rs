//! Paths as services that show reports want them: relative to the checkout, not to the working directory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::source::without_dots;

/// Where the paths of a report start, and where they are to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// Working directory: paths of the wire type are relative to it.
    pub cwd: PathBuf,
    /// Top of the checkout.
    pub top: PathBuf,
}

impl Root {
    /// The path relative to the top of the checkout, `/`-separated; as it is when it does not lie below it.
    #[must_use]
    pub fn relative(&self, path: &str) -> String {
        self.below(path).unwrap_or_else(|| path.to_owned())
    }

    /// The path as a relative URI reference below the top, or as an absolute `file` URI. What is no file (`<stdin>`)
    /// is a relative reference too.
    #[must_use]
    pub fn uri(&self, path: &str) -> (String, bool) {
        if path.starts_with('<') {
            return (encode(path), true);
        }
        match self.below(path) {
            Some(relative) => (encode(&relative), true),
            None => (file_uri(&without_dots(&self.cwd.join(path))), false),
        }
    }

    /// The top as a `file` URI with the slash that a base needs.
    #[must_use]
    pub fn base(&self) -> String {
        let mut uri = file_uri(&self.top);
        if !uri.ends_with('/') {
            uri.push('/');
        }
        uri
    }

    fn below(&self, path: &str) -> Option<String> {
        let absolute = without_dots(&self.cwd.join(path));
        let relative = absolute.strip_prefix(&self.top).ok()?;
        let parts: Option<Vec<&str>> = relative.components().map(|part| part.as_os_str().to_str()).collect();
        parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("/"))
    }
}

fn file_uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let lead = if text.starts_with('/') { "file://" } else { "file:///" };
    format!("{lead}{}", encode(&text))
}

/// Percent-encodes what RFC 3986 does not allow in a path.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        Root { cwd: "/repo/recipes".into(), top: "/repo".into() }
    }

    #[test]
    fn paths_start_at_the_checkout() {
        assert_eq!(root().relative("a/b.yaml"), "recipes/a/b.yaml");
        assert_eq!(root().relative("../x.yaml"), "x.yaml");
        assert_eq!(root().relative("/repo/y.yaml"), "y.yaml");
        assert_eq!(root().relative("/elsewhere/y.yaml"), "/elsewhere/y.yaml");
        assert_eq!(root().relative("../../out.yaml"), "../../out.yaml");
    }

    #[test]
    fn uris_are_encoded_and_absolute_outside() {
        assert_eq!(root().uri("a b/ü:%.yaml"), ("recipes/a%20b/%C3%BC%3A%25.yaml".to_owned(), true));
        assert_eq!(root().uri("/else where/y.yaml"), ("file:///else%20where/y.yaml".to_owned(), false));
        assert_eq!(root().uri("<stdin>"), ("%3Cstdin%3E".to_owned(), true));
        assert_eq!(root().base(), "file:///repo/");
    }
}
