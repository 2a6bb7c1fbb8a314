//! libFuzzer's entry: any bytes, one property.

#![no_main]

// What does not hold panics.
libfuzzer_sys::fuzz_target!(|input: &[u8]| obs_tracing::__fuzz::sampling_rules(input));
