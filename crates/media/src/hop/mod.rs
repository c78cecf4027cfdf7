//! The hop: access units from the camera process to any number of readers.
//!
//! ```text
//!  source --push--> Feed (the latest group of pictures and a little before it)
//!                     |  each reader has a cursor of its own
//!                     +--> server ==unix socket==> Reader (push, preview, recorder)
//! ```
//! A new reader starts at the latest keyframe. A reader that falls behind is cut to the next
//! keyframe. No reader can block the camera: it only ever appends to the [`Feed`].

mod feed;
mod log;
mod reader;
mod server;
mod wire;

pub use feed::{Feed, Subscriber};
pub use log::{Limits, Taken};
pub use reader::{FromCamera, Reader};
pub use robocast_bus::SourceState;
pub use server::{Served, serve};
pub use wire::{Request, SourceReport, WireError};
