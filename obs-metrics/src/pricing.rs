//! What CloudWatch costs: the one place where prices are.

/// The price list of [`Prices::us_east_1`]: first so many metrics at so many dollars each a month.
///
/// Source: <https://aws.amazon.com/cloudwatch/pricing/>, "Metrics", US East (N. Virginia), as others
/// quote it in February 2026. Prices change seldom, but they do: check, and change the date too.
const METRIC_TIERS: [(u64, f64); 4] =
    [(10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (u64::MAX, 0.02)];
/// A thousand requests of `PutMetricData`. Source as above, "APIs".
const THOUSAND_REQUESTS: f64 = 0.01;
/// A gigabyte of logs ingested, class Standard. Source as above, "Logs", "Collect (Data Ingestion)".
const LOG_GIGABYTE: f64 = 0.50;
/// Where and when these were the prices.
const SOURCE: &str = "list prices of us-east-1, February 2026";

/// Prices of CloudWatch, in US dollars.
///
/// ```
/// use obs_metrics::Prices;
///
/// let prices = Prices::us_east_1();
/// assert_eq!(prices.metrics(10_000), 3_000.0);
/// assert_eq!(prices.metrics(10_100), 3_010.0);
///
/// // Others: of another region, or with a discount.
/// let ours = Prices::us_east_1().source("our agreement").metric_tier(1_000, 0.25).last_metric_tier(0.08);
/// assert_eq!(ours.metrics(2_000), 330.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    source: String,
    tiers: Vec<(u64, f64)>,
    /// Whether the tiers are still those of the list, which the first own one replaces.
    listed: bool,
    thousand_requests: f64,
    log_gigabyte: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Self::us_east_1()
    }
}

impl Prices {
    /// The list prices of US East (N. Virginia), as of February 2026: of one metric and month $0.30
    /// for the first 10,000, $0.10 for the next 240,000, $0.05 for the next 750,000 and $0.02 beyond
    /// a million; $0.01 for 1,000 requests of `PutMetricData`; $0.50 for a gigabyte of logs.
    ///
    /// The free tier (ten metrics, a million requests, 5 GB of logs) is not taken off. Source:
    /// <https://aws.amazon.com/cloudwatch/pricing/>.
    pub fn us_east_1() -> Self {
        Self {
            source: SOURCE.to_owned(),
            tiers: METRIC_TIERS.to_vec(),
            listed: true,
            thousand_requests: THOUSAND_REQUESTS,
            log_gigabyte: LOG_GIGABYTE,
        }
    }

    /// Where the prices are from, for the preview.
    #[must_use = "this returns the prices with the source"]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// The next `metrics` cost `dollars` each a month; the first call begins a new list.
    #[must_use = "this returns the prices with the tier"]
    pub fn metric_tier(mut self, metrics: u64, dollars: f64) -> Self {
        if std::mem::take(&mut self.listed) {
            self.tiers.clear();
        }
        self.tiers.push((metrics, dollars));
        self
    }

    /// All further metrics cost `dollars` each a month. Without it, they cost what those of the last
    /// tier do.
    #[must_use = "this returns the prices with the tier"]
    pub fn last_metric_tier(self, dollars: f64) -> Self {
        self.metric_tier(u64::MAX, dollars)
    }

    /// A thousand requests of `PutMetricData` cost `dollars`.
    #[must_use = "this returns the prices with the new one"]
    pub fn thousand_requests(mut self, dollars: f64) -> Self {
        self.thousand_requests = dollars;
        self
    }

    /// A gigabyte (2^30 bytes) of logs costs `dollars` when it is ingested.
    #[must_use = "this returns the prices with the new one"]
    pub fn log_gigabyte(mut self, dollars: f64) -> Self {
        self.log_gigabyte = dollars;
        self
    }

    /// What `metrics` cost a month if each is sent in every hour of it.
    pub fn metrics(&self, metrics: u64) -> f64 {
        let mut left = metrics;
        let mut sum = 0.0;
        for (size, dollars) in &self.tiers {
            let here = left.min(*size);
            sum += here as f64 * dollars;
            left -= here;
        }
        let last = self.tiers.last().map_or(0.0, |(_, dollars)| *dollars);
        sum + left as f64 * last
    }

    /// What `requests` of `PutMetricData` cost.
    pub fn requests(&self, requests: u64) -> f64 {
        requests as f64 / 1_000.0 * self.thousand_requests
    }

    /// What the ingestion of `bytes` of logs costs: EMF documents are log lines. CloudWatch Logs
    /// adds 26 bytes to each line, which are not in here.
    pub fn logs(&self, bytes: u64) -> f64 {
        bytes as f64 / f64::from(1 << 30) * self.log_gigabyte
    }

    pub(crate) fn source_text(&self) -> &str {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= expected * 1e-12, "{actual} {expected}");
    }

    #[test]
    fn metrics_cost_what_their_tiers_do() {
        let prices = Prices::us_east_1();
        for (metrics, expected) in [
            (0, 0.0),
            (1, 0.30),
            (9_999, 2_999.70),
            (10_000, 3_000.0),
            (10_001, 3_000.10),
            (250_000, 27_000.0),
            (250_001, 27_000.05),
            (1_000_000, 64_500.0),
            (1_000_001, 64_500.02),
            (2_000_000, 84_500.0),
        ] {
            check(prices.metrics(metrics), expected);
        }
        assert!(prices.metrics(u64::MAX).is_finite());
    }

    #[test]
    fn requests_and_logs_have_prices_too() {
        let prices = Prices::default();
        check(prices.requests(1_000), 0.01);
        check(prices.requests(44_640), 0.4464);
        check(prices.logs(1 << 30), 0.50);
        check(prices.logs(3 << 29), 0.75);
        let other = prices.thousand_requests(0.02).log_gigabyte(0.25);
        check(other.requests(500), 0.01);
        check(other.logs(1 << 31), 0.50);
    }

    #[test]
    fn own_tiers_replace_the_list() {
        let prices = Prices::us_east_1().metric_tier(10, 1.0).metric_tier(10, 0.5);
        check(prices.metrics(15), 12.5);
        check(prices.metrics(30), 20.0);
        check(prices.last_metric_tier(0.1).metrics(30), 16.0);
    }
}
