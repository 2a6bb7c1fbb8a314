use obs_tracing::traced;

#[traced]
async fn mistyped() -> u32 {
    "text"
}

#[traced]
fn mistyped_as_well() -> u32 {
    "text"
}

fn main() {
    drop(mistyped());
    mistyped_as_well();
}
