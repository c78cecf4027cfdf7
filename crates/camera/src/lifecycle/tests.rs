//! The life of a source as tables: events and the resulting actions, in order.

use super::*;
use LifecycleAction::{
    AwaitOpening, Close, CountReopening, Finish, ForgetUnits, Open, StartTranscoder, Wait,
};
use LifecycleEvent::{
    Opened, Readers, Shutdown, SourceEnded, Tick, TranscoderFailed, TranscoderStarted, Unfit, WaitOver,
};
use SourceState::{Failed, Live, Lost, Resting, Starting};

const START: u64 = 1000;
const CAP: Duration = Duration::from_millis(800);

fn at(ms: u64) -> MonoTime {
    MonoTime((START * 1000 + ms) * 1_000_000)
}

/// A camera, and the known state of it.
struct Bench {
    lifecycle: Lifecycle,
    moment: Moment,
}

impl Bench {
    fn new(start: Start) -> Self {
        let backoff = Backoff::with_seed(Duration::from_millis(100), CAP, 7);
        let mut lifecycle = Lifecycle::new("test:".into(), start, backoff, at(0));
        assert_eq!(lifecycle.begin(), [Wait(Duration::ZERO)]);
        Self { lifecycle, moment: Moment { now: at(0), frames_in: 0, last_frame: None } }
    }

    /// A camera whose source is open since the start.
    fn running(start: Start) -> Self {
        let mut bench = Self::new(start);
        assert_eq!(bench.on(0, WaitOver), [Open { fruitless: 0 }, Wait(OPENING_LIMIT)]);
        assert_eq!(bench.on(0, Opened(Ok(()))), []);
        bench
    }

    fn on(&mut self, ms: u64, event: LifecycleEvent) -> Vec<LifecycleAction> {
        self.moment.now = at(ms);
        self.lifecycle.handle_event(self.moment, event)
    }

    fn tick(&mut self, ms: u64) -> Vec<LifecycleAction> {
        self.on(ms, Tick(Some(Patience::PACKETS)))
    }

    /// A frame arrives, and the next tick sees it.
    fn frame(&mut self, ms: u64) -> Vec<LifecycleAction> {
        self.moment.frames_in += 1;
        self.moment.last_frame = Some(at(ms));
        self.tick(ms)
    }

    fn change(&mut self, ms: u64, start: Start) -> Vec<LifecycleAction> {
        self.on(ms, LifecycleEvent::SettingsChanged { source: "rtsp://robot/a".into(), start })
    }
}

fn report(state: SourceState, text: &str, since: u64) -> LifecycleAction {
    LifecycleAction::Report(StateReport { state, text: text.into(), since: at(since) })
}

fn failure(why: &str, may_pass: bool) -> LifecycleEvent {
    Opened(Err(OpenFailure { why: why.into(), may_pass }))
}

/// The last action must be a wait of at most `most`, and at least half of it; the others are returned.
fn without_wait(mut actions: Vec<LifecycleAction>, most: u64) -> Vec<LifecycleAction> {
    let most = Duration::from_millis(most);
    assert!(matches!(actions.pop(), Some(Wait(wait)) if wait <= most && wait >= most / 2), "{actions:?}");
    actions
}

#[test]
fn a_source_is_live_while_frames_arrive_then_lost_then_opened_again_at_once() {
    let mut bench = Bench::running(Start::Always);
    assert_eq!(bench.tick(250), []);
    assert_eq!(bench.frame(500), [report(Live, "", 500)]);
    assert_eq!(bench.frame(750), [], "reported once");
    assert_eq!(bench.tick(1500), []);
    assert_eq!(bench.tick(1750), [report(Lost, "no frames from test:", 750)], "lost since its last frame");
    assert_eq!(bench.tick(2500), []);
    assert_eq!(bench.tick(2750), [Close, CountReopening, Wait(Duration::ZERO)]);
    assert_eq!(bench.on(2750, WaitOver), [Open { fruitless: 0 }, Wait(OPENING_LIMIT)]);
    assert_eq!(bench.on(2800, Opened(Ok(()))), []);
    assert_eq!(bench.tick(3000), [], "a frame of the opening before is no sign of life");
    assert_eq!(bench.frame(3250), [report(Live, "", 3250)]);
}

