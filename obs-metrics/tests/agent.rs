//! The CloudWatch agent's sink over real sockets: scenarios 4, 12, 15, 21 and 38.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use obs_metrics::{FlushReport, MetricsCollector, Sink, Unit, emf, limits};

/// Far more than anything here needs, on any machine.
const LONG: Duration = Duration::from_secs(20);
/// A deadline that is meant to be missed by the sink.
const SHORT: Duration = Duration::from_millis(200);

fn collector(sink: Sink) -> MetricsCollector {
    MetricsCollector::builder()
        .namespace("App")
        .service("orders")
        .sink(sink)
        .document_bytes(limits::EVENT_BYTES)
        .enabled(true)
        .build()
        .unwrap()
}

fn tcp(address: SocketAddr) -> Sink {
    Sink::agent(format!("tcp://{address}"))
}

fn put(metrics: &MetricsCollector, value: f64) {
    metrics.event().put("A", value, Unit::Count);
}

/// A document of about 900 KB.
fn put_large(metrics: &MetricsCollector, value: f64) {
    let mut event = metrics.event();
    event.put("A", value, Unit::Count);
    for n in 0..2 {
        event.property(&format!("p{n}"), "x".repeat(450_000).as_str());
    }
}

/// The values of all documents in `lines`, each of which is valid, but for those that tell of losses.
fn values(lines: &[String]) -> Vec<f64> {
    lines
        .iter()
        .filter(|line| !line.contains("documents_dropped"))
        .flat_map(|line| {
            let document = emf::validate(line).unwrap_or_else(|v| panic!("{v}\n{line}"));
            document.metrics().map(|metric| metric.sum()).collect::<Vec<_>>()
        })
        .collect()
}

/// An agent that reads lines until it is dropped.
struct Agent {
    address: SocketAddr,
    lines: Receiver<String>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    fn at(address: SocketAddr) -> Self {
        let listener = bind(address);
        let address = listener.local_addr().unwrap();
        let (sender, lines) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(&listener, &sender, &stopped));
        Self { address, lines, stop, thread: Some(thread) }
    }

    /// The next lines, as many as asked for.
    fn take(&self, lines: usize) -> Vec<String> {
        (0..lines).map(|_| self.lines.recv_timeout(LONG).unwrap()).collect()
    }
}

