//! Documents made up, with what they must be read as.

use proptest::prelude::*;

/// What a document means.
#[derive(Clone, Debug)]
pub enum Model {
    Scalar(String, Written),
    Seq(Vec<Model>),
    Map(Vec<(String, Model)>),
}

/// How a scalar is to be written, as far as its text allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

/// How a document is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub indent: usize,
    pub flow: bool,
    pub crlf: bool,
    pub comments: bool,
    /// Whether sequences stand as deep as their key.
    pub flat_sequences: bool,
    /// Written into escapes and folds.
    pub seed: u64,
}

fn scalar() -> impl Strategy<Value = Model> {
    let text = prop_oneof![
        3 => "[a-z][a-z0-9_./=-]{0,12}",
        2 => "[a-zA-Z0-9 :#,'\"{}\\[\\]&*!|>%@`\\\\-]{0,16}",
        2 => "[a-z\u{e9}\u{4e2d}\u{1d11e} \t'\"\\\\]{0,12}",
        2 => "([a-z]{1,4} ?[a-z]{0,4}\n{0,3}){1,5}",
        1 => "( {0,2}[a-z]{1,3} {0,2}\n){1,4}",
        1 => "[\u{0}-\u{9}\u{1b}\u{7f}\u{85}\u{a0}\u{2028}\u{feff}a]{0,6}",
    ];
    let written = prop_oneof![
        Just(Written::Plain),
        Just(Written::Single),
        Just(Written::Double),
        Just(Written::Literal),
        Just(Written::Folded)
    ];
    (text, written).prop_map(|(text, written)| Model::Scalar(text, written))
}

pub fn model() -> impl Strategy<Value = Model> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Model::Seq),
            prop::collection::vec(("[a-z]{1,5}|[a-z :#']{1,6}", inner), 0..4).prop_map(|entries| {
                let mut seen = std::collections::HashSet::new();
                Model::Map(entries.into_iter().filter(|(key, _)| seen.insert(key.clone())).collect())
            }),
        ]
    })
}

pub fn layout() -> impl Strategy<Value = Layout> {
    (1usize..5, prop::bool::weighted(0.2), any::<bool>(), any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
        |(indent, flow, crlf, comments, flat_sequences, seed)| Layout {
            indent,
            flow,
            crlf,
            comments,
            flat_sequences,
            seed,
        },
    )
}

/// Writes a document out.
pub fn render(model: &Model, layout: Layout) -> String {
    let mut pen = Pen { out: String::new(), layout, state: layout.seed | 1 };
    match model {
        Model::Seq(items) if !items.is_empty() && !layout.flow => pen.seq(items, 0),
        Model::Map(entries) if !entries.is_empty() && !layout.flow => pen.map(entries, 0),
        other => {
            pen.inline(other, 0, layout.flow);
            pen.end_line();
        }
    }
    if layout.crlf { pen.out.replace('\n', "\r\n") } else { pen.out }
}

struct Pen {
    out: String,
    layout: Layout,
    state: u64,
}

