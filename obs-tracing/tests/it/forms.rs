//! Every form of function that `#[traced]` stands on behaves as it did without.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

use obs_tracing::traced;
use tracing::instrument;

use crate::support::{Document, record, record_async};

struct Basket {
    items: Vec<u32>,
}

impl Basket {
    #[traced]
    fn new(items: impl IntoIterator<Item = u32>) -> Self {
        Self { items: items.into_iter().collect() }
    }

    #[traced]
    fn first(&self) -> &u32 {
        &self.items[0]
    }

    #[traced]
    fn first_mut(&mut self) -> &mut u32 {
        &mut self.items[0]
    }

    #[traced]
    fn longest<'a>(&'a self, other: &'a [u32]) -> &'a [u32] {
        if other.len() > self.items.len() {
            return other;
        }
        &self.items
    }

    #[traced]
    fn evens(&self) -> impl Iterator<Item = &u32> + '_ {
        self.items.iter().filter(|item| **item % 2 == 0)
    }

    #[traced]
    fn into_items(self) -> Vec<u32> {
        self.items
    }

    #[traced]
    async fn add(&mut self, item: u32) -> &mut Self {
        tokio::task::yield_now().await;
        self.items.push(item);
        self
    }

    #[traced]
    async fn shared(self: std::sync::Arc<Self>) -> usize {
        self.items.len()
    }
}

trait Priced {
    fn price(&self) -> u32;

    #[traced]
    fn with_tax(&self) -> u32 {
        self.price() * 119 / 100
    }
}

impl Priced for Basket {
    #[traced(name = "Basket::price")]
    fn price(&self) -> u32 {
        self.items.iter().sum()
    }
}

#[traced]
fn generic<T, const N: usize>(values: [T; N]) -> String
where
    T: Display,
{
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[traced]
fn generic_result<T, E: Debug>(value: Result<T, E>) -> Result<T, E> {
    value
}

/// Nothing is known of `T`, so it is no failure, whatever it is at run time.
#[traced]
fn identity<T>(value: T) -> T {
    value
}

#[traced]
fn patterns((a, b): (u32, u32), [c, ..]: [u32; 3], mut d: Vec<u32>, _: u32) -> u32 {
    d.push(a + b + c);
    d.iter().sum()
}

#[traced]
fn early(n: u32) -> Option<u32> {
    let half = n.checked_sub(10)?;
    if half > 5 {
        return Some(half);
    }
    for i in 0..half {
        if i == 3 {
            return None;
        }
    }
    Some(0)
}

#[traced]
fn boxed_error(fail: bool) -> Result<Box<dyn Display>, Box<dyn std::error::Error>> {
    if fail {
        return Err("no".into());
    }
    Ok(Box::new(17))
}

#[traced]
async fn async_coercions(
    fail: bool,
) -> Result<Box<dyn Display + Send>, Box<dyn std::error::Error + Send + Sync>> {
    if fail {
        "x".parse::<u32>()?;
        return Err("no".into());
    }
    Ok(Box::new(17))
}

#[traced]
async fn impl_trait(n: u32) -> Result<impl Iterator<Item = u32>, std::fmt::Error> {
    Ok(0..n)
}

/// # Safety
///
/// None is needed.
#[expect(unsafe_code, reason = "an unsafe function is one of the forms")]
#[traced]
unsafe fn unsafe_function(n: u32) -> u32 {
    n
}

#[traced]
extern "C" fn foreign(n: u32) -> u32 {
    n
}

#[traced]
fn r#match() {}

#[traced]
fn no_result() {
    identity(());
}

#[traced]
fn block_future<'a>(
    text: &'a str,
) -> impl Future<Output = Result<usize, std::fmt::Error>> + Send + 'a {
    let text = text.trim();
    async move {
        tokio::task::yield_now().await;
        if text.is_empty() {
            return Err(std::fmt::Error);
        }
        Ok(text.len())
    }
}

#[traced(annotate(length = text.len()))]
fn made_future(
    text: &str,
) -> impl Future<Output = Result<usize, std::fmt::Error>> + Send + use<'_> {
    block_future(text)
}

