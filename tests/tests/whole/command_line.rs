//! The command line: exit codes, errors, and the output of `--json`.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use robocast_tests::machine::Stretch;
use robocast_tests::nginx::{NEEDED, Nginx};
use robocast_tests::process::{Process, run};
use robocast_tests::product::{Place, Product, runs, settings, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{Robot, SMALL};
use robocast_tests::waiting::{SOON, wait, when};
use serde_json::Value;

const WRONG: &str = "schema = 1\n[device]\nname = \"Box 7\"\n[[stream]]\nname = \"front\"\nsourse = \"test:\"\n\
                     push = [\"rtmp://host/live/KeyThatNobodyMaySee\", \"ftp://host/live/KeyThatNobodyMaySee\"]\n";

/// The places in `FILE:LINE:COL: error: TEXT` lines.
fn errors(place: &Place, output: &str) -> Vec<(u32, u32)> {
    let start = format!("{}:", place.settings().display());
    let parse = |line: &str| {
        let mut parts = line.strip_prefix(&start)?.splitn(3, ':');
        let at = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next()?.strip_prefix(" error: ").filter(|text| !text.is_empty()).map(|_| at)
    };
    output.lines().filter_map(parse).collect()
}

#[test]
fn check_names_every_error_with_its_place_and_ends_with_its_code() {
    let place = Place::new(&settings(&[stream("front", "test:", &["rtmps://host/live/key"], "")]));
    let file = place.settings();
    let check = || run(place.robocast(&["check", file.to_str().unwrap()]));
    assert_eq!(check().0, Some(0));

    place.write_settings(WRONG);
    let (code, told, logged) = check();
    let output = format!("{told}{logged}");
    assert_eq!(code, Some(1), "{output}");
    let places = errors(&place, &output);
    for wanted in [(3, 8), (6, 1)] {
        assert!(places.contains(&wanted), "no error at {wanted:?}: {output}");
    }
    assert!(places.iter().any(|(line, _)| *line == 7), "no error in line 7: {output}");
    assert!(output.contains("did you mean `source`"), "{output}");
    assert!(!output.contains("KeyThatNobodyMaySee"), "{output}");

    assert_eq!(run(place.robocast(&["check", "/nowhere/robocast.toml"])).0, Some(2));
    for usage in
        [&["check"][..], &["fly"], &[], &["check", "a", "b"], &["run"], &["run", "a", "--seconds", "soon"]]
    {
        assert_eq!(run(place.robocast(usage)).0, Some(2), "{usage:?}");
    }
}

#[test]
fn run_refuses_what_check_refuses_with_the_same_words() {
    let place = Place::new(WRONG);
    let (_, told, logged) = run(place.robocast(&["check", place.settings().to_str().unwrap()]));
    let checked = format!("{told}{logged}");
    let (code, told, logged) = run(place.run(&[]));
    assert_eq!((code, told.as_str()), (Some(1), ""));
    for line in checked.lines().filter(|line| line.contains("error:") || line.contains("hint:")) {
        assert!(logged.contains(line.trim()), "`{line}` is missing: {logged}");
    }
    assert!(!errors(&place, &logged).is_empty());
    let place = Place::new("schema = 1\n");
    assert_eq!(run(place.run(&[])).0, Some(1), "nothing to run");
}

#[test]
fn a_sink_that_nothing_here_speaks_to_is_named_and_the_others_run() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot) = (Nginx::start(), Robot::go2(&SMALL));
    let impossible = "srt://relay.example.net:8890?streamid=publish:box";
    let product = Product::start(&[
        stream("front", robot.source(), &[impossible, &nginx.url("front")], ""),
        stream("rear", robot.source(), &[impossible], ""),
    ]);
    let said = product.wait_state("front", "live");
    let (failed, other) = (&said["sinks"][0], &said["sinks"][1]);
    assert_eq!((&failed["state"], &other["state"]), (&"failed".into(), &"publishing".into()));
    assert!(failed["url"].as_str().unwrap().starts_with("srt://relay.example.net:8890"), "{failed}");
    assert!(failed["text"].as_str().unwrap().contains("rtmp"), "{failed}");
    product.wait_state("rear", "failed");
    for name in ["front", "rear"] {
        let line = product.wait_log(0, &format!("stream=\"{name}\" sink=\"srt://relay.example.net:8890"));
        assert!(line.contains("ERROR"), "{line}");
    }
    wait(SOON, "frames", || when(nginx.frames("front"), |&count| count > 30));
    assert_eq!(product.state("rear")["restarts"], 0);
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("`{name}` is no number: {value}"))
}

