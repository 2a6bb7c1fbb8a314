//! Deploys the reference stack to a local AWS backend, sends input through it and reads back what came out.
//!
//! ```text
//!  Deployment::start                       put_input, invoke_pipeline        wait_for_…, metrics, alarm
//!    Backend   MiniStack, supervised           │                                  ▲
//!    Daemon    UDP in the place of X-Ray's     ▼                                  │
//!    Assembly  what CDK synthesized         bucket ─► functions ─► log groups, objects, topics, datagrams
//!    stack     assets, CreateStack
//! ```
//!
//! Every figure that is reported was read back from the backend or received on the socket; nothing is
//! taken from the functions' memory. The backend is a process of its own that ends with the
//! [`Deployment`], also when the program that holds it is killed (`python/supervise.py`).

mod assembly;
mod backend;
mod clients;
pub mod daemon;
mod deployment;
mod error;
mod gateway;
mod logs;
mod metrics;
mod queues;
mod settings;
mod stack;

pub use assembly::Omission;
pub use deployment::{Deployment, Outcome, Silent, StepObserver};
pub use error::{Error, Result};
pub use logs::{Function, Invocation, Line};
pub use metrics::{AlarmState, ExtractedMetric, MetricReport, StoredMetric};
pub use queues::{DeadLetter, TopicMessage};
pub use settings::Settings;
