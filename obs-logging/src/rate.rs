//! At most so many lines of one callsite in a window of time; the others are counted.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use obs_core::json::{self, Object};
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Level, Metadata};

use crate::callsite::{is_log_record, level_name};

/// Records of the `log` crate name their origin at run time. Beyond this many origins, those of one
/// level share one count.
const MOST_RECORD_ORIGINS: usize = 4096;

/// The limit of one logger, and where each of its callsites stands.
///
/// A callsite's state is one word; a thread finds it in a cache of its own.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// Tells loggers apart in the threads' caches.
    logger: u64,
    lines: u32,
    window_millis: u64,
    meters: RwLock<HashMap<Key, Arc<Meter>>>,
}

impl RateLimit {
    /// At least one line, and windows of at least a millisecond.
    pub(crate) fn new(logger: u64, lines: u32, per: Duration) -> Self {
        let window_millis = u64::try_from(per.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { logger, lines: lines.max(1), window_millis, meters: RwLock::default() }
    }

    /// `None` where the event's line is suppressed; else how many of this callsite were since its
    /// last line.
    pub(crate) fn admit(&self, event: &Event<'_>, now_millis: u64) -> Option<u64> {
        let now = low_half(now_millis / self.window_millis);
        with_meter(self, event, |meter| meter.admit(now, self.lines))
    }

    /// Calls `tell` for each callsite of which lines were suppressed since its last line, and takes
    /// them for told.
    pub(crate) fn take_suppressed(&self, mut tell: impl FnMut(&Origin, u64)) {
        // A copy, as `tell` is not run under the lock.
        let meters: Vec<_> = {
            let meters = self.meters.read().unwrap_or_else(PoisonError::into_inner);
            let some = |meter: &&Arc<Meter>| meter.suppressed.load(Ordering::Relaxed) > 0;
            meters.values().filter(some).cloned().collect()
        };
        for meter in meters {
            let suppressed = meter.suppressed.swap(0, Ordering::Relaxed);
            if suppressed > 0 {
                tell(&meter.origin, suppressed);
            }
        }
    }

    fn find(&self, key: Key, event: &Event<'_>) -> Arc<Meter> {
        let known = self.meters.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return Arc::clone(found);
        }
        // No record has this number: its own has the lowest bit set.
        let shared = Key { record: Some(0), ..key };
        let is_full = key.record.is_some() && known.len() >= MOST_RECORD_ORIGINS;
        if is_full && let Some(found) = known.get(&shared) {
            return Arc::clone(found);
        }
        drop(known);
        let (key, origin) = if is_full {
            (shared, Origin::of_metadata(event.metadata()))
        } else {
            (key, Origin::of(event))
        };
        let mut known = self.meters.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Meter::new(origin))))
    }
}

/// Writes into the finished `line` how many were suppressed before it.
pub(crate) fn write_suppressed(suppressed: u64, line: &mut Vec<u8>) {
    if suppressed > 0 && line.pop().is_some() {
        line.extend_from_slice(br#","suppressed":"#);
        json::uint(line, suppressed);
        line.push(b'}');
    }
}

/// A callsite: the address of its metadata. All records of a level of the `log` crate have one; they
/// are told apart by a number made of target and line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    metadata: usize,
    record: Option<u64>,
}

impl Key {
    fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let record = is_log_record(metadata).then(|| {
            let mut number = RecordNumber(DefaultHasher::new());
            event.record(&mut number);
            number.0.finish() | 1
        });
        Self { metadata: std::ptr::from_ref(metadata) as usize, record }
    }
}

/// How many lines one callsite has written in its window, and how many it has not.
#[derive(Debug)]
struct Meter {
    /// The window's number above, the lines written in it below; see [`decide`].
    written: AtomicU64,
    suppressed: AtomicU64,
    origin: Origin,
}

impl Meter {
    fn new(origin: Origin) -> Self {
        Self { written: AtomicU64::new(0), suppressed: AtomicU64::new(0), origin }
    }

    // Counters that order nothing else: relaxed.
    fn admit(&self, now: u32, limit: u32) -> Option<u64> {
        let next = |state| decide(state, now, limit);
        if self.written.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_err() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        match self.suppressed.load(Ordering::Relaxed) {
            0 => Some(0),
            _ => Some(self.suppressed.swap(0, Ordering::Relaxed)),
        }
    }
}

