//! The pipeline's settings.

use crate::application::settings::{SettingsError, Variables};

/// The largest file that is read unless `MAX_OBJECT_BYTES` says otherwise: 32 MiB.
///
/// A delimited file takes up to ten times its size in memory, a JSON file up to eight times; the
/// functions of the reference deployment have 512 MiB.
pub(super) const DEFAULT_MAX_OBJECT_BYTES: u64 = 32 * 1_024 * 1_024;

/// The quality score in percent below which an alert is raised, unless `QUALITY_THRESHOLD` says
/// otherwise.
pub(super) const DEFAULT_QUALITY_THRESHOLD: f64 = 95.0;

/// What the pipeline is told from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSettings {
    /// The pipeline's name, which is the dimension `Pipeline` of its metrics (`PIPELINE_NAME`).
    pub pipeline: String,
    /// Percent; a file with a lower score raises an alert (`QUALITY_THRESHOLD`).
    pub quality_threshold: f64,
    /// The column that holds revenue (`REVENUE_FIELD`); without one there is no revenue.
    pub revenue_field: Option<String>,
    /// Dollars that a second of the function costs (`COST_PER_SECOND`); without it no costs are
    /// reported.
    pub cost_per_second: Option<f64>,
    /// The largest file that is read, in bytes (`MAX_OBJECT_BYTES`).
    pub max_object_bytes: u64,
    /// The function's log group, for its alerts (`AWS_LAMBDA_LOG_GROUP_NAME`, else by the name of
    /// the function).
    pub log_group: Option<String>,
}

impl PipelineSettings {
    /// Reads the settings from the process's environment.
    ///
    /// # Errors
    ///
    /// When a variable is missing that has no default, or one makes no sense.
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
        let amount = |cost: &f64| cost.is_finite() && *cost >= 0.0;
        Ok(Self {
            pipeline: variables.require("PIPELINE_NAME")?,
            quality_threshold: variables
                .parsed("QUALITY_THRESHOLD", "a percentage from 0 to 100", |percent: &f64| {
                    (0.0..=100.0).contains(percent)
                })?
                .unwrap_or(DEFAULT_QUALITY_THRESHOLD),
            revenue_field: variables.get("REVENUE_FIELD"),
            cost_per_second: variables.parsed("COST_PER_SECOND", "an amount from 0 up", amount)?,
            max_object_bytes: variables
                .parsed("MAX_OBJECT_BYTES", "a number of bytes from 1 up", |bytes| *bytes > 0)?
                .unwrap_or(DEFAULT_MAX_OBJECT_BYTES),
            log_group: variables.get("AWS_LAMBDA_LOG_GROUP_NAME").or_else(|| {
                let function = variables.get("AWS_LAMBDA_FUNCTION_NAME")?;
                Some(format!("/aws/lambda/{function}"))
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<PipelineSettings, String> {
        PipelineSettings::from_vars(|name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn everything_but_the_name_has_a_default() {
        let expected = PipelineSettings {
            pipeline: "movies".into(),
            quality_threshold: 95.0,
            revenue_field: None,
            cost_per_second: None,
            max_object_bytes: 33_554_432,
            log_group: None,
        };
        assert_eq!(read(&[("PIPELINE_NAME", " movies ")]), Ok(expected));
        assert_eq!(read(&[]), Err("the variable PIPELINE_NAME is not set".into()));
    }

    #[test]
    fn settings_are_read_and_checked() {
        let given = read(&[
            ("PIPELINE_NAME", "movies"),
            ("QUALITY_THRESHOLD", "98.5"),
            ("REVENUE_FIELD", "Worldwide Gross"),
            ("COST_PER_SECOND", "0.000008333350"),
            ("MAX_OBJECT_BYTES", "1000"),
            ("AWS_LAMBDA_FUNCTION_NAME", "obs-reference-dev-pipeline"),
        ])
        .unwrap();
        assert_eq!(given.quality_threshold, 98.5);
        assert_eq!(given.revenue_field.as_deref(), Some("Worldwide Gross"));
        assert_eq!(given.cost_per_second, Some(0.000_008_333_350));
        assert_eq!(given.max_object_bytes, 1_000);
        assert_eq!(given.log_group.as_deref(), Some("/aws/lambda/obs-reference-dev-pipeline"));
        for (name, value) in [
            ("QUALITY_THRESHOLD", "101"),
            ("QUALITY_THRESHOLD", "NaN"),
            ("QUALITY_THRESHOLD", "high"),
            ("COST_PER_SECOND", "-1"),
            ("COST_PER_SECOND", "inf"),
            ("MAX_OBJECT_BYTES", "0"),
            ("MAX_OBJECT_BYTES", "32MB"),
        ] {
            let error = read(&[("PIPELINE_NAME", "movies"), (name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("the variable {name} is `{value}`, not a")),
                "{error}"
            );
        }
    }
}
