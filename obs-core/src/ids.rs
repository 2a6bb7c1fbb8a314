//! Trace, span and request ids: generated here, kept in the span's extensions, so that logs,
//! metrics and alerts read them without knowing the tracer.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use tracing_core::dispatcher;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::clock::millis_since_epoch;

/// A trace's id: 128 bits, of which the first 32 are the seconds since the epoch when we make one,
/// as X-Ray does it. Displayed as 32 hex digits, the W3C form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

impl TraceId {
    /// A new id: the time now and 96 random bits.
    pub fn generate() -> Self {
        let seconds = millis_since_epoch(SystemTime::now()) / 1000;
        // X-Ray's time has 32 bits: it wraps in 2106.
        Self(u128::from(seconds & 0xffff_ffff) << 96 | random(|rng| rng.u128(..) >> 32))
    }

    /// The id of these bits; `None` for zero, which no trace has.
    pub const fn from_u128(bits: u128) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// The id's bits.
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// Reads the W3C form: 32 hex digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        Self::from_u128(parse_hex(hex, 32)?)
    }

    /// Reads X-Ray's form: `1-` 8 hex digits `-` 24 hex digits. The time part is not checked.
    pub fn from_xray(text: &str) -> Option<Self> {
        let (time, rest) = text.strip_prefix("1-")?.split_once('-')?;
        Self::from_u128(parse_hex(time, 8)? << 96 | parse_hex(rest, 24)?)
    }

    /// X-Ray's form.
    ///
    /// ```
    /// # use obs_core::ids::TraceId;
    /// let id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap();
    /// assert_eq!(id.to_string(), "5759e988bd862e3fe1be46a994272793");
    /// assert_eq!(id.xray().to_string(), "1-5759e988-bd862e3fe1be46a994272793");
    /// ```
    pub fn xray(self) -> impl fmt::Display {
        fmt::from_fn(move |f| write!(f, "1-{:08x}-{:024x}", self.0 >> 96, self.0 & (!0 >> 32)))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// A span's id, which is X-Ray's segment id: 64 bits, displayed as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

impl SpanId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(random(|rng| rng.u64(1..)))
    }

    /// The id of these bits; `None` for zero, which no span has.
    pub const fn from_u64(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// The id's bits.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Reads 16 hex digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        u64::try_from(parse_hex(hex, 16)?).ok().and_then(Self::from_u64)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

/// What a span is known by. The tracer's layer puts it into the span's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    /// The trace that the span belongs to.
    pub trace_id: TraceId,
    /// The span itself.
    pub span_id: SpanId,
    /// Whether the trace is sampled: decided at its root and inherited.
    pub sampled: bool,
}

impl SpanIds {
    /// The X-Ray trace header that makes this span the parent of what the receiver does.
    ///
    /// ```
    /// # use obs_core::ids::{SpanId, SpanIds, TraceId};
    /// let ids = SpanIds {
    ///     trace_id: TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap(),
    ///     span_id: SpanId::from_hex("53995c3f42cd8ad8").unwrap(),
    ///     sampled: true,
    /// };
    /// assert_eq!(
    ///     ids.xray_header().to_string(),
    ///     "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    /// );
    /// ```
    pub fn xray_header(self) -> impl fmt::Display {
        TraceParent::from(self).xray_header()
    }
}

/// What an incoming trace header said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace to continue.
    pub trace_id: TraceId,
    /// The caller's span; without one, the next span is the trace's root.
    pub parent_id: Option<SpanId>,
    /// The caller's decision; without one, it is ours.
    pub sampled: Option<bool>,
}

impl TraceParent {
    /// The X-Ray trace header that says the same: what is not known is not in it.
    ///
    /// ```
    /// # use obs_core::ids::{TraceId, TraceParent};
    /// let trace_id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap();
    /// let parent = TraceParent { trace_id, parent_id: None, sampled: Some(false) };
    /// assert_eq!(
    ///     parent.xray_header().to_string(),
    ///     "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
    /// );
    /// ```
    pub fn xray_header(self) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            write!(f, "Root={}", self.trace_id.xray())?;
            if let Some(parent_id) = self.parent_id {
                write!(f, ";Parent={parent_id}")?;
            }
            match self.sampled {
                Some(sampled) => write!(f, ";Sampled={}", u8::from(sampled)),
                None => Ok(()),
            }
        })
    }
}

impl From<SpanIds> for TraceParent {
    fn from(ids: SpanIds) -> Self {
        Self { trace_id: ids.trace_id, parent_id: Some(ids.span_id), sampled: Some(ids.sampled) }
    }
}

/// The ids of `span`, or of its nearest ancestor that has some.
pub fn ids_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<SpanIds> {
    // Not through `scope`, which looks up the span itself once more: a look-up costs two locked
    // instructions.
    let mut ancestor = match own_ids(span) {
        None => span.parent(),
        found => return found,
    };
    while let Some(span) = ancestor {
        match own_ids(&span) {
            None => ancestor = span.parent(),
            found => return found,
        }
    }
    None
}

