//! The uplinks: NetworkManager keeps them, we say which there are and which one carries the streams.
//!
//! | file | owns |
//! |---|---|
//! | `side`, `view` | the facade: converge, changed, and what is shown |
//! | `wanted`, `profile` | settings into NetworkManager's profiles; pure |
//! | `facts`, `modem` | what NetworkManager and ModemManager say there is, in words; pure |
//! | `plan` | the steps from one to the other; pure |
//! | `gather`, `apply`, `calls`, `network_manager`, `signals` | D-Bus: facts in, steps out, what changed |
//! | `kernel` | the radio's country, MPTCP's limits and what it prefers |
//! | `evidence`, `choice` | which uplink carries the streams; pure |
//! | `probe`, `resolver` | what is asked through one uplink |
//! | `clock` | which time to believe; pure, and a small shell |

pub mod choice;
pub mod clock;
pub mod evidence;
pub mod facts;
pub mod modem;
pub mod plan;
pub mod probe;
pub mod profile;
pub mod resolver;
pub mod wanted;

mod apply;
mod calls;
mod gather;
mod kernel;
mod network_manager;
mod side;
mod signals;
mod view;

pub use calls::words;
pub use kernel::{prefer, renew};
pub use side::{Outcome, Side};
pub use view::UplinkView;
pub use wanted::Wanted;
