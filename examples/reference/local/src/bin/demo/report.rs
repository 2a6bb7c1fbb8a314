//! The report: what was read back, section by section.

use std::path::{Path, PathBuf};

use obs_reference_local::daemon::{Node, Trace};
use obs_reference_local::{
    AlarmState, Deployment, ExtractedMetric, Function, Invocation, Outcome, Result, StoredMetric,
    TopicMessage,
};
use serde_json::Value;

use crate::figures::{duration, number};
use crate::run::way_of;

/// A metric as it was extracted, and its series as the backend gave it back.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) metric: ExtractedMetric,
    pub(crate) stored: StoredMetric,
}

#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) outcome: &'a Outcome,
    pub(crate) invocations: &'a [Invocation],
    pub(crate) documents: usize,
    pub(crate) invalid: usize,
    pub(crate) series: &'a [Series],
    pub(crate) alarm: &'a AlarmState,
    pub(crate) alert: Option<&'a TopicMessage>,
    pub(crate) traces: &'a [Trace],
    pub(crate) logs: &'a [(Function, PathBuf, usize)],
}

impl Report<'_> {
    pub(crate) fn lines(&self) -> Result<Vec<String>> {
        let mut lines = Lines::default();
        self.functions(&mut lines)?;
        self.records(&mut lines);
        self.metrics(&mut lines);
        self.alarm(&mut lines);
        self.alert(&mut lines);
        self.trace(&mut lines);
        self.logs(&mut lines)?;
        self.left_out(&mut lines);
        Ok(lines.0)
    }

    fn functions(&self, lines: &mut Lines) -> Result<()> {
        lines.heading("Functions deployed");
        for function in Function::ALL {
            let own = self.invocations.iter().filter(|one| one.function == function);
            let took: Vec<_> = own.filter_map(|one| one.duration).map(duration).collect();
            let took =
                if took.is_empty() { "not invoked".to_owned() } else { took.join(", then ") };
            lines.pair(self.deployment.function_name(function)?, &took);
        }
        Ok(())
    }

    fn records(&self, lines: &mut Lines) {
        lines.heading(&format!("Records of {}", self.outcome.key));
        let summary = self.outcome.summary();
        let figure = |pointer: &str| summary.pointer(pointer).and_then(Value::as_f64).map(number);
        for (name, pointer, unit) in [
            ("processed", "/records/processed", ""),
            ("rejected", "/records/rejected", ""),
            ("quality score", "/quality/score", " %"),
            ("revenue", "/revenue/sum", ""),
        ] {
            if let Some(figure) = figure(pointer) {
                lines.pair(name, &format!("{figure}{unit}"));
            }
        }
        if let Some(failed) = self.outcome.message("Batch processing failed") {
            let why = failed.field("error_message").unwrap_or("no reason in the log line");
            lines.pair("failed", why);
        }
        for (key, bytes) in &self.outcome.results {
            lines.pair("written", &format!("{key} ({} bytes)", bytes.len()));
        }
    }

    fn metrics(&self, lines: &mut Lines) {
        let validity = match self.invalid {
            0 => "all valid".to_owned(),
            invalid => format!("{invalid} invalid"),
        };
        lines.heading(&format!("Metrics of {} EMF documents, {validity}", self.documents));
        let mut shown = None;
        for Series { metric, stored } in self.series {
            let place = (&metric.namespace, &metric.dimensions);
            if shown.replace(place) != Some(place) {
                let dimensions: Vec<_> = metric
                    .dimensions
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                lines.line(&format!("{}  {}", metric.namespace, dimensions.join(" ")));
            }
            let value = if metric.unit == "Count" { stored.sum } else { stored.sum / stored.count };
            let unit = if metric.unit == "None" { "" } else { &metric.unit };
            let mut line = format!("  {:<26}{:>20}  {unit:<14}", metric.name, number(value));
            if stored.count > 1.0 {
                line.push_str(&format!("{} values", number(stored.count)));
            }
            lines.line(line.trim_end());
        }
    }

    fn alarm(&self, lines: &mut Lines) {
        lines.heading("Alarm");
        lines.pair(&self.alarm.name, &self.alarm.state);
        if !self.alarm.reason.is_empty() {
            lines.pair("reason", &self.alarm.reason);
        }
        lines.line("The local backend's evaluation is simpler than CloudWatch's: it ignores");
        lines.line("dimensions and missing data.");
    }

    fn alert(&self, lines: &mut Lines) {
        lines.heading("Alert");
        let Some(alert) = self.alert else {
            lines.line("none");
            return;
        };
        lines.pair("topic", &alert.topic);
        if let Some(subject) = &alert.subject {
            lines.pair("subject", subject);
        }
        for (name, member) in [
            ("severity", "severity"),
            ("message", "message"),
            ("environment", "environment"),
            ("runbook", "runbook_link"),
            ("trace", "trace_id"),
        ] {
            if let Some(text) = alert.body.get(member).and_then(Value::as_str) {
                lines.pair(name, text);
            }
        }
        let way = way_of(alert).map_or_else(|| "the alert carries no time".to_owned(), duration);
        lines.pair("publish to arrival", &way);
    }

    fn trace(&self, lines: &mut Lines) {
        for trace in self.traces {
            lines.heading(&format!("Trace {}", trace.id));
            if trace.roots.iter().any(|root| root.missing_parent.is_some()) {
                lines.line("(the function's own segment, which the Lambda service makes)");
            }
            for (position, root) in trace.roots.iter().enumerate() {
                draw(root, "", position + 1 == trace.roots.len(), lines);
            }
        }
    }

    fn logs(&self, lines: &mut Lines) -> Result<()> {
        lines.heading("Logs");
        for (function, path, count) in self.logs {
            let group = self.deployment.log_group(*function)?;
            lines.pair(group, &format!("{count} lines, kept in"));
            lines.pair("", &short(path));
        }
        lines.pair("the backend's own", &short(self.deployment.backend_log()));
        Ok(())
    }

    fn left_out(&self, lines: &mut Lines) {
        lines.heading("Left out locally");
        for omission in self.deployment.omissions() {
            lines.line(&omission.what);
            lines.line(&format!("  {}", omission.reason));
        }
    }
}

/// A path below the folder that the demo runs in, without that folder.
fn short(path: &Path) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// A node and those under it, with the lines of a tree and the durations in a column.
fn draw(node: &Node, indent: &str, last: bool, lines: &mut Lines) {
    let branch = if last { "└─ " } else { "├─ " };
    let segment = &node.segment;
    let name = format!("{indent}{branch}{}", segment.name);
    let took = segment.seconds().map_or_else(
        || "in progress".to_owned(),
        |seconds| duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()),
    );
    let flag = match (segment.fault, segment.error, segment.throttle) {
        (true, ..) => "  fault",
        (_, true, _) => "  error",
        (.., true) => "  throttle",
        _ => "",
    };
    lines.line(&format!("{name:<WIDTH$}{took:>10}{flag}"));
    let indent = format!("{indent}{}", if last { "   " } else { "│  " });
    for (position, child) in node.children.iter().enumerate() {
        draw(child, &indent, position + 1 == node.children.len(), lines);
    }
}

/// Of the left column; the longest name of a log group fits.
const WIDTH: usize = 50;

#[derive(Debug, Default)]
struct Lines(Vec<String>);

impl Lines {
    fn heading(&mut self, text: &str) {
        self.0.push(String::new());
        self.0.push(text.to_owned());
    }

    fn line(&mut self, text: &str) {
        self.0.push(format!("  {text}"));
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.0.push(format!("  {name:<WIDTH$}{value}"));
    }
}