#[test]
fn the_text_does_not_change_while_a_source_is_lost() {
    let mut bench = Bench::running(Start::Always);
    let mut reports = 0;
    for ms in (250..4750).step_by(250) {
        reports += bench.tick(ms).len();
    }
    assert_eq!(reports, 1);
    let lost = StateReport { state: Lost, text: "no frames from test:".into(), since: at(0) };
    assert_eq!(bench.lifecycle.report(), &lost, "without any frame: since the program started");
}

#[test]
fn a_source_that_gives_no_frame_is_opened_ever_more_slowly() {
    let mut bench = Bench::running(Start::Always);
    for (fruitless, wait) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 800)] {
        let from = u64::from(fruitless) * 10_000;
        bench.moment.now = at(from);
        let actions = without_wait(bench.on(from, SourceEnded(SourceEnd::because("unplugged"))), wait);
        assert!(actions.starts_with(&[Close, CountReopening]), "{actions:?}");
        assert_eq!(bench.on(from, WaitOver)[0], Open { fruitless });
        assert_eq!(bench.on(from, Opened(Ok(()))), []);
    }
    bench.frame(60_000);
    let actions = bench.on(60_000, SourceEnded(SourceEnd::because("unplugged")));
    assert_eq!(actions.last(), Some(&Wait(Duration::ZERO)), "after a frame at once");
    assert_eq!(bench.on(60_000, WaitOver)[0], Open { fruitless: 0 });
}

#[test]
fn a_source_that_cannot_be_opened_is_lost_or_failed_and_tried_again() {
    for (may_pass, state) in [(true, Lost), (false, Failed)] {
        let mut bench = Bench::new(Start::Always);
        bench.on(0, WaitOver);
        let since = if may_pass { 0 } else { 5 };
        let actions = without_wait(bench.on(5, failure("not there", may_pass)), 100);
        assert_eq!(actions, [report(state, "not there", since)]);
        assert_eq!(bench.on(100, WaitOver)[0], Open { fruitless: 1 });
        assert_eq!(without_wait(bench.on(105, failure("not there", may_pass)), 200), [], "said once");
        bench.on(300, WaitOver);
        let actions = without_wait(bench.on(305, failure("busy", may_pass)), 400);
        assert_eq!(actions, [report(state, "busy", since)], "another reason, the same state since then");
    }
}

#[test]
fn a_camera_that_says_no_is_asked_again_after_15_s_or_when_the_settings_change() {
    let refuse = |bench: &mut Bench| {
        let actions = bench.on(10, SourceEnded(SourceEnd::refused("another password")));
        assert_eq!(actions, [Close, report(Failed, "another password", 10), Wait(REFUSED_FOR)]);
    };
    let mut bench = Bench::running(Start::Always);
    refuse(&mut bench);
    assert_eq!(bench.tick(5000), []);
    assert_eq!(without_wait(bench.on(15_010, WaitOver), 100), []);
    assert_eq!(bench.on(15_100, WaitOver)[0], Open { fruitless: 1 });
    let mut bench = Bench::running(Start::Always);
    refuse(&mut bench);
    assert_eq!(without_wait(bench.change(20, Start::Always), 100), []);
    assert_eq!(bench.on(120, WaitOver)[0], Open { fruitless: 1 });
}

#[test]
fn changed_settings_open_the_source_again_whatever_it_does() {
    // Waiting.
    let mut bench = Bench::new(Start::Always);
    assert_eq!(bench.change(0, Start::Always), [Open { fruitless: 0 }, Wait(OPENING_LIMIT)]);
    // Opening: it is waited for, and closed or forgotten.
    assert_eq!(bench.change(10, Start::Always), []);
    assert_eq!(without_wait(bench.on(20, Opened(Ok(()))), 100), [Close]);
    bench.on(100, WaitOver);
    bench.change(110, Start::Always);
    assert_eq!(without_wait(bench.on(120, failure("not there", true)), 200), [], "of no interest any more");
    bench.on(300, WaitOver);
    // Open.
    bench.on(310, Opened(Ok(())));
    bench.frame(320);
    assert_eq!(bench.change(330, Start::Always), [Close, Wait(Duration::ZERO)], "no reopening for a fault");
    bench.on(330, WaitOver);
    bench.on(340, Opened(Ok(())));
    assert_eq!(bench.tick(2340), [report(Lost, "no frames from rtsp://robot/a", 320)], "as it is called now");
}

