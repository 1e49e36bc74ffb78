//! The form in which our scripts print: sections that start with `@@ NAME` and end with `@@= STATUS`.

/// How a section ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With that exit code.
    Code(i32),
    /// The tool is not there.
    Missing,
    /// Without an end: cut short by a limit, a time-out or a broken connection.
    Open,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name.
    pub name: &'a str,
    /// What was printed, without the line ends around it.
    pub body: &'a str,
    /// How it ended.
    pub end: End,
}

/// Splits the output of a script. Never fails: what stands before the first section is dropped.
#[must_use]
pub fn split(output: &str) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    for line in output.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(name) = line.strip_prefix("@@ ") {
            if let Some((name, from)) = open.take() {
                sections.push(Section { name, body: body(&output[from..start]), end: End::Open });
            }
            open = Some((name.trim(), at));
        } else if let Some(status) = line.strip_prefix("@@= ")
            && let Some((name, from)) = open.take()
        {
            let end = match status.trim() {
                "missing" => End::Missing,
                code => code.parse().map_or(End::Open, End::Code),
            };
            sections.push(Section { name, body: body(&output[from..start]), end });
        }
    }
    if let Some((name, from)) = open {
        sections.push(Section { name, body: body(&output[from..]), end: End::Open });
    }
    sections
}

fn body(text: &str) -> &str {
    text.trim_matches(['\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_with_and_without_an_end() {
        let text = "noise\n@@ a\none\ntwo\n\n@@= 0\n@@ b\n@@= missing\n@@ c\nhalf\n@@ d\nx\n@@= 124\n@@ e\ncut of";
        let got: Vec<_> = split(text).into_iter().map(|s| (s.name, s.body, s.end)).collect();
        let want = [
            ("a", "one\ntwo", End::Code(0)),
            ("b", "", End::Missing),
            ("c", "half", End::Open),
            ("d", "x", End::Code(124)),
            ("e", "cut of", End::Open),
        ];
        assert_eq!(got, want);
        assert_eq!(split(""), []);
        assert_eq!(split("@@= 0\n"), []);
        assert_eq!(split("@@ a\n@@= what\n")[0].end, End::Open);
    }
}
