//! A change under a checkpoint of NetworkManager's: committed or rolled back, whatever happens in between.

use crate::uplink::calls::BusError;
use crate::uplink::network_manager::{CHECKPOINT_FLAGS, NmManagerProxy};
use std::time::Duration;
use zbus::{Connection, OwnedObjectPath, fdo};

/// Why a change is not in force.
#[derive(Debug)]
pub(crate) enum ChangeFailure<E> {
    /// No checkpoint could be created: nothing was changed.
    NotStarted(BusError),
    /// The change failed, or could not be committed, and was rolled back.
    RolledBack {
        /// Why.
        why: ChangeCause<E>,
        /// Why the rollback failed, if it did: NetworkManager then rolls back once the checkpoint's time is over.
        rollback: Result<(), BusError>,
    },
}

/// The cause of a rollback.
#[derive(Debug)]
pub(crate) enum ChangeCause<E> {
    /// The change.
    Change(E),
    /// The commit.
    Commit(BusError),
}

/// Runs `change` under a checkpoint of all devices. Its success commits the checkpoint, its failure rolls it back. If
/// this future is dropped, or the program dies, NetworkManager rolls back after `timeout`.
///
/// # Errors
/// When the change is not in force afterwards.
pub(crate) async fn with_checkpoint<T, E>(
    bus: &Connection,
    timeout: Duration,
    change: impl Future<Output = Result<T, E>>,
) -> Result<T, ChangeFailure<E>> {
    let (manager, checkpoint) =
        create(bus, timeout).await.map_err(|error| ChangeFailure::NotStarted(error.into()))?;
    let why = match change.await {
        Ok(done) => match manager.checkpoint_destroy(&checkpoint).await {
            Ok(()) => return Ok(done),
            Err(error) => ChangeCause::Commit(error.into()),
        },
        Err(error) => ChangeCause::Change(error),
    };
    let rollback = manager.checkpoint_rollback(&checkpoint).await;
    Err(ChangeFailure::RolledBack { why, rollback: rollback.map(drop).map_err(BusError::from) })
}

async fn create(bus: &Connection, timeout: Duration) -> fdo::Result<(NmManagerProxy<'_>, OwnedObjectPath)> {
    let seconds = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX).max(1);
    let manager = NmManagerProxy::new(bus).await?;
    let checkpoint = manager.checkpoint_create(&[], seconds, CHECKPOINT_FLAGS).await?;
    Ok((manager, checkpoint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};
    use zbus::{ObjectPath, connection};

    /// A stand-in of NetworkManager that records the calls, and refuses those with a given name.
    struct FakeManager {
        calls: Arc<Mutex<Vec<String>>>,
        refuses: &'static str,
    }

    impl FakeManager {
        fn on_call(&self, call: &str) -> fdo::Result<()> {
            self.calls.lock().unwrap().push(call.to_owned());
            if call == self.refuses { Err(fdo::Error::Failed("on purpose".into())) } else { Ok(()) }
        }
    }

    // D-Bus hands over its arguments by value.
    #[allow(clippy::needless_pass_by_value)]
    #[zbus::interface(name = "org.freedesktop.NetworkManager")]
    impl FakeManager {
        fn checkpoint_create(
            &self,
            devices: Vec<OwnedObjectPath>,
            rollback_timeout: u32,
            flags: u32,
        ) -> fdo::Result<OwnedObjectPath> {
            assert_eq!((devices.len(), rollback_timeout, flags), (0, 9, CHECKPOINT_FLAGS));
            self.on_call("create")?;
            Ok(ObjectPath::try_from("/checkpoint/1").unwrap().into())
        }

        fn checkpoint_destroy(&self, checkpoint: OwnedObjectPath) -> fdo::Result<()> {
            assert_eq!(checkpoint.as_str(), "/checkpoint/1");
            self.on_call("commit")
        }

        fn checkpoint_rollback(&self, checkpoint: OwnedObjectPath) -> fdo::Result<HashMap<String, u32>> {
            assert_eq!(checkpoint.as_str(), "/checkpoint/1");
            self.on_call("rollback").map(|()| HashMap::new())
        }
    }

    /// The calls that a change leads to, and its result.
    async fn calls(
        refuses: &'static str,
        change: Result<u8, &'static str>,
    ) -> (Vec<String>, Result<u8, ChangeFailure<&'static str>>) {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let manager = FakeManager { calls: calls.clone(), refuses };
        let server = connection::Builder::unix_stream(theirs)
            .server(zbus::Guid::generate())
            .p2p()
            .serve_at("/org/freedesktop/NetworkManager", manager)
            .build();
        let (server, bus) = tokio::join!(server, connection::Builder::unix_stream(ours).p2p().build());
        let (_server, bus) = (server.unwrap(), bus.unwrap());
        let result = with_checkpoint(&bus, Duration::from_secs(9), async { change }).await;
        let calls = calls.lock().unwrap().clone();
        (calls, result)
    }

    #[tokio::test]
    async fn a_change_is_committed_or_rolled_back_and_never_neither() {
        let (made, result) = calls("", Ok(7)).await;
        assert_eq!((made, result.ok()), (vec!["create".into(), "commit".into()], Some(7)));

        let (made, result) = calls("", Err("bad")).await;
        assert_eq!(made, ["create", "rollback"]);
        let rolled_back = ChangeFailure::RolledBack { why: ChangeCause::Change("bad"), rollback: Ok(()) };
        assert_eq!(format!("{:?}", result.unwrap_err()), format!("{rolled_back:?}"));

        let (made, result) = calls("commit", Ok(7)).await;
        assert_eq!(made, ["create", "commit", "rollback"]);
        assert!(matches!(
            result,
            Err(ChangeFailure::RolledBack { why: ChangeCause::Commit(_), rollback: Ok(()) })
        ));

        let (made, result) = calls("rollback", Err("bad")).await;
        assert_eq!(made, ["create", "rollback"]);
        assert!(matches!(result, Err(ChangeFailure::RolledBack { rollback: Err(_), .. })));

        let (made, result) = calls("create", Ok(7)).await;
        assert_eq!(made, ["create"]);
        assert!(matches!(result, Err(ChangeFailure::NotStarted(_))));
    }
}
