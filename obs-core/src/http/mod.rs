//! HTTP for sinks that send to a service: one client, one TLS, one way to try again. Feature `http`.
//!
//! ```text
//!  AsyncSink::deliver ──► Sender::post ──► Client ──► server
//!                            ▲   │ Answer ─► judge ─► Verdict
//!                            │   ▼
//!                         Retry::step ──► Delivered, Failed(reason), or again after a wait
//! ```
//!
//! A sink makes bodies and judges answers, which is what differs between protocols; a [`Sender`] does
//! the rest: attempts within the time that whoever waits has left, waits that double, `Retry-After`,
//! a kept connection that died while the process was frozen, signatures.
//!
//! Speaks HTTP/1.1, over TLS where the address says so (rustls with the system's certificates: the
//! stack of the AWS SDK's own client). Proxies are not used, redirects not followed.
//!
//! **Nothing secret is shown**: of addresses, errors and `Debug` have the host only, of headers the
//! names. No type of hyper or rustls is in this interface.
//!
//! ```
//! use obs_core::http::{Answer, Body, Endpoint, Headers, Outcome, Retry, Round, Sender, Verdict};
//! use obs_core::lane::{AsyncSink, Delivery, Lane, Lines};
//! use std::time::Duration;
//!
//! /// Posts each batch as it is.
//! struct Posts(Sender);
//!
//! impl AsyncSink<Lines> for Posts {
//!     async fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
//!         let lines = batch.iter().count();
//!         let body = Body::from(batch.as_bytes().to_vec());
//!         let judge = |answer: &Answer, now| {
//!             let verdict = match answer.status() {
//!                 200..=299 => Verdict::Delivered { rejected: 0 },
//!                 429 | 500.. => Verdict::Failed { retry_after: answer.retry_after(now) },
//!                 _ => Verdict::Refused,
//!             };
//!             (verdict, answer.failure())
//!         };
//!         match self.0.post(&body, &mut Round::default(), delivery, judge).await {
//!             Outcome::Delivered { .. } => delivery.delivered(lines),
//!             Outcome::Failed(reason) => delivery.failed(lines, reason),
//!         }
//!     }
//! }
//!
//! let mut headers = Headers::new();
//! headers.bearer("a secret")?;
//! let endpoint = Endpoint::below("http://127.0.0.1:9", "/ingest")?;
//! let sender = Sender::new(endpoint, headers).retry(Retry::default().attempts(1));
//! let failure = sender.last_failure();
//! let lane = Lane::<Lines>::builder("posts").start_async(Posts(sender))?;
//! lane.push(6, |lines| lines.push(b"hello"));
//! // Nobody listens there.
//! assert_eq!(lane.shutdown(Duration::from_secs(5)).failed(), 1);
//! assert!(failure.get().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod endpoint;
mod gzip;
mod headers;
pub mod otlp;
mod retry;
mod sender;
#[cfg(feature = "sigv4")]
pub mod sigv4;

pub use client::{Answer, Client, Request, SendError};
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use gzip::gzip;
pub use headers::{Headers, InvalidHeader, Secret};
pub use retry::{Retry, Step, Verdict};
pub use sender::{Body, Outcome, Round, Sender};
