//! Calls over the bus: how long they may take, and the kinds of their failures.

use std::time::Duration;
use tokio::time::timeout;
use zbus::fdo;

/// How long a call may take.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(25);

/// Why NetworkManager cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// It is not on the bus.
    #[error("NetworkManager does not run: `systemctl status NetworkManager` says why")]
    NotRunning,
    /// There is no bus, or the connection is lost.
    #[error("there is no system bus: {0}")]
    NoBus(fdo::Error),
    /// The call fails otherwise.
    #[error("NetworkManager cannot be asked: {0}")]
    Call(fdo::Error),
    /// It does not answer in time.
    #[error("NetworkManager does not answer")]
    Late,
}

impl From<fdo::Error> for BusError {
    fn from(error: fdo::Error) -> Self {
        use zbus::Error::InputOutput;
        match error {
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Self::NotRunning,
            fdo::Error::NoServer(_) | fdo::Error::Disconnected(_) | fdo::Error::ZBus(InputOutput(_)) => {
                Self::NoBus(error)
            }
            error => Self::Call(error),
        }
    }
}

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> Self {
        fdo::Error::from(error).into()
    }
}

impl BusError {
    /// Whether the connection to the bus is lost, so that another one is needed.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::NoBus(_))
    }
}

/// Bounds a call, so that it cannot block the loop that makes it.
///
/// # Errors
/// When the call fails, or takes too long.
pub(crate) async fn with_timeout<T>(call: impl Future<Output = fdo::Result<T>>) -> Result<T, BusError> {
    Ok(timeout(CALL_TIMEOUT, call).await.map_err(|_| BusError::Late)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart_by_kind() {
        let of = |error: fdo::Error| BusError::from(error);
        assert!(matches!(of(fdo::Error::ServiceUnknown("x".into())), BusError::NotRunning));
        let gone = of(fdo::Error::Disconnected("x".into()));
        assert!(gone.is_disconnected() && gone.to_string().starts_with("there is no system bus"), "{gone}");
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(
            of(fdo::Error::ZBus(zbus::Error::InputOutput(std::sync::Arc::new(broken)))).is_disconnected()
        );
        let refused = of(fdo::Error::AccessDenied("x".into()));
        assert!(matches!(refused, BusError::Call(_)) && !refused.is_disconnected());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_never_answered_ends() {
        let never = with_timeout(std::future::pending::<fdo::Result<()>>()).await;
        assert!(matches!(never, Err(BusError::Late)));
    }
}
