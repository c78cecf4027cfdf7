//! The push program: it owns the uplink of one stream.
//!
//! ```text
//! camera's socket --> SlateSwitch (robot's video, or the slate while it is away) --> Broadcast
//!                                                 each sink has its own cursor in it:
//!                                                 Sink: one task --> Publisher (a session of its protocol) --> server
//!                                                       on a connection bound to the chosen uplink
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`program`] | the loop: camera, slate, settings, orders |
//! | [`camera_link`] | the connection to the camera's socket, with reconnects |
//! | [`slate`], [`slate_switch`] | getting the slate encoded; switching between robot and slate, with increasing times |
//! | [`sink`] | the task of one sink: retry, handover at a keyframe, evidence, state; independent of the protocol |
//! | [`protocol`] | one folder per protocol, each with a `Publisher` |
//! | [`transport`] | what a connection reveals about its uplink: stalls, round-trip times |
//!
//! A sink that fails, hangs or is slow never disturbs another sink or the camera: [`program::run`] is one task, and each
//! sink has its own.

pub mod camera_link;
#[cfg(test)]
mod in_memory;
pub mod program;
pub mod protocol;
pub mod sink;
pub mod slate;
pub mod slate_switch;
pub mod transport;
