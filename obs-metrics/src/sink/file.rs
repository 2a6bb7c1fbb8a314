//! A file that is rotated: what the CloudWatch agent's collection of files reads.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use obs_core::clock::{Clock, SystemClock};
use obs_core::stdout::WriterSink;
use rolling_file::{BasicRollingFileAppender, RollingConditionBasic};

use super::{Sink, report_lost};
use crate::Error;

impl Sink {
    /// A file, a document a line, rotated as [`Rotation::default`] says: at 10 MiB, five old files.
    ///
    /// It is appended to; one that cannot be opened is an error of the collector's `build`. For the
    /// CloudWatch agent, name this very path in its `logs_collected` section: it follows a file that is
    /// renamed to its end. One program at a time writes a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::rotating_file(path, Rotation::default())
    }

    /// As [`Sink::file`], rotated as `rotation` says.
    ///
    /// ```
    /// use obs_metrics::{MetricsCollector, Rotation, Sink};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("metrics.log");
    /// let metrics = MetricsCollector::builder()
    ///     .namespace("Application/DataPipeline")
    ///     .sink(Sink::rotating_file(path, Rotation::at_bytes(64 << 20).daily().keep(3)))
    ///     .build()?;
    /// # drop(metrics);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rotating_file(path: impl Into<PathBuf>, rotation: Rotation) -> Self {
        let path = path.into();
        Self::lines("emf-file", false, move |lane, _| {
            if rotation.max_bytes == Some(0) || rotation.keep == 0 {
                return Err(Error::sink(format!(
                    "a rotation at {:?} bytes that keeps {} old files; take at least 1 of each",
                    rotation.max_bytes, rotation.keep
                )));
            }
            let file = RotatingFile::open(&path, rotation, Box::new(SystemClock)).map_err(|e| {
                Error::sink_because(
                    format!(
                        "the file {} cannot be opened for appending; make its folder, and let this \
                         program write there",
                        path.display()
                    ),
                    e,
                )
            })?;
            Ok(lane.start(WriterSink::new(file).on_lost(report_lost)))
        })
    }
}

/// When a file is put aside for a new one, and how many old ones are kept: `metrics.log.1` is the
/// youngest.
///
/// Where putting aside fails, documents go on into the same file, and it is tried again when as much
/// has been written once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a rotation says nothing until a sink is made with it"]
pub struct Rotation {
    max_bytes: Option<u64>,
    daily: bool,
    keep: usize,
}

impl Default for Rotation {
    /// At 10 MiB, five old files: 60 MiB at most.
    fn default() -> Self {
        Self::at_bytes(10 << 20)
    }
}

impl Rotation {
    /// Before a line that would make the file larger than `bytes`. Five old files are kept.
    pub fn at_bytes(bytes: u64) -> Self {
        Self { max_bytes: Some(bytes), daily: false, keep: 5 }
    }

    /// With the first line of each day (UTC), whatever the size. Five old files are kept.
    pub fn each_day() -> Self {
        Self { max_bytes: None, daily: true, keep: 5 }
    }

    /// With the first line of each day (UTC) too.
    pub fn daily(mut self) -> Self {
        self.daily = true;
        self
    }

    /// How many old files are kept, 1 at least; the oldest is removed.
    pub fn keep(mut self, files: usize) -> Self {
        self.keep = files;
        self
    }

    /// Whether a line of `line` bytes begins a new file after one of `size` bytes, last written
    /// `day`.
    fn is_due(self, size: u64, day: u64, line: u64, today: u64) -> bool {
        let full = self.max_bytes.is_some_and(|max| size.saturating_add(line) > max);
        // A clock that steps back makes no new file.
        let another_day = self.daily && today > day;
        size > 0 && (full || another_day)
    }
}

struct RotatingFile {
    files: BasicRollingFileAppender,
    rotation: Rotation,
    /// What is in the file, or was written since the last rotation that failed.
    size: u64,
    /// The day of the last line.
    day: u64,
    clock: Box<dyn Clock>,
}

