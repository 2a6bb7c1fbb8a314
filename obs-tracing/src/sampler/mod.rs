//! Which traces are kept: decided once, at a trace's root, and inherited by everything below it.

pub(crate) mod central;

use obs_core::ids::TraceId;
use tracing_core::field::Visit;

use crate::error::Error;
use central::{Central, Place};
pub use central::{CentralSampling, SamplingStatus};

/// Decides whether a new trace is sampled.
///
/// ```
/// use obs_tracing::Sampler;
///
/// let sampler = Sampler::parent_or_ratio(0.05);            // the caller's decision, else one in twenty
/// let same = Sampler::parent_or(Sampler::ratio(0.05));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler(Rule);

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Always,
    Never,
    Ratio(f64),
    ParentOr(Box<Rule>),
    Central(CentralSampling),
}

impl Sampler {
    /// Every trace, whatever the caller decided.
    pub const fn always() -> Self {
        Self(Rule::Always)
    }

    /// No trace, whatever the caller decided. Ids are still made, so that log lines carry them.
    pub const fn never() -> Self {
        Self(Rule::Never)
    }

    /// This share of all traces, from 0 to 1, chosen by the trace's id: every service that uses the
    /// same ratio keeps the same traces. A ratio outside 0 to 1 is refused when the tracer is built.
    pub const fn ratio(ratio: f64) -> Self {
        Self(Rule::Ratio(ratio))
    }

    /// What the incoming trace header decided; where it left the decision open, or there is none,
    /// what `root` decides.
    pub fn parent_or(root: Sampler) -> Self {
        Self(Rule::ParentOr(Box::new(root.0)))
    }

    /// [`Sampler::parent_or`] a [`Sampler::ratio`].
    pub fn parent_or_ratio(ratio: f64) -> Self {
        Self::parent_or(Self::ratio(ratio))
    }

    /// What the sampling rules in X-Ray say, whatever the caller decided: usually one wants
    /// `Sampler::parent_or(Sampler::xray_central())`, by which a trace is kept as a whole.
    ///
    /// Rules match the service's name, the kind of resource that it runs on, and of the trace's first
    /// span the fields `http.request.method`, `url.path`, `server.address`, `cloud.resource_id` (or
    /// what they were called before) and those that the rule names. So they must be there when the span
    /// begins. Texts are compared without regard to case; `*` and `?` are wildcards. What the span does not
    /// tell, only `*` matches.
    ///
    /// The rules are asked for by a thread of their own, through the TCP proxy of the daemon that the
    /// tracer sends to, every five minutes; X-Ray gives each service its share of a rule's reservoir in
    /// exchange for statistics, every ten seconds. Until rules arrive, and once they are older than an
    /// hour, one trace a second and 5 % of the rest are kept. [`XRayTracer::sampling`] says how it is
    /// doing.
    ///
    /// In Lambda there is no such proxy: what counts there is the decision in the trace header, and where
    /// there is none the same one a second and 5 %.
    ///
    /// [`XRayTracer::sampling`]: crate::XRayTracer::sampling
    pub fn xray_central() -> Self {
        Self::central(CentralSampling::new())
    }

    /// As [`Sampler::xray_central`], with settings.
    pub const fn central(settings: CentralSampling) -> Self {
        Self(Rule::Central(settings))
    }

    /// Whether the settings are right.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0.check()
    }

    /// The sampler at work.
    pub(crate) fn start(self, place: Place<'_>) -> Result<RunningSampler, Error> {
        Ok(RunningSampler(self.0.start(place)?))
    }
}

/// A sampler at work.
#[derive(Debug)]
pub(crate) struct RunningSampler(Running);

#[derive(Debug)]
enum Running {
    Always,
    Never,
    Ratio(f64),
    ParentOr(Box<Running>),
    Central(Central),
}

impl RunningSampler {
    /// The decision for a trace whose caller decided `parent`, and whose first span has the fields that
    /// `visit` visits: it is called if they are needed, and may run the application's `Debug`.
    pub(crate) fn decide(
        &self,
        parent: Option<bool>,
        trace_id: TraceId,
        visit: impl FnOnce(&mut dyn Visit),
    ) -> bool {
        self.0.decide(parent, trace_id, visit)
    }

