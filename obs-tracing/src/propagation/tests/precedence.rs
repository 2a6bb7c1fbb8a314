//! Which header counts where there are several.

use super::*;

const OTHER_XRAY: &str = "Root=1-0af76519-16cd43dd8448eb211c80319c";

/// What is continued: the trace's first digits, the decision, `tracestate`.
fn check(
    propagator: &Propagator,
    headers: &[(&str, &str)],
    expected: Option<(&str, Option<bool>, Option<&str>)>,
) {
    let caller = propagator.extract(headers);
    let trace =
        caller.trace().map(|parent| (parent.trace_id.to_string()[..8].to_owned(), parent.sampled));
    let seen = trace
        .as_ref()
        .map(|(trace_id, sampled)| (trace_id.as_str(), *sampled, caller.trace_state()));
    assert_eq!(seen, expected, "{headers:?}");
}

#[test]
fn x_rays_header_counts_before_w3cs() {
    let both = Propagator::new();
    let (ours, theirs) = ("5759e988", "0af76519");
    check(
        &both,
        &[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, OTHER)],
        Some((ours, Some(true), None)),
    );
    check(&both, &[(TRACEPARENT_HEADER, OTHER)], Some((theirs, Some(false), None)));
    // A decision tells of a caller, and so does the question.
    for sampled in ["1", "0", "?"] {
        let header = format!("Root={XRAY_ROOT};Sampled={sampled}");
        let decision = match sampled {
            "?" => None,
            digit => Some(digit == "1"),
        };
        let headers = [(XRAY_HEADER, header.as_str()), (TRACEPARENT_HEADER, OTHER)];
        check(&both, &headers, Some((ours, decision, None)));
    }
    // What is not valid is passed over.
    check(
        &both,
        &[(XRAY_HEADER, "Root=1"), (TRACEPARENT_HEADER, OTHER)],
        Some((theirs, Some(false), None)),
    );
    check(&both, &[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, "x")], Some((ours, Some(true), None)));
    check(&both, &[(XRAY_HEADER, "x"), (TRACEPARENT_HEADER, "x")], None);
    check(&both, &[], None);
}

#[test]
fn a_load_balancers_own_root_does_not_end_a_w3c_trace() {
    let both = Propagator::new();
    for alb in [
        format!("Root={XRAY_ROOT}"),
        format!("Self=1-67891234-12456789abcdef012345678;Root={XRAY_ROOT}"),
    ] {
        let headers = [(XRAY_HEADER, alb.as_str()), (TRACEPARENT_HEADER, OTHER)];
        check(&both, &headers, Some(("0af76519", Some(false), None)));
        check(&both, &headers[..1], Some(("5759e988", None, None)));
    }
}

#[test]
fn w3cs_header_may_be_preferred() {
    let w3c = Propagator::new().prefer(Format::W3c);
    check(
        &w3c,
        &[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, OTHER)],
        Some(("0af76519", Some(false), None)),
    );
    check(&w3c, &[(XRAY_HEADER, XRAY)], Some(("5759e988", Some(true), None)));
    check(
        &w3c,
        &[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, "x")],
        Some(("5759e988", Some(true), None)),
    );
}

#[test]
fn tracestate_goes_with_its_own_trace() {
    let both = Propagator::new();
    let state = (TRACESTATE_HEADER, "rojo=1");
    check(
        &both,
        &[(TRACEPARENT_HEADER, OTHER), state],
        Some(("0af76519", Some(false), Some("rojo=1"))),
    );
    check(
        &both,
        &[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, TRACEPARENT), state],
        Some(("5759e988", Some(true), Some("rojo=1"))),
    );
    check(
        &both,
        &[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, OTHER), state],
        Some(("5759e988", Some(true), None)),
    );
    check(&both, &[(XRAY_HEADER, XRAY), state], Some(("5759e988", Some(true), None)));
    check(&both, &[(TRACEPARENT_HEADER, "x"), state], None);
}

#[test]
fn lineage_goes_on_whichever_trace_counts() {
    let out = passed_on(&[
        (XRAY_HEADER, &format!("{OTHER_XRAY};Lineage=1:a87bd80c:0")),
        (TRACEPARENT_HEADER, TRACEPARENT),
    ]);
    assert_eq!(out[XRAY_HEADER], format!("{XRAY};Lineage=1:a87bd80c:0"));
}

#[test]
fn of_several_headers_of_one_name() {
    let both = Propagator::new();
    // X-Ray's: the first that is valid.
    let headers =
        [("X-Amzn-Trace-Id", "x"), ("x-amzn-trace-id", XRAY), ("X-AMZN-TRACE-ID", OTHER_XRAY)];
    check(&both, &headers, Some(("5759e988", Some(true), None)));
    // W3C's: it cannot be told which.
    check(&both, &[("traceparent", TRACEPARENT), ("Traceparent", OTHER)], None);
    let headers = [("traceparent", OTHER), ("tracestate", "a=1"), ("Tracestate", "b=2")];
    check(&both, &headers, Some(("0af76519", Some(false), Some("a=1,b=2"))));
}

#[test]
fn what_is_not_valid_is_counted() {
    for headers in [
        [(XRAY_HEADER, "Root=1")].as_slice(),
        &[(TRACEPARENT_HEADER, "00-x")],
        &[(TRACEPARENT_HEADER, TRACEPARENT), (TRACEPARENT_HEADER, TRACEPARENT)],
        &[(TRACEPARENT_HEADER, TRACEPARENT), (TRACESTATE_HEADER, "ü")],
        &[(XRAY_HEADER, "Root=1-5759e988-bd862e3fe1be46a994272793;x y=1")],
        &[(BAGGAGE_HEADER, "no member")],
    ] {
        check_counted(Event::HeaderRefused, 1, || drop(extract(headers)));
    }
}
