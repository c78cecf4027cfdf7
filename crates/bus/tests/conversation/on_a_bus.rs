//! Programs on a real bus, which comes late, restarts and goes.

use futures_util::StreamExt;
use robocast_bus::client::{self, Remote, RemoteOrder, Snapshot};
use robocast_bus::names::{CAMERA, NET, PUSH, Service, UPDATE};
use robocast_bus::server::{self, PushOrder};
use robocast_bus::{CameraStatus, Evidence, NetStatus, PushStatus, SinkState, SourceState, StreamState};
use robocast_tests::bus::{self, Bus};
use robocast_tests::programs::have;
use std::future::Future;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;

const SOON: Duration = Duration::from_secs(30);
const ALL: &[&str] = &[CAMERA, PUSH, NET, UPDATE];

type ToBus = Box<dyn Fn() -> Builder<'static> + Send + Sync>;

fn to(bus: &Bus) -> ToBus {
    let address = bus.address();
    Box::new(move || Builder::address(address.as_str()))
}

/// Waits until the snapshot fits.
async fn seen(
    snapshot: &mut watch::Receiver<Snapshot>,
    what: &str,
    fits: impl FnMut(&Snapshot) -> bool,
) -> Snapshot {
    let found = timeout(SOON, snapshot.wait_for(fits)).await.map(|found| found.unwrap().clone());
    found.unwrap_or_else(|_| panic!("waited in vain for {what}; last seen: {:?}", snapshot.borrow()))
}