/// As `async_trait` writes it.
#[traced(annotate(length = text.len()))]
fn boxed_block<'life0, 'async_trait>(
    text: &'life0 str,
) -> Pin<Box<dyn Future<Output = Result<usize, std::fmt::Error>> + Send + 'async_trait>>
where
    'life0: 'async_trait,
{
    Box::pin(async move {
        if let Some(result) = None::<Result<usize, std::fmt::Error>> {
            return result;
        }
        let text = text;
        let result: Result<usize, std::fmt::Error> = {
            let length = block_future(text).await?;
            Ok(length)
        };
        result
    })
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[traced(metadata(twice = n * 2))]
fn countdown(n: u32) -> BoxFuture<'static, u32> {
    if n == 0 {
        return Box::pin(std::future::ready(0));
    }
    Box::pin(async move { countdown(n - 1).await + 1 })
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn functions_that_run_when_called() {
    let documents = record(|| {
        let mut basket = Basket::new([1, 2]);
        assert_eq!(basket.first(), &1);
        *basket.first_mut() = 4;
        assert_eq!(basket.longest(&[1, 2, 3]).len(), 3);
        assert_eq!(basket.longest(&[1]).len(), 2);
        assert_eq!(basket.evens().count(), 2);
        assert_eq!(basket.with_tax(), 7);
        assert_eq!(basket.into_items(), [4, 2]);
        assert_eq!(generic([1, 2]), "1,2");
        assert!(generic_result::<(), _>(Err("no")).is_err());
        assert!(identity(Err::<(), _>("no")).is_err());
        assert_eq!(patterns((1, 2), [3, 0, 0], vec![4], 5), 10);
        assert_eq!((early(3), early(11), early(14), early(20)), (None, Some(0), None, Some(10)));
        assert!(boxed_error(true).is_err());
        assert_eq!(boxed_error(false).unwrap().to_string(), "17");
        // SAFETY: it needs nothing.
        #[expect(unsafe_code, reason = "an unsafe function is one of the forms")]
        let n = unsafe { unsafe_function(1) };
        assert_eq!((n, foreign(2)), (1, 2));
        r#match();
        no_result();
    });
    let status = |name: &str| documents.named(name).status();
    assert_eq!(status("generic_result"), "error");
    assert_eq!(documents.named("generic_result").annotation("error_type"), "str");
    assert_eq!(status("match"), "success");
    let price = documents.named("Basket::price");
    assert_eq!(price.parent_id(), Some(documents.named("with_tax").id()));
    let errors =
        documents.0.iter().filter(|document| document.status() == "error").map(Document::name);
    assert_eq!(errors.collect::<Vec<_>>(), ["generic_result", "boxed_error"]);
    assert!(documents.0.iter().all(|document| ["success", "error"].contains(&document.status())));
}

#[test]
fn functions_that_return_futures() {
    let documents = record_async(assert_send(async {
        let mut basket = Basket::new([1]);
        assert_eq!(basket.add(2).await.items, [1, 2]);
        assert_eq!(std::sync::Arc::new(basket).shared().await, 2);
        assert!(async_coercions(true).await.is_err());
        assert!(async_coercions(false).await.is_ok());
        assert_eq!(impl_trait(3).await.unwrap().count(), 3);
        assert_eq!(block_future(" ab ").await, Ok(2));
        assert_eq!(made_future("abc").await, Ok(3));
        assert!(boxed_block("  ").await.is_err());
        assert_eq!(countdown(2).await, 2);
    }));
    let made = documents.named("made_future");
    assert_eq!(made.annotation("length"), 3);
    let boxed = documents.named("boxed_block");
    assert_eq!((boxed.status(), boxed.annotation("length").as_u64()), ("error", Some(2)));
    assert_eq!(boxed.annotation("error_type"), "fmt::Error");
    let blocks: Vec<_> = documents.0.iter().filter(|d| d.name() == "block_future").collect();
    assert_eq!(
        blocks.iter().map(|d| d.status()).collect::<Vec<_>>(),
        ["success", "success", "error"]
    );
    assert_eq!(blocks[1].parent_id(), Some(made.id()));
    assert_eq!(blocks[2].parent_id(), Some(boxed.id()));
    let counts: Vec<_> = documents.0.iter().filter(|d| d.name() == "countdown").collect();
    assert_eq!(
        counts.iter().map(|d| d.metadata("twice").as_u64().unwrap()).collect::<Vec<_>>(),
        [0, 2, 4]
    );
    assert_eq!(counts[0].parent_id(), Some(counts[1].id()));
}

#[traced(
    name = "charge-card",
    annotate(order_id = order.id, customer = order.customer, express = order.is_express, total = order.total, place = order.place),
    metadata(items = order.items.len(), "full.list" = order.items, shape = order.shape, missing = None::<u32>),
    err,
    ret,
    level = "debug"
)]
fn charge_card(order: &Order) -> Result<Receipt, std::fmt::Error> {
    if order.items.is_empty() {
        return Err(std::fmt::Error);
    }
    Ok(Receipt { number: order.id + 1 })
}

struct Order {
    id: u64,
    customer: String,
    is_express: bool,
    total: f64,
    place: std::net::Ipv4Addr,
    items: Vec<&'static str>,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Round(#[expect(dead_code, reason = "shown by Debug")] u8),
}

#[derive(Debug)]
struct Receipt {
    number: u64,
}

fn order() -> Order {
    Order {
        id: 4711,
        customer: "acme".to_owned(),
        is_express: true,
        total: 12.5,
        place: [127, 0, 0, 1].into(),
        items: vec!["a", "b"],
        shape: Shape::Round(3),
    }
}

