#![doc = include_str!("../README.md")]

pub mod adapters;
pub mod application;
pub mod domain;
