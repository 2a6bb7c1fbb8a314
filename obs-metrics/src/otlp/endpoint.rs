//! Addresses of OTLP endpoints.

use obs_core::http::{Endpoint, InvalidEndpoint};

/// The path of metrics in OTLP over HTTP.
const PATH: &str = "/v1/metrics";

/// The address that a base address stands for: `/v1/metrics` below it, unless it ends so already.
pub(crate) fn below(base: &str) -> Result<Endpoint, InvalidEndpoint> {
    Endpoint::below(base, PATH)
}

/// CloudWatch's own endpoint for OTLP metrics.
pub(crate) fn cloudwatch(region: &str) -> String {
    // A partition of its own, with domains of its own.
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://monitoring.{region}.{suffix}{PATH}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_go_below_a_base_address() {
        let check =
            |base: &str, expected: &str| assert_eq!(below(base).unwrap().expose(), expected);
        check("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics");
        check(
            &cloudwatch("eu-central-1"),
            "https://monitoring.eu-central-1.amazonaws.com/v1/metrics",
        );
        check(
            &cloudwatch("cn-north-1"),
            "https://monitoring.cn-north-1.amazonaws.com.cn/v1/metrics",
        );
    }
}
