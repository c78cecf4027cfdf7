//! The box's two sides. Nothing crosses from one to the other but what our own programs carry.
//!
//! | module | owns |
//! |---|---|
//! | [`robot`] | the robot's side: a network namespace, its interface, addresses, groups, DHCP, firewall |
//! | [`uplink`] | the ways into the world: NetworkManager's profiles, evidence, and which way the streams take |
//!
//! Each side goes the same way: facts are gathered, a pure function plans from (settings, facts) to steps, the steps are
//! applied, and the facts that are then found must give an empty plan; else it is rolled back.

pub mod robot;
pub mod uplink;
