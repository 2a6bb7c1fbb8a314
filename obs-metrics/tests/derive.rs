//! What structs with `#[derive(MetricEvent)]` write, through a collector, as the validator reads it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use obs_metrics::emf::{self, Document};
use obs_metrics::{
    DimensionValue, MetricEvent, MetricValue, MetricsCollector, MetricsCollectorBuilder,
    PropertySource, Resolution, Sink, Unit,
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The line that `work` becomes, and what CloudWatch extracts from it.
fn emitted(work: &impl MetricEvent) -> (serde_json::Value, Document) {
    let (text, document) = emitted_by(work, MetricsCollector::builder());
    (serde_json::from_str(&text).unwrap(), document)
}

/// As [`emitted`], with the settings of this builder; the second line is as the first.
fn emitted_by(work: &impl MetricEvent, builder: MetricsCollectorBuilder) -> (String, Document) {
    let lines = Lines::default();
    let metrics = builder
        .namespace("App")
        .service("orders")
        .sink(Sink::writer(lines.clone()).synchronous())
        .enabled(true)
        .build()
        .unwrap();
    metrics.emit(work);
    let text = lines.text();
    metrics.emit(work);
    let directives = |text: &str| {
        let found = text.split("\"CloudWatchMetrics\":").nth(1);
        found.map(|rest| rest.split("\"level\"").next().map(str::to_owned))
    };
    assert_eq!(directives(&lines.text()[text.len()..]), directives(&text));
    assert_eq!(metrics.stats().repaired, 0, "what compiles needs no repair");
    assert_eq!(text.lines().count(), 1, "{text}");
    let document = emf::validate(&text).unwrap_or_else(|v| panic!("{v}\n{text}"));
    (text, document)
}

/// Name, unit and values of each metric.
fn metrics_of(document: &Document) -> Vec<(&str, Unit, Vec<f64>)> {
    let metrics = document.metrics();
    metrics
        .map(|metric| {
            let values = metric.values().iter().map(|(value, _)| *value).collect();
            (metric.name(), metric.unit(), values)
        })
        .collect()
}

/// The shape that the derive made: what the collector does with it is its own affair.
fn shape_of(work: &impl MetricEvent) -> String {
    format!("{:?}", work.shape())
}

#[test]
fn a_struct_is_a_document() {
    #[derive(MetricEvent)]
    struct OrderProcessed {
        #[metric(dimension)]
        pipeline: &'static str,
        #[metric(unit = Seconds)]
        processing_duration: f64,
        #[metric(unit = Count)]
        processed_records: u64,
        #[metric(property)]
        order_id: String,
    }
    let (line, document) = emitted(&OrderProcessed {
        pipeline: "sales",
        processing_duration: 1.275,
        processed_records: 250,
        order_id: "4711".to_owned(),
    });
    assert_eq!(
        metrics_of(&document),
        [
            ("ProcessingDuration", Unit::Seconds, vec![1.275]),
            ("ProcessedRecords", Unit::Count, vec![250.0]),
        ]
    );
    for metric in document.metrics() {
        let dimensions: Vec<_> = metric.dimensions().collect();
        assert_eq!(dimensions, [("Service", "orders"), ("Pipeline", "sales")]);
    }
    assert_eq!(line["OrderId"], "4711");
    assert_eq!(line["message"], "metrics");
}

#[test]
fn every_kind_of_field_is_recorded_whatever_the_order() {
    #[derive(MetricEvent)]
    #[metric(rename_all = "camelCase")]
    struct Everything {
        #[metric(property)]
        paid: bool,
        #[metric]
        plain: i32,
        #[metric(unit = "Bytes/Second", name = "Throughput", high_resolution)]
        bytes_per_second: f32,
        #[metric(timestamp)]
        at: SystemTime,
        #[metric(dimension)]
        shard: u8,
        #[metric(skip)]
        _secret: &'static str,
        #[metric(message)]
        text: String,
        #[metric(unit = obs_metrics::Unit::Milliseconds)]
        took: Duration,
        #[metric(dimension)]
        #[metric(name = "Customer Tier")]
        tier: Cow<'static, str>,
        #[metric(property, name = "größe")]
        size: Option<i64>,
    }
    let at = SystemTime::now() - Duration::from_secs(3600);
    let everything = Everything {
        paid: true,
        plain: -3,
        bytes_per_second: 0.5,
        at,
        shard: 7,
        _secret: "hunter2",
        text: "order 4711".to_owned(),
        took: Duration::from_micros(1_275),
        tier: "gold".into(),
        size: Some(-1),
    };
    let (line, document) = emitted(&everything);
    assert_eq!(
        metrics_of(&document),
        [
            ("plain", Unit::None, vec![-3.0]),
            ("Throughput", Unit::BytesPerSecond, vec![0.5]),
            ("took", Unit::Milliseconds, vec![1.275]),
        ]
    );
    let resolutions: Vec<_> = document.metrics().map(|metric| metric.resolution()).collect();
    assert_eq!(resolutions, [Resolution::Standard, Resolution::High, Resolution::Standard]);
    let resolutions = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"];
    assert_eq!(resolutions[1]["StorageResolution"], 1);
    assert!(resolutions[0].get("StorageResolution").is_none(), "{line}");
    let metric = document.metrics().next().unwrap();
    let dimensions: Vec<_> = metric.dimensions().collect();
    assert_eq!(dimensions, [("Service", "orders"), ("shard", "7"), ("Customer Tier", "gold")]);
    assert_eq!(line["message"], "order 4711");
    assert_eq!((&line["paid"], &line["größe"]), (&true.into(), &(-1).into()));
    assert!(!line.to_string().contains("hunter2"), "{line}");
    let millis = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(u128::from(document.timestamp_millis()), millis);
    assert_eq!(
        shape_of(&everything),
        "Shape { fields: [\
         Dimension(\"shard\"), Dimension(\"Customer Tier\"), \
         Metric(\"plain\", None, Standard), Metric(\"Throughput\", BytesPerSecond, High), \
         Metric(\"took\", Milliseconds, Standard), \
         Property(\"paid\"), Property(\"größe\")], message: None, dimension_sets: [] }"
    );
}

#[test]
fn absent_values_are_left_out() {
    #[derive(Default, MetricEvent)]
    struct Sparse {
        #[metric(dimension)]
        tenant: Option<String>,
        #[metric(unit = Count)]
        retries: Option<u32>,
        #[metric(unit = Bytes)]
        sizes: Vec<f64>,
        #[metric]
        present: u8,
        #[metric(property)]
        note: Option<&'static str>,
    }
    let (line, document) = emitted(&Sparse::default());
    assert_eq!(metrics_of(&document), [("Present", Unit::None, vec![0.0])]);
    for absent in ["Tenant", "Retries", "Sizes", "Note"] {
        assert!(line.get(absent).is_none(), "{absent}: {line}");
    }
    let (line, document) = emitted(&Sparse {
        tenant: Some("acme".to_owned()),
        retries: Some(2),
        sizes: vec![1.0, 2.5],
        present: 1,
        note: Some("x"),
    });
    assert_eq!(
        metrics_of(&document),
        [
            ("Retries", Unit::Count, vec![2.0]),
            ("Sizes", Unit::Bytes, vec![1.0, 2.5]),
            ("Present", Unit::None, vec![1.0]),
        ]
    );
    assert_eq!((&line["Tenant"], &line["Note"]), (&"acme".into(), &"x".into()));
}

#[test]
fn durations_are_in_the_unit_of_their_field() {
    #[derive(MetricEvent)]
    struct Durations {
        #[metric(unit = Seconds)]
        seconds: Duration,
        #[metric(unit = Milliseconds)]
        millis: Duration,
        #[metric(unit = "Microseconds")]
        micros: Option<Duration>,
    }
    let took = Duration::from_micros(1_275);
    let (_, document) = emitted(&Durations { seconds: took, millis: took, micros: Some(took) });
    assert_eq!(
        metrics_of(&document),
        [
            ("Seconds", Unit::Seconds, vec![0.001_275]),
            ("Millis", Unit::Milliseconds, vec![1.275]),
            ("Micros", Unit::Microseconds, vec![1_275.0]),
        ]
    );
}

#[test]
fn structs_may_be_generic() {
    #[derive(MetricEvent)]
    struct Generic<'a, T, D: ?Sized, P = String, const N: usize = 2>
    where
        P: Clone,
    {
        #[metric(dimension)]
        borrowed: &'a D,
        #[metric]
        value: T,
        #[metric]
        optional: Option<T>,
        #[metric]
        several: [f64; N],
        #[metric(property)]
        property: P,
        #[metric(skip)]
        _nothing: std::marker::PhantomData<fn(T)>,
    }
    let (line, document) = emitted(&Generic::<u32, str> {
        borrowed: "north",
        value: 1,
        optional: Some(2),
        several: [3.0, 4.0],
        property: "p".to_owned(),
        _nothing: std::marker::PhantomData,
    });
    assert_eq!(
        metrics_of(&document),
        [
            ("Value", Unit::None, vec![1.0]),
            ("Optional", Unit::None, vec![2.0]),
            ("Several", Unit::None, vec![3.0, 4.0]),
        ]
    );
    assert_eq!((&line["Borrowed"], &line["Property"]), (&"north".into(), &"p".into()));

    /// The bounds that the implementation asks for are enough where the type is not known yet.
    fn emit_any<T: MetricValue, D: DimensionValue + ?Sized, P: PropertySource + Clone>(
        work: &Generic<'_, T, D, P>,
    ) -> usize {
        metrics_of(&emitted(work).1).len()
    }
    let work = Generic::<f64, u64, bool> {
        borrowed: &5,
        value: 0.5,
        optional: None,
        several: [1.0; 2],
        property: true,
        _nothing: std::marker::PhantomData,
    };
    assert_eq!(emit_any(&work), 2);
}

#[test]
fn names_follow_the_fields() {
    #[derive(MetricEvent)]
    #[metric(rename_all = "SCREAMING_SNAKE_CASE")]
    struct Screaming {
        #[metric(dimension)]
        r#type: &'static str,
        #[metric]
        http_2xx: u32,
    }
    let (_, document) = emitted(&Screaming { r#type: "a", http_2xx: 1 });
    let metric = document.metrics().next().unwrap();
    assert_eq!((metric.name(), metric.dimension("TYPE")), ("HTTP_2XX", Some("a")));

    #[derive(MetricEvent)]
    struct Raw {
        #[metric(dimension)]
        r#type: &'static str,
        #[metric]
        r#match: u32,
    }
    let (_, document) = emitted(&Raw { r#type: "a", r#match: 1 });
    let metric = document.metrics().next().unwrap();
    assert_eq!((metric.name(), metric.dimension("Type")), ("Match", Some("a")));
}

#[test]
fn the_struct_gives_message_and_sets_of_dimensions() {
    #[derive(MetricEvent)]
    #[metric(message = "done", dimension_sets = [[], ["Pipeline"], ["Tier", "Pipeline"]])]
    struct Sets {
        #[metric(dimension)]
        pipeline: &'static str,
        #[metric(dimension)]
        tier: &'static str,
        #[metric(dimension)]
        region: &'static str,
        #[metric]
        records: u32,
    }
    let sets = Sets { pipeline: "sales", tier: "gold", region: "north", records: 1 };
    let shape = shape_of(&sets);
    let end = "message: Some(\"done\"), \
               dimension_sets: [[], [\"Pipeline\"], [\"Tier\", \"Pipeline\"]] }";
    assert!(shape.ends_with(end), "{shape}");
    assert_eq!(emitted(&sets).0["message"], "done");
    let builder = MetricsCollector::builder()
        .dimension_set(&[])
        .dimension_set(&["Service"])
        .dimension_set(&["Service", "Misspelt"]);
    let (text, document) = emitted_by(&sets, builder);
    let expected = r#""Dimensions":[["Service","Pipeline","Tier","Region"],[],["Service"],["Pipeline"],["Pipeline","Tier"]]"#;
    assert!(text.contains(expected), "{text}");
    assert_eq!(document.metrics().count(), 5);

    #[derive(MetricEvent)]
    #[metric(dimension_sets([], ["Pipeline"],))]
    struct InParentheses {
        #[metric(dimension)]
        pipeline: &'static str,
        #[metric]
        records: u32,
    }
    let shape = shape_of(&InParentheses { pipeline: "sales", records: 1 });
    assert!(shape.ends_with("dimension_sets: [[], [\"Pipeline\"]] }"), "{shape}");
}

#[test]
fn the_crate_may_be_somewhere_else() {
    mod elsewhere {
        pub(crate) use obs_metrics as renamed;
    }
    #[derive(MetricEvent)]
    #[metric(crate = elsewhere::renamed)]
    struct ByPath<T> {
        #[metric(unit = Count)]
        records: T,
    }
    #[derive(MetricEvent)]
    #[metric(crate = "elsewhere::renamed")]
    struct ByText {
        #[metric(unit = Count)]
        records: u32,
    }
    let expected = [("Records", Unit::Count, vec![1.0])];
    assert_eq!(metrics_of(&emitted(&ByPath { records: 1_u8 }).1), expected);
    assert_eq!(metrics_of(&emitted(&ByText { records: 1 }).1), expected);
}

#[test]
fn a_struct_may_come_from_a_macro() {
    macro_rules! events {
        ($($event:ident { $field:ident: $type:ty, $unit:expr, $name:expr })*) => {$(
            #[derive(MetricEvent)]
            struct $event {
                #[metric(unit = $unit, name = $name)]
                $field: $type,
            }
        )*};
    }
    events! {
        Loaded { took: Duration, Seconds, "LoadTime" }
        Stored { bytes: Option<u64>, "Bytes", "StoredBytes" }
    }
    let loaded = emitted(&Loaded { took: Duration::from_secs(2) }).1;
    assert_eq!(metrics_of(&loaded), [("LoadTime", Unit::Seconds, vec![2.0])]);
    let stored = emitted(&Stored { bytes: Some(5) }).1;
    assert_eq!(metrics_of(&stored), [("StoredBytes", Unit::Bytes, vec![5.0])]);
}

#[test]
fn scenario_24_a_hundred_metrics_and_thirty_dimensions_are_one_document() {
    macro_rules! wide {
        ($($dimension:ident)*; $($metric:ident)*) => {
            #[derive(Default, MetricEvent)]
            struct Wide {
                $(#[metric(dimension)] $dimension: u8,)*
                $(#[metric] $metric: u8,)*
            }
        };
    }
    // The collector's own dimension `Service` is the thirtieth.
    wide! {
        d1 d2 d3 d4 d5 d6 d7 d8 d9 d10 d11 d12 d13 d14 d15 d16 d17 d18 d19 d20 d21 d22 d23 d24 d25
        d26 d27 d28 d29;
        m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19 m20 m21 m22 m23 m24
        m25 m26 m27 m28 m29 m30 m31 m32 m33 m34 m35 m36 m37 m38 m39 m40 m41 m42 m43 m44 m45 m46
        m47 m48 m49 m50 m51 m52 m53 m54 m55 m56 m57 m58 m59 m60 m61 m62 m63 m64 m65 m66 m67 m68
        m69 m70 m71 m72 m73 m74 m75 m76 m77 m78 m79 m80 m81 m82 m83 m84 m85 m86 m87 m88 m89 m90
        m91 m92 m93 m94 m95 m96 m97 m98 m99
    }
    let (_, document) = emitted(&Wide::default());
    assert_eq!(document.metrics().count(), 100);
    assert_eq!(document.metrics().next().unwrap().dimensions().len(), 30);
}
