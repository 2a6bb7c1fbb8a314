//! The spans that a thread is in, and what its lines take from the innermost of them.
//!
//! A guard borrows its span, so that one that is entered is open, and what was read of it once need
//! not be looked up again for each line: neither the registry nor the span's lock is touched, and that
//! costs more than all the rest of a line. `Span::record`, on any thread, makes it stale by the epoch.
//! (The registry itself does not keep it open: where a guard is forgotten and its span dropped, the
//! thread's lines go on as in that span.)

use std::cell::RefCell;

use tracing_core::span::Id;

use crate::span::View;

/// How many entries a thread keeps for the next spans.
const MOST_SPARE: usize = 32;

thread_local! {
    /// Borrowed only here, where nothing of the application runs.
    static STACK: RefCell<Stack> = const { RefCell::new(Stack { spans: Vec::new(), depth: 0 }) };
}

/// As the registry's own stack, but with the spans of our layers alone: those that their filters let
/// through.
#[derive(Debug)]
struct Stack {
    /// Up to `depth`, what was entered and not left, the innermost last; then spare ones, for their
    /// buffers.
    spans: Vec<Entered>,
    depth: usize,
}

#[derive(Debug, Default)]
struct Entered {
    /// Ids are of a registry, and so of a layer: each layer has a subscriber of its own.
    layer: u64,
    span: u64,
    /// It is further down already, and not the current one by being entered again.
    is_repeated: bool,
    view: View,
}

/// What a thread knows of the span that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Current {
    /// It is in none, as far as is known here: a layer that was put into a subscriber later has not
    /// seen what was entered before.
    Unknown,
    /// What was read of it holds.
    Fresh,
    /// It has to be read, and kept with [`keep`].
    Stale(Id),
}

/// The thread enters a span.
pub(crate) fn enter(layer: u64, span: &Id) {
    // Where the thread is ending, spans are looked up in the registry.
    let _ending = STACK.try_with(|stack| stack.borrow_mut().push(layer, span.into_u64()));
}

/// The thread leaves a span.
pub(crate) fn exit(layer: u64, span: &Id) {
    let _ending = STACK.try_with(|stack| stack.borrow_mut().remove(layer, span.into_u64()));
}

/// The innermost span of this layer's that the thread is in.
#[inline]
pub(crate) fn current(layer: u64) -> Current {
    STACK
        .try_with(|stack| match stack.borrow().current(layer) {
            None => Current::Unknown,
            Some(entered) if entered.view.is_fresh() => Current::Fresh,
            Some(entered) => Current::Stale(Id::from_u64(entered.span)),
        })
        .unwrap_or(Current::Unknown)
}

/// Keeps what was read of the current span; `view` is another one afterwards.
pub(crate) fn keep(layer: u64, span: &Id, view: &mut View) {
    let _ending = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let current = stack.current_mut(layer).filter(|current| current.span == span.into_u64());
        if let Some(current) = current {
            std::mem::swap(&mut current.view, view);
        }
    });
}

/// Calls `read` with what was kept of the current span. Nothing of the application may run in it.
#[inline]
pub(crate) fn with(layer: u64, mut read: impl FnMut(Option<&View>)) {
    let done = STACK.try_with(|stack| {
        let stack = stack.borrow();
        read(stack.current(layer).map(|entered| &entered.view));
    });
    if done.is_err() {
        read(None);
    }
}

impl Stack {
    fn push(&mut self, layer: u64, span: u64) {
        let is_repeated = self.entered().iter().any(|entered| entered.is(layer, span));
        if self.depth == self.spans.len() {
            self.spans.push(Entered::default());
        }
        if let Some(next) = self.spans.get_mut(self.depth) {
            next.layer = layer;
            next.span = span;
            next.is_repeated = is_repeated;
            self.depth += 1;
        }
    }

    /// Guards are dropped in any order, nearly always the innermost first.
    fn remove(&mut self, layer: u64, span: u64) {
        match self.entered() {
            [.., last] if last.is(layer, span) => {}
            entered => {
                let Some(at) = entered.iter().rposition(|entered| entered.is(layer, span)) else {
                    return;
                };
                self.spans[at..self.depth].rotate_left(1);
            }
        }
        self.depth -= 1;
        if let Some(left) = self.spans.get_mut(self.depth) {
            left.view.forget();
        }
        if self.spans.len() > self.depth + MOST_SPARE {
            self.spans.truncate(self.depth + MOST_SPARE / 2);
        }
    }

    #[inline]
    fn entered(&self) -> &[Entered] {
        &self.spans[..self.depth]
    }

    #[inline]
    fn current(&self, layer: u64) -> Option<&Entered> {
        self.entered().iter().rev().find(|entered| entered.is_current(layer))
    }

    fn current_mut(&mut self, layer: u64) -> Option<&mut Entered> {
        self.spans[..self.depth].iter_mut().rev().find(|entered| entered.is_current(layer))
    }
}

impl Entered {
    #[inline]
    fn is(&self, layer: u64, span: u64) -> bool {
        self.span == span && self.layer == layer
    }

    #[inline]
    fn is_current(&self, layer: u64) -> bool {
        self.layer == layer && !self.is_repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>() -> [Id; N] {
        std::array::from_fn(|n| Id::from_u64(n as u64 + 1))
    }

    #[test]
    fn the_innermost_span_is_the_one_that_was_entered_last_and_not_left() {
        let [a, b, c] = ids();
        let check = |expected: &Id| assert_eq!(current(1), Current::Stale(expected.clone()));
        assert_eq!(current(1), Current::Unknown);
        enter(1, &a);
        enter(1, &b);
        check(&b);
        // Again: still the inner one, as the registry sees it.
        enter(1, &a);
        check(&b);
        exit(1, &a);
        check(&b);
        // In another order than they were entered.
        enter(1, &c);
        exit(1, &a);
        check(&c);
        exit(1, &c);
        check(&b);
        exit(1, &b);
        exit(1, &b);
        assert_eq!(current(1), Current::Unknown);
    }

    #[test]
    fn layers_have_spans_of_their_own() {
        let [a, b] = ids();
        enter(1, &a);
        enter(2, &b);
        assert_eq!(current(1), Current::Stale(a.clone()));
        assert_eq!(current(2), Current::Stale(b.clone()));
        exit(1, &b);
        exit(2, &b);
        assert_eq!(current(2), Current::Unknown);
        exit(1, &a);
    }

    #[test]
    fn a_stack_that_was_deep_does_not_hold_its_memory() {
        for n in 1..=1_000 {
            enter(1, &Id::from_u64(n));
        }
        for n in 1..=1_000 {
            exit(1, &Id::from_u64(n));
        }
        STACK.with(|stack| assert!(stack.borrow().spans.len() <= MOST_SPARE));
    }
}
