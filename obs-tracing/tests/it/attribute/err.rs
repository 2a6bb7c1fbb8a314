//! Errors: found on every way out of a function, and whose doing they are.

use std::fmt;
use std::io;
use std::num::TryFromIntError;
use std::sync::Arc;

use obs_tracing::{Classify, ErrorClass, trace_function, traced};

use crate::support::{Document, record, record_async};

#[traced(err)]
fn at_the_end() -> Result<u8, TryFromIntError> {
    u8::try_from(1234)
}

#[traced(err)]
fn by_question_mark() -> Result<u8, TryFromIntError> {
    u8::try_from(1234)?;
    Ok(5)
}

#[traced(err)]
async fn later() -> Result<u8, TryFromIntError> {
    tokio::task::yield_now().await;
    u8::try_from(1234)
}

#[traced(err)]
fn through_an_argument(out: &mut u8) -> Result<(), TryFromIntError> {
    *out = u8::try_from(1234)?;
    Ok(())
}

#[traced(err)]
async fn through_an_argument_later(out: &mut u8) -> Result<(), TryFromIntError> {
    tokio::task::yield_now().await;
    *out = u8::try_from(1234)?;
    Ok(())
}

type Outcome<T> = Result<T, TryFromIntError>;

#[traced(err)]
fn of_an_alias() -> Outcome<u8> {
    u8::try_from(1234)
}

#[traced(err)]
fn out_of_loops(texts: &[i32]) -> Outcome<u8> {
    let mut last = 0;
    'outer: while last < 10 {
        for n in texts {
            last = match u8::try_from(*n) {
                Ok(n) if n > 100 => break 'outer,
                Ok(n) => n,
                Err(error) => return Err(error),
            };
        }
    }
    Ok(last)
}

#[test]
fn every_way_out_with_an_error_is_told() {
    let documents = record_async(async {
        assert!(at_the_end().is_err());
        assert!(by_question_mark().is_err());
        assert!(later().await.is_err());
        assert!(through_an_argument(&mut 0).is_err());
        assert!(through_an_argument_later(&mut 0).await.is_err());
        assert!(of_an_alias().is_err());
        assert!(out_of_loops(&[1, -1]).is_err());
    });
    assert_eq!(documents.0.len(), 7);
    for document in &documents.0 {
        assert_eq!(document.status(), "error", "{document:?}");
        assert_eq!(
            document.exceptions(),
            [("TryFromIntError", "out of range integral type conversion attempted")]
        );
    }
    let fine = record(|| assert_eq!(out_of_loops(&[1, 12]), Ok(12)));
    assert_eq!(fine.named("out_of_loops").status(), "success");
}

/// The flags of a segment, in X-Ray's words.
fn flags(document: &Document) -> Vec<&str> {
    ["fault", "error", "throttle"].into_iter().filter(|flag| document.0[flag] == true).collect()
}

#[derive(Clone, Debug)]
enum PaymentError {
    Declined,
    TooOften,
    Broken,
    Provider(u16),
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no payment")
    }
}

impl std::error::Error for PaymentError {}

impl Classify for PaymentError {
    fn classify(&self) -> ErrorClass {
        match self {
            Self::Declined => ErrorClass::Error,
            Self::TooOften => ErrorClass::Throttle,
            Self::Broken => ErrorClass::Fault,
            Self::Provider(status) => ErrorClass::of_status(*status),
        }
    }
}

/// As a crate makes one that knows nothing of us.
#[derive(Debug)]
struct Foreign {
    status: u16,
    code: &'static str,
}

#[test]
fn an_error_that_says_whose_doing_it_is_flags_its_segment() {
    #[traced]
    fn charge(error: PaymentError) -> Result<(), PaymentError> {
        Err(error)
    }
    #[traced]
    async fn charge_later(error: PaymentError) -> Result<(), Box<PaymentError>> {
        Err(Box::new(error))
    }
    #[traced(err)]
    fn charge_shared(error: PaymentError) -> Result<(), Arc<PaymentError>> {
        Err(Arc::new(error))
    }
    let documents = record_async(async {
        charge(PaymentError::Declined).unwrap_err();
        charge(PaymentError::TooOften).unwrap_err();
        charge(PaymentError::Broken).unwrap_err();
        charge(PaymentError::Provider(404)).unwrap_err();
        charge_later(PaymentError::TooOften).await.unwrap_err();
        charge_shared(PaymentError::Declined).unwrap_err();
        trace_function!("expression", Err::<(), _>(PaymentError::Declined)).unwrap_err();
    });
    let told: Vec<_> = documents.0.iter().map(flags).collect();
    assert_eq!(
        told,
        [
            vec!["error"],
            vec!["error", "throttle"],
            vec!["fault"],
            vec!["error"],
            vec!["error", "throttle"],
            vec!["error"],
            vec!["error"],
        ]
    );
    assert!(documents.0.iter().all(|document| document.status() == "error"));
    assert_eq!(documents.named("charge_shared").exceptions().len(), 1);
}

