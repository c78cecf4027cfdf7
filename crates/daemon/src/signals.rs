//! SIGTERM and SIGINT end a program cleanly; SIGHUP makes it re-read its settings.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// What the outside asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalEvent {
    /// End cleanly.
    Shutdown,
    /// Read the settings again.
    Reload,
}

/// The signals a program listens to.
#[derive(Debug)]
pub struct Signals(Origin);

#[derive(Debug)]
enum Origin {
    Kernel { term: Signal, int: Signal, hup: Signal },
    Told(mpsc::Receiver<SignalEvent>),
}

impl Signals {
    /// Starts listening. Must be called within the tokio runtime.
    ///
    /// # Errors
    /// When the kernel refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self(Origin::Kernel {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        }))
    }

    /// In place of the kernel's signals, which reach the whole process: the wishes of one who holds the
    /// other end, such as a test. Without anyone left there, none comes any more.
    #[must_use]
    pub fn told() -> (mpsc::Sender<SignalEvent>, Self) {
        let (tell, told) = mpsc::channel(1);
        (tell, Self(Origin::Told(told)))
    }

    /// The next wish. Cancel safe.
    pub async fn next(&mut self) -> SignalEvent {
        match &mut self.0 {
            Origin::Kernel { term, int, hup } => tokio::select! {
                _ = term.recv() => SignalEvent::Shutdown,
                _ = int.recv() => SignalEvent::Shutdown,
                _ = hup.recv() => SignalEvent::Reload,
            },
            Origin::Told(wishes) => match wishes.recv().await {
                Some(wish) => wish,
                None => std::future::pending().await,
            },
        }
    }
}
