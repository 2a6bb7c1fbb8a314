//! Futures and streams that somebody else made, traced while they are polled.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(feature = "stream")]
use futures_core::Stream;
use pin_project::{pin_project, pinned_drop};
use tracing::field;

use crate::failure::Failure;
use crate::traced::Frame;

/// Makes a segment of a future, or (feature `stream`) of a stream, while it is polled.
///
/// The segment begins with the first poll: what is never polled leaves nothing. It ends with the
/// future's output or the stream's end, as `cancelled` if it is dropped before that, as `panicked` if
/// it panics. What it calls hangs on it.
///
/// In log lines the span's own name stands, `traced`; the segment has the name that is given, which
/// may be made at run time.
///
/// ```
/// use obs_tracing::TracedExt;
///
/// # async fn load(table: &str) -> Result<u32, std::num::ParseIntError> { table.len().to_string().parse() }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let table = "orders";
/// let rows = load(table).try_traced(format!("load {table}")).await?;
/// let later = std::future::ready(rows).traced("later").await;
/// # assert_eq!(later, 6);
/// # Ok::<(), std::num::ParseIntError>(()) }).unwrap();
/// ```
pub trait TracedExt: Sized {
    /// Traces a future or a stream, whatever comes out of it: an `Err` is a success here, since what
    /// the output is cannot be known. See [`TracedExt::try_traced`].
    fn traced(self, name: impl Into<Cow<'static, str>>) -> Traced<Self> {
        Traced { body: Body::new(self, name.into()) }
    }

    /// Traces a future of a `Result`, or a stream of `Result`s: with an `Err` the segment's status
    /// is `error`, and `error_type` the type's name (`unknown` for a `Box<dyn Error>`).
    ///
    /// Of the error only its type is read; a message, or whose doing it is, wants
    /// [`trace_function!`](crate::trace_function) with an `async` block, or
    /// [`#[traced]`](macro@crate::traced). A stream goes on after an `Err`, and so does its segment; the
    /// first one counts.
    fn try_traced(self, name: impl Into<Cow<'static, str>>) -> TryTraced<Self> {
        TryTraced { body: Body::new(self, name.into()) }
    }
}

impl<T> TracedExt for T {}

/// See [`TracedExt::traced`].
#[pin_project]
#[derive(Debug)]
#[must_use = "futures and streams do nothing unless polled"]
pub struct Traced<T> {
    #[pin]
    body: Body<T>,
}

/// See [`TracedExt::try_traced`].
#[pin_project]
#[derive(Debug)]
#[must_use = "futures and streams do nothing unless polled"]
pub struct TryTraced<T> {
    #[pin]
    body: Body<T>,
}

impl<F: Future> Future for Traced<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut body = self.project().body;
        let polled = body.as_mut().poll_with(Poll::Pending, |future| future.poll(cx));
        if polled.is_ready() {
            body.end();
        }
        polled
    }
}

impl<F, T, E> Future for TryTraced<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let mut body = self.project().body;
        let polled = body.as_mut().poll_with(Poll::Pending, |future| future.poll(cx));
        if let Poll::Ready(result) = &polled {
            body.as_mut().judge(result);
            body.end();
        }
        polled
    }
}

#[cfg(feature = "stream")]
impl<S: Stream> Stream for Traced<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut body = self.project().body;
        let polled = body.as_mut().poll_with(Poll::Ready(None), |stream| stream.poll_next(cx));
        if let Poll::Ready(None) = &polled {
            body.end();
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.body.size_hint()
    }
}

#[cfg(feature = "stream")]
impl<S, T, E> Stream for TryTraced<S>
where
    S: Stream<Item = Result<T, E>>,
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        let mut body = self.project().body;
        let polled = body.as_mut().poll_with(Poll::Ready(None), |stream| stream.poll_next(cx));
        match &polled {
            Poll::Ready(Some(item)) => body.judge(item),
            Poll::Ready(None) => body.end(),
            Poll::Pending => {}
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.body.size_hint()
    }
}

/// What is polled, and its frame.
#[pin_project(PinnedDrop)]
#[derive(Debug)]
struct Body<T> {
    /// Emptied when it has ended, so that what it holds is dropped within the span.
    #[pin]
    body: Option<T>,
    /// Made at the first poll.
    frame: Option<Frame>,
    /// Until then.
    name: Cow<'static, str>,
    /// The first error that came out.
    failure: Option<fn() -> Failure>,
}

impl<T> Body<T> {
    const fn new(body: T, name: Cow<'static, str>) -> Self {
        Self { body: Some(body), frame: None, name, failure: None }
    }

    /// Polls within the span, or gives `ended` back if there is nothing left to poll.
    fn poll_with<R>(self: Pin<&mut Self>, ended: R, poll: impl FnOnce(Pin<&mut T>) -> R) -> R {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return ended };
        let frame = this.frame.get_or_insert_with(|| {
            let frame = Frame::new(tracing::info_span!("traced", obs.traced = field::Empty));
            frame.rename(std::mem::take(this.name));
            frame
        });
        frame.poll(|| poll(body))
    }

    fn judge<V, E>(self: Pin<&mut Self>, result: &Result<V, E>) {
        if result.is_err() {
            self.project().failure.get_or_insert(Failure::of_type::<E>);
        }
    }

    /// It came to its end.
    fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        let Some(frame) = this.frame else { return };
        frame.poll(|| this.body.set(None));
        settle(frame, *this.failure);
    }
}

#[cfg(feature = "stream")]
impl<S: Stream> Body<S> {
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.body.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Body<T> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let Some(frame) = this.frame else { return };
        if this.body.is_some() {
            frame.within(|| this.body.set(None));
            // Who stops at an error has not cancelled anything.
            if this.failure.is_some() {
                settle(frame, *this.failure);
            }
        }
    }
}

fn settle(frame: &mut Frame, failure: Option<fn() -> Failure>) {
    match failure {
        Some(failure) => frame.end(true, failure),
        None => frame.end_well(),
    }
}
