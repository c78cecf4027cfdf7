//! How long a robot runs: until a signal ends it or something fails.

use std::sync::mpsc;
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use crate::error::Error;

/// The end of the program, for which the main thread waits.
#[derive(Debug)]
pub struct Lifetime {
    sender: mpsc::Sender<Result<(), Error>>,
    end: mpsc::Receiver<Result<(), Error>>,
}

impl Lifetime {
    /// Handles SIGTERM and SIGINT from now on. Call it before any other thread starts, because threads inherit the mask.
    pub fn begin() -> Result<Self, Error> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTERM);
        signals.add(Signal::SIGINT);
        signals.thread_block().map_err(Error::Signal)?;
        let (sender, end) = mpsc::channel();
        let signalled = sender.clone();
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let caught = signals.wait().map(|_| ()).map_err(Error::Signal);
                let _ = signalled.send(caught);
            })
            .map_err(Error::Thread)?;
        Ok(Self { sender, end })
    }

    /// For threads that may fail: ends the program with their error.
    pub fn failure(&self) -> impl FnOnce(Error) + Send + Clone + use<> {
        let sender = self.sender.clone();
        move |error| {
            let _ = sender.send(Err(error));
        }
    }

    /// Waits for the end.
    pub fn end(&self) -> Result<(), Error> {
        self.end.recv().unwrap_or(Ok(()))
    }

    /// Whether a signal arrived; for programs that poll.
    pub fn has_ended(&self) -> bool {
        self.end.try_recv().is_ok()
    }
}
