use obs_tracing::traced;

#[traced(
    kind = "servant",
    kind,
    parent,
    parent(x),
    skip_if,
    skip_if = ,
    classify,
    target = "x",
)]
fn every_one_is_wrong(x: u32) -> Result<u32, std::fmt::Error> {
    Ok(x)
}

#[traced(kind = 5, parent = x +, skip_if = if, classify = |_| panic!())]
fn not_even_expressions(x: u32) {
    let _ = x;
}

fn main() {
    // The functions are there, whatever is wrong with their attributes: no error here.
    let _: Result<u32, std::fmt::Error> = every_one_is_wrong(1);
    not_even_expressions(1);
}
