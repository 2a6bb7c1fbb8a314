//! Signatures of every kind: receivers, generics, `impl Trait`, what is returned.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomPinned;
use std::ops::{AddAssign, ControlFlow};
use std::panic::{Location, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use obs_tracing::traced;

use crate::support::{record, record_async};

#[derive(Clone, Debug, Default)]
struct Counter {
    n: u32,
}

impl Counter {
    #[traced]
    fn by_value(self) -> u32 {
        self.n
    }

    #[traced]
    fn by_mutable_value(mut self) -> Self {
        self.n += 1;
        self
    }

    #[traced]
    fn by_box(self: Box<Self>) -> u32 {
        self.n
    }

    #[traced]
    fn by_rc(self: Rc<Self>) -> Rc<Self> {
        self
    }

    #[traced]
    fn by_arc(self: &Arc<Self>) -> usize {
        Arc::strong_count(self)
    }

    #[traced]
    fn by_pin(mut self: Pin<&mut Self>) -> u32 {
        self.n += 1;
        self.n
    }

    #[traced]
    async fn by_pin_later(self: Pin<&mut Self>) -> u32 {
        tokio::task::yield_now().await;
        self.n
    }

    #[traced]
    async fn by_box_later(self: Box<Self>) -> u32 {
        tokio::task::yield_now().await;
        self.n
    }
}

struct Pinned {
    n: u32,
    _pinned: PhantomPinned,
}

impl Pinned {
    #[traced]
    fn read(self: Pin<&Self>) -> u32 {
        self.n
    }
}

trait Shape {
    const SIDES: u32;
    type Unit: Display + Default;

    #[traced(annotate(sides = Self::SIDES, unit = unit))]
    fn describe(&self, unit: Self::Unit) -> String
    where
        Self: Debug,
    {
        format!("{self:?}{unit}")
    }

    fn name() -> &'static str;

    fn measures(&self) -> impl Iterator<Item = u32> + '_;
}

#[derive(Debug)]
struct Square<T>(T);

impl<T: Debug + Copy + Into<u32>> Shape for Square<T> {
    const SIDES: u32 = 4;
    type Unit = String;

    #[traced]
    fn name() -> &'static str {
        "square"
    }

    #[traced]
    fn measures(&self) -> impl Iterator<Item = u32> + '_ {
        (0..Self::SIDES).map(|_| self.0.into())
    }
}

#[traced]
fn sum<T, I>(values: I) -> T
where
    T: Default + AddAssign,
    I: IntoIterator<Item = T>,
{
    let mut sum = T::default();
    for value in values {
        sum += value;
    }
    sum
}

#[traced]
fn const_generic<const N: usize, T: Default + Copy>() -> [T; N] {
    [T::default(); N]
}

#[traced]
fn higher_ranked<F>(apply: F) -> usize
where
    F: for<'a> Fn(&'a str) -> &'a str,
{
    apply("abc").len()
}

#[traced]
fn impl_arguments(
    mut each: impl FnMut(u32) -> u32,
    values: &mut impl Iterator<Item = u32>,
    name: impl AsRef<str>,
) -> u32 {
    values.map(&mut each).sum::<u32>() + u32::try_from(name.as_ref().len()).unwrap()
}

#[traced]
fn returns_a_closure<'a>(text: &'a str) -> impl Fn(&str) -> bool + 'a {
    move |other| other == text
}

#[traced]
fn returns_dyn(n: u32) -> Box<dyn Fn(u32) -> u32> {
    if n == 0 {
        return Box::new(|m| m);
    }
    Box::new(move |m| m + n)
}

#[traced]
fn returns_dyn_reference<'a>(first: &'a dyn Display, second: &'a str) -> &'a dyn Display {
    if second.is_empty() { first } else { Box::leak(Box::new(second.to_owned())) }
}

#[traced]
fn returns_a_guard(lock: &Mutex<u32>) -> MutexGuard<'_, u32> {
    let mut guard = lock.lock().unwrap();
    *guard += 1;
    guard
}

