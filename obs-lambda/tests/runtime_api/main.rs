//! A real function process against a Runtime API server: what leaves the process, and when.
//!
//! The function is this test's own binary, started again in the role of [`function`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of the tests, and a function that fails as it is told"
)]

mod server;

use std::net::UdpSocket;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_lambda::{Error, LambdaEvent, Telemetry};
use obs_logging::StructuredLogger;
use serde_json::{Value, json};
use server::{Answer, Invocation, RuntimeApi};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

const LIMIT: Duration = Duration::from_secs(20);
const ROLE: &str = "OBS_LAMBDA_TEST_ROLE";
/// What the function is.
const PLAIN: &str = "plain";
const HOLDING: &str = "holding debug lines until an invocation fails";
const CALLING_BEFORE: &str = "with a logger that calls the panic hook before it";
const FOREIGN_HOOK: &str = "with a panic hook that was set later";

/// Not a test of its own: the function that the tests invoke.
#[test]
fn function() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let served = match role.as_str() {
        HOLDING => {
            // The line of the failure itself is hidden: it is the failure that counts.
            let logger = StructuredLogger::builder()
                .level("info,obs_lambda=off")
                .buffer_until_error(64 * 1024);
            let telemetry = Telemetry::from_env().unwrap().with_logger(logger.build().unwrap());
            telemetry.install();
            runtime.block_on(obs_lambda::run_with(telemetry, handler))
        }
        CALLING_BEFORE => {
            std::panic::set_hook(Box::new(|info| {
                eprintln!("hook before: {}", info.payload_as_str().unwrap_or_default());
            }));
            let logger = StructuredLogger::builder().build().unwrap();
            let telemetry = Telemetry::from_env().unwrap().with_logger(logger);
            telemetry.install();
            runtime.block_on(obs_lambda::run_with(telemetry, handler))
        }
        FOREIGN_HOOK => {
            let telemetry = Telemetry::from_env().unwrap();
            telemetry.install();
            std::panic::set_hook(Box::new(|_| {}));
            runtime.block_on(obs_lambda::run_with(telemetry, handler))
        }
        _ => runtime.block_on(obs_lambda::run(handler)),
    };
    served.unwrap();
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let metrics = obs_core::handle::current::<obs_metrics::MetricsCollector>().unwrap();
    let what = event.payload["do"].as_str().unwrap_or_default().to_owned();
    tracing::debug!(what, "looked up");
    tracing::info!(what, "handling");
    metrics.put_metric("Handled", 1.0, obs_metrics::Unit::Count, &[]);
    if what == "fail badly" {
        return Err(Box::new(Hostile));
    }
    inner(&what).await?;
    Ok(json!({ "done": what }))
}

/// An error that cannot even be looked at.
struct Hostile;

impl std::fmt::Debug for Hostile {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("Debug panics");
    }
}

impl std::fmt::Display for Hostile {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("Display panics");
    }
}

impl std::error::Error for Hostile {}

#[obs_tracing::traced]
async fn inner(what: &str) -> Result<(), std::num::ParseIntError> {
    tokio::task::yield_now().await;
    match what {
        "panic" => panic!("as it was told"),
        "fail" => "not a number".parse::<i32>().map(drop),
        _ => Ok(()),
    }
}

/// A function process with everything that it says.
struct Function {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
    daemon: UdpSocket,
}

impl Function {
    fn start(api: &RuntimeApi, role: &str) -> Self {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        daemon.set_nonblocking(true).unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "function", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "orders")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("OBS_METRICS_NAMESPACE", "Test")
            .env("AWS_XRAY_DAEMON_ADDRESS", daemon.local_addr().unwrap().to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = Self::collect(process.stdout.take().unwrap());
        let stderr = Self::collect(process.stderr.take().unwrap());
        Self { process, lines, stderr, daemon }
    }

    fn collect(out: impl AsyncRead + Unpin + Send + 'static) -> Arc<Mutex<Vec<String>>> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut out = BufReader::new(out).lines();
            while let Ok(Some(line)) = out.next_line().await {
                seen.lock().unwrap().push(line);
            }
        });
        lines
    }

    /// Stops the process as Lambda freezes it: what is not out now never comes.
    async fn freeze(&self) {
        self.signal("STOP").await;
        // What the pipe holds is still read.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let id = self.process.id().unwrap().to_string();
        let done = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
        assert!(done.success());
    }

    /// The JSON lines since the last call.
    fn take_lines(&self) -> Vec<Value> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        // The test runner's own words share the first line.
        lines
            .iter()
            .filter_map(|line| line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok()))
            .collect()
    }

    /// The segment documents since the last call.
    fn take_segments(&self) -> Vec<Value> {
        let mut segments = Vec::new();
        let mut datagram = [0; 65_536];
        while let Ok(n) = self.daemon.recv(&mut datagram) {
            let text = std::str::from_utf8(&datagram[..n]).unwrap();
            let (header, document) = text.split_once('\n').unwrap();
            assert_eq!(header, r#"{"format":"json","version":1}"#);
            segments.push(serde_json::from_str(document).unwrap());
        }
        segments
    }
}