/// The state after a line in window `now`; `None` where the line is one too many.
///
/// A window behind the last is taken for the last: a thread has read the clock just before another
/// one began it. Any other window is a new one, also where the clock has stepped back, so that
/// silence never lasts longer than two windows.
fn decide(state: u64, now: u32, limit: u32) -> Option<u64> {
    let (window, written) = (low_half(state >> 32), low_half(state));
    if now != window && now != window.wrapping_sub(1) {
        return Some(u64::from(now) << 32 | 1);
    }
    (written < limit).then(|| state + 1)
}

/// The lower 32 bits.
fn low_half(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default()
}

/// Where lines come from, for the line that tells of those that were suppressed.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) level: Level,
    pub(crate) target: Cow<'static, str>,
    pub(crate) module: Option<Cow<'static, str>>,
    pub(crate) line: Option<u64>,
}

impl Origin {
    fn of(event: &Event<'_>) -> Self {
        let mut origin = Self::of_metadata(event.metadata());
        if is_log_record(event.metadata()) {
            event.record(&mut RecordOrigin(&mut origin));
        }
        origin
    }

    fn of_metadata(metadata: &'static Metadata<'static>) -> Self {
        Self {
            level: *metadata.level(),
            target: metadata.target().into(),
            module: metadata.module_path().map(Into::into),
            line: metadata.line().map(u64::from),
        }
    }

    pub(crate) fn write(&self, members: &mut Object<'_>) {
        members.str("suppressed_level", level_name(self.level));
        members.str("suppressed_logger", &self.target);
        if let Some(module) = &self.module {
            members.str("suppressed_module", module);
        }
        if let Some(line) = self.line {
            members.u64("suppressed_line", line);
        }
    }
}

/// Takes the number of a `log` record's origin. Its message is not formatted.
struct RecordNumber(DefaultHasher);

impl Visit for RecordNumber {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "log.target" {
            value.hash(&mut self.0);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            value.hash(&mut self.0);
        }
    }
}

struct RecordOrigin<'a>(&'a mut Origin);

impl Visit for RecordOrigin<'_> {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.0.target = cut(value),
            "log.module_path" => self.0.module = Some(cut(value)),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.0.line = Some(value);
        }
    }
}

/// What is kept as long as the logger lives must not be as long as the program likes.
fn cut(name: &str) -> Cow<'static, str> {
    const MOST: usize = 300;
    Cow::Owned(name[..name.floor_char_boundary(MOST)].to_owned())
}

/// How many callsites a thread has at hand: a power of two. Two that meet in one place take turns.
const PLACES: usize = 256;

type Place = Option<(u64, Key, Arc<Meter>)>;

thread_local! {
    static AT_HAND: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

fn with_meter<R>(limit: &RateLimit, event: &Event<'_>, ask: impl Fn(&Meter) -> R) -> R {
    let key = Key::of(event);
    AT_HAND
        .try_with(|places| {
            // Visiting an event runs only what the `log` bridge has put there, before this borrow
            // and in `find`, and none of it logs.
            let mut places = places.borrow_mut();
            if places.is_empty() {
                places.resize_with(PLACES, || None);
            }
            let place = &mut places[key.place()];
            match place {
                Some((logger, held, meter)) if *logger == limit.logger && *held == key => {
                    ask(meter)
                }
                _ => {
                    let meter = limit.find(key, event);
                    let answer = ask(&meter);
                    *place = Some((limit.logger, key, meter));
                    answer
                }
            }
        })
        // The thread is ending.
        .unwrap_or_else(|_| ask(&limit.find(key, event)))
}

impl Key {
    fn place(&self) -> usize {
        // Metadata is larger than eight bytes: the lowest bits say nothing.
        let mixed = (self.metadata as u64 >> 3 ^ self.record.unwrap_or_default())
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 56).unwrap_or_default() % PLACES
    }
}

#[cfg(test)]
mod tests {
    use tracing_log::log;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;

    fn state(window: u32, written: u32) -> u64 {
        u64::from(window) << 32 | u64::from(written)
    }