fn own_ids<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<SpanIds> {
    span.extensions().get::<SpanIds>().copied()
}

/// The ids of the current span, where the current subscriber is built on
/// [`tracing_subscriber::Registry`] and a tracer's layer has put them there.
#[inline]
pub fn current_ids() -> Option<SpanIds> {
    // Where nothing was ever set, nothing has to be looked up.
    if dispatcher::has_been_set() { ids_of_current() } else { None }
}

fn ids_of_current() -> Option<SpanIds> {
    dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = dispatch.current_span();
        let span = registry.span(current.id()?)?;
        ids_of(&span)
    })
}

/// A new random id as 32 hex digits, for requests and events that bring none.
pub fn generate_id() -> String {
    format!("{:032x}", random(|rng| rng.u128(..)))
}

/// Makes every thread seed its generator anew before it makes its next id: for an environment that
/// was restored from a snapshot, whose copies would all go on with the same ids.
pub fn reseed() {
    SEED_EPOCH.fetch_add(1, Ordering::Relaxed);
}

static SEED_EPOCH: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static RNG: RefCell<Option<(u32, fastrand::Rng)>> = const { RefCell::new(None) };
}

/// Draws from this thread's generator, which is seeded from the system's entropy: two copies of one
/// process image never share it.
fn random<T>(draw: impl Fn(&mut fastrand::Rng) -> T) -> T {
    let epoch = SEED_EPOCH.load(Ordering::Relaxed);
    RNG.try_with(|cell| {
        let mut slot = cell.try_borrow_mut().ok()?;
        let rng = match &mut *slot {
            Some((seeded, rng)) if *seeded == epoch => rng,
            stale => &mut stale.insert((epoch, fastrand::Rng::with_seed(seed()))).1,
        };
        Some(draw(rng))
    })
    .ok()
    .flatten()
    // The thread is ending and its generator is gone.
    .unwrap_or_else(|| draw(&mut fastrand::Rng::with_seed(seed())))
}

fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        // No entropy from the system: the hasher's keys, the time and the process must do.
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u128(
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos()),
        );
        hasher.write_u32(std::process::id());
        hasher.finish()
    })
}

fn parse_hex(hex: &str, digits: usize) -> Option<u128> {
    if hex.len() != digits || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(hex, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tracing_subscriber::prelude::*;

    use super::*;

    #[test]
    fn ids_read_back_what_they_display() {
        let trace = TraceId::generate();
        assert_eq!(TraceId::from_hex(&trace.to_string()), Some(trace));
        assert_eq!(TraceId::from_xray(&trace.xray().to_string()), Some(trace));
        let span = SpanId::generate();
        assert_eq!(SpanId::from_hex(&span.to_string()), Some(span));
    }

    #[test]
    fn what_is_not_an_id_is_none() {
        for text in [
            "",
            "1-5759e988",
            "1-5759e988-bd862e3fe1be46a99427279",
            "2-5759e988-bd862e3fe1be46a994272793",
            "1-00000000-000000000000000000000000",
            "1-+759e988-bd862e3fe1be46a994272793",
        ] {
            assert_eq!(TraceId::from_xray(text), None, "{text}");
        }
        for text in
            ["", "0000000000000000", "53995c3f42cd8ad", "53995c3f42cd8ag8", "+3995c3f42cd8ad8"]
        {
            assert_eq!(SpanId::from_hex(text), None, "{text}");
        }
    }

    #[test]
    fn a_trace_id_begins_with_the_time() {
        let now = millis_since_epoch(SystemTime::now()) / 1000;
        let seconds = u64::try_from(TraceId::generate().to_u128() >> 96).unwrap();
        assert!(seconds.abs_diff(now) <= 1, "{seconds} {now}");
    }

    #[test]
    fn ids_differ_between_threads_and_after_a_reseed() {
        let make = || (0..100).map(|_| SpanId::generate()).collect::<Vec<_>>();
        let mut all: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(make))
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        all.extend(make());
        reseed();
        all.extend(make());
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn the_current_ids_are_the_nearest_spans() {
        struct Ids(SpanIds);
        impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Ids {
            fn on_new_span(
                &self,
                attributes: &tracing::span::Attributes<'_>,
                id: &tracing::Id,
                context: tracing_subscriber::layer::Context<'_, S>,
            ) {
                if attributes.metadata().name() == "outer" {
                    context.span(id).unwrap().extensions_mut().insert(self.0);
                }
            }
        }
        let ids =
            SpanIds { trace_id: TraceId::generate(), span_id: SpanId::generate(), sampled: true };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Ids(ids)), || {
            assert_eq!(current_ids(), None);
            let outer = tracing::info_span!("outer");
            outer.in_scope(|| {
                tracing::info_span!("inner").in_scope(|| assert_eq!(current_ids(), Some(ids)));
            });
            assert_eq!(current_ids(), None);
        });
    }
}