/// What left the process by the time that it answered one invocation.
struct Observed {
    answer: Answer,
    lines: Vec<Value>,
    segments: Vec<Value>,
    stderr: Vec<String>,
}

impl Observed {
    fn line(&self, message: &str) -> &Value {
        self.lines
            .iter()
            .find(|line| line["message"] == message)
            .unwrap_or_else(|| panic!("no line {message:?} in {:#?}", self.lines))
    }

    fn segment(&self, name: &str) -> &Value {
        self.segments
            .iter()
            .find(|segment| segment["name"] == name)
            .unwrap_or_else(|| panic!("no segment {name:?} in {:#?}", self.segments))
    }

    /// A member of each line that is no EMF document.
    fn logged(&self, key: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|line| line.get("_aws").is_none());
        lines.map(|line| line[key].as_str().unwrap_or_default()).collect()
    }

    /// The values of a metric, over all EMF documents.
    fn metric(&self, name: &str) -> Vec<&Value> {
        self.lines
            .iter()
            .filter(|line| line.get("_aws").is_some())
            .filter_map(|line| line.get(name))
            .collect()
    }
}

fn invocation(id: &str, what: &str, trace: Option<&str>) -> Invocation {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Invocation {
        id: id.to_owned(),
        trace: trace.map(str::to_owned),
        deadline_ms: u64::try_from((now + Duration::from_secs(60)).as_millis()).unwrap(),
        payload: json!({ "do": what }).to_string(),
    }
}

/// Runs the invocations one after the other, with a freeze after each answer.
async fn observe(invocations: Vec<Invocation>) -> Vec<Observed> {
    observe_as(PLAIN, invocations).await
}

async fn observe_as(role: &str, invocations: Vec<Invocation>) -> Vec<Observed> {
    let n = invocations.len();
    let mut api = RuntimeApi::start(invocations).await;
    let function = Function::start(&api, role);
    let mut observed = Vec::new();
    for _ in 0..n {
        let answer =
            tokio::time::timeout(LIMIT, api.answers.recv()).await.expect("an answer").unwrap();
        function.freeze().await;
        let (lines, segments) = (function.take_lines(), function.take_segments());
        let stderr = std::mem::take(&mut *function.stderr.lock().unwrap());
        function.thaw().await;
        let (unused, _) = tokio::sync::oneshot::channel();
        let Answer { id, is_error, body, go_on } = answer;
        go_on.send(()).unwrap();
        observed.push(Observed {
            answer: Answer { id, is_error, body, go_on: unused },
            lines,
            segments,
            stderr,
        });
    }
    observed
}

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

