//! The queues that are listened to: what arrives on the alert topics, and the dead letters.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::clients::Clients;
use crate::error::{Error, Result};
use crate::logs::{Function, holds};
use crate::stack::Outputs;

/// The outputs that name the topics, most severe first.
const TOPICS: [&str; 4] = ["TopicArnCritical", "TopicArnHigh", "TopicArnMedium", "TopicArnLow"];

/// A message that arrived on one of the alert topics, as a subscriber got it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TopicMessage {
    /// The topic's name.
    pub topic: String,
    /// The notification's subject.
    pub subject: Option<String>,
    /// The notification's message, as it was published.
    pub message: String,
    /// The message as JSON, or null if it is none.
    pub body: Value,
    /// When it was put into the subscriber's queue.
    pub arrived_at: SystemTime,
}

impl TopicMessage {
    /// Whether the message contains `text`.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.message.contains(text) || holds(&self.body, text)
    }

    /// When the alert in it was raised, as it says itself.
    #[must_use]
    pub fn published_at(&self) -> Option<SystemTime> {
        let time = self.body.get("time")?.as_str()?;
        SystemTime::try_from(DateTime::from_str(time, DateTimeFormat::DateTime).ok()?).ok()
    }
}

/// A message of a function's dead-letter queue.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Whose invocation failed.
    pub function: Function,
    /// The message as JSON, or null if it is none.
    pub body: Value,
    /// The message as it was received.
    pub text: String,
}

impl DeadLetter {
    /// Whether the message contains `text`.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.text.contains(text) || holds(&self.body, text)
    }
}

/// Receives from the three queues until it is dropped.
#[derive(Debug)]
pub(crate) struct Queues {
    messages: Received<TopicMessage>,
    letters: Received<DeadLetter>,
    receivers: Vec<JoinHandle<()>>,
}

type Received<T> = Arc<Mutex<Vec<T>>>;

impl Queues {
    /// Subscribes a queue to every alert topic and starts receiving.
    pub(crate) async fn listen(clients: &Clients, outputs: &Outputs) -> Result<Self> {
        let messages: Received<TopicMessage> = Received::default();
        let letters: Received<DeadLetter> = Received::default();
        let alerts = subscribe(clients, outputs).await?;
        let mut receivers =
            vec![receive(clients.sqs.clone(), alerts, Arc::clone(&messages), topic_message)];
        for function in Function::ALL {
            let queue = outputs.get(function.dead_letter_output())?.to_owned();
            let parse = move |message: &Message| dead_letter(function, message);
            receivers.push(receive(clients.sqs.clone(), queue, Arc::clone(&letters), parse));
        }
        Ok(Self { messages, letters, receivers })
    }

    pub(crate) fn messages(&self) -> Vec<TopicMessage> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        for receiver in &self.receivers {
            receiver.abort();
        }
    }
}

/// Makes a queue that the topics may send to, and subscribes it to each; its URL.
async fn subscribe(clients: &Clients, outputs: &Outputs) -> Result<String> {
    let queue = clients
        .sqs
        .create_queue()
        .queue_name("obs-local-alerts")
        .send()
        .await
        .map_err(|error| Error::service("make the queue for alerts", error))?;
    let url = queue
        .queue_url()
        .ok_or_else(|| Error::backend("the queue for alerts has no URL"))?
        .to_owned();
    let attributes = clients
        .sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(|error| Error::service("read the attributes of the queue for alerts", error))?;
    let arn = attributes
        .attributes()
        .and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn))
        .ok_or_else(|| Error::backend("the queue for alerts has no ARN"))?
        .to_owned();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }],
    });
    clients
        .sqs
        .set_queue_attributes()
        .queue_url(&url)
        .attributes(QueueAttributeName::Policy, policy.to_string())
        .send()
        .await
        .map_err(|error| Error::service("let the topics send to the queue for alerts", error))?;
    for topic in TOPICS {
        clients
            .sns
            .subscribe()
            .topic_arn(outputs.get(topic)?)
            .protocol("sqs")
            .endpoint(&arn)
            .send()
            .await
            .map_err(|error| Error::service(format!("subscribe to {topic}"), error))?;
    }
    Ok(url)
}

fn receive<T: Send + 'static>(
    sqs: aws_sdk_sqs::Client,
    queue: String,
    received: Received<T>,
    parse: impl Fn(&Message) -> T + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        // A delete may fail and the message come again; it is counted once.
        let mut seen = HashSet::new();
        loop {
            let batch = sqs
                .receive_message()
                .queue_url(&queue)
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .max_number_of_messages(10)
                .wait_time_seconds(1)
                .send()
                .await;
            let Ok(batch) = batch else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            for message in batch.messages() {
                if seen.insert(message.message_id().unwrap_or_default().to_owned()) {
                    received.lock().unwrap_or_else(PoisonError::into_inner).push(parse(message));
                }
                if let Some(handle) = message.receipt_handle() {
                    let delete = sqs.delete_message().queue_url(&queue).receipt_handle(handle);
                    // Not deleted is received again, which `seen` takes care of.
                    let _ = delete.send().await;
                }
            }
        }
    })
}

fn topic_message(message: &Message) -> TopicMessage {
    let envelope: Value = parsed(message.body().unwrap_or_default());
    let text = |key: &str| envelope.get(key).and_then(Value::as_str).map(str::to_owned);
    let topic = text("TopicArn").unwrap_or_default();
    let message_text = text("Message").unwrap_or_default();
    TopicMessage {
        topic: topic.rsplit(':').next().unwrap_or_default().to_owned(),
        subject: text("Subject"),
        body: parsed(&message_text),
        message: message_text,
        arrived_at: sent_at(message).unwrap_or_else(SystemTime::now),
    }
}

fn dead_letter(function: Function, message: &Message) -> DeadLetter {
    let text = message.body().unwrap_or_default().to_owned();
    DeadLetter { function, body: parsed(&text), text }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn sent_at(message: &Message) -> Option<SystemTime> {
    let sent = message.attributes()?.get(&MessageSystemAttributeName::SentTimestamp)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_millis(sent.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
    use serde_json::{Value, json};

    use super::topic_message;

    #[test]
    fn a_notification_is_unwrapped() {
        let envelope = json!({
            "Type": "Notification",
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:obs-reference-dev-alerts-high",
            "Subject": "HIGH: data quality",
            "Message": "{\"severity\":\"high\",\"time\":\"2023-11-14T22:13:19.623Z\"}",
        });
        let message = Message::builder()
            .body(envelope.to_string())
            .attributes(MessageSystemAttributeName::SentTimestamp, "1700000000123")
            .build();
        let received = topic_message(&message);
        assert_eq!(received.topic, "obs-reference-dev-alerts-high");
        assert_eq!(received.subject.as_deref(), Some("HIGH: data quality"));
        assert_eq!(received.body["severity"], "high");
        let at = received.arrived_at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(at, Duration::from_millis(1_700_000_000_123));
        let way = received.arrived_at.duration_since(received.published_at().unwrap()).unwrap();
        assert_eq!(way, Duration::from_millis(500));
    }

    #[test]
    fn a_message_that_is_no_notification_is_kept_as_nothing() {
        let received = topic_message(&Message::builder().body("plain words").build());
        assert_eq!(received.topic, "");
        assert_eq!(received.body, Value::Null);
        assert_eq!(received.published_at(), None);
    }
}
