//! From parser events to a tree.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use granit_parser::{ErrorKind, Event, ParseResult, Parser, ScalarStyle, StrInput, StructureStyle};

use super::resolve::{self, Dialect, Tag};
use super::{
    Comment, Entry, Key, Kind, Limits, Map, Marks, Node, Problem, ProblemKind, Scalar, Style, merge, message, offset,
    scan, trace,
};
use crate::source::{FileId, Span, Text};

/// Events that the parser goes ahead of the tree: parser and tree together are more code than the processor keeps next to it,
/// so each runs for a while.
const AHEAD: usize = 24;

/// Longer strings seldom come twice.
const LONGEST_SHARED: usize = 32;

/// So many of them are remembered from one document to the next.
const MOST_SHARED: usize = 1 << 14;

thread_local! {
    /// Short strings that this thread has met: most of them come again (`name`, `value`, `true`), and then share one place in
    /// memory.
    static NAMES: RefCell<FxHashSet<Arc<str>>> = RefCell::default();
}

type Raw = std::ops::Range<usize>;

/// What the offsets of the text being read mean.
#[derive(Clone)]
pub(super) enum Place {
    /// A part of a file that starts at that byte.
    File(FileId, usize),
    /// A part of a string, which itself stands in a file, that starts at that byte.
    Inside(Arc<Text>, usize),
}

/// What reading one document gives.
#[derive(Default)]
pub(super) struct Outcome {
    pub root: Option<Node>,
    pub comments: Vec<Comment>,
    pub problems: Vec<Problem>,
    /// Whether a second document follows.
    pub more: bool,
}

/// Reads the first document of `text`.
pub(super) fn read(text: &str, place: Place, dialect: Dialect, limits: &Limits) -> Outcome {
    let nesting = limits.depth.saturating_add(8);
    let mut options = granit_parser::options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        // As libyaml does, and with it go-yaml and PyYAML.
        bom_inside_document_as_content: true,
        // PyYAML adds no line end that is not there; `kubectl` completes the last line before it reads.
        block_scalar_eof_without_line_feed: dialect == Dialect::Python,
        block_nesting_limit: nesting,
        flow_nesting_limit: nesting,
    };
    // Comments are found between the tokens, which is much faster than having them as events.
    options.set_emit_comments(false);
    let mut builder = Builder {
        text,
        place,
        dialect,
        limits,
        parser: Parser::new_from_str_with_options(text, options),
        stack: Vec::new(),
        items: Vec::new(),
        entries: Vec::new(),
        anchors: Vec::new(),
        names: NAMES.take(),
        cursor: 0,
        unsigned: 0..memchr::memchr(b'#', text.as_bytes()).unwrap_or(text.len()),
        nodes: 0,
        expanded: false,
        out: Outcome::default(),
    };
    if let Err(problem) = builder.run() {
        builder.out.root = None;
        builder.out.problems.push(*problem);
    }
    if builder.names.len() <= MOST_SHARED {
        NAMES.set(builder.names);
    }
    builder.out
}

/// A collection that is being read.
struct Frame {
    content: Content,
    /// Where its own items or entries begin among those of all open collections.
    from: usize,
    start: usize,
    /// End of the last token that belongs to it.
    end: usize,
    flow: bool,
    anchor: usize,
    anchor_span: Option<Raw>,
    tag: Option<Arc<str>>,
    /// Levels of nesting below it.
    height: usize,
    /// Nodes counted before it.
    nodes_before: u64,
}

enum Content {
    Seq,
    Map(Option<Pending>),
}

/// A key that waits for its value.
enum Pending {
    Key(Key),
    /// `<<`, and where it stands.
    Merge(Span),
}

/// An anchored node with what expanding it costs.
struct Anchored {
    node: Node,
    height: usize,
    nodes: u64,
}

