//! Criterion benchmarks of the hot paths, always beside the named peer in the same run.
