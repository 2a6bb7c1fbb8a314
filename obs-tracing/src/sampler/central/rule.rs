//! One sampling rule, as X-Ray sends it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::request::Request;
use super::wildcard::{MAX_PATTERN, Pattern};

/// The most attributes of a rule that are taken; X-Ray has 5.
const MAX_ATTRIBUTES: usize = 50;
/// The longest name that is taken, in bytes; X-Ray's have 32 characters.
const MAX_NAME: usize = 1_000;

/// A rule. Nothing in it changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) name: Box<str>,
    pub(crate) priority: i64,
    /// The share of requests that is sampled once the reservoir is empty, from 0 to 1.
    pub(crate) fixed_rate: f64,
    /// How many a second all services together sample before that.
    pub(crate) reservoir_size: u32,
    service_name: Pattern,
    service_type: Pattern,
    host: Pattern,
    method: Pattern,
    path: Pattern,
    resource_arn: Pattern,
    attributes: Vec<(Box<str>, Pattern)>,
}

/// The service whose requests are matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// The kind of AWS resource that it runs on; empty if it is not known.
    pub(crate) origin: String,
    /// Empty if it is not known.
    pub(crate) resource_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    rule_name: String,
    version: i64,
    priority: i64,
    fixed_rate: f64,
    reservoir_size: u64,
    service_name: String,
    service_type: String,
    host: String,
    #[serde(rename = "HTTPMethod")]
    http_method: String,
    #[serde(rename = "URLPath")]
    url_path: String,
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    // Null where there are none.
    #[serde(default)]
    attributes: Option<BTreeMap<String, String>>,
}

impl Rule {
    /// Reads a `SamplingRule`. Members that are not known are passed over.
    ///
    /// # Errors
    ///
    /// Why the rule cannot be used, in words for people.
    pub(crate) fn read(document: &Value) -> Result<Self, String> {
        let mut document = Document::deserialize(document).map_err(|error| error.to_string())?;
        let given = document.attributes.take().unwrap_or_default();
        let Document { rule_name: name, version, fixed_rate, .. } = &document;
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!("the rule's name has {} bytes", name.len()));
        }
        let refused = |what: String| Err(format!("rule {name:?}: {what}"));
        if *version != 1 {
            return refused(format!("its version is {version}, and only 1 is known"));
        }
        if !(0.0..=1.0).contains(fixed_rate) {
            return refused(format!("its fixed rate is {fixed_rate}, not from 0 to 1"));
        }
        if given.len() > MAX_ATTRIBUTES {
            return refused(format!("it has {} attributes", given.len()));
        }
        let pattern = |text: &str| {
            let too_long =
                || format!("rule {name:?}: a pattern is longer than {MAX_PATTERN} bytes");
            Pattern::new(text).ok_or_else(too_long)
        };
        let mut attributes = Vec::with_capacity(given.len());
        for (key, value) in given {
            attributes.push((key.into_boxed_str(), pattern(&value)?));
        }
        Ok(Self {
            priority: document.priority,
            fixed_rate: *fixed_rate,
            reservoir_size: u32::try_from(document.reservoir_size).unwrap_or(u32::MAX),
            service_name: pattern(&document.service_name)?,
            service_type: pattern(&document.service_type)?,
            host: pattern(&document.host)?,
            method: pattern(&document.http_method)?,
            path: pattern(&document.url_path)?,
            resource_arn: pattern(&document.resource_arn)?,
            attributes,
            name: document.rule_name.into_boxed_str(),
        })
    }

    /// The order in which rules are asked.
    pub(crate) fn order(&self) -> (i64, &str) {
        (self.priority, &self.name)
    }

    /// The names of its attributes.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(key, _)| &**key)
    }

    /// Whether it may match a request of this service: asked once, when the rule arrives.
    pub(crate) fn is_for(&self, service: &Service) -> bool {
        self.service_name.matches(&service.name) && self.service_type.matches(&service.origin)
    }

    /// Whether it matches a request of a service that it is for. `keys` are the indices of its
    /// attributes in [`Request::attributes`].
    #[inline]
    pub(crate) fn matches(&self, request: &Request<'_>, keys: &[usize], service: &Service) -> bool {
        let arn = match request.resource_arn {
            "" => &service.resource_arn,
            of_span => of_span,
        };
        self.path.matches(request.path)
            && self.method.matches(request.method)
            && self.host.matches(request.host)
            && self.resource_arn.matches(arn)
            && self.attributes.iter().zip(keys).all(|((_, pattern), index)| {
                request.attributes.get(*index).is_some_and(|value| pattern.matches(value))
            })
    }
}
