//! `.traced("name")` on futures and streams.

use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use obs_tracing::{TracedExt, TracingHelper, traced};

use crate::support::{record, record_async};

#[traced]
fn child() {}

async fn works() -> u32 {
    child();
    tokio::task::yield_now().await;
    child();
    17
}

async fn fails() -> Result<u32, std::num::ParseIntError> {
    tokio::task::yield_now().await;
    "x".parse()
}

#[test]
fn a_future_is_a_segment_while_it_is_polled() {
    let documents = record_async(async {
        let table = "orders";
        let future = works().traced(format!("load {table}"));
        child();
        assert_eq!(future.await, 17);
    });
    assert_eq!(documents.names(), ["child", "child", "child", "load orders"]);
    let load = documents.named("load orders");
    assert_eq!(load.status(), "success");
    assert_eq!(documents.0[0].parent_id(), None);
    assert!(documents.0[1..3].iter().all(|child| child.parent_id() == Some(load.id())));
}

#[test]
fn an_error_is_told_where_it_is_asked_for() {
    let documents = record_async(async {
        fails().traced("untold").await.unwrap_err();
        fails().try_traced("told").await.unwrap_err();
        assert_eq!(ready(Ok::<_, ()>(17)).try_traced("fine").await, Ok(17));
        TracingHelper::try_trace_function("helper", || "x".parse::<u8>()).unwrap_err();
        assert_eq!(TracingHelper::try_trace_function("fine helper", || Ok::<_, ()>(1)), Ok(1));
    });
    let told: Vec<_> = documents
        .0
        .iter()
        .map(|d| (d.name(), d.status(), d.annotation("error_type").as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("untold", "success", None),
            ("told", "error", Some("ParseIntError")),
            ("fine", "success", None),
            ("helper", "error", Some("ParseIntError")),
            ("fine helper", "success", None),
        ]
    );
}

#[test]
fn scenario_33_a_future_that_is_dropped_is_cancelled() {
    let documents = record(|| {
        let mut context = Context::from_waker(Waker::noop());
        let mut polled = Box::pin(pending::<()>().traced("polled"));
        assert!(polled.as_mut().poll(&mut context).is_pending());
        drop(polled);
        drop(pending::<()>().traced("never polled"));
        // Dropped by a panic elsewhere, it did not panic itself.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut polled = pin!(pending::<()>().traced("elsewhere"));
            assert!(polled.as_mut().poll(&mut context).is_pending());
            panic!("elsewhere");
        }));
        assert!(outcome.is_err());
    });
    assert_eq!(documents.names(), ["polled", "elsewhere"]);
    assert!(documents.0.iter().all(|document| document.status() == "cancelled"));
}

#[test]
fn scenario_34_a_future_that_panics_has_panicked() {
    let documents = record(|| {
        let mut context = Context::from_waker(Waker::noop());
        let mut future = pin!(poll_fn(|_| -> Poll<()> { panic!("on purpose") }).traced("panics"));
        let poll = || future.as_mut().poll(&mut context).is_ready();
        assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    });
    // However late it is dropped.
    assert_eq!(documents.named("panics").status(), "panicked");
    let documents = record(|| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut context = Context::from_waker(Waker::noop());
            let panics = poll_fn(|_| -> Poll<()> { panic!("on purpose") });
            let mut future = pin!(panics.traced("panics"));
            let _ = future.as_mut().poll(&mut context);
        }));
        assert!(outcome.is_err());
    });
    assert_eq!(documents.named("panics").status(), "panicked");
}

#[test]
fn what_a_future_owns_is_dropped_within_its_segment() {
    struct Noisy;
    impl Drop for Noisy {
        fn drop(&mut self) {
            child();
        }
    }
    let documents = record_async(async {
        let noisy = Noisy;
        poll_fn(move |_| {
            let _noisy = &noisy;
            Poll::Ready(())
        })
        .traced("ended")
        .await;
        let noisy = Noisy;
        let mut cancelled = Box::pin(
            async move {
                let _noisy = noisy;
                pending::<()>().await;
            }
            .traced("cancelled"),
        );
        let mut context = Context::from_waker(Waker::noop());
        assert!(cancelled.as_mut().poll(&mut context).is_pending());
    });
    assert_eq!(documents.names(), ["child", "ended", "child", "cancelled"]);
    assert_eq!(documents.0[0].parent_id(), Some(documents.named("ended").id()));
    assert_eq!(documents.0[2].parent_id(), Some(documents.named("cancelled").id()));
}

#[test]
fn without_a_subscriber_a_future_is_what_it_was() {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(ready(17).traced("nobody looks"));
    assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(17));
    // Polled once more, it is not polled at all.
    assert!(future.as_mut().poll(&mut context).is_pending());
}

#[cfg(feature = "stream")]
mod streams {
    use futures_core::Stream;

    use super::*;

    /// Gives out its items, with a pause before each.
    struct Items<T> {
        items: Vec<T>,
        pause: bool,
    }

    impl<T> Items<T> {
        fn new(items: impl IntoIterator<Item = T>) -> Self {
            let mut items: Vec<T> = items.into_iter().collect();
            items.reverse();
            Self { items, pause: true }
        }
    }

    impl<T: Unpin> Stream for Items<T> {
        type Item = T;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<T>> {
            if std::mem::take(&mut self.pause) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.pause = true;
            child();
            Poll::Ready(self.items.pop())
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.items.len(), Some(self.items.len()))
        }
    }

    async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
        poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
    }

    #[test]
    fn a_stream_is_a_segment_until_its_end() {
        let documents = record_async(async {
            let mut stream = pin!(Items::new([1, 2]).traced("items"));
            assert_eq!(stream.size_hint(), (2, Some(2)));
            assert_eq!(next(&mut stream).await, Some(1));
            // Between two items the stream is not the current segment.
            child();
            assert_eq!(next(&mut stream).await, Some(2));
            assert_eq!(next(&mut stream).await, None);
            assert_eq!((next(&mut stream).await, stream.size_hint()), (None, (0, Some(0))));
        });
        assert_eq!(documents.names(), ["child", "child", "child", "child", "items"]);
        let items = documents.named("items");
        assert_eq!(items.status(), "success");
        let parents: Vec<_> = documents.0[..4].iter().map(|child| child.parent_id()).collect();
        let id = Some(items.id());
        assert_eq!(parents, [id, None, id, id]);
    }

    #[test]
    fn a_streams_first_error_counts() {
        let documents = record_async(async {
            let items = || Items::new([Ok(1), Err(std::fmt::Error), Ok(2)]);
            let mut to_the_end = pin!(items().try_traced("to the end"));
            while next(&mut to_the_end).await.is_some() {}
            let mut to_the_error = Box::pin(items().try_traced("to the error"));
            while let Some(Ok(_)) = next(&mut to_the_error).await {}
            drop(to_the_error);
            let mut plain = pin!(items().traced("plain"));
            while next(&mut plain).await.is_some() {}
        });
        for (name, expected) in
            [("to the end", "error"), ("to the error", "error"), ("plain", "success")]
        {
            assert_eq!(documents.named(name).status(), expected, "{name}");
        }
        assert_eq!(documents.named("to the end").annotation("error_type"), "fmt::Error");
    }

    #[test]
    fn scenario_33_a_stream_that_is_dropped_is_cancelled() {
        let documents = record_async(async {
            let mut stream = Box::pin(Items::new([Ok::<_, ()>(1), Ok(2)]).try_traced("items"));
            assert_eq!(next(&mut stream).await, Some(Ok(1)));
        });
        assert_eq!(documents.named("items").status(), "cancelled");
    }
}
