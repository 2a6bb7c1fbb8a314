//! How central sampling is doing.

use std::fmt;
use std::time::Duration;

/// How central sampling is doing: see [`XRayTracer::sampling`](crate::XRayTracer::sampling).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplingStatus {
    /// How many rules are for this service.
    pub rules: usize,
    /// How old the rules are; `None` if there never were any.
    pub age: Option<Duration>,
    /// Whether the rules are missing or older than an hour: then one trace a second and 5 % of the
    /// rest are kept.
    pub is_fallback: bool,
    /// Calls that were answered.
    pub calls: u64,
    /// Calls that failed, and reports that X-Ray did not take.
    pub failed: u64,
    /// Why the last one did.
    pub last_failure: Option<String>,
    /// Rules and targets that came and could not be used.
    pub ignored: u64,
    /// Why the last one could not.
    pub last_ignored: Option<String>,
}

impl fmt::Display for SamplingStatus {
    /// On one line: `sampling: 3 rules, 12 s old; 4 calls, 1 failed (status 500); 0 ignored`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sampling: {} rules", self.rules)?;
        if let Some(age) = self.age {
            write!(f, ", {} s old", age.as_secs())?;
        }
        if self.is_fallback {
            f.write_str(", not used")?;
        }
        write!(f, "; {} calls, {} failed", self.calls, self.failed)?;
        if let Some(why) = &self.last_failure {
            write!(f, " ({why})")?;
        }
        write!(f, "; {} ignored", self.ignored)?;
        if let Some(why) = &self.last_ignored {
            write!(f, " ({why})")?;
        }
        Ok(())
    }
}