#[test]
fn an_opening_that_takes_a_minute_is_waited_for_alone() {
    let mut bench = Bench::new(Start::OnDemand);
    bench.on(0, WaitOver);
    assert_eq!(bench.tick(59_000), [], "it neither rests nor is judged");
    assert_eq!(bench.on(60_000, WaitOver), [AwaitOpening]);
    assert_eq!(bench.on(70_000, Opened(Ok(()))), []);
}

#[test]
fn a_camera_on_demand_rests_10_s_after_its_last_reader_left() {
    let mut bench = Bench::running(Start::OnDemand);
    bench.frame(250);
    assert_eq!(bench.on(300, Readers(1)), []);
    assert_eq!(bench.frame(30_000), []);
    assert_eq!(bench.on(30_000, Readers(2)), []);
    assert_eq!(bench.on(30_000, Readers(0)), []);
    assert_eq!(bench.on(35_000, Readers(0)), [], "the time counts from the first time that none was left");
    assert_eq!(bench.frame(39_999), []);
    assert_eq!(bench.frame(40_000), [Close, ForgetUnits, report(Resting, "", 40_000)]);
    assert_eq!(bench.on(50_000, Tick(None)), []);
    assert_eq!(bench.on(50_000, WaitOver), [], "of a wait before");
    assert_eq!(bench.on(60_000, Readers(1)), [report(Starting, "", 60_000), Wait(Duration::ZERO)]);
    assert_eq!(bench.on(60_000, WaitOver)[0], Open { fruitless: 0 });
}

#[test]
fn a_camera_on_demand_that_nobody_reads_rests_in_every_state_but_while_it_opens() {
    let rest = [ForgetUnits, report(Resting, "", 10_000)];
    let mut waiting = Bench::new(Start::OnDemand);
    assert_eq!(waiting.on(9_999, Tick(None)), []);
    assert_eq!(waiting.on(10_000, Tick(None)), rest);
    let mut refused = Bench::running(Start::OnDemand);
    refused.on(0, SourceEnded(SourceEnd::refused("no")));
    assert_eq!(refused.on(10_000, Tick(None)), rest);
    let mut opening = Bench::new(Start::OnDemand);
    opening.on(0, WaitOver);
    assert_eq!(opening.on(10_000, Tick(None)), []);
    let mut always = Bench::running(Start::Always);
    always.frame(9_900);
    assert_eq!(always.frame(10_000), []);
}

#[test]
fn settings_that_change_during_a_rest_wake_the_camera_only_when_it_is_always_on_now() {
    let mut bench = Bench::new(Start::OnDemand);
    bench.on(10_000, Tick(None));
    assert_eq!(bench.change(20_000, Start::OnDemand), []);
    assert_eq!(bench.change(20_000, Start::Always), [report(Starting, "", 20_000), Wait(Duration::ZERO)]);
    bench.on(20_000, WaitOver);
    bench.on(20_000, Opened(Ok(())));
    // On demand again: a reader may come within 10 s.
    bench.frame(50_000);
    bench.change(50_000, Start::OnDemand);
    bench.on(50_000, WaitOver);
    bench.on(50_000, Opened(Ok(())));
    bench.frame(59_999);
    assert_eq!(bench.frame(60_000)[0], Close);
}

#[test]
fn pictures_that_do_not_fit_are_transcoded_by_the_next_encoder_when_one_fails() {
    let mut bench = Bench::running(Start::Always);
    bench.frame(1);
    assert_eq!(bench.on(1, Unfit("640x480".into())), [StartTranscoder { failed: 0 }]);
    assert_eq!(bench.on(2, TranscoderStarted(Ok(()))), []);
    assert_eq!(bench.on(3, Unfit("640x480".into())), [], "one is at work");
    assert_eq!(bench.on(4, TranscoderFailed("encoder: busy".into())), [StartTranscoder { failed: 1 }]);
    assert_eq!(bench.on(5, TranscoderStarted(Ok(()))), []);
    assert_eq!(bench.frame(250), []);
    assert_eq!(bench.on(300, SourceEnded(SourceEnd::because("unplugged")))[0], Close);
}

