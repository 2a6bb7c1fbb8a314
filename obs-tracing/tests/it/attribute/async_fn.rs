//! Functions whose work is done by a future.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use obs_tracing::traced;

use crate::support::{record, record_async};

#[traced]
async fn yields(polls: usize) -> Result<(), ()> {
    for _ in 0..polls {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[traced]
async fn empty() {}

/// # Safety
///
/// None is needed.
#[expect(unsafe_code, reason = "an unsafe function is one of the forms")]
#[traced]
async unsafe fn empty_and_unsafe() {}

#[traced(err)]
async fn impl_trait(n: i32) -> Result<impl Iterator<Item = i32>, &'static str> {
    Ok((0..10).filter(move |x| *x < n))
}

#[traced]
#[expect(clippy::manual_async_fn, reason = "the form that is tested")]
fn block_of_one_expression() -> impl Future<Output = Result<(), Infallible>> {
    async { Ok(()) }
}

#[traced]
#[deny(unused_braces)]
fn boxed_block() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {})
}

#[traced]
fn boxed_function(n: u32) -> Pin<Box<dyn Future<Output = u32>>> {
    Box::pin(multiplied::<1>(n, 2))
}

#[traced]
async fn multiplied<const BY: u32>(n: u32, by: u32) -> u32
where
    [(); 1]: Sized,
{
    n * by * BY
}

#[traced]
async fn recursive(n: u32) -> u32 {
    if n == 0 {
        return 0;
    }
    Box::pin(recursive(n - 1)).await + 1
}

#[traced]
async fn closures(n: u32) -> u32 {
    let add = async |m: u32| -> u32 {
        if m == 0 {
            return n;
        }
        tokio::task::yield_now().await;
        n + m
    };
    add(0).await + add(1).await
}

#[traced]
async fn held_across<'a>(texts: &'a mut Vec<String>, text: &str) -> &'a str {
    let length = text.len();
    texts.push(text.to_owned());
    tokio::task::yield_now().await;
    let last = texts.last_mut().unwrap();
    last.push_str(&length.to_string());
    last
}

#[traced(err)]
async fn question(text: &str) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    let n: u16 = text.parse()?;
    tokio::task::yield_now().await;
    if n == 0 {
        return Err("zero".into());
    }
    Ok(n.try_into()?)
}

#[traced]
async fn never_ends() -> ! {
    loop {
        tokio::task::yield_now().await;
    }
}

#[traced]
fn never_ends_boxed() -> Pin<Box<dyn Future<Output = std::convert::Infallible> + Send>> {
    Box::pin(std::future::pending())
}

#[test]
fn every_form_runs_as_it_did() {
    let documents = record_async(async {
        assert_eq!(yields(2).await, Ok(()));
        empty().await;
        // SAFETY: it needs nothing.
        #[expect(unsafe_code, reason = "an unsafe function is one of the forms")]
        let unsafe_future = unsafe { empty_and_unsafe() };
        unsafe_future.await;
        assert_eq!(impl_trait(3).await.unwrap().count(), 3);
        assert_eq!(block_of_one_expression().await, Ok(()));
        boxed_block().await;
        assert_eq!(boxed_function(3).await, 6);
        assert_eq!(recursive(2).await, 2);
        assert_eq!(closures(3).await, 7);
        assert_eq!(held_across(&mut Vec::new(), "ab").await, "ab2");
        assert_eq!(question("17").await.unwrap(), 17);
        assert!(question("x").await.is_err());
        assert!(question("0").await.is_err());
        assert!(question("1000").await.is_err());
    });
    assert_eq!(
        documents.names(),
        [
            "yields",
            "empty",
            "empty_and_unsafe",
            "impl_trait",
            "block_of_one_expression",
            "boxed_block",
            "multiplied",
            "boxed_function",
            "recursive",
            "recursive",
            "recursive",
            "closures",
            "held_across",
            "question",
            "question",
            "question",
            "question",
        ]
    );
    assert_eq!(
        documents.named("multiplied").parent_id(),
        Some(documents.named("boxed_function").id())
    );
    let recursive: Vec<_> = documents.0.iter().filter(|d| d.name() == "recursive").collect();
    assert_eq!(recursive[0].parent_id(), Some(recursive[1].id()));
    let told: Vec<_> = documents.0[13..]
        .iter()
        .map(|d| (d.status(), d.annotation("error_type").as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("success", None),
            ("error", Some("ParseIntError")),
            ("error", Some("unknown")),
            ("error", Some("TryFromIntError")),
        ]
    );
}

#[test]
fn scenario_33_a_future_that_never_ends_is_cancelled() {
    let documents = record(|| {
        let mut context = Context::from_waker(Waker::noop());
        let mut endless = Box::pin(never_ends());
        assert!(endless.as_mut().poll(&mut context).is_pending());
        let mut boxed = never_ends_boxed();
        assert!(boxed.as_mut().poll(&mut context).is_pending());
        drop((endless, boxed));
    });
    assert_eq!(documents.names(), ["never_ends", "never_ends_boxed"]);
    assert!(documents.0.iter().all(|document| document.status() == "cancelled"));
}

#[test]
fn a_span_is_entered_only_while_its_future_is_polled() {
    let documents = record(|| {
        let mut context = Context::from_waker(Waker::noop());
        let mut first = pin!(yields(1));
        assert!(first.as_mut().poll(&mut context).is_pending());
        // Between two polls another one runs: it hangs on nothing.
        let mut second = pin!(yields(0));
        assert!(second.as_mut().poll(&mut context).is_ready());
        assert!(first.as_mut().poll(&mut context).is_ready());
    });
    let [second, first] = &documents.0[..] else { panic!("{documents:?}") };
    assert_eq!((first.parent_id(), second.parent_id()), (None, None));
    assert_ne!(first.trace_id(), second.trace_id());
}

#[test]
fn futures_that_run_at_once_hang_on_their_caller() {
    #[traced]
    async fn outer() {
        let (a, b) = tokio::join!(yields(3), yields(1));
        a.and(b).unwrap();
    }
    let documents = record_async(outer());
    assert_eq!(documents.names(), ["yields", "yields", "outer"]);
    let outer = documents.named("outer").id();
    assert!(documents.0[..2].iter().all(|document| document.parent_id() == Some(outer)));
}

#[test]
fn what_stands_in_front_of_the_block_is_in_its_scope() {
    struct Thing {
        metrics: Arc<()>,
    }
    impl Thing {
        #[traced(metadata(count = Arc::strong_count(&self.metrics)))]
        fn call(
            &mut self,
            _request: (),
        ) -> Pin<Box<dyn Future<Output = Arc<()>> + Send + Sync + '_>> {
            let metrics = Arc::clone(&self.metrics);
            Box::pin(async move { metrics })
        }
    }
    let documents = record_async(async {
        let mut thing = Thing { metrics: Arc::new(()) };
        thing.call(()).await;
    });
    // The clone in front of the block is made when the function is called.
    assert_eq!(documents.named("call").metadata("count"), 2);
}

#[test]
fn a_future_made_by_hand_is_traced() {
    #[traced]
    fn counts_down(mut n: u32) -> impl Future<Output = u32> {
        poll_fn(move |context: &mut Context<'_>| {
            if n == 0 {
                return Poll::Ready(17);
            }
            n -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }
    let documents = record_async(async { assert_eq!(counts_down(3).await, 17) });
    assert_eq!(documents.named("counts_down").status(), "success");
}
