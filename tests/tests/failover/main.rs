//! A box with two uplinks loses one, and gets it back: what arrives at a real server behind both. The net program is a
//! stand-in that chooses by the state of the connections.

// Helpers of tests panic as tests do; measurements are printed for people.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::PathBuf;
use std::time::Duration;

use robocast_tests::arrivals::Arrivals;
use robocast_tests::bus::{self, Bus};
use robocast_tests::flv::Recording;
use robocast_tests::machine::Stretch;
use robocast_tests::net::Net;
use robocast_tests::nginx::{self, Nginx};
use robocast_tests::product::{Product, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{Robot, SMALL};
use robocast_tests::two_ways::{self, SERVER, TwoWays};
use robocast_tests::waiting::{SOON, holds, wait, when};

const KEY: &str = "front";
/// The minimum of frames that proves that a way works.
const ENOUGH: usize = 30;

/// For how long nothing came.
#[derive(Clone, Copy, Debug)]
struct Silence {
    lasted: Duration,
    /// How much of it the machine caused at most.
    held_up: Duration,
}

impl Silence {
    #[track_caller]
    fn is_below(self, seconds: u64) {
        assert!(self.lasted < Duration::from_secs(seconds) + self.held_up, "{self:?}");
    }
}

/// Torn down in this order.
struct Stage {
    product: Product,
    robot: Robot,
    net: Net,
    nginx: Nginx,
    ways: TwoWays,
    _bus: Bus,
    /// The connections at the time when everything worked. The first may be short-lived: from before push knew the
    /// choice.
    connections: Vec<String>,
}

impl Stage {
    /// A stream uses `wl0`, over MPTCP or to a server with only TCP, which drops a publisher that is silent for `idle`.
    /// `None` where that is impossible: then the test is skipped.
    fn set(mptcp: bool, idle: &str) -> Option<Self> {
        if !two_ways::may(&[&nginx::NEEDED[..], &bus::NEEDED].concat()) {
            return None;
        }
        let bus = Bus::start();
        let ways = TwoWays::new();
        if mptcp {
            ways.endpoints("wl0");
        }
        let at_server = ways.at_server();
        let mut by: Vec<&str> = at_server.iter().map(String::as_str).collect();
        if mptcp {
            by.extend(["mptcpize", "run"]);
        }
        let nginx = Nginx::start_on(SERVER, &by, &format!("drop_idle_publisher {idle};"));
        let net = Net::start(&bus, "wl0");
        let robot = Robot::rtsp(&SMALL);
        let sections = [stream("front", robot.source(), &[&nginx.url(KEY)], "")];
        let product = Product::start_with(&sections, |run| bus.given_to(run));
        let mut stage = Self { product, robot, net, nginx, ways, _bus: bus, connections: Vec::new() };
        stage.goes_by("wl0", mptcp);
        if mptcp {
            wait(SOON, "a way through each uplink", || when(stage.ways.connections(), |&now| now == 2));
        }
        stage.more_frames();
        stage.connections = stage.nginx.connections(KEY);
        Some(stage)
    }

    #[track_caller]
    fn goes_by(&self, uplink: &str, mptcp: bool) {
        self.product.wait("front", &format!("by {uplink}"), |said| {
            let sink = &said["sinks"][0];
            sink["state"] == "publishing" && sink["uplink"] == uplink && sink["mptcp"] == mptcp
        });
    }

    /// Checks that the first connection still exists.
    #[track_caller]
    fn one_connection(&self) {
        let (all, ended) = (self.nginx.connections(KEY), self.nginx.ended_connections(KEY));
        assert_eq!(all, self.connections);
        assert!(!ended.contains(all.last().unwrap()), "{all:?}, of which ended {ended:?}");
    }

    #[track_caller]
    fn more_frames(&self) {
        let before = self.nginx.frames(KEY);
        wait(SOON, "more frames at the server", || {
            when(self.nginx.frames(KEY), |&now| now >= before + ENOUGH)
        });
    }

    /// The longest time without a frame at the server after `event`, beyond the robot's own delay; and how much of it
    /// the machine caused at most.
    #[track_caller]
    fn silence_after(&self, what: &str, event: impl FnOnce()) -> Silence {
        let mut arrivals = Arrivals::watch(&self.nginx, KEY);
        let stretch = Stretch::begin(&[self.product.process.pid(), self.nginx.pid()]);
        event();
        let lasted = wait(SOON, "frames at the server again", || {
            arrivals.look();
            arrivals.silence(stretch.since, &self.robot.record(), |_| true, ENOUGH)
        });
        let silence = Silence { lasted, held_up: stretch.held_up() };
        println!("{what}: {silence:.2?} without a frame at the server");
        silence
    }

    /// Checks that the recordings, in order, are what the robot sent: none missing, none twice.
    #[track_caller]
    fn nothing_is_lost(&self, recordings: &[PathBuf]) {
        let recordings: Vec<_> = recordings.iter().map(|path| Recording::read(path)).collect();
        let count: usize = recordings.iter().map(|recording| recording.frames.len()).sum();
        assert!(count > 2 * ENOUGH, "{count} frames");
        assert_eq!(self.robot.sent_exactly_in(&recordings), Ok(()));
        println!("{count} frames in {} recordings, none lost", recordings.len());
    }
}

#[test]
fn tcp_leaves_a_way_that_is_cut_behind_the_access_point() {
    let Some(mut stage) = Stage::set(false, "500ms") else { return };
    let silence = stage.silence_after("TCP, path cut", || stage.ways.cut("wl0", true));
    silence.is_below(4);
    assert_eq!(stage.net.chosen(), "wn0", "what the connection showed had it chosen");
    stage.goes_by("wn0", false);
    assert!(stage.product.end().success());
}

#[test]
fn tcp_goes_over_to_another_uplink_and_back_without_losing_a_frame_while_both_work() {
    let Some(mut stage) = Stage::set(false, "5s") else { return };
    for uplink in ["wn0", "wl0"] {
        let what = format!("TCP, over to {uplink} while both work");
        let silence = stage.silence_after(&what, || stage.net.choose(uplink));
        silence.is_below(4);
        stage.goes_by(uplink, false);
        stage.more_frames();
    }
    assert!(stage.product.end().success());
    let recordings = stage.nginx.recordings(KEY);
    assert_eq!(recordings.len(), stage.connections.len() + 2, "there, on the other uplink, back again");
    stage.nothing_is_lost(&recordings);
}

#[test]
fn a_server_that_still_has_the_old_session_is_asked_until_it_has_dropped_it() {
    let Some(mut stage) = Stage::set(false, "5s") else { return };
    let silence =
        stage.silence_after("TCP, path cut, the server holds on for 5 s", || stage.ways.cut("wl0", true));
    assert!(silence.lasted > Duration::from_secs(4), "the server held nothing: {silence:?}");
    silence.is_below(9);
    stage.product.wait_log(0, "still has a session of this name");
    stage.goes_by("wn0", false);
    assert!(stage.product.end().success());
}

#[test]
fn tcp_leaves_a_link_that_is_taken_down() {
    let Some(mut stage) = Stage::set(false, "500ms") else { return };
    let silence = stage.silence_after("TCP, link down", || {
        stage.ways.link_down("wl0", true);
        stage.net.choose("wn0");
    });
    silence.is_below(4);
    stage.goes_by("wn0", false);
    assert!(stage.product.end().success());
}

#[test]
fn a_way_that_loses_2_percent_is_no_reason_to_leave_it() {
    if !have(&["nft"]) {
        return;
    }
    let Some(mut stage) = Stage::set(false, "5s") else { return };
    stage.ways.worsen("wl0");
    holds(Duration::from_secs(20), "the choice of wl0", || {
        when(stage.net.chosen(), |chosen| chosen == "wl0").map(drop)?;
        when(stage.net.evidence(), |rows| rows.iter().all(|row| !row.stalled)).map(drop)
    });
    stage.more_frames();
    stage.one_connection();
    assert!(stage.product.end().success());
}

#[test]
fn mptcp_loses_nothing_when_a_way_is_cut_behind_the_access_point_nor_when_it_comes_back() {
    let Some(mut stage) = Stage::set(true, "5s") else { return };
    let silence = stage.silence_after("MPTCP, path cut", || stage.ways.cut("wl0", true));
    silence.is_below(2);
    stage.goes_by("wn0", true);
    wait(SOON, "the evidence against wl0", || when(stage.net.chosen(), |chosen| chosen == "wn0"));
    stage.more_frames();
    stage.one_connection();

    stage.ways.cut("wl0", false);
    let silence = stage.silence_after("MPTCP, back to the preferred uplink", || stage.net.choose("wl0"));
    silence.is_below(2);
    stage.more_frames();
    assert!(stage.product.end().success());
    stage.nothing_is_lost(&stage.nginx.recordings(KEY));
}

#[test]
fn mptcp_loses_nothing_when_a_link_is_taken_down_nor_when_it_comes_back() {
    let Some(mut stage) = Stage::set(true, "5s") else { return };
    let silence = stage.silence_after("MPTCP, link down", || {
        stage.ways.link_down("wl0", true);
        stage.net.choose("wn0");
    });
    silence.is_below(2);
    stage.goes_by("wn0", true);
    stage.more_frames();
    stage.one_connection();

    stage.ways.link_down("wl0", false);
    let silence = stage.silence_after("MPTCP, link up again", || stage.net.choose("wl0"));
    silence.is_below(2);
    stage.more_frames();
    assert!(stage.product.end().success());
    stage.nothing_is_lost(&stage.nginx.recordings(KEY));
}
