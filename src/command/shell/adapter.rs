//! From the tree of `brush-parser` to ours, which knows where everything stands to the byte.

use std::ops::Range;
use std::rc::Rc;

use brush_parser::SourceSpan;
use brush_parser::ast::{
    AndOr, AndOrList, CaseItemPostAction, Command as Theirs, CommandPrefixOrSuffixItem, CompoundCommand, CompoundList,
    IoFileRedirectTarget, IoRedirect, Pipeline, PipelineTimed, Program, RedirectList, SeparatorOperator, SimpleCommand,
    Word,
};

use super::ast::{Block, Branch, Command, Item, Kind, RawCommand, RawWord};
use super::tokens::Site;

/// Adds the commands of a program to a block.
pub(super) fn program(program: &Program, src: &str, sites: &mut [Site], out: &mut Block) {
    let mut adapter = Adapter { src, sites };
    for list in &program.complete_commands {
        out.items.append(&mut adapter.list(list).items);
    }
}

/// Adds the command that is made of words alone.
pub(super) fn words(sites: &mut [Site], out: &mut Block) {
    let mut words = Vec::with_capacity(sites.len());
    let mut range = sites.first().map_or(0..0, |site| site.range.clone());
    for site in sites {
        if let Some(word) = site.word.take() {
            range.end = site.range.end;
            words.push(word);
            words.append(&mut site.more);
        }
    }
    if !words.is_empty() {
        let kind = Kind::Simple(RawCommand { words, redirections: Vec::new(), end: range.end });
        out.items.push(Item { command: Command { kind, range }, background: false });
    }
}

struct Adapter<'a> {
    src: &'a str,
    sites: &'a mut [Site],
}

/// Number of the token at which something begins, and of the one with which it ends.
fn tokens(span: &SourceSpan) -> (usize, usize) {
    (span.start.index, span.end.index)
}

fn token(word: &Word) -> usize {
    word.loc.as_ref().map_or(usize::MAX, |span| span.start.index)
}

