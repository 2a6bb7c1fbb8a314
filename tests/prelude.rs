//! What `use obs::prelude::*` brings, for a user of `obs` alone.

#![cfg(feature = "logging")]

use obs::logging::test::TestLogger;
use obs::prelude::*;

#[test]
fn a_field_is_appended_to_the_requests_lines() {
    let test = TestLogger::new();
    test.run(|| {
        let _request = RequestContext::builder().request_id("8f5c").build().enter();
        append("order_id", 4711);
        info!("accepted");
    });
    assert_eq!(test.line().u64("order_id"), 4711);
}

/// A name of the user's own goes before one of the prelude, and methods are not touched.
#[test]
fn an_append_of_ones_own_and_that_of_a_vec_stay_what_they_are() {
    fn append(list: &mut Vec<u32>, more: &mut Vec<u32>) {
        list.append(more);
    }
    let mut list = vec![1];
    append(&mut list, &mut vec![2]);
    assert_eq!(list, [1, 2]);
}
