//! Tests of a sink's task with a server in memory and a paused clock.

use super::*;
use crate::in_memory::{Mood, Rig, Saw};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn s(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The time from each entry to the next.
fn gaps(times: &[Duration]) -> Vec<Duration> {
    times.windows(2).map(|two| two[1] - two[0]).collect()
}

/// Whether the waits grow as for a server that is away: none, then 0.1 s, doubling each time up to 0.8 s, each shortened by
/// up to half. An answer takes 1 ms, and the clock counts in ms.
fn away(gaps: &[Duration]) -> bool {
    let steps = [0, 100, 200, 400, 800].into_iter().chain(std::iter::repeat(800)).map(ms);
    gaps.iter().zip(steps).all(|(&gap, step)| gap >= step / 2 && gap <= step + ms(2))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_tried_ever_more_slowly_but_within_0_8_s() {
    let rig = Rig::new(Mood::Away);
    rig.pass(s(20)).await;
    let gaps = gaps(&rig.server.tries("wlan0"));
    assert!(away(&gaps) && gaps.len() > 20, "{gaps:?}");
    let status = rig.sink.reporter.status();
    assert_eq!(status.state, SinkState::Waiting);
    assert!(status.text.starts_with("cannot connect to 127.0.0.1:1935"), "{}", status.text);
    assert_eq!(status.reconnects, 0);
}

#[tokio::test(start_paused = true)]
async fn after_a_session_that_lasted_the_next_try_is_made_at_once_and_after_a_short_one_it_is_not() {
    let mut rig = Rig::new(Mood::Away);
    rig.pass(s(5)).await;
    for (lasted, at_once) in [(s(1), false), (s(3), true)] {
        rig.server.mood("wlan0", Mood::Takes);
        rig.until(SinkState::Publishing).await;
        rig.film(lasted, 25).await;
        rig.server.mood("wlan0", Mood::Away);
        let cut = rig.server.saw().len();
        rig.server.cut();
        rig.pass(s(5)).await;
        let after = rig.server.saw().split_off(cut);
        let gaps = gaps(&after.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        assert!(matches!(after[0], (_, Saw::Gone(_))), "{after:?}");
        assert_eq!(gaps[0] <= ms(1), at_once, "{gaps:?}");
        assert!(if at_once { away(&gaps) } else { gaps.iter().all(|&gap| gap >= ms(400)) }, "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_no_is_asked_more_slowly_than_one_that_is_away_but_within_30_s() {
    let rig = Rig::new(Mood::Refuses);
    rig.pass(s(600)).await;
    let gaps = gaps(&rig.server.tries("wlan0"));
    assert!(gaps.iter().all(|&gap| gap <= s(30) + ms(1)), "{gaps:?}");
    assert!(gaps.iter().skip(8).all(|&gap| gap >= s(15)) && gaps.len() > 20, "{gaps:?}");
    let status = rig.sink.reporter.status();
    assert_eq!(status.state, SinkState::Refused);
    assert!(status.text.starts_with("the server refuses to connect"), "{}", status.text);
    // Another uplink does not change the server's refusal.
    let tries = rig.server.saw().len();
    rig.choose("wwan0");
    rig.pass(ms(1)).await;
    assert_eq!(rig.server.saw().len(), tries);
    rig.pass(s(30)).await;
    assert_eq!(rig.state(), SinkState::Publishing, "its next try succeeds");
}

#[tokio::test(start_paused = true)]
async fn a_session_begins_with_the_latest_keyframe() {
    let mut rig = Rig::new(Mood::Away);
    rig.film(s(3), 25).await;
    rig.server.mood("wlan0", Mood::Takes);
    rig.until(SinkState::Publishing).await;
    rig.film(s(1), 25).await;
    let units = rig.server.units(1);
    // The third group, which was already buffered, and the fourth.
    assert_eq!(units.len(), 50, "{units:?}");
    let keyframes: Vec<_> = units.iter().enumerate().filter(|(_, unit)| unit.1).map(|(at, _)| at).collect();
    assert_eq!((keyframes, units[0].0), (vec![0, 25], 2000));
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_keyframe_waits_for_one() {
    let mut rig = Rig::new(Mood::Takes);
    rig.next = 1;
    rig.film(s(1), 1000).await;
    assert_eq!((rig.state(), rig.server.units(1).len()), (SinkState::Publishing, 0));
    rig.picture(true, 1000);
    rig.film(s(1), 1000).await;
    let units = rig.server.units(1);
    assert_eq!((units.len(), units[0].1), (26, true));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_in_the_handshake_is_abandoned_after_5_s() {
    let rig = Rig::new(Mood::Hangs);
    rig.pass(s(4)).await;
    assert_eq!(rig.state(), SinkState::Connecting);
    rig.pass(s(30)).await;
    let gaps: Vec<_> =
        gaps(&rig.server.tries("wlan0")).into_iter().map(|gap| gap.saturating_sub(s(5))).collect();
    assert!(away(&gaps) && gaps.len() >= 4, "{gaps:?}");
    assert_eq!(rig.sink.reporter.status().reconnects, 0);
    assert!(rig.server.times(|saw| matches!(saw, Saw::Gone(_))).len() >= 5, "no connection is left open");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_left_at_once_for_another_uplink() {
    let rig = Rig::new(Mood::Hangs);
    rig.pass(s(1)).await;
    rig.choose("wwan0");
    rig.pass(ms(2)).await;
    assert_eq!((rig.state(), rig.server.tries("wwan0").len()), (SinkState::Publishing, 1));
}

#[tokio::test(start_paused = true)]
async fn an_uplink_without_answers_is_reported_after_1_5_s() {
    let rig = Rig::new(Mood::Mute);
    rig.pass(ms(1400)).await;
    assert_eq!(rig.sink.reporter.evidence(), []);
    rig.pass(ms(1600)).await;
    let evidence = rig.sink.reporter.evidence();
    assert_eq!((evidence.len(), evidence[0].interface.as_str(), evidence[0].stalled_ms), (1, "wlan0", 3000));
    rig.choose("wwan0");
    rig.pass(ms(2)).await;
    assert_eq!((rig.state(), rig.sink.reporter.evidence()), (SinkState::Publishing, vec![]));
}

#[tokio::test(start_paused = true)]
async fn states_follow_the_server_and_each_session_after_the_first_counts_as_a_reconnect() {
    let rig = Rig::new(Mood::Takes);
    assert_eq!(rig.state(), SinkState::Idle);
    for reconnects in 0..3 {
        rig.until(SinkState::Publishing).await;
        let status = rig.sink.reporter.status();
        assert_eq!((status.reconnects, status.text.as_str()), (reconnects, ""));
        rig.pass(s(3)).await;
        assert_eq!(rig.sink.reporter.status().uplink, "wlan0");
        rig.server.mood("wlan0", Mood::Away);
        rig.server.cut();
        rig.pass(s(1)).await;
        let status = rig.sink.reporter.status();
        assert_eq!((status.state, status.uplink.as_str()), (SinkState::Waiting, ""));
        rig.server.mood("wlan0", Mood::Takes);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unwanted_sink_ends_its_session_properly_and_is_idle_until_wanted() {
    let mut rig = Rig::new(Mood::Takes);
    rig.film(s(1), 25).await;
    rig.sink.want(false);
    rig.pass(s(5)).await;
    assert_eq!(rig.state(), SinkState::Idle);
    let saw: Vec<_> = rig.server.saw().into_iter().map(|(_, saw)| saw).collect();
    assert_eq!(saw[saw.len() - 2..], [Saw::Leaves(1), Saw::Gone(1)]);
    rig.sink.want(true);
    rig.pass(ms(2)).await;
    assert_eq!((rig.state(), rig.sink.reporter.status().reconnects), (SinkState::Publishing, 1));
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_skips_to_the_next_keyframe_and_the_skipped_units_are_counted() {
    let mut rig = Rig::new(Mood::Takes);
    rig.film(s(1), 25).await;
    rig.server.read(false);
    for _ in 0..6 {
        // More than the path holds.
        rig.picture(true, 80_000);
        rig.film(ms(960), 1000).await;
    }
    rig.server.read(true);
    rig.pass(s(1)).await;
    let (units, status) = (rig.server.units(1), rig.sink.reporter.status());
    let holes: Vec<_> = units.windows(2).filter(|two| two[1].0 - two[0].0 > 41).collect();
    assert_eq!(holes.len(), 1, "{units:?}");
    assert!(holes[0][1].1, "it continues with a keyframe: {holes:?}");
    assert!(status.skipped >= 75, "{status:?}");
    assert_eq!(u64::from(rig.next), status.frames_out + status.skipped);
    assert_eq!((units.len() as u64, status.reconnects), (status.frames_out, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_nothing_for_10_s_is_abandoned() {
    let mut rig = Rig::new(Mood::Takes);
    rig.film(s(1), 25).await;
    rig.server.read(false);
    rig.picture(true, 200_000);
    rig.pass(ms(9_990)).await;
    assert_eq!(rig.state(), SinkState::Publishing);
    rig.server.mood("wlan0", Mood::Away);
    rig.pass(ms(100)).await;
    let status = rig.sink.reporter.status();
    assert_eq!((status.state, status.uplink.as_str()), (SinkState::Waiting, ""));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_session_properly_and_does_not_wait_for_a_silent_server() {
    for (reads, expected) in [(true, ms(1)), (false, ms(502))] {
        let mut rig = Rig::new(Mood::Takes);
        rig.film(s(1), 25).await;
        rig.server.read(reads);
        rig.picture(true, 200_000);
        rig.pass(ms(10)).await;
        let began = tokio::time::Instant::now();
        let Rig { server, sink, .. } = rig;
        sink.stop().await;
        assert!(began.elapsed() <= expected, "{:?}", began.elapsed());
        tokio::task::yield_now().await;
        server.read(true);
        tokio::time::sleep(ms(1)).await;
        assert_eq!(server.times(|saw| *saw == Saw::Leaves(1)).len(), usize::from(reads));
        assert_eq!(server.times(|saw| *saw == Saw::Gone(1)).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_server_is_away_or_hangs_takes_no_time() {
    for mood in [Mood::Away, Mood::Hangs, Mood::Mute, Mood::Refuses] {
        let rig = Rig::new(mood);
        rig.pass(s(2)).await;
        let began = tokio::time::Instant::now();
        rig.sink.stop().await;
        assert!(began.elapsed() <= ms(1), "{mood:?}: {:?}", began.elapsed());
        let tries = rig.server.saw().len();
        tokio::time::sleep(s(60)).await;
        assert!(rig.server.times(|saw| matches!(saw, Saw::Try(_))).len() <= tries, "{mood:?}");
    }
}
