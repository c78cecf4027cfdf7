//! The box's two sides. Nothing crosses from one to the other but what our own programs carry.
//!
//! | module | owns |
//! |---|---|
//! | [`robot`] | the robot's side: a network namespace, its interface, addresses, groups, DHCP, firewall |
//! | [`uplink`] | the ways into the world: NetworkManager's profiles, evidence, and which way the streams take |
//!
//! Each side goes the same way: facts are gathered, a pure function plans from (settings, facts) to steps, the steps are
//! applied, and the facts that are then found must give an empty plan; else it is rolled back.
//!
//! Above both stands the program:
//!
//! | module | owns |
//! |---|---|
//! | [`program`] | the loop that hears everything and decides |
//! | [`keep`] | the two keepers, one a side |
//! | [`former`] | uplinks that were taken back: those proven last go on |
//! | [`flow`] | what the streams show of each uplink: pure |
//! | [`asking`] | when which uplink is probed |
//! | [`ways`], [`time`] | MPTCP and names follow the uplink; the clock, until NTP keeps it |
//! | [`report`] | what the bus is shown: pure |
//! | [`check`] | `robocast net plan` and `robocast net check` |

pub mod asking;
pub mod check;
pub mod flow;
pub mod former;
pub mod keep;
pub mod program;
pub mod report;
pub mod robot;
pub mod time;
pub mod uplink;
pub mod ways;
