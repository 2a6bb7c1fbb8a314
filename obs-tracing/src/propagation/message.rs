//! Messages of SQS and SNS: the trace travels in their attributes.
//!
//! No type of an AWS SDK is needed: what is sent is a list of names, types and values, and what is
//! received is a list of names and values.

use std::fmt;

use super::carrier::Extractor;
use super::propagator::Propagator;
use super::{BAGGAGE_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, XRAY_HEADER};

/// The message system attribute of SQS that holds X-Ray's header.
pub const AWS_TRACE_HEADER: &str = "AWSTraceHeader";

/// One attribute of a message, as SQS and SNS have them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// The attribute's name.
    pub name: &'static str,
    /// The attribute's type: `String`.
    pub data_type: &'static str,
    /// The attribute's value, never empty.
    pub value: String,
}

impl Attribute {
    fn new(name: &'static str, value: String) -> Self {
        Self { name, data_type: "String", value }
    }
}

/// What a message to SQS carries of the current trace; see [`sqs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "what is not put on the message is not sent"]
pub struct SqsAttributes {
    /// The system attribute `AWSTraceHeader`: counts neither as an attribute nor for the message's size.
    pub system: Option<Attribute>,
    /// `traceparent`, `baggage` and `tracestate`, the most important first, as far as there are any.
    pub attributes: Vec<Attribute>,
}

/// The attributes of a message to SQS that is sent here and now.
///
/// A message has at most ten attributes, of which these take up to three: an application with many of its
/// own calls `attributes.truncate(n)`.
///
/// ```
/// # mod aws_sdk_sqs { pub mod types {
/// #     #[derive(Default)] pub struct MessageAttributeValue(pub Option<String>);
/// #     impl MessageAttributeValue {
/// #         pub fn builder() -> Self { Self::default() }
/// #         pub fn data_type(self, _: impl Into<String>) -> Self { self }
/// #         pub fn string_value(self, value: impl Into<String>) -> Self { Self(Some(value.into())) }
/// #         pub fn build(self) -> Result<Self, std::fmt::Error> { Ok(self) }
/// #     }
/// #     pub use MessageAttributeValue as MessageSystemAttributeValue;
/// #     pub enum MessageSystemAttributeNameForSends { AwsTraceHeader }
/// # }
/// # #[derive(Default)] pub struct SendMessage(pub Vec<(String, String)>);
/// # impl SendMessage {
/// #     pub fn message_attributes(mut self, name: impl Into<String>, value: types::MessageAttributeValue) -> Self {
/// #         self.0.push((name.into(), value.0.unwrap())); self
/// #     }
/// #     pub fn message_system_attributes(mut self, _: types::MessageSystemAttributeNameForSends, value: types::MessageSystemAttributeValue) -> Self {
/// #         self.0.push(("AWSTraceHeader".into(), value.0.unwrap())); self
/// #     }
/// # }}
/// use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeValue, MessageSystemAttributeNameForSends};
/// use obs_tracing::propagation::{self, message};
/// # let caller = propagation::extract(&[("traceparent", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")]);
/// # let _entered = caller.request_context().enter();
/// # let mut send = aws_sdk_sqs::SendMessage::default();
///
/// // let mut send = client.send_message().queue_url(url).message_body(body);
/// let trace = message::sqs();
/// for it in trace.attributes {
///     send = send.message_attributes(it.name, MessageAttributeValue::builder().data_type(it.data_type).string_value(it.value).build()?);
/// }
/// if let Some(it) = trace.system {
///     let value = MessageSystemAttributeValue::builder().data_type(it.data_type).string_value(it.value).build()?;
///     send = send.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, value);
/// }
/// # assert_eq!(send.0[0].0, "traceparent");
/// # assert_eq!(send.0[1].1, "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
/// # Ok::<(), std::fmt::Error>(())
/// ```
pub fn sqs() -> SqsAttributes {
    let outgoing = Propagator::current().outgoing();
    let (xray, traceparent, tracestate) = match outgoing.trace {
        Some(trace) => (Some(trace.xray), trace.traceparent, trace.tracestate),
        None => (None, None, None),
    };
    let attributes = [
        (TRACEPARENT_HEADER, traceparent),
        (BAGGAGE_HEADER, outgoing.baggage),
        (TRACESTATE_HEADER, tracestate),
    ];
    SqsAttributes {
        system: xray.map(|header| Attribute::new(AWS_TRACE_HEADER, header)),
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some(Attribute::new(name, value?)))
            .collect(),
    }
}

