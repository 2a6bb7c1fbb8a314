//! The handle that applications publish alerts with.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use obs_core::context::RequestContext;
use obs_core::ids::current_ids;
use obs_core::lane::{FlushReport, Lane, Records};

use crate::entry::{Entry, Envelope};
use crate::event::Moment;
use crate::sink::{Item, LastFailure};
use crate::{Alert, AlertPublisherBuilder, Error, Severity};

/// Publishes alerts to an Amazon EventBridge event bus. Cheap to clone; all clones share their
/// queues, which are closed when the last one is dropped.
///
/// [`publish`](Self::publish) neither blocks nor fails. What it takes is in memory until a
/// [`flush`](Self::flush) has reported it delivered: flush before the process ends, and in Lambda
/// before the response is returned. `std::process::exit` does not wait for anything.
///
/// Critical alerts have a queue and a connection of their own: no flood of others delays or evicts
/// them, and they are sent at once.
#[derive(Clone)]
pub struct AlertPublisher(Option<Arc<Inner>>);

pub(crate) struct Inner {
    pub(crate) critical: Lane<Records<Item>>,
    pub(crate) others: Lane<Records<Item>>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) last_failure: LastFailure,
}

/// An alert of more than this many bytes is encoded, and cut to size, by its publisher, so that a
/// few large ones do not fill the queue with what would be cut anyway.
const ENCODED_AT_ONCE: usize = 64 * 1024;

/// What an alert takes beside its own texts while it is on its way: ids, times, names of members.
const OVERHEAD: usize = 1024;

impl AlertPublisher {
    /// A publisher with what the builder is told, and the environment for the rest.
    pub fn builder() -> AlertPublisherBuilder {
        AlertPublisherBuilder::default()
    }

    /// A publisher with what the environment says: see the [crate's documentation](crate).
    ///
    /// # Errors
    ///
    /// As [`AlertPublisherBuilder::build`]; [`Error::is_not_configured`] where `OBS_ALERTS_SOURCE`
    /// is not set.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A publisher that takes alerts and does nothing with them; its reports are empty.
    pub fn disabled() -> Self {
        Self(None)
    }

    pub(crate) fn of(inner: Inner) -> Self {
        Self(Some(Arc::new(inner)))
    }

    /// Whether alerts go anywhere: false for [`AlertPublisher::disabled`] and with `OBS_DISABLED`.
    pub fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Queues `alert`, with the time, the trace and the request that it is published in.
    ///
    /// Never blocks and never fails: what finds its queue full, or the publisher shut down, is
    /// dropped, counted in the next report, and told to the bus once alerts get through again.
    pub fn publish(&self, alert: Alert) {
        let Some(inner) = &self.0 else { return };
        let moment = Moment {
            time: SystemTime::now(),
            context: RequestContext::current(),
            span: current_ids(),
        };
        let is_critical = alert.severity() == Severity::Critical;
        let mut weight = OVERHEAD + alert.weight();
        let item = if weight > ENCODED_AT_ONCE {
            let entry = Entry::new(alert, &moment, &inner.envelope);
            weight = OVERHEAD + entry.size();
            Item::Encoded(entry)
        } else {
            Item::Published(alert, moment)
        };
        let add = |batch: &mut Records<Item>| batch.push(item);
        if is_critical {
            inner.critical.push_now(weight, add);
        } else {
            inner.others.push(weight, add);
        }
    }

    /// Waits until everything that was published before this call is on the bus or has failed,
    /// `limit` at most. Works on any thread, inside and outside of any runtime.
    ///
    /// What is pending at the end is not given up: it is sent on. The report counts what happened
    /// since the report before it.
    pub fn flush(&self, limit: Duration) -> FlushReport {
        match &self.0 {
            Some(inner) => {
                // Both begin before either is waited for: they share the time.
                let (critical, others) =
                    (inner.critical.flush_async(limit), inner.others.flush_async(limit));
                critical.wait().merge(others.wait())
            }
            None => FlushReport::empty(),
        }
    }

    /// As [`AlertPublisher::flush`], without blocking the thread. Begins with the call, not with
    /// the first poll, and needs no particular runtime.
    pub fn flush_async(&self, limit: Duration) -> impl Future<Output = FlushReport> + Send + use<> {
        let flushes = self
            .0
            .as_ref()
            .map(|inner| (inner.critical.flush_async(limit), inner.others.flush_async(limit)));
        async move {
            match flushes {
                Some((critical, others)) => critical.await.merge(others.await),
                None => FlushReport::empty(),
            }
        }
    }

    /// Takes no more alerts, from any clone, and waits as [`AlertPublisher::flush`] does. What is
    /// not on the bus when `limit` is over is given up.
    pub fn shutdown(&self, limit: Duration) -> FlushReport {
        match &self.0 {
            Some(inner) => {
                let (critical, others) =
                    (inner.critical.shutdown_async(limit), inner.others.shutdown_async(limit));
                critical.wait().merge(others.wait())
            }
            None => FlushReport::empty(),
        }
    }

    /// What the service or the connection said when an attempt last failed, for people to read.
    ///
    /// Nothing is logged from the sending thread, lest a failing bus fills the log; this, the
    /// reports and [`obs_core::health`] tell.
    pub fn last_failure(&self) -> Option<String> {
        let inner = self.0.as_ref()?;
        inner.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for AlertPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AlertPublisher");
        match &self.0 {
            Some(inner) => debug
                .field("source", &inner.envelope.source)
                .field("bus", &inner.envelope.bus)
                .field("critical", &inner.critical)
                .field("others", &inner.others)
                .finish(),
            None => debug.field("enabled", &false).finish(),
        }
    }
}
