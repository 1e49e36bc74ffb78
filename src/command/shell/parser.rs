//! A script through the grammar of `brush-parser`, a line with all that hangs on it at a time, as a shell reads it.

use std::cell::RefCell;
use std::hash::BuildHasher as _;
use std::rc::Rc;

use brush_parser::ast::Program;
use brush_parser::{ParseError, ParserOptions, parse_tokens};
use rustc_hash::FxBuildHasher;

use super::adapter;
use super::ast::Block;
use super::lexer::{Lexer, MAX_DEPTH};
use super::nesting::{Kind, Open};
use super::syntax::SyntaxError;
use super::tokens::{End, Tokens};

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// Most work that the parser crate is given at once, in tokens: it tries the last branch of a broken `case` twice.
const MAX_WORK: usize = 1 << 19;
/// Lines that are added to a command that seems to end too early.
const MAX_JOINED: u32 = 16;

/// What a shell would run of a script before it stops at the error, if there is one.
pub(super) type Read = (Block, Option<SyntaxError>);

/// Scripts that a thread remembers: several rules ask for the same one, and recipes share many.
const REMEMBERED: usize = 512;
/// Longest script that is remembered, in bytes.
const LONGEST: usize = 16 * 1024;

/// Parses a script, unless this thread has done so lately.
pub(super) fn parse(src: &str) -> Rc<Read> {
    type Slot = Option<(Box<str>, Rc<Read>)>;
    thread_local! {
        static SLOTS: RefCell<[Slot; REMEMBERED]> = const { RefCell::new([const { None }; REMEMBERED]) };
    }
    if src.len() > LONGEST {
        return Rc::new(read(src));
    }
    // The upper bits are the well-mixed ones.
    let slot = (FxBuildHasher.hash_one(src) >> 48) as usize % REMEMBERED;
    let known = SLOTS.with_borrow(|slots| {
        slots[slot].as_ref().filter(|(known, _)| **known == *src).map(|(_, parsed)| Rc::clone(parsed))
    });
    known.unwrap_or_else(|| {
        let parsed = Rc::new(read(src));
        SLOTS.with_borrow_mut(|slots| slots[slot] = Some((src.into(), Rc::clone(&parsed))));
        parsed
    })
}

fn read(src: &str) -> Read {
    let mut lexer = Lexer::new(src, 0, 0);
    lexer.skip_newlines();
    let mut tokens = Tokens::new(&mut lexer, false);
    let mut block = Block::default();
    let mut joined = 0;
    loop {
        let end = tokens.step();
        if end == Ok(End::None) {
            continue;
        }
        // Words alone, none of them reserved, need no grammar.
        if end.is_ok() && tokens.plain() {
            adapter::words(&mut tokens.sites, &mut block);
            tokens.clear();
            if end == Ok(End::Script) {
                return (block, None);
            }
            continue;
        }
        let error = match (grammar(&tokens), end) {
            (Ok(program), Ok(end)) => {
                adapter::program(&program, src, &mut tokens.sites, &mut block);
                tokens.clear();
                joined = 0;
                if end == End::Script {
                    return (block, None);
                }
                continue;
            }
            // The command goes on in the next line.
            (Err(Refusal::Early), Ok(End::Line)) if joined < MAX_JOINED => {
                joined += 1;
                continue;
            }
            (Err(Refusal::Early), Ok(End::Line)) => SyntaxError::undecided(0..0),
            (Ok(_), Err(error)) => error,
            (Err(refusal), end) => explain(&tokens, refusal, end.err()),
        };
        let start = tokens.sites.first().map_or(tokens.lexer.at, |site| site.range.start);
        return (block, Some(if error.certain() { error } else { SyntaxError::undecided(start..src.len()) }));
    }
}

