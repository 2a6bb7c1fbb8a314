//! Arguments that are patterns: what they bind is there for the body and for the options.

use obs_tracing::traced;

use crate::support::{record, record_async};

struct Pair(usize, usize);

struct Named {
    left: usize,
    right: usize,
}

struct Everything {
    inner: Inner,
    pair: (usize, usize),
    #[expect(dead_code, reason = "left out by the pattern")]
    rest: NoDebug,
}

struct Inner((usize, usize));

struct NoDebug;

#[traced(annotate(sum = a + b))]
fn tuple((a, b): (usize, usize)) -> usize {
    a + b
}

#[traced(annotate(sum = a + b + c + d))]
fn nested(((a, b), (c, d)): ((usize, usize), (usize, usize))) -> usize {
    a + b + c + d
}

#[traced(annotate(sum = a))]
fn reference(&a: &usize) -> usize {
    a
}

#[traced(annotate(sum = a + b))]
fn tuple_struct(Pair(a, b): Pair) -> usize {
    a + b
}

#[traced(annotate(sum = a + right))]
fn named_struct(Named { left: a, right }: Named) -> usize {
    a + right
}

#[traced(annotate(sum = a + b + c + d))]
fn everything(&Everything { inner: Inner((a, b)), pair: (c, d), .. }: &Everything) -> usize {
    a + b + c + d
}

#[traced(annotate(sum = first + rest.len()))]
async fn later(Pair(first, _): Pair, [head, rest @ ..]: [usize; 3], mut all: Vec<usize>) -> usize {
    all.push(head);
    tokio::task::yield_now().await;
    all.extend(rest);
    all.iter().sum::<usize>() + first
}

#[traced(annotate(sum = a + b))]
fn made((a, b): (usize, usize)) -> impl Future<Output = usize> {
    std::future::ready(a + b)
}

#[test]
fn patterns_bind_as_they_did() {
    let documents = record_async(async {
        assert_eq!(tuple((1, 2)), 3);
        assert_eq!(nested(((1, 2), (3, 4))), 10);
        assert_eq!(reference(&5), 5);
        assert_eq!(tuple_struct(Pair(1, 2)), 3);
        assert_eq!(named_struct(Named { left: 3, right: 4 }), 7);
        let all = Everything { inner: Inner((1, 2)), pair: (3, 4), rest: NoDebug };
        assert_eq!(everything(&all), 10);
        assert_eq!(later(Pair(1, 0), [2, 3, 4], vec![5]).await, 15);
        assert_eq!(made((4, 5)).await, 9);
    });
    let sums: Vec<_> = documents.0.iter().map(|d| d.annotation("sum").as_u64().unwrap()).collect();
    assert_eq!(sums, [3, 10, 5, 3, 7, 10, 3, 9]);
}

#[test]
fn arguments_that_are_never_used_stay_so() {
    #[traced]
    fn ignores(_: NoDebug, _unused: &str, (_, _second): (u8, u8)) {}
    assert_eq!(record(|| ignores(NoDebug, "", (1, 2))).names(), ["ignores"]);
}
