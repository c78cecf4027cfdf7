//! The robot's side against a real kernel: namespaces, veth, nftables. Needs root.

#![allow(clippy::unwrap_used)]

mod dhcp;
mod firewall;
mod kernel;
mod overlap;
mod world;
