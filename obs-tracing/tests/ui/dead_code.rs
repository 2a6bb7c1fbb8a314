#![deny(dead_code, unused_variables, unreachable_code)]

use obs_tracing::traced;

#[traced]
fn never_used() {}

#[traced]
async fn never_used_later() {}

#[traced]
fn ignores(used: u32, unused: u32) -> u32 {
    return used;
    used + 1
}

fn main() {
    ignores(1, 2);
}