#[test]
fn the_options_of_the_contract() {
    let documents = record(|| {
        assert_eq!(charge_card(&order()).unwrap().number, 4712);
        assert!(charge_card(&Order { items: Vec::new(), ..order() }).is_err());
    });
    let [paid, failed] = &documents.0[..] else { panic!("{documents:?}") };
    assert_eq!(paid.name(), "charge-card");
    let annotations = serde_json::json!({
        "status": "success", "order_id": 4711, "customer": "acme", "express": true, "total": 12.5,
        "place": "127.0.0.1", "service": "orders", "environment": "test",
    });
    assert_eq!(paid.0["annotations"], annotations);
    let metadata = serde_json::json!({
        "items": 2, "full.list": ["a", "b"], "shape": "Round(3)", "missing": null,
        "return_value": "Receipt { number: 4712 }",
    });
    assert_eq!(paid.0["metadata"]["default"], metadata);
    assert_eq!(failed.status(), "error");
    assert!(failed.metadata("return_value").is_null());
    assert_eq!(failed.exceptions().len(), 1);
}

#[test]
fn scenario_40_no_argument_is_recorded_unless_it_is_named() {
    #[traced]
    fn login(user: &str, password: &str, card: &Card) -> usize {
        user.len() + password.len() + card.number.len()
    }
    #[traced(err, ret)]
    async fn login_later(user: &str, password: &str, card: Card) -> Result<usize, std::fmt::Error> {
        Ok(user.len() + password.len() + card.number.len())
    }
    #[derive(Debug)]
    struct Card {
        number: &'static str,
    }
    let documents = record_async(async {
        login("eve-17", "hunter-17", &Card { number: "4111-17" });
        login_later("eve-17", "hunter-17", Card { number: "4111-17" }).await.unwrap();
    });
    for document in &documents.0 {
        let text = document.0.to_string();
        for argument in ["eve-17", "hunter-17", "4111-17"] {
            assert!(!text.contains(argument), "{text}");
        }
    }
    assert_eq!(documents.named("login_later").metadata("return_value"), "22");
}

#[test]
fn what_is_named_is_read_only_where_it_is_kept() {
    static READ: AtomicU32 = AtomicU32::new(0);
    fn read() -> u32 {
        READ.fetch_add(1, Ordering::Relaxed)
    }
    #[traced(annotate(n = read()))]
    fn work() {}
    work();
    assert_eq!(READ.load(Ordering::Relaxed), 0);
    record(work);
    assert_eq!(READ.load(Ordering::Relaxed), 1);
}

#[test]
fn instrumented_and_traced_functions_nest() {
    #[instrument]
    fn outer(a: u32) {
        middle();
    }
    #[traced]
    fn middle() {
        inner(7, "x");
    }
    #[instrument(skip(secret), fields(later = tracing::field::Empty))]
    fn inner(count: u32, secret: &str) {
        tracing::Span::current().record("later", secret.len());
        obs_tracing::annotate("tenant", "acme");
    }
    let documents = record(|| outer(1));
    assert_eq!(documents.names(), ["inner", "middle", "outer"]);
    let [inner, middle, outer] = &documents.0[..] else { unreachable!() };
    assert_eq!(inner.parent_id(), Some(middle.id()));
    assert_eq!(middle.parent_id(), Some(outer.id()));
    assert_eq!(inner.metadata("count"), 7);
    assert_eq!(inner.metadata("later"), 1);
    assert_eq!(inner.annotation("tenant"), "acme");
    assert_eq!(outer.metadata("a"), 1);
    assert_eq!((outer.status(), middle.status()), ("none", "success"));
}

#[test]
fn a_level_that_the_tracer_does_not_follow_is_not_traced() {
    #[traced(level = "trace")]
    fn detail() {
        summary();
    }
    #[traced(level = "error")]
    fn summary() {}
    let documents = record(detail);
    assert_eq!(documents.names(), ["summary"]);
    let all =
        crate::support::record_with(crate::support::builder().level(tracing::Level::TRACE), detail);
    assert_eq!(all.names(), ["summary", "detail"]);
}

#[test]
fn the_crate_may_be_somewhere_else() {
    mod elsewhere {
        pub(crate) use obs_tracing as renamed;
    }
    #[traced(crate = elsewhere::renamed, annotate(n = 1))]
    fn by_path() {}
    #[traced(crate = "elsewhere::renamed")]
    async fn by_text() {}
    let documents = record_async(async {
        by_path();
        by_text().await;
    });
    assert_eq!(documents.names(), ["by_path", "by_text"]);
}

#[test]
fn what_a_function_owns_is_dropped_within_its_segment() {
    struct Noisy(PhantomData<()>);
    impl Drop for Noisy {
        fn drop(&mut self) {
            obs_tracing::annotate("dropped", true);
        }
    }
    #[traced]
    fn owns(noisy: Noisy) {
        let _noisy = noisy;
    }
    #[traced]
    async fn owns_later(noisy: Noisy) {
        let _noisy = noisy;
        tokio::task::yield_now().await;
    }
    let documents = record_async(async {
        owns(Noisy(PhantomData));
        owns_later(Noisy(PhantomData)).await;
        let mut cancelled = Box::pin(owns_later(Noisy(PhantomData)));
        let waker = std::task::Waker::noop();
        assert!(cancelled.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    });
    assert_eq!(documents.0.len(), 3);
    assert!(documents.0.iter().all(|document| document.annotation("dropped") == true));
    assert_eq!(documents.0[2].status(), "cancelled");
}
