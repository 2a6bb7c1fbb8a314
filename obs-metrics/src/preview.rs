//! What a collector's metrics will be on the bill.

use std::fmt;
use std::sync::Arc;

use crate::census::{Counted, CountedMetric, unit_bit};
use crate::collector::MetricsCollector;
use crate::pricing::Prices;
use crate::unit::{Resolution, Unit};

/// Metrics that [`Preview`] displays.
const SHOWN_METRICS: usize = 20;

impl MetricsCollector {
    /// The series that CloudWatch bills, of all that was recorded since the collector was built, and
    /// what they cost a month.
    ///
    /// ```
    /// use obs_metrics::{MetricsCollector, Sink, Unit};
    ///
    /// let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
    /// for pipeline in ["sales", "stock"] {
    ///     metrics.put_metric("Records", 250.0, Unit::Count, &[("Pipeline", pipeline)]);
    ///     metrics.event().dimension("Pipeline", pipeline).put("Duration", 1.2, Unit::Seconds);
    /// }
    /// let preview = metrics.preview();
    /// assert_eq!(preview.len(), 4);
    /// assert_eq!(format!("{:.2}", preview.monthly_cost()), "1.20");
    /// println!("{preview}");
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    pub fn preview(&self) -> Preview {
        match &self.inner {
            Some(inner) => Preview::of(inner.census.snapshot(), inner.counters.read().bytes),
            None => Preview::of(Vec::new(), 0),
        }
    }
}

/// The billable series of a collector at one moment; see [`MetricsCollector::preview`].
///
/// A series is a metric's name with one combination of dimensions; each further
/// [set](crate::MetricsCollectorBuilder::dimension_set) of them is one too. Units and resolution make no
/// further series; CloudWatch bills both resolutions alike.
///
/// It displays as a table of the metrics with the most series.
#[derive(Clone, Debug)]
pub struct Preview {
    metrics: Vec<MetricSummary>,
    log_bytes: u64,
}

impl Preview {
    fn of(metrics: Vec<CountedMetric>, log_bytes: u64) -> Self {
        let mut metrics: Vec<_> = metrics.into_iter().map(MetricSummary::of).collect();
        // Those with the most series first: they are what one is looking for.
        metrics.sort_unstable_by(|a, b| (b.len(), &a.name).cmp(&(a.len(), &b.name)));
        Self { metrics, log_bytes }
    }

    /// All series, metric by metric.
    pub fn series(&self) -> impl Iterator<Item = &BillableSeries> {
        self.metrics.iter().flat_map(|metric| &metric.series)
    }

    /// The metrics with their series, those with the most first.
    pub fn metrics(&self) -> &[MetricSummary] {
        &self.metrics
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.metrics.iter().map(MetricSummary::len).sum()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// How many values went into overflow series, of all metrics.
    pub fn values_in_overflow(&self) -> u64 {
        self.metrics.iter().map(|metric| metric.values_in_overflow).sum()
    }

    /// Bytes of all lines that were handed to sinks so far, which CloudWatch Logs bills by the
    /// gigabyte: [`Prices::logs`].
    pub fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    /// What the series cost a month, in US dollars, at the [list prices of
    /// us-east-1](Prices::us_east_1).
    ///
    /// An upper bound for these series: it takes each for sent in every hour of the month.
    /// CloudWatch bills by the hour, so that a series that is sent in one hour a day costs a
    /// 24th of it. Several processes that send the same series pay once; those that differ in a
    /// dimension pay each. The tiers are those of the whole account: the more other metrics it has,
    /// the less these cost. Logs and requests come on top: [`Prices::logs`],
    /// [`Prices::requests`].
    ///
    /// Of metrics that are sent to CloudWatch's OTLP endpoint none of this holds: they are billed by
    /// the gigabyte, however many series they are
    /// ([source](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/metrics-otel-pricing.html)).
    pub fn monthly_cost(&self) -> f64 {
        self.monthly_cost_at(&Prices::us_east_1())
    }

    /// As [`monthly_cost`](Self::monthly_cost), at other prices.
    pub fn monthly_cost_at(&self, prices: &Prices) -> f64 {
        prices.metrics(self.len() as u64)
    }

    /// The table that is displayed, at other prices.
    pub fn table_at(&self, prices: &Prices) -> impl fmt::Display {
        Table { preview: self.clone(), prices: prices.clone() }
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, self, &Prices::us_east_1())
    }
}

/// One metric of a [`Preview`].
#[derive(Clone, Debug)]
pub struct MetricSummary {
    name: Arc<str>,
    values_in_overflow: u64,
    series: Vec<BillableSeries>,
}

impl MetricSummary {
    fn of(metric: CountedMetric) -> Self {
        let CountedMetric { name, values_in_overflow, series } = metric;
        let mut series: Vec<_> = series
            .into_iter()
            .map(|counted| BillableSeries { name: Arc::clone(&name), counted })
            .collect();
        series.sort_unstable_by(|a, b| a.dimensions().cmp(b.dimensions()));
        Self { name, values_in_overflow, series }
    }

    /// The metric's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its series, by their dimensions.
    pub fn series(&self) -> &[BillableSeries] {
        &self.series
    }

    /// How many of its values went into overflow series.
    pub fn values_in_overflow(&self) -> u64 {
        self.values_in_overflow
    }

