//! From metrics to the bytes of a document.

use obs_core::json::{self, Array, Object};

use crate::distribution::Counted;
use crate::unit::{Resolution, Unit};

/// One metric as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
    pub(crate) values: &'a [Counted],
}

/// What all documents of one emission have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) timestamp_millis: u64,
    /// Further members of `_aws`, encoded; nearly always there are none.
    pub(crate) aws: &'a [u8],
    /// `"level":…,"message":…` and the ids, encoded.
    pub(crate) line: &'a [u8],
}

/// Bytes of a document beside its directives, its members and what [`Common`] brings:
/// `{"_aws":{"Timestamp":…` and so on.
pub(crate) const FRAME_BYTES: usize = 80;

/// One directive: the names of its dimensions, those of the further sets, and its metrics.
#[derive(Clone, Debug)]
pub(crate) struct Directive<N, R, M> {
    pub(crate) names: N,
    pub(crate) rollups: R,
    pub(crate) metrics: M,
}

/// Writes one document. `dimensions` are the members for all directives; `members` are further ones,
/// encoded.
pub(crate) fn document<'a, N, R, S, M>(
    buf: &mut Vec<u8>,
    common: &Common<'_>,
    directives: impl Iterator<Item = Directive<N, R, M>> + Clone,
    dimensions: impl Iterator<Item = (&'a str, &'a str)>,
    members: &[u8],
) where
    N: Iterator<Item = &'a str>,
    R: Iterator<Item = S>,
    S: Iterator<Item = &'a str>,
    M: Iterator<Item = MetricRef<'a>>,
{
    let mut root = Object::begin(buf);
    let mut aws = root.object("_aws");
    aws.u64("Timestamp", common.timestamp_millis);
    aws.members(common.aws);
    let mut all = aws.array("CloudWatchMetrics");
    for Directive { names, rollups, metrics } in directives.clone() {
        let definitions = metrics.map(|metric| (metric.name, metric.unit, metric.resolution));
        directive(&mut all, common.namespace, names, rollups, definitions);
    }
    all.end();
    aws.end();
    root.members(common.line);
    write_members(
        &mut root,
        dimensions,
        directives.flat_map(|directive| directive.metrics),
        members,
    );
    root.end();
}

/// Writes the array of one directive: what `CloudWatchMetrics` holds.
pub(crate) fn one_directive<'a>(
    buf: &mut Vec<u8>,
    namespace: &str,
    names: impl Iterator<Item = &'a str>,
    rollups: impl Iterator<Item = impl Iterator<Item = &'a str>>,
    definitions: impl Iterator<Item = (&'a str, Unit, Resolution)>,
) {
    let mut all = Array::begin(buf);
    directive(&mut all, namespace, names, rollups, definitions);
    all.end();
}

/// Writes a line from which nothing is extracted: the same members without `_aws`.
pub(crate) fn log_line<'a>(
    buf: &mut Vec<u8>,
    common: &Common<'_>,
    refused: Option<&str>,
    dimensions: impl Iterator<Item = (&'a str, &'a str)>,
    metrics: impl Iterator<Item = MetricRef<'a>>,
    members: &[u8],
) {
    let mut root = Object::begin(buf);
    root.members(common.line);
    if let Some(reason) = refused {
        root.str("metrics_refused", reason);
    }
    write_members(&mut root, dimensions, metrics, members);
    root.end();
}

fn directive<'a>(
    all: &mut Array<'_>,
    namespace: &str,
    names: impl Iterator<Item = &'a str>,
    rollups: impl Iterator<Item = impl Iterator<Item = &'a str>>,
    definitions: impl Iterator<Item = (&'a str, Unit, Resolution)>,
) {
    let mut directive = all.object();
    directive.str("Namespace", namespace);
    let mut sets = directive.array("Dimensions");
    dimension_set(&mut sets, names);
    rollups.for_each(|rollup| dimension_set(&mut sets, rollup));
    sets.end();
    let mut metrics = directive.array("Metrics");
    for (name, unit, resolution) in definitions {
        definition(metrics.value(), name, unit, resolution);
    }
    metrics.end();
    directive.end();
}

/// Written in pieces that are known, since there may be ten thousand in a flush.
fn definition(buf: &mut Vec<u8>, name: &str, unit: Unit, resolution: Resolution) {
    buf.reserve(name.len() + 96);
    buf.extend_from_slice(b"{\"Name\":\"");
    json::escaped(buf, name);
    // Both are left out where they say what their absence says.
    if unit != Unit::None {
        buf.extend_from_slice(b"\",\"Unit\":\"");
        buf.extend_from_slice(unit.as_str().as_bytes());
    }
    buf.extend_from_slice(match resolution {
        Resolution::High => b"\",\"StorageResolution\":1}",
        Resolution::Standard => b"\"}",
    });
}

