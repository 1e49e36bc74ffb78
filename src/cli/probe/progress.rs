//! What a probe is at, on a terminal: answers that came, questions under way, time.

use std::cell::Cell;
use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::probe::transport::{Answer, Ask};
use crate::probe::{Bounds, Transport, Trouble};

/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);

/// Passes questions on and counts them. The line is taken away with it.
pub(super) struct Progress {
    inner: Box<dyn Transport>,
    bar: ProgressBar,
    asked: Cell<usize>,
    answered: Cell<usize>,
}

impl Progress {
    /// Watches what goes through, when standard error is a terminal; else it is the transport itself.
    pub(super) fn over(inner: Box<dyn Transport>) -> Box<dyn Transport> {
        if !stderr().is_terminal() {
            return inner;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(format!("probing {}", inner.describe()));
        bar.enable_steady_tick(TICK);
        Box::new(Self { inner, bar, asked: Cell::default(), answered: Cell::default() })
    }

    fn say(&self) {
        let (asked, answered) = (self.asked.get(), self.answered.get());
        let waits = asked.saturating_sub(answered);
        self.bar.set_message(format!("probing {}: {answered} answers, {waits} under way", self.inner.describe()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Transport for Progress {
    fn ask<'a>(&'a self, ask: &'a Ask, bounds: Bounds) -> LocalBoxFuture<'a, Result<Answer, Trouble>> {
        Box::pin(async move {
            self.asked.set(self.asked.get() + 1);
            self.say();
            let result = self.inner.ask(ask, bounds).await;
            self.answered.set(self.answered.get() + 1);
            self.say();
            result
        })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn namespace(&self) -> String {
        self.inner.namespace()
    }
}
