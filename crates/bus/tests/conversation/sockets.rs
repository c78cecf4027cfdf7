//! Programs at their own sockets, without a bus.

use super::generated;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use robocast_bus::client::{self, Remote, RemoteOrder, Snapshot};
use robocast_bus::dictionary::Dictionary;
use robocast_bus::names::{CAMERA, NET, Service};
use robocast_bus::server::{self, CameraOrder, PushOrder};
use robocast_bus::{CameraStatus, NetStatus, ProgramStatus, PushStatus, SinkState, SinkStatus, SourceState};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(15);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn front(of: fn(String) -> Service) -> Service {
    of("front".to_owned())
}

/// A folder for sockets that is not there yet.
fn folder() -> (TempDir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("run/bus");
    (temporary, folder)
}

/// The program at its socket, once it is there.
async fn open(folder: &Path, service: Service) -> Remote {
    let opening = async {
        loop {
            match Remote::at_socket(folder, service.clone()).await {
                Ok(remote) => return remote,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(SOON, opening).await.expect("the program at its socket")
}

/// Publishes generated statuses and reads each back.
fn comes_back<S: ProgramStatus + std::fmt::Debug>(
    service: Service,
    statuses: impl Strategy<Value = S>,
    serve: impl FnOnce(PathBuf, watch::Receiver<S>, &Runtime),
) {
    let (_temporary, folder) = folder();
    let (runtime, publish) = (runtime(), watch::Sender::new(S::default()));
    serve(folder.clone(), publish.subscribe(), &runtime);
    let remote = runtime.block_on(open(&folder, service));
    let mut runner = TestRunner::new(Config { cases: 64, ..Config::default() });
    let checked = runner.run(&statuses, |status| {
        publish.send_replace(status.clone());
        let read: S = runtime.block_on(remote.status()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(read, status);
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn what_a_camera_says_comes_back_as_it_was() {
    comes_back(front(Service::Camera), generated::camera(), |folder, status, runtime| {
        let orders = mpsc::channel(1).0;
        runtime.spawn(async move { server::serve_camera_at(&folder, "front".into(), status, orders).await });
    });
}

#[test]
fn what_a_push_program_says_comes_back_as_it_was() {
    comes_back(front(Service::Push), generated::push(), |folder, status, runtime| {
        let orders = mpsc::channel(1).0;
        runtime.spawn(async move { server::serve_push_at(&folder, "front".into(), status, orders).await });
    });
}

#[test]
fn what_the_net_program_says_comes_back_as_it_was() {
    comes_back(Service::Net, generated::net(), |folder, status, runtime| {
        runtime.spawn(async move { server::serve_net_at(&folder, status).await });
    });
}

/// A camera program at its socket.
struct Camera {
    status: watch::Sender<CameraStatus>,
    orders: mpsc::Receiver<CameraOrder>,
}

impl Camera {
    fn serve(folder: &Path) -> Self {
        let status = watch::Sender::new(CameraStatus::default());
        let (send, orders) = mpsc::channel(1);
        let (folder, seen) = (folder.to_owned(), status.subscribe());
        tokio::spawn(async move { server::serve_camera_at(&folder, "front".into(), seen, send).await });
        Self { status, orders }
    }
}

#[tokio::test]
async fn orders_reach_the_program_and_one_that_makes_no_sense_is_refused() {
    let (_temporary, folder) = folder();
    let mut camera = Camera::serve(&folder);
    let remote = open(&folder, front(Service::Camera)).await;
    remote.send(RemoteOrder::TargetBitrate(700_000)).await.unwrap();
    assert_eq!(camera.orders.recv().await, Some(CameraOrder::TargetBitrate(700_000)));
    let refused = remote.send(RemoteOrder::TargetBitrate(0)).await.unwrap_err();
    assert!(refused.to_string().contains("0 bit/s"), "{refused}");
    assert!(remote.send(RemoteOrder::Stop).await.is_err(), "a camera does not push");

    let (publish, (send, mut orders)) = (watch::Sender::new(PushStatus::default()), mpsc::channel(4));
    let (at, seen) = (folder.clone(), publish.subscribe());
    tokio::spawn(async move { server::serve_push_at(&at, "front".into(), seen, send).await });
    let remote = open(&folder, front(Service::Push)).await;
    remote.send(RemoteOrder::Start).await.unwrap();
    remote.send(RemoteOrder::Stop).await.unwrap();
    assert_eq!((orders.recv().await, orders.recv().await), (Some(PushOrder::Start), Some(PushOrder::Stop)));
    drop(orders);
    assert!(remote.send(RemoteOrder::Start).await.unwrap_err().to_string().contains("ending"));
}

#[tokio::test]
async fn a_status_is_watched_through_the_end_of_the_program_and_the_start_of_the_next() {
    let (_temporary, folder) = folder();
    let (send, mut statuses) = mpsc::channel(1);
    let (at, service) = (folder.clone(), front(Service::Camera));
    // Counters alone would take an hour.
    let hour = Duration::from_secs(3600);
    let watching = tokio::spawn(async move { client::watch_status(&at, &service, hour, send).await });
    let mut next = async |fits: fn(&CameraStatus) -> bool| loop {
        let status: CameraStatus = timeout(SOON, statuses.recv()).await.expect("a status").unwrap();
        if fits(&status) {
            return status;
        }
    };
    let camera = Camera::serve(&folder);
    next(|status| status.source_state == SourceState::Starting).await;
    camera.status.send_modify(|status| {
        status.source_state = SourceState::Live;
        status.frames_in = 3;
    });
    let live = next(|status| status.source_state == SourceState::Live).await;
    assert_eq!(live.frames_in, 3);
    drop(camera);
    let camera = Camera::serve(&folder);
    camera.status.send_modify(|status| status.source_state = SourceState::Lost);
    next(|status| status.source_state == SourceState::Lost).await;
    drop(statuses);
    timeout(SOON, watching).await.expect("nobody listens").unwrap();
}

#[tokio::test]
async fn counters_are_handed_over_without_any_other_change() {
    let (_temporary, folder) = folder();
    let camera = Camera::serve(&folder);
    let (send, mut statuses) = mpsc::channel(1);
    let (at, service) = (folder.clone(), front(Service::Camera));
    tokio::spawn(async move { client::watch_status(&at, &service, Duration::from_millis(20), send).await });
    for count in 1..4 {
        camera.status.send_modify(|status| status.frames_in = count);
        let counted =
            async { while statuses.recv().await.is_some_and(|s: CameraStatus| s.frames_in != count) {} };
        timeout(SOON, counted).await.expect("the counter");
    }
}

#[tokio::test]
async fn sockets_are_their_owners_alone_are_listed_and_go_with_the_program() {
    let (_temporary, folder) = folder();
    assert_eq!(client::services_in(&folder), []);
    let camera = Camera::serve(&folder);
    let publish = watch::Sender::new(NetStatus::default());
    let (at, seen) = (folder.clone(), publish.subscribe());
    let net = tokio::spawn(async move { server::serve_net_at(&at, seen).await });
    open(&folder, front(Service::Camera)).await;
    open(&folder, Service::Net).await;
    assert_eq!(client::services_in(&folder), [front(Service::Camera), Service::Net]);
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    drop(publish);
    timeout(SOON, net).await.expect("the status ended").unwrap();
    assert_eq!(client::services_in(&folder), [front(Service::Camera)]);
    assert!(Remote::at_socket(&folder, Service::Net).await.is_err());
    drop(camera);
}

#[tokio::test]
async fn a_socket_that_a_killed_program_left_behind_is_taken_over() {
    let (_temporary, folder) = folder();
    std::fs::create_dir_all(&folder).unwrap();
    let service = front(Service::Camera);
    drop(std::os::unix::net::UnixListener::bind(folder.join(service.socket_name())).unwrap());
    assert!(Remote::at_socket(&folder, service.clone()).await.is_err(), "nobody listens");
    let _camera = Camera::serve(&folder);
    let remote = open(&folder, service).await;
    assert_eq!(remote.status::<CameraStatus>().await.unwrap(), CameraStatus::default());
}

#[tokio::test]
async fn the_properties_one_by_one_say_what_the_whole_status_says() {
    let (_temporary, folder) = folder();
    let sink = SinkStatus {
        url: "rtmp://h/app/***".into(),
        state: SinkState::Publishing,
        frames_out: 5,
        bitrate_bps: 800,
        uplink: "wlan0".into(),
        ..SinkStatus::default()
    };
    let status = PushStatus { live: true, started: true, sinks: vec![sink], ..PushStatus::default() };
    let publish = watch::Sender::new(status);
    let (at, seen, orders) = (folder.clone(), publish.subscribe(), mpsc::channel(1).0);
    tokio::spawn(async move { server::serve_push_at(&at, "front".into(), seen, orders).await });
    let all = open(&folder, front(Service::Push)).await.all_properties().await.unwrap();
    let expected = [
        ("Evidence", "a(ssbbuu)"),
        ("LatencyMs", "d"),
        ("Live", "b"),
        ("SinkBitrates", "at"),
        ("SinkUplinks", "a(sb)"),
        ("Sinks", "a(sssttttt)"),
        ("Slate", "b"),
        ("Started", "b"),
        ("Status", "a{sv}"),
    ];
    assert_eq!(types(&all), expected);
    assert_eq!(f64::try_from(all["LatencyMs"].clone()).unwrap(), -1.0, "unknown");
    assert_eq!(Vec::<u64>::try_from(all["SinkBitrates"].clone()).unwrap(), [800]);
    let uplinks = Vec::<(String, bool)>::try_from(all["SinkUplinks"].clone()).unwrap();
    assert_eq!(uplinks, [("wlan0".to_owned(), false)]);
}

#[tokio::test]
async fn programs_at_sockets_are_followed_as_they_come_change_and_go() {
    let (_temporary, folder) = folder();
    let (tell, mut snapshot) = watch::channel(Snapshot::default());
    let at = folder.clone();
    let following = tokio::spawn(async move { client::follow_at(&at, &[CAMERA, NET], tell).await });
    let mut seen = async |what: &str, fits: fn(&Snapshot) -> bool| {
        timeout(SOON, snapshot.wait_for(fits)).await.unwrap_or_else(|_| panic!("no {what}")).unwrap().clone()
    };
    for _life in 0..2 {
        let camera = Camera::serve(&folder);
        let publish = watch::Sender::new(NetStatus { chosen: "wlan0".into(), ..NetStatus::default() });
        let (net_folder, status) = (folder.clone(), publish.subscribe());
        tokio::spawn(async move { server::serve_net_at(&net_folder, status).await });
        seen("programs", |now| now.net.is_some() && now.cameras.contains_key("front")).await;
        camera.status.send_modify(|status| status.source_state = SourceState::Live);
        publish.send_modify(|status| status.chosen = "wwan0".into());
        seen("camera that is live", |now| now.cameras["front"].source_state == SourceState::Live).await;
        seen("other uplink", |now| now.net.as_ref().is_some_and(|net| net.chosen == "wwan0")).await;
        drop((camera, publish));
        seen("end of both", |now| *now == Snapshot::default()).await;
    }
    drop(snapshot);
    timeout(SOON, following).await.expect("nobody listens").unwrap();
}

/// The properties with their types, in the order of their names.
fn types(all: &Dictionary) -> Vec<(&str, &str)> {
    let mut types: Vec<(&str, &str)> = all
        .iter()
        .map(|(name, value)| (name.as_str(), &*value.value_signature().to_string().leak()))
        .collect();
    types.sort_unstable();
    types
}

#[tokio::test]
async fn the_names_and_types_of_the_properties_of_camera_and_net_are_a_contract() {
    let (_temporary, folder) = folder();
    let camera = Camera::serve(&folder);
    camera.status.send_modify(|status| {
        status.source_state = SourceState::Resting;
        status.readers = 2;
        status.target_bps = 700_000;
    });
    let publish =
        watch::Sender::new(NetStatus { plan: vec!["a step".into()], reads: 3, ..NetStatus::default() });
    let (at, seen) = (folder.clone(), publish.subscribe());
    tokio::spawn(async move { server::serve_net_at(&at, seen).await });

    let all = open(&folder, front(Service::Camera)).await.all_properties().await.unwrap();
    let expected = [
        ("Broken", "t"),
        ("BytesOut", "t"),
        ("Encoder", "s"),
        ("FramesIn", "t"),
        ("FramesOut", "t"),
        ("Height", "u"),
        ("Keyframes", "t"),
        ("Readers", "u"),
        ("Rebuilds", "t"),
        ("SourceState", "s"),
        ("Status", "a{sv}"),
        ("TargetBitrate", "t"),
        ("Text", "s"),
        ("Width", "u"),
    ];
    assert_eq!(types(&all), expected);
    assert_eq!(String::try_from(all["SourceState"].clone()).unwrap(), "resting");
    assert_eq!(u32::try_from(all["Readers"].clone()).unwrap(), 2);
    assert_eq!(u64::try_from(all["TargetBitrate"].clone()).unwrap(), 700_000);

    let all = open(&folder, Service::Net).await.all_properties().await.unwrap();
    let expected = [
        ("Chosen", "s"),
        ("Former", "b"),
        ("Plan", "as"),
        ("Proven", "b"),
        ("Reads", "u"),
        ("Robot", "(sbbss)"),
        ("Status", "a{sv}"),
        ("Text", "s"),
        ("Uplinks", "a(sssbbss)"),
        ("UplinksProven", "b"),
        ("Why", "s"),
    ];
    assert_eq!(types(&all), expected);
    assert_eq!(Vec::<String>::try_from(all["Plan"].clone()).unwrap(), ["a step"]);
}
