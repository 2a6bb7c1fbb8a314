//! What `#[traced]` and the logger make of a function together, for a user of `obs` alone.

#![cfg(all(feature = "logging", feature = "tracing"))]

use obs::logging::test::TestLogger;
use obs::prelude::*;

#[derive(Debug)]
struct Card {
    number: &'static str,
}

#[traced(err)]
fn login(user: &str, password: &str, card: &Card) -> Result<usize, std::fmt::Error> {
    info!("asked");
    if password.is_empty() { Err(std::fmt::Error) } else { Ok(user.len() + card.number.len()) }
}

#[traced]
async fn login_later(user: &str, password: &str, card: &Card) -> usize {
    info!("asked later");
    user.len() + password.len() + card.number.len()
}

#[tokio::test]
async fn scenario_40_no_argument_is_in_a_line_unless_it_is_named() {
    let test = TestLogger::new();
    let _entered = test.enter();
    assert!(login("eve-17", "hunter-17", &Card { number: "4111-17" }).is_ok());
    assert!(login("eve-17", "", &Card { number: "4111-17" }).is_err());
    assert_eq!(login_later("eve-17", "hunter-17", &Card { number: "4111-17" }).await, 22);
    let functions: Vec<_> = test.lines().iter().map(|line| line["function"].clone()).collect();
    assert!(functions.len() >= 3 && functions.iter().any(|name| name == "login_later"));
    for line in test.lines() {
        for argument in ["eve-17", "hunter-17", "4111-17", "user", "password", "card"] {
            assert!(!line.as_str().contains(argument), "{line}");
        }
    }
}