    fn len(&self) -> usize {
        self.series.len()
    }
}

/// One series that CloudWatch bills as a metric.
#[derive(Clone, Debug)]
pub struct BillableSeries {
    name: Arc<str>,
    counted: Counted,
}

impl BillableSeries {
    /// The metric's name, as it is written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The units with which it was recorded. More than one is nearly always a mistake: alarms and
    /// graphs see the values of one unit only.
    pub fn units(&self) -> impl Iterator<Item = Unit> {
        let units = self.counted.units;
        Unit::ALL.iter().copied().filter(move |unit| units & unit_bit(*unit) != 0)
    }

    /// High where it was recorded so at least once.
    pub fn resolution(&self) -> Resolution {
        self.counted.resolution
    }

    /// Names and values of its dimensions, by name.
    pub fn dimensions(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.counted.dimensions.iter()
    }

    /// Whether it holds what exceeded a budget.
    pub fn is_overflow(&self) -> bool {
        self.counted.overflow
    }
}

struct Table {
    preview: Preview,
    prices: Prices,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.preview, &self.prices)
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, preview: &Preview, prices: &Prices) -> fmt::Result {
    let cost = preview.monthly_cost_at(prices);
    let series = preview.len();
    let width = shown_width(preview.metrics.iter().take(SHOWN_METRICS));
    writeln!(f, "{:width$} {:>9} {:>14} {:>12}", "metric", "series", "in overflow", "$ a month")?;
    for metric in preview.metrics.iter().take(SHOWN_METRICS) {
        // Each series at the average: which of them are in the cheaper tiers nobody can say.
        let share = cost * metric.len() as f64 / series as f64;
        let MetricSummary { name, values_in_overflow, .. } = metric;
        let name: String = name.chars().take(width).collect();
        let (in_overflow, len) = (grouped(*values_in_overflow), grouped(metric.len() as u64));
        writeln!(f, "{name:width$} {len:>9} {in_overflow:>14} {share:>12.2}")?;
    }
    let more = preview.metrics.len().saturating_sub(SHOWN_METRICS);
    if more > 0 {
        writeln!(f, "and {more} more")?;
    }
    let in_overflow = grouped(preview.values_in_overflow());
    let len = grouped(series as u64);
    writeln!(f, "{:width$} {len:>9} {in_overflow:>14} {cost:>12.2}", "in all")?;
    write!(
        f,
        "Each series sent in every hour of a month, {}. Logs so far: {} bytes, ${:.4}.",
        prices.source_text(),
        grouped(preview.log_bytes),
        prices.logs(preview.log_bytes),
    )
}

/// The width of the longest name, within reason.
fn shown_width<'a>(metrics: impl Iterator<Item = &'a MetricSummary>) -> usize {
    metrics.map(|metric| metric.name.chars().count()).max().unwrap_or(0).clamp(12, 60)
}

/// `1234567` as `1,234,567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Capture;

    #[test]
    fn numbers_are_grouped() {
        for (n, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(n), expected);
        }
    }

    #[test]
    fn the_preview_lists_what_is_billed() {
        let capture = Capture::default();
        let metrics = capture.builder().series_per_metric(2).build().unwrap();
        for customer in ["a", "b", "c", "d", "d"] {
            metrics.put_metric("Orders", 1.0, Unit::Count, &[("Customer", customer)]);
        }
        let mut work = metrics.event();
        work.dimension("Pipeline", "sales").put("Orders", 7.0, Unit::None);
        work.put("Duration", 1.0, Unit::Seconds).put("Duration", 2.0, Unit::Milliseconds);
        drop(work);
        let preview = metrics.preview();
        let series: Vec<_> = preview
            .series()
            .map(|series| {
                let units: Vec<_> = series.units().map(Unit::as_str).collect();
                let dimensions: Vec<_> = series
                    .dimensions()
                    .filter(|(name, _)| *name != "Service")
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                let overflow = if series.is_overflow() { " overflow" } else { "" };
                format!("{} {} {}{overflow}", series.name(), units.join("+"), dimensions.join(","))
            })
            .collect();
        assert_eq!(
            series,
            [
                "Orders Count Customer=__overflow__ overflow",
                "Orders Count Customer=a",
                "Orders Count Customer=b",
                "Orders None Pipeline=__overflow__ overflow",
                "Duration Seconds+Milliseconds Pipeline=sales",
            ]
        );
        assert_eq!((preview.len(), preview.values_in_overflow()), (5, 4));
        assert_eq!(preview.metrics()[0].values_in_overflow(), 4);
        assert_eq!(format!("{:.2}", preview.monthly_cost()), "1.50");
        let table = preview.to_string();
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(
            rows[..4].join("\n"),
            "\
metric          series    in overflow    $ a month
Orders               4              4         1.20
Duration             1              0         0.30
in all               5              4         1.50"
        );
        assert!(rows[4].contains("us-east-1"), "{table}");
        let double = Prices::us_east_1().metric_tier(5, 0.60).source("ours");
        let table = preview.table_at(&double).to_string();
        assert!(table.contains("3.00") && table.contains("ours"), "{table}");
    }

    #[test]
    fn an_empty_preview_costs_nothing() {
        let preview = MetricsCollector::disabled().preview();
        assert!(preview.is_empty() && preview.monthly_cost() == 0.0);
        assert!(preview.to_string().starts_with("metric"));
    }
}
