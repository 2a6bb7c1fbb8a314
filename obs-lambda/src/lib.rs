//! The AWS Lambda integration of Obs: one line around the handler.
