//! The `#[derive(MetricEvent)]` of obs-metrics. Use it through `obs_metrics::MetricEvent` or
//! `obs::metrics::MetricEvent`.
//!
//! Three steps: `parse` reads what is written, `validate` (the struct) and `field` decide what it
//! means and collect every mistake, `expand` writes the implementation. A mistake never hides the
//! implementation: it is still written, with the fields that are right, so that the rest of the
//! program type-checks.

mod case;
mod expand;
mod field;
mod krate;
mod parse;
mod rules;
mod unit;
mod validate;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a unit of work: `metrics.emit(&value)` writes it as one document, which is also the
/// log line of that work.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use obs_metrics::{MetricEvent, MetricsCollector, Sink};
///
/// #[derive(MetricEvent)]
/// #[metric(message = "order processed", dimension_sets = [[], ["Pipeline"]])]
/// struct OrderProcessed<'a> {
///     #[metric(dimension)]
///     pipeline: &'a str,
///     #[metric(unit = Seconds)]
///     processing_duration: Duration,
///     #[metric(unit = Count)]
///     processed_records: u64,
///     #[metric(unit = "Bytes/Second", name = "Throughput", high_resolution)]
///     bytes_per_second: Option<f64>,
///     #[metric(property)]
///     order_id: String,
///     #[metric(timestamp)]
///     at: SystemTime,
///     #[metric(skip)]
///     attempt: u32,
/// }
///
/// # let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
/// let work = OrderProcessed {
///     pipeline: "sales",
///     processing_duration: Duration::from_millis(1_275),
///     processed_records: 250,
///     bytes_per_second: None, // left out of this document
///     order_id: "4711".to_owned(),
///     at: SystemTime::now(),
///     attempt: 1,
/// };
/// metrics.emit(&work);
/// # assert_eq!(work.attempt, 1);
/// # Ok::<(), obs_metrics::Error>(())
/// ```
///
/// # On a field
///
/// Every field says what becomes of it: one without `#[metric]` is an error, so that nothing is
/// recorded by accident.
///
/// | attribute | the field is | its type |
/// | --- | --- | --- |
/// | `#[metric]` | a metric without a unit | numbers, `Duration`, `Option` of these, `Vec<f64>`, `[f64; N]`, `&[f64]`: `MetricValue` |
/// | `#[metric(unit = Seconds)]` | a metric with this unit: a variant of `Unit`, or as CloudWatch writes it, `unit = "Bytes/Second"`. A `Duration` is written in the unit that the field has | the same |
/// | `#[metric(high_resolution)]` | a metric that CloudWatch keeps by the second, not by the minute | the same |
/// | `#[metric(dimension)]` | a dimension of all metrics of the event. Each combination of values is a metric of its own, which CloudWatch bills | text, integers, `bool`, `Option` of these: `DimensionValue` |
/// | `#[metric(property)]` | a member of the line that is searched for in the log and costs no metric | text, numbers, `bool`, `Option` of these: `PropertySource` |
/// | `#[metric(timestamp)]` | when it happened, instead of when it is emitted: at most 14 days ago and 2 hours ahead. At most one | `SystemTime` |
/// | `#[metric(message)]` | the line's `message`. At most one | what derefs to `str` |
/// | `#[metric(skip)]` | not recorded | any |
///
/// Several stand in one attribute: `#[metric(unit = Count, high_resolution)]`. Beside a metric, a
/// dimension or a property, `name = "…"` gives the name in CloudWatch, whatever `rename_all` says.
///
/// What is `None` is left out of the document, and so is a metric of an empty `Vec`.
///
/// # On the struct
///
/// | attribute | what it does |
/// | --- | --- |
/// | `#[metric(rename_all = "…")]` | how names come from those of the fields: `PascalCase` (the default: `processing_duration` is `ProcessingDuration`), `snake_case`, `camelCase`, `kebab-case`, `SCREAMING_SNAKE_CASE`, or `none`: as they are |
/// | `#[metric(message = "…")]` | the line's `message`, which is `metrics` without it |
/// | `#[metric(dimension_sets = [[], ["Pipeline"]])]` | sets of dimensions under which the metrics appear too, beside the one of all dimensions: names in CloudWatch of dimensions of this struct. Each set is billed as metrics of its own. `dimension_sets([], ["Pipeline"])` is the same |
/// | `#[metric(crate = path)]` | where obs-metrics is, if not among the dependencies as itself or in `obs` |
///
/// The struct has named fields; lifetimes and parameters are fine. A field whose type is generic asks
/// for what it needs in the implementation's `where` clause: `T: MetricValue` for a metric `T`.
///
/// # What is checked when it compiles
///
/// All mistakes are reported at once. These are the limits of CloudWatch and of the line; what is only
/// known when the program runs (values, the collector's own dimensions) is checked there.
///
/// | what | limit |
/// | --- | --- |
/// | metrics | 1 to 100 |
/// | dimensions | 30, and the collector's count too |
/// | name of a metric or of a property | 1 to 255 characters (UTF-16 units), not blank, no control characters, no line separators |
/// | name of a dimension | 1 to 250 characters of printable ASCII, not blank, no colon in front |
/// | any name | once in the event, and none of the keys that the line has itself (`LINE_KEYS`: `message`, `level`, `timestamp`, …) |
/// | units | the 27 of CloudWatch |
#[proc_macro_derive(MetricEvent, attributes(metric))]
pub fn metric_event(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand_metric_event(&input).into()
}

fn expand_metric_event(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let event = validate::event(input, &mut errors);
    let mut tokens = expand::implementation(input, &event);
    if let Some(errors) = errors.into_compile_errors() {
        tokens.extend(errors);
    }
    tokens
}

/// Every mistake found so far: the user sees all of them at once.
#[derive(Default)]
struct Errors(Option<syn::Error>);

impl Errors {
    fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    fn at(&mut self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(place, message));
    }

    fn into_compile_errors(self) -> Option<TokenStream> {
        self.0.map(|errors| errors.to_compile_error())
    }
}
