//! A frame: the span of one call, and how the call ended.

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project::{pin_project, pinned_drop};
use tracing::Span;
use tracing::span::Entered;

use crate::failure::Failure;
use crate::layer::{end_span, with_span};
use crate::record::{Field, Status};
use crate::value::Value;

/// Owns the span of one call. A frame that is dropped without [`Frame::end`] was left by a panic, or
/// its future was dropped: its segment says which.
///
/// Without a subscriber the span is none, and everything here is a branch on that.
#[derive(Debug)]
pub struct Frame {
    span: Span,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The body is not running at this moment, or runs without a pause: if the frame is dropped now
    /// while the thread unwinds, it is because of that.
    Open,
    /// The body has been polled and waits: dropped now, it was cancelled, even if the thread
    /// unwinds for a reason elsewhere.
    Waiting,
    /// The body panicked.
    Panicked,
    Ended,
}

impl Frame {
    #[inline(always)]
    pub fn new(span: Span) -> Self {
        Self { span, stage: Stage::Open }
    }

    /// The frame of a call that `skip_if` leaves out.
    #[inline(always)]
    pub const fn untraced() -> Self {
        Self { span: Span::none(), stage: Stage::Open }
    }

    /// Whether a segment is made of this call: else nothing needs to be collected for it.
    #[inline]
    pub fn is_recording(&self) -> bool {
        !self.span.is_none() && self.is_sampled()
    }

    fn is_sampled(&self) -> bool {
        with_span(&self.span, |_| ()).is_some()
    }

    pub fn record_all<const N: usize>(&self, fields: [Field; N]) {
        with_span(&self.span, |record| fields.into_iter().for_each(|field| record.add(field)));
    }

    /// Runs the body of a function that is not async.
    #[inline]
    pub fn call<R>(&mut self, body: impl FnOnce() -> R) -> R {
        let _entered = self.span.enter();
        body()
    }

    /// Enters the span for a body that runs in the function itself.
    #[inline]
    pub fn enter(&self) -> Entered<'_> {
        self.span.enter()
    }

    /// Whether nobody wanted the span.
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.span.is_none()
    }

    /// As [`Frame::enter`], for a guard that owns the frame and so cannot borrow from it.
    pub(super) fn enter_for_guard(&self) {
        self.span.with_subscriber(|(id, dispatch)| dispatch.enter(id));
    }

    pub(super) fn exit_from_guard(&self) {
        self.span.with_subscriber(|(id, dispatch)| dispatch.exit(id));
    }

    /// Runs an async body: the span is entered whenever the future is polled, and when it is dropped.
    pub fn run<F: Future>(&mut self, body: F) -> InFrame<'_, F> {
        InFrame { body: Some(body), frame: self }
    }

    /// Polls a body that the caller keeps beside the frame. Between two polls it waits.
    pub(crate) fn poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        // What is left standing if the body panics.
        self.stage = Stage::Panicked;
        let _entered = self.span.enter();
        let polled = poll();
        self.stage = Stage::Waiting;
        polled
    }

    /// Drops what the caller keeps beside the frame, within the span.
    pub(crate) fn within(&self, work: impl FnOnce()) {
        self.span.in_scope(work);
    }

    /// Gives the segment a name that was made at run time.
    pub(crate) fn rename(&self, name: Cow<'static, str>) {
        with_span(&self.span, |record| record.name = name);
    }

    /// The body returned this, and `ret` asked for it.
    pub fn returned(&self, value: impl FnOnce() -> Option<Value>) {
        if self.is_recording()
            && let Some(value) = value()
        {
            with_span(&self.span, |record| record.add(Field::metadata("return_value", value)));
        }
    }

    /// The body returned: with an error, if `has_failed`.
    #[inline]
    pub fn end(&mut self, has_failed: bool, failure: impl FnOnce() -> Failure) {
        self.stage = Stage::Ended;
        if !self.span.is_none() {
            if has_failed {
                self.fail(failure);
            } else {
                end_span(&self.span, |_| ());
            }
        }
    }

    /// The body returned.
    #[inline]
    pub(crate) fn end_well(&mut self) {
        self.stage = Stage::Ended;
        if !self.span.is_none() {
            end_span(&self.span, |_| ());
        }
    }

    #[cold]
    fn fail(&self, failure: impl FnOnce() -> Failure) {
        if self.is_recording() {
            // Made outside of the span's lock: it displays what is the user's.
            let failure = self.span.in_scope(failure);
            end_span(&self.span, |record| record.fail(failure));
        }
    }

    #[cold]
    fn abandon(&self) {
        let status = match self.stage {
            Stage::Panicked => Status::Panicked,
            Stage::Open if thread::panicking() => Status::Panicked,
            _ => Status::Cancelled,
        };
        end_span(&self.span, |record| record.status = Some(status));
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        if self.stage != Stage::Ended && !self.span.is_none() {
            self.abandon();
        }
    }
}

/// An async body in its frame.
#[pin_project(PinnedDrop)]
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct InFrame<'a, F> {
    /// Emptied when the body has ended, so that what it holds is dropped within the span.
    #[pin]
    body: Option<F>,
    frame: &'a mut Frame,
}

impl<F: Future> Future for InFrame<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // What is left standing if the body panics.
        this.frame.stage = Stage::Panicked;
        let _entered = this.frame.span.enter();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Pending };
        match body.poll(cx) {
            Poll::Ready(output) => {
                this.body.set(None);
                this.frame.stage = Stage::Open;
                Poll::Ready(output)
            }
            Poll::Pending => {
                this.frame.stage = Stage::Waiting;
                Poll::Pending
            }
        }
    }
}

#[pinned_drop]
impl<F> PinnedDrop for InFrame<'_, F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.body.is_some() {
            let _entered = this.frame.span.enter();
            this.body.set(None);
        }
    }
}

/// Calls `body`. A closure that is passed to this is taken for one that is called once, so it may
/// give away what it captured.
pub fn call_once<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// As [`Frame::call`], with the type of the result known from elsewhere.
#[inline]
pub fn call_typed<R>(frame: &mut Frame, _: PhantomData<R>, body: impl FnOnce() -> R) -> R {
    frame.call(body)
}

/// Stands for a type that is inferred later.
pub const fn untyped<R>() -> PhantomData<R> {
    PhantomData
}

/// Never called: it only ties a type to a place.
pub fn never<R>(_: PhantomData<R>) -> R {
    loop {
        thread::park();
    }
}
