//! The CloudWatch agent: documents over TCP, a line each, or over UDP, a datagram each.

mod endpoint;
mod patience;
mod progress;
mod tcp;
mod udp;

use std::time::SystemTime;

use obs_core::clock::millis_since_epoch;
use obs_core::env;
use obs_core::lane::{Lines, Lost};

use self::endpoint::{Endpoint, Protocol};
use self::tcp::TcpSink;
use self::udp::UdpSink;
use super::{Sink, Start, write_lost};
use crate::Error;
use crate::limits::DATAGRAM_BYTES;

/// Where the agent listens unless it is configured otherwise.
const DEFAULT_ENDPOINT: &str = "tcp://127.0.0.1:25888";

impl Sink {
    /// The CloudWatch agent at `tcp://host:port` or `udp://host:port`; port 25888 where none is given.
    ///
    /// The agent wants to know the log group: see [`Sink::log_group`]. An address that is none is an
    /// error of the collector's `build`; an agent that is not there is not.
    ///
    /// Over **TCP** the connection is made with the first document, kept, and made again with growing
    /// pauses when it is lost. Documents wait meanwhile: nothing is lost while the queue
    /// ([`Sink::capacity_bytes`]) has room, unless the agent takes nothing at all for 60 seconds;
    /// then what was being sent has failed. A flush keeps its deadline and says what is still
    /// pending; a shutdown gives up at its deadline. A document is sent again, whole, on a new
    /// connection if the old one took only a part of it. There is no acknowledgement: what the
    /// system has taken counts as delivered.
    ///
    /// Over **UDP** a document is one datagram: the collector keeps its documents to 65,507 bytes, and
    /// one that cannot be made so small fails as too large. Nothing waits: what the system refuses,
    /// or what meets a closed port, has failed, and the rest goes on.
    ///
    /// With [`Sink::synchronous`] a recording call may wait a quarter of a second for an agent that
    /// does not take what it is sent; what is not taken by then has failed.
    ///
    /// ```
    /// use obs_metrics::{MetricsCollector, Sink};
    ///
    /// # fn main() -> Result<(), obs_metrics::Error> {
    /// let metrics = MetricsCollector::builder()
    ///     .namespace("Application/DataPipeline")
    ///     .sink(Sink::agent("tcp://127.0.0.1:25888").log_group("/application/orders"))
    ///     .build()?;
    /// # drop(metrics);
    /// # Ok(())
    /// # }
    /// ```
    pub fn agent(address: impl Into<String>) -> Self {
        Self::agent_of("agent()", &address.into())
    }

    /// The CloudWatch agent as the environment says, in the variables that other EMF libraries read.
    ///
    /// `AWS_EMF_AGENT_ENDPOINT` is the address, `tcp://127.0.0.1:25888` where it is not set;
    /// `AWS_EMF_LOG_GROUP_NAME` and `AWS_EMF_LOG_STREAM_NAME` are the log group and the stream, which
    /// documents name only if they are set.
    pub fn agent_from_env() -> Self {
        Self::agent_from_vars(|name| std::env::var(name).ok())
    }

    fn agent_from_vars(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut sink = match env::first_named(env::EMF_AGENT, &lookup) {
            Some((name, address)) => Self::agent_of(name, &address),
            None => Self::agent_of("", DEFAULT_ENDPOINT),
        };
        if let Some(group) = env::first_of(env::EMF_LOG_GROUP, &lookup) {
            sink = sink.log_group(group);
        }
        if let Some(stream) = env::first_of(env::EMF_LOG_STREAM, &lookup) {
            sink = sink.log_stream(stream);
        }
        sink
    }

    /// `by` is who gave the address: `agent()` or a variable.
    fn agent_of(by: &str, address: &str) -> Self {
        let endpoint = Endpoint::parse(address).map_err(|fault| {
            Error::sink(format!(
                "the agent's address {address:?} of {by} {fault}; write it as {DEFAULT_ENDPOINT} or \
                 udp://agent.internal:25888"
            ))
        });
        let largest_line = match &endpoint {
            Ok(Endpoint { protocol: Protocol::Udp, .. }) => DATAGRAM_BYTES,
            _ => usize::MAX,
        };
        let sink = Self::lines("emf-agent", false, move |lane, start| {
            let endpoint = endpoint?;
            let notice = Notice::of(start);
            Ok(match endpoint.protocol {
                Protocol::Tcp => lane.start(TcpSink::new(endpoint, notice)),
                Protocol::Udp => lane.start(UdpSink::new(endpoint, notice)),
            })
        });
        Self { largest_line, ..sink }
    }
}

/// How the stream says what was lost: as a document without metrics where documents name their log
/// group, so that the agent finds the group of this line too.
#[derive(Debug, Default)]
struct Notice {
    aws: Vec<u8>,
}

impl Notice {
    fn of(start: &Start<'_>) -> Self {
        Self { aws: start.aws.to_vec() }
    }

    fn write(&self, lost: &Lost, lines: &mut Lines) {
        write_lost(lost, lines, |object| {
            if !self.aws.is_empty() {
                let mut aws = object.object("_aws");
                aws.u64("Timestamp", millis_since_epoch(SystemTime::now()));
                aws.members(&self.aws);
                aws.array("CloudWatchMetrics").end();
                aws.end();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MetricsCollector;

    fn sink(vars: &[(&str, &str)]) -> Sink {
        Sink::agent_from_vars(|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn build(sink: Sink) -> Result<MetricsCollector, Error> {
        MetricsCollector::builder().namespace("App").sink(sink).enabled(true).build()
    }

    #[test]
    fn the_environment_says_where_the_agent_is_and_which_group_it_is_for() {
        let unset = sink(&[]);
        assert_eq!((unset.largest_line(), unset.aws_members().unwrap()), (usize::MAX, vec![]));
        let set = sink(&[
            ("AWS_EMF_AGENT_ENDPOINT", "udp://127.0.0.1:1"),
            ("AWS_EMF_LOG_GROUP_NAME", "/app"),
            ("AWS_EMF_LOG_STREAM_NAME", "one"),
        ]);
        assert_eq!(set.largest_line(), DATAGRAM_BYTES);
        let members = String::from_utf8(set.aws_members().unwrap()).unwrap();
        assert_eq!(members, r#""LogGroupName":"/app","LogStreamName":"one""#);
        for sink in [unset, set] {
            assert!(build(sink).is_ok());
        }
    }

    #[test]
    fn an_address_that_is_none_is_an_error_of_the_collector() {
        let error = build(Sink::agent("127.0.0.1:25888")).unwrap_err();
        assert!(error.is_sink());
        insta::assert_snapshot!(error, @r#"the agent's address "127.0.0.1:25888" of agent() does not begin with tcp:// or udp://; write it as tcp://127.0.0.1:25888 or udp://agent.internal:25888"#);
        let error = build(sink(&[("AWS_EMF_AGENT_ENDPOINT", "http://agent")])).unwrap_err();
        insta::assert_snapshot!(error, @r#"the agent's address "http://agent" of AWS_EMF_AGENT_ENDPOINT does not begin with tcp:// or udp://; write it as tcp://127.0.0.1:25888 or udp://agent.internal:25888"#);
        // In a tee too, where the other part is sound.
        assert!(build(Sink::tee([Sink::null(), Sink::agent("")])).unwrap_err().is_sink());
    }
}
