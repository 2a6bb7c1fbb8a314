//! What arrives, and in which form.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_metrics::{CloudWatch, MetricsCollector, Sink, Unit, emf};

use crate::server::Service;
use crate::{LONG, builder, collector, numbered, put_numbered};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_series_arrives_as_it_was_recorded() {
    let service = Service::accepting();
    let metrics = collector(&service);
    let pipeline = [("Pipeline", "sales")];
    for value in [2.5, 1.25, 2.5, 40.0] {
        metrics.put_metric("Latency", value, Unit::Milliseconds, &pipeline);
    }
    metrics.put_metric("Depth", 17.0, Unit::None, &[]);
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 2);
    let [request] = &service.requests()[..] else { panic!("not one request") };
    assert_eq!(request.namespace, "App");
    let [latency, depth] = &request.data[..] else { panic!("{:?}", request.data) };
    assert_eq!(latency.name, "Latency");
    assert_eq!(latency.unit, "Milliseconds");
    assert_eq!(latency.values, [(1.25, 1.0), (2.5, 2.0), (40.0, 1.0)]);
    assert_eq!(latency.sum(), 46.25);
    assert!(!latency.single && depth.single);
    let pairs: Vec<_> = latency.dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("Environment", "test"), ("Pipeline", "sales"), ("Service", "orders")]);
    assert_eq!((depth.values[0], depth.unit.as_str()), ((17.0, 1.0), "None"));
    // Standard resolution is the service's default.
    assert_eq!((latency.resolution, depth.resolution), (None, None));
}

#[test]
fn further_sets_of_the_collector_and_of_an_event_arrive() {
    let service = Service::accepting();
    let sets = builder(Sink::cloudwatch(&service.config())).dimension_set(&["Service"]);
    let metrics = sets.build().unwrap();
    for _ in 0..2 {
        let mut event = metrics.event();
        event.dimension("Pipeline", "sales").put("Records", 250.0, Unit::Count);
        event.dimension_set(&["Pipeline"]).dimension_set(&["Pipline"]).emit();
    }
    assert!(metrics.flush(LONG).is_complete());
    let [request] = &service.requests()[..] else { panic!("not one request") };
    let sent = request.data.iter().map(|datum| {
        let names: Vec<_> = datum.dimensions.keys().map(String::as_str).collect();
        assert_eq!((datum.name.as_str(), &datum.values[..]), ("Records", &[(250.0, 2.0)][..]));
        names.join(",")
    });
    let sent: Vec<_> = sent.collect();
    assert_eq!(sent, ["Environment,Pipeline,Service", "Service", "Pipeline"]);
}

#[test]
fn a_tee_has_events_as_lines_and_series_in_both() {
    let (service, written) = (Service::accepting(), Written::default());
    let sinks = [Sink::writer(written.clone()), Sink::cloudwatch(&service.config())];
    let metrics = builder(Sink::tee(sinks)).build().unwrap();
    metrics.put_metric("Put", 1.0, Unit::Count, &[]);
    metrics.event().put("InEvent", 2.0, Unit::Count);
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert!(service.names().contains(&"Put".to_owned()));
    let lines = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    for name in ["\"Put\":1", "\"InEvent\":2"] {
        assert!(lines.lines().any(|line| line.contains(name)), "{lines}");
    }
    lines.lines().for_each(|line| assert!(emf::validate(line).is_ok(), "{line}"));
}

#[test]
fn all_units_arrive_by_their_names() {
    let service = Service::accepting();
    let metrics = collector(&service);
    for (n, unit) in Unit::ALL.iter().enumerate() {
        metrics.put_metric(&format!("N{n:02}"), 1.0, *unit, &[]);
    }
    assert!(metrics.flush(LONG).is_complete());
    let mut arrived = service.arrived();
    arrived.sort_by(|a, b| a.name.cmp(&b.name));
    let units: Vec<_> = arrived.iter().map(|datum| datum.unit.as_str()).collect();
    assert_eq!(units, Unit::ALL.iter().map(|unit| unit.as_str()).collect::<Vec<_>>());
}

