//! The hop over a real socket: several readers at their own pace, none of which can block the camera.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use robocast_config::Bitrate;
use robocast_status::SourceState;
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::{Broadcast, CameraMessage, Limits, Reader, Request, Served, SourceReport, serve};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

struct Camera {
    feed: Broadcast,
    report: watch::Sender<SourceReport>,
    requests: mpsc::Receiver<Request>,
    served: Served,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn camera() -> Camera {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera/front.sock");
    let feed = Broadcast::new(Limits { lag: Duration::from_millis(400), bytes: 8 << 20 });
    let report = watch::Sender::new(SourceReport { state: SourceState::Starting, text: String::new() });
    let (ask, requests) = mpsc::channel(4);
    let served = serve(&path, feed.clone(), report.subscribe(), ask).unwrap();
    Camera { feed, report, requests, served, path, _folder: folder }
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
        camera.feed.push(unit(n, 100));
    }
    let mut early = Reader::connect(&camera.path).await.unwrap();
    assert_eq!(next_unit(&mut early).await.pts, MonoTime(50));
    for n in 60..130 {
        camera.feed.push(unit(n, 100));
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
    camera.feed.push(unit(0, 100));
    let mut slow = Reader::connect(&camera.path).await.unwrap();
    let mut quick = Reader::connect(&camera.path).await.unwrap();
    assert_eq!(next_unit(&mut slow).await.pts, MonoTime(0));
    assert_eq!(next_unit(&mut quick).await.pts, MonoTime(0));
    // Far more than a socket holds.
    for n in 1..400 {
        camera.feed.push(unit(n, 20_000));
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
async fn requests_and_reports_cross_the_hop_and_readers_are_counted() {
    let mut camera = camera();
    let mut reader = Reader::connect(&camera.path).await.unwrap();
    readers(&camera, 1).await;
    let first = reader.next().await.unwrap();
    assert!(matches!(first, CameraMessage::Report(report) if report.state == SourceState::Starting));
    camera.report.send_replace(SourceReport { state: SourceState::Lost, text: "no packets".into() });
    let second = reader.next().await.unwrap();
    assert!(matches!(second, CameraMessage::Report(report) if report.text == "no packets"));
    reader.ask(Request::Bitrate(Bitrate::from_bps(1_400_000))).await.unwrap();
    assert_eq!(camera.requests.recv().await, Some(Request::Bitrate(Bitrate::from_bps(1_400_000))));
    drop(reader);
    readers(&camera, 0).await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_camera_that_ends_is_noticed() {
    let first = camera();
    let mut reader = Reader::connect(&first.path).await.unwrap();
    readers(&first, 1).await;
    let path = first.path.clone();
    drop(first.served);
    drop(first.feed);
    let gone = async { while reader.next().await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the reader notices within 5 s");
    assert!(path.exists(), "the socket is stale now");
    let feed = Broadcast::new(Limits { lag: Duration::from_secs(1), bytes: 1 << 20 });
    let (ask, _requests) = mpsc::channel(1);
    let served = serve(&path, feed.clone(), first.report.subscribe(), ask);
    assert!(served.is_ok());
    feed.push(unit(0, 10));
    let mut again = Reader::connect(&path).await.unwrap();
    assert_eq!(next_unit(&mut again).await.pts, MonoTime(0));
}
