//! An alert as the application describes it.

use std::fmt;

use serde_json::{Map, Value};

use crate::Severity;
use crate::trim;

/// Something that someone should know about, before it is published.
///
/// What can be too long for its place is cut there and then, so that
/// [`publish`](crate::AlertPublisher::publish) has nothing left to refuse; what was cut stands in
/// the event's `truncated`.
///
/// ```
/// use obs_alerts::{Alert, Severity};
///
/// let alert = Alert::new(Severity::High, "Payment processing failed")
///     .detail_type("Business Alert")
///     .attribute("order_id", 4711)
///     .attribute("retries", vec![1, 2, 3])
///     .metric("PaymentFailures", 17.0)
///     .runbook("payment-failures")
///     .owner("payments");
/// assert_eq!(alert.severity(), Severity::High);
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "an alert does nothing until it is published"]
pub struct Alert {
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) detail_type: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) metric: Option<(String, f64)>,
    pub(crate) runbook: Option<String>,
    pub(crate) dashboard: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) truncated: Vec<String>,
}

impl Alert {
    /// The longest detail type: 128 characters (EventBridge, `PutEventsRequestEntry`).
    pub const MAX_DETAIL_TYPE: usize = 128;
    /// The longest attribute name, metric name, owner and fingerprint, in characters.
    pub const MAX_NAME: usize = 256;
    /// The longest runbook and dashboard link, in characters.
    pub const MAX_LINK: usize = 2048;
    /// How deep an attribute's arrays and objects may nest; what is deeper is left out, and marked.
    pub const MAX_DEPTH: usize = 32;

    /// An alert that says `message`.
    ///
    /// Keep the message free of ids and amounts and put them into attributes: consumers group by it.
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
            detail_type: None,
            source: None,
            attributes: Map::new(),
            metric: None,
            runbook: None,
            dashboard: None,
            owner: None,
            fingerprint: None,
            truncated: Vec::new(),
        }
    }

    /// What kind of alert it is: the event's `detail-type`, by which rules pick alerts.
    ///
    /// Default: the publisher's, which is `Alert` unless it was told otherwise. At most
    /// [`Alert::MAX_DETAIL_TYPE`] characters are kept.
    pub fn detail_type(mut self, detail_type: impl Into<String>) -> Self {
        self.detail_type = self.kept("detail_type", detail_type, Self::MAX_DETAIL_TYPE);
        self
    }

    /// The event's `source` for this alert alone, instead of the publisher's.
    ///
    /// What [`AlertPublisherBuilder::source`](crate::AlertPublisherBuilder::source) would refuse is
    /// counted as `name_refused` and the publisher's source is used.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Something to know about what happened; a second value of the same name replaces the first.
    ///
    /// Anything that [`Value`] can be made from: numbers, text, booleans, lists, and `json!`. A name
    /// that says that it holds a secret (`password`, `token`, …; also inside objects) keeps its name
    /// and loses its value when it is published. NaN and infinities become `null`.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let Some(name) = self.kept("attributes", name, Self::MAX_NAME) else {
            return self;
        };
        let mut value = value.into();
        if trim::cut_depth(&mut value, Self::MAX_DEPTH) {
            self.mark(format!("attributes.{name}"));
        }
        self.attributes.insert(name, value);
        self
    }

    /// The metric that is out of bounds, and its value. A value that is not finite is left out.
    pub fn metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metric = self.kept("metric", name, Self::MAX_NAME).map(|name| (name, value));
        self
    }

    /// Where it says what to do: a link, or a name that the consumer knows a link for.
    pub fn runbook(mut self, runbook: impl Into<String>) -> Self {
        self.runbook = self.kept("runbook", runbook, Self::MAX_LINK);
        self
    }

    /// A link to the dashboard that shows what is going on.
    pub fn dashboard(mut self, dashboard: impl Into<String>) -> Self {
        self.dashboard = self.kept("dashboard", dashboard, Self::MAX_LINK);
        self
    }

    /// The team or person whose alert it is.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = self.kept("owner", owner, Self::MAX_NAME);
        self
    }

    /// What the alert is about, in a form that stays the same each time it happens: consumers that
    /// group, acknowledge or resolve use it as their key.
    pub fn fingerprint(mut self, fingerprint: impl Into<String>) -> Self {
        self.fingerprint = self.kept("fingerprint", fingerprint, Self::MAX_NAME);
        self
    }

    /// How urgent it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// About how many bytes it takes in memory: what it is charged for in the queue.
    pub(crate) fn weight(&self) -> usize {
        let texts = [
            &self.detail_type,
            &self.source,
            &self.runbook,
            &self.dashboard,
            &self.owner,
            &self.fingerprint,
        ];
        size_of::<Self>()
            + self.message.len()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
            + self.metric.as_ref().map_or(0, |(name, _)| name.len())
            + self
                .attributes
                .iter()
                .map(|(name, value)| name.len() + weight_of(value))
                .sum::<usize>()
    }

    /// `text` without blanks around it and of at most `limit` characters; `None` when it is blank.
    fn kept(&mut self, field: &str, text: impl Into<String>, limit: usize) -> Option<String> {
        let text = text.into();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return None;
        }
        match trimmed.char_indices().nth(limit) {
            Some((end, _)) => {
                self.mark(field.to_owned());
                Some(trimmed[..end].to_owned())
            }
            None if trimmed.len() == text.len() => Some(text),
            None => Some(trimmed.to_owned()),
        }
    }

    fn mark(&mut self, field: String) {
        if !self.truncated.contains(&field) && self.truncated.len() < trim::MAX_NAMED {
            self.truncated.push(field);
        }
    }
}

