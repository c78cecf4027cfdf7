//! The camera's socket: access units from the camera process to any number of readers, requests back.
//!
//! ```text
//!  source --push--> Broadcast (the latest group of pictures and a little before it)
//!                     |  each reader has a cursor of its own
//!                     +--> server ==unix socket==> Reader (push, preview, recorder)
//! ```
//! A new reader starts at the latest keyframe. A reader that falls behind is cut to the next
//! keyframe. No reader can block the camera: it only ever appends to the [`Broadcast`].
//!
//! Requests reach the camera with the [`ReaderId`] of the connection they came over, and the end of a
//! connection is an event as well: what a reader asked for ends with it.

mod broadcast;
mod gop_buffer;
mod reader;
mod server;
mod wire;

pub use broadcast::{Broadcast, Subscriber};
pub use gop_buffer::{Limits, Next};
pub use reader::{CameraMessage, Reader};
pub use robocast_status::SourceState;
pub use server::{ReaderEvent, ReaderId, Served, serve};
pub use wire::{BitrateCapability, Request, SourceReport, WireError};
