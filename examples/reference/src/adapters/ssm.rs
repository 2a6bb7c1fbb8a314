//! Parameters of the SSM parameter store.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;

use crate::application::ports::{ParameterStore, Unavailable};

/// A link to a runbook is not worth holding an alert back for longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Parameters of the SSM parameter store.
#[derive(Clone, Debug)]
pub struct SsmParameters {
    client: Client,
}

impl SsmParameters {
    /// A client of its own, which gives up on a call after three seconds, retries included.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
        let ssm = aws_sdk_ssm::config::Builder::from(config).timeout_config(timeouts).build();
        Self { client: Client::from_conf(ssm) }
    }
}

impl ParameterStore for SsmParameters {
    async fn get(&self, name: &str) -> Result<Option<String>, Unavailable> {
        match self.client.get_parameter().name(name).send().await {
            Ok(output) => {
                Ok(output.parameter.and_then(|parameter| parameter.value).filter(|v| !v.is_empty()))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetParameterError::is_parameter_not_found) =>
            {
                Ok(None)
            }
            Err(error) => Err(Unavailable::new(format!("get the parameter {name}"), error)),
        }
    }
}