#[test]
fn run_says_of_each_stream_once_a_second_how_it_is() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot) = (Nginx::start(), Robot::go2(&SMALL));
    let push = nginx.url("KeyThatNobodyMaySee");
    let mut product = Product::start(&[
        stream("front", robot.source(), &[&push], ""),
        stream("rear", robot.source(), &[], ""),
    ]);
    product.wait_state("front", "live");
    let (from, stretch) = (product.history("front").len(), Stretch::begin(&[product.process.pid()]));
    wait(SOON, "five more lines", || when(product.history("front").len(), |&count| count >= from + 5));
    let (took, at_least) = (stretch.since.elapsed().as_secs_f64(), stretch.took().as_secs_f64());
    assert!(
        took > 3.5 && at_least < 6.5,
        "five lines took {took} s, {at_least} s without the machine's part"
    );
    product.wait_state("rear", "live");

    let history = product.history("front");
    for said in &history {
        assert!(said["state"].is_string() && said["source_state"].is_string(), "{said}");
        for name in ["frames_in", "frames_out", "bytes_out", "bitrate_bps", "keyframes", "restarts"] {
            number(said, name);
        }
        assert!(said["latency_ms"].is_number() || said["latency_ms"].is_null(), "{said}");
        for sink in said["sinks"].as_array().unwrap() {
            assert_eq!(sink["url"], push.replace("KeyThatNobodyMaySee", "***"));
            assert!(sink["state"].is_string() && number(sink, "reconnects") == 0, "{sink}");
            number(sink, "frames_out");
        }
    }
    for pair in history.windows(2) {
        for name in ["frames_in", "frames_out", "bytes_out", "keyframes"] {
            assert!(
                number(&pair[1], name) >= number(&pair[0], name),
                "{name} ran back: {} {}",
                pair[0],
                pair[1]
            );
        }
    }
    let last = history.last().unwrap();
    let path = &nginx.recordings("KeyThatNobodyMaySee")[0];
    let recorded = wait(SOON, "what was counted to be recorded", || {
        let recording = robocast_tests::flv::Recording::read(path);
        if recording.frames.len() as u64 >= number(last, "frames_out") { Ok(recording) } else { Err("less") }
    });
    assert_eq!(last["sinks"][0]["frames_out"], last["frames_out"]);
    let counted = number(last, "frames_out") as usize;
    let keyframes = recorded.frames[..counted].iter().filter(|frame| frame.keyframe).count() as u64;
    assert_eq!(number(last, "keyframes"), keyframes);
    let bytes: usize = recorded.frames[..counted].iter().flat_map(|f| &f.slices).map(|s| s.length).sum();
    let out = number(last, "bytes_out") as usize;
    assert!((bytes..bytes + bytes / 10 + 2000).contains(&out), "{out} bytes counted, {bytes} recorded");
    let rate = number(last, "bitrate_bps");
    assert!((150_000..1_200_000).contains(&rate), "{rate} bit/s of a robot's 600 kbit/s");
    assert!(number(last, "frames_in") >= number(last, "frames_out"));
    let latency = last["latency_ms"].as_f64().unwrap();
    println!("measured: latency inside the box {latency} ms");
    let held_up = stretch.held_up().as_secs_f64() * 1000.0;
    assert!(
        (0.01..100.0 + held_up).contains(&latency),
        "{latency} ms, the machine's part {held_up} ms at most"
    );
    assert!(!product.process.output().contains("KeyThatNobodyMaySee"));
    assert!(product.end().success());
}

