//! What robocast's programs say of themselves: types with serde, and nothing else. No bus, no runtime, no operating system: whoever
//! shows a box (the page, the hub) uses this crate alone.
//!
//! | module | owns |
//! |---|---|
//! | [`states`] | the states of sources, sinks, streams and uplinks, each one word |
//! | [`stream`] | what camera and push say; a whole stream from both |
//! | [`net`] | what the net program says |
//! | [`update`] | what the update program says |
//! | [`evidence`] | what connections show of the uplinks |
//!
//! The same structs travel as D-Bus dictionaries and as JSON. To add a value, add a field: nothing else needs to know it.

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
    /// Whether the change from `before` to `self` is worth telling everybody at once. Counters and measurements that
    /// change all the time are not: whoever wants them asks.
    fn deserves_signal(&self, before: &Self) -> bool;
}
