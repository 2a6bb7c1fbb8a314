//! The alert processor function.

use std::sync::Arc;

use obs::prelude::*;
use obs_reference::adapters::{SnsTopics, SsmParameters, SystemClock, aws_config};
use obs_reference::application::alert_processor::{AlertProcessor, AlertProcessorSettings};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let settings = AlertProcessorSettings::from_env()?;
    let aws = aws_config().await;
    let (parameters, topics) = (SsmParameters::new(&aws), SnsTopics::new(&aws));
    let processor = AlertProcessor::new(parameters, topics, SystemClock::new(), settings);
    let processor = Arc::new(processor);
    obs::lambda::run(move |event: LambdaEvent<Value>| {
        let processor = Arc::clone(&processor);
        async move { processor.handle(&event.payload).await }
    })
    .await
}
