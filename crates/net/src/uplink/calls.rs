//! Calls over the bus: how long they may take, and what their errors mean in words.

use std::time::Duration;
use tokio::time::timeout;
use zbus::fdo;

/// Nobody takes longer for a call.
pub(crate) const CALL: Duration = Duration::from_secs(25);

/// A call that must not hang the loop that makes it.
pub(crate) async fn called<T>(call: impl Future<Output = fdo::Result<T>>) -> fdo::Result<T> {
    let late = |_| fdo::Error::TimedOut("NetworkManager does not answer".into());
    timeout(CALL, call).await.map_err(late)?
}

/// Whether the bus itself is gone.
pub(crate) fn gone(error: &fdo::Error) -> bool {
    use zbus::Error::InputOutput;
    matches!(error, fdo::Error::NoServer(_) | fdo::Error::Disconnected(_) | fdo::Error::ZBus(InputOutput(_)))
}

/// What is wrong with the bus or NetworkManager, in words.
#[must_use]
pub fn words(error: &fdo::Error) -> String {
    match error {
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
            "NetworkManager does not run: `systemctl status NetworkManager` says why".into()
        }
        error if gone(error) => format!("there is no system bus: {error}"),
        other => format!("NetworkManager cannot be asked: {other}"),
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
