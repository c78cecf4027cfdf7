//! SIGTERM and SIGINT shut a program down cleanly; SIGHUP makes it reload its settings.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// The request behind a signal.
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
    Channel(mpsc::Receiver<SignalEvent>),
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

    /// Events from a channel, for a test, instead of the kernel's signals, which reach the whole process. Once its sender is
    /// dropped, there are no more.
    #[must_use]
    pub fn told() -> (mpsc::Sender<SignalEvent>, Self) {
        let (tell, told) = mpsc::channel(1);
        (tell, Self(Origin::Channel(told)))
    }

    /// The next event. Cancel safe.
    pub async fn next(&mut self) -> SignalEvent {
        match &mut self.0 {
            Origin::Kernel { term, int, hup } => tokio::select! {
                _ = term.recv() => SignalEvent::Shutdown,
                _ = int.recv() => SignalEvent::Shutdown,
                _ = hup.recv() => SignalEvent::Reload,
            },
            Origin::Channel(events) => match events.recv().await {
                Some(event) => event,
                None => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal as Number, raise};

    #[tokio::test]
    async fn each_signal_is_the_event_that_it_asks_for() {
        let mut signals = Signals::listen().unwrap();
        for (number, event) in [
            (Number::SIGHUP, SignalEvent::Reload),
            (Number::SIGTERM, SignalEvent::Shutdown),
            (Number::SIGINT, SignalEvent::Shutdown),
        ] {
            raise(number).unwrap();
            assert_eq!(signals.next().await, event, "{number}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_gives_its_events_and_is_silent_once_nobody_holds_it() {
        let (sender, mut signals) = Signals::told();
        sender.send(SignalEvent::Reload).await.unwrap();
        assert_eq!(signals.next().await, SignalEvent::Reload);
        drop(sender);
        let later = tokio::time::timeout(std::time::Duration::from_secs(3600), signals.next()).await;
        assert!(later.is_err(), "{later:?}");
    }
}