fn dimension_set<'a>(sets: &mut Array<'_>, names: impl Iterator<Item = &'a str>) {
    let mut set = sets.array();
    names.for_each(|name| {
        set.str(name);
    });
    set.end();
}

fn write_members<'a>(
    root: &mut Object<'_>,
    dimensions: impl Iterator<Item = (&'a str, &'a str)>,
    metrics: impl Iterator<Item = MetricRef<'a>>,
    members: &[u8],
) {
    for (name, value) in dimensions {
        root.str(name, value);
    }
    for metric in metrics {
        values(root.key(metric.name), metric.values);
    }
    root.members(members);
}

/// A number, an array, or `Values` and `Counts`: the shortest that says it.
pub(crate) fn values(buf: &mut Vec<u8>, values: &[Counted]) {
    if let [(value, 1)] = values {
        json::float(buf, *value);
    } else if values.iter().all(|(_, count)| *count == 1) {
        numbers(buf, values);
    } else {
        buf.extend_from_slice(b"{\"Values\":");
        numbers(buf, values);
        buf.extend_from_slice(b",\"Counts\":");
        let mut counts = Array::begin(buf);
        for (_, count) in values {
            counts.u64(*count);
        }
        counts.end();
        buf.push(b'}');
    }
}

fn numbers(buf: &mut Vec<u8>, values: &[Counted]) {
    let mut array = Array::begin(buf);
    for (value, _) in values {
        array.f64(*value);
    }
    array.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut buf = Vec::new();
        write(&mut buf);
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn values_are_written_in_the_shortest_way() {
        let check = |given: &[Counted], expected: &str| {
            assert_eq!(text(|buf| values(buf, given)), expected);
        };
        check(&[(250.0, 1)], "250");
        check(&[(0.1, 1)], "0.1");
        check(&[(1.0, 1), (2.5, 1)], "[1,2.5]");
        check(&[(1.0, 2)], r#"{"Values":[1],"Counts":[2]}"#);
        check(&[(1.0, 1), (2.5, 7)], r#"{"Values":[1,2.5],"Counts":[1,7]}"#);
    }

    #[test]
    fn a_document_has_directives_and_members() {
        let common =
            Common { namespace: "App", timestamp_millis: 7, aws: b"", line: br#""level":"INFO""# };
        let metric =
            |name, unit, resolution| MetricRef { name, unit, resolution, values: &[(1.0, 1)] };
        let first = [
            metric("A", Unit::Seconds, Resolution::High),
            metric("B", Unit::None, Resolution::Standard),
        ];
        let second = [metric("C", Unit::Count, Resolution::Standard)];
        let directives = [
            (vec!["P", "S"], vec![vec!["P"], vec![]], first.to_vec()),
            (vec![], vec![], second.to_vec()),
        ];
        let line = text(|buf| {
            document(
                buf,
                &common,
                directives.iter().map(|(names, rollups, metrics)| Directive {
                    names: names.iter().copied(),
                    rollups: rollups.iter().map(|set: &Vec<&str>| set.iter().copied()),
                    metrics: metrics.iter().copied(),
                }),
                [("P", "sales"), ("S", "orders")].into_iter(),
                br#""x":true"#,
            );
        });
        insta::assert_snapshot!(line, @r#"{"_aws":{"Timestamp":7,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["P","S"],["P"],[]],"Metrics":[{"Name":"A","Unit":"Seconds","StorageResolution":1},{"Name":"B"}]},{"Namespace":"App","Dimensions":[[]],"Metrics":[{"Name":"C","Unit":"Count"}]}]},"level":"INFO","P":"sales","S":"orders","A":1,"B":1,"C":1,"x":true}"#);
        let common = Common { aws: br#""LogGroupName":"g""#, ..common };
        let grouped = text(|buf| {
            type Names = std::iter::Empty<&'static str>;
            type Nothing =
                Directive<Names, std::iter::Empty<Names>, std::iter::Empty<MetricRef<'static>>>;
            let directives = std::iter::empty::<Nothing>();
            document(buf, &common, directives, std::iter::empty(), b"");
        });
        insta::assert_snapshot!(grouped, @r#"{"_aws":{"Timestamp":7,"LogGroupName":"g","CloudWatchMetrics":[]},"level":"INFO"}"#);
        let refused = text(|buf| {
            let dimensions = [("P", "sales")].into_iter();
            log_line(buf, &common, Some("why"), dimensions, second.into_iter(), b"");
        });
        insta::assert_snapshot!(refused, @r#"{"level":"INFO","metrics_refused":"why","P":"sales","C":1}"#);
    }
}