/// A finished node that is to be put into the collection around it.
struct Finished {
    node: Node,
    /// Where it stands in the text: for an alias the `*name`.
    raw: Raw,
    height: usize,
}

struct Builder<'a> {
    text: &'a str,
    place: Place,
    dialect: Dialect,
    limits: &'a Limits,
    parser: Parser<'a, StrInput<'a>>,
    stack: Vec<Frame>,
    /// Items of the open sequences, those of the innermost last: a closed one takes its own in one piece, of the right size.
    items: Vec<Node>,
    /// Entries of the open mappings, likewise.
    entries: Vec<Entry>,
    anchors: Vec<Option<Anchored>>,
    /// Those of the thread.
    names: FxHashSet<Arc<str>>,
    /// End of the last token seen.
    cursor: usize,
    /// A stretch of the text that holds no `#`, up to the next one.
    unsigned: Raw,
    /// Nodes so far, with those that aliases stand for.
    nodes: u64,
    /// Whether aliases took part in that number.
    expanded: bool,
    out: Outcome,
}

type Step<T = ()> = Result<T, Box<Problem>>;

impl<'a> Builder<'a> {
    fn span(&self, raw: &Raw) -> Span {
        match &self.place {
            Place::File(file, base) => Span::new(*file, offset(base + raw.start), offset(base + raw.end)),
            Place::Inside(text, base) => text.slice_span(base + raw.start..base + raw.end),
        }
    }

    fn problem(&self, kind: ProblemKind, raw: &Raw, message: impl Into<String>) -> Box<Problem> {
        Box::new(Problem { kind, message: message.into(), span: self.span(raw), related: None })
    }

    fn syntax<T>(&self, raw: &Raw, message: impl Into<String>) -> Step<T> {
        Err(self.problem(ProblemKind::Syntax, raw, message))
    }

    /// Takes the next events, none when there are no more. That of an anchor comes together with that of its node.
    fn read_ahead(&mut self, events: &mut Vec<ParseResult<'a>>) {
        events.clear();
        while let Some(next) = self.parser.next_event() {
            let more = match &next {
                Err(_) | Ok((Event::DocumentEnd, _)) => false,
                Ok((
                    Event::Scalar(_, _, anchor, _)
                    | Event::SequenceStart(_, anchor, _)
                    | Event::MappingStart(_, anchor, _),
                    _,
                )) => *anchor != 0 || events.len() + 1 < AHEAD,
                Ok(_) => events.len() + 1 < AHEAD,
            };
            events.push(next);
            if !more {
                break;
            }
        }
    }

    fn run(&mut self) -> Step {
        let mut events = Vec::with_capacity(AHEAD + 1);
        let mut done = false;
        loop {
            self.read_ahead(&mut events);
            if events.is_empty() {
                return Ok(());
            }
            for (at, next) in events.iter().enumerate() {
                let (event, span) = match next {
                    Ok(next) => next,
                    // go-yaml reads no further than the end of the first document.
                    Err(_) if done => return Ok(()),
                    Err(error) => return Err(self.parse_error(error)),
                };
                let raw = span.byte_range().unwrap_or_default();
                let behind = events.get(at + 1);
                match event {
                    Event::DocumentStart(..) if done => {
                        self.out.more = true;
                        return Ok(());
                    }
                    Event::DocumentEnd => {
                        done = true;
                        self.last_comments();
                        if matches!(self.place, Place::File(..)) {
                            return Ok(());
                        }
                    }
                    _ if done => {}
                    // A text of comments alone holds no document.
                    Event::StreamEnd => self.comments(raw.start),
                    Event::Scalar(value, style, anchor, tag) => {
                        let tag_text = span.tag_span().and_then(|t| t.slice(self.text)).map(Arc::from);
                        let tag = match tag.as_deref() {
                            None => Tag::None,
                            Some(tag) => Tag::of_core(tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref()),
                        };
                        let anchor_span = self.anchor_span(*anchor, behind)?;
                        let (style, raw) = self.scalar_place(*style, raw);
                        let absent = style == Style::Plain && raw.is_empty();
                        let value = if absent { "" } else { &**value };
                        self.scalar(value, style, raw, tag, tag_text, *anchor, anchor_span)?;
                    }
                    Event::SequenceStart(style, anchor, _) => {
                        let tag = span.tag_span().and_then(|t| t.slice(self.text)).map(Arc::from);
                        let anchor_span = self.anchor_span(*anchor, behind)?;
                        self.open(Content::Seq, *style, raw, *anchor, anchor_span, tag)?;
                    }
                    Event::MappingStart(style, anchor, _) => {
                        let tag = span.tag_span().and_then(|t| t.slice(self.text)).map(Arc::from);
                        let anchor_span = self.anchor_span(*anchor, behind)?;
                        self.open(Content::Map(None), *style, raw, *anchor, anchor_span, tag)?;
                    }
                    Event::SequenceEnd | Event::MappingEnd => self.close(&raw)?,
                    Event::Alias(id) => self.alias(*id, raw)?,
                    Event::UnresolvedAlias(name) => {
                        return self.syntax(&raw, format!("no anchor `&{name}` before this alias"));
                    }
                    _ => {}
                }
            }
        }
    }

