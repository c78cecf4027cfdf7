//! The clients on a real bus, against peers with the real interfaces; and without any peer.

// A harness fails by panicking, with its observations.
#![allow(clippy::unwrap_used)]

use futures_util::StreamExt;
use robocast_system::ServiceError;
use robocast_system::rauc::{BootedSlot, InstallProgress, Rauc};
use robocast_system::resolved::{LookupError, Resolved};
use robocast_system::systemd::{self, JobKind, NO_SUCH_UNIT, Systemd};
use robocast_system::timesyncd::set_time_servers;
use robocast_tests::bus::{self, Bus};
use robocast_tests::programs::have;
use robocast_tests::{rauc, stand_ins};
use std::path::Path;
use std::sync::{Arc, Mutex};
use zbus::connection::Builder;
use zbus::message::Message;
use zbus::names::ErrorName;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedObjectPath, fdo};

async fn connect(bus: &Bus) -> Connection {
    let address: zbus::Address = bus.address().parse().unwrap();
    Builder::address(address).build().await.unwrap()
}

async fn serve<I: zbus::object_server::Interface>(bus: &Bus, name: &str, path: &str, peer: I) -> Connection {
    let address: zbus::Address = bus.address().parse().unwrap();
    Builder::address(address).serve_at(path.to_owned(), peer).name(name.to_owned()).build().await.unwrap()
}

/// Errors of systemd's and systemd-resolved's own.
#[derive(Debug)]
struct OwnError(&'static str);

impl zbus::DBusError for OwnError {
    fn create_reply(&self, call: &zbus::message::Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.0).build(&("as it says itself",))
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str_unchecked(self.0)
    }

    fn description(&self) -> Option<&str> {
        Some("as it says itself")
    }
}

#[tokio::test]
async fn where_nobody_serves_them_each_says_that_it_is_not_here() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let bus = connect(&bus).await;
    let rauc = Rauc::on(&bus).await.unwrap();
    let bundle = Path::new("/dev/null");
    let errors = [
        rauc.booted_slot().await.unwrap_err(),
        rauc.mark_booted_good().await.unwrap_err(),
        rauc.install(bundle, |_| ()).await.unwrap_err(),
        Systemd::on(&bus).await.unwrap().reload().await.unwrap_err(),
        set_time_servers(&bus, &[]).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_not_here(), "{error:?}");
        assert!(error.to_string().ends_with("is not running on this machine"), "{error}");
    }
    let lookup = Resolved::on(&bus).await.unwrap().resolve_hostname(None, "a.example").await;
    assert!(matches!(lookup, Err(LookupError::Service(ServiceError::NotHere(_)))), "{lookup:?}");
    assert!(!systemd::is_on_bus(&bus).await.unwrap());
}

#[tokio::test]
async fn a_bundle_is_installed_with_its_progress_or_refused_with_its_reason() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let peer = stand_ins::Rauc::start(&bus, "now");
    let rauc = Rauc::on(&connect(&bus).await).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("a.raucb");
    robocast_daemon::atomic::write(&bundle, b"bundle", 0o600).unwrap();
    peer.hold_installations();
    let mut reports = Vec::new();
    let installing = rauc.install(&bundle, |report| {
        reports.push(report);
        peer.let_one_end();
    });
    installing.await.unwrap();
    assert_eq!(peer.bundles(), [b"bundle"]);
    let copying = InstallProgress { percent: 60, text: "Copying image to rootfs.1".into() };
    assert!(reports.contains(&copying), "{reports:?}");

    peer.refuse("signature verification failed");
    let error = rauc.install(&bundle, |_| peer.let_one_end()).await.unwrap_err();
    assert_eq!(error.to_string(), "RAUC: signature verification failed");
    let error = rauc.install(&folder.path().join("none"), |_| ()).await.unwrap_err();
    assert!(matches!(&error, ServiceError::Refused { message, .. } if message.contains("No such file")));
}

#[tokio::test]
async fn a_rauc_that_ends_meanwhile_is_not_waited_for() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let peer = stand_ins::Rauc::start(&bus, "now");
    peer.hold_installations();
    let rauc = Rauc::on(&connect(&bus).await).await.unwrap();
    let installing = tokio::spawn(async move { rauc.install(Path::new("/dev/null"), |_| ()).await });
    let given = tokio::task::spawn_blocking(move || {
        robocast_tests::waiting::wait(robocast_tests::waiting::SOON, "the bundle", || {
            robocast_tests::waiting::when(peer.bundles().len(), |count| *count == 1)
        });
        drop(peer);
    });
    given.await.unwrap();
    let error = installing.await.unwrap().unwrap_err();
    assert!(matches!(error, ServiceError::Gone("RAUC")), "{error:?}");
}

