//! What tests that run at the same time on one machine share.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::waiting::wait;

static MACHINE: RwLock<()> = RwLock::new(());

/// For a test that measures time: no other test runs, but for those that ask for nothing.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// For a test that a busy machine does not disturb.
pub fn together() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A TCP port of the loopback interface that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A multicast group and port that no other test uses, of this run or another.
pub fn free_group() -> (Ipv4Addr, u16) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [low, high, ..] = std::process::id().to_le_bytes();
    let group = Ipv4Addr::new(239, high, low, NEXT.fetch_add(1, Ordering::Relaxed));
    let port = UdpSocket::bind((group, 0)).unwrap().local_addr().unwrap().port();
    (group, port)
}

/// Holds something that this machine has only once, such as a robot's real multicast group, against other runs.
pub fn only_one(what: &str) -> Flock<std::fs::File> {
    let path = Path::new("/tmp").join(format!("robocast-test-{what}.lock"));
    let open = || std::fs::File::options().create(true).append(true).open(&path).unwrap();
    wait(Duration::from_secs(300), &format!("{} to be free", path.display()), || {
        Flock::lock(open(), FlockArg::LockExclusiveNonblock).map_err(|(_, error): (_, Errno)| error)
    })
}
