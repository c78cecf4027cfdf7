//! The uplinks' side against real peers, on a bus and in namespaces of each test's own.
//!
//! | file | owns |
//! |---|---|
//! | `world` | the namespaces, the bus, NetworkManager, and the servers at the far ends |
//! | `manager` | NetworkManager |
//! | `modem` | a stand-in of ModemManager |
//! | `asking` | probes, name servers, login pages; stand-ins of systemd-resolved and systemd-timesyncd |

// A harness fails by panicking, with its observations.
#![allow(clippy::unwrap_used)]

mod asking;
mod manager;
mod modem;
mod world;
