//! Rule pages: front matter, sections, fenced examples and the markers in them.

/// What an example must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exactly the findings that its markers announce.
    Bad,
    /// None.
    Good,
}

/// One marker line.
#[derive(Clone, Debug)]
pub struct Marker {
    /// Line in the example (markers removed) that it speaks about, from 1.
    pub line: usize,
    /// Columns under which carets stand, from 1, end exclusive.
    pub carets: Option<(usize, usize)>,
    /// What must be said there; may be empty.
    pub text: String,
    /// Line in the page, from 1.
    pub page_line: usize,
}

/// One fenced example.
#[derive(Clone, Debug)]
pub struct Example {
    /// What it must do.
    pub kind: Kind,
    /// Rules that may speak besides the page's own.
    pub also: Vec<String>,
    /// The manifest, markers removed.
    pub text: String,
    /// What must be found in it.
    pub markers: Vec<Marker>,
    /// Line of the fence in the page, from 1.
    pub page_line: usize,
    /// For each line of `text`, its line in the page.
    pub page_lines: Vec<usize>,
}

/// One page, front matter apart.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Headings of the second level.
    pub sections: Vec<String>,
    /// Examples, in the order of the page.
    pub examples: Vec<Example>,
    /// What is wrong with the page itself.
    pub errors: Vec<String>,
}

impl Page {
    /// Reads the text of a page.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut page = Self::default();
        parse(text, &mut page);
        page
    }
}

/// Reads the body of a page. A fence closes at the first line that is the same run of backticks or more.
fn parse(text: &str, page: &mut Page) {
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let ticks = line.trim_start().bytes().take_while(|&b| b == b'`').count();
        if ticks < 3 {
            if let Some(heading) = line.strip_prefix("## ") {
                page.sections.push(heading.trim().to_owned());
            }
            at += 1;
            continue;
        }
        let info = line.trim_start()[ticks..].trim();
        let body = at + 1;
        let closes = |l: &&str| l.trim().len() >= ticks && l.trim().bytes().all(|b| b == b'`');
        let Some(len) = lines[body..].iter().position(closes) else {
            page.errors.push(format!("line {}: the fence is never closed", at + 1));
            return;
        };
        fence(info, &lines[body..body + len], at + 1, page);
        at = body + len + 1;
    }
}

fn fence(info: &str, lines: &[&str], page_line: usize, page: &mut Page) {
    let mut words = info.split_whitespace();
    if words.next() != Some("yaml") {
        return;
    }
    let mut kind = None;
    let mut also = Vec::new();
    for word in words {
        match word {
            "bad" => kind = Some(Kind::Bad),
            "good" => kind = Some(Kind::Good),
            _ => match word.strip_prefix("also=") {
                Some(rules) => also.extend(rules.split(',').map(str::to_owned)),
                None => page.errors.push(format!("line {page_line}: `{word}` is no word for a fence")),
            },
        }
    }
    let Some(kind) = kind else { return };
    let mut example =
        Example { kind, also, text: String::new(), markers: Vec::new(), page_line, page_lines: Vec::new() };
    for (index, line) in lines.iter().enumerate() {
        let here = page_line + 1 + index;
        if let Some(marker) = marker(line) {
            if example.page_lines.is_empty() {
                page.errors.push(format!("line {here}: a marker needs a line before it"));
                continue;
            }
            let (carets, text) = marker;
            example.markers.push(Marker { line: example.page_lines.len(), carets, text, page_line: here });
        } else {
            example.text.push_str(line);
            example.text.push('\n');
            example.page_lines.push(here);
        }
    }
    match kind {
        Kind::Bad if example.markers.is_empty() => {
            page.errors.push(format!("line {page_line}: a bad example needs a marker (`#~`)"));
        }
        Kind::Good if !example.markers.is_empty() => {
            page.errors.push(format!("line {page_line}: a good example has no markers"));
        }
        _ => {}
    }
    page.examples.push(example);
}

/// Reads `#~   ^^^ text`: columns of the carets and the text.
#[allow(clippy::type_complexity)]
fn marker(line: &str) -> Option<(Option<(usize, usize)>, String)> {
    let rest = line.trim_start().strip_prefix("#~")?;
    let before = line.chars().count() - rest.chars().count();
    let blanks = rest.chars().take_while(|c| *c == ' ').count();
    let after = rest.trim_start();
    let carets = after.chars().take_while(|&c| c == '^').count();
    if carets == 0 {
        return Some((None, after.trim().to_owned()));
    }
    let start = before + blanks + 1;
    Some((Some((start, start + carets)), after[carets..].trim().to_owned()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn pages_are_read_as_written() {
        let text = "---\nsummary: x\n---\n## What it does\n```yaml bad also=a,b\nkey: vål\n#~   ^^^ wrong\n  #~ also said\nb: 2\n```\n\
                    ````yaml good\n```\n````\n```sh\n#~ no example\n```\n```yaml bad\nx: 1\n```\n```yaml odd\n```\n";
        let page = super::Page::parse(text);
        assert_eq!(page.sections, ["What it does"]);
        assert_eq!(page.examples.len(), 3);
        let bad = &page.examples[0];
        assert_eq!((bad.text.as_str(), bad.also.len(), bad.page_line), ("key: vål\nb: 2\n", 2, 5));
        assert_eq!(
            (bad.markers[0].line, bad.markers[0].carets, bad.markers[0].text.as_str()),
            (1, Some((6, 9)), "wrong")
        );
        assert_eq!((bad.markers[1].line, bad.markers[1].carets, bad.markers[1].text.as_str()), (1, None, "also said"));
        assert_eq!(bad.page_lines, [6, 9]);
        assert_eq!(page.examples[1].text, "```\n");
        assert_eq!(
            page.errors,
            ["line 17: a bad example needs a marker (`#~`)", "line 20: `odd` is no word for a fence"]
        );
    }
}
