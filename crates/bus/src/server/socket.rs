//! An object at its own Unix socket, without a bus: each client has a D-Bus connection to the program itself.

use super::{Publishing, StatusObject, ended, publish_changes};
use crate::names::Service;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use zbus::{Guid, connection};

/// Serves `object` at its socket in `folder` until its status ends. Only the owner can enter the folder.
pub(super) async fn serve_at_socket<O: StatusObject>(folder: &Path, service: &Service, object: &O) {
    let socket = match Socket::bind(folder, service) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!("cannot be asked at {}: {error}", folder.join(service.socket_name()).display());
            return;
        }
    };
    let mut clients = JoinSet::new();
    let mut alive = object.receiver();
    loop {
        tokio::select! {
            accepted = socket.listener.accept() => match accepted {
                Ok((stream, _)) => {
                    clients.spawn(serve_client(stream, service.clone(), object.clone()));
                }
                // No file descriptor is left, for example.
                Err(error) => {
                    tracing::warn!("a client could not connect: {error}");
                    tokio::time::sleep(super::RETRY_CAP).await;
                }
            },
            Some(_) = clients.join_next() => {}
            () = ended(&mut alive) => return,
        }
    }
}

async fn serve_client<O: StatusObject>(stream: UnixStream, service: Service, object: O) {
    let before = object.receiver().borrow().clone();
    let connected = async {
        let stream = stream.into_std()?;
        let connection = connection::Builder::unix_stream(stream).server(Guid::generate()).p2p();
        connection.serve_at(service.path(), object.clone()).build().await
    };
    match connected.await {
        Ok(connection) => {
            let ended = publish_changes(&connection, &service, &object, before).await;
            if ended == Publishing::StatusEnded {
                let _ = connection.close().await;
            }
        }
        Err(error) => tracing::debug!("a client at the socket: {error}"),
    }
}

/// The socket; its file is removed with it, unless another program has taken its place.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Socket {
    fn bind(folder: &Path, service: &Service) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = folder.join(service.socket_name());
        // A socket that a killed program left behind.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let inode = path.symlink_metadata()?.ino();
        Ok(Self { listener, path, inode })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.path.symlink_metadata().is_ok_and(|file| file.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
