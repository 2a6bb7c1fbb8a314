//! Which traces are kept: decided once, at a trace's root, and inherited by everything below it.

use obs_core::ids::TraceId;

use crate::error::Error;

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

    /// The decision for a trace whose caller decided `parent`.
    pub(crate) fn decide(&self, parent: Option<bool>, trace_id: TraceId) -> bool {
        self.0.decide(parent, trace_id)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0.check()
    }
}

impl Default for Sampler {
    /// [`Sampler::parent_or`] [`Sampler::always`].
    fn default() -> Self {
        Self::parent_or(Self::always())
    }
}

impl Rule {
    fn decide(&self, parent: Option<bool>, trace_id: TraceId) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Ratio(ratio) => is_within(*ratio, trace_id),
            Self::ParentOr(root) => parent.unwrap_or_else(|| root.decide(None, trace_id)),
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Ratio(ratio) if !(0.0..=1.0).contains(ratio) => Err(Error::invalid_ratio(*ratio)),
            Self::ParentOr(root) => root.check(),
            _ => Ok(()),
        }
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
            assert_eq!(sampler.decide(parent, id), expected, "{sampler:?} {parent:?} {id}");
        }
    }

    #[test]
    fn a_ratio_keeps_its_share() {
        let sampler = Sampler::ratio(0.05);
        let kept = (0..100_000).filter(|_| sampler.decide(None, TraceId::generate())).count();
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
