//! Topics of SNS.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::application::ports::{Topics, Unavailable};
use crate::domain::alert::Notification;

/// Topics of SNS.
#[derive(Clone, Debug)]
pub struct SnsTopics {
    client: Client,
}

impl SnsTopics {
    /// A client of its own.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }
}

impl Topics for SnsTopics {
    async fn publish(
        &self,
        topic_arn: &str,
        notification: &Notification,
    ) -> Result<(), Unavailable> {
        let failed = |error| Unavailable::new(format!("publish to {topic_arn}"), error);
        let severity =
            attribute(notification.severity.as_str()).map_err(|error| failed(error.into()))?;
        let event_id = attribute(&notification.event_id).map_err(|error| failed(error.into()))?;
        self.client
            .publish()
            .topic_arn(topic_arn)
            .subject(&notification.subject)
            .message(&notification.message)
            .message_attributes("severity", severity)
            .message_attributes("event_id", event_id)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(Box::<dyn std::error::Error + Send + Sync>::from(error)))
    }
}

fn attribute(value: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type("String").string_value(value).build()
}
