//! `skip_if`: calls that are not worth a segment.

use std::sync::atomic::{AtomicU32, Ordering};

use obs_tracing::traced;

use crate::support::{record, record_async};

#[traced]
fn child() {}

#[traced(skip_if = n == 0, annotate(n = n))]
fn countdown(n: u32) -> u32 {
    child();
    n
}

#[traced(skip_if = texts.is_empty(), err, ret)]
async fn later(texts: &[&str]) -> Result<usize, std::num::ParseIntError> {
    tokio::task::yield_now().await;
    child();
    let mut sum = 0;
    for text in texts {
        sum += text.parse::<usize>()?;
    }
    if texts.is_empty() { "x".parse() } else { Ok(sum) }
}

#[traced(skip_if = name.len() > LIMIT, annotate(name = name))]
fn made(mut name: String) -> impl Future<Output = usize> + Send {
    name.shrink_to_fit();
    async move {
        child();
        name.len()
    }
}

#[traced(skip_if = name.len() > LIMIT, annotate(name = name))]
fn made_elsewhere(name: String) -> impl Future<Output = usize> + Send {
    let length = name.len();
    drop(name);
    std::future::ready(length)
}

const LIMIT: usize = 3;

struct Cache {
    hits: u32,
    is_warm: bool,
}

impl Cache {
    #[traced(skip_if = self.is_warm)]
    fn get(&mut self) -> u32 {
        self.hits += 1;
        self.hits
    }
}

#[test]
fn a_call_that_is_skipped_leaves_its_children_to_its_caller() {
    #[traced]
    fn outer() {
        assert_eq!(countdown(0), 0);
    }
    let documents = record(|| {
        outer();
        assert_eq!(countdown(2), 2);
    });
    assert_eq!(documents.names(), ["child", "outer", "child", "countdown"]);
    assert_eq!(documents.0[0].parent_id(), Some(documents.named("outer").id()));
    let countdown = documents.named("countdown");
    assert_eq!(documents.0[2].parent_id(), Some(countdown.id()));
    assert_eq!(countdown.annotation("n"), 2);
}

#[test]
fn futures_are_skipped_too() {
    #[traced]
    async fn outer() {
        assert!(later(&[]).await.is_err());
        assert_eq!(made("long name".to_owned()).await, 9);
        assert_eq!(made_elsewhere("long name".to_owned()).await, 9);
    }
    let documents = record_async(async {
        outer().await;
        assert_eq!(later(&["1", "2"]).await, Ok(3));
        assert_eq!(made("abc".to_owned()).await, 3);
        assert_eq!(made_elsewhere("abc".to_owned()).await, 3);
    });
    assert_eq!(
        documents.names(),
        ["child", "child", "outer", "child", "later", "child", "made", "made_elsewhere"]
    );
    let outer = documents.named("outer");
    // An error of a call that is skipped is nobody's.
    assert_eq!(outer.status(), "success");
    assert!(documents.0[..2].iter().all(|child| child.parent_id() == Some(outer.id())));
    assert_eq!(documents.named("later").metadata("return_value"), "3");
    assert_eq!(documents.named("made").annotation("name"), "abc");
    assert_eq!(documents.named("made_elsewhere").annotation("name"), "abc");
}

#[test]
fn a_method_reads_its_self() {
    let documents = record(|| {
        let mut cache = Cache { hits: 0, is_warm: false };
        cache.get();
        cache.is_warm = true;
        assert_eq!(cache.get(), 2);
    });
    assert_eq!(documents.names(), ["get"]);
}

#[test]
fn what_is_named_is_not_read_of_a_call_that_is_skipped() {
    static READ: AtomicU32 = AtomicU32::new(0);
    #[traced(skip_if = skip, annotate(n = READ.fetch_add(1, Ordering::Relaxed)))]
    fn work(skip: bool) {
        let _ = skip;
    }
    record(|| {
        work(true);
        assert_eq!(READ.load(Ordering::Relaxed), 0);
        work(false);
    });
    assert_eq!(READ.load(Ordering::Relaxed), 1);
}

#[test]
fn scenario_34_a_skipped_call_that_panics_leaves_nothing() {
    #[traced(skip_if = true)]
    fn panics() {
        panic!("on purpose");
    }
    let documents = record(|| {
        assert!(std::panic::catch_unwind(panics).is_err());
    });
    assert!(documents.0.is_empty());
}
