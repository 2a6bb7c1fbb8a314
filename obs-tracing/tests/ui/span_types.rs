use obs_tracing::{ErrorClass, traced};

#[traced(parent = "a text")]
fn no_parent() {}

#[traced(skip_if = n)]
fn no_condition(n: u32) -> u32 {
    n
}

#[traced(skip_if = later)]
async fn unknown_argument() {}

#[traced(classify = |error: &u32| ErrorClass::Fault)]
fn another_error() -> Result<(), String> {
    Ok(())
}

#[traced(classify = |_| true)]
fn no_class() -> Result<(), String> {
    Ok(())
}

#[traced(classify = |_| ErrorClass::Fault)]
fn no_result() -> u32 {
    1
}

#[traced(annotate(thing = thing))]
fn shows_nothing(thing: NoDebug) {
    drop(thing);
}

struct NoDebug;

fn main() {
    no_parent();
    no_condition(1);
    drop(unknown_argument());
    let _ = (another_error(), no_class(), no_result());
    shows_nothing(NoDebug);
}