#[traced]
fn lends<'a, 'b: 'a>(map: &'a mut HashMap<String, String>, key: &'b str) -> &'a mut String {
    map.entry(key.to_owned()).or_default()
}

#[traced]
fn control_flow(n: u32) -> ControlFlow<u32> {
    if n > 3 {
        ControlFlow::Break(n)?;
    }
    ControlFlow::Continue(())
}

#[traced]
fn nested_option(n: u32) -> Option<Result<u32, std::fmt::Error>> {
    Some(Ok(n.checked_sub(1)?))
}

#[traced]
extern "C" fn foreign_callback(n: i32, of: extern "C" fn(i32) -> i32) -> i32 {
    of(n) + 1
}

extern "C" fn double(n: i32) -> i32 {
    n * 2
}

#[traced]
fn recursive(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    recursive(n - 1) + recursive(n - 2)
}

#[traced]
fn never_returns(message: &str) -> ! {
    panic!("{message}");
}

#[traced]
fn loops_until(mut n: u32) -> u32 {
    loop {
        n += 1;
        if n > 10 {
            break n;
        }
    }
}

#[traced(err)]
fn erases<E>(error: Option<E>) -> Result<(), Box<dyn Error + Send + Sync + 'static>>
where
    E: Error + Send + Sync + 'static,
{
    match error {
        Some(error) => Err(error)?,
        None => Ok(()),
    }
}

#[traced]
fn items_within() -> u32 {
    fn inner() -> u32 {
        N
    }
    const N: u32 = 3;
    struct Local(u32);
    impl Local {
        #[traced]
        fn get(&self) -> u32 {
            self.0
        }
    }
    let closure = || -> Option<u32> { Some(inner()).filter(|n| *n > 1) };
    closure().map_or(0, |n| Local(n).get())
}

#[test]
fn receivers() {
    let documents = record_async(async {
        assert_eq!(Counter { n: 1 }.by_value(), 1);
        assert_eq!(Counter { n: 1 }.by_mutable_value().n, 2);
        assert_eq!(Box::new(Counter { n: 3 }).by_box(), 3);
        assert_eq!(Rc::new(Counter { n: 4 }).by_rc().n, 4);
        assert_eq!(Arc::new(Counter::default()).by_arc(), 1);
        let mut counter = pin!(Counter { n: 5 });
        assert_eq!(counter.as_mut().by_pin(), 6);
        assert_eq!(counter.as_mut().by_pin_later().await, 6);
        assert_eq!(Box::new(Counter { n: 7 }).by_box_later().await, 7);
        assert_eq!(pin!(Pinned { n: 8, _pinned: PhantomPinned }).as_ref().read(), 8);
    });
    assert_eq!(documents.0.len(), 9);
    assert!(documents.0.iter().all(|document| document.status() == "success"));
}

#[test]
fn traits_and_generics() {
    let documents = record(|| {
        assert_eq!(Square(3_u8).describe("cm".to_owned()), "Square(3)cm");
        assert_eq!(Square::<u8>::name(), "square");
        assert_eq!(Square(3_u8).measures().sum::<u32>(), 12);
        assert_eq!(sum([1, 2, 3]), 6);
        assert_eq!(const_generic::<2, u8>(), [0, 0]);
        assert_eq!(higher_ranked(|text| &text[1..]), 2);
        let mut seen = Vec::new();
        let each = |n| {
            seen.push(n);
            n * 2
        };
        assert_eq!(impl_arguments(each, &mut [1, 2].into_iter(), "abc"), 9);
        assert_eq!(seen, [1, 2]);
    });
    assert_eq!(documents.named("describe").annotation("sides"), 4);
    assert_eq!(documents.named("describe").annotation("unit"), "cm");
    assert_eq!(documents.0.len(), 7);
}

