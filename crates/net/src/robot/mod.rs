//! The robot's side: a network namespace that holds the robot's interface and no route out.
//!
//! | module | owns |
//! |---|---|
//! | [`desired`] | the state that the settings ask for: pure |
//! | [`observed`] | the state that the kernel reports: data |
//! | [`plan`], [`step`] | the steps from one to the other: pure |
//! | [`firewall`] | the ruleset: pure |
//! | [`namespace`] | creating and entering the namespace |
//! | [`observe`], [`apply`] with `request`, [`watch`], [`nft`] | shells: read, change, listen; nftables |
//! | [`dhcp`] | addresses on the wire: client and server |
//! | [`reach`] | whether the robot answers |
//! | [`view`] | what is shown of it to people: pure |
//! | [`network`] | all parts together, for `robocast net` |

pub mod apply;
pub mod desired;
pub mod dhcp;
pub mod firewall;
pub mod namespace;
pub mod network;
pub mod nft;
pub mod observe;
pub mod observed;
pub mod plan;
pub mod reach;
mod request;
pub mod step;
pub mod view;
pub mod watch;

pub use desired::DesiredRobotNetwork;
pub use network::{RobotNetwork, RobotOutcome};
pub use view::RobotView;
