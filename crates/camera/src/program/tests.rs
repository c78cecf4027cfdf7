//! The loop with a source in memory, under a paused clock. Sources open on a separate thread; Tokio's clock does not
//! advance meanwhile.

mod rig;

use super::*;
use crate::bitrate_control::RobotRequest;
use bytes::Bytes;
use rig::{LOOK, Mood, Rig, ms, s, settings};
use robocast_bus::SourceState;
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::{BitrateCapability, ReaderId};

/// At the first judgement after `wanted`.
fn about(found: Duration, wanted: Duration) -> bool {
    found >= wanted && found <= wanted + LOOK + ms(1)
}

/// The waits between tries: none, then 0.1 s twice as long each time, to 0.8 s; up to half is taken off.
fn growing(waits: &[Duration]) -> bool {
    let steps = [0, 100, 200, 400, 800].into_iter().chain(std::iter::repeat(800)).map(ms);
    waits.iter().zip(steps).all(|(&wait, step)| wait >= step / 2 && wait <= step + ms(1))
}

#[tokio::test(start_paused = true)]
async fn a_second_of_silence_is_a_lost_source_and_after_two_a_socket_is_opened_again() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(ms(10)).await;
    let last = rig.frames(s(3), ms(40)).await;
    assert_eq!(rig.states().iter().map(|(_, state)| *state).collect::<Vec<_>>(), [SourceState::Live]);
    rig.pass(ms(2_500)).await;
    let states = rig.states();
    assert!(states.len() == 1 && states[0].1 == SourceState::Lost, "{states:?}");
    assert!(about(states[0].0, last + s(1)), "{states:?} after {last:?}");
    let (openings, closings) = (rig.openings(), rig.closings());
    assert!(openings.len() == 2 && closings.len() == 1 && about(closings[0], last + s(2)), "{openings:?}");
    assert!(openings[1].at - closings[0] <= ms(1), "at once, since the one before gave frames");
    assert_eq!((openings[0].fruitless, openings[1].fruitless), (0, 0));
    rig.frames(s(1), ms(40)).await;
    assert_eq!((rig.state(), rig.status.borrow().rebuilds), (SourceState::Live, 1));
}

#[tokio::test(start_paused = true)]
async fn a_source_with_less_than_a_second_between_frames_is_left_alone() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(ms(10)).await;
    rig.frames(s(60), ms(950)).await;
    assert_eq!((rig.states().len(), rig.openings().len(), rig.state()), (1, 1, SourceState::Live));
    assert_eq!(rig.status.borrow().frames_in, 63);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_gives_a_frame_is_lost_after_2_s_and_opened_again_after_5_ever_more_slowly() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(s(60)).await;
    let states = rig.states();
    assert!(about(states[0].0, s(2)) && states[0].1 == SourceState::Lost && states.len() == 1, "{states:?}");
    let (openings, closings) = (rig.openings(), rig.closings());
    let lasted = openings.iter().zip(&closings).map(|(opening, closed)| *closed - opening.at);
    assert!(lasted.into_iter().all(|lasted| about(lasted, s(5))), "{openings:?} {closings:?}");
    let waits: Vec<_> = closings.iter().zip(&openings[1..]).map(|(closed, next)| next.at - *closed).collect();
    // The wait before the first try was the first of them.
    assert!(growing(&[&[Duration::ZERO], &waits[..]].concat()) && waits.len() > 8, "{waits:?}");
    assert!(openings.iter().enumerate().all(|(at, opening)| opening.fruitless as usize == at));
}

