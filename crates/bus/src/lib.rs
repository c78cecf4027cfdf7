//! Every word that robocast's programs say to one another: status types, and their D-Bus faces.
//!
//! The same types ride in three places: on the notify socket to `robocast run`, as D-Bus properties
//! on the box, and in what `robocast status --json` prints.

pub mod client;
pub mod evidence;
pub mod names;
pub mod net;
pub mod server;
pub mod status;

pub use evidence::Evidence;
pub use net::{NetStatus, RobotSideStatus, UplinkState, UplinkStatus};
pub use status::{CameraStatus, PushStatus, SinkState, SinkStatus, SourceState, StreamState, StreamStatus};
