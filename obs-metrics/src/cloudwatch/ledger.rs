//! What became of each series of a delivery, whose parts may go in several requests.

use obs_core::lane::{Delivery, Reason};

/// The series that are not accounted for: each is, once, when the last of its parts is settled.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    series: Vec<Fate>,
}

/// A series in the ledger. `None` is the notice of losses, which counts nowhere.
pub(super) type SeriesId = Option<usize>;

#[derive(Debug)]
struct Fate {
    open: usize,
    failed: Option<Reason>,
}

impl Ledger {
    /// Adds a series of so many parts, at least one.
    pub(super) fn open(&mut self, parts: usize) -> SeriesId {
        self.series.push(Fate { open: parts, failed: None });
        Some(self.series.len() - 1)
    }

    /// One part of a series arrived, or failed for a reason.
    pub(super) fn settle(
        &mut self,
        series: SeriesId,
        outcome: Result<(), Reason>,
        delivery: &Delivery<'_>,
    ) {
        match self.outcome(series, outcome) {
            Some(Ok(())) => delivery.delivered(1),
            Some(Err(reason)) => delivery.failed(1, reason),
            None => {}
        }
    }

    /// The outcome of the whole series, with the last of its parts: it failed where one of them did.
    fn outcome(
        &mut self,
        series: SeriesId,
        part: Result<(), Reason>,
    ) -> Option<Result<(), Reason>> {
        let fate = self.series.get_mut(series?)?;
        fate.failed = fate.failed.or(part.err());
        fate.open = fate.open.checked_sub(1)?;
        (fate.open == 0).then_some(match fate.failed {
            Some(reason) => Err(reason),
            None => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_accounted_for_once_with_its_last_part() {
        let mut ledger = Ledger::default();
        let (one, three) = (ledger.open(1), ledger.open(3));
        assert_eq!(ledger.outcome(three, Ok(())), None);
        assert_eq!(ledger.outcome(one, Ok(())), Some(Ok(())));
        assert_eq!(ledger.outcome(three, Err(Reason::Rejected)), None);
        assert_eq!(ledger.outcome(three, Err(Reason::SinkFailed)), Some(Err(Reason::Rejected)));
        assert_eq!(ledger.outcome(three, Ok(())), None);
        assert_eq!(ledger.outcome(None, Ok(())), None);
    }
}
