//! What a request in OTLP must be, read by another's decoder.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";

/// The request in a datagram, checked.
pub(crate) fn of_datagram(datagram: &[u8]) -> Request {
    assert!(datagram.len() <= 65_507, "{} bytes", datagram.len());
    let text = datagram.strip_prefix(HEADER).unwrap().strip_prefix(b"T1S").unwrap();
    let protobuf = base64(text);
    assert!(protobuf.len() <= 49_104, "{} bytes", protobuf.len());
    of_protobuf(&protobuf)
}

/// The request in these bytes, checked.
pub(crate) fn of_protobuf(protobuf: &[u8]) -> Request {
    let mut request = ExportTraceServiceRequest::decode(protobuf).unwrap();
    let mut from = request.resource_spans.pop().unwrap();
    assert!(request.resource_spans.is_empty());
    let resource = attributes(&from.resource.unwrap().attributes);
    let scope = from.scope_spans.pop().unwrap();
    assert!(from.scope_spans.is_empty() && !scope.spans.is_empty());
    assert_eq!(scope.scope.unwrap().name, "obs-tracing");
    for span in &scope.spans {
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        assert!(matches!(span.parent_span_id.len(), 0 | 8));
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        assert!(span.start_time_unix_nano > 1_500_000_000_000_000_000);
        assert_eq!(span.flags & 1, 1, "a span that is not sampled");
    }
    Request { resource, spans: scope.spans }
}

/// What a request holds.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) resource: BTreeMap<String, Any>,
    pub(crate) spans: Vec<Span>,
}

/// Attributes by their keys, none of which stands twice.
pub(crate) fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, Any> {
    let mut attributes = BTreeMap::new();
    for pair in pairs {
        let value = pair.value.clone().unwrap().value.unwrap();
        assert!(attributes.insert(pair.key.clone(), value).is_none(), "{} twice", pair.key);
    }
    attributes
}

/// A text, as an attribute has it.
pub(crate) fn text(text: &str) -> Any {
    Any::StringValue(text.to_owned())
}

fn base64(text: &[u8]) -> Vec<u8> {
    assert_eq!(text.len() % 4, 0, "not padded");
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is no digit of base64"),
    };
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let mut bits = 0_u32;
    let mut out = Vec::new();
    for (at, byte) in text[..text.len() - padding].iter().enumerate() {
        bits = bits << 6 | u32::from(digit(*byte));
        if at % 4 > 0 {
            out.push((bits >> (6 - 2 * (at % 4))).to_le_bytes()[0]);
        }
    }
    out
}
