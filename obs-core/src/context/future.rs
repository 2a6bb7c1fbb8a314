//! A future that is polled in a request's context.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use super::RequestContext;

/// Carries a request's context into a future.
pub trait InContextExt: Future + Sized {
    /// Polls (and drops) the future with `context` as the current one.
    ///
    /// ```
    /// use obs_core::context::{InContextExt, RequestContext};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let context = RequestContext::builder().request_id("8f5c").build();
    /// let id = async { RequestContext::current().and_then(|c| c.request_id().map(str::to_owned)) };
    /// assert_eq!(id.in_context(context).await.as_deref(), Some("8f5c"));
    /// # });
    /// ```
    fn in_context(self, context: RequestContext) -> InContext<Self> {
        InContext { future: Some(self), context }
    }
}

impl<F: Future> InContextExt for F {}

/// See [`InContextExt::in_context`].
#[pin_project(PinnedDrop)]
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct InContext<F> {
    /// Emptied only by drop, so that the future's own drop runs in the context as well.
    #[pin]
    future: Option<F>,
    context: RequestContext,
}

impl<F> InContext<F> {
    /// The context that the future is polled in.
    pub fn context(&self) -> &RequestContext {
        &self.context
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.context.enter();
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

#[pinned_drop]
impl<F> PinnedDrop for InContext<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _entered = this.context.enter();
        this.future.set(None);
    }
}

/// [`tokio::spawn`] that carries the current request's context over to the new task.
///
/// # Panics
///
/// Outside a Tokio runtime, as [`tokio::spawn`] does.
#[cfg(feature = "tokio")]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match RequestContext::current() {
        Some(context) => tokio::spawn(future.in_context(context)),
        None => tokio::spawn(future),
    }
}
