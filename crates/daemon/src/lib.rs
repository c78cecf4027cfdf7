//! Everything that all robocast programs need, and nothing that only one of them does.
//!
//! | module | owns |
//! |---|---|
//! | [`journal`] | where log lines go: the journal under systemd, a terminal, or plain lines |
//! | [`notify`] | READY, STATUS and the watchdog, which the program's own loop feeds |
//! | [`signals`] | SIGTERM shuts down, SIGHUP reloads |
//! | [`backoff`] | how long to wait before the next try |
//! | [`epoch`] | when the image was made, and which times are plausible |
//! | [`atomic`] | files that survive a power cut whole |
//! | [`digest`] | SHA-256, as it is written into files |
//! | [`spawn`] | the one place that starts another program |
//! | [`paths`] | the folders of state and of run-time sockets, and the files in them that several programs use |

pub mod atomic;
pub mod backoff;
pub mod digest;
pub mod epoch;
pub mod journal;
pub mod notify;
pub mod paths;
pub mod signals;
pub mod spawn;
