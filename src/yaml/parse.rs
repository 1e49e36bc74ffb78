//! From events to the tree.

use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use rustc_hash::FxHashMap;

use super::{
    Comment, Document, Entry, Key, Kind, Limits, Map, Node, Problem, ProblemKind, Scalar, Stream, Style, Typed, scalar,
};
use crate::source::{FileId, SourceFile, Span};

/// One document as `kubectl` cuts it out of a file.
struct Chunk {
    start: usize,
    end: usize,
    /// A separator line with content behind it, which `kubectl` rejects.
    bad_separator: Option<(usize, usize)>,
}

/// Cuts at lines that start with `---`, as apimachinery's `YAMLReader` does.
fn split(text: &str) -> Vec<Chunk> {
    let mut out = Vec::new();
    let mut start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut bad = None;
    let mut line = start;
    while line < text.len() {
        let end = memchr::memchr(b'\n', &text.as_bytes()[line..]).map_or(text.len(), |n| line + n + 1);
        let body = &text[line..end];
        if let Some(rest) = body.strip_prefix("---") {
            let trimmed = rest.trim();
            out.push(Chunk { start, end: line, bad_separator: bad.take() });
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                let at = line + 3 + (rest.len() - rest.trim_start().len());
                bad = Some((at, at + trimmed.len()));
            }
            start = end;
        }
        line = end;
    }
    out.push(Chunk { start, end: text.len(), bad_separator: bad });
    out
}

/// Reads every document of a file.
pub(super) fn stream(file: &SourceFile, limits: &Limits) -> Stream {
    let mut out = Stream::default();
    if file.text.len() > limits.bytes {
        out.problems.push(Problem {
            kind: ProblemKind::TooLarge,
            message: format!("the file has {} bytes, the limit is {}", file.text.len(), limits.bytes),
            span: Span::new(file.id, 0, 0),
            related: None,
        });
        return out;
    }
    for (index, chunk) in split(&file.text).into_iter().enumerate() {
        let span = Span::new(file.id, offset(chunk.start), offset(chunk.end));
        let mut root = None;
        if let Some((start, end)) = chunk.bad_separator {
            out.problems.push(Problem {
                kind: ProblemKind::Syntax,
                message: "a document separator `---` takes nothing but a comment behind it".to_owned(),
                span: Span::new(file.id, offset(start), offset(end)),
                related: None,
            });
        } else if !blank(&file.text[chunk.start..chunk.end]) {
            let mut builder = Builder::new(&file.text[chunk.start..chunk.end], file.id, chunk.start, limits);
            match builder.document() {
                Ok(node) => root = node,
                Err(problem) => builder.problems.push(*problem),
            }
            out.comments.append(&mut builder.comments);
            out.problems.append(&mut builder.problems);
        }
        out.documents.push(Document { index, span, root });
    }
    out
}

/// Reads one document out of a string that is a file of its own for now.
pub(super) fn single(text: &str, file: FileId, limits: &Limits) -> Result<Option<Node>, Problem> {
    let mut builder = Builder::new(text, file, 0, limits);
    builder.document().map_err(|p| *p)
}

fn blank(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_whitespace())
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

type Fallible<T> = Result<T, Box<Problem>>;

struct Builder<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
    file: FileId,
    base: usize,
    depth: usize,
    limits: &'a Limits,
    anchors: FxHashMap<usize, (Node, usize)>,
    comments: Vec<Comment>,
    problems: Vec<Problem>,
}

/// A node with its size once every alias is expanded.
type Sized = (Node, usize);

