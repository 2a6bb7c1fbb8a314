//! W3C trace context: `traceparent`, read and written, and `tracestate`, passed on.
//!
//! `traceparent: 00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01`

use obs_core::ids::{SpanId, TraceId, TraceParent};

/// The most bytes of a `tracestate` that are passed on: what the recommendation asks for at least.
pub(super) const MAX_TRACE_STATE: usize = 512;
/// The most members that a `tracestate` may have.
const MAX_TRACE_STATE_MEMBERS: usize = 32;
/// A member that is longer goes first where there is too much.
const LONG_TRACE_STATE_MEMBER: usize = 128;

/// The bit of `trace-flags` that says that the caller may have recorded the trace.
const SAMPLED: u8 = 0x01;

/// Reads the value of a `traceparent` header. A trace id is the same 128 bits in both forms, so that
/// a W3C trace is continued in X-Ray and the other way round.
///
/// `None` for what the recommendation calls invalid: version `ff`, ids of zeros, upper-case digits,
/// another length than 55 (in version `00`). Of a later version the known part is read. Of the flags
/// only `sampled` counts; the others are not carried on.
///
/// ```
/// use obs_tracing::propagation;
///
/// let parent = propagation::parse_traceparent("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01").unwrap();
/// assert_eq!(parent.trace_id.xray().to_string(), "1-5759e988-bd862e3fe1be46a994272793");
/// assert_eq!(parent.sampled, Some(true));
/// ```
pub fn parse_traceparent(header: &str) -> Option<TraceParent> {
    let header = header.trim_matches([' ', '\t']);
    // By bytes, and of these only as many as count: an offset may lie within a character.
    let bytes = header.as_bytes();
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let field = |from: usize, to: usize| {
        let field = bytes.get(from..to).filter(|field| field.iter().all(is_digit))?;
        std::str::from_utf8(field).ok()
    };
    let version = field(0, 2)?;
    if ![2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-')) {
        return None;
    }
    let is_whole = match version {
        "ff" => false,
        "00" => bytes.len() == 55,
        _ => bytes.get(55).is_none_or(|next| *next == b'-'),
    };
    if !is_whole {
        return None;
    }
    let flags = u8::from_str_radix(field(53, 55)?, 16).ok()?;
    Some(TraceParent {
        trace_id: TraceId::from_hex(field(3, 35)?)?,
        parent_id: Some(SpanId::from_hex(field(36, 52)?)?),
        sampled: Some(flags & SAMPLED == SAMPLED),
    })
}

/// The `traceparent` header that says the same. `None` without a span or a decision, neither of which
/// the header can leave out.
pub(super) fn traceparent(parent: TraceParent) -> Option<String> {
    let (parent_id, sampled) = (parent.parent_id?, parent.sampled?);
    Some(format!("00-{}-{parent_id}-{:02x}", parent.trace_id, u8::from(sampled)))
}

/// Reads `tracestate`, of one or several headers: as it is, up to its limits. Beyond these, whole
/// members go: those longer than 128 bytes first, then the last ones. `None` where a value is no header
/// text.
pub(super) fn trace_state(values: &[&str]) -> Option<String> {
    if values.iter().any(|value| !value.bytes().all(is_text)) {
        return None;
    }
    let members = || values.iter().flat_map(|value| value.split(',')).map(|member| member.trim());
    let present = || members().filter(|member| !member.is_empty());
    let total: usize = present().map(|member| member.len() + 1).sum();
    let is_too_long = total > MAX_TRACE_STATE + 1;
    let mut kept = String::new();
    let room = |kept: &String, member: &str| kept.len() + 1 + member.len() <= MAX_TRACE_STATE;
    let short = present().filter(|member| !is_too_long || member.len() <= LONG_TRACE_STATE_MEMBER);
    for member in short.take(MAX_TRACE_STATE_MEMBERS) {
        if kept.is_empty() {
            kept.push_str(member);
        } else if room(&kept, member) {
            kept.push(',');
            kept.push_str(member);
        } else {
            // Not the next that would fit: the order says who was there last.
            break;
        }
    }
    Some(kept)
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~')
}