#[test]
fn what_is_returned() {
    let documents = record(|| {
        assert!(returns_a_closure("a")("a"));
        assert_eq!((returns_dyn(0)(1), returns_dyn(2)(1)), (1, 3));
        assert_eq!(returns_dyn_reference(&1, "").to_string(), "1");
        assert_eq!(returns_dyn_reference(&1, "x").to_string(), "x");
        let lock = Mutex::new(1);
        assert_eq!(*returns_a_guard(&lock), 2);
        lends(&mut HashMap::new(), "a").push('b');
        assert_eq!(control_flow(4), ControlFlow::Break(4));
        assert_eq!(control_flow(1), ControlFlow::Continue(()));
        assert_eq!((nested_option(0), nested_option(1)), (None, Some(Ok(0))));
        assert_eq!(foreign_callback(2, double), 5);
        assert_eq!(loops_until(1), 11);
        assert_eq!(items_within(), 3);
    });
    assert_eq!(documents.named("get").parent_id(), Some(documents.named("items_within").id()));
    assert!(documents.0.iter().all(|document| document.status() == "success"));
}

#[test]
fn a_generic_error_behind_a_box_is_told() {
    let documents = record(|| {
        assert!(erases(Some(std::fmt::Error)).is_err());
        assert!(erases(None::<std::fmt::Error>).is_ok());
    });
    let told: Vec<_> =
        documents.0.iter().map(|d| (d.status(), d.annotation("error_type").as_str())).collect();
    assert_eq!(told, [("error", Some("fmt::Error")), ("success", None)]);
}

#[test]
fn scenario_34_a_body_that_stays_in_its_function_ends_as_it_ends() {
    #[traced]
    #[track_caller]
    fn within(panics: bool) {
        if panics {
            panic!("on purpose");
        }
    }
    #[traced]
    #[track_caller]
    fn with_a_result(panics: bool) -> Result<(), String> {
        if panics {
            panic!("on purpose");
        }
        return Err("no".to_owned());
    }
    struct Cleanup;
    impl Drop for Cleanup {
        fn drop(&mut self) {
            within(false);
        }
    }
    let documents = record(|| {
        within(false);
        assert!(catch_unwind(|| within(true)).is_err());
        assert!(with_a_result(false).is_err());
        assert!(catch_unwind(|| with_a_result(true)).is_err());
        let unwinding = catch_unwind(|| {
            let _cleanup = Cleanup;
            panic!("on purpose");
        });
        assert!(unwinding.is_err());
        // The span is left in any case.
        recursive(0);
    });
    let statuses: Vec<_> = documents.0.iter().map(|document| document.status()).collect();
    assert_eq!(statuses, ["success", "panicked", "error", "panicked", "success", "success"]);
    assert!(documents.0.iter().all(|document| document.parent_id().is_none()));
}

#[test]
fn recursion_is_a_tree() {
    let documents = record(|| assert_eq!(recursive(4), 3));
    assert_eq!(documents.0.len(), 9);
    let root = documents.0.last().unwrap();
    assert_eq!(root.parent_id(), None);
    let children = documents.0.iter().filter(|d| d.parent_id() == Some(root.id())).count();
    assert_eq!(children, 2);
}

#[test]
fn scenario_34_a_function_that_never_returns_panicked() {
    let documents = record(|| {
        assert!(catch_unwind(|| never_returns("on purpose")).is_err());
    });
    assert_eq!(documents.named("never_returns").status(), "panicked");
}

#[track_caller]
#[traced(annotate(line = Location::caller().line()))]
fn where_from() -> &'static Location<'static> {
    let here = Location::caller();
    if here.line() == 0 {
        return Location::caller();
    }
    here
}

#[traced(err, ret)]
#[track_caller]
fn where_from_or_error(fail: bool) -> Result<u32, &'static str> {
    if fail {
        return Err("no");
    }
    Ok(Location::caller().line())
}

#[test]
fn a_caller_is_tracked_through_the_function() {
    let documents = record(|| {
        let (from, line) = (where_from(), line!());
        assert_eq!((from.file(), from.line()), (file!(), line));
        let (from, line) = (where_from_or_error(false), line!());
        assert_eq!(from, Ok(line));
        assert!(where_from_or_error(true).is_err());
    });
    let told: Vec<_> = documents.0.iter().map(|d| (d.name(), d.status())).collect();
    assert_eq!(
        told,
        [
            ("where_from", "success"),
            ("where_from_or_error", "success"),
            ("where_from_or_error", "error")
        ]
    );
}
