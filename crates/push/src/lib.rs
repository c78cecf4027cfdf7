//! The push program: it owns the uplink of one stream.
//!
//! ```text
//! hop --> SlateSwitch (robot's video, or the slate while it is away) --> Broadcast
//!                                                   each sink has a cursor of its own in it:
//!                                                   Sink --> RTMP session --> TCP or TLS --> server
//!                                                            a way bound to the uplink that was chosen
//! ```
//! One sink that fails, hangs or is slow never disturbs another, nor the camera.
//! One task is [`program::run`]; each sink is a task of its own.

pub mod flv;
#[cfg(test)]
mod in_memory;
pub mod program;
pub mod rtmp;
pub mod sink;
pub mod slate;
pub mod slate_switch;
pub mod tls;
pub mod transport;