#[test]
fn a_camera_without_an_encoder_for_what_needs_one_has_failed_although_frames_arrive() {
    let mut bench = Bench::running(Start::Always);
    assert_eq!(bench.frame(1), [report(Live, "", 1)]);
    bench.on(1, Unfit("640x480".into()));
    let none = TranscoderStarted(Err("no H.264 encoder opens here".into()));
    assert_eq!(bench.on(2, none), [report(Failed, "no H.264 encoder opens here", 2)]);
    assert_eq!(bench.frame(250), [], "and stays so");
    assert_eq!(bench.on(260, Unfit("800x600".into())), [StartTranscoder { failed: 0 }], "another try");
    bench.on(270, TranscoderStarted(Ok(())));
    assert_eq!(bench.frame(500), [report(Live, "", 500)]);
}

#[test]
fn events_of_a_source_that_is_closed_do_nothing() {
    let mut bench = Bench::running(Start::Always);
    bench.on(10, SourceEnded(SourceEnd::because("unplugged")));
    for event in [
        SourceEnded(SourceEnd::refused("late")),
        Unfit("late".into()),
        TranscoderFailed("late".into()),
        TranscoderStarted(Err("late".into())),
        Opened(Ok(())),
    ] {
        assert_eq!(bench.on(20, event.clone()), [], "{event:?}");
    }
    assert_eq!(bench.on(100, WaitOver)[0], Open { fruitless: 1 });
}

#[test]
fn the_end_closes_what_is_open_and_waits_for_nothing_else() {
    assert_eq!(Bench::running(Start::Always).on(1, Shutdown), [Close, Finish]);
    assert_eq!(Bench::new(Start::Always).on(1, Shutdown), [Finish]);
    let mut opening = Bench::new(Start::Always);
    opening.on(0, WaitOver);
    assert_eq!(opening.on(1, Shutdown), [Finish]);
}

fn event() -> impl proptest::strategy::Strategy<Value = LifecycleEvent> {
    use proptest::prelude::*;
    prop_oneof![
        4 => Just(Tick(Some(Patience::PACKETS))),
        4 => Just(WaitOver),
        4 => Just(Opened(Ok(()))),
        1 => any::<bool>().prop_map(|may_pass| failure("not there", may_pass)),
        1 => any::<bool>().prop_map(|refused| SourceEnded(SourceEnd { why: "ended".into(), refused })),
        1 => Just(Unfit("size".into())),
        1 => Just(TranscoderStarted(Ok(()))),
        1 => Just(TranscoderFailed("encoder: busy".into())),
        1 => (0usize..2).prop_map(Readers),
        1 => any::<bool>().prop_map(|always| LifecycleEvent::SettingsChanged {
            source: "test:".into(),
            start: if always { Start::Always } else { Start::OnDemand },
        }),
    ]
}

proptest::proptest! {
    /// Whatever happens: no source is opened while one is open or being opened, none is closed twice, a transcoder
    /// starts beside an open source only, and the camera always waits for something.
    #[test]
    fn never_two_sources_at_once_and_never_stuck(
        events in proptest::collection::vec((event(), 0u64..3000, proptest::prelude::any::<bool>()), 1..80)
    ) {
        let mut bench = Bench::new(Start::OnDemand);
        let (mut opening, mut open, mut waiting) = (false, false, true);
        let mut ms = 0;
        for (event, gap, frame) in events {
            // The loop only reports possible events.
            let possible = match &event {
                WaitOver => waiting,
                Opened(_) => opening,
                SourceEnded(_) | Unfit(_) | TranscoderFailed(_) | TranscoderStarted(_) => open,
                _ => true,
            };
            if !possible { continue; }
            ms += gap;
            if frame && open { bench.moment.frames_in += 1; bench.moment.last_frame = Some(at(ms)); }
            if event == WaitOver { waiting = false; }
            if let Opened(opened) = &event { (opening, open) = (false, opened.is_ok()); }
            for action in bench.on(ms, event) {
                match action {
                    Open { .. } => { assert!(!opening && !open); opening = true; }
                    Close => { assert!(open); open = false; }
                    StartTranscoder { .. } => assert!(open),
                    AwaitOpening => assert!(opening),
                    Wait(_) => waiting = true,
                    _ => {}
                }
            }
            assert!(opening || open || waiting || bench.lifecycle.report().state == Resting);
        }
    }
}