impl RotatingFile {
    fn open(path: &Path, rotation: Rotation, clock: Box<dyn Clock>) -> io::Result<Self> {
        // It never rotates by itself.
        let condition = RollingConditionBasic::new();
        let found = fs::metadata(path).ok();
        let files = BasicRollingFileAppender::new(path, condition, rotation.keep)?;
        let written = found.as_ref().and_then(|file| file.modified().ok());
        let day = day_of(written.unwrap_or_else(|| clock.now()));
        let size = found.map_or(0, |file| file.len());
        Ok(Self { files, rotation, size, day, clock })
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let today = day_of(self.clock.now());
        let bytes = line.len() as u64;
        if self.rotation.is_due(self.size, self.day, bytes, today) {
            // Where it fails, the lines go on into the file that is there.
            let _failed = self.files.rollover();
            self.size = 0;
        }
        let written = self.files.write(line)?;
        self.size = self.size.saturating_add(bytes);
        self.day = self.day.max(today);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.flush()
    }
}

impl fmt::Debug for RotatingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatingFile")
            .field("rotation", &self.rotation)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// The number of the day since the epoch, in UTC.
fn day_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use obs_core::clock::{ManualClock, millis_since_epoch};

    use super::*;

    const DAY_MILLIS: u64 = 86_400_000;

    fn open(path: &Path, rotation: Rotation) -> RotatingFile {
        RotatingFile::open(path, rotation, Box::new(SystemClock)).unwrap()
    }

    /// Writes each line on its own, then reads the file and the old ones, the youngest first.
    fn files(mut file: RotatingFile, path: &Path, lines: &[&str]) -> Vec<String> {
        for line in lines {
            file.write_all(line.as_bytes()).unwrap();
        }
        file.flush().unwrap();
        let old = (1..10).map(|n| path.with_file_name(format!("metrics.log.{n}")));
        std::iter::once(path.to_owned())
            .chain(old)
            .map_while(|path| fs::read_to_string(path).ok())
            .collect()
    }

    #[test]
    fn a_new_file_begins_where_the_old_one_is_full_or_the_day_is_over() {
        let size = Rotation::at_bytes(100);
        for (rotation, written, day, line, today, expected) in [
            (size, 0, 0, 200, 9, false),
            (size, 90, 0, 10, 9, false),
            (size, 90, 0, 11, 0, true),
            (size, u64::MAX, 0, u64::MAX, 0, true),
            (size.daily(), 1, 0, 1, 1, true),
            (size.daily(), 0, 0, 1, 1, false),
            (size.daily(), 90, 1, 11, 1, true),
            (Rotation::each_day(), u64::MAX, 1, 1, 1, false),
            (Rotation::each_day(), 1, 1, 1, 2, true),
            // The clock stepped back.
            (Rotation::each_day(), 1, 2, 1, 1, false),
        ] {
            assert_eq!(
                rotation.is_due(written, day, line, today),
                expected,
                "{rotation:?} {written} {day} {line} {today}"
            );
        }
    }

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.log");
        let rotation = Rotation::at_bytes(12).keep(2);
        let file = open(&path, rotation);
        assert_eq!(
            files(file, &path, &["one\n", "two\n", "six\n", "ten\n"]),
            ["ten\n", "one\ntwo\nsix\n"]
        );
        // Another process goes on where the last one ended.
        let file = open(&path, rotation);
        let found = files(file, &path, &["a\n", "a line that alone is too long\n", "b\n"]);
        assert_eq!(found, ["b\n", "a line that alone is too long\n", "ten\na\n"]);
    }

    #[test]
    fn a_file_of_yesterday_is_put_aside_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.log");
        fs::write(&path, "yesterday\n").unwrap();
        let tomorrow = millis_since_epoch(SystemTime::now()) + DAY_MILLIS;
        let clock = ManualClock::at_millis(tomorrow);
        let file = RotatingFile::open(&path, Rotation::each_day(), Box::new(clock)).unwrap();
        assert_eq!(files(file, &path, &["today\n", "too\n"]), ["today\ntoo\n", "yesterday\n"]);
        // The same day, another process.
        let clock = ManualClock::at_millis(tomorrow - DAY_MILLIS);
        let file = RotatingFile::open(&path, Rotation::each_day(), Box::new(clock)).unwrap();
        assert_eq!(files(file, &path, &["more\n"])[0], "today\ntoo\nmore\n");
        assert_eq!(day_of(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }

    #[test]
    fn where_putting_aside_fails_the_lines_go_on_into_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.log");
        // A folder that is not empty stands where the file should go, and cannot be replaced.
        fs::create_dir_all(folder.path().join("metrics.log.1/x")).unwrap();
        let file = open(&path, Rotation::at_bytes(4).keep(1));
        assert_eq!(files(file, &path, &["one\n", "two\n"])[0], "one\ntwo\n");
    }
}
