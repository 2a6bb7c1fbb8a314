//! The road that finished spans take: which it is, and how it is begun.

use obs_core::lane::{Lane, LaneBuilder, LastFailure, Records};
use obs_core::{Identity, Redactor, env};

use crate::error::Error;
use crate::otlp::span::SpanEncoder;
use crate::otlp::udp::OtlpUdpSink;
use crate::record::SpanRecord;
use crate::resource::Known;
use crate::udp::Datagrams;
use crate::xray::{DaemonAddress, DaemonSink, Encoder, NullSink};

/// Where finished spans go.
#[derive(Clone, Debug, Default)]
pub(crate) enum Road {
    /// Where the environment says; see [`Road::from_env`].
    #[default]
    Environment,
    /// Segment documents to the daemon at this address, else where `AWS_XRAY_DAEMON_ADDRESS` says.
    Daemon(Option<String>),
    /// The same, as OTLP.
    OtlpUdp(Option<String>),
    #[cfg(feature = "otlp")]
    Otlp(crate::Otlp),
    #[cfg(feature = "otel")]
    Exporter(crate::otel::Handover),
    /// Encoded and thrown away.
    Discard,
    /// Not even recorded.
    Nowhere,
}

/// What a road needs to know.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) service: Identity,
    pub(crate) version: Option<String>,
    pub(crate) redactor: Redactor,
    pub(crate) known: Known,
    /// The resource as it is known at the beginning.
    pub(crate) resource: crate::resource::Resource,
    pub(crate) failure: LastFailure,
}

/// Variables, those of the process or of a test.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Road {
    /// The road itself, where it is left to the environment: what `OBS_TRACES` says; without it the
    /// daemon if `AWS_XRAY_DAEMON_ADDRESS` is there, a collector if a variable of OpenTelemetry names
    /// one (and the feature `otlp` is on), else the daemon.
    pub(crate) fn resolve(self, lookup: Lookup<'_>) -> Result<Self, Error> {
        let Self::Environment = self else { return Ok(self) };
        match env::first_of(env::TRACES, lookup).as_deref() {
            Some("none") => Ok(Self::Nowhere),
            Some("xray") => Ok(Self::Daemon(None)),
            #[cfg(feature = "otlp")]
            Some("otlp") => Ok(Self::Otlp(crate::Otlp::from_env())),
            #[cfg(not(feature = "otlp"))]
            Some("otlp") => {
                Err(Error::road("OBS_TRACES is \"otlp\", which needs the feature `otlp`"))
            }
            Some(other) => {
                Err(Error::road(format!("OBS_TRACES is {other:?}; it takes xray, otlp or none")))
            }
            #[cfg(feature = "otlp")]
            None if env::first_of(env::XRAY_DAEMON, lookup).is_none()
                && crate::otlp::http::TRACES.has_endpoint(lookup) =>
            {
                Ok(Self::Otlp(crate::Otlp::from_env()))
            }
            None => Ok(Self::Daemon(None)),
        }
    }

    /// Whether nothing is recorded for this road.
    pub(crate) fn is_nowhere(&self) -> bool {
        matches!(self, Self::Nowhere)
    }

    /// The daemon's address, whose proxy the sampler may ask: the road's, else the environment's.
    pub(crate) fn daemon(&self, lookup: Lookup<'_>) -> Option<String> {
        match self {
            Self::Daemon(Some(address)) | Self::OtlpUdp(Some(address)) => Some(address.clone()),
            _ => env::first_of(env::XRAY_DAEMON, lookup),
        }
    }

    /// The most that is wrong with a road is found out here, also where it is not taken.
    pub(crate) fn start(
        self,
        lane: LaneBuilder<Records<SpanRecord>>,
        start: Start,
        is_off: bool,
        lookup: Lookup<'_>,
    ) -> Result<Lane<Records<SpanRecord>>, Error> {
        let documents = |start: &Start| {
            Encoder::new(
                start.service.clone(),
                start.version.clone(),
                start.resource.clone(),
                start.redactor.clone(),
            )
        };
        // The filter lets nothing through: the lane stays empty and needs no thread.
        let nothing = |lane: LaneBuilder<_>, start: &Start| {
            lane.synchronous().start(NullSink::new(documents(start)))
        };
        match self {
            Self::Daemon(address) => {
                let datagrams = Datagrams::new(daemon(address, lookup)?, start.failure.clone());
                if is_off {
                    return Ok(nothing(lane, &start));
                }
                let encoder = documents(&start);
                Ok(lane.start(DaemonSink::new(datagrams, start.known, encoder)))
            }
            Self::OtlpUdp(address) => {
                let datagrams = Datagrams::new(daemon(address, lookup)?, start.failure.clone());
                if is_off {
                    return Ok(nothing(lane, &start));
                }
                let encoder = SpanEncoder::new(start.service, start.redactor, true);
                Ok(lane.start(OtlpUdpSink::new(datagrams, start.known, encoder)))
            }
            #[cfg(feature = "otlp")]
            Self::Otlp(otlp) => {
                let settings = otlp.resolve(lookup)?;
                if is_off { Ok(nothing(lane, &start)) } else { settings.start(lane, start) }
            }
            #[cfg(feature = "otel")]
            Self::Exporter(exporter) => {
                if is_off {
                    Ok(nothing(lane, &start))
                } else {
                    exporter.start(lane, start)
                }
            }
            Self::Discard if !is_off => Ok(lane.start(NullSink::new(documents(&start)))),
            Self::Discard | Self::Nowhere | Self::Environment => Ok(nothing(lane, &start)),
        }
    }
}

fn daemon(given: Option<String>, lookup: Lookup<'_>) -> Result<DaemonAddress, Error> {
    match given.or_else(|| env::first_of(env::XRAY_DAEMON, lookup)) {
        Some(text) => DaemonAddress::parse(&text),
        None => Ok(DaemonAddress::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)], expected: &str) {
        let road = Road::default().resolve(&|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        let found = match road {
            Ok(Road::Daemon(None)) => "daemon".to_owned(),
            Ok(Road::Nowhere) => "nowhere".to_owned(),
            #[cfg(feature = "otlp")]
            Ok(Road::Otlp(_)) => "otlp".to_owned(),
            Ok(other) => format!("{other:?}"),
            Err(error) if error.is_road() => error.to_string(),
            Err(error) => panic!("{error}"),
        };
        assert!(found.contains(expected), "{vars:?}: {found}");
    }

    #[test]
    fn the_first_variable_that_is_there_says_where_to() {
        let daemon = ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000");
        let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        check(&[], "daemon");
        check(&[("OBS_TRACES", "xray"), collector], "daemon");
        check(&[("OBS_TRACES", "none"), daemon], "nowhere");
        check(&[("OBS_TRACES", "jaeger")], "xray, otlp or none");
        check(&[daemon, collector], "daemon");
        let otlp = if cfg!(feature = "otlp") { "otlp" } else { "daemon" };
        check(&[collector], otlp);
        check(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/x")], otlp);
        let named = if cfg!(feature = "otlp") { "otlp" } else { "needs the feature" };
        check(&[("OBS_TRACES", "otlp"), daemon], named);
    }

    #[test]
    fn code_wins_over_the_environment() {
        let road = Road::Discard.resolve(&|_| Some("none".to_owned())).unwrap();
        assert!(matches!(road, Road::Discard));
    }
}
