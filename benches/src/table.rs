//! The table at the end of a run.

use std::fmt::{self, Write as _};

/// The environment variable that names the file to which a run appends its rows.
pub const RECORD_TO: &str = "OBS_BENCH_RECORD";

/// Whose operation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of this workspace.
    Ours,
    /// What it is compared with.
    Peer,
}

/// What an operation cost. As text, one line with a tab between values.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The case: rows of one case do the same.
    pub case: String,
    /// Whose it is.
    pub role: Role,
    /// What did it.
    pub subject: String,
    /// The median. None where it was not timed, as with `--test`.
    pub nanoseconds: Option<f64>,
    /// Allocations on the calling thread.
    pub allocations: f64,
    /// Bytes written, where that is counted.
    pub bytes: Option<f64>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, role, subject, nanoseconds, allocations, bytes } = self;
        let role = if *role == Role::Ours { "ours" } else { "peer" };
        let number = |value: &Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        write!(f, "{case}\t{role}\t{subject}\t{}\t{allocations}\t", number(nanoseconds))?;
        f.write_str(&number(bytes))
    }
}

/// Reads a row's line. None where it is not one.
pub fn parse(line: &str) -> Option<Row> {
    let mut values = line.split('\t');
    let mut next = || values.next();
    let number =
        |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    Some(Row {
        case: next()?.to_owned(),
        role: match next()? {
            "ours" => Role::Ours,
            "peer" => Role::Peer,
            _ => return None,
        },
        subject: next()?.to_owned(),
        nanoseconds: number(next()?)?,
        allocations: next()?.parse().ok()?,
        bytes: number(next()?)?,
    })
}

/// One row for each operation, in the order of the first run: the medians of all runs.
pub fn medians(rows: &[Row]) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        let is_same = |other: &&Row| other.case == row.case && other.subject == row.subject;
        if merged.iter().any(|other| is_same(&other)) {
            continue;
        }
        let all = || rows.iter().filter(is_same);
        let median_of = |value: fn(&Row) -> Option<f64>| {
            let mut values: Vec<f64> = all().filter_map(value).collect();
            (!values.is_empty()).then(|| median(&mut values))
        };
        merged.push(Row {
            nanoseconds: median_of(|row| row.nanoseconds),
            allocations: median_of(|row| Some(row.allocations)).unwrap_or(row.allocations),
            bytes: median_of(|row| row.bytes),
            ..row.clone()
        });
    }
    merged
}

/// The rows as a table in Markdown. The ratio is to the fastest peer of the case.
pub fn render(rows: &[Row]) -> String {
    let mut cells = vec![["case", "", "ns", "ratio", "allocations", "bytes"].map(str::to_owned)];
    let mut last_case = "";
    for row in rows {
        let ratio = row.nanoseconds.zip(fastest_peer(rows, &row.case));
        let number = |value: Option<f64>| match value {
            Some(value) if value < 10.0 => format!("{value:.2}"),
            Some(value) => format!("{value:.0}"),
            None => String::new(),
        };
        cells.push([
            if row.case == last_case { String::new() } else { row.case.clone() },
            row.subject.clone(),
            number(row.nanoseconds),
            ratio.map(|(ours, peer)| format!("{:.2}", ours / peer)).unwrap_or_default(),
            format!("{:.2}", row.allocations),
            number(row.bytes),
        ]);
        last_case = &row.case;
    }
    markdown(&cells)
}

fn fastest_peer(rows: &[Row], case: &str) -> Option<f64> {
    rows.iter()
        .filter(|row| row.case == case && row.role == Role::Peer)
        .filter_map(|row| row.nanoseconds)
        .min_by(f64::total_cmp)
}

/// Text columns to the left, numbers to the right.
fn markdown<const N: usize>(cells: &[[String; N]]) -> String {
    const TEXT_COLUMNS: usize = 2;
    let width = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.len()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for (n, row) in cells.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column).max(3);
            let _infallible = match column < TEXT_COLUMNS {
                true => write!(text, "| {cell:<width$} "),
                false => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if n == 0 {
            for column in 0..N {
                let dashes = "-".repeat(width(column).max(3) - 1);
                let _infallible = match column < TEXT_COLUMNS {
                    true => write!(text, "| {dashes}- "),
                    false => write!(text, "| {dashes}: "),
                };
            }
            text.push_str("|\n");
        }
    }
    text
}

/// The value in the middle; of an even number the mean of the two.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |n: usize| values.get(n).copied().unwrap_or(f64::NAN);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: &str, role: Role, subject: &str, nanoseconds: Option<f64>) -> Row {
        let (case, subject) = (case.to_owned(), subject.to_owned());
        Row { case, role, subject, nanoseconds, allocations: 0.5, bytes: None }
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let plain = row("metrics/document", Role::Ours, "event(), one shape", Some(198.25));
        let full = Row { role: Role::Peer, nanoseconds: None, bytes: Some(489.0), ..plain.clone() };
        for row in [plain, full] {
            assert_eq!(parse(&row.to_string()), Some(row));
        }
        for line in ["", "a\tb", "case\ttheirs\tx\t1\t0\t", "case\tpeer\tx\tone\t0\t"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_middle_of_runs() {
        for (values, expected) in
            [(&mut [3.0][..], 3.0), (&mut [9.0, 1.0, 2.0], 2.0), (&mut [4.0, 1.0, 2.0, 100.0], 3.0)]
        {
            assert_eq!(median(values), expected);
        }
        let runs = [
            row("case", Role::Ours, "obs", Some(10.0)),
            row("case", Role::Peer, "peer", Some(40.0)),
            row("case", Role::Ours, "obs", Some(90.0)),
            row("case", Role::Ours, "obs", Some(12.0)),
            row("case", Role::Peer, "peer", None),
        ];
        let merged = medians(&runs);
        let found: Vec<_> =
            merged.iter().map(|row| (row.subject.as_str(), row.nanoseconds)).collect();
        assert_eq!(found, [("obs", Some(12.0)), ("peer", Some(40.0))]);
    }

    #[test]
    fn ratios_are_to_the_fastest_peer_of_the_case() {
        let rows = [
            row("event", Role::Ours, "obs", Some(50.0)),
            row("event", Role::Peer, "fast", Some(200.0)),
            row("event", Role::Peer, "slow", Some(400.0)),
            row("alone", Role::Ours, "obs", Some(2.5)),
            row("not timed", Role::Ours, "obs", None),
        ];
        let expected = "\
| case      |      |   ns | ratio | allocations | bytes |
| --------- | ---- | ---: | ----: | ----------: | ----: |
| event     | obs  |   50 |  0.25 |        0.50 |       |
|           | fast |  200 |  1.00 |        0.50 |       |
|           | slow |  400 |  2.00 |        0.50 |       |
| alone     | obs  | 2.50 |       |        0.50 |       |
| not timed | obs  |      |       |        0.50 |       |
";
        assert_eq!(render(&rows), expected);
    }
}
