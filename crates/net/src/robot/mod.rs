//! The robot's side: a network namespace that holds the robot's interface and no way out.
//!
//! | module | owns |
//! |---|---|
//! | [`wanted`] | what the settings want there: pure |
//! | [`facts`] | what the kernel says: data |
//! | [`plan`], [`step`] | from the two to steps: pure |
//! | [`firewall`] | the ruleset: pure |
//! | [`namespace`] | making and entering the namespace |
//! | [`gather`], [`apply`] with `request`, [`watch`], [`nft`] | shells: ask, change, listen; nftables |
//! | [`dhcp`] | addresses on the wire, both ways |
//! | [`reach`] | whether the robot answers |
//! | [`view`] | how it stands, in words: pure |
//! | [`side`] | all of it for `robocast net` |

pub mod apply;
pub mod dhcp;
pub mod facts;
pub mod firewall;
pub mod gather;
pub mod namespace;
pub mod nft;
pub mod plan;
pub mod reach;
mod request;
pub mod side;
pub mod step;
pub mod view;
pub mod wanted;
pub mod watch;

pub use side::{Outcome, RobotView, Side};
pub use wanted::Wanted;
