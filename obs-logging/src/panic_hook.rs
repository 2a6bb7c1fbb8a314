//! The panic hook: a panic as a line, with the ids of the request and the span that it happened in.
//!
//! The panicking thread may hold any lock of the process: that of a user's writer (a failed `assert`
//! on what a test has captured), stdout's, that of a span's extensions (a value that panics while
//! another layer formats it). So it only collects what is its own, and a thread made for the purpose
//! encodes and writes, while it waits for so long and no longer:
//!
//! ```text
//!  panicking thread                                thread "obs-panic"
//!  ────────────────                                ──────────────────
//!  text, place, backtrace, request, span's id ──►  span's fields and ids
//!  waits, half a second at most                    lines held for the request
//!    │                                             the panic's line
//!    │  ◄──────────────────────────────────────    flush
//!  the hook that was there before, unless a logger that told of it is not to
//! ```

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{self, PanicHookInfo};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use obs_core::lane::{Lane, on_lane_thread};
use obs_core::{RequestContext, guard};
use tracing_core::span::Id;
use tracing_core::{Dispatch, LevelFilter, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::layer::{Around, Core};
use crate::level::Levels;
use crate::own_event::{self, Panicked};
use crate::{held, scratch, span};

/// The longest that a panicking thread waits for its line.
const PATIENCE: Duration = Duration::from_millis(500);

/// Makes each panic of the process a line of this logger.
pub(crate) fn install(core: &Arc<Core>, levels: &Arc<Levels>) {
    static WRAPPED: Once = Once::new();
    if thread::panicking() {
        // A panicking thread may not touch the hook.
        return;
    }
    {
        let mut loggers = loggers();
        loggers.retain(|logger| logger.core.strong_count() > 0);
        if !loggers.iter().any(|logger| std::ptr::eq(logger.core.as_ptr(), Arc::as_ptr(core))) {
            loggers.push(Listening { core: Arc::downgrade(core), levels: Arc::clone(levels) });
        }
    }
    WRAPPED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if on_panic(info) == Before::Called {
                before(info);
            }
        }));
    });
}

/// Whether a panic in `request` was handed to this logger.
pub(crate) fn has_logged(core: &Core, request: &RequestContext) -> bool {
    request.slot_if_made::<Panics>().is_some_and(|panics| panics.lock().contains(&core.id))
}

/// The loggers that write panics.
static LOGGERS: Mutex<Vec<Listening>> = Mutex::new(Vec::new());

struct Listening {
    core: Weak<Core>,
    levels: Arc<Levels>,
}

/// Nothing under this lock can panic or log.
fn loggers() -> MutexGuard<'static, Vec<Listening>> {
    LOGGERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loggers that had a panic of a request, in its slot.
#[derive(Debug, Default)]
struct Panics(Mutex<Vec<u64>>);

impl Panics {
    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// This thread is in the hook, or is the one that writes for it.
    static REPORTING: Cell<bool> = const { Cell::new(false) };
}

/// What becomes of the hook that was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Called,
    LeftOut,
}

fn on_panic(info: &PanicHookInfo<'_>) -> Before {
    // Nothing has failed that a marker in the value's place does not tell; but where panics abort,
    // nothing catches them.
    if guard::is_formatting() && cfg!(panic = "unwind") {
        return Before::Called;
    }
    // A panic within the hook aborts the process; on the thread that writes, it ends the writing.
    if REPORTING.replace(true) {
        return Before::Called;
    }
    let before = report(info);
    REPORTING.set(false);
    before
}

