//! What the functions need from outside. The adapters do it with AWS, tests in memory.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::domain::alert::Notification;
use crate::domain::object_event::ObjectRef;

/// A bucket's objects.
pub trait ObjectStore: Sync {
    /// Reads an object, if it has at most `limit` bytes; a larger one is not downloaded.
    fn read(
        &self,
        object: &ObjectRef,
        limit: u64,
    ) -> impl Future<Output = Result<StoredObject, ReadError>> + Send;

    /// Writes an object, in the place of one that may be there.
    fn write(
        &self,
        bucket: &str,
        key: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// An object that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredObject {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its entity tag, without the quotation marks.
    pub etag: Option<String>,
}

/// Why an object was not read.
#[derive(Debug)]
pub enum ReadError {
    /// There is no such object or bucket.
    Missing,
    /// The object is larger than it may be.
    TooLarge {
        /// How large it is, as far as that is known.
        bytes: u64,
    },
    /// The object may be there, but could not be read now.
    Unavailable(Unavailable),
}

/// Parameters by name.
pub trait ParameterStore: Sync {
    /// The value of a parameter; nothing where there is none of that name.
    fn get(&self, name: &str) -> impl Future<Output = Result<Option<String>, Unavailable>> + Send;
}

/// Topics to publish to.
pub trait Topics: Sync {
    /// Publishes a notification.
    fn publish(
        &self,
        topic_arn: &str,
        notification: &Notification,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The time.
pub trait Clock: Sync {
    /// Time that never goes back, since some fixed moment.
    fn monotonic(&self) -> Duration;

    /// Milliseconds since the Unix epoch.
    fn unix_millis(&self) -> i64;
}

/// A service that did not do what it was asked to: denied, throttled, or out of reach.
///
/// It may do so when it is asked again, so whoever sees this error leaves the event to be retried.
#[derive(Debug)]
pub struct Unavailable {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Unavailable {
    /// `what` names the operation and its object, as in `read s3://data/incoming/a.json`.
    pub fn new(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: source.into() }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.what)?;
        // The SDK's own messages are as short as "service error"; the reason is further down.
        let mut source: Option<&(dyn Error + 'static)> = Some(self.source.as_ref());
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Has no source: the message holds the whole chain, which most readers of an error would cut off.
impl Error for Unavailable {}
