//! The camera's socket, a real one: several readers at their own pace, none of which can block the camera.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use robocast_config::Bitrate;
use robocast_status::SourceState;
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::{
    BitrateCapability, Broadcast, CameraMessage, Limits, Reader, ReaderEvent, Request, Served, SourceReport,
    serve,
};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

struct Camera {
    broadcast: Broadcast,
    report: watch::Sender<SourceReport>,
    events: mpsc::Receiver<ReaderEvent>,
    served: Served,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn camera() -> Camera {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera/front.sock");
    let broadcast = Broadcast::new(Limits { lag: Duration::from_millis(400), bytes: 8 << 20 });
    let report = watch::Sender::new(SourceReport::default());
    let (sender, events) = mpsc::channel(4);
    let served = serve(&path, broadcast.clone(), report.subscribe(), sender).unwrap();
    Camera { broadcast, report, events, served, path, _folder: folder }
}

/// The `n`th unit, 40 ms after the one before; its number is its presentation time.
fn unit(n: u64, bytes: usize) -> AccessUnit {
    let arrived = MonoTime(n * 40_000_000);
    AccessUnit {
        data: Bytes::from(vec![7; bytes]),
        pts: MonoTime(n),
        dts: MonoTime(n),
        arrived,
        keyframe: n.is_multiple_of(25),
    }
}

async fn next_unit(reader: &mut Reader) -> AccessUnit {
    let next = async {
        loop {
            if let CameraMessage::Unit(unit) = reader.next().await.unwrap() {
                return unit;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), next).await.expect("a unit comes within 5 s")
}

async fn readers(camera: &Camera, count: usize) {
    let mut readers = camera.served.readers();
    let waited = tokio::time::timeout(Duration::from_secs(5), readers.wait_for(|&now| now == count)).await;
    assert!(waited.is_ok(), "{count} readers within 5 s");
}

#[tokio::test]
async fn each_reader_starts_at_the_latest_keyframe_and_gets_every_unit_from_there() {
    let camera = camera();
    for n in 0..60 {
        camera.broadcast.push(unit(n, 100));
    }
    let mut early = Reader::connect(&camera.path).await.unwrap();
    assert_eq!(next_unit(&mut early).await.pts, MonoTime(50));
    for n in 60..130 {
        camera.broadcast.push(unit(n, 100));
        // A reader that keeps up, as push does.
        while next_unit(&mut early).await.pts.0 < n {}
    }
    let mut late = Reader::connect(&camera.path).await.unwrap();
    for n in 125..130 {
        let found = next_unit(&mut late).await;
        assert_eq!((found.pts, found.data.len(), found.keyframe), (MonoTime(n), 100, n == 125));
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_to_a_keyframe_and_never_blocks_the_camera_or_another() {
    let camera = camera();
    camera.broadcast.push(unit(0, 100));
    let mut slow = Reader::connect(&camera.path).await.unwrap();
    let mut quick = Reader::connect(&camera.path).await.unwrap();
    assert_eq!(next_unit(&mut slow).await.pts, MonoTime(0));
    assert_eq!(next_unit(&mut quick).await.pts, MonoTime(0));
    // Far more than a socket holds.
    for n in 1..400 {
        camera.broadcast.push(unit(n, 20_000));
        assert_eq!(next_unit(&mut quick).await.pts, MonoTime(n), "the quick one misses nothing");
    }
    let mut before = 0;
    let mut jumps = 0;
    loop {
        let found = next_unit(&mut slow).await;
        if found.pts.0 != before + 1 {
            assert!(found.keyframe, "a gap ends at a keyframe");
            jumps += 1;
        }
        before = found.pts.0;
        if before == 399 {
            break;
        }
    }
    assert!(jumps >= 1, "the slow one was cut");
}

#[tokio::test]
async fn requests_and_reports_cross_the_socket_and_readers_are_counted() {
    let mut camera = camera();
    let mut reader = Reader::connect(&camera.path).await.unwrap();
    readers(&camera, 1).await;
    let first = reader.next().await.unwrap();
    assert!(matches!(first, CameraMessage::Report(report) if report.state == SourceState::Starting));
    let bitrate = Some(BitrateCapability { min: 300_000, max: 4_000_000, now: 4_000_000 });
    let lost = SourceReport { state: SourceState::Lost, text: "no packets".into(), since: Some(7), bitrate };
    camera.report.send_replace(lost.clone());
    let second = reader.next().await.unwrap();
    assert_eq!(second, CameraMessage::Report(lost));
    reader.ask(Request::Bitrate(Bitrate::from_bps(1_400_000))).await.unwrap();
    let Some(ReaderEvent::Asked(_, request)) = camera.events.recv().await else { panic!("no request") };
    assert_eq!(request, Request::Bitrate(Bitrate::from_bps(1_400_000)));
    drop(reader);
    readers(&camera, 0).await;
}

#[tokio::test]
async fn a_request_carries_its_reader_and_a_reader_that_leaves_is_an_event_after_its_last_request() {
    let mut camera = camera();
    let mut first = Reader::connect(&camera.path).await.unwrap();
    let mut second = Reader::connect(&camera.path).await.unwrap();
    first.ask(Request::Bitrate(Bitrate::from_bps(1))).await.unwrap();
    let Some(ReaderEvent::Asked(one, _)) = camera.events.recv().await else { panic!("no request") };
    second.ask(Request::Keyframe).await.unwrap();
    let Some(ReaderEvent::Asked(two, _)) = camera.events.recv().await else { panic!("no request") };
    assert_ne!(one, two);
    first.ask(Request::Bitrate(Bitrate::from_bps(2))).await.unwrap();
    drop(first);
    let again = Request::Bitrate(Bitrate::from_bps(2));
    assert_eq!(camera.events.recv().await, Some(ReaderEvent::Asked(one, again)));
    assert_eq!(camera.events.recv().await, Some(ReaderEvent::Left(one)));
    readers(&camera, 1).await;
    // One that comes later is another reader.
    let mut third = Reader::connect(&camera.path).await.unwrap();
    third.ask(Request::Keyframe).await.unwrap();
    let Some(ReaderEvent::Asked(three, Request::Keyframe)) = camera.events.recv().await else {
        panic!("no request")
    };
    assert!(three != one && three != two);
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_camera_that_ends_is_noticed() {
    let first = camera();
    let mut reader = Reader::connect(&first.path).await.unwrap();
    readers(&first, 1).await;
    let path = first.path.clone();
    drop(first.served);
    drop(first.broadcast);
    let gone = async { while reader.next().await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the reader notices within 5 s");
    assert!(path.exists(), "the socket is stale now");
    let broadcast = Broadcast::new(Limits { lag: Duration::from_secs(1), bytes: 1 << 20 });
    let (sender, _events) = mpsc::channel(1);
    let served = serve(&path, broadcast.clone(), first.report.subscribe(), sender);
    assert!(served.is_ok());
    broadcast.push(unit(0, 10));
    let mut again = Reader::connect(&path).await.unwrap();
    assert_eq!(next_unit(&mut again).await.pts, MonoTime(0));
}
