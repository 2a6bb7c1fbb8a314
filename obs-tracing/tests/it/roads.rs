//! Which road the environment chooses, and what is found out about the process: each in a process of
//! its own.

use obs_tracing::{XRay, trace_function};
use tracing_subscriber::prelude::*;

use crate::process::{in_child, is_child};
use crate::support::{Daemon, LIMIT, builder, flushed};

/// The environment chooses the road, and Lambda's makes the service's name.
fn trace() -> (u64, Option<String>) {
    let tracer = XRay::builder().in_lambda(false).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || trace_function!("work", ()));
    let report = tracer.flush(LIMIT);
    (report.delivered(), tracer.last_failure().get())
}

#[test]
fn the_environment_chooses_the_road() {
    let daemon = Daemon::start();
    let address = ("AWS_XRAY_DAEMON_ADDRESS", daemon.address());
    in_child("roads::child_that_sends_one", &[address]);
    in_child("roads::child_that_sends_one", &[address, ("OBS_TRACES", "xray")]);
    daemon.documents(2);
    in_child("roads::child_that_sends_nothing", &[address, ("OBS_TRACES", "none")]);
    in_child("roads::child_that_is_refused", &[("OBS_TRACES", "jaeger")]);
    daemon.documents(2);
}

#[test]
fn code_wins_over_the_environment() {
    in_child("roads::child_that_is_told", &[("OBS_TRACES", "none")]);
}

