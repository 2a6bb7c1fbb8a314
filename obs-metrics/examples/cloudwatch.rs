//! Sends a few metrics to CloudWatch with PutMetricData.
//!
//! ```sh
//! cargo run -p obs-metrics --features cloudwatch --example cloudwatch
//! cargo run -p obs-metrics --features cloudwatch --example cloudwatch -- --endpoint http://127.0.0.1:4566
//! ```
//!
//! Region and credentials are those of the environment: variables, profiles, the instance's role.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints")]

use std::process::ExitCode;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use obs_metrics::{CloudWatch, MetricsCollector, Unit};

const HELP: &str = "\
Sends a few metrics to CloudWatch with PutMetricData.

usage: cloudwatch [--endpoint URL] [--namespace NAME]

  --endpoint URL     send there, as to a local stand-in for AWS
  --namespace NAME   default: Obs/Example
  --help             this text

Region and credentials come from the environment (AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID, ...).
It needs the permission cloudwatch:PutMetricData. The metrics are billed as custom metrics.";

/// However AWS behaves, the program has ended by then.
const LIMIT: Duration = Duration::from_secs(10);

struct Options {
    endpoint: Option<String>,
    namespace: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match send(options).await {
        Ok(sent) => {
            println!("{sent}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where only the help is wanted.
fn options(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { endpoint: None, namespace: "Obs/Example".to_owned() };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(None),
            "--endpoint" => options.endpoint = Some(value()?),
            "--namespace" => options.namespace = value()?,
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok(Some(options))
}

async fn send(options: Options) -> Result<String, String> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(url) = options.endpoint {
        loader = loader.endpoint_url(url);
    }
    let loading = tokio::time::timeout(LIMIT, loader.load());
    let sdk_config =
        loading.await.map_err(|_| "looking for the AWS configuration took too long")?;
    let region = sdk_config.region().map_or("no region", Region::as_ref).to_owned();

    let cloudwatch = CloudWatch::new(&sdk_config);
    let last_failure = cloudwatch.last_failure();
    let metrics = MetricsCollector::builder()
        .namespace(options.namespace.as_str())
        .service("cloudwatch-example")
        .sink(cloudwatch.into())
        .build()
        .map_err(|error| error.to_string())?;

    metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    for millis in [12.5, 14.0, 14.0, 97.25] {
        metrics.put_metric("Latency", millis, Unit::Milliseconds, &[("Pipeline", "sales")]);
    }
    let report = metrics.shutdown(LIMIT);
    if report.is_complete() {
        return Ok(format!("{} ({region}): {report}", options.namespace));
    }
    let mut problem = format!("{report}\nthe last failure: {last_failure}");
    if last_failure.get().is_some_and(|failure| failure.contains("credential")) {
        problem.push_str("\nno usable AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    Err(problem)
}