/// A product that is live, with a robot and nowhere to push to.
fn live(robot: &Robot) -> Product {
    let product =
        Product::start(&[stream("front", robot.source(), &[], ""), stream("rear", robot.source(), &[], "")]);
    product.wait_state("front", "live");
    product.wait_state("rear", "live");
    product
}

#[test]
fn run_ends_when_its_time_is_up() {
    let place = Place::new(&settings(&[stream("front", "test:", &[], "")]));
    let began = Instant::now();
    let mut product = Process::start("robocast run", place.run(&["--seconds", "3"]));
    let stretch = Stretch::begin(&[product.pid()]);
    // The machine's delay is known only while it runs.
    let at_least = wait(SOON, "its end", || {
        let took = stretch.took();
        if product.ended().is_some() { Ok(took) } else { Err("it runs") }
    });
    let status = product.wait(SOON);
    assert_eq!(status.code(), Some(0), "{}", product.output());
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(3) && at_least < Duration::from_secs(6),
        "{took:?}, without the machine's part {at_least:?}"
    );
    let told = product.told.all();
    assert!((2..=3).contains(&told.len()), "{told:?}");
}

#[test]
fn run_ends_at_sigterm_and_at_sigint_quickly_and_leaves_no_child() {
    let robot = Robot::go2(&SMALL);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut product = live(&robot);
        let children = product.descendants();
        assert!(children.len() >= 4, "{children:?}");
        let stretch = Stretch::begin(&[product.process.pid()]);
        product.process.signal(signal);
        let took = wait(SOON, "the end", || {
            let took = stretch.took();
            if product.process.ended().is_some() { Ok(took) } else { Err("it runs") }
        });
        println!("measured: end at {signal}: {} ms", stretch.since.elapsed().as_millis());
        assert_eq!(product.process.wait(SOON).code(), Some(0));
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(!children.into_iter().any(runs), "a child was left");
    }
}

#[test]
fn a_killed_run_leaves_no_child() {
    let robot = Robot::go2(&SMALL);
    let mut product = live(&robot);
    let children = product.descendants();
    assert!(children.len() >= 4, "{children:?}");
    product.process.kill();
    wait(Duration::from_secs(3), "the end of the children", || {
        when(children.iter().copied().filter(|&pid| runs(pid)).collect::<Vec<_>>(), Vec::is_empty)
    });
}

#[test]
fn status_tells_well_from_degraded_from_unreachable() {
    let robot = Robot::go2(&SMALL);
    let place = Place::new("");
    assert_eq!(run(place.robocast(&["status"])).0, Some(3));
    assert_eq!(run(place.robocast(&["status", "--json"])).0, Some(3));

    let mut product = live(&robot);
    let status = |product: &Product| run(product.place().robocast(&["status", "--json"]));
    let (code, told, _) = status(&product);
    assert_eq!(code, Some(0), "{told}");
    let said: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.iter().map(|said| &said["stream"]).collect::<Vec<_>>(), ["front", "rear"]);
    assert!(said.iter().all(|said| said["state"] == "live" && said["frames_in"].as_u64() > Some(0)));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&said[0]), keys(&product.state("front")), "the same words as `run --json`");
    let (code, told, _) = run(product.place().robocast(&["status"]));
    assert!(code == Some(0) && told.contains("front") && told.contains("live"), "{told}");

    robot.tell("vanish");
    product.wait("front", "without its robot", |said| said["source_state"] == "lost");
    assert_eq!(status(&product).0, Some(1));
    assert!(product.end().success());
    assert_eq!(status(&product).0, Some(3));
}

#[test]
fn two_runs_side_by_side_do_not_meet() {
    let robot = Robot::go2(&SMALL);
    let first = live(&robot);
    let mut second = Process::start("the second run", first.place().run(&["--seconds", "4"]));
    assert_eq!(second.wait(SOON).code(), Some(0), "{}", second.output());
    let told = second.told.all().pop().unwrap();
    let said: Value = serde_json::from_str(&told).unwrap();
    assert!(said["state"] == "live" && said["restarts"] == 0, "{told}");
    assert_eq!(first.wait_state("front", "live")["restarts"], 0);
}