#[tokio::test(start_paused = true)]
async fn where_this_process_encodes_a_first_picture_may_take_5_then_10_then_20_then_40_s() {
    let rig = Rig::new(Mood::Encoding, "");
    rig.pass(s(170)).await;
    let lasted = || {
        let both = rig.openings().into_iter().zip(rig.closings());
        both.map(|(opening, closed)| closed - opening.at).collect::<Vec<_>>()
    };
    let before = lasted();
    let patience = [5, 10, 20, 40, 40].map(s);
    assert!(before.iter().zip(patience).all(|(&lasted, limit)| about(lasted, limit)), "{before:?}");
    assert!(before.len() >= 5, "{before:?}");
    // A frame, and the patience is as at first.
    rig.frames(s(1), ms(40)).await;
    rig.pass(s(3 + 5 + 10 + 2)).await;
    let after = lasted().split_off(before.len() + 1);
    assert!(after.iter().zip(patience).all(|(&lasted, limit)| about(lasted, limit)), "{after:?}");
    assert_eq!(after.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_opened_is_tried_ever_more_slowly_but_within_0_8_s() {
    for (mood, state) in [(Mood::Away, SourceState::Lost), (Mood::Unsupported, SourceState::Failed)] {
        let rig = Rig::new(mood, "");
        rig.pass(s(20)).await;
        let openings = rig.openings();
        let waits: Vec<_> = openings.windows(2).map(|two| two[1].at - two[0].at).collect();
        assert!(growing(&[&[Duration::ZERO], &waits[..]].concat()) && waits.len() > 20, "{waits:?}");
        assert!(openings.iter().enumerate().all(|(at, opening)| opening.fruitless as usize == at));
        assert_eq!((rig.states().len(), rig.state()), (1, state));
        // Once it opens and gives frames, everything starts over.
        rig.mood(Mood::Socket);
        rig.pass(ms(801)).await;
        rig.frames(s(1), ms(40)).await;
        rig.end("unplugged");
        rig.pass(ms(1)).await;
        assert_eq!(rig.openings().last().unwrap().fruitless, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_is_lost_for_its_reason_and_opened_again() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(ms(10)).await;
    rig.frames(s(1), ms(40)).await;
    rig.end("unplugged");
    rig.pass(ms(1)).await;
    let last = rig.states.lock().unwrap().last().unwrap().1.clone();
    assert_eq!((last.state, last.text.as_str()), (SourceState::Lost, "unplugged"));
    assert_eq!((rig.openings().len(), rig.closings().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_wants_another_password_is_asked_each_15_s_or_when_the_settings_change() {
    let rig = Rig::new(Mood::Refuses, "");
    rig.pass(s(100)).await;
    let openings = rig.openings();
    let waits: Vec<_> = openings.windows(2).map(|two| two[1].at - two[0].at).collect();
    assert!(waits.iter().all(|&wait| wait >= s(15) && wait <= ms(15_802)) && waits.len() >= 6, "{waits:?}");
    assert_eq!(rig.state(), SourceState::Failed);
    rig.reread(&settings("fps = 10")).await;
    rig.pass(ms(801)).await;
    assert_eq!(rig.openings().len(), openings.len() + 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_let_go_ends_the_program() {
    let rig = Rig::new(Mood::Clings, "");
    rig.pass(s(1)).await;
    assert!(!rig.task.is_finished());
    rig.end("unplugged");
    assert!(matches!(rig.task.await.unwrap(), Err(CameraError::Stuck(_))));
}

#[tokio::test(start_paused = true)]
async fn the_end_closes_the_source() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(s(1)).await;
    rig.signals.send(SignalEvent::Shutdown).await.unwrap();
    assert!(rig.task.await.unwrap().is_ok());
    assert_eq!(rig.world.lock().unwrap().closings, [s(1)]);
}

#[tokio::test(start_paused = true)]
async fn other_settings_open_the_source_again_but_not_where_it_is_pushed_to() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(s(1)).await;
    for (text, openings) in [
        (settings("push = [\"rtmp://a/app/KEY\"]\nslate = false"), 1),
        ("schema = 1\n[[stream".to_owned(), 1),
        (settings("").replace("front", "rear"), 1),
        (settings("bitrate = { min = \"300 kbit/s\", max = \"2 Mbit/s\" }"), 2),
        (format!("{}[robot]\nkind = \"none\"\ninterface = \"eth7\"\n", settings("fps = 10")), 3),
    ] {
        rig.reread(&text).await;
        rig.pass(ms(801)).await;
        assert_eq!((rig.openings().len(), rig.closings().len()), (openings, openings - 1), "{text}");
    }
    assert_eq!(rig.openings()[1].bitrate, 2_000_000);
}

#[tokio::test(start_paused = true)]
async fn settings_that_change_while_a_source_opens_wait_for_it_and_close_it() {
    let rig = Rig::new(Mood::Away, "");
    rig.pass(s(5)).await;
    rig.mood(Mood::Socket);
    let tried = rig.openings().len();
    let release = rig.opens_slowly().await;
    rig.reread(&settings("bitrate = { min = \"300 kbit/s\", max = \"2 Mbit/s\" }")).await;
    rig.reread(&settings("bitrate = { min = \"300 kbit/s\", max = \"3 Mbit/s\" }")).await;
    assert_eq!((rig.openings().len(), rig.closings().len()), (tried + 1, 0), "never two at once");
    release.send(()).unwrap();
    rig.pass(ms(801)).await;
    let (openings, closings) = (rig.openings(), rig.closings());
    assert_eq!((openings.len(), closings.len()), (tried + 2, 1));
    assert!(closings[0] <= openings[tried + 1].at);
    assert_eq!(openings[tried + 1].bitrate, 3_000_000, "as the settings say at last");
    rig.frames(s(1), ms(40)).await;
    assert_eq!(rig.state(), SourceState::Live);
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_no_source_that_opens() {
    let rig = Rig::new(Mood::Away, "");
    rig.pass(s(5)).await;
    let release = rig.opens_slowly().await;
    rig.signals.send(SignalEvent::Shutdown).await.unwrap();
    assert!(rig.task.await.unwrap().is_ok());
    release.send(()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_takes_a_minute_to_open_is_left_to_the_watchdog() {
    let rig = Rig::new(Mood::Away, "");
    rig.pass(s(5)).await;
    let release = rig.opens_slowly().await;
    let settle = async || {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    };
    let turns = async || {
        settle().await;
        rig.reader_events.try_send(ReaderEvent::Left(ReaderId(0))).unwrap();
        settle().await;
        rig.reader_events.capacity() == rig.reader_events.max_capacity()
    };
    tokio::time::advance(s(59)).await;
    assert!(turns().await, "until then the loop does its duties, and the watchdog gets its heartbeats");
    tokio::time::advance(s(2)).await;
    assert!(!turns().await);
    release.send(()).unwrap();
    rig.pass(s(2)).await;
    assert!(turns().await, "it opened after all");
}

#[tokio::test(start_paused = true)]
async fn a_camera_on_demand_rests_10_s_after_its_last_reader_left_until_the_next_comes() {
    let rig = Rig::new(Mood::Socket, "start = \"on-demand\"");
    rig.readers.send_replace(1);
    rig.pass(ms(10)).await;
    rig.frames(s(30), ms(40)).await;
    let unit = AccessUnit {
        data: Bytes::from_static(b"x"),
        pts: MonoTime(1),
        dts: MonoTime(1),
        arrived: MonoTime(1),
        keyframe: true,
    };
    rig.broadcast.push(unit);
    assert_eq!((rig.state(), rig.openings().len()), (SourceState::Live, 1));
    rig.readers.send_replace(0);
    let left = rig.began.elapsed();
    rig.frames(s(11), ms(40)).await;
    let closings = rig.closings();
    assert!(closings.len() == 1 && about(closings[0], left + s(10)), "{closings:?}");
    assert_eq!(rig.states().last().unwrap().1, SourceState::Resting);
    assert_eq!(rig.broadcast.subscribe().try_next(), ipc::Next::Nothing, "a new reader gets no old picture");
    rig.pass(s(3600)).await;
    assert_eq!((rig.openings().len(), rig.state()), (1, SourceState::Resting));
    rig.readers.send_replace(1);
    rig.pass(ms(1)).await;
    assert_eq!(rig.openings().len(), 2, "at once");
    rig.frames(s(1), ms(40)).await;
    // A reader that returns in time does not disturb it.
    rig.readers.send_replace(0);
    rig.frames(s(9), ms(40)).await;
    rig.readers.send_replace(1);
    rig.frames(s(9), ms(40)).await;
    rig.readers.send_replace(0);
    rig.frames(s(9), ms(40)).await;
    assert_eq!((rig.openings().len(), rig.state()), (2, SourceState::Live));
}

#[tokio::test(start_paused = true)]
async fn a_camera_on_demand_that_nobody_reads_rests_after_10_s_however_its_source_is() {
    for mood in [Mood::Socket, Mood::Away, Mood::Refuses] {
        let rig = Rig::new(mood, "start = \"on-demand\"");
        rig.pass(s(11)).await;
        assert_eq!(rig.states().last().unwrap().1, SourceState::Resting, "{mood:?}");
        let openings = rig.openings();
        assert!(openings.last().unwrap().at <= s(10), "{mood:?} {openings:?}");
        rig.pass(s(600)).await;
        assert_eq!(rig.openings().len(), openings.len(), "{mood:?}");
        rig.signals.send(SignalEvent::Shutdown).await.unwrap();
        assert!(rig.task.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_is_always_on_never_rests() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(ms(10)).await;
    rig.frames(s(60), ms(40)).await;
    assert_eq!((rig.openings().len(), rig.state()), (1, SourceState::Live));
}

#[tokio::test(start_paused = true)]
async fn the_least_bitrate_that_is_asked_for_within_bounds_is_what_the_next_opening_aims_at() {
    let rig = Rig::new(Mood::Away, "bitrate = { min = \"300 kbit/s\", max = \"2 Mbit/s\" }");
    let next = async || {
        rig.pass(s(2)).await;
        rig.openings().last().unwrap().bitrate
    };
    assert_eq!(next().await, 2_000_000);
    rig.ask_bitrate(1, 1_400_000).await;
    assert_eq!(next().await, 1_400_000);
    rig.ask_bitrate(1, 9_000_000).await;
    assert_eq!(next().await, 2_000_000);
    rig.ask_bitrate(2, 900_000).await;
    assert_eq!(next().await, 900_000);
    rig.ask(ReaderEvent::Left(ReaderId(2))).await;
    assert_eq!(next().await, 2_000_000, "its wish left with it");
    rig.orders.send(CameraOrder::TargetBitrate(1)).await.unwrap();
    assert_eq!(next().await, 300_000);
    rig.ask_bitrate(1, 1_000_000).await;
    assert_eq!(next().await, 300_000, "the operator's ceiling holds for readers too");
    rig.orders.send(CameraOrder::TargetBitrate(9_000_000)).await.unwrap();
    assert_eq!(next().await, 1_000_000);
    assert!(rig.openings().iter().all(|opening| opening.source == "test:"));
    assert_eq!(rig.status.borrow().target_bps, 0, "nothing is encoded");
}

fn bitrate(bps: u64) -> RobotRequest {
    RobotRequest::Bitrate(Bitrate::from_bps(bps))
}

#[tokio::test(start_paused = true)]
async fn a_robot_that_encodes_by_itself_is_asked_for_the_bitrate_in_force_and_for_keyframes() {
    let rig = Rig::new(Mood::Robot, "bitrate = { min = \"300 kbit/s\", max = \"2 Mbit/s\" }");
    rig.pass(ms(10)).await;
    assert_eq!(rig.asked(), [bitrate(2_000_000)], "it is told what it starts with");
    rig.ask_bitrate(1, 1_400_000).await;
    rig.ask_bitrate(2, 1_800_000).await;
    assert_eq!(rig.asked(), [bitrate(1_400_000)], "the other asks for more");
    let in_force = |now| Some(BitrateCapability { min: 300_000, max: 2_000_000, now });
    assert_eq!(rig.report.borrow().bitrate, in_force(1_400_000));
    rig.ask(ReaderEvent::Asked(ReaderId(2), Request::Keyframe)).await;
    rig.ask(ReaderEvent::Left(ReaderId(1))).await;
    assert_eq!(rig.asked(), [RobotRequest::Keyframe, bitrate(1_800_000)]);
    rig.orders.send(CameraOrder::TargetBitrate(700_000)).await.unwrap();
    rig.frames(s(2), ms(40)).await;
    assert_eq!((rig.asked(), rig.report.borrow().bitrate), (vec![bitrate(700_000)], in_force(700_000)));
    let status = rig.status.borrow().clone();
    assert_eq!((status.target_bps, status.encoder.as_str()), (700_000, ""));
    // Another session with the robot: it gets the request again.
    rig.end("the robot reboots");
    rig.pass(s(1)).await;
    assert_eq!((rig.openings().len(), rig.asked()), (2, vec![bitrate(700_000)]));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_passed_through_says_that_its_bitrate_cannot_be_changed() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(ms(10)).await;
    rig.ask_bitrate(1, 1_400_000).await;
    rig.frames(s(2), ms(40)).await;
    assert_eq!((rig.report.borrow().bitrate, rig.status.borrow().target_bps), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_source_still_sends_does_not_act_on_the_next() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(ms(10)).await;
    let first = rig.context();
    rig.end("unplugged");
    rig.pass(s(1)).await;
    assert_eq!(rig.openings().len(), 2);
    let (second, unfit) = (rig.context(), || OutputEvent::Unfit("640x480".into()));
    assert_ne!(first.events.opening, second.events.opening);
    first.events.sender.send((first.events.opening, unfit())).unwrap();
    rig.frames(s(2), ms(40)).await;
    assert_eq!(rig.status.borrow().encoder, "", "no transcoder for the second source");
    second.events.sender.send((second.events.opening, unfit())).unwrap();
    rig.frames(s(2), ms(40)).await;
    assert_ne!(rig.status.borrow().encoder, "", "it has asked for one now");
    let capability = rig.report.borrow().bitrate.unwrap();
    assert_eq!((capability.now, rig.status.borrow().target_bps), (capability.max, capability.max));
    rig.end("unplugged");
    rig.pass(s(2)).await;
    assert_eq!((rig.status.borrow().encoder.as_str(), rig.report.borrow().bitrate), ("", None));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_lost_for_long_is_reported_once_with_the_time_of_its_last_frame() {
    let rig = Rig::new(Mood::Socket, "");
    rig.pass(ms(10)).await;
    rig.frames(s(3), ms(40)).await;
    let live = rig.report.borrow().clone();
    rig.mood(Mood::Away);
    rig.pass(ms(1_500)).await;
    let lost = rig.report.borrow().clone();
    assert_eq!((lost.state, lost.text.as_str()), (SourceState::Lost, "no frames from test:"));
    let (live_since, lost_since) = (live.since.unwrap(), lost.since.unwrap());
    assert!((2..=3).contains(&(lost_since - live_since)), "{live:?} {lost:?}");
    assert_eq!(rig.status.borrow().since, lost.since);
    let reports = rig.states.lock().unwrap().len();
    rig.pass(s(600)).await;
    let after = rig.report.borrow().clone();
    assert_eq!((after.state, after.since), (SourceState::Lost, lost.since), "whatever the reason is by now");
    assert_eq!(after.text, "/dev/video0 is not there");
    assert_eq!(rig.states.lock().unwrap().len(), reports + 1, "the other reason, and no count of seconds");
}