/// The attributes of a message to SNS that is published here and now: `x-amzn-trace-id`, `traceparent`,
/// `baggage` and `tracestate`, the most important first, as far as there are any.
///
/// A subscription that delivers raw messages to SQS discards one with more than ten attributes: an
/// application with many of its own calls `truncate(n)`. They are set as [those of SQS](sqs) are.
///
/// ```
/// use obs_tracing::propagation::{self, message};
///
/// let caller = propagation::extract(&[("traceparent", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")]);
/// let _entered = caller.request_context().enter();
/// let names: Vec<_> = message::sns().into_iter().map(|attribute| attribute.name).collect();
/// assert_eq!(names, ["x-amzn-trace-id", "traceparent"]);
/// ```
pub fn sns() -> Vec<Attribute> {
    let SqsAttributes { system, attributes } = sqs();
    let xray = system.map(|header| Attribute::new(XRAY_HEADER, header.value));
    xray.into_iter().chain(attributes).collect()
}

/// What a message brought: collected from the names and values of its system attributes and its
/// attributes, in any order. Others than ours are left out. Each message of a batch has a trace of its own:
/// it is handled in its own context.
///
/// `AWSTraceHeader` comes before an attribute `x-amzn-trace-id`: the services on the way keep it up to date.
///
/// ```
/// # use std::collections::HashMap;
/// # struct MessageAttribute { string_value: Option<String> }
/// # struct SqsMessage { attributes: HashMap<String, String>, message_attributes: HashMap<String, MessageAttribute> }
/// # let record = SqsMessage {
/// #     attributes: HashMap::from([("AWSTraceHeader".into(), "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".into())]),
/// #     message_attributes: HashMap::from([("baggage".into(), MessageAttribute { string_value: Some("tenant=acme".into()) })]),
/// # };
/// use obs_tracing::propagation::{self, message::Received};
///
/// // A record of a Lambda function's SQS event. A message of the SDK, and one of SNS, is read the same way.
/// let system = record.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
/// let own = record.message_attributes.iter().filter_map(|(name, it)| Some((name.as_str(), it.string_value.as_deref()?)));
/// let caller = propagation::extract(&system.chain(own).collect::<Received<'_>>());
///
/// assert_eq!(caller.trace().unwrap().sampled, Some(true));
/// assert_eq!(caller.baggage().get("tenant"), Some("acme"));
/// // handle(record).in_context(caller.request_context()).await
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Received<'m> {
    /// The name that is asked for, and the value.
    headers: Vec<(&'static str, &'m str)>,
}

impl<'m> FromIterator<(&'m str, &'m str)> for Received<'m> {
    fn from_iter<I: IntoIterator<Item = (&'m str, &'m str)>>(attributes: I) -> Self {
        const NAMES: [(&str, &str); 5] = [
            (AWS_TRACE_HEADER, XRAY_HEADER),
            (XRAY_HEADER, XRAY_HEADER),
            (TRACEPARENT_HEADER, TRACEPARENT_HEADER),
            (TRACESTATE_HEADER, TRACESTATE_HEADER),
            (BAGGAGE_HEADER, BAGGAGE_HEADER),
        ];
        let mut headers: Vec<_> = attributes
            .into_iter()
            .filter_map(|(attribute, value)| {
                let mut known = NAMES.iter().enumerate();
                let (rank, (_, header)) =
                    known.find(|(_, (name, _))| name.eq_ignore_ascii_case(attribute))?;
                Some((rank, *header, value))
            })
            .collect();
        headers.sort_by_key(|(rank, ..)| *rank);
        Self { headers: headers.into_iter().map(|(_, name, value)| (name, value)).collect() }
    }
}

impl fmt::Debug for Received<'_> {
    /// The names alone: baggage may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.headers.iter().map(|(name, _)| name)).finish()
    }
}

impl Extractor for Received<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        Extractor::get(&self.headers, name)
    }

    fn get_all(&self, name: &str) -> Vec<&str> {
        Extractor::get_all(&self.headers, name)
    }
}
