//! The adapters against a socket that gives one answer, whatever is asked.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use obs::alerts::Severity;

use super::*;
use crate::application::ports::{ObjectStore, ParameterStore, ReadError, StoredObject, Topics};
use crate::domain::alert::Notification;
use crate::domain::object_event::ObjectRef;

/// A configuration whose endpoint answers every request with `answer`, and never if it is empty.
fn answering(answer: impl Into<String>) -> SdkConfig {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            thread::spawn(move || {
                let mut request = [0; 16 * 1_024];
                while stream.read(&mut request).is_ok_and(|length| length > 0) {
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

fn s3_error(status: &str, code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    response(status, "Content-Type: application/xml\r\n", &body)
}

async fn read(answer: impl Into<String>) -> Result<StoredObject, ReadError> {
    let object = ObjectRef { bucket: "data".into(), key: "incoming/a b.json".into() };
    S3Objects::new(&answering(answer)).read(&object, 10).await
}

#[tokio::test]
async fn an_object_comes_with_its_entity_tag() {
    let object = read(response("200 OK", "ETag: \"abc\"\r\n", "0123456789")).await.unwrap();
    assert_eq!((object.bytes, object.etag.as_deref()), (b"0123456789".to_vec(), Some("abc")));
}

#[tokio::test]
async fn what_is_too_large_is_not_downloaded() {
    // The body never comes, so whoever waits for it waits in vain.
    let read = read("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n");
    let read = tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
    assert!(matches!(read, Err(ReadError::TooLarge { bytes: 5_000_000_000 })), "{read:?}");
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded_too() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";
    let read = read(answer).await;
    assert!(matches!(read, Err(ReadError::TooLarge { .. })), "{read:?}");
}

#[tokio::test]
async fn a_missing_object_is_told_from_a_forbidden_one() {
    for code in ["NoSuchKey", "NoSuchBucket"] {
        let read = read(s3_error("404 Not Found", code)).await;
        assert!(matches!(read, Err(ReadError::Missing)), "{read:?}");
    }
    let Err(ReadError::Unavailable(error)) = read(s3_error("403 Forbidden", "AccessDenied")).await
    else {
        panic!("not unavailable")
    };
    let error = error.to_string();
    assert!(error.starts_with("could not read s3://data/incoming/a b.json: "), "{error}");
    assert!(error.contains("AccessDenied"), "{error}");
}

fn ssm_answer(status: &str, body: &str) -> String {
    response(status, "Content-Type: application/x-amz-json-1.1\r\n", body)
}

async fn parameter(answer: String) -> Result<Option<String>, String> {
    let parameters = SsmParameters::new(&answering(answer));
    parameters.get("/runbooks/x").await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_parameter_is_there_or_not_or_cannot_be_got() {
    let found = ssm_answer("200 OK", r#"{"Parameter": {"Name": "x", "Value": "https://x"}}"#);
    assert_eq!(parameter(found).await, Ok(Some("https://x".into())));
    let missing = ssm_answer("400 Bad Request", r#"{"__type": "ParameterNotFound"}"#);
    assert_eq!(parameter(missing).await, Ok(None));
    let denied = ssm_answer("400 Bad Request", r#"{"__type": "AccessDeniedException"}"#);
    let error = parameter(denied).await.unwrap_err();
    assert!(error.starts_with("could not get the parameter /runbooks/x: "), "{error}");
    assert!(error.contains("AccessDeniedException"), "{error}");
}

#[tokio::test]
async fn a_parameter_store_that_is_silent_is_given_up_on() {
    let started = Instant::now();
    parameter(String::new()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_topic_that_refuses_is_an_error() {
    let body = "<ErrorResponse><Error><Code>NotFound</Code><Message>Topic does not exist</Message>\
                </Error></ErrorResponse>";
    let topics = SnsTopics::new(&answering(response("404 Not Found", "", body)));
    let notification = Notification {
        severity: Severity::High,
        event_id: "e".into(),
        subject: "s".into(),
        message: "{}".into(),
    };
    let error = topics.publish("arn:x", &notification).await.unwrap_err().to_string();
    assert!(error.starts_with("could not publish to arn:x: "), "{error}");
    assert!(error.contains("Topic does not exist"), "{error}");
}
