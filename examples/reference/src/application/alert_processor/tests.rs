use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::application::observed::{Observed, SteppingClock, observe};

/// Parameters in memory, which count how often they are asked.
#[derive(Debug, Default)]
struct Parameters {
    values: BTreeMap<&'static str, &'static str>,
    asked: AtomicUsize,
    down: AtomicBool,
}

impl Parameters {
    fn with_runbooks() -> Self {
        let values = BTreeMap::from([
            ("/runbooks/data-quality", "https://wiki.example.com/data-quality"),
            ("/runbooks/default", "https://wiki.example.com/default"),
        ]);
        Self { values, ..Self::default() }
    }
}

impl ParameterStore for &Parameters {
    async fn get(&self, name: &str) -> Result<Option<String>, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(Unavailable::new(format!("get {name}"), "AccessDenied"));
        }
        Ok(self.values.get(name).map(|link| (*link).to_owned()))
    }
}

/// Topics in memory.
#[derive(Debug, Default)]
struct Sent {
    notifications: Mutex<Vec<(String, Notification)>>,
    down: bool,
}

impl Topics for &Sent {
    async fn publish(
        &self,
        topic_arn: &str,
        notification: &Notification,
    ) -> Result<(), Unavailable> {
        if self.down {
            return Err(Unavailable::new(format!("publish to {topic_arn}"), "Throttling"));
        }
        self.notifications.lock().unwrap().push((topic_arn.to_owned(), notification.clone()));
        Ok(())
    }
}

impl Sent {
    fn only(&self) -> (String, Notification, Value) {
        let notifications = self.notifications.lock().unwrap();
        let [(topic, notification)] = &notifications[..] else { panic!("{notifications:?}") };
        let message = serde_json::from_str(&notification.message).unwrap();
        (topic.clone(), notification.clone(), message)
    }
}

fn settings() -> AlertProcessorSettings {
    AlertProcessorSettings::from_vars(|name| match name {
        "RUNBOOK_PARAMETER_PREFIX" => Some("/runbooks".to_owned()),
        "AWS_REGION" => Some("eu-west-1".to_owned()),
        "OBS_ENVIRONMENT" => Some("staging".to_owned()),
        _ => name.strip_prefix("TOPIC_ARN_").map(|severity| format!("arn:{severity}")),
    })
    .unwrap()
}

fn event(detail: &Value) -> Value {
    json!({
        "id": "e-1",
        "source": "myapp.alerts",
        "detail-type": "Business Alert",
        "time": "2026-01-31T11:59:59Z",
        "detail": detail,
    })
}

/// Runs the function once, as Lambda would.
async fn run(
    parameters: &Parameters,
    sent: &Sent,
    event: &Value,
) -> (Result<Published, AlertError>, Observed) {
    let processor = AlertProcessor::new(parameters, sent, SteppingClock::default(), settings());
    observe("alert-processor", processor.handle(event)).await
}

#[tokio::test]
async fn an_alert_goes_to_the_topic_of_its_severity() {
    for (severity, topic) in [
        ("critical", "arn:CRITICAL"),
        ("high", "arn:HIGH"),
        ("warning", "arn:MEDIUM"),
        ("info", "arn:LOW"),
        ("whatever", "arn:HIGH"),
    ] {
        let (parameters, sent) = (Parameters::with_runbooks(), Sent::default());
        let detail = json!({ "severity": severity, "message": "m", "runbook": "data-quality" });
        let (result, observed) = run(&parameters, &sent, &event(&detail)).await;
        let (sent_to, notification, message) = sent.only();
        assert_eq!(sent_to, topic);
        assert_eq!(result.unwrap().topic, topic);
        assert_eq!(notification.event_id, "e-1");
        assert_eq!(message["environment"], "staging");
        assert_eq!(message["runbook_link"], "https://wiki.example.com/data-quality");
        assert_eq!(observed.values("AlertsProcessed"), [1.0]);
        assert_eq!(observed.values("AlertsFailed"), [0.0]);
        assert_eq!(observed.values("AlertDelay"), [1_000.0]);
        assert_eq!(observed.metrics["AlertDelay"].unit, "Milliseconds");
    }
}

#[tokio::test]
async fn what_the_sdk_publishes_arrives_in_full() {
    let publishing = async {
        let alert = Alert::new(obs::prelude::Severity::Info, "Nightly load finished")
            .detail_type("Business Alert")
            .runbook("data-quality")
            .fingerprint("load/nightly")
            .metric("Rows", 12.0)
            .attribute("log_group", "/aws/lambda/load")
            .attribute("rows", 12);
        obs::alerts().publish(alert);
    };
    let ((), published) = observe("loader", publishing).await;
    let (parameters, sent) = (Parameters::with_runbooks(), Sent::default());
    run(&parameters, &sent, &published.alerts[0]).await.0.unwrap();

    let (topic, notification, message) = sent.only();
    assert_eq!(topic, "arn:LOW");
    assert_eq!(notification.subject, "[LOW] dev loader: Nightly load finished");
    // The id is the alert's own, not that of this delivery.
    assert_eq!(notification.event_id.len(), 36);
    for (name, expected) in [
        ("message", json!("Nightly load finished")),
        ("service", json!("loader")),
        ("environment", json!("dev")),
        ("fingerprint", json!("load/nightly")),
        ("request_id", json!("r-1")),
        ("metric", json!({ "name": "Rows", "value": 12 })),
        ("runbook", json!("data-quality")),
        ("attributes", json!({ "log_group": "/aws/lambda/load", "rows": 12 })),
        ("notes", json!([])),
    ] {
        assert_eq!(message[name], expected, "{name}");
    }
    assert!(message["log_link"].as_str().unwrap().ends_with("/$252Faws$252Flambda$252Fload"));
}

