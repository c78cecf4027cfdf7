//! Resources that concurrent tests on one machine share, and how long the machine delayed the tests.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statvfs::statvfs;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::product::descendants;
use crate::waiting::wait;

/// When a timer of the test fired late, and by how much.
static LATE: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());
const TURN: Duration = Duration::from_millis(10);
/// A timer is never quite exact.
const EXACT: Duration = Duration::from_millis(5);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches from now on how late a timer fires.
pub fn watch() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        thread::spawn(|| {
            loop {
                let began = Instant::now();
                thread::park_timeout(TURN);
                let late = began.elapsed().saturating_sub(TURN);
                if late > EXACT {
                    lock(&LATE).push((Instant::now(), late));
                }
            }
        });
    });
}

/// How long the machine delayed everything between two moments: by how much a timer fired late, in total.
pub fn held_up(from: Instant, to: Instant) -> Duration {
    let within = |&(end, late): &(Instant, Duration)| {
        let begin = end.checked_sub(late).unwrap_or(end);
        end.min(to).saturating_duration_since(begin.max(from))
    };
    lock(&LATE).iter().map(within).sum()
}

/// A period over which a test judges how long processes took, including their children.
#[derive(Debug)]
pub struct Stretch {
    pub since: Instant,
    processes: Vec<Pid>,
    waited: HashMap<Pid, Duration>,
}

impl Stretch {
    /// From now on.
    pub fn begin(processes: &[Pid]) -> Self {
        watch();
        Self { since: Instant::now(), processes: processes.to_vec(), waited: waited(processes) }
    }

    /// How long the machine delayed these processes: how late a timer fired, and how long their threads, which could
    /// have run, waited for a core. Nothing on a machine with spare time.
    pub fn held_up(&self) -> Duration {
        let before = |thread| self.waited.get(thread).copied().unwrap_or_default();
        let waited = waited(&self.processes);
        let for_cores: Duration = waited.iter().map(|(thread, now)| now.saturating_sub(before(thread))).sum();
        for_cores + held_up(self.since, Instant::now())
    }

    /// How much longer than the machine's delay something took since then.
    pub fn took(&self) -> Duration {
        self.since.elapsed().saturating_sub(self.held_up())
    }
}

/// How long each thread has waited for a core since it began (sched-stats of Linux).
fn waited(processes: &[Pid]) -> HashMap<Pid, Duration> {
    let all = processes.iter().flat_map(|&process| descendants(process).into_iter().chain([process]));
    let threads = all.flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten());
    let read = |thread: std::fs::DirEntry| {
        let told = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let pid = thread.file_name().to_str()?.parse().ok()?;
        Some((Pid::from_raw(pid), Duration::from_nanos(told.split(' ').nth(1)?.parse().ok()?)))
    };
    threads.filter_map(|thread| read(thread.ok()?)).collect()
}

/// A folder in memory, if there is room: a disk busy with other work would delay writers.
pub fn scratch(what: &str) -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = statvfs(memory).map_or(0, |fs| fs.blocks_available() * fs.fragment_size());
    let folder = if room > 1 << 30 { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix(&format!("robocast-{what}-")).tempdir_in(folder).unwrap()
}

/// A TCP port of the loopback interface on which nothing listens, and which no other test gets as long as this process
/// runs: it holds the same port of another address. The kernel assigns none of these itself.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static HELD: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());
    // Far from where another process begins.
    let begin = std::process::id() % COUNT * 61;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + (begin + number) % COUNT).unwrap();
        let Ok(held) = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 77), port)) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            lock(&HELD).push(held);
            return port;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_timer_was_late_by_counts_within_its_time() {
        let begin = Instant::now() + Duration::from_secs(1000);
        let at = |ms: u64| begin + Duration::from_millis(ms);
        lock(&LATE).push((at(500), Duration::from_millis(300)));
        lock(&LATE).push((at(900), Duration::from_millis(50)));
        let held_up = |from, to| held_up(at(from), at(to)).as_millis();
        assert_eq!((held_up(0, 1000), held_up(400, 600), held_up(0, 300)), (350, 100, 100));
        assert_eq!((held_up(500, 850), held_up(900, 2000)), (0, 0));
    }

    #[test]
    fn a_stretch_counts_what_its_processes_waited_for_a_core_and_not_what_they_slept() {
        let mut sleeper = crate::process::command("sleep");
        sleeper.arg("60");
        let sleeper = crate::process::Process::start("sleep", sleeper);
        let sleeps = || std::fs::read_to_string(format!("/proc/{}/wchan", sleeper.pid())).unwrap_or_default();
        wait(crate::waiting::SOON, "it to sleep", || {
            crate::waiting::when(sleeps(), |place| place.contains("nanosleep"))
        });
        let stretch = Stretch::begin(&[sleeper.pid()]);
        assert!(waited(&[sleeper.pid()]).contains_key(&sleeper.pid()), "no sched-stats");
        thread::park_timeout(Duration::from_millis(300));
        let for_cores = stretch.held_up().saturating_sub(held_up(stretch.since, Instant::now()));
        assert!(for_cores < Duration::from_millis(10), "{for_cores:?}");
    }

    #[test]
    fn a_free_port_is_given_once() {
        let ports: std::collections::HashSet<_> = (0..20).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 20);
        for port in ports {
            drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
        }
    }
}
