//! Which traces' debug lines are written: decided by the trace's id alone, so that a trace's are all
//! there or none, in each process that it passes through.

use obs_core::RequestContext;
use obs_core::ids::{SpanId, TraceId};

use crate::error::Error;

/// The share of traces whose debug lines are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DebugShare(f64);

impl DebugShare {
    /// `None` for the whole: there is nothing to decide.
    pub(crate) fn new(rate: f64) -> Result<Option<Self>, Error> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(Error::sample_rate(rate));
        }
        Ok((rate < 1.0).then_some(Self(rate)))
    }

    /// Whether the trace (or what stands for it) with these random bits is among the share.
    ///
    /// The tracer's sampler compares the same bits in the same way: of two equal shares, both keep the
    /// same traces, and of two others the larger keeps all that the smaller does.
    pub(crate) fn keeps(self, bits: u64) -> bool {
        const ALL: f64 = 18_446_744_073_709_551_616.0; // 2^64
        (bits as f64) < self.0 * ALL
    }
}

/// The bits that decide: those of the span's trace, else of the trace that the request continues,
/// else of the request's ids, else new ones for each line.
pub(crate) fn bits_of(trace: Option<TraceId>) -> u64 {
    match trace {
        Some(trace) => trace_bits(trace),
        None => RequestContext::with_current(|request| request.and_then(request_bits))
            .unwrap_or_else(|| SpanId::generate().to_u64()),
    }
}

fn request_bits(request: &RequestContext) -> Option<u64> {
    let trace = request
        .trace()
        .map(|parent| parent.trace_id)
        .or_else(|| request.xray_trace_id().and_then(TraceId::from_xray));
    if let Some(trace) = trace {
        return Some(trace_bits(trace));
    }
    // The correlation id first: it is the one that goes from service to service.
    request.correlation_id().or_else(|| request.request_id()).map(text_bits)
}

/// The lower half of the id, which is random in X-Ray's ids and in W3C's.
fn trace_bits(trace: TraceId) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = trace.to_u128().to_be_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// FNV-1a with 64 bits, mixed by SplitMix64's last step: FNV alone leaves the high bits of short texts
/// alike, and they are the ones that decide.
fn text_bits(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use obs_core::ids::TraceParent;
    use proptest::prelude::*;

    use super::*;

    fn share(rate: f64) -> DebugShare {
        DebugShare::new(rate).unwrap().unwrap()
    }

    #[test]
    fn a_rate_is_between_zero_and_one() {
        for rate in [-0.001, 1.001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = DebugShare::new(rate).unwrap_err();
            assert!(error.is_sample_rate() && !error.is_level(), "{error}");
            assert!(error.to_string().contains(&rate.to_string()), "{error}");
        }
        assert_eq!(DebugShare::new(1.0).unwrap(), None);
        assert!(DebugShare::new(0.0).unwrap().is_some());
    }

    #[test]
    fn decisions() {
        for (rate, bits, expected) in [
            (0.0, 0, false),
            (0.0, u64::MAX, false),
            (0.01, 0, true),
            (0.01, u64::MAX / 100 - 1000, true),
            (0.01, u64::MAX / 100 + 2000, false),
            (0.5, (1 << 63) - 2048, true),
            (0.5, 1 << 63, false),
            (0.999, u64::MAX, false),
        ] {
            assert_eq!(share(rate).keeps(bits), expected, "{rate} {bits:x}");
        }
    }

    fn check_share(rate: f64, bits: impl Fn(u32) -> u64) {
        const ALL: u32 = 100_000;
        let kept = (0..ALL).filter(|n| share(rate).keeps(bits(*n))).count();
        let expected = rate * f64::from(ALL);
        // Six standard deviations.
        let tolerance = 6.0 * (expected * (1.0 - rate)).sqrt();
        assert!((kept as f64 - expected).abs() <= tolerance, "{rate}: {kept}");
    }

    #[test]
    fn a_rate_keeps_its_share() {
        for rate in [0.001, 0.01, 0.1, 0.5, 0.9] {
            check_share(rate, |_| trace_bits(TraceId::generate()));
            check_share(rate, |_| bits_of(None));
            // Ids that differ little.
            check_share(rate, |n| text_bits(&format!("order-{n}")));
            check_share(rate, |n| text_bits(&n.to_string()));
        }
    }

    #[test]
    fn the_hash_is_what_other_processes_and_versions_have() {
        assert_eq!(text_bits(""), 0xf52a_15e9_a9b5_e89b);
        assert_eq!(text_bits("order-17"), text_bits("order-17"));
        assert_ne!(text_bits("order-17"), text_bits("order-18"));
    }

    #[test]
    fn the_trace_decides_before_the_ids_of_the_request() {
        let trace_id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap();
        let trace = TraceParent { trace_id, parent_id: None, sampled: None };
        let expected = 0xe1be_46a9_9427_2793;
        assert_eq!(trace_bits(trace_id), expected);
        let builder = || RequestContext::builder().correlation_id("c").request_id("r");
        for (request, expected) in [
            (builder().trace(trace), expected),
            (builder().xray_trace_id("1-5759e988-bd862e3fe1be46a994272793"), expected),
            (builder().xray_trace_id("nonsense"), text_bits("c")),
            (builder(), text_bits("c")),
            (RequestContext::builder().request_id("r"), text_bits("r")),
        ] {
            let request = request.build();
            assert_eq!(request_bits(&request), Some(expected), "{request:?}");
            let _entered = request.enter();
            assert_eq!(bits_of(None), expected);
            assert_eq!(bits_of(TraceId::from_u128(7)), 7, "the span's own trace");
        }
        assert_eq!(request_bits(&RequestContext::builder().build()), None);
    }

    proptest! {
        #[test]
        fn a_larger_share_keeps_all_that_a_smaller_one_does(
            bits: u64,
            a in 0.0..1.0_f64,
            b in 0.0..1.0_f64,
        ) {
            let (small, large) = (a.min(b), a.max(b));
            prop_assert!(!share(small).keeps(bits) || share(large).keeps(bits));
        }
    }
}
