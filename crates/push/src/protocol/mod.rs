//! The protocols for pushing a stream: one folder per protocol, each with a [`Publisher`](crate::sink::Publisher).

pub mod rtmp;