#[test]
#[ignore = "in a process of its own"]
fn child_that_sends_one() {
    if is_child() {
        assert_eq!(trace(), (1, None));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn child_that_sends_nothing() {
    if is_child() {
        assert_eq!(trace(), (0, None));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn child_that_is_refused() {
    if is_child() {
        let error = XRay::builder().build().unwrap_err();
        assert!(error.is_road(), "{error}");
    }
}

#[test]
#[ignore = "in a process of its own"]
fn child_that_is_told() {
    if !is_child() {
        return;
    }
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || trace_function!("work", ()));
    flushed(&daemon, &tracer).named("work");
}

#[test]
#[cfg(feature = "otlp")]
fn a_collector_in_the_environment_is_a_road() {
    use crate::otlp_http::server::Collector;

    let collector = Collector::accepting();
    let url = collector.url();
    let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str());
    in_child(
        "roads::child_that_sends_one",
        &[all, ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")],
    );
    let own = format!("{url}/otherwise");
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own.as_str());
    in_child("roads::child_that_sends_one", &[own, ("OBS_TRACES", "otlp")]);
    let requests = collector.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(lines, ["POST /v1/traces HTTP/1.1", "POST /otherwise HTTP/1.1"]);
    assert_eq!(requests[0].headers["api-key"], "a b");
    assert_eq!(requests.iter().map(|request| request.spans()).sum::<usize>(), 2);
}

/// The documents of one segment and of one span over OTLP, of a tracer that looks around.
#[cfg(feature = "detectors")]
fn detected() -> (serde_json::Value, std::collections::BTreeMap<String, String>) {
    let daemon = Daemon::start();
    let tracer = builder().detect_resource().daemon_at(daemon.address()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || trace_function!("work", ()));
    let document = flushed(&daemon, &tracer).named("work").0.clone();

    let daemon = Daemon::start();
    let tracer = builder().detect_resource().otlp_udp_at(daemon.address()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || trace_function!("work", ()));
    assert_eq!(tracer.flush(LIMIT).delivered(), 1);
    daemon.wait_for(1);
    let request = crate::support::otlp::of_datagram(&daemon.datagrams()[0]);
    let shown = request.resource.into_iter().map(|(key, value)| (key, format!("{value:?}")));
    (document, shown.collect())
}

#[test]
#[cfg(feature = "detectors")]
fn lambda_is_known_by_its_environment_alone() {
    in_child(
        "roads::child_in_lambda",
        &[
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"),
            ("AWS_LAMBDA_FUNCTION_NAME", "orders-fn"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/orders-fn"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[7]abc"),
            ("AWS_REGION", "eu-west-1"),
        ],
    );
}

#[test]
#[ignore = "in a process of its own"]
#[cfg(feature = "detectors")]
fn child_in_lambda() {
    if !is_child() {
        return;
    }
    let began = std::time::Instant::now();
    let (document, resource) = detected();
    // No metadata service was asked: each would take a second here.
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(document["origin"], "AWS::Lambda::Function");
    assert_eq!(document["aws"]["cloudwatch_logs"][0]["log_group"], "/aws/lambda/orders-fn");
    assert_eq!(resource["faas.name"], r#"StringValue("orders-fn")"#);
    assert_eq!(resource["faas.version"], r#"StringValue("7")"#);
    assert_eq!(resource["faas.max_memory"], "IntValue(134217728)");
    assert_eq!(resource["cloud.region"], r#"StringValue("eu-west-1")"#);
    assert_eq!(resource["cloud.platform"], r#"StringValue("aws_lambda")"#);
    assert!(resource["aws.log.group.names"].contains("/aws/lambda/orders-fn"));
    assert_eq!(resource["service.name"], r#"StringValue("orders")"#);
}

#[test]
#[cfg(feature = "detectors")]
fn ec2_is_not_asked_where_its_variable_forbids_it() {
    in_child("roads::child_on_a_laptop", &[("AWS_EC2_METADATA_DISABLED", "true")]);
}

#[test]
#[ignore = "in a process of its own"]
#[cfg(feature = "detectors")]
fn child_on_a_laptop() {
    if !is_child() {
        return;
    }
    let began = std::time::Instant::now();
    let (document, resource) = detected();
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(document.get("origin"), None);
    assert!(!resource.contains_key("cloud.provider"), "{resource:?}");
}

#[test]
#[cfg(feature = "detectors")]
fn ecs_is_asked_by_its_metadata_service() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/v4/x", server.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            let mut header = String::new();
            while reader.read_line(&mut header).unwrap() > 2 {
                header.clear();
            }
            let body = if line.contains("/task") {
                r#"{"Cluster":"c","TaskARN":"arn:aws:ecs:eu-west-1:123456789012:task/c/t","LaunchType":"FARGATE","AvailabilityZone":"eu-west-1a"}"#
            } else {
                r#"{"DockerId":"d","Name":"web","ContainerARN":"arn:aws:ecs:eu-west-1:123456789012:container/x"}"#
            };
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    in_child("roads::child_in_ecs", &[("ECS_CONTAINER_METADATA_URI_V4", &uri)]);
}

#[test]
#[ignore = "in a process of its own"]
#[cfg(feature = "detectors")]
fn child_in_ecs() {
    if !is_child() {
        return;
    }
    let (document, resource) = detected();
    assert_eq!(document["origin"], "AWS::ECS::Container");
    assert_eq!(document["aws"]["account_id"], "123456789012");
    assert_eq!(document["aws"]["ecs"]["container"], "web");
    assert_eq!(document["aws"]["ec2"]["availability_zone"], "eu-west-1a");
    assert_eq!(resource["cloud.platform"], r#"StringValue("aws_ecs")"#);
    assert_eq!(resource["aws.ecs.task.id"], r#"StringValue("t")"#);
}

#[test]
#[cfg(feature = "detectors")]
fn detectors_hold_up_no_caller_and_no_flush() {
    // A service that never answers: each call takes the detectors' whole second.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/v4/x", silent.local_addr().unwrap());
    in_child("roads::child_in_an_ecs_that_is_silent", &[("ECS_CONTAINER_METADATA_URI_V4", &uri)]);
}

#[test]
#[ignore = "in a process of its own"]
#[cfg(feature = "detectors")]
fn child_in_an_ecs_that_is_silent() {
    if !is_child() {
        return;
    }
    let daemon = Daemon::start();
    let began = std::time::Instant::now();
    let tracer = builder().detect_resource().daemon_at(daemon.address()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || trace_function!("work", ()));
    assert!(began.elapsed() < std::time::Duration::from_millis(500), "{:?}", began.elapsed());
    let report = tracer.flush(std::time::Duration::from_millis(600));
    assert!(report.is_complete(), "{report}");
    assert!(began.elapsed() < std::time::Duration::from_millis(1_500), "{:?}", began.elapsed());
    daemon.documents(1).named("work");
}