impl Drop for Agent {
    /// Closes its port and its connections.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}

/// The port may be held by the system for a moment after it was in use.
fn bind(address: SocketAddr) -> TcpListener {
    let start = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) if start.elapsed() > LONG => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The next connection; a sink that makes none fails the test instead of hanging it.
fn accept(listener: &TcpListener) -> TcpStream {
    let start = Instant::now();
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                connection.set_nonblocking(false).unwrap();
                return connection;
            }
            Err(error) if start.elapsed() > LONG => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn serve(listener: &TcpListener, sender: &Sender<String>, stop: &Arc<AtomicBool>) {
    listener.set_nonblocking(true).unwrap();
    let mut connections = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((connection, _)) => {
                let (sender, stop) = (sender.clone(), Arc::clone(stop));
                connections.push(thread::spawn(move || read(&connection, &sender, &stop)));
            }
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
    connections.into_iter().for_each(|connection| connection.join().unwrap());
}

fn read(connection: &TcpStream, sender: &Sender<String>, stop: &AtomicBool) {
    connection.set_nonblocking(false).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    while !stop.load(Ordering::Relaxed) {
        match reader.read_line(&mut line) {
            Ok(0) => return,
            Ok(_) if line.ends_with('\n') => {
                let _ = sender.send(std::mem::take(&mut line).trim_end().to_owned());
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

#[test]
fn documents_arrive_as_lines_and_name_their_log_group() {
    let agent = Agent::start();
    let metrics = collector(tcp(agent.address).log_group("/app/orders").log_stream("task-1"));
    put(&metrics, 1.0);
    metrics.put_metric("A", 2.0, Unit::Count, &[]);
    assert!(metrics.flush(LONG).is_complete());
    let lines = agent.take(2);
    assert_eq!(values(&lines), [1.0, 2.0]);
    for line in lines {
        let named =
            r#","LogGroupName":"/app/orders","LogStreamName":"task-1","CloudWatchMetrics":"#;
        assert!(line.contains(named), "{line}");
    }
    // Nothing is named where nothing is asked for.
    let metrics = collector(tcp(agent.address));
    put(&metrics, 3.0);
    assert!(metrics.flush(LONG).is_complete());
    let line = agent.take(1).remove(0);
    assert!(!line.contains("LogGroupName"), "{line}");
}

#[test]
fn a_host_name_is_looked_up() {
    let agent = Agent::start();
    let metrics = collector(Sink::agent(format!("tcp://localhost:{}", agent.address.port())));
    put(&metrics, 1.0);
    assert!(metrics.flush(LONG).is_complete());
    assert_eq!(values(&agent.take(1)), [1.0]);
}

#[test]
fn synchronous_documents_are_written_when_the_call_returns() {
    let agent = Agent::start();
    let metrics = collector(tcp(agent.address).synchronous());
    put(&metrics, 1.0);
    assert_eq!(values(&agent.take(1)), [1.0]);
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 1, "{report}");
}

#[test]
fn scenario_12_a_dead_agent_at_ten_times_the_load_stays_within_the_bound_and_the_loss_is_told() {
    const CAPACITY: usize = 16 * 1024;
    let address = Agent::start().address;
    let metrics = collector(tcp(address).capacity_bytes(CAPACITY).log_group("/app"));
    let start = Instant::now();
    let mut recorded = 0.0;
    while recorded * 200.0 < 10.0 * CAPACITY as f64 {
        put(&metrics, 1.0);
        recorded += 1.0;
    }
    let report = metrics.flush(SHORT);
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    assert!(report.dropped() > 0 && report.pending() > 0 && report.failed() == 0, "{report}");
    // It recovers: what was kept arrives, and what was lost is told, to the group of the documents.
    let agent = Agent::at(address);
    put(&metrics, 1.0);
    recorded += 1.0;
    let after = metrics.flush(LONG);
    assert_eq!((after.pending(), after.failed()), (0, 0), "{after}");
    put(&metrics, 1.0);
    recorded += 1.0;
    let last = metrics.flush(LONG);
    let delivered = after.delivered() + last.delivered();
    let lines = agent.take(usize::try_from(delivered).unwrap() + 1);
    let told: Vec<_> = lines.iter().filter(|line| line.contains("documents_dropped")).collect();
    assert!(told.len() == 1 && told[0].contains("queue_full"), "{told:?}");
    assert!(emf::validate(told[0]).is_ok() && told[0].contains(r#""LogGroupName":"/app""#));
    let kept: usize = lines.iter().map(String::len).sum();
    assert!(kept <= CAPACITY + 1024, "{kept}");
    let dropped = (report.dropped() + after.dropped() + last.dropped()) as f64;
    assert_eq!(values(&lines).iter().sum::<f64>() + dropped, recorded);
}

#[test]
fn an_agent_that_dies_and_comes_back_gets_everything_that_had_room() {
    let agent = Agent::start();
    let address = agent.address;
    let metrics = collector(tcp(address));
    put(&metrics, 1.0);
    assert!(metrics.flush(LONG).is_complete());
    assert_eq!(values(&agent.take(1)), [1.0]);
    drop(agent);
    for n in 2..50 {
        put(&metrics, f64::from(n));
    }
    let report = metrics.flush(SHORT);
    assert_eq!((report.failed(), report.dropped(), report.pending()), (0, 0, 48), "{report}");
    let agent = Agent::at(address);
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 48, "{report}");
    assert_eq!(values(&agent.take(48)), (2..50).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn scenario_15_when_the_kept_connection_is_dead_a_fresh_one_is_tried_first() {
    for synchronous in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sink = tcp(listener.local_addr().unwrap());
        let metrics = collector(if synchronous { sink.synchronous() } else { sink });
        for n in 0..5 {
            let document = {
                let metrics = metrics.clone();
                thread::spawn(move || {
                    put(&metrics, f64::from(n));
                    metrics.flush(LONG)
                })
            };
            // Each connection is closed after one document, as if while the process was frozen.
            let connection = accept(&listener);
            let mut line = String::new();
            BufReader::new(connection).read_line(&mut line).unwrap();
            assert_eq!(values(&[line]), [f64::from(n)]);
            let report = document.join().unwrap();
            assert!(report.is_complete() && report.delivered() == 1, "{report}");
        }
    }
}

#[test]
fn scenario_4_an_agent_that_never_reads_blocks_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = collector(tcp(listener.local_addr().unwrap()).capacity_bytes(8 << 20));
    let start = Instant::now();
    // More than the system's buffers and the queue take.
    for n in 0..64 {
        put_large(&metrics, f64::from(n));
    }
    let recorded_in = start.elapsed();
    let start = Instant::now();
    let report = metrics.flush(SHORT);
    assert!(report.pending() > 0 && report.dropped() > 0, "{report}");
    assert!(start.elapsed() >= SHORT && start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    assert!(recorded_in < LONG, "{recorded_in:?}");
    let start = Instant::now();
    drop(metrics);
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    drop(listener);
}

#[test]
fn scenario_4_one_blocked_part_of_a_tee_never_delays_the_other() {
    let blocked = TcpListener::bind("127.0.0.1:0").unwrap();
    let agent = Agent::start();
    let metrics = collector(Sink::tee([
        tcp(blocked.local_addr().unwrap()).capacity_bytes(2 << 20),
        tcp(agent.address).capacity_bytes(64 << 20),
    ]));
    for n in 0..48 {
        put_large(&metrics, f64::from(n));
    }
    // Everything arrives at one part, while the other stands still.
    let lines = agent.take(48);
    assert_eq!(values(&lines), (0..48).map(f64::from).collect::<Vec<_>>());
    let report = metrics.flush(SHORT);
    let [stuck, free] = report.lanes() else { panic!("{report}") };
    assert!(stuck.dropped > 0 && stuck.pending > 0, "{stuck}");
    assert_eq!((free.delivered, free.dropped, free.pending), (48, 0, 0), "{free}");
}

#[test]
fn scenario_21_a_line_cut_by_a_reset_is_sent_again_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = collector(tcp(listener.local_addr().unwrap()).capacity_bytes(64 << 20));
    for n in 0..48 {
        put_large(&metrics, f64::from(n));
    }
    let flush = {
        let metrics = metrics.clone();
        thread::spawn(move || metrics.flush(LONG))
    };
    // Reads one line and a half. What is unread when it closes makes a reset of the end.
    let mut first = accept(&listener);
    let mut cut = vec![0; 1_350_000];
    first.read_exact(&mut cut).unwrap();
    drop(first);
    let second = accept(&listener);
    let reader = thread::spawn(move || {
        BufReader::new(second).lines().collect::<Result<Vec<String>, _>>().unwrap()
    });
    let report: FlushReport = flush.join().unwrap();
    assert_eq!((report.delivered(), report.failed(), report.pending()), (48, 0, 0), "{report}");
    drop(metrics);
    // All of them whole, in order, up to the last.
    let found = values(&reader.join().unwrap());
    let first = *found.first().unwrap();
    assert!(first > 1.0, "{first}");
    assert_eq!(found.last(), Some(&47.0));
    assert_eq!(found.len() as f64, 48.0 - first, "{found:?}");
}

/// A UDP agent's socket, and a sink that sends to it.
fn udp() -> (UdpSocket, Sink) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let sink = Sink::agent(format!("udp://{}", socket.local_addr().unwrap()));
    (socket, sink)
}

fn receive(socket: &UdpSocket) -> String {
    let mut datagram = vec![0; 1 << 16];
    let n = socket.recv(&mut datagram).unwrap();
    datagram.truncate(n);
    String::from_utf8(datagram).unwrap()
}

#[test]
fn over_udp_a_document_is_a_datagram() {
    let (socket, sink) = udp();
    let metrics = collector(sink.log_group("/app"));
    for n in 0..3 {
        put(&metrics, f64::from(n));
    }
    assert!(metrics.flush(LONG).is_complete());
    for n in 0..3 {
        let datagram = receive(&socket);
        assert!(datagram.ends_with('}') && datagram.contains(r#""LogGroupName":"/app""#));
        assert_eq!(values(&[datagram]), [f64::from(n)]);
    }
}

#[test]
fn over_udp_a_host_with_several_addresses_is_found_at_the_one_that_answers() {
    let (socket, _) = udp();
    // On many machines the first address of this name is ::1, where nothing listens.
    let address = format!("udp://localhost:{}", socket.local_addr().unwrap().port());
    let metrics = collector(Sink::agent(address));
    put(&metrics, 1.0);
    put(&metrics, 2.0);
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 2, "{report}");
    assert_eq!(values(&[receive(&socket), receive(&socket)]), [1.0, 2.0]);
}

#[test]
fn scenario_18_documents_are_made_so_small_that_a_datagram_takes_them() {
    let (socket, sink) = udp();
    let metrics = collector(sink);
    put_large(&metrics, 1.0);
    for n in 0..100 {
        // 100 metrics with names and values of the longest kind exceed a datagram.
        for value in 0..20 {
            let name = format!("{n:03}{}", "x".repeat(250));
            metrics.put_metric(&name, f64::from(value) + 0.123_456_789, Unit::Count, &[]);
        }
    }
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() > 2, "{report}");
    for _ in 0..report.delivered() {
        let datagram = receive(&socket);
        assert!(datagram.len() <= limits::DATAGRAM_BYTES, "{}", datagram.len());
        assert!(emf::validate(&datagram).is_ok(), "{datagram}");
    }
}

#[test]
fn scenario_38_a_datagram_that_cannot_be_sent_does_not_stop_the_rest() {
    let (socket, sink) = udp();
    let metrics = collector(sink);
    put(&metrics, 1.0);
    // Dimensions of the longest kind, each character escaped: no planning makes that smaller.
    let names: Vec<String> = (0..29).map(|n| format!("{n:02}{}", "\"".repeat(248))).collect();
    let value = "\"".repeat(limits::DIMENSION_VALUE_CHARS);
    let dimensions: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    metrics.put_metric("A", 2.0, Unit::Count, &dimensions);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (1, 1), "{report}");
    assert_eq!(report.lanes()[0].reasons, [(obs_core::lane::Reason::TooLarge, 1)]);
    put(&metrics, 3.0);
    assert_eq!(metrics.flush(LONG).delivered(), 1);
    assert_eq!(values(&[receive(&socket)]), [1.0]);
    // The stream says what was lost.
    let next = [receive(&socket), receive(&socket)];
    assert_eq!(values(&next), [3.0]);
    assert!(next.iter().any(|line| line.contains(r#""too_large":1"#)), "{next:?}");
}

#[test]
fn scenario_12_over_udp_a_closed_port_is_counted_and_found_again() {
    let (socket, sink) = udp();
    let address = socket.local_addr().unwrap();
    let metrics = collector(sink);
    put(&metrics, 1.0);
    assert!(metrics.flush(LONG).is_complete());
    assert_eq!(values(&[receive(&socket)]), [1.0]);
    drop(socket);
    for _ in 0..10 {
        put(&metrics, 2.0);
    }
    let report = metrics.flush(LONG);
    assert_eq!((report.failed(), report.pending()), (10, 0), "{report}");
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    put(&metrics, 3.0);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (1, 0), "{report}");
    assert_eq!(values(&[receive(&socket)]), [3.0]);
}
