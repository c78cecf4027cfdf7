//! No input causes a panic, and every problem has a place inside the file.

use proptest::prelude::*;
use robocast_config::{AllowedPort, SinkUrl, Source, check, parse};

const EXAMPLE: &str = include_str!("example.toml");

/// Parses and checks the bytes and shows the problems; each place must be inside the file.
fn survives(bytes: &[u8]) -> Result<(), TestCaseError> {
    let _ = check(bytes);
    let problems = match parse(bytes) {
        Ok(checked) => checked.warnings,
        Err(problems) => {
            prop_assert!(problems.iter().count() > 0);
            prop_assert!(problems.iter().count() <= 51);
            problems.iter().cloned().collect()
        }
    };
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    let lines: Vec<&str> = text.split('\n').collect();
    let mut last = (0, 0);
    for problem in &problems {
        let (line, column) = (problem.line, problem.column);
        prop_assert!(line >= 1 && line <= lines.len(), "{problem}");
        prop_assert!(column >= 1 && column <= lines[line - 1].chars().count() + 1, "{problem}");
        prop_assert!(last <= (line, column), "by position");
        last = (line, column);
        prop_assert!(!problem.message.contains('\n') && !problem.message.is_empty());
        prop_assert!(!problem.to_string().chars().any(|c| c.is_control() && c != '\n'), "{problem:?}");
        let shown = problem.render("f", &text, false);
        prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
    Ok(())
}

/// Pieces of TOML, and pieces that are not TOML.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "schema = 1\n", "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\n", "\r\n", "\"", "'", "\"\"\"", "'''", "\\", "#", " ",
            "[[stream]]\n", "name = \"a\"\n", "source = \"test:\"\n", "push = [", "\"rtmp://h/a/k\"", "[uplink]\n", "[[uplink.wifi]]\n",
            "order = [\"wifi\"]\n", "bitrate = { min = \"1 Mbit/s\" }\n", "stream", "uplink", "device", "true", "1", "0x", "1979-05-27",
            "-", "é", "\u{202e}", "\u{1}", "\t", "[robot]\n", "kind = \"spot\"\n", "eap = \"peap\"\n", "eap = \"tls\"\n",
            "identity = \"a\"\n", "private_key = ", "certificate = ", "-----BEGIN PRIVATE KEY-----", "address = \"10.0.0.2/24\"\n",
            "password", "sealed", "a.b.c", "[a.b]", "\u{feff}",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes)?;
    }

    #[test]
    fn any_text_is_survived(text in "(?s).{0,200}") {
        survives(text.as_bytes())?;
    }

    #[test]
    fn any_sequence_of_toml_pieces_is_survived(pieces in proptest::collection::vec(piece(), 0..60)) {
        survives(pieces.concat().as_bytes())?;
        survives(format!("schema = 1\n{}", pieces.concat()).as_bytes())?;
    }

    #[test]
    fn any_mutation_of_the_example_is_survived(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..40_usize, piece()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for (at, gone, put) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + gone).min(bytes.len());
            bytes.splice(at..end, put.into_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        survives(&bytes)?;
    }

    #[test]
    fn any_value_of_any_key_is_survived(
        key in proptest::sample::select(vec![
            "schema", "device.name", "robot.kind", "robot.address", "robot.own_address", "robot.interface", "robot.password", "robot.dhcp", "robot.allow",
            "uplink.order", "uplink.wifi", "uplink.lte", "uplink.ethernet.gateway", "uplink.probe", "uplink.lte.metered",
            "uplink.ethernet.metered", "control.mqtt", "control.topic",
            "page.password", "update.url", "update.window", "time.ntp", "tls.ca", "stream",
        ]),
        value in prop_oneof![
            "\\PC{0,20}".prop_map(|t| format!("{t:?}")),
            "-?[0-9]{1,25}(\\.[0-9]{1,3})?",
            proptest::sample::select(vec![
                "true", "[]", "{}", "[{}]", "[[]]", "[1, \"a\", {}]", "{ sealed = \"x\" }", "{ sealed = {} }", "1979-05-27", "inf", "nan",
                "{ a = { b = { c = 1 } } }", "[{ name = \"a\", source = \"test:\", push = [{}, 1, \"x\"] }, 3]", "0xffffffffffffffffff",
            ]).prop_map(str::to_owned),
        ],
    ) {
        survives(format!("schema = 1\n{key} = {value}\n").as_bytes())?;
    }

    #[test]
    fn a_source_displayed_without_secrets_is_parsed_back(
        source in proptest::sample::select(vec![
            "spot:", "go2:", "go2:?interface=lo", "rtp://230.1.1.1:1720", "rtp://[ff02::1]:5004?interface=eth0&payload=96",
            "rtp://0.0.0.0:5004?payload=0", "v4l2:/dev/video0", "libcamera:0", "argus:3", "test:", "test:ball", "file:/a b.mp4",
            "rtsp://camera:554/stream",
        ]),
        junk in "[a-z0-9:/?&=@#.\\[\\] -]{0,12}",
    ) {
        let parsed: Source = source.parse().map_err(|e| TestCaseError::fail(format!("{e}")))?;
        prop_assert_eq!(parsed.to_string(), source);
        prop_assert_eq!(parsed.to_string().parse::<Source>(), Ok(parsed));
        if let Ok(parsed) = format!("{source}{junk}").parse::<Source>() {
            let _ = parsed.to_string();
        }
        let _ = format!("{source}{junk}").parse::<SinkUrl>();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_valid_port_is_displayed_as_it_was_written(text in "(tcp|udp|icmp|)/?[+-]?[0-9]{0,6}/?|\\PC{0,12}") {
        if let Ok(opening) = text.parse::<AllowedPort>() {
            prop_assert!(opening.port != 0);
            let port = text[4..].trim_start_matches('0');
            prop_assert_eq!(opening.to_string(), format!("{}/{port}", &text[..3]));
        }
    }
}

#[test]
fn every_prefix_of_the_example_is_survived() {
    for end in 0..=EXAMPLE.len() {
        survives(&EXAMPLE.as_bytes()[..end]).unwrap_or_else(|e| panic!("{end}: {e}"));
    }
}

#[test]
fn the_example_without_any_one_line_is_survived() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for gone in 0..lines.len() {
        let rest: String =
            lines.iter().enumerate().filter(|(i, _)| *i != gone).map(|(_, l)| format!("{l}\n")).collect();
        survives(rest.as_bytes()).unwrap_or_else(|e| panic!("line {}: {e}", gone + 1));
    }
}
