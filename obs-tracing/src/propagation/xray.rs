//! X-Ray's trace header.
//!
//! `x-amzn-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`

use std::fmt::Write as _;

use obs_core::health::{self, Event};
use obs_core::ids::{SpanId, TraceId, TraceParent};
use opentelemetry::trace::TraceFlags;
use opentelemetry_aws::trace::xray_propagator::span_context_from_str;

/// The most bytes of fields that are not ours: so a header has less than 500, which is what
/// EventBridge takes (`PutEventsRequestEntry`, `TraceHeader`).
const MAX_FIELDS: usize = 400;

/// opentelemetry-aws' own flag for "the decision is left open": `Sampled=?`, or no `Sampled` at all.
const DEFERRED: TraceFlags = TraceFlags::new(0x02);

/// What an X-Ray trace header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct XRayHeader {
    pub(super) parent: TraceParent,
    /// `Sampled=?`: the caller leaves the decision to us, and wants to know it.
    pub(super) asks: bool,
    /// What else is in it and goes on with the trace (`Lineage`, an application's own), each field
    /// with a `;` before it.
    pub(super) fields: String,
}

/// Reads the value of an X-Ray trace header, as in `x-amzn-trace-id` or `_X_AMZN_TRACE_ID`.
///
/// `None` without a valid `Root`; a `Parent` that is not valid counts as absent, any `Sampled` but `0`
/// and `1` as undecided. Other fields are passed over; [`extract`](super::extract) keeps them.
///
/// ```
/// use obs_tracing::propagation;
///
/// let parent = propagation::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?").unwrap();
/// assert_eq!(parent.trace_id.to_string(), "5759e988bd862e3fe1be46a994272793");
/// assert_eq!((parent.parent_id, parent.sampled), (None, None));
/// ```
pub fn parse(header: &str) -> Option<TraceParent> {
    Some(Fields::of(header).parent()?.0)
}

/// As [`parse`], with all that the header says.
pub(super) fn parse_whole(header: &str) -> Option<XRayHeader> {
    let fields = Fields::of(header);
    let (parent, asks) = fields.parent()?;
    Some(XRayHeader { parent, asks, fields: fields.others() })
}

/// A header's fields, as texts.
struct Fields<'h> {
    header: &'h str,
    root: Option<&'h str>,
    parent: Option<&'h str>,
    sampled: Option<&'h str>,
}

impl<'h> Fields<'h> {
    fn of(header: &'h str) -> Self {
        let mut fields = Self { header, root: None, parent: None, sampled: None };
        for (key, value) in pairs(header) {
            match key {
                "Root" => fields.root = Some(value),
                "Parent" => fields.parent = Some(value),
                "Sampled" => fields.sampled = Some(value),
                _ => {}
            }
        }
        fields
    }

    /// The caller's trace, and whether the caller asks for our decision.
    fn parent(&self) -> Option<(TraceParent, bool)> {
        // The propagator gives the whole header up for one field that it cannot keep, and takes trace
        // ids of any shape: so it gets the three fields that count, and the id is checked here.
        let trace_id = TraceId::from_xray(self.root?)?;
        let mut wanted = format!("Root={}", trace_id.xray());
        for (name, value) in [("Parent", self.parent), ("Sampled", self.sampled)] {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = write!(wanted, ";{name}={value}");
            }
        }
        let context = span_context_from_str(&wanted)?;
        let parent = TraceParent {
            trace_id,
            // A shorter id than X-Ray's would be taken as if it began with zeros.
            parent_id: self
                .parent
                .and_then(SpanId::from_hex)
                .filter(|id| id.to_u64().to_be_bytes() == context.span_id().to_bytes()),
            sampled: match context.trace_flags() {
                flags if flags & DEFERRED == DEFERRED => None,
                flags => Some(flags.is_sampled()),
            },
        };
        Some((parent, self.sampled == Some("?")))
    }

    /// The fields that are carried on. `Self` is not among them: it names the load balancer's own
    /// hop, and the next one sets its own.
    fn others(&self) -> String {
        let mut others = String::new();
        for (key, value) in pairs(self.header) {
            if matches!(key, "Root" | "Parent" | "Sampled" | "Self") {
                continue;
            }
            if !is_name(key) || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                health::count(Event::HeaderRefused);
            } else if others.len() + key.len() + value.len() + 2 > MAX_FIELDS {
                health::count(Event::LimitExceeded);
            } else {
                let _ = write!(others, ";{key}={value}");
            }
        }
        others
    }
}