impl<'a> Builder<'a> {
    fn new(text: &'a str, file: FileId, base: usize, limits: &'a Limits) -> Self {
        let options = granit_parser::options! {
            max_buffered_comment_events: usize::MAX,
            emit_anchor_events: true,
            emit_unresolved_aliases: true,
            block_nesting_limit: limits.depth * 2 + 16,
            flow_nesting_limit: limits.depth * 2 + 16,
            simple_key_max_lookahead: usize::MAX,
        };
        Self {
            events: Parser::new_from_str_with_options(text, options),
            text,
            file,
            base,
            depth: 0,
            limits,
            anchors: FxHashMap::default(),
            comments: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or(0..0);
        Span::new(self.file, offset(self.base + range.start), offset(self.base + range.end))
    }

    fn problem<T>(kind: ProblemKind, message: impl Into<String>, span: Span) -> Fallible<T> {
        Err(Box::new(Problem { kind, message: message.into(), span, related: None }))
    }

    /// The next event that is no comment.
    fn next(&mut self) -> Fallible<Option<(Event<'a>, granit_parser::Span)>> {
        loop {
            match self.events.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), span))) => {
                    let span = self.span(&span);
                    self.comments.push(Comment { span });
                }
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(error)) => {
                    let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
                    let width = self.text[at..].chars().next().map_or(0, char::len_utf8);
                    let span = Span::new(self.file, offset(self.base + at), offset(self.base + at + width));
                    return Self::problem(ProblemKind::Syntax, plain_message(&error.info()), span);
                }
            }
        }
    }

    fn document(&mut self) -> Fallible<Option<Node>> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                // What follows `...` in the same chunk never reaches the API server.
                Event::DocumentEnd | Event::StreamEnd => break,
                other => root = Some(self.node(other, &span)?.0),
            }
        }
        Ok(root)
    }

    /// The anchor that directly follows a node event.
    fn anchor(&mut self, id: usize) -> Fallible<Option<Span>> {
        if id == 0 {
            return Ok(None);
        }
        match self.next()? {
            Some((Event::Anchor(..), span)) => Ok(Some(self.span(&span))),
            _ => Ok(None),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &granit_parser::Span) -> Fallible<Sized> {
        let at = self.span(span);
        match event {
            Event::Scalar(value, style, id, tag) => {
                let anchor = self.anchor(id)?;
                let node = self.scalar(&value, style, tag.as_deref(), at, anchor);
                Ok(self.keep(id, node, 1))
            }
            Event::SequenceStart(_, id, tag) => {
                let anchor = self.anchor(id)?;
                self.enter(at)?;
                let (mut items, mut size, mut end) = (Vec::new(), 1usize, at);
                while let Some((event, span)) = self.next()? {
                    if matches!(event, Event::SequenceEnd) {
                        end = self.close(at, items.last(), &span);
                        break;
                    }
                    let (item, n) = self.node(event, &span)?;
                    size = self.grow(size, n, at)?;
                    items.push(item);
                }
                self.depth -= 1;
                Ok(self.keep(id, build(Kind::Seq(items), end, anchor, tag.as_deref()), size))
            }
            Event::MappingStart(_, id, tag) => {
                let anchor = self.anchor(id)?;
                self.enter(at)?;
                let (map, size, end) = self.mapping(at)?;
                self.depth -= 1;
                Ok(self.keep(id, build(Kind::Map(map), end, anchor, tag.as_deref()), size))
            }
            Event::Alias(id) => match self.anchors.get(&id) {
                Some((node, size)) => Ok((Node { alias: Some(at), anchor: None, ..node.clone() }, *size)),
                None => Self::problem(ProblemKind::Syntax, "an anchor cannot contain an alias of itself", at),
            },
            Event::UnresolvedAlias(name) => {
                Self::problem(ProblemKind::Syntax, format!("alias `*{name}` has no anchor `&{name}` before it"), at)
            }
            _ => Self::problem(ProblemKind::Syntax, "unexpected structure", at),
        }
    }

    fn enter(&mut self, at: Span) -> Fallible<()> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Self::problem(ProblemKind::TooDeep, format!("nested deeper than {} levels", self.limits.depth), at);
        }
        Ok(())
    }

    fn grow(&self, size: usize, by: usize, at: Span) -> Fallible<usize> {
        let size = size.saturating_add(by);
        if size > self.limits.nodes {
            let message = format!("aliases expand to more than {} nodes", self.limits.nodes);
            return Self::problem(ProblemKind::AliasBomb, message, at);
        }
        Ok(size)
    }

    fn keep(&mut self, id: usize, node: Node, size: usize) -> Sized {
        if id != 0 {
            self.anchors.insert(id, (node.clone(), size));
        }
        (node, size)
    }

    /// Flow collections end with their bracket, block ones with their last child.
    fn close(&self, start: Span, last: Option<&Node>, end: &granit_parser::Span) -> Span {
        let end = self.span(end);
        let slice = &self.text.as_bytes()[end.range().start - self.base..end.range().end - self.base];
        if matches!(slice, b"]" | b"}") {
            return start.to(end);
        }
        let last_end = last.map_or(start.end, |n| n.alias.unwrap_or(n.span).end);
        Span::new(start.file, start.start, last_end.max(start.start))
    }

    fn mapping(&mut self, at: Span) -> Fallible<(Map, usize, Span)> {
        let mut map = Map::default();
        let (mut size, mut end) = (1usize, at);
        let mut merges: Vec<(Span, Node)> = Vec::new();
        let mut last: Option<Node> = None;
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                end = self.close(at, last.as_ref(), &span);
                break;
            }
            let (key, n) = self.node(event, &span)?;
            size = self.grow(size, n, at)?;
            let key_span = key.alias.unwrap_or(key.span);
            let Some((event, span)) = self.next()? else { break };
            let (value, n) = self.node(event, &span)?;
            size = self.grow(size, n, at)?;
            last = Some(value.clone());
            if key.as_scalar().is_some_and(|s| s.style == Style::Plain && &*s.value == "<<") && key.tag.is_none() {
                merges.push((key_span, value));
                continue;
            }
            let Some(name) = key_name(&key) else {
                return Self::problem(ProblemKind::Syntax, "a key must be a scalar", key_span);
            };
            let entry = Entry { key: Key { name, span: key_span }, value, inherited: None };
            if let Some(first) = map.entries.iter().position(|e| e.key.name == entry.key.name) {
                let old = map.entries.remove(first);
                self.problems.push(Problem {
                    kind: ProblemKind::DuplicateKey,
                    message: format!("key `{}` is given twice; the last one wins", entry.key.name),
                    span: key_span,
                    related: Some((old.key.span, "first given here".to_owned())),
                });
            }
            map.entries.push(entry);
        }
        for (span, value) in merges {
            let sources: Vec<&Node> = if value.as_seq().is_some() { value.items().collect() } else { vec![&value] };
            for source in sources {
                if source.as_map().is_none() {
                    return Self::problem(ProblemKind::Syntax, "`<<` merges a mapping or a list of mappings", span);
                }
                for entry in source.entries() {
                    if map.get(&entry.key.name).is_none() {
                        map.entries.push(Entry { inherited: Some(span), ..entry.clone() });
                    }
                }
            }
        }
        Ok((map, size, end))
    }

    fn scalar(&self, value: &str, style: ScalarStyle, tag: Option<&Tag>, at: Span, anchor: Option<Span>) -> Node {
        let style = match style {
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            _ => Style::Plain,
        };
        let mut span = at;
        let mut value = value;
        if matches!(style, Style::Literal | Style::Folded) {
            span = self.block_span(at);
            // go-yaml gives a block that ends with the file, without a newline, none either.
            if span.range().end - self.base == self.text.len() && !self.text.ends_with('\n') {
                value = value.strip_suffix('\n').unwrap_or(value);
            }
        }
        let core = tag.filter(|t| t.is_yaml_core_schema()).map(Tag::suffix);
        let empty = style == Style::Plain && span.is_empty();
        let typed = match (core, style) {
            _ if empty => Typed::Null,
            (Some("str"), _) => Typed::Str,
            (Some("int" | "float" | "bool" | "null"), _) | (None, Style::Plain) => scalar::resolve(value),
            _ => Typed::Str,
        };
        let value: Arc<str> = if empty { "".into() } else { value.into() };
        build(Kind::Scalar(Scalar { value, style, typed, origin: None }), span, anchor, tag)
    }

    /// From the indicator (`|`, `>-`) to the end of the last line of content.
    fn block_span(&self, at: Span) -> Span {
        let bytes = self.text.as_bytes();
        let content = (at.range().start - self.base).min(bytes.len());
        // The header is the last line before the content that is not blank.
        let mut line_end = bytes[..content].iter().rposition(|b| !b.is_ascii_whitespace()).map_or(0, |n| n + 1);
        // An empty block scalar's span may already stand behind its header's line.
        if content > 0 && line_end == content {
            line_end = content;
        }
        let line_start = memchr::memrchr(b'\n', &bytes[..line_end]).map_or(0, |n| n + 1);
        let header = self.text[line_start..line_end].char_indices().find_map(|(n, c)| {
            let before = self.text[line_start..line_start + n].chars().next_back();
            let here = &self.text[line_start + n..line_end];
            let fits = matches!(c, '|' | '>') && before.is_none_or(char::is_whitespace) && is_block_header(here);
            fits.then_some(line_start + n)
        });
        let Some(header) = header else { return at };
        let after = memchr::memchr(b'\n', &bytes[header..]).map_or(bytes.len(), |n| header + n + 1);
        let header_end = header
            + 1
            + self.text[header + 1..after].bytes().take_while(|b| matches!(b, b'+' | b'-' | b'0'..=b'9')).count();
        let indent = super::block::indent(self.text, after, at.range().end.saturating_sub(self.base));
        let (mut end, mut line) = (header_end, after);
        while line < bytes.len() {
            let next = memchr::memchr(b'\n', &bytes[line..]).map_or(bytes.len(), |n| line + n + 1);
            let body = self.text[line..next].trim_end_matches(['\n', '\r']);
            let blank = body.bytes().all(|b| b == b' ');
            if !blank {
                let deep = body.bytes().take_while(|b| *b == b' ').count();
                if deep < indent || indent == 0 && line >= at.range().end.saturating_sub(self.base).max(content) {
                    break;
                }
                end = line + body.len();
            }
            line = next;
        }
        Span::new(self.file, offset(self.base + header), offset(self.base + end))
    }
}

/// Whether a text is `|` or `>` with its indicators and nothing but a comment behind.
fn is_block_header(text: &str) -> bool {
    let rest = text[1..].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    let comment = rest.trim_start();
    comment.is_empty() || (comment.len() < rest.len() && comment.starts_with('#'))
}

fn build(kind: Kind, span: Span, anchor: Option<Span>, tag: Option<&Tag>) -> Node {
    Node { span, alias: None, anchor, tag: tag.map(|t| t.original().into()), kind: Arc::new(kind) }
}

/// A key as the API server sees it.
fn key_name(key: &Node) -> Option<Arc<str>> {
    let scalar = key.as_scalar()?;
    Some(match &scalar.typed {
        Typed::Bool(value) => if *value { "true" } else { "false" }.into(),
        Typed::Int(value) => value.to_string().into(),
        Typed::Null if scalar.value.is_empty() => "null".into(),
        _ => Arc::clone(&scalar.value),
    })
}

/// The parser's message in the style of ours.
fn plain_message(info: &str) -> String {
    let text = info.trim().trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if text.chars().nth(1).is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
