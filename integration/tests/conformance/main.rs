//! HTTP/1 by the byte: through each proxy alone and through both, to parsers that
//! are strict and one that doubts nothing; and answers as bytes on their way back.
#![allow(clippy::unwrap_used)] // A test that can't go on panics.

mod backend;
mod paths;
mod requests;
mod responses;
