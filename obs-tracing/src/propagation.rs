//! The X-Ray trace header: read from what comes in, written to what goes out.
//!
//! `x-amzn-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`
//!
//! ```
//! use std::collections::HashMap;
//! use obs_core::context::{InContextExt, RequestContext};
//! use obs_tracing::propagation;
//!
//! let headers = HashMap::from([(
//!     "X-Amzn-Trace-Id".to_owned(),
//!     "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
//! )]);
//! let caller = propagation::extract(&headers);
//! assert_eq!(caller.trace().unwrap().sampled, Some(true));
//!
//! // The first span below this context continues the caller's trace.
//! let _entered = caller.request_context().enter();
//! let mut outgoing = HashMap::new();
//! propagation::inject(&mut outgoing);
//! assert!(outgoing["x-amzn-trace-id"].starts_with("Root=1-5759e988-bd862e3fe1be46a994272793;"));
//! ```

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use obs_core::RequestContext;
use obs_core::ids::{self, SpanId, TraceId, TraceParent};
use opentelemetry::trace::TraceFlags;
use opentelemetry_aws::trace::xray_propagator::span_context_from_str;

/// The header's name, in lower case.
pub const XRAY_HEADER: &str = "x-amzn-trace-id";

/// opentelemetry-aws' own flag for "the decision is left open": `Sampled=?`, or no `Sampled` at all.
const DEFERRED: TraceFlags = TraceFlags::new(0x02);

/// Something that headers are read from. Names are compared without regard to case.
pub trait Extractor {
    /// The value of the header `name`, which is given in lower case.
    fn get(&self, name: &str) -> Option<&str>;
}

/// Something that headers are written to.
pub trait Injector {
    /// Sets the header `name`, which is given in lower case.
    fn set(&mut self, name: &str, value: String);
}

/// What the caller of this request sent along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "the caller's trace is continued in `request_context`, or not at all"]
pub struct Extracted {
    trace: Option<TraceParent>,
}

impl Extracted {
    /// The caller's trace, if there was a header and it could be read.
    pub const fn trace(&self) -> Option<TraceParent> {
        self.trace
    }

    /// A request context that continues the caller's trace. To say more about the request, build
    /// one with [`RequestContext::builder`] and give it [`Extracted::trace`].
    pub fn request_context(&self) -> RequestContext {
        let builder = RequestContext::builder();
        match self.trace {
            Some(parent) => builder.trace(parent).build(),
            None => builder.build(),
        }
    }
}

/// Reads the trace header out of `headers`. Without one, or with one that is not valid, what comes
/// back is empty, and a new trace begins.
pub fn extract<H: Extractor + ?Sized>(headers: &H) -> Extracted {
    Extracted { trace: headers.get(XRAY_HEADER).and_then(parse) }
}

/// Writes the trace header of the current span into `headers`; without a span, that of the request
/// (which is passed on as it came); without either, nothing.
pub fn inject<H: Injector + ?Sized>(headers: &mut H) {
    if let Some(value) = current_header() {
        headers.set(XRAY_HEADER, value);
    }
}

/// Reads the value of a trace header, as in `x-amzn-trace-id` or `_X_AMZN_TRACE_ID`.
///
/// Fields that are not known (`Self`, `Lineage`) are passed over. `None` without a valid `Root`; a
/// `Parent` that is not valid counts as absent, any `Sampled` but `0` and `1` as undecided.
///
/// ```
/// use obs_tracing::propagation;
///
/// let parent = propagation::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?").unwrap();
/// assert_eq!(parent.trace_id.to_string(), "5759e988bd862e3fe1be46a994272793");
/// assert_eq!((parent.parent_id, parent.sampled), (None, None));
/// ```
pub fn parse(header: &str) -> Option<TraceParent> {
    // The propagator gives the whole header up for one field that it cannot keep, and takes trace
    // ids of any shape: so it gets the three fields that count, and the id is checked here.
    let mut fields = [None; 3];
    for part in header.split(';') {
        let Some((key, value)) = part.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        let known = ["Root", "Parent", "Sampled"].iter().position(|name| key == *name);
        if let Some(slot) = known.and_then(|index| fields.get_mut(index)) {
            *slot = Some(value);
        }
    }
    let [root, parent, sampled] = fields;
    let trace_id = TraceId::from_xray(root?)?;
    let mut wanted = format!("Root={}", trace_id.xray());
    for (name, value) in [("Parent", parent), ("Sampled", sampled)] {
        if let Some(value) = value {
            wanted.push_str(&format!(";{name}={value}"));
        }
    }
    let context = span_context_from_str(&wanted)?;
    Some(TraceParent {
        trace_id,
        // A shorter id than X-Ray's would be taken as if it began with zeros.
        parent_id: parent
            .and_then(SpanId::from_hex)
            .filter(|id| id.to_u64().to_be_bytes() == context.span_id().to_bytes()),
        sampled: match context.trace_flags() {
            flags if flags & DEFERRED == DEFERRED => None,
            flags => Some(flags.is_sampled()),
        },
    })
}

/// The trace header of the current span, or of the request; see [`inject`].
pub fn current_header() -> Option<String> {
    if let Some(ids) = ids::current_ids() {
        return Some(ids.xray_header().to_string());
    }
    let parent = RequestContext::with_current(|context| context.and_then(RequestContext::trace))?;
    Some(parent.xray_header().to_string())
}

fn find<'a>(mut headers: impl Iterator<Item = (&'a str, &'a str)>, name: &str) -> Option<&'a str> {
    headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl<S: BuildHasher> Extractor for HashMap<String, String, S> {
    fn get(&self, name: &str) -> Option<&str> {
        let exact = HashMap::get(self, name).map(String::as_str);
        exact.or_else(|| find(self.iter().map(|(key, value)| (key.as_str(), value.as_str())), name))
    }
}

impl<S: BuildHasher> Injector for HashMap<String, String, S> {
    fn set(&mut self, name: &str, value: String) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value);
    }
}

impl Extractor for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<&str> {
        find(self.iter().map(|(key, value)| (key.as_str(), value.as_str())), name)
    }
}

impl Injector for BTreeMap<String, String> {
    fn set(&mut self, name: &str, value: String) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value);
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Extractor for [(K, V)] {
    fn get(&self, name: &str) -> Option<&str> {
        find(self.iter().map(|(key, value)| (key.as_ref(), value.as_ref())), name)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Extractor for Vec<(K, V)> {
    fn get(&self, name: &str) -> Option<&str> {
        Extractor::get(self.as_slice(), name)
    }
}

impl Injector for Vec<(String, String)> {
    fn set(&mut self, name: &str, value: String) {
        self.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.push((name.to_owned(), value));
    }
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

    #[test]
    fn a_request_without_spans_passes_its_header_on() {
        for text in [
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
            format!("Root={ROOT};Parent=53995c3f42cd8ad8"),
            format!("Root={ROOT};Sampled=0"),
            format!("Root={ROOT}"),
        ] {
            let headers = vec![("X-Amzn-Trace-Id", text.as_str())];
            let _entered = extract(&headers).request_context().enter();
            let mut out = BTreeMap::from([("X-AMZN-TRACE-ID".to_owned(), "old".to_owned())]);
            inject(&mut out);
            assert_eq!(out, BTreeMap::from([(XRAY_HEADER.to_owned(), text)]));
        }
    }

    #[test]
    fn without_a_trace_nothing_is_written() {
        let mut out = HashMap::new();
        inject(&mut out);
        assert!(out.is_empty());
        assert_eq!(extract(&out), Extracted::default());
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