#[test]
fn a_function_says_it_of_an_error_that_cannot() {
    #[traced(classify = |error| ErrorClass::of_aws(error.status, error.code))]
    fn put(status: u16, code: &'static str) -> Result<(), Foreign> {
        if status == 200 { Ok(()) } else { Err(Foreign { status, code }) }
    }
    #[traced(err, classify = of_status)]
    fn get(status: u16) -> impl Future<Output = Result<(), Foreign>> {
        std::future::ready(Err(Foreign { status, code: "" }))
    }
    fn of_status(error: &Foreign) -> ErrorClass {
        ErrorClass::of_status(error.status)
    }
    /// The option counts for more than what the type says.
    #[traced(classify = |_| ErrorClass::Fault)]
    async fn overruled() -> Result<(), PaymentError> {
        Err(PaymentError::Declined)
    }
    let documents = record_async(async {
        put(200, "").unwrap();
        put(400, "ThrottlingException").unwrap_err();
        put(400, "ValidationException").unwrap_err();
        put(503, "").unwrap_err();
        get(429).await.unwrap_err();
        overruled().await.unwrap_err();
    });
    let told: Vec<_> = documents.0.iter().map(flags).collect();
    assert_eq!(
        told,
        [
            vec![],
            vec!["error", "throttle"],
            vec!["error"],
            vec!["fault"],
            vec!["error", "throttle"],
            vec!["fault"],
        ]
    );
}

#[test]
fn an_options_expression_may_have_commas() {
    #[derive(Debug)]
    struct Pair<A, B>(A, B);
    fn is_of<A, B>() -> bool {
        size_of::<A>() == size_of::<B>()
    }
    #[traced(
        skip_if = is_of::<u8, i8>() && n == 0,
        classify = |Pair(status, _): &Pair<u16, &str>| ErrorClass::of_status(*status),
        err
    )]
    fn fails(n: u16) -> Result<(), Pair<u16, &'static str>> {
        Err(Pair(n, ""))
    }
    let documents = record(|| {
        fails(0).unwrap_err();
        fails(404).unwrap_err();
    });
    assert_eq!(documents.0.iter().map(flags).collect::<Vec<_>>(), [["error"]]);
}

#[test]
fn some_errors_of_the_standard_library_say_it() {
    #[traced]
    fn parse(text: &str) -> Result<u8, std::num::ParseIntError> {
        text.parse()
    }
    #[traced]
    fn erased(text: &str) -> Result<u8, Box<dyn std::error::Error>> {
        Ok(text.parse::<u8>()?)
    }
    #[traced]
    fn open(kind: io::ErrorKind) -> io::Result<()> {
        Err(kind.into())
    }
    #[traced]
    fn generic<E: std::error::Error>(error: E) -> Result<(), E> {
        Err(error)
    }
    #[traced]
    fn text() -> Result<(), String> {
        Err("no".to_owned())
    }
    let documents = record(|| {
        parse("x").unwrap_err();
        erased("x").unwrap_err();
        open(io::ErrorKind::InvalidInput).unwrap_err();
        open(io::ErrorKind::NotFound).unwrap_err();
        // What the bounds do not say is not known.
        generic(PaymentError::Declined).unwrap_err();
        text().unwrap_err();
    });
    let told: Vec<_> = documents.0.iter().map(flags).collect();
    assert_eq!(
        told,
        [vec!["error"], vec!["error"], vec!["error"], vec!["fault"], vec!["fault"], vec!["fault"]]
    );
}

#[test]
fn scenario_19_a_classification_that_panics_leaves_a_fault() {
    #[traced(classify = |_| panic!("in the user's code"))]
    fn fails() -> Result<u8, PaymentError> {
        Err(PaymentError::Declined)
    }
    let documents = record(|| {
        fails().unwrap_err();
    });
    assert_eq!(documents.named("fails").status(), "error");
    assert_eq!(flags(documents.named("fails")), ["fault"]);
}