    #[test]
    fn scenario_26_a_window_has_so_many_lines_whatever_the_clock_does() {
        for (case, before, now, expected) in [
            ("the first line", state(0, 0), 7, Some(state(7, 1))),
            ("one more", state(7, 1), 7, Some(state(7, 2))),
            ("the last one", state(7, 2), 7, Some(state(7, 3))),
            ("one too many", state(7, 3), 7, None),
            ("the next window", state(7, 3), 8, Some(state(8, 1))),
            ("much later", state(7, 3), 70_000, Some(state(70_000, 1))),
            ("another thread was just ahead", state(8, 1), 7, Some(state(8, 2))),
            ("and has used it up", state(8, 3), 7, None),
            ("the clock steps back", state(8, 3), 6, Some(state(6, 1))),
            ("to the beginning", state(8, 3), 0, Some(state(0, 1))),
            ("the numbers begin again", state(u32::MAX, 3), 0, Some(state(0, 1))),
            ("just before they do", state(0, 3), u32::MAX, None),
        ] {
            assert_eq!(decide(before, now, 3), expected, "{case}");
        }
    }

    #[test]
    fn scenario_26_silence_ends_wherever_the_clock_steps_to() {
        for step_back in 0..100_u32 {
            let mut state = state(1000, 3);
            let admitted = (0..3).filter(|after| {
                let next = decide(state, 1000 - step_back + after, 3);
                state = next.unwrap_or(state);
                next.is_some()
            });
            assert!(admitted.count() > 0, "{step_back}");
        }
    }

    #[test]
    fn threads_together_write_no_more_than_the_limit_and_lose_no_count() {
        let meter = Meter::new(Origin {
            level: Level::INFO,
            target: "orders".into(),
            module: None,
            line: None,
        });
        let (written, told) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut sums = (0, 0);
                        for n in 0..10_000_u32 {
                            if let Some(suppressed) = meter.admit(5 + n / 1000, 10) {
                                sums.0 += 1;
                                sums.1 += suppressed;
                            }
                        }
                        sums
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .fold((0, 0), |(written, told): (u64, u64), (w, t): (u64, u64)| {
                    (written + w, told + t)
                })
        });
        assert!(written >= 10, "{written}");
        assert_eq!(written + told + meter.suppressed.load(Ordering::Relaxed), 40_000);

        let one_window = Meter::new(Origin {
            level: Level::INFO,
            target: "orders".into(),
            module: None,
            line: None,
        });
        let admit = || (0..10_000).filter(|_| one_window.admit(5, 10).is_some()).count();
        let written: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(admit)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(written, 10);
    }

    #[test]
    fn origins_that_a_program_makes_up_without_end_share_a_count() {
        struct Ask(RateLimit, Arc<AtomicU64>);
        impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Ask {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                if self.0.admit(event, 0).is_some() {
                    self.1.fetch_add(1, Ordering::Relaxed);
                }
                assert!(self.0.meters.read().unwrap().len() <= MOST_RECORD_ORIGINS + 1);
            }
        }
        let written = Arc::new(AtomicU64::new(0));
        let ask = Ask(RateLimit::new(u64::MAX, 1, Duration::from_secs(1)), Arc::clone(&written));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(ask), || {
            for n in 0..2 * MOST_RECORD_ORIGINS {
                let target = format!("made::up::{n}");
                for _ in 0..2 {
                    let mut record = log::Record::builder();
                    tracing_log::format_trace(&record.target(&target).line(Some(7)).build())
                        .unwrap();
                }
            }
        });
        // One each, and one for all others together.
        assert_eq!(written.load(Ordering::Relaxed), MOST_RECORD_ORIGINS as u64 + 1);
    }

    #[test]
    fn what_is_told_is_the_last_member_of_the_line() {
        for (suppressed, expected) in
            [(0, r#"{"message":"x"}"#), (12, r#"{"message":"x","suppressed":12}"#)]
        {
            let mut line = br#"{"message":"x"}"#.to_vec();
            write_suppressed(suppressed, &mut line);
            assert_eq!(std::str::from_utf8(&line).unwrap(), expected);
        }
    }
}
