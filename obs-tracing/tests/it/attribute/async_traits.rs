//! `async_trait`, and `async fn` in traits without it.

use async_trait::async_trait;
use obs_tracing::traced;

use crate::support::{Document, record_async};

#[async_trait]
trait Repository {
    async fn save(&mut self, order: u64) -> Result<usize, std::fmt::Error>;
    async fn count(&self) -> usize;
    async fn into_orders(self: Box<Self>) -> Vec<u64>;
    async fn name() -> &'static str
    where
        Self: Sized;

    /// A default method.
    #[traced(annotate(more = more))]
    async fn count_with(&self, more: usize) -> usize
    where
        Self: Sync,
    {
        self.count().await + more
    }
}

#[derive(Clone, Debug, Default)]
struct Memory {
    orders: Vec<u64>,
}

impl Memory {
    fn len(&self) -> usize {
        self.orders.len()
    }
}

#[async_trait]
impl Repository for Memory {
    #[traced(annotate(order_id = order, before = self.len()), metadata(copied = Self::clone(self).len()), err)]
    async fn save(&mut self, order: u64) -> Result<usize, std::fmt::Error> {
        if order == 0 {
            return Err(std::fmt::Error);
        }
        tokio::task::yield_now().await;
        self.orders.push(order);
        Ok(self.count().await)
    }

    #[traced(annotate(this = std::any::type_name::<Self>()))]
    async fn count(&self) -> usize {
        self.len()
    }

    #[traced]
    async fn into_orders(self: Box<Self>) -> Vec<u64> {
        self.orders
    }

    #[traced]
    async fn name() -> &'static str {
        "memory"
    }
}

#[test]
fn methods_of_async_trait() {
    let documents = record_async(async {
        let mut memory = Memory::default();
        assert_eq!(memory.save(17).await, Ok(1));
        assert!(memory.save(0).await.is_err());
        assert_eq!(memory.count_with(3).await, 4);
        assert_eq!(Memory::name().await, "memory");
        let dynamic: Box<dyn Repository> = Box::new(memory);
        assert_eq!(dynamic.into_orders().await, [17]);
    });
    assert_eq!(
        documents.names(),
        ["count", "save", "save", "count", "count_with", "name", "into_orders"]
    );
    let [count, saved, failed, counted, with, ..] = &documents.0[..] else { unreachable!() };
    assert_eq!(count.parent_id(), Some(saved.id()));
    assert_eq!(counted.parent_id(), Some(with.id()));
    assert_eq!(count.annotation("this").as_str(), Some(std::any::type_name::<Memory>()));
    let told = |d: &Document| {
        (d.status().to_owned(), d.annotation("order_id").as_u64(), d.annotation("before").as_u64())
    };
    assert_eq!(told(saved), ("success".to_owned(), Some(17), Some(0)));
    assert_eq!(told(failed), ("error".to_owned(), Some(0), Some(1)));
    assert_eq!(saved.metadata("copied"), 0);
    assert_eq!(with.annotation("more"), 3);
}

trait Loads {
    async fn load(&self, n: usize) -> Result<usize, std::num::TryFromIntError>;

    #[traced(annotate(n = n))]
    async fn load_twice(&self, n: usize) -> Result<usize, std::num::TryFromIntError> {
        Ok(self.load(n).await? + self.load(n).await?)
    }

    fn later(&self) -> impl Future<Output = usize> + Send;
}

impl Loads for Memory {
    #[traced]
    async fn load(&self, n: usize) -> Result<usize, std::num::TryFromIntError> {
        u8::try_from(n)?;
        Ok(self.len() + n)
    }

    #[traced]
    fn later(&self) -> impl Future<Output = usize> + Send {
        let n = self.len();
        async move { n }
    }
}

#[test]
fn async_functions_in_traits() {
    let documents = record_async(async {
        let memory = Memory { orders: vec![1] };
        assert_eq!(memory.load_twice(2).await, Ok(6));
        assert!(memory.load_twice(256).await.is_err());
        assert_eq!(memory.later().await, 1);
    });
    assert_eq!(documents.names(), ["load", "load", "load_twice", "load", "load_twice", "later"]);
    let statuses: Vec<_> = documents.0.iter().map(Document::status).collect();
    assert_eq!(statuses, ["success", "success", "success", "error", "error", "success"]);
}