fn on_a_runtime(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

#[test]
fn all_programs_come_to_a_bus_that_starts_late_and_back_to_one_that_restarts() {
    if !have(&bus::NEEDED) {
        return;
    }
    on_a_runtime(async {
        let mut bus = Bus::not_started();
        let camera = watch::Sender::new(CameraStatus { frames_in: 7, ..CameraStatus::default() });
        let push = watch::Sender::new(PushStatus { started: true, ..PushStatus::default() });
        let net = watch::Sender::new(NetStatus { chosen: "wlan0".into(), ..NetStatus::default() });
        let (order, mut orders) = mpsc::channel(4);
        tokio::spawn(server::serve_camera_on(
            to(&bus),
            "front".into(),
            camera.subscribe(),
            mpsc::channel(1).0,
        ));
        tokio::spawn(server::serve_push_on(to(&bus), "front".into(), push.subscribe(), order));
        tokio::spawn(server::serve_net_on(to(&bus), net.subscribe()));
        let (tell, mut snapshot) = watch::channel(Snapshot::default());
        tokio::spawn(client::follow_on(to(&bus), ALL, tell));

        for round in 1..4u64 {
            bus.start_again();
            let all = seen(&mut snapshot, "all three programs", |now| {
                now.cameras.contains_key("front") && now.pushes.contains_key("front") && now.net.is_some()
            });
            let all = all.await;
            assert!(all.has(&Service::Net) && !all.has(&Service::Update));
            // Signals and orders pass as before.
            camera.send_modify(|status| status.text = format!("round {round}"));
            net.send_modify(|status| status.chosen = format!("eth{round}"));
            seen(&mut snapshot, "what changed", |now| {
                now.cameras.get("front").is_some_and(|camera| camera.text == format!("round {round}"))
                    && now.net.as_ref().is_some_and(|net| net.chosen == format!("eth{round}"))
            })
            .await;
            let connection = to(&bus)().build().await.unwrap();
            let remote = Remote::on_bus(&connection, Service::Push("front".into()));
            // It may not be back yet, where the two others are.
            let ordered = async {
                while remote.send(RemoteOrder::Stop).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(SOON, ordered).await.expect("the push program");
            assert_eq!(orders.recv().await, Some(PushOrder::Stop));
            let streams = client::streams_on(&connection).await.unwrap();
            assert_eq!(
                (streams.len(), streams[0].frames_in, streams[0].state),
                (1, 7, StreamState::Starting)
            );
        }
        bus.end();
        seen(&mut snapshot, "nothing without a bus", |now| *now == Snapshot::default()).await;
    });
}

#[test]
fn a_program_that_ends_leaves_the_snapshot_and_one_that_comes_enters_it() {
    if !have(&bus::NEEDED) {
        return;
    }
    on_a_runtime(async {
        let bus = Bus::start();
        let (tell, mut snapshot) = watch::channel(Snapshot::default());
        tokio::spawn(client::follow_on(to(&bus), &[CAMERA], tell));
        for name in ["front", "4k"] {
            let status = watch::Sender::new(CameraStatus::default());
            let serving = tokio::spawn(server::serve_camera_on(
                to(&bus),
                name.into(),
                status.subscribe(),
                mpsc::channel(1).0,
            ));
            seen(&mut snapshot, "the camera", |now| now.cameras.contains_key(name)).await;
            status.send_modify(|status| status.source_state = SourceState::Live);
            seen(&mut snapshot, "its state", |now| now.cameras[name].source_state == SourceState::Live).await;
            drop(status);
            timeout(SOON, serving).await.expect("the status ended").unwrap();
            seen(&mut snapshot, "its end", |now| now.cameras.is_empty()).await;
        }
    });
}

#[test]
fn only_what_is_asked_for_is_followed_and_a_change_of_counters_wakes_nobody() {
    if !have(&bus::NEEDED) {
        return;
    }
    on_a_runtime(async {
        let bus = Bus::start();
        let camera = watch::Sender::new(CameraStatus::default());
        let net = watch::Sender::new(NetStatus::default());
        tokio::spawn(server::serve_camera_on(
            to(&bus),
            "front".into(),
            camera.subscribe(),
            mpsc::channel(1).0,
        ));
        tokio::spawn(server::serve_net_on(to(&bus), net.subscribe()));
        let (tell, mut cameras) = watch::channel(Snapshot::default());
        tokio::spawn(client::follow_on(to(&bus), &[CAMERA], tell));
        let (tell, mut nets) = watch::channel(Snapshot::default());
        tokio::spawn(client::follow_on(to(&bus), &[NET], tell));
        seen(&mut cameras, "the camera", |now| now.cameras.contains_key("front")).await;
        seen(&mut nets, "the net program", |now| now.net.is_some()).await;
        camera.send_modify(|status| status.frames_in = 1);
        camera.send_modify(|status| {
            status.frames_in = 2;
            status.text = "and a text".into();
        });
        let now = seen(&mut cameras, "the text", |now| !now.cameras["front"].text.is_empty()).await;
        assert_eq!((now.cameras["front"].frames_in, &now.net), (2, &None));
        assert!(nets.borrow().cameras.is_empty());
        cameras.mark_unchanged();
        camera.send_modify(|status| status.frames_in = 3);
        net.send_modify(|status| status.reads = 1);
        seen(&mut nets, "a later signal of another", |now| {
            now.net.as_ref().is_some_and(|net| net.reads == 1)
        })
        .await;
        assert!(!cameras.has_changed().unwrap());
        let connection = to(&bus)().build().await.unwrap();
        let status: CameraStatus =
            Remote::on_bus(&connection, Service::Camera("front".into())).status().await.unwrap();
        assert_eq!(status.frames_in, 3, "whoever asks gets the counter");
    });
}

#[test]
fn evidence_comes_stream_by_stream_and_ends_with_the_program() {
    if !have(&bus::NEEDED) {
        return;
    }
    on_a_runtime(async {
        let bus = Bus::start();
        let (tell, mut evidence) = mpsc::unbounded_channel();
        tokio::spawn(client::follow_evidence_on(to(&bus), tell));
        let row = |rtt_ms| Evidence { interface: "wlan0".into(), rtt_ms, ..Evidence::default() };
        let status = watch::Sender::new(PushStatus { evidence: vec![row(40)], ..PushStatus::default() });
        let serving = tokio::spawn(server::serve_push_on(
            to(&bus),
            "front".into(),
            status.subscribe(),
            mpsc::channel(1).0,
        ));
        let mut next = async || timeout(SOON, evidence.recv()).await.expect("evidence").unwrap();
        assert_eq!(next().await, ("front".to_owned(), vec![row(40)]));
        // Jitter is not signalled; a longer round trip is.
        status.send_modify(|status| status.evidence = vec![row(45)]);
        tokio::task::yield_now().await;
        status.send_modify(|status| status.evidence = vec![row(400)]);
        assert_eq!(next().await, ("front".to_owned(), vec![row(400)]));
        drop(status);
        timeout(SOON, serving).await.expect("the status ended").unwrap();
        assert_eq!(next().await, ("front".to_owned(), vec![]));
    });
}

/// The update program, reduced to its object.
struct UpdateObject;

#[zbus::interface(name = "org.robocast.Update1")]
impl UpdateObject {
    #[zbus(property)]
    fn operation(&self) -> String {
        "idle".into()
    }
}

#[test]
fn the_update_program_is_followed_with_all_its_properties() {
    if !have(&bus::NEEDED) {
        return;
    }
    on_a_runtime(async {
        let bus = Bus::start();
        let (tell, mut snapshot) = watch::channel(Snapshot::default());
        tokio::spawn(client::follow_on(to(&bus), &[UPDATE], tell));
        let program =
            to(&bus)().serve_at(Service::Update.path(), UpdateObject).name(UPDATE).build().await.unwrap();
        let now = seen(&mut snapshot, "the update program", |now| now.update.is_some()).await;
        let operation = now.update.unwrap()["Operation"].clone();
        assert_eq!(String::try_from(operation).unwrap(), "idle");
        program.close().await.unwrap();
        seen(&mut snapshot, "its end", |now| now.update.is_none()).await;
    });
}

#[test]
fn a_name_that_another_holds_is_taken_once_that_is_gone() {
    if !have(&bus::NEEDED) {
        return;
    }
    on_a_runtime(async {
        let bus = Bus::start();
        let first = to(&bus)().allow_name_replacements(false).name(NET).build().await.unwrap();
        let dbus = DBusProxy::new(&first).await.unwrap();
        let mut changes = dbus.receive_name_owner_changed().await.unwrap();
        let net = watch::Sender::new(NetStatus { reads: 5, ..NetStatus::default() });
        tokio::spawn(server::serve_net_on(to(&bus), net.subscribe()));
        let (tell, mut snapshot) = watch::channel(Snapshot::default());
        tokio::spawn(client::follow_on(to(&bus), &[NET], tell));
        // The connection that asked for the name in vain ends.
        loop {
            let change = timeout(SOON, changes.next()).await.expect("the first try").unwrap();
            let arguments = change.args().unwrap();
            if arguments.name.starts_with(':') && arguments.new_owner.is_none() {
                break;
            }
        }
        first.close().await.unwrap();
        let reads = |now: &Snapshot| now.net.as_ref().is_some_and(|net| net.reads == 5);
        seen(&mut snapshot, "the program that waited", reads).await;
    });
}

/// A net program and a push program without `Status`: older ones, or a third party's.
struct PlainNet(String);

type PlainUplink = (String, String, String, bool, bool, String, String);

#[zbus::interface(name = "org.robocast.Net1")]
impl PlainNet {
    #[zbus(property)]
    fn chosen(&self) -> String {
        self.0.clone()
    }

    #[zbus(property)]
    fn uplinks(&self) -> Vec<PlainUplink> {
        let row = |name: &str| {
            (name.into(), "wl0".into(), "online".into(), true, false, "10.0.0.2".into(), "well".into())
        };
        vec![row("Lab")]
    }
}

struct PlainPush;

type PlainEvidence = (String, String, bool, bool, u32, u32);
type PlainSink = (String, String, String, u64, u64, u64, u64, u64);

#[zbus::interface(name = "org.robocast.Push1")]
impl PlainPush {
    #[zbus(property)]
    fn live(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn latency_ms(&self) -> f64 {
        -1.0
    }

    #[zbus(property)]
    fn sinks(&self) -> Vec<PlainSink> {
        vec![("rtmp://h/a/***".into(), "publishing".into(), String::new(), 1, 2, 3, 4, 5)]
    }

    #[zbus(property)]
    fn sink_bitrates(&self) -> Vec<u64> {
        vec![9]
    }

    #[zbus(property)]
    fn evidence(&self) -> Vec<PlainEvidence> {
        vec![("rtmp://h/a/***".into(), "wl0".into(), false, true, 700, 30)]
    }
}

#[test]
fn programs_without_a_status_as_a_whole_are_read_property_by_property() {
    if !have(&bus::NEEDED) {
        return;
    }
    on_a_runtime(async {
        let bus = Bus::start();
        let (net_name, push_name) = (Service::Net, Service::Push("front".into()));
        let serving = Builder::address(bus.address().as_str())
            .name(net_name.bus_name())
            .name(push_name.bus_name())
            .serve_at(net_name.path(), PlainNet("wl0".into()))
            .serve_at(push_name.path(), PlainPush)
            .build()
            .await
            .unwrap();
        let (snapshot, mut followed) = watch::channel(Snapshot::default());
        tokio::spawn(client::follow_on(to(&bus), ALL, snapshot));
        let there = |now: &Snapshot| now.net.is_some() && !now.pushes.is_empty();
        let now = seen(&mut followed, "the plain programs", there).await;
        let net = now.net.unwrap();
        assert_eq!(
            (net.chosen.as_str(), net.uplinks[0].interface.as_str(), net.uplinks[0].chosen),
            ("wl0", "wl0", true)
        );
        let push = &now.pushes["front"];
        assert!(push.live && push.latency_ms.is_none());
        assert_eq!(
            (push.sinks[0].state, push.sinks[0].reconnects, push.sinks[0].bitrate_bps),
            (SinkState::Publishing, 5, 9)
        );
        assert_eq!((push.evidence[0].stalled, push.evidence[0].stalled_ms), (true, 700));
        let net = serving.object_server().interface::<_, PlainNet>(net_name.path()).await.unwrap();
        net.get_mut().await.0 = "wwan0".into();
        net.get().await.chosen_changed(net.signal_emitter()).await.unwrap();
        seen(&mut followed, "the other uplink", |now| {
            now.net.as_ref().is_some_and(|net| net.chosen == "wwan0")
        })
        .await;
    });
}