#[tokio::test]
async fn runbooks_fall_back_to_the_default_one() {
    let default = json!("https://wiki.example.com/default");
    for (runbook, link, note) in [
        (json!(null), &default, None),
        (
            json!("unheard-of"),
            &default,
            Some("there is no runbook unheard-of, the default one is given"),
        ),
        (json!("../x"), &default, Some("the runbook \"../x\" is neither a link nor a slug")),
        (json!("https://example.com/own"), &json!("https://example.com/own"), None),
    ] {
        let (parameters, sent) = (Parameters::with_runbooks(), Sent::default());
        let detail = json!({ "severity": "low", "message": "m", "runbook": runbook });
        run(&parameters, &sent, &event(&detail)).await.0.unwrap();
        let message = sent.only().2;
        assert_eq!(&message["runbook_link"], link, "{runbook}");
        assert_eq!(message["notes"], json!(Vec::from_iter(note)), "{runbook}");
    }
    let (parameters, sent) = (Parameters::default(), Sent::default());
    run(&parameters, &sent, &event(&json!({ "severity": "low", "message": "m" }))).await.0.unwrap();
    let message = sent.only().2;
    assert_eq!(message.get("runbook_link"), None);
    assert_eq!(message["notes"], json!(["there is no default runbook"]));
}

#[tokio::test]
async fn an_alert_is_sent_when_the_parameter_store_fails() {
    let (parameters, sent) = (Parameters::with_runbooks(), Sent::default());
    parameters.down.store(true, Ordering::SeqCst);
    let detail = json!({ "severity": "critical", "message": "m", "runbook": "data-quality" });
    let (result, observed) = run(&parameters, &sent, &event(&detail)).await;
    result.unwrap();
    let message = sent.only().2;
    assert_eq!(message.get("runbook_link"), None);
    assert_eq!(message["runbook"], "data-quality");
    let note = "the link to the runbook data-quality is missing: \
                could not get /runbooks/data-quality: AccessDenied";
    assert_eq!(message["notes"], json!([note]));
    assert!(message["text"].as_str().unwrap().ends_with(note));
    assert_eq!(observed.values("AlertsFailed"), [0.0]);
}

#[tokio::test]
async fn links_are_remembered_for_a_while_and_used_beyond_it_in_need() {
    let parameters = Parameters::with_runbooks();
    let runbooks = Runbooks::new(&parameters, "/runbooks".to_owned());
    let find = async |seconds| {
        let slug = RunbookRef::Slug("data-quality".to_owned());
        runbooks.find(slug, Duration::from_secs(seconds)).await
    };
    let first = find(0).await;
    assert_eq!(find(899).await, first);
    assert_eq!(parameters.asked.load(Ordering::SeqCst), 1);
    assert_eq!(find(900).await, first);
    assert_eq!(parameters.asked.load(Ordering::SeqCst), 2);
    parameters.down.store(true, Ordering::SeqCst);
    assert_eq!(find(10_000).await, first);
    assert_eq!(parameters.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn unheard_of_runbooks_do_not_fill_the_memory() {
    let parameters = Parameters::with_runbooks();
    let runbooks = Runbooks::new(&parameters, "/runbooks".to_owned());
    for n in 0..1_000 {
        runbooks.find(RunbookRef::Slug(format!("made-up-{n}")), Duration::ZERO).await;
    }
    assert!(runbooks.remembered() <= 100);
}

// Scenario 46, and the event goes to the dead-letter queue by way of Lambda's retries.
#[tokio::test]
async fn what_cannot_be_published_is_an_error() {
    let (parameters, sent) = (Parameters::with_runbooks(), Sent { down: true, ..Sent::default() });
    let detail = json!({ "severity": "high", "message": "m" });
    let (result, observed) = run(&parameters, &sent, &event(&detail)).await;
    assert_eq!(result.unwrap_err().to_string(), "could not publish to arn:HIGH: Throttling");
    assert_eq!(observed.values("AlertsProcessed"), [0.0]);
    assert_eq!(observed.values("AlertsFailed"), [1.0]);

    let (parameters, sent) = (Parameters::with_runbooks(), Sent::default());
    let (result, observed) = run(&parameters, &sent, &json!({ "source": "x" })).await;
    assert_eq!(result.unwrap_err().to_string(), "malformed alert event: it has no `detail`");
    assert_eq!(observed.values("AlertsFailed"), [1.0]);
    assert_eq!(observed.values("AlertDelay"), [0.0; 0]);
}
