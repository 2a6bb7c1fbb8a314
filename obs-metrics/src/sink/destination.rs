//! Which log group and stream a document names, for collectors of documents that ask for it.

use obs_core::json::Object;

use super::{Sink, Target};
use crate::Error;
use crate::names::{log_group_fault, log_stream_fault};

/// The log group and the log stream that documents name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Destination {
    group: Option<String>,
    stream: Option<String>,
}

impl Sink {
    /// The log group that the CloudWatch agent puts the documents into: `LogGroupName` in `_aws`.
    ///
    /// The agent asks for it, since it takes documents of any program; 1 to 512 letters, digits and
    /// `_ - / . #`, not `aws/` in front. Agents that know the group themselves, FireLens for one, need
    /// none. A document is encoded once for all parts of a [`tee`](Self::tee): all of them get it,
    /// and two parts with different groups are an error of the collector's `build`.
    pub fn log_group(mut self, name: impl Into<String>) -> Self {
        self.destination.group = Some(name.into());
        self
    }

    /// The log stream in that group: `LogStreamName` in `_aws`. Without it the agent takes its own.
    ///
    /// 1 to 512 characters, none of them `:` or `*`.
    pub fn log_stream(mut self, name: impl Into<String>) -> Self {
        self.destination.stream = Some(name.into());
        self
    }

    /// The members of `_aws` that name the log group and the stream, encoded; nearly always none.
    ///
    /// # Errors
    ///
    /// CloudWatch Logs does not take a name, or two parts of a tee name different ones.
    pub(crate) fn aws_members(&self) -> Result<Vec<u8>, Error> {
        let Destination { group, stream } = self.named()?;
        let mut members = Vec::new();
        let mut object = Object::resume(&mut members, true);
        if let Some(group) = group {
            if let Some(fault) = log_group_fault(group) {
                return Err(Error::sink(format!(
                    "the log group {group:?} {fault}; use letters, digits and _ - / . #"
                )));
            }
            object.str("LogGroupName", group);
        }
        if let Some(stream) = stream {
            if let Some(fault) = log_stream_fault(stream) {
                return Err(Error::sink(format!("the log stream {stream:?} {fault}")));
            }
            object.str("LogStreamName", stream);
        }
        Ok(members)
    }

    /// The most bytes that a line may have for every part of this sink.
    pub(crate) fn largest_line(&self) -> usize {
        match &self.target {
            Target::Tee(sinks) => sinks.iter().map(Self::largest_line).min(),
            Target::Lines { .. } | Target::Series { .. } => None,
        }
        .unwrap_or(usize::MAX)
        .min(self.largest_line)
    }

    /// The destination that this sink and its parts name.
    fn named(&self) -> Result<&Destination, Error> {
        let own = &self.destination;
        let Target::Tee(sinks) = &self.target else { return Ok(own) };
        let nothing = Destination::default();
        let mut found = own;
        for sink in sinks {
            let part = sink.named()?;
            if *found == nothing {
                found = part;
            } else if *part != nothing && part != found {
                return Err(Error::sink(format!(
                    "parts of one tee name different log groups or streams, {found} and {part}; \
                     name one for all of them, or give the parts collectors of their own"
                )));
            }
        }
        Ok(found)
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "(none)".to_owned());
        write!(f, "{}:{}", name(&self.group), name(&self.stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sink: &Sink, expected: Result<&str, &str>) {
        match (sink.aws_members(), expected) {
            (Ok(members), Ok(expected)) => {
                assert_eq!(String::from_utf8(members).unwrap(), expected)
            }
            (Err(error), Err(says)) => {
                assert!(error.is_sink() && error.to_string().contains(says), "{error}");
            }
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_sink_names_its_log_group_where_it_is_asked_to() {
        let both = || Sink::null().log_group("/app/orders").log_stream("task-1");
        check(&Sink::null(), Ok(""));
        check(&Sink::null().log_group("/app/orders"), Ok(r#""LogGroupName":"/app/orders""#));
        check(&Sink::null().log_stream("task-1"), Ok(r#""LogStreamName":"task-1""#));
        let text = r#""LogGroupName":"/app/orders","LogStreamName":"task-1""#;
        check(&both(), Ok(text));
        check(&Sink::tee([Sink::null(), both(), Sink::null(), both()]), Ok(text));
        check(&Sink::tee([Sink::null(), Sink::tee([both()])]), Ok(text));
        check(&Sink::tee([Sink::null()]).log_group("g"), Ok(r#""LogGroupName":"g""#));
        check(
            &Sink::tee([both(), Sink::null().log_group("other")]),
            Err("/app/orders:task-1 and other:(none)"),
        );
        check(&Sink::null().log_group("a b"), Err(r#""a b" has ' '"#));
        check(&Sink::null().log_group("aws/x"), Err("reserved"));
        check(&Sink::null().log_stream("a:b"), Err("':'"));
        check(&Sink::null().log_group(""), Err("no character"));
    }

    #[test]
    fn the_largest_line_is_that_of_the_smallest_part() {
        let small = || Sink { largest_line: 100, ..Sink::null() };
        assert_eq!(Sink::null().largest_line(), usize::MAX);
        assert_eq!(small().largest_line(), 100);
        assert_eq!(Sink::tee([Sink::null(), Sink::tee([small()])]).largest_line(), 100);
        assert_eq!(Sink::tee([]).largest_line(), usize::MAX);
    }
}