    /// How central sampling is doing; `None` without it.
    pub(crate) fn status(&self) -> Option<SamplingStatus> {
        let mut running = &self.0;
        while let Running::ParentOr(root) = running {
            running = root;
        }
        match running {
            Running::Central(central) => Some(central.status()),
            _ => None,
        }
    }
}

impl Running {
    fn decide(
        &self,
        parent: Option<bool>,
        trace_id: TraceId,
        visit: impl FnOnce(&mut dyn Visit),
    ) -> bool {
        let mut rule = self;
        while let Self::ParentOr(root) = rule {
            if let Some(decided) = parent {
                return decided;
            }
            rule = root;
        }
        match rule {
            Self::Always | Self::ParentOr(_) => true,
            Self::Never => false,
            Self::Ratio(ratio) => is_within(*ratio, trace_id),
            Self::Central(central) => central.decide(trace_id, visit),
        }
    }
}

impl Default for Sampler {
    /// [`Sampler::parent_or`] [`Sampler::always`].
    fn default() -> Self {
        Self::parent_or(Self::always())
    }
}

impl Rule {
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Ratio(ratio) if !(0.0..=1.0).contains(ratio) => Err(Error::invalid_ratio(*ratio)),
            Self::ParentOr(root) => root.check(),
            Self::Central(settings) => settings.check(),
            _ => Ok(()),
        }
    }

    fn start(self, place: Place<'_>) -> Result<Running, Error> {
        Ok(match self {
            Self::Always => Running::Always,
            Self::Never => Running::Never,
            Self::Ratio(ratio) => Running::Ratio(ratio),
            Self::ParentOr(root) => Running::ParentOr(Box::new(root.start(place)?)),
            Self::Central(settings) => Running::Central(settings.start(place)?),
        })
    }
}

/// Whether the trace is among the share `ratio` of all: by the lower half of its id, which is random
/// in X-Ray's ids and in W3C's.
fn is_within(ratio: f64, trace_id: TraceId) -> bool {
    const ALL: f64 = 18_446_744_073_709_551_616.0; // 2^64
    let [.., a, b, c, d, e, f, g, h] = trace_id.to_u128().to_be_bytes();
    let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    ratio >= 1.0 || (random as f64) < ratio * ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(sampler: Sampler) -> RunningSampler {
        let place = Place { service: central::Service::default(), daemon: None, in_lambda: true };
        sampler.start(place).unwrap()
    }

    #[test]
    fn decisions() {
        let id = TraceId::generate();
        let low = TraceId::from_u128(1 << 96 | 1).unwrap();
        let high = TraceId::from_u128(1 << 96 | u128::from(u64::MAX)).unwrap();
        let cases = [
            (Sampler::always(), Some(false), id, true),
            (Sampler::never(), Some(true), id, false),
            (Sampler::ratio(0.0), Some(true), low, false),
            (Sampler::ratio(0.05), Some(false), low, true),
            (Sampler::ratio(0.05), Some(true), high, false),
            (Sampler::ratio(1.0), None, high, true),
            (Sampler::parent_or_ratio(0.05), Some(true), high, true),
            (Sampler::parent_or_ratio(0.05), Some(false), low, false),
            (Sampler::parent_or_ratio(0.05), None, high, false),
            (Sampler::parent_or(Sampler::never()), None, low, false),
            (Sampler::default(), None, id, true),
            (Sampler::default(), Some(false), id, false),
        ];
        for (sampler, parent, id, expected) in cases {
            let shown = format!("{sampler:?} {parent:?} {id}");
            assert_eq!(started(sampler).decide(parent, id, |_| ()), expected, "{shown}");
        }
    }

    #[test]
    fn a_ratio_keeps_its_share() {
        let sampler = started(Sampler::ratio(0.05));
        let decide = || sampler.decide(None, TraceId::generate(), |_| ());
        let kept = (0..100_000).filter(|_| decide()).count();
        assert!((4_500..5_500).contains(&kept), "{kept}");
    }

    #[test]
    fn a_ratio_is_between_zero_and_one() {
        for ratio in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Sampler::ratio(ratio).check().unwrap_err().is_invalid_ratio(), "{ratio}");
            assert!(Sampler::parent_or_ratio(ratio).check().is_err(), "{ratio}");
        }
        for ratio in [0.0, 0.05, 1.0] {
            assert!(Sampler::ratio(ratio).check().is_ok(), "{ratio}");
        }
    }
}