    /// The place of the anchor that a node carries; its event comes right behind the node's.
    fn anchor_span(&self, anchor: usize, behind: Option<&ParseResult<'a>>) -> Step<Option<Raw>> {
        match behind {
            _ if anchor == 0 => Ok(None),
            Some(Ok((Event::Anchor(..), span))) => Ok(span.byte_range()),
            Some(Err(error)) => Err(self.parse_error(error)),
            _ => Ok(None),
        }
    }

    /// Style and place of a scalar, with quotes, block header, and the right place for an absent value.
    fn scalar_place(&self, style: ScalarStyle, raw: Raw) -> (Style, Raw) {
        match style {
            ScalarStyle::Plain if raw.is_empty() => {
                let at = self.absent_at(raw.start);
                (Style::Plain, at..at)
            }
            ScalarStyle::Plain => (Style::Plain, raw),
            ScalarStyle::SingleQuoted => (Style::Single, raw),
            ScalarStyle::DoubleQuoted => (Style::Double, raw),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let (style, sign) =
                    if style == ScalarStyle::Literal { (Style::Literal, b'|') } else { (Style::Folded, b'>') };
                let raw = match scan::find_token(self.text, self.cursor, |b| b == sign) {
                    Some(indicator) => scan::block_extent(self.text, indicator, raw),
                    None => raw,
                };
                (style, raw)
            }
        }
    }

    /// Right behind the colon or dash whose value is absent; the parser's place may be before the colon or behind a
    /// comment.
    fn absent_at(&self, at: usize) -> usize {
        if let Some(colon) = scan::colon_after(self.text, at) {
            return colon;
        }
        let dash = match self.stack.last() {
            Some(Frame { content: Content::Seq, flow: false, start, .. }) => {
                scan::find_token(self.text, self.cursor.max(*start), |b| b == b'-')
            }
            _ => None,
        };
        let behind = dash.map(|dash| (dash + 1, self.text[dash + 1..].trim_start_matches([' ', '\t'])));
        match behind {
            // An anchor or a tag: that is what the absent value stands behind.
            Some((_, rest)) if rest.starts_with(['&', '!']) => at,
            Some((behind, _)) => behind,
            None => at,
        }
    }

    /// Notes the comments from the last token up to `to`. Nothing but blanks, indicators, anchors and tags stands there
    /// beside them.
    fn comments(&mut self, to: usize) {
        let bytes = self.text.as_bytes();
        let mut at = self.sign(self.cursor);
        while at < to {
            let mut end = at + 1;
            if at == 0 || bytes[at - 1].is_ascii_whitespace() {
                end = memchr::memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |n| at + n);
                self.out.comments.push(Comment { span: self.span(&(at..end)) });
            }
            at = self.sign(end);
        }
        self.cursor = self.cursor.max(to);
    }

    /// The first `#` from there on, or the end of the text.
    #[inline]
    fn sign(&mut self, from: usize) -> usize {
        if from < self.unsigned.start || self.unsigned.end < from {
            let bytes = &self.text.as_bytes()[from..];
            self.unsigned = from..from + memchr::memchr(b'#', bytes).unwrap_or(bytes.len());
        }
        self.unsigned.end
    }

    /// Notes the comments behind the last token.
    fn last_comments(&mut self) {
        let bytes = self.text.as_bytes();
        let mut to = self.cursor;
        while let Some(byte) = bytes.get(to) {
            to += match byte {
                b'#' => memchr::memchr2(b'\n', b'\r', &bytes[to..]).unwrap_or(bytes.len() - to),
                byte if byte.is_ascii_whitespace() => 1,
                _ => break,
            };
        }
        self.comments(to);
    }

    /// Notes the comment on the first line of a block scalar.
    fn header_comment(&mut self, raw: &Raw) {
        let line = memchr::memchr2(b'\n', b'\r', &self.text.as_bytes()[raw.start..]);
        let end = line.map_or(self.text.len(), |n| raw.start + n);
        if let Some(sign) = memchr::memchr(b'#', &self.text.as_bytes()[raw.start..end]) {
            self.out.comments.push(Comment { span: self.span(&(raw.start + sign..end)) });
        }
    }

    fn awaits_value(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { content: Content::Map(Some(_)), .. }))
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { content: Content::Map(None), .. }))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    fn scalar(
        &mut self,
        value: &str,
        style: Style,
        raw: Raw,
        tag: Tag,
        tag_text: Option<Arc<str>>,
        anchor: usize,
        anchor_span: Option<Raw>,
    ) -> Step {
        if style == Style::Double && self.dialect == Dialect::Kubernetes {
            self.check_escapes(&raw, value)?;
        }
        self.comments(raw.start);
        if matches!(style, Style::Literal | Style::Folded) {
            self.header_comment(&raw);
        }
        self.cursor = raw.end;
        let is_key = self.awaits_key();
        if is_key && anchor == 0 && resolve::is_merge(tag, style, value) {
            let span = self.span(&raw);
            self.await_value(Pending::Merge(span), &raw);
            return Ok(());
        }
        let typed = match resolve::typed(self.dialect, tag, style, value) {
            Ok(typed) => typed,
            Err(message) => return self.syntax(&raw, message),
        };
        if is_key && anchor == 0 {
            let name = match resolve::key_name(self.dialect, &typed, value) {
                Ok(name) => name.unwrap_or_else(|| self.shared(value)),
                Err(message) => return self.syntax(&raw, message),
            };
            let key = Key { name, span: self.span(&raw) };
            self.await_value(Pending::Key(key), &raw);
            return self.count(1, &raw);
        }
        let origin = match &self.place {
            Place::File(..) => None,
            Place::Inside(text, base) => {
                Some(Arc::new(trace::in_text(text, base + raw.start..base + raw.end, style, value)))
            }
        };
        let scalar = Scalar { value: self.shared(value), style, typed, origin };
        let node = Node {
            span: self.span(&raw),
            marks: self.marks(anchor_span, tag_text),
            kind: Arc::new(Kind::Scalar(scalar)),
        };
        self.count(1, &raw)?;
        if anchor != 0 {
            self.set_anchor(anchor, &node, 0, 1);
        }
        self.place_node(Finished { node, raw, height: 0 })
    }

    fn marks(&self, anchor: Option<Raw>, tag: Option<Arc<str>>) -> Option<Arc<Marks>> {
        Marks { alias: None, anchor: anchor.map(|a| self.span(&a)), tag }.shared()
    }

    fn shared(&mut self, value: &str) -> Arc<str> {
        if value.len() > LONGEST_SHARED {
            return Arc::from(value);
        }
        if let Some(known) = self.names.get(value) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(value);
        self.names.insert(Arc::clone(&new));
        new
    }

    /// go-yaml knows no `\/`.
    fn check_escapes(&self, raw: &Raw, value: &str) -> Step {
        if value.len() + 2 == raw.len() || !self.text[raw.clone()].contains("\\/") {
            return Ok(());
        }
        let bytes = self.text.as_bytes();
        let mut at = raw.start;
        while at + 1 < raw.end {
            if bytes[at] == b'\\' {
                if bytes[at + 1] == b'/' {
                    return self.syntax(&(at..at + 2), "unknown escape `\\/`: `kubectl` takes only YAML 1.1 escapes");
                }
                at += 1;
            }
            at += 1;
        }
        Ok(())
    }

    fn await_value(&mut self, pending: Pending, raw: &Raw) {
        let after = scan::colon_after(self.text, raw.end).unwrap_or(raw.end);
        self.cursor = after;
        if let Some(frame) = self.stack.last_mut() {
            frame.end = frame.end.max(after);
            if let Content::Map(slot) = &mut frame.content {
                *slot = Some(pending);
            }
        }
    }

    fn count(&mut self, nodes: u64, raw: &Raw) -> Step {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= self.limits.nodes as u64 {
            return Ok(());
        }
        let most = self.limits.nodes;
        Err(if self.expanded {
            self.problem(ProblemKind::AliasBomb, raw, format!("aliases expand to more than {most} nodes"))
        } else {
            self.problem(ProblemKind::TooLarge, raw, format!("more than {most} nodes in one document"))
        })
    }

    fn check_depth(&self, below: usize, raw: &Raw) -> Step {
        let most = self.limits.depth;
        if self.stack.len() + below <= most {
            return Ok(());
        }
        Err(self.problem(ProblemKind::TooDeep, raw, format!("nested more than {most} levels deep")))
    }

    fn set_anchor(&mut self, anchor: usize, node: &Node, height: usize, nodes: u64) {
        if self.anchors.len() <= anchor {
            self.anchors.resize_with(anchor + 1, || None);
        }
        self.anchors[anchor] = Some(Anchored { node: node.clone(), height, nodes });
    }

    fn open(
        &mut self,
        content: Content,
        style: StructureStyle,
        raw: Raw,
        anchor: usize,
        anchor_span: Option<Raw>,
        tag: Option<Arc<str>>,
    ) -> Step {
        let flow = style == StructureStyle::Flow;
        let mut start = raw.start;
        if matches!(content, Content::Seq) && !flow && self.awaits_value() {
            // For a sequence no deeper than its key the parser's place is behind the dash.
            start = scan::find_token(self.text, self.cursor, |b| b == b'-').unwrap_or(start).min(start);
        }
        let width = if flow { raw.len() } else { 1 };
        self.check_depth(1, &(start..(start + width).min(self.text.len())))?;
        if flow && !raw.is_empty() {
            self.comments(raw.start);
            self.cursor = raw.end;
        }
        let from = if matches!(content, Content::Seq) { self.items.len() } else { self.entries.len() };
        self.stack.push(Frame {
            content,
            from,
            start,
            end: start + raw.len(),
            flow,
            anchor,
            anchor_span,
            tag,
            height: 0,
            nodes_before: self.nodes,
        });
        self.count(1, &raw)
    }

    fn close(&mut self, raw: &Raw) -> Step {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let end = if frame.flow && !raw.is_empty() { raw.end } else { frame.end };
        if frame.flow && !raw.is_empty() {
            self.comments(raw.start);
        }
        let raw = frame.start..end.max(frame.start);
        self.cursor = self.cursor.max(end);
        let height = frame.height + 1;
        let kind = match frame.content {
            Content::Seq => Kind::Seq(self.items.split_off(frame.from)),
            Content::Map(_) => {
                let entries = self.entries.split_off(frame.from);
                Kind::Map(Map { entries: merge::settle(entries, self.dialect, &mut self.out.problems) })
            }
        };
        let node =
            Node { span: self.span(&raw), marks: self.marks(frame.anchor_span, frame.tag), kind: Arc::new(kind) };
        if frame.anchor != 0 {
            self.set_anchor(frame.anchor, &node, height, self.nodes - frame.nodes_before);
        }
        self.place_node(Finished { node, raw, height })
    }

    fn alias(&mut self, id: usize, raw: Raw) -> Step {
        self.comments(raw.start);
        self.cursor = raw.end;
        let Some(Some(target)) = self.anchors.get(id) else {
            return self.syntax(&raw, format!("anchor `{}` contains itself", &self.text[raw.start + 1..raw.end]));
        };
        let (height, nodes) = (target.height, target.nodes);
        let mut node = target.node.clone();
        let tag = node.tag().map(Arc::from);
        node.marks = Marks { alias: Some(self.span(&raw)), anchor: None, tag }.shared();
        self.check_depth(height, &raw)?;
        self.expanded = true;
        self.count(nodes, &raw)?;
        self.place_node(Finished { node, raw, height })
    }

    fn place_node(&mut self, done: Finished) -> Step {
        let is_key = self.awaits_key();
        let Some(frame) = self.stack.last_mut() else {
            self.out.root = Some(done.node);
            return Ok(());
        };
        frame.height = frame.height.max(done.height);
        frame.end = frame.end.max(done.raw.end);
        match &mut frame.content {
            Content::Seq => self.items.push(done.node),
            Content::Map(pending) => match pending.take() {
                Some(Pending::Key(key)) => self.entries.push(Entry { key, value: done.node, inherited: None }),
                Some(Pending::Merge(span)) => {
                    if let Err(message) = merge::inherit(&mut self.entries, &done.node, span) {
                        return self.syntax(&done.raw, message);
                    }
                }
                None => {
                    debug_assert!(is_key);
                    return self.node_as_key(done);
                }
            },
        }
        Ok(())
    }

    /// A key that is an alias, carries an anchor, or is a collection.
    fn node_as_key(&mut self, done: Finished) -> Step {
        let Kind::Scalar(scalar) = &*done.node.kind else {
            let braces = self.text[done.raw.clone()].starts_with('{') && self.text[..done.raw.start].ends_with('{');
            let message = if braces {
                "`{{` opens two mappings, the inner one as a key; a template has to be rendered (or the value quoted) first"
            } else {
                "a key must be a scalar"
            };
            return self.syntax(&done.raw, message);
        };
        let name = match resolve::key_name(self.dialect, &scalar.typed, &scalar.value) {
            Ok(name) => name.unwrap_or_else(|| Arc::clone(&scalar.value)),
            Err(message) => return self.syntax(&done.raw, message),
        };
        let key = Key { name, span: self.span(&done.raw) };
        self.await_value(Pending::Key(key), &done.raw);
        Ok(())
    }

    fn parse_error(&self, error: &granit_parser::ScanError) -> Box<Problem> {
        let mut at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            let most = self.limits.depth;
            let here = at..at + self.text[at..].chars().next().map_or(0, char::len_utf8);
            return self.problem(ProblemKind::TooDeep, &here, format!("nested more than {most} levels deep"));
        }
        let open = self.stack.last().map(|frame| message::Open { start: frame.start, flow: frame.flow });
        let said = message::explain(error.kind(), self.text, at, self.cursor, open);
        let mut problem = self.problem(ProblemKind::Syntax, &said.place, said.message);
        problem.related = said.related.map(|(raw, what)| (self.span(&raw), what));
        problem
    }
}
