//! The parts that `#[traced]` and `trace_function!` share.

/// Opens a frame. The span's level, name and kind are the callsite's: what no subscriber wants costs
/// one load.
#[macro_export]
#[doc(hidden)]
macro_rules! __frame {
    ($level:ident, $name:expr $(, kind: $kind:ident)?) => {
        $crate::__private::Frame::new($crate::__private::tracing::span!(
            target: ::core::module_path!(),
            $crate::__private::tracing::Level::$level,
            $name,
            obs.traced $(. $kind)? = $crate::__private::tracing::field::Empty
        ))
    };
    ($level:ident, $name:expr $(, kind: $kind:ident)?, parent: $parent:expr) => {{
        // Lives until the span is made.
        let parent = $parent;
        $crate::__private::Frame::new($crate::__private::tracing::span!(
            target: ::core::module_path!(),
            parent: parent.place(),
            $crate::__private::tracing::Level::$level,
            $name,
            obs.traced $(. $kind)? = $crate::__private::tracing::field::Empty
        ))
    }};
}

/// What a segment hangs on. The method's name stands in the user's code where the value does.
#[macro_export]
#[doc(hidden)]
macro_rules! __parent {
    ($parent:ident, $value:expr) => {{
        use $crate::__private::probe::parent::*;
        (&&&&&$crate::__private::probe::Probe(&($value))).$parent()
    }};
}

/// A field: of the value only a reference is taken. The kind is the method's name and its module's,
/// and stands in the user's code where the value does.
#[macro_export]
#[doc(hidden)]
macro_rules! __value {
    ($kind:ident, $key:expr, $value:expr) => {
        $crate::__private::Field::$kind($key, {
            use $crate::__private::probe::$kind::*;
            (&&&&$crate::__private::probe::Probe(&($value))).$kind()
        })
    };
}

/// Records what the body returned. The method's name stands in the user's code where `ret` does.
#[macro_export]
#[doc(hidden)]
macro_rules! __returned {
    ($returned:ident, $frame:expr, $result:expr) => {
        $frame.returned(|| {
            use $crate::__private::probe::returned::*;
            (&&$crate::__private::probe::Probe($result)).$returned()
        });
    };
}

/// Ends the frame with the status that the result tells.
#[macro_export]
#[doc(hidden)]
macro_rules! __end {
    ($frame:expr, $result:expr, $with_message:expr) => {
        $crate::__private::end!($frame, $result, $with_message, {
            use $crate::__private::probe::class::*;
            (&&$crate::__private::probe::Probe($result)).class()
        })
    };
    ($frame:expr, $result:expr, $with_message:expr, $class:expr) => {{
        use $crate::__private::probe::ending::*;
        let probe = &&&&&&$crate::__private::probe::Probe($result);
        $frame.end(probe.has_failed(), || probe.failure($with_message).of_class($class));
    }};
}

/// Makes a segment of an expression, or of a future while it is polled.
///
/// The name is a string literal or a constant. The segment's status is the expression's: `error` for
/// an `Err`, `panicked` if it panics, for a future `cancelled` if it is dropped before its end.
///
/// ```
/// use obs_tracing::trace_function;
///
/// # async fn load() -> Vec<u32> { vec![1, 2] }
/// # fn process(records: &[u32]) -> usize { records.len() }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let records = trace_function!("load", async { load().await }).await;
/// let n = trace_function!("data_processing", { process(&records) });
/// # assert_eq!(n, 2);
/// # });
/// ```
///
/// A future is followed where it is written as an `async` block; of any other expression that makes
/// a future (`trace_function!("load", load())`) only the making is a segment.
///
/// The expression runs in a closure: `return` and `?` end the expression, not the function around
/// it. Where its type depends on what is done with it afterwards (`sum()`, `parse()`, `collect()`),
/// say it: `let n: u64 = trace_function!(…)`.
#[macro_export]
macro_rules! trace_function {
    ($name:expr, async move $body:block $(,)?) => {
        async move {
            let mut frame = $crate::__private::frame!(INFO, $name);
            let result = frame.run(async move $body).await;
            $crate::__private::end!(frame, &result, false);
            result
        }
    };
    ($name:expr, async $body:block $(,)?) => {
        async {
            let mut frame = $crate::__private::frame!(INFO, $name);
            let result = frame.run(async $body).await;
            $crate::__private::end!(frame, &result, false);
            result
        }
    };
    ($name:expr, $body:expr $(,)?) => {{
        let mut frame = $crate::__private::frame!(INFO, $name);
        // The result's type, as the place where the macro stands expects it, must be known before
        // the result is probed: an exit that is never taken ties the two together.
        #[allow(
            unreachable_code,
            clippy::diverging_sub_expression,
            clippy::redundant_closure_call,
            clippy::let_unit_value,
            clippy::unit_arg,
            reason = "the expression is the user's, and the exit is never taken"
        )]
        'traced: {
            let ty = $crate::__private::untyped();
            if false {
                break 'traced $crate::__private::never(ty);
            }
            let result = $crate::__private::call_typed(&mut frame, ty, || $body);
            $crate::__private::end!(frame, &result, false);
            result
        }
    }};
}
