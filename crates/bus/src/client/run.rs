//! The streams that run on this machine: as reported by `robocast run`, otherwise by the programs on the system bus.

use super::{streams, streams_on};
use crate::StreamStatus;
use robocast_daemon::paths;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::timeout;
use zbus::Connection;

/// A program that does not answer within this counts as absent.
const PATIENCE: Duration = Duration::from_secs(3);

/// Nothing runs here: why `robocast run` does not answer, and why the bus does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHere {
    /// The result of querying `robocast run`.
    pub run: String,
    /// The result of querying the bus.
    pub bus: String,
}

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no `robocast run` ({}), and {}", self.run, self.bus)
    }
}

impl std::error::Error for NotHere {}

/// The streams of a `robocast run` on this machine; without one, of the programs on the system bus.
///
/// # Errors
/// When neither runs here.
pub async fn streams_here() -> Result<Vec<StreamStatus>, NotHere> {
    streams_from(&paths::status_socket(), streams()).await
}

/// The same with the programs on `bus`, if there is one.
///
/// # Errors
/// When neither runs here.
pub async fn streams_here_on(bus: Option<&Connection>) -> Result<Vec<StreamStatus>, NotHere> {
    let on_bus = async {
        match bus {
            Some(bus) => streams_on(bus).await,
            None => Ok(Vec::new()),
        }
    };
    streams_from(&paths::status_socket(), on_bus).await
}

async fn streams_from(
    socket: &Path,
    on_bus: impl Future<Output = zbus::Result<Vec<StreamStatus>>>,
) -> Result<Vec<StreamStatus>, NotHere> {
    let run = match ask_run(socket).await {
        Ok(streams) => return Ok(streams),
        Err(why) => why,
    };
    let bus = match timeout(PATIENCE, on_bus).await {
        Ok(Ok(streams)) if !streams.is_empty() => return Ok(streams),
        Ok(Ok(_)) => "no program on the system bus".to_owned(),
        Ok(Err(error)) => format!("no system bus ({error})"),
        Err(_) => "no answer on the system bus".to_owned(),
    };
    Err(NotHere { run, bus })
}

/// The streams of the `robocast run` that answers at `socket`; counters continue over restarts of its programs.
///
/// # Errors
/// When there is none: the reason, for people.
pub async fn ask_run(socket: &Path) -> Result<Vec<StreamStatus>, String> {
    let asking = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(serde_json::from_slice(&answer)?)
    };
    match timeout(PATIENCE, asking).await {
        Ok(Ok(streams)) => Ok(streams),
        Ok(Err(error)) => Err(format!("{}: {error}", socket.display())),
        Err(_) => Err(format!("{}: no answer", socket.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StreamState;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixListener;

    fn live(name: &str) -> StreamStatus {
        StreamStatus { stream: name.into(), state: StreamState::Live, restarts: 2, ..StreamStatus::default() }
    }

    #[tokio::test]
    async fn run_is_asked_first_and_the_bus_not_at_all_when_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let json = serde_json::to_vec(&[live("front")]).unwrap();
                stream.write_all(&json).await.unwrap();
            }
        });
        let never = async { panic!("the bus is asked") };
        assert_eq!(streams_from(&path, never).await, Ok(vec![live("front")]));
    }

    #[tokio::test]
    async fn without_a_run_the_programs_on_the_bus_are_what_runs_here() {
        let nowhere = Path::new("/nowhere/status.sock");
        let on_bus = async { Ok(vec![live("rear")]) };
        assert_eq!(streams_from(nowhere, on_bus).await, Ok(vec![live("rear")]));
        let why = streams_from(nowhere, async { Ok(vec![]) }).await.unwrap_err();
        assert_eq!(
            why.to_string(),
            "no `robocast run` (/nowhere/status.sock: No such file or directory (os error 2)), and no program on the system bus"
        );
        let failed = async { Err(zbus::Error::Failure("no daemon".into())) };
        let why = streams_from(nowhere, failed).await.unwrap_err();
        assert!(why.bus.starts_with("no system bus (") && why.bus.contains("no daemon"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_and_a_bus_that_hang_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        let _silent = UnixListener::bind(&path).unwrap();
        let why = streams_from(&path, std::future::pending()).await.unwrap_err();
        assert!(why.run.ends_with("no answer") && why.bus == "no answer on the system bus", "{why}");
    }
}
