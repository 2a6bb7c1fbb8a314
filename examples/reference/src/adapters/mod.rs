//! The ports of the application, done with AWS.

mod clock;
mod s3;
mod sns;
mod ssm;

use aws_config::{BehaviorVersion, SdkConfig};

pub use clock::SystemClock;
pub use s3::S3Objects;
pub use sns::SnsTopics;
pub use ssm::SsmParameters;

/// The configuration that all clients share: region, credentials and, on a local backend, the
/// endpoint, from the environment.
pub async fn aws_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await
}

#[cfg(test)]
mod tests;
