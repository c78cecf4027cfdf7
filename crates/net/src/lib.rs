//! The box's two networks: the robot's side and the uplinks. Nothing crosses from one to the other but through our own programs.
//!
//! | module | owns |
//! |---|---|
//! | [`robot`] | the robot's side: a network namespace, its interface, addresses, multicast, DHCP, firewall |
//! | [`uplink`] | the uplinks: NetworkManager's profiles, evidence, and the choice of the one that carries the streams |
//!
//! Each is reconciled in the same way: the state is observed, a pure function plans the steps from the observed to the desired
//! state, the steps are applied, and the state that is observed then must give an empty plan; otherwise they are rolled back.
//!
//! Above both is the program:
//!
//! | module | owns |
//! |---|---|
//! | [`program`] | the loop that receives every event and decides |
//! | [`reconcile`] | the two reconcilers, one for each side |
//! | [`rollback`] | settings whose uplinks were rolled back: the last proven ones stay in use |
//! | [`traffic`] | the streams' evidence about each uplink: pure |
//! | [`probe_scheduler`] | when which uplink is probed |
//! | [`preferred_uplink`] | MPTCP and the resolver follow the choice |
//! | [`clock`] | the clock, until NTP keeps it: a separate program |
//! | [`report`] | the status on the bus: pure |
//! | [`inspect`], [`check`] | `robocast net plan` and `robocast net check` |

pub mod check;
pub mod clock;
mod digest;
pub mod inspect;
pub mod preferred_uplink;
pub mod probe_scheduler;
pub mod program;
pub mod reconcile;
pub mod report;
pub mod robot;
pub mod rollback;
pub mod traffic;
pub mod uplink;