#[test]
fn scenario_9_the_last_handle_sends_what_is_left() {
    let service = Service::accepting();
    let metrics = collector(&service);
    put_numbered(&metrics, 3);
    drop(metrics);
    service.wait_until("the series", |service| service.names() == numbered(3));
}

#[test]
fn large_bodies_are_compressed_and_small_ones_are_not() {
    let check = |service: &Service, sink: Sink, series: usize, compressed: bool| {
        let before = service.requests().len();
        let metrics = builder(sink).build().unwrap();
        put_numbered(&metrics, series);
        assert!(metrics.flush(LONG).is_complete());
        let requests = service.requests();
        let [request] = &requests[before..] else { panic!("not one request") };
        assert_eq!(request.data.len(), series);
        let encoding = request.headers.get("content-encoding").map(String::as_str);
        assert_eq!(encoding, compressed.then_some("gzip"), "{} bytes", request.bytes);
        let sent: usize = request.headers["content-length"].parse().unwrap();
        if compressed {
            assert!(sent * 4 < request.bytes, "{sent} of {}", request.bytes);
        } else {
            assert_eq!(sent, request.bytes);
        }
    };
    let service = Service::accepting();
    check(&service, Sink::cloudwatch(&service.config()), 900, true);
    check(&service, Sink::cloudwatch(&service.config()), 30, true);
    check(&service, Sink::cloudwatch(&service.config()), 3, false);
    // As the configuration says, where it says something.
    let off = service.config().into_builder().disable_request_compression(true).build();
    check(&service, Sink::cloudwatch(&off), 900, false);
    let late = service.config().into_builder().request_min_compression_size_bytes(500_000).build();
    check(&service, Sink::cloudwatch(&late), 900, false);
}

#[test]
fn a_sink_without_region_or_credentials_does_not_start() {
    let bare = aws_config::SdkConfig::builder().build();
    let error = builder(Sink::cloudwatch(&bare)).build().unwrap_err();
    assert!(error.is_sink() && error.to_string().contains("AWS_REGION"), "{error}");
    let region = aws_config::Region::new("eu-central-1");
    let config = aws_config::SdkConfig::builder().region(region).build();
    let error = builder(Sink::cloudwatch(&config)).build().unwrap_err();
    assert!(error.is_sink() && error.to_string().contains("credentials"), "{error}");
}

#[test]
fn scenario_2_a_flush_works_inside_and_outside_of_a_runtime() {
    use tokio::runtime::Builder;
    let service = Service::accepting();
    let check = |flush: &dyn Fn(&MetricsCollector)| {
        let before = service.arrived().len();
        let metrics = collector(&service);
        put_numbered(&metrics, 2);
        flush(&metrics);
        assert_eq!(service.arrived().len(), before + 2);
    };
    check(&|metrics| assert!(metrics.flush(LONG).is_complete()));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    check(&|metrics| runtime.block_on(async { assert!(metrics.flush(LONG).is_complete()) }));
    check(&|metrics| assert!(runtime.block_on(metrics.flush_async(LONG)).is_complete()));
    drop(runtime);
    // The runtime in which the configuration was made and first used is gone.
    check(&|metrics| assert!(metrics.shutdown(LONG).is_complete()));
}

#[test]
fn settings_have_bounds() {
    let service = Service::accepting();
    let sink = CloudWatch::new(&service.config()).attempts(0).request_timeout(Duration::ZERO);
    let debug = format!("{sink:?}");
    assert!(debug.contains("attempts: 1") && debug.contains("10ms"), "{debug}");
    assert!(!debug.contains("not-a-secret"), "{debug}");
    assert_eq!(sink.last_failure().to_string(), "no failure");
}