impl Adapter<'_> {
    fn range(&self, token: usize) -> Range<usize> {
        self.sites.get(token).map_or(0..0, |site| site.range.clone())
    }

    fn between(&self, (first, last): (usize, usize)) -> Range<usize> {
        self.range(first).start..self.range(last).end
    }

    fn text(&self, token: usize) -> &str {
        &self.src[self.range(token)]
    }

    fn word(&mut self, token: usize) -> RawWord {
        let range = self.range(token);
        let word = self.sites.get_mut(token).and_then(|site| site.word.take());
        word.unwrap_or(RawWord { parts: Vec::new(), range, assignment: None })
    }

    fn words(&mut self, words: &[Word]) -> Vec<RawWord> {
        words.iter().map(|word| self.word(token(word))).collect()
    }

    fn list(&mut self, list: &CompoundList) -> Block {
        let item = |item: &brush_parser::ast::CompoundListItem| Item {
            command: self.chain(&item.0),
            background: matches!(item.1, SeparatorOperator::Async),
        };
        Block { items: list.0.iter().map(item).collect() }
    }

    fn chain(&mut self, list: &AndOrList) -> Command {
        let first = self.pipeline(&list.first);
        if list.additional.is_empty() {
            return first;
        }
        let next = |next: &AndOr| match next {
            AndOr::And(pipeline) => (false, self.pipeline(pipeline)),
            AndOr::Or(pipeline) => (true, self.pipeline(pipeline)),
        };
        let rest: Vec<_> = list.additional.iter().map(next).collect();
        let range = first.range.start..rest.last().map_or(first.range.end, |(_, last)| last.range.end);
        Command { kind: Kind::Chain(Box::new(first), rest), range }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Command {
        let mut parts: Vec<Command> = pipeline.seq.iter().map(|command| self.command(command)).collect();
        if let Some(PipelineTimed::Timed(span) | PipelineTimed::TimedWithPosixOutput(span)) = &pipeline.timed {
            self.timed(tokens(span), &mut parts);
        }
        let mut range = match (parts.first(), parts.last()) {
            (Some(first), Some(last)) => first.range.start..last.range.end,
            _ => 0..0,
        };
        if pipeline.bang {
            range.start = self.first_bang(range.start);
        }
        let command = match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Command { kind: Kind::Pipeline(parts), range: range.clone() }
            }
        };
        if pipeline.bang { Command { kind: Kind::Not(Box::new(command)), range } } else { command }
    }

    /// Where the first `!` stands in front of a pipeline.
    fn first_bang(&self, start: usize) -> usize {
        let behind = self.sites.partition_point(|site| site.range.start < start);
        let before = self.sites[..behind].iter().rev().map(|site| site.range.clone());
        before.take_while(|range| &self.src[range.clone()] == "!").last().map_or(start, |range| range.start)
    }

    /// `time` in front of a simple command is a word of it, as it may as well be the program.
    fn timed(&mut self, (first, last): (usize, usize), parts: &mut Vec<Command>) {
        let range = self.between((first, last));
        if parts.is_empty() {
            let command = RawCommand { end: range.end, ..RawCommand::default() };
            parts.push(Command { kind: Kind::Simple(command), range: range.clone() });
        }
        if let Some(Command { kind: Kind::Simple(command), range: whole }) = parts.first_mut() {
            let words = (first..=last).map(|at| self.word(at));
            command.words.splice(0..0, words);
            whole.start = range.start;
        }
    }

    fn command(&mut self, command: &Theirs) -> Command {
        match command {
            Theirs::Simple(simple) => self.simple(simple),
            Theirs::Compound(compound, redirects) => self.compound(compound, redirects.as_ref()),
            Theirs::Function(function) => {
                let at = token(&function.fname);
                let body = self.compound(&function.body.0, function.body.1.as_ref());
                let keyword = at.checked_sub(1).filter(|&before| self.text(before) == "function");
                let range = self.range(keyword.unwrap_or(at)).start..body.range.end;
                Command { kind: Kind::Function(self.text(at).to_owned(), Rc::new(body)), range }
            }
            Theirs::ExtendedTest(test, redirects) => {
                let (first, last) = tokens(&test.loc);
                let words = (first + 1..last).map(|at| self.sites.get_mut(at).and_then(|site| site.word.take()));
                let words = words.collect();
                self.located(Kind::Test(words), (first, last), redirects.as_ref())
            }
        }
    }

    fn located(&self, kind: Kind, (first, last): (usize, usize), redirects: Option<&RedirectList>) -> Command {
        let target = redirects.and_then(|list| list.0.iter().filter_map(target).next_back());
        Command { kind, range: self.between((first, target.unwrap_or(last))) }
    }

    fn simple(&mut self, simple: &SimpleCommand) -> Command {
        use CommandPrefixOrSuffixItem as Part;
        let (mut words, mut redirections) = (Vec::new(), Vec::new());
        let (mut start, mut end) = (usize::MAX, 0);
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        let mut add = |adapter: &mut Self, at: usize, word: bool| {
            let range = adapter.range(at);
            // The operator of a redirection stands in front of its target.
            let operator = || adapter.range(at.saturating_sub(1));
            start = start.min(if word { range.start } else { operator().start });
            end = end.max(range.end);
            if word {
                words.push(adapter.word(at));
                words.extend(adapter.sites.get_mut(at).into_iter().flat_map(|site| std::mem::take(&mut site.more)));
            } else {
                redirections.push(operator());
            }
        };
        let mut item = |adapter: &mut Self, item: &Part| match item {
            Part::Word(word) | Part::AssignmentWord(_, word) => add(adapter, token(word), true),
            Part::IoRedirect(redirect) => target(redirect).into_iter().for_each(|at| add(adapter, at, false)),
            Part::ProcessSubstitution(..) => {}
        };
        prefix.for_each(|part| item(self, part));
        simple.word_or_name.iter().for_each(|word| item(self, &Part::Word(word.clone())));
        suffix.for_each(|part| item(self, part));
        let range = start.min(end)..end;
        Command { kind: Kind::Simple(RawCommand { words, redirections, end }), range }
    }

    fn compound(&mut self, compound: &CompoundCommand, redirects: Option<&RedirectList>) -> Command {
        use CompoundCommand as C;
        let (kind, place) = match compound {
            C::Arithmetic(command) => (Kind::Arithmetic, tokens(&command.loc)),
            C::ArithmeticForClause(clause) => (Kind::ArithmeticFor(self.list(&clause.body.list)), tokens(&clause.loc)),
            C::BraceGroup(group) => (Kind::Group(self.list(&group.list)), tokens(&group.loc)),
            C::Subshell(shell) => (Kind::Subshell(self.list(&shell.list)), tokens(&shell.loc)),
            C::ForClause(clause) => {
                let place = tokens(&clause.loc);
                let name = place.0 + 1;
                // `in` without a word behind it is no list either, but not `"$@"`.
                let listed = clause.values.is_some() || self.text(name + 1) == "in";
                let words = listed.then(|| self.words(clause.values.as_deref().unwrap_or_default()));
                let (name, select) = (self.range(name), self.text(place.0) == "select");
                (Kind::For { name, words, select, body: self.list(&clause.body.list) }, place)
            }
            C::CaseClause(clause) => {
                let subject = self.word(token(&clause.value));
                let branches = clause.cases.iter().map(|case| Branch {
                    patterns: self.words(&case.patterns),
                    body: case.cmd.as_ref().map(|body| self.list(body)).unwrap_or_default(),
                    falls: !matches!(case.post_action, CaseItemPostAction::ExitCase),
                });
                (Kind::Case(subject, branches.collect()), tokens(&clause.loc))
            }
            C::IfClause(clause) => {
                let mut arms = vec![(self.list(&clause.condition), self.list(&clause.then))];
                let mut otherwise = None;
                for next in clause.elses.iter().flatten() {
                    let body = self.list(&next.body);
                    match &next.condition {
                        Some(condition) => arms.push((self.list(condition), body)),
                        None => otherwise = Some(body),
                    }
                }
                let (first, last) = tokens(&clause.loc);
                // The crate gives the `if` for both ends.
                let end = self.sites.get(first).and_then(|site| site.closed_by).unwrap_or(last);
                (Kind::If(arms, otherwise), (first, end))
            }
            C::WhileClause(clause) | C::UntilClause(clause) => {
                let until = matches!(compound, C::UntilClause(_));
                let (test, body) = (self.list(&clause.0), self.list(&clause.1.list));
                (Kind::While { until, test, body }, tokens(&clause.2))
            }
            C::Coprocess(process) => {
                let command = self.command(&process.body);
                let place = tokens(&process.loc);
                (Kind::Group(Block { items: vec![Item { command, background: true }] }), place)
            }
        };
        self.located(kind, place, redirects)
    }
}

/// The token of what a redirection names.
fn target(redirect: &IoRedirect) -> Option<usize> {
    match redirect {
        IoRedirect::File(_, _, IoFileRedirectTarget::Filename(word)) => word.loc.as_ref().map(|span| span.start.index),
        _ => None,
    }
}
