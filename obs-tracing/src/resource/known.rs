//! What a sink knows of the resource, which may be more later.

use obs_core::lane::Delivery;

use super::Resource;
#[cfg(feature = "detectors")]
use super::detect::Pending;

/// The resource as far as it is known. Each sink has one.
#[derive(Debug)]
pub(crate) struct Known {
    resource: Resource,
    is_news: bool,
    /// What detectors are finding out on a thread of their own.
    #[cfg(feature = "detectors")]
    pending: Option<Pending>,
}

impl Known {
    pub(crate) fn new(resource: Resource) -> Self {
        Self {
            resource,
            is_news: true,
            #[cfg(feature = "detectors")]
            pending: None,
        }
    }

    /// Finds out what the process runs on, beside what is known: in Lambda at once, from the
    /// environment; elsewhere by asking metadata services, which takes up to a few seconds, on a
    /// thread of its own.
    #[cfg(feature = "detectors")]
    pub(crate) fn detect(mut self, is_lambda: bool) -> Self {
        if is_lambda {
            self.resource.merge(super::detect::lambda());
        } else {
            self.pending = Pending::start();
        }
        self
    }

    /// The resource, if more is known of it than at the call before, as it is at the first. That one
    /// waits for the detectors a little, and less where a flush waits.
    pub(crate) fn news(&mut self, delivery: &Delivery<'_>) -> Option<&Resource> {
        #[cfg(feature = "detectors")]
        if let Some(pending) = &mut self.pending {
            if let Some(found) = pending.found(delivery.deadline()) {
                self.resource.merge(found);
                self.is_news = true;
            }
            if pending.is_over() {
                self.pending = None;
            }
        }
        #[cfg(not(feature = "detectors"))]
        let _ = delivery;
        std::mem::take(&mut self.is_news).then_some(&self.resource)
    }
}