fn pairs(header: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = header.split(';').filter_map(|field| field.split_once('='));
    pairs.map(|(key, value)| (key.trim(), value.trim()))
}

fn is_name(key: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !key.is_empty() && key.bytes().all(is_allowed)
}

/// The header that goes on with `parent`'s trace. `asks`: the decision is left open, and asked for.
pub(super) fn header(parent: TraceParent, asks: bool, fields: &str) -> String {
    // Enough for the three fields, so that it does not grow piece by piece.
    let mut header = String::with_capacity(80 + fields.len());
    let _ = write!(header, "{}", parent.xray_header());
    if asks && parent.sampled.is_none() {
        header.push_str(";Sampled=?");
    }
    header.push_str(fields);
    header
}

/// The header of a response: which trace it was and, where the caller asked, whether it is sampled.
pub(super) fn response_header(trace_id: TraceId, answer: Option<bool>) -> String {
    TraceParent { trace_id, parent_id: None, sampled: answer }.xray_header().to_string()
}
#[cfg(test)]
mod tests {
    use obs_core::ids::SpanIds;
    use opentelemetry::trace::{SpanContext, TraceState};
    use opentelemetry_aws::trace::xray_propagator::span_context_to_string;

    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    fn check(header: &str, expected: Option<(Option<&str>, Option<bool>)>) {
        let expected = expected.map(|(parent, sampled)| TraceParent {
            trace_id: TraceId::from_xray(ROOT).unwrap(),
            parent_id: parent.map(|id| SpanId::from_hex(id).unwrap()),
            sampled,
        });
        assert_eq!(parse(header), expected, "{header:?}");
    }

    #[test]
    fn headers_are_read() {
        const PARENT: &str = "53995c3f42cd8ad8";
        let full = Some((Some(PARENT), Some(true)));
        check(&format!("Root={ROOT};Parent={PARENT};Sampled=1"), full);
        check(&format!("Sampled=1;Root={ROOT};Parent={PARENT}"), full);
        check(&format!(" Root={ROOT}; Parent={PARENT}; Sampled=1 "), full);
        check(&format!("Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a87bd80c:0"), full);
        check(
            &format!(
                "Self=1-67891234-12456789abcdef012345678;Root={ROOT};Parent={PARENT};Sampled=1"
            ),
            full,
        );
        check(&format!("Root={ROOT};Parent={PARENT};Sampled=1;weird=ü,=;x y=1"), full);
        check(&format!("Root={ROOT};Parent={PARENT};Sampled=0"), Some((Some(PARENT), Some(false))));
        check(&format!("Root={ROOT};Parent={PARENT};Sampled=?"), Some((Some(PARENT), None)));
        check(&format!("Root={ROOT};Parent={PARENT}"), Some((Some(PARENT), None)));
        check(&format!("Root={ROOT}"), Some((None, None)));
        check(&format!(";Root={ROOT};junk;"), Some((None, None)));
        check(&format!("Root={ROOT};Parent=garbage;Sampled=yes"), Some((None, None)));
        check(&format!("Root={ROOT};Parent=8ad8"), Some((None, None)));
        check(&format!("Root={ROOT};Parent=0000000000000000"), Some((None, None)));
    }

