//! The push program: it owns the uplink of one stream.
//!
//! ```text
//! camera's socket --> SlateSwitch (robot's video, or the slate while it is away) --> Broadcast
//!                                                 each sink has a cursor of its own in it:
//!                                                 Sink: one task --> Publisher (a session of its protocol) --> server
//!                                                       on a connection bound to the uplink that was chosen
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`program`] | the loop: camera, slate, settings, orders |
//! | [`camera_link`] | the connection to the camera's socket, made again for as long as it takes |
//! | [`slate`], [`slate_switch`] | having the slate encoded; robot or slate, with times that rise |
//! | [`sink`] | the task of one sink: retry, handover at a keyframe, evidence, state. It knows no protocol |
//! | [`protocol`] | one folder for each protocol: a `Publisher` each |
//! | [`transport`] | what a connection shows of its uplink: stalls, round trips |
//!
//! One sink that fails, hangs or is slow never disturbs another, nor the camera.
//! One task is [`program::run`]; each sink is a task of its own.

pub mod camera_link;
#[cfg(test)]
mod in_memory;
pub mod program;
pub mod protocol;
pub mod sink;
pub mod slate;
pub mod slate_switch;
pub mod transport;