#[tokio::test]
async fn a_real_rauc_knows_the_booted_slot_marks_it_and_refuses_what_is_no_bundle() {
    if !have(&bus::NEEDED) || !have(&rauc::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let peer = rauc::Rauc::start(&bus, "2026-11-21T07:00:00Z");
    let rauc = Rauc::on(&connect(&bus).await).await.unwrap();
    let BootedSlot::Known(slot) = rauc.booted_slot().await.unwrap() else { panic!("no slot") };
    assert_eq!(slot.name, "rootfs.0");
    assert_eq!(slot.texts["installed.timestamp"], "2026-11-21T07:00:00Z");
    assert_eq!(rauc.mark_booted_good().await.unwrap().0, "rootfs.0");
    assert_eq!(peer.changes(), ["set-state A good"]);
    let error = rauc.install(Path::new("/etc/hostname"), |_| ()).await.unwrap_err();
    assert!(matches!(&error, ServiceError::Refused { message, .. } if !message.is_empty()), "{error:?}");
}

/// systemd, which records its calls, and ends each job at once.
struct Manager(Arc<Mutex<Vec<String>>>);

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn subscribe(&self) {}

    fn reload(&self) {
        self.0.lock().unwrap().push("reload".into());
    }

    async fn start_unit(
        &self,
        name: &str,
        mode: &str,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<OwnedObjectPath> {
        self.0.lock().unwrap().push(format!("start {name} {mode}"));
        let job = OwnedObjectPath::try_from("/org/freedesktop/systemd1/job/7").unwrap();
        Self::job_removed(&emitter, 7, job.clone(), name, "done").await?;
        Ok(job)
    }

    fn stop_unit(&self, _name: &str, _mode: &str) -> Result<OwnedObjectPath, OwnError> {
        Err(OwnError(NO_SUCH_UNIT))
    }

    fn kill_unit(&self, name: &str, whom: &str, signal: i32) {
        self.0.lock().unwrap().push(format!("signal {name} {whom} {signal}"));
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

#[tokio::test]
async fn systemd_is_asked_for_jobs_and_says_how_they_ended() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let path = "/org/freedesktop/systemd1";
    let _peer = serve(&bus, "org.freedesktop.systemd1", path, Manager(asked.clone())).await;
    let connection = connect(&bus).await;
    assert!(systemd::is_on_bus(&connection).await.unwrap());
    let systemd = Systemd::on(&connection).await.unwrap();
    let mut ended = systemd.ended_jobs().await.unwrap();
    systemd.reload().await.unwrap();
    systemd.signal_unit("a.service", 1).await.unwrap();
    let job = systemd.queue_job(JobKind::Start, "a.service").await.unwrap();
    let end = ended.next().await.unwrap();
    assert_eq!((end.job, end.unit.as_str(), end.result.as_str()), (job, "a.service", "done"));
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked, ["reload", "signal a.service main 1", "start a.service replace"]);
    let error = systemd.queue_job(JobKind::Stop, "a.service").await.unwrap_err();
    assert!(error.is_named(NO_SUCH_UNIT), "{error:?}");
    assert_eq!(error.to_string(), "systemd: as it says itself");
}

#[tokio::test]
async fn a_unit_is_seen_as_it_becomes_active() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let peer = stand_ins::Systemd::start(&bus);
    let systemd = Systemd::on(&connect(&bus).await).await.unwrap();
    let mut active = systemd.watch_active("robocast-network.target").await.unwrap();
    assert_eq!(active.next().await, Some(false));
    peer.reach();
    while active.next().await != Some(true) {}
    assert!(systemd.watch_active("other.target").await.is_err());
}

/// systemd-resolved, which knows one name behind one interface.
struct Resolver;

#[zbus::interface(name = "org.freedesktop.resolve1.Manager")]
impl Resolver {
    #[expect(clippy::type_complexity, reason = "it is the interface's")]
    fn resolve_hostname(
        &self,
        ifindex: i32,
        name: &str,
        family: i32,
        flags: u64,
    ) -> Result<(Vec<(i32, i32, Vec<u8>)>, String, u64), OwnError> {
        match (ifindex, name, family, flags) {
            (3, "a.example", 0, 0) => Ok((vec![(3, 2, vec![10, 0, 0, 1])], name.to_owned(), 1)),
            (3, "b.example", 0, 0) => Err(OwnError("org.freedesktop.resolve1.DnsError.NXDOMAIN")),
            _ => Err(OwnError("org.freedesktop.resolve1.NoNameServers")),
        }
    }
}

#[tokio::test]
async fn a_name_is_asked_of_one_interface() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let _peer = serve(&bus, "org.freedesktop.resolve1", "/org/freedesktop/resolve1", Resolver).await;
    let resolved = Resolved::on(&connect(&bus).await).await.unwrap();
    let found = resolved.resolve_hostname(Some(3), "a.example").await.unwrap();
    assert_eq!(found, ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    let unknown = resolved.resolve_hostname(Some(3), "b.example").await;
    assert!(matches!(unknown, Err(LookupError::NoSuchName)), "{unknown:?}");
    let silent = resolved.resolve_hostname(None, "a.example").await;
    assert!(matches!(silent, Err(LookupError::NoAnswer(_))), "{silent:?}");
}

/// systemd-timesyncd.
struct Timesync(Vec<String>);

#[zbus::interface(name = "org.freedesktop.timesync1.Manager")]
impl Timesync {
    #[zbus(name = "SetRuntimeNTPServers")]
    fn set_runtime_ntp_servers(&mut self, servers: Vec<String>) {
        self.0 = servers;
    }

    #[zbus(property(emits_changed_signal = "false"), name = "RuntimeNTPServers")]
    fn runtime_ntp_servers(&self) -> Vec<String> {
        self.0.clone()
    }
}

#[tokio::test]
async fn time_servers_are_set_when_they_are_others() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let path = "/org/freedesktop/timesync1";
    let _peer = serve(&bus, "org.freedesktop.timesync1", path, Timesync(Vec::new())).await;
    let bus = connect(&bus).await;
    let servers = ["192.168.1.1".to_owned(), "ntp.example".to_owned()];
    assert!(set_time_servers(&bus, &servers).await.unwrap());
    assert!(!set_time_servers(&bus, &servers).await.unwrap());
    assert!(set_time_servers(&bus, &servers[..1]).await.unwrap());
}
