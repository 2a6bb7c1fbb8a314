//! Names and lints of the user's own do not get in the way of what is generated.
#![deny(warnings, missing_docs, unused, unused_qualifications, unreachable_pub, non_camel_case_types)]
#![no_implicit_prelude]

/// A crate's own names, as the generated code uses them.
mod hidden {
    extern crate std;

    #[derive(::obs_metrics::MetricEvent)]
    pub(super) struct Shape<Field, SHAPE> {
        #[metric]
        pub(super) fields: Field,
        #[metric(property)]
        pub(super) r#static: SHAPE,
        #[metric(dimension)]
        #[deprecated]
        pub(super) __obs_fields: u8,
    }

    #[derive(::obs_metrics::MetricEvent)]
    #[metric(rename_all = "none")]
    pub(super) struct Some {
        #[metric(timestamp)]
        pub(super) when: std::time::SystemTime,
        #[metric(unit = None)]
        pub(super) std: ::std::option::Option<u64>,
    }
}

/// As a public type of a library.
#[derive(::obs_metrics::MetricEvent)]
pub struct Public<'a, T: ::std::marker::Copy + 'a>
where
    &'a T: ::std::fmt::Debug,
{
    /// Documented.
    #[metric]
    pub value: &'a T,
    #[metric(property)]
    private: Private<T>,
}

struct Private<T>(T);

impl<T> ::obs_metrics::PropertySource for Private<T> {
    fn property(&self) -> ::std::option::Option<::obs_metrics::PropertyValue<'_>> {
        ::std::option::Option::None
    }
}

fn main() {
    let metrics = ::obs_metrics::MetricsCollector::disabled();
    #[expect(deprecated, reason = "what the derive does with it is what is tested")]
    let shape = hidden::Shape { fields: 1.5, r#static: "s", __obs_fields: 1 };
    metrics.emit(&shape);
    let when = ::std::time::SystemTime::UNIX_EPOCH;
    metrics.emit(&hidden::Some { when, std: ::std::option::Option::None });
    metrics.emit(&Public { value: &1_u32, private: Private(2_u32) });
}