fn report(info: &PanicHookInfo<'_>) -> Before {
    let all: Vec<_> = loggers()
        .iter()
        .filter(|logger| logger.levels.most() != LevelFilter::OFF)
        .filter_map(|logger| logger.core.upgrade())
        .collect();
    // Where it is a logger's writer that panics, its line would make it panic again, and so would
    // two of them each other.
    if all.is_empty() || all.iter().flat_map(|core| core.lanes()).any(Lane::is_delivering) {
        return Before::Called;
    }
    let before = match all.iter().all(|core| core.panic_hook_before) {
        true => Before::Called,
        false => Before::LeftOut,
    };
    let request = RequestContext::current();
    if let Some(request) = &request {
        request.slot(Panics::default).lock().extend(all.iter().map(|core| core.id));
    }
    let traceback =
        all.iter().any(|core| core.panic_backtrace).then(|| Backtrace::force_capture().to_string());
    let panic = Arc::new(Panic {
        message: info.payload_as_str().unwrap_or("the panic carries no message").to_owned(),
        location: info.location().map(ToString::to_string),
        thread: thread::current().name().map(str::to_owned),
        traceback,
        request,
        span: dispatcher::get_default(|dispatch| {
            Some((dispatch.clone(), dispatch.current_span().id().cloned()?))
        }),
        loggers: all,
        // A lane may have to wait for the one whose thread this is.
        flushes: !on_lane_thread(),
    });
    let (done, is_done) = sync_channel(1);
    let here = Arc::clone(&panic);
    let there = thread::Builder::new().name("obs-panic".to_owned()).spawn(move || {
        REPORTING.set(true);
        panic.write(true);
        // Who goes on may drop its logger, and expect that this was all of it.
        drop(panic);
        let _ = done.send(());
    });
    match there {
        Ok(_) => {
            let _ = is_done.recv_timeout(PATIENCE);
        }
        // No thread to be had: a line that may have to wait for the writer is better than none. It
        // does not look at the span, whose lock this thread may hold.
        Err(_) => here.write(false),
    }
    before
}

/// What is known of a panic.
struct Panic {
    message: String,
    location: Option<String>,
    thread: Option<String>,
    traceback: Option<String>,
    request: Option<RequestContext>,
    /// The span that the thread was in, and the subscriber that has it.
    span: Option<(Dispatch, Id)>,
    loggers: Vec<Arc<Core>>,
    flushes: bool,
}

impl Panic {
    fn write(&self, looks_at_span: bool) {
        let started = Instant::now();
        let _entered = self.request.as_ref().map(RequestContext::enter);
        for core in &self.loggers {
            self.log(core, looks_at_span);
        }
        if self.flushes {
            let limit = PATIENCE.saturating_sub(started.elapsed());
            let lanes = self.loggers.iter().flat_map(|core| core.lanes());
            let flushes: Vec<_> = lanes.map(|lane| lane.flush_async(limit)).collect();
            for flush in flushes {
                // What is not out by then the lane still has; what it lost, the next report tells.
                flush.settle();
            }
        }
    }

    fn log(&self, core: &Core, looks_at_span: bool) {
        let panicked = Panicked {
            message: &self.message,
            location: self.location.as_deref(),
            thread: self.thread.as_deref(),
            traceback: self.traceback.as_deref().filter(|_| core.panic_backtrace),
        };
        own_event::panicked(&panicked, |event| {
            scratch::with(|scratch| {
                // The panic may have poisoned the span: its line is written all the same.
                let in_span = looks_at_span.then(|| {
                    guard::caught(|| {
                        let span = self.span_for(core);
                        let around = span.as_ref().map_or(Around::Nowhere, Around::Span);
                        core.encode(event, &around, scratch);
                    })
                });
                if in_span.flatten().is_none() {
                    core.encode::<Registry>(event, &Around::Nowhere, scratch);
                }
                core.finish(&mut scratch.line);
                if let Some(request) = &self.request {
                    held::release(core, request);
                }
                core.push(&scratch.line, scratch.at, &mut scratch.text);
            });
        });
    }

    /// The innermost span that the logger's lines have their context from.
    fn span_for(&self, core: &Core) -> Option<SpanRef<'_, Registry>> {
        let (dispatch, id) = self.span.as_ref()?;
        let innermost = dispatch.downcast_ref::<Registry>()?.span(id)?;
        innermost.scope().find(|span| span::is_known(span, core.id))
    }
}
