//! A Lambda function that records a metric, a log line, a trace and, when it matters, an alert.
//!
//! Build it for Lambda, zip it as `bootstrap`, and set `OBS_METRICS_NAMESPACE` and
//! `OBS_ALERTS_BUS`; examples/reference does so with real infrastructure.

use obs::prelude::*;
use serde_json::{Value, json};

const LIMIT: f64 = 10_000.0;

#[traced(err)]
async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let order = event.payload["id"].as_str().ok_or("the event has no `id`")?;
    let amount = event.payload["amount"].as_f64().ok_or("the event has no `amount`")?;

    obs::metrics().event().put("OrderAmount", amount, Unit::None);
    info!(order, amount, "order accepted");
    if amount > LIMIT {
        obs::alerts().publish(
            Alert::new(Severity::High, "Order over the limit")
                .detail_type("Business Alert")
                .attribute("order", order),
        );
    }
    Ok(charge(order, amount))
}

#[traced(annotate(order = order))]
fn charge(order: &str, amount: f64) -> Value {
    json!({ "order": order, "charged": amount })
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    obs::lambda::run(handler).await
}