impl fmt::Debug for Alert {
    /// Shows the attributes' names but not their values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alert")
            .field("severity", &self.severity)
            .field("message", &self.message)
            .field("detail_type", &self.detail_type)
            .field("attributes", &self.attributes.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// About how many bytes a value takes in memory.
fn weight_of(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight_of).sum(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| name.len() + weight_of(value)).sum()
            }
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alert() -> Alert {
        Alert::new(Severity::Low, "message")
    }

    #[test]
    fn an_attribute_of_the_same_name_is_replaced() {
        let alert = alert().attribute("n", 1).attribute("n", "two");
        assert_eq!(Value::Object(alert.attributes), json!({"n": "two"}));
    }

    #[test]
    fn a_detail_type_is_kept_to_128_characters() {
        assert_eq!(alert().detail_type("  Business Alert ").detail_type.unwrap(), "Business Alert");
        assert_eq!(alert().detail_type(" \n").detail_type, None);
        let exact = "ü".repeat(128);
        let kept = alert().detail_type(exact.clone());
        assert_eq!((kept.detail_type.unwrap(), kept.truncated.len()), (exact.clone(), 0));
        let cut = alert().detail_type(format!("{exact}x"));
        assert_eq!(
            (cut.detail_type.unwrap(), cut.truncated),
            (exact, vec!["detail_type".to_owned()])
        );
    }

    #[test]
    fn values_that_nest_too_deep_are_cut_and_marked() {
        let mut deep = json!(1);
        for _ in 0..Alert::MAX_DEPTH {
            deep = json!([deep]);
        }
        assert!(alert().attribute("a", deep.clone()).truncated.is_empty());
        let cut = alert().attribute("a", json!([deep]));
        assert_eq!(cut.truncated, ["attributes.a"]);
        assert!(serde_json::to_string(&cut.attributes).unwrap().contains(trim::MARK));
    }

    #[test]
    fn a_name_that_is_blank_is_left_out() {
        assert!(alert().attribute(" ", 1).attributes.is_empty());
        assert_eq!(alert().metric("", 1.0).metric, None);
    }

    #[test]
    fn debug_shows_no_values() {
        let debug = format!("{:?}", alert().attribute("password", "hunter2"));
        assert!(debug.contains("password") && !debug.contains("hunter2"), "{debug}");
    }
}
