//! What every robocast program needs, and nothing of what any one of them does.
//!
//! | module | owns |
//! |---|---|
//! | [`journal`] | where log lines go: the journal under systemd, a terminal, or plain lines |
//! | [`notify`] | READY, STATUS and the watchdog, fed by the loop whose progress they vouch for |
//! | [`signals`] | SIGTERM ends, SIGHUP re-reads |
//! | [`backoff`] | how long to wait before the next try |
//! | [`epoch`] | when the image was made, and which times are plausible |
//! | [`atomic`] | files that survive a power cut whole |
//! | [`spawn`] | the one place that starts another program |
//! | [`paths`] | the folders of state and of run-time sockets |

pub mod atomic;
pub mod backoff;
pub mod epoch;
pub mod journal;
pub mod notify;
pub mod paths;
pub mod signals;
pub mod spawn;
