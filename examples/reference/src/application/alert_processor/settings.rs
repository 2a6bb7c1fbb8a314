//! The alert processor's settings.

use obs::alerts::Severity;

use crate::application::settings::{SettingsError, Variables};

/// What the alert processor is told from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertProcessorSettings {
    /// Where alerts go (`TOPIC_ARN_CRITICAL`, `…_HIGH`, `…_MEDIUM`, `…_LOW`).
    pub topics: TopicArns,
    /// What stands before a runbook's slug in the name of its parameter
    /// (`RUNBOOK_PARAMETER_PREFIX`), without a slash at the end.
    pub runbook_prefix: String,
    /// The environment of alerts that do not say theirs (`OBS_ENVIRONMENT`, else `dev`).
    pub environment: String,
    /// The region of links into the console (`AWS_REGION`); without one there are no links.
    pub region: String,
}

/// One topic for each severity, but for info, which goes with low.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicArns {
    critical: String,
    high: String,
    medium: String,
    low: String,
}

impl TopicArns {
    /// The topic of a severity.
    #[must_use]
    pub fn of(&self, severity: Severity) -> &str {
        match severity {
            Severity::Critical => &self.critical,
            Severity::High => &self.high,
            Severity::Medium => &self.medium,
            Severity::Low | Severity::Info => &self.low,
        }
    }
}

impl AlertProcessorSettings {
    /// Reads the settings from the process's environment.
    ///
    /// # Errors
    ///
    /// When a topic or the prefix is missing.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with variables from anywhere.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let variables = Variables(lookup);
        let prefix = variables.require("RUNBOOK_PARAMETER_PREFIX")?;
        Ok(Self {
            topics: TopicArns {
                critical: variables.require("TOPIC_ARN_CRITICAL")?,
                high: variables.require("TOPIC_ARN_HIGH")?,
                medium: variables.require("TOPIC_ARN_MEDIUM")?,
                low: variables.require("TOPIC_ARN_LOW")?,
            },
            runbook_prefix: prefix.trim_end_matches('/').to_owned(),
            environment: variables.get("OBS_ENVIRONMENT").unwrap_or_else(|| "dev".to_owned()),
            region: variables.get("AWS_REGION").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "RUNBOOK_PARAMETER_PREFIX" => Some("/obs-reference/dev/runbooks/".to_owned()),
            "AWS_REGION" => Some("eu-west-1".to_owned()),
            _ => name.strip_prefix("TOPIC_ARN_").map(|severity| format!("arn:{severity}")),
        }
    }

    #[test]
    fn each_severity_has_its_topic() {
        let settings = AlertProcessorSettings::from_vars(variable).unwrap();
        assert_eq!(settings.runbook_prefix, "/obs-reference/dev/runbooks");
        assert_eq!((settings.environment.as_str(), settings.region.as_str()), ("dev", "eu-west-1"));
        for severity in Severity::ALL {
            let topic = severity.max(Severity::Low).as_str().to_uppercase();
            assert_eq!(settings.topics.of(severity), format!("arn:{topic}"));
        }
    }

    #[test]
    fn a_missing_topic_is_found_when_the_function_starts() {
        for missing in ["TOPIC_ARN_LOW", "RUNBOOK_PARAMETER_PREFIX"] {
            let error = AlertProcessorSettings::from_vars(|name| {
                variable(name).filter(|_| name != missing)
            })
            .unwrap_err();
            assert_eq!(error.to_string(), format!("the variable {missing} is not set"));
        }
    }
}
