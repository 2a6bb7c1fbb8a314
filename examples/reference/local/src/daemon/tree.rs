//! Puts the segments of a trace under each other.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::segment::{Segment, Subsegment};

/// The segments that share a trace id.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Trace {
    /// Their trace id.
    pub id: String,
    /// What has no parent among them, by start time.
    pub roots: Vec<Node>,
}

/// A segment or a subsegment, with those under it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Node {
    /// The segment itself; what was embedded in it is among `children` now.
    pub segment: Subsegment,
    /// The parent that it names and that was not received. In Lambda this is the function's own
    /// segment, which the service makes.
    pub missing_parent: Option<String>,
    /// What is under it, by start time.
    pub children: Vec<Self>,
}

impl Trace {
    /// Calls `visit` with the depth and each node, parents first.
    pub fn walk(&self, mut visit: impl FnMut(usize, &Node)) {
        fn descend(node: &Node, depth: usize, visit: &mut impl FnMut(usize, &Node)) {
            visit(depth, node);
            for child in &node.children {
                descend(child, depth + 1, visit);
            }
        }
        for root in &self.roots {
            descend(root, 0, &mut visit);
        }
    }

    /// How many segments and subsegments it has.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut count = 0;
        self.walk(|_, _| count += 1);
        count
    }

    /// Whether it has none, which [`traces`] never returns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }
}

/// The traces of `segments`, by the start of their first root. A segment that was received twice (UDP
/// may do that) is there once.
#[must_use]
pub fn traces<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Vec<Trace> {
    let mut by_trace: BTreeMap<&str, Vec<&Segment>> = BTreeMap::new();
    for segment in segments {
        by_trace.entry(&segment.trace_id).or_default().push(segment);
    }
    let mut traces: Vec<_> = by_trace
        .into_iter()
        .map(|(id, segments)| Trace { id: id.to_owned(), roots: roots(&segments) })
        .collect();
    traces.sort_by(|a, b| first_start(a).total_cmp(&first_start(b)));
    traces
}

fn roots(segments: &[&Segment]) -> Vec<Node> {
    let mut flat = Vec::new();
    let mut seen = HashSet::new();
    for segment in segments {
        if seen.insert(segment.own.id.as_str()) {
            flatten(&segment.own, segment.parent_id.clone(), &mut flat);
        }
    }
    let known: HashSet<String> = flat.iter().map(|(segment, _)| segment.id.clone()).collect();
    let mut children: HashMap<String, Vec<Subsegment>> = HashMap::new();
    let mut roots = Vec::new();
    for (segment, parent) in flat {
        match parent {
            Some(parent) if known.contains(&parent) => {
                children.entry(parent).or_default().push(segment);
            }
            missing => roots.push((segment, missing)),
        }
    }
    let mut roots: Vec<_> = roots
        .into_iter()
        .map(|(segment, missing_parent)| Node { missing_parent, ..node(segment, &mut children) })
        .collect();
    sort(&mut roots);
    roots
}

fn flatten(
    segment: &Subsegment,
    parent: Option<String>,
    flat: &mut Vec<(Subsegment, Option<String>)>,
) {
    for embedded in &segment.subsegments {
        flatten(embedded, Some(segment.id.clone()), flat);
    }
    flat.push((Subsegment { subsegments: Vec::new(), ..segment.clone() }, parent));
}

/// Takes the node's children out of the map, so that nothing is drawn twice.
fn node(segment: Subsegment, children: &mut HashMap<String, Vec<Subsegment>>) -> Node {
    let own = children.remove(&segment.id).unwrap_or_default();
    let mut own: Vec<_> = own.into_iter().map(|child| node(child, children)).collect();
    sort(&mut own);
    Node { segment, missing_parent: None, children: own }
}

fn sort(nodes: &mut [Node]) {
    nodes.sort_by(|a, b| a.segment.start.total_cmp(&b.segment.start));
}

fn first_start(trace: &Trace) -> f64 {
    trace.roots.first().map_or(f64::MAX, |root| root.segment.start)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::{Segment, Subsegment, traces};

    fn subsegment(id: &str, start: f64) -> Subsegment {
        Subsegment {
            id: id.to_owned(),
            name: format!("n-{id}"),
            start,
            end: Some(start + 1.0),
            fault: false,
            error: false,
            throttle: false,
            annotations: Map::new(),
            metadata: Map::new(),
            subsegments: Vec::new(),
        }
    }

    fn segment(trace: &str, id: &str, parent: Option<&str>, start: f64) -> Segment {
        Segment {
            trace_id: trace.to_owned(),
            parent_id: parent.map(str::to_owned),
            is_subsegment: parent.is_some(),
            own: subsegment(id, start),
        }
    }

    fn drawn(segments: &[Segment]) -> Vec<String> {
        let mut lines = Vec::new();
        for trace in traces(segments) {
            trace.walk(|depth, node| {
                let missing = node.missing_parent.as_deref().unwrap_or("");
                lines.push(format!(
                    "{}{}{}{missing}",
                    trace.id,
                    " ".repeat(depth + 1),
                    node.segment.id
                ));
            });
        }
        lines
    }

    #[test]
    fn children_stand_under_their_parents_in_order_of_time() {
        let mut root = segment("t", "root", Some("-lambda"), 1.0);
        root.own.subsegments = vec![subsegment("embedded", 1.5)];
        let segments = [
            segment("t", "late", Some("root"), 3.0),
            segment("t", "leaf", Some("embedded"), 1.6),
            segment("t", "early", Some("root"), 1.2),
            root.clone(),
            root,
            segment("s", "other", None, 0.5),
        ];
        assert_eq!(
            drawn(&segments),
            ["s other", "t root-lambda", "t  early", "t  embedded", "t   leaf", "t  late"]
        );
        assert_eq!(traces(&segments)[1].len(), 5);
    }

    #[test]
    fn nothing_is_no_trace() {
        assert!(traces(&[]).is_empty());
    }
}
