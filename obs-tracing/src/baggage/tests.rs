use obs_core::Redactor;

use super::*;
use crate::propagation::{self, BAGGAGE_HEADER};

fn parsed(header: &str) -> Baggage {
    Baggage::parse([header])
}

/// What a header says, and how it is written.
fn check(header: &str, members: &[(&str, &str)], written: Option<&str>) {
    let baggage = parsed(header);
    assert_eq!(baggage.iter().collect::<Vec<_>>(), members, "{header:?}");
    assert_eq!(baggage.header(&Redactor::none()).as_deref(), written, "{header:?}");
}

#[test]
fn headers_are_read() {
    check("", &[], None);
    check("a=1", &[("a", "1")], Some("a=1"));
    check(" a = 1 ,\tb=2\t", &[("a", "1"), ("b", "2")], Some("a=1,b=2"));
    check("a=1,,b=2,", &[("a", "1"), ("b", "2")], Some("a=1,b=2"));
    check("a=", &[("a", "")], Some("a="));
    check("a=b=c", &[("a", "b=c")], Some("a=b=c"));
    check("Am%C3%A9lie=1", &[("Am%C3%A9lie", "1")], Some("Am%C3%A9lie=1"));
    check(
        "a=Am%C3%a9lie%20%2C%3b%22%5C%25",
        &[("a", "Amélie ,;\"\\%")],
        Some("a=Am%C3%A9lie%20%2C%3B%22%5C%25"),
    );
    check("a=%", &[("a", "%")], Some("a=%25"));
    check("a=%zz%4", &[("a", "%zz%4")], Some("a=%25zz%254"));
    check("a=%FFx%C3", &[("a", "\u{fffd}x\u{fffd}")], Some("a=%EF%BF%BDx%EF%BF%BD"));
    check("a=%0d%0a", &[("a", "\r\n")], Some("a=%0D%0A"));
    check("a=x+y", &[("a", "x+y")], Some("a=x+y"));
    // The last one counts, in the place of the first.
    check("a=1,b=2,a=3", &[("a", "3"), ("b", "2")], Some("a=3,b=2"));
    // Names are case-sensitive.
    check("a=1,A=2", &[("a", "1"), ("A", "2")], Some("a=1,A=2"));
    check("a=1;ttl=60; x ;y = %20", &[("a", "1")], Some("a=1;ttl=60;x;y=%20"));
    check("a=1;", &[("a", "1")], Some("a=1"));
}

#[test]
fn what_is_no_member_is_passed_over() {
    for member in [
        "a", "=1", " =1", "a b=1", "ä=1", "a=ä", "a=x y", "a=\"x\"", "a=\\", "a=\u{7f}", "a=\r\nb",
        "a=1;ü", "a=1;=2", "a=1;b c", "a=1;b=\"", "(a)=1", "a@b=1",
    ] {
        check(
            &format!("first=1,{member},last=2"),
            &[("first", "1"), ("last", "2")],
            Some("first=1,last=2"),
        );
    }
}

