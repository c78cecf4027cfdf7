//! The protocols that a stream is pushed by: a folder each, with a [`Publisher`](crate::sink::Publisher).

pub mod rtmp;
