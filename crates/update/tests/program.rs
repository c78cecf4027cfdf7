//! The update program on a real bus: with a stand-in of RAUC that does what a test wants, and with a real RAUC.

// A harness fails by panicking, with its observations.
#![allow(clippy::unwrap_used)]

use robocast_bus::UpdateStatus;
use robocast_bus::update::{InstallError, install_bundle, update_status};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_tests::bus::{self, Bus};
use robocast_tests::programs::have;
use robocast_tests::rauc;
use robocast_tests::stand_ins::Rauc;
use robocast_tests::waiting::SOON;
use robocast_update::program::{UpdateError, run_update_on};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zbus::Connection;
use zbus::connection::Builder;

fn builder(bus: &Bus) -> Builder<'static> {
    Builder::address(bus.address().parse::<zbus::Address>().unwrap())
}

/// The update program under test, and a connection to ask it.
struct Scene {
    caller: Connection,
    signals: mpsc::Sender<SignalEvent>,
    program: JoinHandle<Result<(), UpdateError>>,
}

impl Scene {
    async fn start(bus: &Bus, idle: Option<Duration>) -> Self {
        let (signals, listened) = Signals::told();
        let program = tokio::spawn(run_update_on(builder(bus), listened, idle));
        let caller = builder(bus).build().await.unwrap();
        let scene = Self { caller, signals, program };
        scene.until(|status| status.is_some()).await;
        scene
    }

    async fn until(&self, reached: impl Fn(&Option<UpdateStatus>) -> bool) -> Option<UpdateStatus> {
        let looking = async {
            loop {
                let status = update_status(&self.caller).await.unwrap();
                if reached(&status) {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, looking).await.expect("the status is reached in time")
    }

    async fn end(self) {
        self.signals.send(SignalEvent::Shutdown).await.unwrap();
        timeout(SOON, self.program).await.expect("it ends in time").unwrap().unwrap();
    }
}

/// A bundle that has no name any more, as on a stick that was pulled.
fn bundle(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn a_bundle_without_a_name_is_installed() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let rauc = Rauc::start(&bus, "now");
    rauc.hold_installations();
    let scene = Scene::start(&bus, None).await;
    let caller = scene.caller.clone();
    let asked = tokio::spawn(async move { install_bundle(&caller, bundle("abc").as_fd()).await });
    scene.until(|status| status.as_ref().is_some_and(|status| status.percent == 60)).await;
    rauc.let_one_end();
    asked.await.unwrap().unwrap();
    assert_eq!(rauc.bundles(), [b"abc"]);
    let status = update_status(&scene.caller).await.unwrap().unwrap();
    let expected = UpdateStatus {
        installing: false,
        percent: 100,
        text: "Copying image to rootfs.1".into(),
        last_error: String::new(),
    };
    assert_eq!(status, expected);
    scene.end().await;
}

#[tokio::test]
async fn why_a_bundle_is_not_installed_is_told_to_who_asked_and_shown() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let scene = Scene::start(&bus, None).await;
    let said = install_bundle(&scene.caller, bundle("").as_fd()).await;
    assert_eq!(said, Err(InstallError::NoRauc));
    let rauc = Rauc::start(&bus, "now");
    rauc.refuse("signature verification failed");
    let said = install_bundle(&scene.caller, bundle("").as_fd()).await;
    assert_eq!(said, Err(InstallError::Refused("signature verification failed".into())));
    let status = update_status(&scene.caller).await.unwrap().unwrap();
    assert!(!status.installing && status.last_error == "signature verification failed", "{status:?}");
    scene.end().await;
}

#[tokio::test]
async fn one_is_installed_at_a_time_and_its_progress_is_shown() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let rauc = Rauc::start(&bus, "now");
    rauc.hold_installations();
    let scene = Scene::start(&bus, Some(Duration::from_millis(100))).await;
    let first = scene.caller.clone();
    let first = tokio::spawn(async move { install_bundle(&first, bundle("first").as_fd()).await });
    let status =
        scene.until(|status| status.as_ref().is_some_and(|status| status.percent == 60)).await.unwrap();
    assert!(status.installing && status.text == "Copying image to rootfs.1", "{status:?}");
    let second = install_bundle(&scene.caller, bundle("second").as_fd()).await;
    assert_eq!(second, Err(InstallError::Busy));
    // Work is not idleness, no matter how long it takes.
    rauc.let_one_end();
    assert_eq!(first.await.unwrap(), Ok(()));
    assert_eq!(rauc.bundles(), [b"first"]);
    timeout(SOON, scene.program).await.expect("without work it ends").unwrap().unwrap();
    assert_eq!(update_status(&scene.caller).await.unwrap(), None);
}

#[tokio::test]
async fn without_the_program_there_is_nobody_to_install() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let caller = builder(&bus).build().await.unwrap();
    assert_eq!(install_bundle(&caller, bundle("").as_fd()).await, Err(InstallError::NoProgram));
    assert_eq!(update_status(&caller).await.unwrap(), None);
    // A second program does not take the name from the first.
    let scene = Scene::start(&bus, None).await;
    let (_signals, listened) = Signals::told();
    assert!(run_update_on(builder(&bus), listened, None).await.is_err());
    scene.end().await;
}

#[tokio::test]
async fn the_descriptor_is_closed_with_the_answer() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let _rauc = Rauc::start(&bus, "now");
    let scene = Scene::start(&bus, None).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unique-bundle.raucb");
    File::create(&path).unwrap().write_all(b"abc").unwrap();
    let open = || {
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        descriptors.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|at| at == path)).count()
    };
    let file = File::open(&path).unwrap();
    install_bundle(&scene.caller, file.as_fd()).await.unwrap();
    drop(file);
    let closed = async {
        while open() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, closed).await.expect("nobody holds the bundle");
    scene.end().await;
}

#[tokio::test]
async fn a_real_rauc_refuses_what_is_no_bundle_and_says_why() {
    if !have(&bus::NEEDED) || !have(&rauc::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let _rauc = rauc::Rauc::start(&bus, "now");
    let scene = Scene::start(&bus, None).await;
    let said = install_bundle(&scene.caller, bundle("this is no bundle").as_fd()).await.unwrap_err();
    let InstallError::Refused(why) = &said else { panic!("{said:?}") };
    assert!(!why.is_empty() && !why.contains("/proc/"), "{why}");
    scene.end().await;
}

#[tokio::test]
async fn it_ends_with_its_bus() {
    if !have(&bus::NEEDED) {
        return;
    }
    let mut bus = Bus::start();
    let scene = Scene::start(&bus, None).await;
    bus.end();
    let ended = timeout(SOON, scene.program).await.expect("it ends in time").unwrap();
    assert!(matches!(ended, Err(UpdateError::BusEnded | UpdateError::Bus(_))), "{ended:?}");
}
