//! What the spans come from: the service, and what it runs on. Names are those of OpenTelemetry's
//! semantic conventions.

#[cfg(feature = "detectors")]
mod detect;
mod known;

use std::borrow::Cow;

use obs_core::{Identity, env};

pub(crate) use known::Known;

use crate::error::Error;

/// The most bytes of attributes that code and `OTEL_RESOURCE_ATTRIBUTES` give, keys and values: each
/// request and each datagram carries them. Ours; AWS's own OTLP endpoints take no more.
const MAX_GIVEN_BYTES: usize = 16 * 1024;

/// Attributes of the resource. No key stands twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resource {
    attributes: Vec<(Cow<'static, str>, ResourceValue)>,
}

/// The value of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ResourceValue {
    Text(String),
    #[cfg_attr(not(feature = "detectors"), expect(dead_code, reason = "a detector's: memory"))]
    Int(i64),
    #[cfg_attr(not(feature = "detectors"), expect(dead_code, reason = "a detector's: log groups"))]
    Texts(Vec<String>),
}

/// Variables, those of the process or of a test.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Resource {
    /// What is known without asking anybody. `given`, which code says, wins over
    /// `OTEL_RESOURCE_ATTRIBUTES`, and the service's name, environment and version over both.
    pub(crate) fn new(
        service: &Identity,
        version: Option<&str>,
        given: &[(String, String)],
        lookup: Lookup<'_>,
    ) -> Result<Self, Error> {
        let mut further = env::pairs(env::RESOURCE_ATTRIBUTES, lookup)
            .map_err(|error| Error::invalid_resource(error.to_string()))?;
        for (key, value) in given {
            if key.trim().is_empty() {
                return Err(Error::invalid_resource("a resource attribute has no name".to_owned()));
            }
            env::set_pair(&mut further, key.clone(), value.clone());
        }
        let bytes: usize = further.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MAX_GIVEN_BYTES {
            return Err(Error::invalid_resource(format!(
                "resource attributes of {bytes} bytes; {MAX_GIVEN_BYTES} are taken"
            )));
        }

        let mut resource = Self::default();
        resource.add("service.name", service.service.as_str());
        if let Some(version) = version {
            resource.add("service.version", version);
        }
        // The name of today, and the one that CloudWatch and many dashboards still look for.
        resource.add("deployment.environment.name", service.environment.as_str());
        resource.add("deployment.environment", service.environment.as_str());
        resource.add("telemetry.sdk.name", "obs");
        resource.add("telemetry.sdk.language", "rust");
        resource.add("telemetry.sdk.version", env!("CARGO_PKG_VERSION"));
        for (key, value) in further {
            resource.add(key, value);
        }
        if let Some(platform) = platform(lookup) {
            resource.add("cloud.provider", "aws");
            resource.add("cloud.platform", platform);
        }
        Ok(resource)
    }

    /// Adds what is not there yet.
    #[cfg(feature = "detectors")]
    pub(crate) fn merge(&mut self, found: Self) {
        for (key, value) in found.attributes {
            if self.get(&key).is_none() {
                self.attributes.push((key, value));
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &ResourceValue)> {
        self.attributes.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The text under a key; of several, the first.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            ResourceValue::Text(text) => Some(text),
            ResourceValue::Texts(texts) => texts.first().map(String::as_str),
            ResourceValue::Int(_) => None,
        }
    }

    fn get(&self, key: &str) -> Option<&ResourceValue> {
        self.attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn add(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let key = key.into();
        if self.get(&key).is_none() {
            self.attributes.push((key, ResourceValue::Text(value.into())));
        }
    }
}

/// The kind of AWS resource that this process runs on, as far as its environment tells.
fn platform(lookup: Lookup<'_>) -> Option<&'static str> {
    if lookup("AWS_LAMBDA_RUNTIME_API").is_some() {
        Some("aws_lambda")
    } else if lookup("ECS_CONTAINER_METADATA_URI_V4").is_some() {
        Some("aws_ecs")
    } else {
        None
    }
}

#[cfg(test)]
impl Resource {
    pub(crate) fn of(pairs: &[(&'static str, &str)]) -> Self {
        let mut resource = Self::default();
        pairs.iter().for_each(|(key, value)| resource.add(*key, *value));
        resource
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(given: &[(&str, &str)], vars: &[(&str, &str)]) -> Result<Resource, Error> {
        let given: Vec<_> = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Resource::new(&Identity::new("orders", "test"), Some("7"), &given, &|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn code_wins_over_the_variable_and_the_service_over_both() {
        let vars = [
            ("OTEL_RESOURCE_ATTRIBUTES", "team=core,host.name=h%201,service.name=other"),
            ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x"),
        ];
        let found = resource(&[("team", "shop")], &vars).unwrap();
        let expected = [
            ("service.name", "orders"),
            ("service.version", "7"),
            ("deployment.environment.name", "test"),
            ("deployment.environment", "test"),
            ("telemetry.sdk.name", "obs"),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
            ("team", "shop"),
            ("host.name", "h 1"),
            ("cloud.provider", "aws"),
            ("cloud.platform", "aws_ecs"),
        ];
        assert_eq!(found, Resource::of(&expected));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |given: &[(&str, &str)], vars: &[(&str, &str)], expected: &str| {
            let error = resource(given, vars).unwrap_err();
            assert!(error.is_invalid_resource());
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&[(" ", "x")], &[], "no name");
        check(&[], &[("OTEL_RESOURCE_ATTRIBUTES", "x")], "key=value");
        check(&[("a", &"x".repeat(MAX_GIVEN_BYTES))], &[], "16384 are taken");
    }
}