#[tokio::test]
async fn scenario_07_all_has_left_before_the_response_and_carries_the_invocations_ids() {
    let all =
        observe(vec![invocation("first", "work", Some(TRACE)), invocation("second", "work", None)])
            .await;
    let [first, second] = &all[..] else { panic!("two answers") };

    assert_eq!((first.answer.id.as_str(), first.answer.is_error), ("first", false));
    assert_eq!(first.answer.body, r#"{"done":"work"}"#);
    let line = first.line("handling");
    assert_eq!(line["function_request_id"], "first");
    assert_eq!(line["cold_start"], true);
    assert_eq!(line["xray_trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(line["service"], "orders");
    assert_eq!(first.metric("Handled"), [&json!(1)]);

    let (handler, inner) = (first.segment("handler"), first.segment("inner"));
    assert_eq!(handler["type"], "subsegment");
    assert_eq!(handler["parent_id"], "53995c3f42cd8ad8");
    assert_eq!(handler["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(inner["parent_id"], handler["id"]);
    assert_eq!(line["span_id"], handler["id"]);

    // Scenario 31: nothing of the first invocation is left in the second.
    assert!(
        second.lines.iter().all(|line| line["function_request_id"] == "second"),
        "{:#?}",
        second.lines
    );
    assert_eq!(second.line("handling")["cold_start"], false);
    assert_eq!(second.metric("Handled"), [&json!(1)]);
    let handler = second.segment("handler");
    assert_ne!(handler["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(handler["type"], Value::Null, "without a header it is a segment of its own");
}

#[tokio::test]
async fn scenario_19_an_error_whose_debug_panics_costs_nothing_that_was_recorded() {
    let all = observe(vec![invocation("bad", "fail badly", Some(TRACE))]).await;
    assert!(all[0].answer.is_error);
    assert_eq!(all[0].metric("Handled"), [&json!(1)]);
    assert_eq!(all[0].segment("handler")["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    let line = all[0].line("Debug panics");
    assert_eq!(line["function_request_id"], "bad");
    assert_eq!(line["error_type"], "panic");
}

#[tokio::test]
async fn scenario_34_errors_and_panics_are_told_with_the_invocations_ids_and_the_function_goes_on()
{
    let all = observe(vec![
        invocation("fails", "fail", Some(TRACE)),
        invocation("panics", "panic", Some(TRACE)),
        invocation("works", "work", Some(TRACE)),
    ])
    .await;
    let [fails, panics, works] = &all[..] else { panic!("three answers") };

    assert!(fails.answer.is_error);
    let answer: Value = serde_json::from_str(&fails.answer.body).unwrap();
    assert_eq!(answer["errorType"], "ParseIntError");
    let line = fails.line("Invocation failed");
    assert_eq!(line["error_type"], "ParseIntError");
    assert_eq!(line["error_message"], "invalid digit found in string");
    assert_eq!(line["function_request_id"], "fails");
    assert_eq!(fails.segment("inner")["annotations"]["status"], "error");
    assert_eq!(fails.segment("handler")["annotations"]["status"], "error");
    assert_eq!(fails.metric("Handled"), [&json!(1)], "what was recorded before the error is kept");

    assert!(panics.answer.is_error);
    let line = panics.line("as it was told");
    assert_eq!(line["error_type"], "panic");
    assert_eq!(line["error_message"], "as it was told");
    assert_eq!(line["function_request_id"], "panics");
    assert_eq!(line["span_id"], panics.segment("inner")["id"], "where it happened");
    assert!(line["traceback"].as_str().unwrap().contains("inner"), "{line}");
    assert_eq!(panics.logged("level"), ["INFO", "ERROR"], "one line tells of it, not two");
    assert_eq!(panics.segment("inner")["annotations"]["status"], "panicked");
    assert_eq!(panics.segment("handler")["annotations"]["status"], "panicked");

    assert!(!works.answer.is_error);
    assert_eq!(works.segment("handler")["annotations"]["status"], "success");
}

#[tokio::test]
async fn what_is_held_comes_with_the_invocation_that_fails() {
    let all = observe_as(
        HOLDING,
        vec![
            invocation("works", "work", None),
            invocation("fails", "fail", None),
            invocation("panics", "panic", None),
            invocation("again", "work", None),
        ],
    )
    .await;
    let [works, fails, panics, again] = &all[..] else { panic!("four answers") };
    assert_eq!(works.logged("message"), ["handling"]);
    assert_eq!(fails.logged("message"), ["handling", "looked up"]);
    assert_eq!(fails.line("looked up")["level"], "DEBUG");
    assert_eq!(panics.logged("message"), ["handling", "looked up", "as it was told"]);
    // Scenario 31: a warm invocation begins without what was held before.
    assert_eq!(again.logged("message"), ["handling"]);
    for observed in &all {
        let ids = observed.logged("function_request_id");
        assert!(ids.iter().all(|id| *id == observed.answer.id), "{ids:?}");
    }
}

#[tokio::test]
async fn scenario_41_a_panics_text_is_not_on_stderr_unless_a_logger_calls_the_hook_before() {
    let all = observe(vec![invocation("panics", "panic", None)]).await;
    assert_eq!(all[0].line("as it was told")["error_type"], "panic");
    let stderr = all[0].stderr.join("\n");
    assert!(!stderr.contains("as it was told"), "{stderr}");

    let all = observe_as(CALLING_BEFORE, vec![invocation("panics", "panic", None)]).await;
    assert_eq!(all[0].line("as it was told")["error_type"], "panic");
    let stderr = all[0].stderr.join("\n");
    assert_eq!(stderr.matches("hook before: as it was told").count(), 1, "{stderr}");
}

#[tokio::test]
async fn a_panic_is_told_of_also_where_the_hook_is_another() {
    let all = observe_as(FOREIGN_HOOK, vec![invocation("panics", "panic", None)]).await;
    let line = all[0].line("Invocation panicked");
    assert_eq!(line["error_message"], "as it was told");
    assert_eq!(line["function_request_id"], "panics");
    assert_eq!(all[0].logged("level"), ["INFO", "ERROR"]);
}
