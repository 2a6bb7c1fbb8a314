//! The pipeline function.

use std::sync::Arc;

use obs::prelude::*;
use obs_reference::adapters::{S3Objects, SystemClock, aws_config};
use obs_reference::application::pipeline::{Pipeline, PipelineSettings};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let settings = PipelineSettings::from_env()?;
    let store = S3Objects::new(&aws_config().await);
    let pipeline = Arc::new(Pipeline::new(store, SystemClock::new(), settings));
    obs::lambda::run(move |event: LambdaEvent<Value>| {
        let pipeline = Arc::clone(&pipeline);
        async move { pipeline.handle(&event.payload).await }
    })
    .await
}
