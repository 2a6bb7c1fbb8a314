//! Deploys the reference stack to a local AWS backend, sends input through it and reads back what came out.