/// End of the `$(…)` or `<(…)` that begins at `start`.
pub(super) fn substitution(lexer: &Lexer<'_>, start: usize) -> Parsed<usize> {
    if lexer.depth > MAX_DEPTH {
        return Err(SyntaxError::too_deep(start));
    }
    let mut inner = Lexer::new(lexer.src, start + 2, lexer.depth + 1);
    inner.skip_newlines();
    let mut tokens = Tokens::new(&mut inner, true);
    let end = loop {
        match tokens.step() {
            Ok(End::None | End::Line) => {}
            end => break end,
        }
    };
    match (grammar(&tokens), end) {
        (Err(Refusal::Early), Ok(End::Script)) | (Ok(_), Ok(End::Script)) => {
            Err(SyntaxError::unclosed(&lexer.src[start..start + 2], start))
        }
        (Err(refusal), end) => Err(explain(&tokens, refusal, end.err())),
        (Ok(_), Err(error)) => Err(error),
        (Ok(_), Ok(_)) => Ok(tokens.lexer.at + 1),
    }
}

/// Why the parser crate refuses tokens.
#[derive(Clone, Copy)]
enum Refusal {
    /// They end too early.
    Early,
    /// Because of one of them.
    Token(usize),
    /// They are too many.
    Work,
}

fn grammar(tokens: &Tokens<'_, '_>) -> Result<Program, Refusal> {
    if tokens.tokens.is_empty() {
        return Ok(Program { complete_commands: Vec::new() });
    }
    if tokens.work() > MAX_WORK {
        return Err(Refusal::Work);
    }
    parse_tokens(&tokens.tokens, &ParserOptions::default()).map_err(|error| match error {
        ParseError::ParsingNear(position) => Refusal::Token(position.index),
        ParseError::ParsingAtEndOfInput | ParseError::Tokenizing { .. } => Refusal::Early,
    })
}

/// The error to report when the grammar refuses tokens and the lexer could not read on behind them.
fn explain(tokens: &Tokens<'_, '_>, refusal: Refusal, lexed: Option<SyntaxError>) -> SyntaxError {
    let src = tokens.lexer.src;
    let redirects = |at: usize| tokens.sites.get(at).is_some_and(|site| site.redirects);
    let last = tokens.sites.len().wrapping_sub(1);
    let at = match refusal {
        Refusal::Work => return SyntaxError::undecided(0..0),
        Refusal::Token(at) => Some(tokens.nesting.stray.map_or(at, |stray| stray.min(at))),
        Refusal::Early => tokens.nesting.stray,
    };
    if let Some((token, site)) = at.and_then(|at| Some((tokens.tokens.get(at)?, tokens.sites.get(at)?))) {
        if matches!(token.to_str(), "{" | "[[") {
            // Bash takes braces for the body of any loop, and a test for that of a function.
            return SyntaxError::undecided(0..0);
        }
        let expected = if at.is_some_and(|at| redirects(at.wrapping_sub(1))) { "a file name" } else { "" };
        return SyntaxError::unexpected(src, site.range.clone(), expected);
    }
    match (lexed, tokens.nesting.open.last()) {
        (Some(error), _) => error,
        _ if redirects(last) => SyntaxError::unexpected(src, tokens.lexer.at..tokens.lexer.at, "a file name"),
        (_, Some(open)) => unclosed(src, open),
        _ => SyntaxError::unexpected(src, src.len()..src.len(), ""),
    }
}

fn unclosed(src: &str, open: &Open) -> SyntaxError {
    let opener = &src[open.range.clone()];
    let closer = match (open.kind, open.begun) {
        (Kind::Paren | Kind::Test, _) => return SyntaxError::unclosed(opener, open.range.start),
        (Kind::If, false) => "then",
        (Kind::If, true) => "fi",
        (Kind::Loop, false) => "do",
        (Kind::Loop, true) => "done",
        (Kind::Case, _) => "esac",
        (Kind::Brace, _) => "}",
    };
    SyntaxError::without(opener, closer, open.range.clone())
}
