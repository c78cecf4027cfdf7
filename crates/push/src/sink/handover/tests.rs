//! Tests of the handover from one uplink to another, with a server in memory and a paused clock.

use crate::in_memory::{Mood, Rig, Saw};
use robocast_bus::SinkState;
use std::time::Duration;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn s(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A sink that publishes through `wlan0`, after two seconds of pictures in groups of two seconds.
async fn publishing() -> Rig {
    let mut rig = Rig::new(Mood::Takes);
    rig.film(s(3), 50).await;
    assert_eq!((rig.state(), rig.server.units(1).len()), (SinkState::Publishing, 75));
    rig
}

/// The time of an event that was seen exactly once.
fn when(rig: &Rig, wanted: &Saw) -> Duration {
    let times = rig.server.times(|saw| saw == wanted);
    assert_eq!(times.len(), 1, "{wanted:?}: {times:?}");
    times[0]
}

/// The arrival times of the session's pictures.
fn fed(rig: &Rig, of: usize) -> Vec<Duration> {
    rig.server.times(|saw| matches!(saw, Saw::Unit { session, .. } if *session == of))
}

#[tokio::test(start_paused = true)]
async fn it_hands_over_at_a_keyframe_and_feeds_the_old_session_until_then() {
    let mut rig = publishing().await;
    rig.server.mood("wwan0", Mood::Ponders(ms(100)));
    rig.choose("wwan0");
    rig.film(s(3), 50).await;
    rig.pass(s(1)).await;
    // The keyframe arrives 1 s after the choice.
    let (first, second) = (rig.server.units(1), rig.server.units(2));
    assert_eq!((first.len(), second.len()), (100, 50), "nothing is lost, nothing is sent twice");
    assert!(second[0].1, "the new one begins with the keyframe");
    let (leaves, asks) = (when(&rig, &Saw::Leaves(1)), when(&rig, &Saw::Asks(2)));
    let (gone, begins) = (when(&rig, &Saw::Gone(1)), when(&rig, &Saw::Begins(2)));
    assert!(leaves <= gone && gone <= asks && asks <= begins, "{:?}", rig.server.saw());
    let prepared = rig.server.tries("wwan0");
    assert_eq!(prepared.len(), 1);
    let meanwhile = fed(&rig, 1).into_iter().filter(|&at| at > prepared[0]).count();
    assert_eq!(meanwhile, 24, "fed while the new one was prepared, and then up to the keyframe");
    let status = rig.sink.reporter.status();
    assert_eq!((status.state, status.uplink.as_str()), (SinkState::Publishing, "wwan0"));
    assert_eq!((status.reconnects, status.frames_out, status.skipped), (1, 150, 0));
    assert!(second.windows(2).all(|two| two[1].0 > two[0].0) && second[0].0 > first[99].0, "times increase");
}

#[tokio::test(start_paused = true)]
async fn a_missing_keyframe_is_awaited_for_5_s_and_then_the_latest_is_sent_again() {
    let mut rig = publishing().await;
    rig.choose("wwan0");
    rig.film(ms(4_960), 100_000).await;
    assert_eq!(rig.server.units(2), []);
    rig.film(s(1), 100_000).await;
    let units = rig.server.units(2);
    assert!(units[0].1 && units[1..].iter().all(|unit| !unit.1));
    // Everything since the keyframe at 2 s is sent again, until the session is live.
    assert_eq!(units.len(), 25 + 124 + 25);
    assert!(units.windows(2).all(|two| two[1].0 > two[0].0), "times increase");
    assert!(when(&rig, &Saw::Leaves(1)) <= when(&rig, &Saw::Asks(2)));
}

#[tokio::test(start_paused = true)]
async fn an_uplink_without_a_path_to_the_server_leaves_the_old_session_unchanged_and_is_tried_each_second() {
    for mood in [Mood::Away, Mood::Refuses] {
        let mut rig = publishing().await;
        rig.server.mood("wwan0", mood);
        rig.choose("wwan0");
        rig.film(s(5), 50).await;
        let tries = rig.server.tries("wwan0");
        assert!((5..=6).contains(&tries.len()), "{tries:?}");
        assert!(tries.windows(2).all(|two| two[1] - two[0] >= s(1)), "{tries:?}");
        let status = rig.sink.reporter.status();
        assert_eq!((status.state, status.uplink.as_str()), (SinkState::Publishing, "wlan0"));
        assert_eq!((status.reconnects, rig.server.units(1).len()), (0, 200), "{mood:?}");
        // Once it reaches the server, it is used.
        rig.server.mood("wwan0", Mood::Takes);
        rig.film(s(4), 50).await;
        assert_eq!(rig.sink.reporter.status().uplink, "wwan0");
        assert_eq!(rig.sink.reporter.status().frames_out, 300);
    }
}

#[tokio::test(start_paused = true)]
async fn a_choice_that_is_reversed_while_the_new_session_is_prepared_changes_nothing() {
    let mut rig = publishing().await;
    rig.server.mood("wwan0", Mood::Hangs);
    rig.choose("wwan0");
    rig.film(ms(400), 50).await;
    assert_eq!(rig.server.tries("wwan0").len(), 1);
    rig.choose("wlan0");
    rig.film(s(8), 50).await;
    assert_eq!(rig.server.tries("wwan0").len(), 1);
    assert_eq!((rig.server.units(1).len(), rig.sink.reporter.status().reconnects), (75 + 10 + 200, 0));
    assert!(when(&rig, &Saw::Gone(2)) < s(4), "the unfinished session is dropped");
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_that_stalls_meanwhile_is_left_without_waiting_for_a_keyframe() {
    let mut rig = publishing().await;
    rig.server.mood("wwan0", Mood::Ponders(ms(100)));
    rig.choose("wwan0");
    rig.film(ms(120), 100_000).await;
    rig.server.stall("wlan0", s(1));
    rig.film(ms(880), 100_000).await;
    let units = rig.server.units(2);
    assert!(units[0].1, "the latest keyframe again");
    assert!(fed(&rig, 2)[0] < s(4), "{:?}", fed(&rig, 2));
    assert_eq!(rig.server.times(|saw| *saw == Saw::Leaves(1)), [], "nothing comes through there");
    assert_eq!(rig.sink.reporter.status().uplink, "wwan0");
}

#[tokio::test(start_paused = true)]
async fn if_the_old_connection_breaks_meanwhile_a_new_session_starts_through_the_chosen_uplink() {
    let mut rig = publishing().await;
    rig.server.mood("wwan0", Mood::Ponders(ms(100)));
    rig.choose("wwan0");
    rig.film(ms(120), 50).await;
    rig.server.cut();
    rig.film(s(2), 50).await;
    let status = rig.sink.reporter.status();
    assert_eq!((status.state, status.uplink.as_str()), (SinkState::Publishing, "wwan0"));
    assert!(!rig.server.units(3).is_empty(), "{:?}", rig.server.saw());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_server_still_holds_is_requested_until_it_is_free() {
    let mut rig = publishing().await;
    rig.server.linger(s(6));
    rig.choose("wwan0");
    // Nothing sent through the old connection arrives: the old session cannot end properly.
    rig.server.stall("wlan0", s(1));
    let cut = rig.next;
    rig.film(ms(200), 50).await;
    assert!(rig.next > cut && rig.server.tries("wwan0").len() >= 2, "{:?}", rig.server.saw());
    let status = rig.sink.reporter.status();
    assert_eq!(status.state, SinkState::Waiting);
    assert!(status.text.starts_with("the server still has a session of this name"), "{}", status.text);
    rig.film(s(8), 50).await;
    let asks = rig.server.times(|saw| matches!(saw, Saw::Asks(number) if *number > 1));
    let slowly: Vec<_> = asks.windows(2).skip(1).map(|two| two[1] - two[0]).collect();
    assert!(slowly.iter().all(|&gap| gap >= ms(500) && gap <= ms(1002)) && slowly.len() >= 6, "{slowly:?}");
    assert_eq!(rig.state(), SinkState::Publishing);
    assert_eq!(
        rig.sink.reporter.status().reconnects,
        1,
        "only sessions that the server accepted are counted"
    );
    let begins = rig.server.times(|saw| matches!(saw, Saw::Begins(number) if *number > 1));
    let held = when(&rig, &Saw::Gone(1)) + s(6);
    assert!(begins.len() == 1 && begins[0] >= held && begins[0] <= held + ms(1002), "{begins:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_handover_ends_the_old_session_properly_and_drops_the_new_one() {
    for mood in [Mood::Hangs, Mood::Takes] {
        let mut rig = publishing().await;
        rig.server.mood("wwan0", mood);
        rig.choose("wwan0");
        rig.film(ms(400), 50).await;
        let began = tokio::time::Instant::now();
        let Rig { server, sink, .. } = rig;
        sink.stop().await;
        assert!(began.elapsed() <= ms(1), "{mood:?}: {:?}", began.elapsed());
        tokio::time::sleep(ms(1)).await;
        let saw = |wanted: Saw| server.times(|saw| *saw == wanted).len();
        assert_eq!((saw(Saw::Leaves(1)), saw(Saw::Gone(1)), saw(Saw::Gone(2))), (1, 1, 1), "{mood:?}");
        assert_eq!(saw(Saw::Asks(2)), 0);
    }
}
