//! Everything that robocast's programs send one another over D-Bus: names, interfaces, and how a status is encoded.
//!
//! | module | owns |
//! |---|---|
//! | [`names`] | names of programs, objects, units and sockets |
//! | [`mode`] | where a program can be reached: on the system bus, at its own socket, or nowhere |
//! | [`dictionary`] | a status as a dictionary (`a{sv}`), and back |
//! | [`server`] | the objects of camera, push and net, served for as long as the program runs |
//! | [`client`] | the statuses of other programs, queried once or followed; orders to them |
//! | [`update`] | the update program, both sides: it is there only while somebody needs it |
//!
//! The status types are in `robocast-status`. The same structs are sent as D-Bus dictionaries, as JSON from `robocast
//! run` to `robocast status`, and are the output of `--json`.

pub mod client;
pub mod dictionary;
pub mod mode;
pub mod names;
pub mod server;
pub mod update;

pub use robocast_status::{
    CameraStatus, Evidence, NetStatus, ProgramStatus, PushStatus, RobotSideStatus, SinkState, SinkStatus,
    SourceState, StreamState, StreamStatus, UpdateStatus, UplinkState, UplinkStatus,
};
