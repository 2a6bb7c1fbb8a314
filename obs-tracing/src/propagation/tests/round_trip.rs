//! What is injected is what was extracted.

use proptest::prelude::*;

use super::*;
use crate::baggage;

fn parents() -> impl Strategy<Value = TraceParent> {
    let trace_id = any::<u128>().prop_filter_map("zero", TraceId::from_u128);
    let small = (1_u128..100).prop_filter_map("zero", TraceId::from_u128);
    let parent_id = proptest::option::of((1_u64..).prop_filter_map("zero", SpanId::from_u64));
    (prop_oneof![trace_id, small], parent_id, any::<Option<bool>>())
        .prop_map(|(trace_id, parent_id, sampled)| TraceParent { trace_id, parent_id, sampled })
}

proptest! {
    #[test]
    fn x_rays_header(parent in parents(), asks: bool, field in "(;[A-Za-z]{1,6}9=[!-:<-~]{0,20}){0,5}") {
        let header = xray::header(parent, asks, &field);
        let whole = xray::parse_whole(&header).unwrap();
        prop_assert_eq!(whole.parent, parent);
        prop_assert_eq!(whole.asks, asks && parent.sampled.is_none());
        prop_assert_eq!(whole.fields, field);
    }

    #[test]
    fn traceparent(parent in parents()) {
        match w3c::traceparent(parent) {
            Some(header) => prop_assert_eq!(parse_traceparent(&header), Some(parent)),
            None => prop_assert!(parent.parent_id.is_none() || parent.sampled.is_none()),
        }
    }

    #[test]
    fn ids_have_one_form_in_each(parent in parents()) {
        let xray = parent.trace_id.xray().to_string();
        prop_assert_eq!(xray.replace('-', ""), format!("1{}", parent.trace_id));
        prop_assert_eq!(TraceId::from_xray(&xray), Some(parent.trace_id));
    }

    #[test]
    fn everything_at_once(
        parent in parents(),
        state in "([a-z]{1,8}=[0-9a-z]{1,9}(,[a-z]{1,8}=[0-9a-z ]{0,8}[0-9a-z]){0,8})?",
        members in proptest::collection::vec(("[a-z0-9!#$%&'*+.^_`|~-]{1,12}x", "\\PC{0,20}"), 0..8),
    ) {
        let propagator = Propagator::new().redact(obs_core::Redactor::none());
        let mut first = vec![(XRAY_HEADER.to_owned(), xray::header(parent, false, ""))];
        if let Some(header) = w3c::traceparent(parent) {
            first.push((TRACEPARENT_HEADER.to_owned(), header));
            first.push((TRACESTATE_HEADER.to_owned(), state.clone()));
        }
        let context = propagator.extract(&first).request_context();
        let _entered = context.enter();
        for (key, value) in &members {
            prop_assert!(baggage::set(key, value));
        }
        let mut second = Vec::new();
        propagator.inject(&mut second);
        let caller = propagator.extract(&second);
        prop_assert_eq!(caller.trace(), Some(parent));
        let has_state = !state.is_empty() && w3c::traceparent(parent).is_some();
        prop_assert_eq!(caller.trace_state(), has_state.then_some(state.as_str()));
        prop_assert_eq!(caller.baggage(), &baggage::current());
        for (key, value) in &members {
            let last = members.iter().rev().find(|(other, _)| other == key).unwrap();
            prop_assert!(last.1 != *value || caller.baggage().get(key) == Some(value.as_str()));
        }
        // And from there on nothing changes any more.
        let _entered = caller.request_context().enter();
        let mut third = Vec::new();
        propagator.inject(&mut third);
        prop_assert_eq!(third, second);
    }
}
