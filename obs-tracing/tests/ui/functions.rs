use obs_tracing::traced;

#[traced]
const fn at_compile_time() -> u32 {
    1
}

#[traced(err)]
fn returns_nothing() {}

#[traced]
struct Order;

trait Priced {
    #[traced]
    fn price(&self) -> u32;
}

#[traced]
fn broken() {
    let x = ;
}

fn main() {
    const ONE: u32 = at_compile_time();
    returns_nothing();
    let _ = (ONE, Order);
}
