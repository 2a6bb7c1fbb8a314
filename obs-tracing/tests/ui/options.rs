use obs_tracing::traced;

#[traced(
    nmae = "x",
    name = 17,
    level = "loud",
    err = true,
    ret,
    ret,
    skip(password),
    fields(order = 1),
    annotate(status = 1, order = 2, order = 3, "order id" = 4, password),
    metadata("AWS.x" = 1, "" = 2),
    crate = 5,
    kind "server"
)]
fn charge(password: &str) -> Result<usize, std::fmt::Error> {
    Ok(password.len())
}

#[traced(name = "", annotate = 1)]
fn nameless() {}

fn main() {
    // The function is there, whatever is wrong with its attribute: no error here.
    let _: Result<usize, std::fmt::Error> = charge("x");
    nameless();
}
