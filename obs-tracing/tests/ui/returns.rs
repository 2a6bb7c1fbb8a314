use obs_tracing::traced;

#[traced]
async fn unit() {
    ""
}

#[traced]
async fn simple_mismatch() -> String {
    ""
}

struct Wrapper<T>(T);

#[traced]
async fn mismatch_with_opaque() -> Wrapper<impl std::fmt::Display> {
    ""
}

#[traced]
async fn early_return_unit() {
    if true {
        return "";
    }
}

#[traced]
async fn early_return() -> String {
    if true {
        return "";
    }
    String::new()
}

#[traced]
async fn extra_semicolon() -> i32 {
    1;
}

#[traced]
fn block() -> impl Future<Output = u32> {
    async { "" }
}

#[traced]
#[track_caller]
fn tracked() -> String {
    if true {
        return 1;
    }
    String::new()
}

fn main() {}