    #[test]
    fn what_is_no_header_is_none() {
        for header in [
            "",
            ";",
            "Root",
            "Sampled=1",
            "Root=",
            "Root=1-bogus-bad",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-00000000-000000000000000000000000",
            "Root=5759e988bd862e3fe1be46a994272793",
        ] {
            check(header, None);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for sampled in [true, false] {
            let ids =
                SpanIds { trace_id: TraceId::generate(), span_id: SpanId::generate(), sampled };
            let header = ids.xray_header().to_string();
            assert_eq!(parse(&header), Some(ids.into()));
            // And it is what the propagator would have written.
            let context = SpanContext::new(
                ids.trace_id.to_u128().into(),
                ids.span_id.to_u64().into(),
                if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED },
                false,
                TraceState::NONE,
            );
            assert_eq!(span_context_to_string(&context), Some(header));
        }
    }

    fn check_whole(header: &str, asks: bool, fields: &str) {
        let whole = parse_whole(header).unwrap();
        assert_eq!((whole.asks, whole.fields.as_str()), (asks, fields), "{header:?}");
    }

    #[test]
    fn other_fields_are_kept_but_for_the_load_balancers_own() {
        const SELF: &str = "Self=1-67891234-12456789abcdef012345678";
        check_whole(&format!("Root={ROOT};Lineage=1:a87bd80c:0"), false, ";Lineage=1:a87bd80c:0");
        check_whole(
            &format!("Root={ROOT};Lineage=a87bd80c:1|68fd508a:5"),
            false,
            ";Lineage=a87bd80c:1|68fd508a:5",
        );
        check_whole(
            &format!("{SELF};Root={ROOT};CalledFrom=app;Sampled=?"),
            true,
            ";CalledFrom=app",
        );
        check_whole(&format!("Root={ROOT};{SELF}"), false, "");
        check_whole(&format!("Root={ROOT}; Parent=53995c3f42cd8ad8 ;Sampled = ?"), true, "");
        check_whole(&format!("Root={ROOT};a=b=c;empty="), false, ";a=b=c;empty=");
        // What could end the header, or begin another, is not carried on.
        check_whole(&format!("Root={ROOT};a=x\r\nb;x y=1;=1;ü=1;a=ü;ok=1"), false, ";ok=1");
    }

    #[test]
    fn other_fields_have_a_limit() {
        let header =
            (0..1_000).fold(format!("Root={ROOT}"), |header, n| format!("{header};f{n}=12345678"));
        let whole = parse_whole(&header).unwrap();
        assert!(whole.fields.len() <= MAX_FIELDS && whole.fields.len() > MAX_FIELDS - 20);
        assert!(whole.fields.starts_with(";f0=12345678;f1="));
        let longest = super::header(
            TraceParent {
                parent_id: Some(SpanId::generate()),
                sampled: Some(true),
                ..whole.parent
            },
            true,
            &whole.fields,
        );
        assert!(longest.len() < 500, "{}", longest.len());
    }

    #[test]
    fn a_question_is_asked_on_until_it_is_decided() {
        let open = parse(&format!("Root={ROOT}")).unwrap();
        let decided = TraceParent { sampled: Some(false), ..open };
        assert_eq!(header(open, true, ""), format!("Root={ROOT};Sampled=?"));
        assert_eq!(header(open, false, ";a=1"), format!("Root={ROOT};a=1"));
        assert_eq!(header(decided, true, ""), format!("Root={ROOT};Sampled=0"));
        assert_eq!(response_header(open.trace_id, None), format!("Root={ROOT}"));
        assert_eq!(response_header(open.trace_id, Some(true)), format!("Root={ROOT};Sampled=1"));
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(header in "\\PC{0,200}") {
            let _ = parse(&header);
        }

        #[test]
        fn no_header_with_known_fields_panics(
            root in "[0-9a-f\\-]{0,40}",
            parent in "[0-9a-f+\\-]{0,20}",
            sampled in "\\PC{0,3}",
        ) {
            let _ = parse(&format!("Root={root};Parent={parent};Sampled={sampled}"));
        }
    }
}