#[test]
fn several_headers_are_one_list() {
    let baggage = Baggage::parse(["a=1", "b=2,a=3"]);
    assert_eq!(baggage.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
}

#[test]
fn limits_are_kept_when_it_is_read() {
    let many: Vec<_> = (0..1_000).map(|n| format!("k{n}=1")).collect();
    let baggage = parsed(&many.join(","));
    assert_eq!(baggage.len(), MAX_MEMBERS);
    assert_eq!(baggage.get("k179"), Some("1"));

    let exact = format!("a={}", "x".repeat(MAX_BYTES - 2));
    check(&exact, &[("a", &exact[2..])], Some(&exact));
    assert!(parsed(&format!("{exact}x")).is_empty());
    let whole = format!("a=1,b={}", "x".repeat(MAX_BYTES));
    check(&whole, &[("a", "1")], Some("a=1"));
    // What grows as it is written anew counts as it will be written.
    let growing = format!("a={}", "%FF".repeat(2_000));
    assert!(growing.len() < MAX_BYTES && parsed(&growing).is_empty());
}

#[test]
fn limits_are_kept_when_it_is_set() {
    let mut baggage = Baggage::default();
    assert!(!baggage.set("a", &"x".repeat(MAX_BYTES - 1)));
    assert!(!baggage.set("a", &" ".repeat(MAX_BYTES / 3 + 1)));
    assert!(!baggage.set("a", &"x".repeat(100_000_000)));
    assert!(baggage.set("a", &"x".repeat(MAX_BYTES - 2)));
    assert!(!baggage.set("b", ""));
    assert!(baggage.set("a", "1"));
    for n in 1..MAX_MEMBERS {
        assert!(baggage.set(&format!("k{n}"), ""));
    }
    assert!(!baggage.set("more", "") && baggage.set("k7", "changed"));
    assert_eq!(baggage.header(&Redactor::none()).unwrap().split(',').count(), MAX_MEMBERS);
    for key in ["", "a b", "a=b", "ä", "a,b", "a;b", "a\n"] {
        assert!(!baggage.set(key, "1"), "{key:?}");
    }
}

#[test]
fn the_length_is_that_of_the_header() {
    let mut baggage = Baggage::default();
    for (key, value) in [("a", "1"), ("b", "x y"), ("a", "longer, by far"), ("c", ""), ("b", "")] {
        assert!(baggage.set(key, value));
        assert_eq!(format!("{baggage:?}").matches('"').count(), 2 * baggage.len());
    }
    // Filled to the last byte, after changes and removals: the count did not drift.
    for key in ["a", "c", "b"] {
        assert!(baggage.remove(key) && !baggage.remove(key));
    }
    assert!(baggage.set("z", &"x".repeat(MAX_BYTES - 2 - 4)) && baggage.set("y", "1"));
    assert_eq!(baggage.header(&Redactor::none()).unwrap().len(), MAX_BYTES);
    assert!(!baggage.set("w", "") && !baggage.set("y", "12"));
    assert!(baggage.remove("z") && baggage.set("z", &"x".repeat(MAX_BYTES - 2 - 4)));
}

#[test]
fn scenario_41_secrets_are_redacted_as_it_leaves() {
    let header = "tenant=acme,api_key=1,mail=jane%40example.com,a=1;token=x,b=2;mail=jane@example.com,c=3;mail=jane%40example.com,d=4;ttl=1";
    let baggage = parsed(header);
    let by_name = "tenant=acme,api_key=[REDACTED],mail=jane@example.com,a=1,b=2;mail=jane@example.com,c=3;mail=jane%40example.com,d=4;ttl=1";
    assert_eq!(baggage.header(&Redactor::default()).as_deref(), Some(by_name));
    let by_text = "tenant=acme,api_key=[REDACTED],mail=[REDACTED],a=1,b=2,c=3,d=4;ttl=1";
    assert_eq!(baggage.header(&Redactor::standard()).as_deref(), Some(by_text));
    let own = Redactor::none().field("tenant");
    assert!(baggage.header(&own).unwrap().starts_with("tenant=[REDACTED],api_key=1,"));
    // The application sees what came.
    assert_eq!(baggage.get("api_key"), Some("1"));
    // And `Debug` shows no value.
    assert_eq!(format!("{:?}", parsed("tenant=acme,api_key=1")), r#"["tenant", "api_key"]"#);
}

#[test]
fn a_marker_that_does_not_fit_costs_its_member() {
    let mut baggage = Baggage::default();
    assert!(baggage.set("fill", &"x".repeat(MAX_BYTES - 5 - 8)));
    assert!(baggage.set("token", "1"));
    let header = baggage.header(&Redactor::default()).unwrap();
    assert!(header.len() <= MAX_BYTES && header.starts_with("fill=") && !header.contains("token"));
}

#[test]
fn it_belongs_to_the_request() {
    assert!(!set("a", "1") && get("a").is_none() && !remove("a") && current().is_empty());
    let first = propagation::extract(&[(BAGGAGE_HEADER, "a=1")]).request_context();
    let second = RequestContext::builder().build();
    {
        let _entered = first.enter();
        assert!(set("b", "2"));
        {
            let _entered = second.enter();
            assert_eq!((get("a"), get("b")), (None, None));
            assert!(set("a", "other"));
        }
        assert_eq!((get("a").as_deref(), get("b").as_deref()), (Some("1"), Some("2")));
        assert!(remove("a") && !remove("a"));
        assert_eq!(current().iter().collect::<Vec<_>>(), [("b", "2")]);
    }
    assert!(get("b").is_none());
    let _entered = second.enter();
    assert_eq!(get("a").as_deref(), Some("other"));
}

#[test]
fn what_is_appended_to_log_lines_is_redacted() {
    let context =
        propagation::extract(&[(BAGGAGE_HEADER, "tenant=acme,token=1,other=2")]).request_context();
    let _entered = context.enter();
    append_to_logs(&["tenant", "token", "missing"]);
    let mut seen = Vec::new();
    context.appended(|key, value| {
        seen.push((key.to_owned(), String::from_utf8(value.to_vec()).unwrap()))
    });
    let expected = [("tenant", "\"acme\""), ("token", "\"[REDACTED]\"")];
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

proptest::proptest! {
    #[test]
    fn what_is_set_reads_back(members in proptest::collection::vec(("[a-z]{1,3}", "\\PC{0,40}|[\\x00-\\x7f]{0,40}"), 0..20)) {
        let mut baggage = Baggage::default();
        for (key, value) in &members {
            baggage.set(key, value);
        }
        let header = baggage.header(&Redactor::none()).unwrap_or_default();
        proptest::prop_assert_eq!(parsed(&header), baggage);
    }
}
