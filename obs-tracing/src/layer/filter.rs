//! What the tracer follows: its own filter, beside that of the logs. Neither hides anything from
//! the other.

use tracing_core::subscriber::Interest;
use tracing_core::{Level, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// Crates whose spans are the SDK's own doing: its HTTP client, the AWS SDK, the Lambda runtime.
const LEFT_OUT: &[&str] = &[
    "h2",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "lambda_runtime",
    "lambda_runtime_api_client",
    "opentelemetry",
    "opentelemetry_aws",
    "opentelemetry_http",
    "opentelemetry_otlp",
    "opentelemetry_sdk",
    "reqwest",
    "rustls",
    "tonic",
    "tower",
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sigv4",
    "aws_types",
];

/// The same, by how the crate's name begins.
const LEFT_OUT_PREFIXES: &[&str] = &["aws_sdk_", "aws_smithy_", "obs_core"];

/// Lets through spans up to a level, and events that tell of an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanFilter {
    level: LevelFilter,
}

impl SpanFilter {
    /// `OFF` lets nothing through, no events either.
    pub(crate) fn new(level: LevelFilter) -> Self {
        Self { level }
    }

    /// Decided once for each callsite: nothing in it changes at run time.
    fn admits(self, metadata: &Metadata<'_>) -> bool {
        let wanted = if metadata.is_span() {
            *metadata.level() <= self.level
        } else {
            self.level != LevelFilter::OFF
                && *metadata.level() == Level::ERROR
                && metadata.fields().iter().any(|field| field.name() == "error")
        };
        wanted && !is_left_out(metadata.target())
    }
}

impl<S: Subscriber> Filter<S> for SpanFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.admits(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.admits(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }
}

fn is_left_out(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or(target);
    LEFT_OUT.contains(&name) || LEFT_OUT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_does_itself_is_left_out() {
        for target in [
            "hyper::proto::h1::conn",
            "h2::client",
            "rustls::client::hs",
            "tower::buffer::worker",
            "aws_smithy_runtime::client::orchestrator",
            "aws_sdk_s3::operation::put_object",
            "aws_config",
            "lambda_runtime::layers::trace",
            "obs_core::lane",
        ] {
            assert!(is_left_out(target), "{target}");
        }
        for target in
            ["orders", "orders::hyper", "tower_http::trace", "h2o", "aws_orders", "my app"]
        {
            assert!(!is_left_out(target), "{target}");
        }
    }
}
