//! The SDK clients, all pointed at the backend.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

use crate::backend::REGION;
use crate::gateway::Gateway;

/// One client a service.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
}

impl Clients {
    /// Clients for the backend at `gateway`.
    ///
    /// The configuration is built by hand rather than loaded: no profile, no variable and no
    /// service-specific endpoint of the user's may lead a request of the demo to a real account.
    pub(crate) fn new(gateway: Gateway) -> Self {
        let credentials = Credentials::new("test", "test", None, None, "local backend");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(gateway.url())
            .build();
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            // A bucket's name in front of 127.0.0.1 would be looked up as a host.
            .force_path_style(true)
            .build();
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sns: aws_sdk_sns::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
        }
    }
}
