//! The status of robocast's programs: types with serde, and nothing else. No bus, no runtime, no operating system: a
//! program that shows a box (the page, the hub) uses only this crate.
//!
//! | module | owns |
//! |---|---|
//! | [`states`] | the states of sources, sinks, streams and uplinks, each one word |
//! | [`stream`] | the statuses of camera and push; a whole stream from both |
//! | [`net`] | the status of the net program |
//! | [`update`] | the status of the update program |
//! | [`evidence`] | what connections show of the uplinks |
//!
//! The same structs are sent as D-Bus dictionaries and as JSON. To add a value, add a field: nothing else must change.

pub mod evidence;
pub mod net;
pub mod states;
pub mod stream;
pub mod update;

pub use evidence::Evidence;
pub use net::{NetStatus, RobotSideStatus, UplinkStatus};
pub use states::{SinkState, SourceState, StreamState, UplinkState};
pub use stream::{CameraStatus, PushStatus, SinkStatus, StreamStatus};
pub use update::UpdateStatus;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The status of one program.
pub trait ProgramStatus:
    Clone + PartialEq + Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Whether the change from `before` to `self` is worth publishing at once. Counters and measurements that change
    /// all the time are not: a reader that wants them asks.
    fn deserves_signal(&self, before: &Self) -> bool;
}
