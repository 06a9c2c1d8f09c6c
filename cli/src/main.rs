//! The mesh command line.
#![forbid(unsafe_code)]
#![allow(dead_code)]

mod demo;
#[cfg(test)]
mod golden;

fn main() {}
