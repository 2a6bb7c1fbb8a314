//! Runs operations under criterion and collects their rows.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};

use crate::operation::{Cost, Operation};
use crate::table::{self, RECORD_TO, Role, Row};

/// Many short samples: the median of them is that of an undisturbed one, even where half of the
/// machine's time is somebody else's.
const SAMPLES: usize = 1_000;
const MEASURED: Duration = Duration::from_millis(600);
const WARM_UP: Duration = Duration::from_millis(300);
const LONG_SAMPLES: usize = 50;
const LONG_MEASURED: Duration = Duration::from_secs(2);
/// Of the bootstrap behind criterion's confidence intervals, which costs samples × resamples.
const RESAMPLES: usize = 2_000;

/// The cases of one benchmark program.
#[must_use = "a suite prints its table when it is finished"]
pub struct Suite {
    name: &'static str,
    criterion: Criterion,
    rows: Vec<Row>,
}

impl Suite {
    /// A suite that obeys criterion's arguments: `--test` runs each operation, without timing it.
    pub fn from_args(name: &'static str) -> Self {
        let criterion = Criterion::default().without_plots().configure_from_args();
        Self { name, criterion, rows: Vec::new() }
    }

    /// Begins a case: operations that do the same.
    pub fn case(&mut self, name: &str) -> Case<'_> {
        let name = format!("{}/{name}", self.name);
        let mut group = self.criterion.benchmark_group(&name);
        group
            .sampling_mode(SamplingMode::Flat)
            .sample_size(SAMPLES)
            .warm_up_time(WARM_UP)
            .measurement_time(MEASURED)
            .nresamples(RESAMPLES);
        Case { name, group, rows: &mut self.rows, samples: SAMPLES }
    }

    /// Prints the table of what was run, and records it where `OBS_BENCH_RECORD` says.
    ///
    /// # Errors
    ///
    /// The table cannot be written.
    pub fn finish(self) -> io::Result<()> {
        self.criterion.final_summary();
        writeln!(io::stdout().lock(), "\n{}", table::render(&self.rows))?;
        if let Some(path) = std::env::var_os(RECORD_TO) {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            for row in &self.rows {
                writeln!(file, "{row}")?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Operations that do the same: ours and the peers'.
#[must_use = "a case measures the operations that it is given"]
pub struct Case<'a> {
    name: String,
    group: BenchmarkGroup<'a, WallTime>,
    rows: &'a mut Vec<Row>,
    samples: usize,
}

impl Case<'_> {
    /// Measures an operation of ours.
    pub fn ours(self, subject: &str, operation: Operation<'_, impl FnMut()>) -> Self {
        self.measure(Role::Ours, subject, operation)
    }

    /// Measures a peer's operation. Ratios are to the fastest peer of the case.
    pub fn peer(self, subject: &str, operation: Operation<'_, impl FnMut()>) -> Self {
        self.measure(Role::Peer, subject, operation)
    }

    /// Samples that are long enough for operations that take milliseconds.
    pub fn long(mut self) -> Self {
        self.samples = LONG_SAMPLES;
        self.group.sample_size(LONG_SAMPLES).measurement_time(LONG_MEASURED);
        self
    }

    /// Ends the case, so that the suite can go on.
    pub fn done(self) {}

    fn measure(
        mut self,
        role: Role,
        subject: &str,
        mut operation: Operation<'_, impl FnMut()>,
    ) -> Self {
        let mut cost: Option<Cost> = None;
        let mut times = Vec::new();
        // Criterion calls it for each sample, the warm-up's first, and not at all where a filter
        // leaves it out.
        self.group.bench_function(subject, |bencher| {
            cost.get_or_insert_with(|| operation.cost());
            bencher.iter_custom(|operations| {
                let elapsed = operation.time(operations);
                times.push(operation.time_per_part(operations, elapsed));
                elapsed
            });
        });
        let Some(Cost { allocations, bytes }) = cost else { return self };
        let samples =
            times.len().checked_sub(self.samples).and_then(|warm_up| times.get_mut(warm_up..));
        self.rows.push(Row {
            case: self.name.clone(),
            role,
            subject: subject.to_owned(),
            nanoseconds: samples.map(table::median),
            allocations,
            bytes,
        });
        self
    }
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}