impl Pen {
    fn chance(&mut self, one_in: u64) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.is_multiple_of(one_in)
    }

    fn pad(&mut self, by: usize) {
        self.out.extend(std::iter::repeat_n(' ', by));
    }

    fn end_line(&mut self) {
        if self.layout.comments && self.chance(4) && !self.out.ends_with('\n') {
            self.out.push_str("  # c: | > 'd\" \u{4e2d}");
        }
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        if self.layout.comments && self.chance(6) {
            self.out.push_str("# whole line\n\n");
        }
    }

    fn map(&mut self, entries: &[(String, Model)], depth: usize) {
        for (key, value) in entries {
            self.pad(depth);
            self.key(key);
            self.out.push(':');
            self.value(value, depth, self.layout.flat_sequences);
        }
    }

    fn seq(&mut self, items: &[Model], depth: usize) {
        for item in items {
            self.pad(depth);
            self.out.push('-');
            match item {
                Model::Map(entries) if !entries.is_empty() => {
                    // The first key stands on the dash's line.
                    self.out.push(' ');
                    let mut inner = Pen { out: String::new(), layout: self.layout, state: self.state };
                    inner.map(entries, depth + 2);
                    self.state = inner.state;
                    self.out.push_str(&inner.out[depth + 2..]);
                }
                other => self.value(other, depth, false),
            }
        }
    }

    /// Behind a colon or a dash.
    fn value(&mut self, value: &Model, depth: usize, flat: bool) {
        match value {
            Model::Seq(items) if !items.is_empty() => {
                self.end_line();
                let by = if flat { 0 } else { self.layout.indent };
                self.seq(items, depth + by);
            }
            Model::Map(entries) if !entries.is_empty() => {
                self.end_line();
                self.map(entries, depth + self.layout.indent);
            }
            other => {
                self.out.push(' ');
                self.inline(other, depth + self.layout.indent, false);
                self.end_line();
            }
        }
    }

    fn key(&mut self, key: &str) {
        let special = key.trim() != key || key.contains([':', '#', '\'']) || !is_string(key);
        if special { self.double(key, None) } else { self.out.push_str(key) }
    }

    fn inline(&mut self, value: &Model, depth: usize, flow: bool) {
        match value {
            Model::Seq(items) => {
                self.out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        self.out.push_str(", ");
                    }
                    self.inline(item, depth, true);
                }
                self.out.push(']');
            }
            Model::Map(entries) => {
                self.out.push('{');
                for (n, (key, value)) in entries.iter().enumerate() {
                    if n > 0 {
                        self.out.push_str(", ");
                    }
                    self.key(key);
                    self.out.push_str(": ");
                    self.inline(value, depth, true);
                }
                self.out.push('}');
            }
            Model::Scalar(text, written) => self.scalar(text, *written, depth, flow),
        }
    }

    fn scalar(&mut self, text: &str, written: Written, depth: usize, flow: bool) {
        let printable = text.chars().all(|c| matches!(c, ' '..='~' | '\n' | '\u{e9}' | '\u{4e2d}' | '\u{1d11e}'));
        let lines_end_well = !text.lines().any(|l| l.ends_with(' ') || l.starts_with(' '));
        match written {
            Written::Plain if is_plain(text) && is_string(text) => {
                // A blank between words may as well be a line end.
                for (n, word) in text.split(' ').enumerate() {
                    if n > 0 && !flow && depth > 0 && self.chance(3) {
                        self.out.push('\n');
                        self.pad(depth + 1);
                    } else if n > 0 {
                        self.out.push(' ');
                    }
                    self.out.push_str(word);
                }
            }
            Written::Single if printable && !text.contains('\n') => {
                let text = text.replace('\'', "''");
                self.out.push('\'');
                self.out.push_str(&text);
                self.out.push('\'');
            }
            Written::Literal if printable && !flow && !text.trim().is_empty() => self.block('|', text, depth),
            Written::Folded
                if printable && !flow && lines_end_well && !text.trim().is_empty() && !text.contains("  ") =>
            {
                self.block('>', text, depth);
            }
            _ => self.double(text, (!flow && depth > 0).then_some(depth + 1)),
        }
    }

    fn double(&mut self, text: &str, fold: Option<usize>) {
        self.out.push('"');
        let chars: Vec<char> = text.chars().collect();
        for (n, &c) in chars.iter().enumerate() {
            let wide = |n: usize| chars.get(n).is_some_and(|c| !c.is_whitespace() && *c != '\u{feff}');
            match c {
                // A blank between words may as well be a line end, and an escaped line end is nothing.
                ' ' if n > 0 && wide(n - 1) && wide(n + 1) && fold.is_some() && self.chance(3) => {
                    self.out.push('\n');
                    self.pad(fold.unwrap_or(0));
                }
                'a'..='z' if fold.is_some() && n > 0 && self.chance(12) => {
                    self.out.push_str("\\\n");
                    self.pad(fold.unwrap_or(0));
                    self.out.push(c);
                }
                '"' | '\\' => self.out.extend(['\\', c]),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '\0' => self.out.push_str("\\0"),
                '\u{85}' => self.out.push_str("\\N"),
                c if (c as u32) < 0x20 || c == '\u{7f}' => self.out.push_str(&format!("\\x{:02x}", c as u32)),
                '\u{a0}' | '\u{2028}' | '\u{feff}' => self.out.push_str(&format!("\\u{:04X}", c as u32)),
                '\u{1d11e}' if self.chance(2) => self.out.push_str("\\U0001D11E"),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn block(&mut self, sign: char, text: &str, depth: usize) {
        let body = text.trim_end_matches('\n');
        let ends = text.len() - body.len();
        self.out.push(sign);
        // Blanks that begin the first line, or blank lines before it, would be taken for indentation.
        let first = body.lines().find(|l| !l.is_empty()).unwrap_or_default();
        if first.starts_with(' ') {
            self.out.push_str(&self.layout.indent.to_string());
        }
        match ends {
            0 => self.out.push('-'),
            1 => {}
            _ => self.out.push('+'),
        }
        let depth = if depth == 0 { self.layout.indent } else { depth };
        let mut folded = body.split('\n').peekable();
        self.out.push('\n');
        let mut started = false;
        while let Some(line) = folded.next() {
            if !line.is_empty() {
                self.pad(depth);
                self.out.push_str(line);
                started = true;
            }
            self.out.push('\n');
            // One line end more than are meant: the first of them folds.
            if sign == '>' && started && !line.is_empty() && folded.peek().is_some() {
                self.out.push('\n');
            }
        }
        for _ in 1..ends {
            self.out.push('\n');
        }
    }
}

/// Whether a text may stand without quotes.
fn is_plain(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '.' | '/' | '=' | '-'))
        && !text.ends_with(' ')
        && !text.contains("  ")
}

/// Whether a plain text means itself.
fn is_string(text: &str) -> bool {
    !matches!(text, "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "")
}
