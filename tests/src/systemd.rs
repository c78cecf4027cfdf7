//! A stand-in of the manager that a box's programs have: it records its calls, reports that each job succeeded, and
//! makes a stand-in of the net program read the settings when that is sent SIGHUP.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use robocast_bus::{NetStatus, UplinkState, UplinkStatus, server};
use tokio::sync::{mpsc, watch};
use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedObjectPath};

use crate::bus::Bus;

const MANAGER: &str = "/org/freedesktop/systemd1";

/// The net program's status once it has read the settings.
type Reads = Box<dyn Fn(&mut NetStatus) + Send + Sync>;

/// Both are on the bus until it is dropped.
#[derive(Debug)]
pub struct Systemd {
    calls: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
    end: Option<mpsc::Sender<()>>,
}

struct Manager {
    calls: Arc<Mutex<Vec<String>>>,
    net: watch::Sender<NetStatus>,
    reads: Reads,
}

impl Manager {
    fn note(&self, call: String) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// A job, whose end is reported after its answer.
    fn job(&self, what: &str, unit: &str, connection: &Connection) -> OwnedObjectPath {
        self.note(format!("{what} {unit}"));
        let number = self.calls.lock().unwrap_or_else(PoisonError::into_inner).len();
        let job = OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{number}")).unwrap();
        let (connection, path, unit) = (connection.clone(), job.clone(), unit.to_owned());
        tokio::spawn(async move {
            let emitter = SignalEmitter::new(&connection, MANAGER).unwrap();
            Self::job_removed(&emitter, 1, path, &unit, "done").await.unwrap();
        });
        job
    }
}

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn subscribe(&self) {}

    fn reload(&self) {
        self.note("reload".into());
    }

    fn start_unit(
        &self,
        name: &str,
        _mode: &str,
        #[zbus(connection)] connection: &Connection,
    ) -> OwnedObjectPath {
        self.job("start", name, connection)
    }

    fn stop_unit(
        &self,
        name: &str,
        _mode: &str,
        #[zbus(connection)] connection: &Connection,
    ) -> OwnedObjectPath {
        self.job("stop", name, connection)
    }

    fn restart_unit(
        &self,
        name: &str,
        _mode: &str,
        #[zbus(connection)] connection: &Connection,
    ) -> OwnedObjectPath {
        self.job("restart", name, connection)
    }

    fn kill_unit(&self, name: &str, whom: &str, signal: i32) {
        self.note(format!("kill {name} {whom} {signal}"));
        if name == "robocast-net.service" {
            self.net.send_modify(|status| {
                status.reads += 1;
                (self.reads)(status);
            });
        }
    }

    #[zbus(signal)]
    async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: OwnedObjectPath,
        unit: &str,
        result: &str,
    ) -> zbus::Result<()>;
}

impl Systemd {
    /// With a net program whose one uplink works; `reads` returns the outcome when the settings are read.
    pub fn start(bus: &Bus, reads: impl Fn(&mut NetStatus) + Send + Sync + 'static) -> Self {
        let address = bus.address();
        let uplink = UplinkStatus {
            name: "eth1".into(),
            interface: "eth1".into(),
            state: UplinkState::Carrying,
            chosen: true,
            address: "192.168.1.20/24".into(),
            ..UplinkStatus::default()
        };
        let uplinks = vec![uplink];
        let net = watch::Sender::new(NetStatus {
            chosen: "eth1".into(),
            uplinks,
            proven: true,
            uplinks_proven: true,
            reads: 1,
            ..NetStatus::default()
        });
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let manager = Manager { calls: calls.clone(), net: net.clone(), reads: Box::new(reads) };
        let (end, mut ended) = mpsc::channel(1);
        let (tell, ready) = std::sync::mpsc::channel();
        let work = async move {
            let builder = Builder::address(address.as_str()).serve_at(MANAGER, manager);
            let _systemd = builder.name("org.freedesktop.systemd1").build().await.unwrap();
            tell.send(()).unwrap();
            tokio::select! {
                () = server::serve_net_on(move || Builder::address(address.as_str()), net.subscribe()) => {
                    panic!("the stand-in of net ended")
                }
                _ = ended.recv() => {}
            }
        };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work);
        });
        ready.recv().expect("the stand-in is on the bus");
        Self { calls, thread: Some(thread), end: Some(end) }
    }

    /// The calls since the last time.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
