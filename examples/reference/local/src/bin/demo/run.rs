//! The demo's course: deploy, send, wait, read back, report.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use obs_reference_local::daemon::{Segment, traces};
use obs_reference_local::{
    Deployment, Function, Invocation, MetricReport, Outcome, Result, Settings, StepObserver as _,
    TopicMessage,
};

use crate::figures;
use crate::report::{Report, Series};
use crate::show::{Steps, say};

/// Segments come by UDP before the response does; this is for a busy machine.
const SEGMENT_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the demo; everything that was not as it must be, in words.
pub(crate) async fn run(input: &Path, keep: bool) -> Result<Vec<String>> {
    let settings = Settings::from_env()?;
    let mut steps = Steps::new();
    let bytes = fs::read(input).map_err(|error| obs_reference_local::Error::input(input, error))?;
    let name = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let deployment = Deployment::start(&settings, &mut steps).await?;

    steps.begin("process the file");
    let size = bytes.len();
    let sent = Instant::now();
    let key = deployment.put_input(&name, bytes).await?;
    let outcome = settled(&deployment, &key).await?;
    steps.end(&format!("{name}, {} bytes", figures::number(as_float(size))));

    let mut problems = Vec::new();
    steps.begin("wait for the alert");
    let alert = if expects_alert(&deployment, &outcome)? {
        let alert = deployment.wait_for_alert(&key).await?;
        steps.end(&format!("{} after the upload", figures::duration(sent.elapsed())));
        Some(alert)
    } else {
        steps.end("none to come");
        None
    };

    steps.begin("read back");
    let mut invocations = outcome.invocations.clone();
    if let Some(alert) = &alert {
        let id = alert.body.get("event_id").and_then(|id| id.as_str()).unwrap_or(&key);
        invocations.extend(deployment.wait_for_invocations(Function::AlertProcessor, id, 1).await?);
    }
    let metrics = MetricReport::of(&invocations);
    problems.extend(metrics.violations.iter().map(|text| format!("invalid EMF document: {text}")));
    deployment.put_metrics(&metrics.metrics).await?;
    let series = read_series(&deployment, &metrics, &mut problems).await?;
    let alarm = deployment.alarm().await?;
    let segments = wait_for_segments(&deployment, &invocations, &mut problems).await;
    let logs = write_logs(&deployment, &settings.work).await?;
    steps.end(&format!("{} metrics, {} segments", series.len(), segments.len()));

    let report = Report {
        deployment: &deployment,
        outcome: &outcome,
        invocations: &invocations,
        documents: metrics.documents,
        invalid: metrics.violations.len(),
        series: &series,
        alarm: &alarm,
        alert: alert.as_ref(),
        traces: &traces(&segments),
        logs: &logs,
    };
    for line in report.lines()? {
        say(&line);
    }
    if keep {
        say(&format!("\nThe backend goes on at {}; Ctrl-C stops it.", deployment.endpoint()));
        std::future::pending::<()>().await;
    }
    deployment.stop()?;
    Ok(problems)
}

/// The outcome when nothing more will come of the file: a failed invocation is tried again.
async fn settled(deployment: &Deployment, key: &str) -> Result<Outcome> {
    let outcome = deployment.wait_for_outcome(key).await?;
    if outcome.message("Batch processing failed").is_none() {
        return Ok(outcome);
    }
    deployment.wait_for_dead_letter(Function::Pipeline, key).await?;
    deployment.wait_for_outcome(key).await
}

/// Whether the pipeline publishes an alert about this file: it failed, or its quality is too low.
fn expects_alert(deployment: &Deployment, outcome: &Outcome) -> Result<bool> {
    if outcome.message("Batch processing failed").is_some() {
        return Ok(true);
    }
    let threshold = deployment.variable(Function::Pipeline, "QUALITY_THRESHOLD")?;
    let threshold = threshold.and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let score = outcome.summary().pointer("/quality/score").and_then(serde_json::Value::as_f64);
    Ok(score.is_some_and(|score| score < threshold))
}

/// Every series once, as the backend gave it back.
async fn read_series(
    deployment: &Deployment,
    metrics: &MetricReport,
    problems: &mut Vec<String>,
) -> Result<Vec<Series>> {
    let mut series = Vec::new();
    let mut seen = BTreeSet::new();
    for metric in &metrics.metrics {
        if !seen.insert((&metric.namespace, &metric.name, &metric.dimensions)) {
            continue;
        }
        match deployment.stored_metric(metric).await? {
            Some(stored) => series.push(Series { metric: metric.clone(), stored }),
            None => problems.push(format!("{} was put and could not be read back", metric.name)),
        }
    }
    Ok(series)
}

/// The segments of these invocations' traces, once each trace has one.
async fn wait_for_segments(
    deployment: &Deployment,
    invocations: &[Invocation],
    problems: &mut Vec<String>,
) -> Vec<Segment> {
    let ids: BTreeSet<&str> = invocations.iter().filter_map(Invocation::trace_id).collect();
    let deadline = Instant::now() + SEGMENT_PATIENCE;
    let missing = loop {
        let missing: Vec<_> = ids.iter().filter(|id| deployment.segments(id).is_empty()).collect();
        if missing.is_empty() || Instant::now() >= deadline {
            break missing;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    problems.extend(missing.into_iter().map(|id| format!("no segment of the trace {id} arrived")));
    for datagram in deployment.datagrams() {
        if let Err(violations) = &datagram.segment {
            let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
            problems.push(format!("invalid segment document: {}", violations.join("; ")));
        }
    }
    if ids.is_empty() {
        problems.push("no log line carries a trace id".to_owned());
    }
    ids.iter().flat_map(|id| deployment.segments(id)).collect()
}

/// Keeps what the log groups hold, because the backend's memory ends with it.
async fn write_logs(
    deployment: &Deployment,
    folder: &Path,
) -> Result<Vec<(Function, PathBuf, usize)>> {
    let mut logs = Vec::new();
    for function in Function::ALL {
        let invocations = deployment.invocations(function).await?;
        let lines: Vec<_> = invocations
            .iter()
            .flat_map(|invocation| &invocation.lines)
            .map(|line| line.text.as_str())
            .collect();
        let path = folder.join(format!("{}.log", deployment.function_name(function)?));
        fs::write(&path, lines.join("\n") + "\n")
            .map_err(|error| obs_reference_local::Error::input(&path, error))?;
        logs.push((function, path, lines.len()));
    }
    Ok(logs)
}

/// The alert's own time, and when it arrived.
pub(crate) fn way_of(alert: &TopicMessage) -> Option<Duration> {
    alert.arrived_at.duration_since(alert.published_at()?).ok()
}

#[expect(clippy::cast_precision_loss, reason = "a file's size, shown")]
fn as_float(size: usize) -> f64 {
    size as f64
}
