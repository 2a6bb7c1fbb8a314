//! Sends a few metrics over OTLP: to a collector, or to CloudWatch's own endpoint.
//!
//! ```sh
//! cargo run -p obs-metrics --features otlp --example otlp -- --endpoint http://127.0.0.1:4318
//! AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… \
//!     cargo run -p obs-metrics --features otlp --example otlp -- --cloudwatch
//! ```
//!
//! An application would load its `SdkConfig` with aws-config; this program, which does not depend on
//! it, reads the variables itself.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints")]

use std::process::ExitCode;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use obs_metrics::{MetricsCollector, Otlp, Unit};

const HELP: &str = "\
Sends a few metrics over OTLP (HTTP, protobuf).

usage: otlp [--endpoint URL] [--cloudwatch]

  --endpoint URL   a collector; default: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318;
                   with --cloudwatch, a local stand-in for AWS
  --cloudwatch     CloudWatch's own endpoint, with AWS_REGION, AWS_ACCESS_KEY_ID,
                   AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the metrics are billed
  --help           this text";

/// However the endpoint behaves, the program has ended by then.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Options {
    endpoint: Option<String>,
    cloudwatch: bool,
}

fn main() -> ExitCode {
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
    match send(options) {
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
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => return Ok(None),
            "--cloudwatch" => options.cloudwatch = true,
            "--endpoint" => {
                options.endpoint = Some(args.next().ok_or("--endpoint needs a value")?);
            }
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok(Some(options))
}

fn send(options: Options) -> Result<String, String> {
    let otlp = match (options.cloudwatch, options.endpoint) {
        (true, endpoint) => Otlp::cloudwatch(&config(endpoint)),
        (false, Some(endpoint)) => Otlp::new(endpoint),
        (false, None) => Otlp::from_env(),
    };
    let failure = otlp.last_failure();
    let metrics = MetricsCollector::builder()
        .namespace("Obs/Example")
        .service("otlp-example")
        .sink(otlp.into())
        .build()
        .map_err(|error| error.to_string())?;

    let dimensions = [("Pipeline", "sales")];
    for duration in [1.275, 0.98, 1.13] {
        metrics.put_metric("ProcessingDuration", duration, Unit::Seconds, &dimensions);
        metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &dimensions);
    }
    metrics.put_metric("DataQualityScore", 98.6, Unit::Percent, &dimensions);

    let report = metrics.flush(LIMIT);
    if report.is_complete() {
        Ok(format!("{} metrics sent", report.delivered()))
    } else {
        Err(format!("not everything arrived: {report}\nlast failure: {failure}"))
    }
}

/// What the variables of AWS say. What is missing is an error when the collector is built.
fn config(endpoint: Option<String>) -> SdkConfig {
    let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut config = SdkConfig::builder();
    config.set_region(var("AWS_REGION").map(Region::new));
    config.set_endpoint_url(endpoint);
    if let (Some(key), Some(secret)) = (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY")) {
        let credentials =
            Credentials::new(key, secret, var("AWS_SESSION_TOKEN"), None, "variables");
        config.set_credentials_provider(Some(SharedCredentialsProvider::new(credentials)));
    }
    config.build()
}
