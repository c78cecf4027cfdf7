//! Receipts, for people, programs and phones.

use proptest::prelude::*;
use robocast_stick::names::RECEIPT_LIMIT;
use robocast_stick::{BoxKey, Outcome, Part, Receipt, ReceiptError, ReceiptStep, StepRecord, StepResult};

const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

fn done(step: ReceiptStep, result: StepResult, text: &str, hint: Option<&str>) -> StepRecord {
    StepRecord { step, result, text: text.to_owned(), hint: hint.map(str::to_owned), parts: vec![] }
}

fn part(what: &str, ok: bool, text: &str, hint: Option<&str>) -> Part {
    Part { what: what.to_owned(), ok, text: text.to_owned(), hint: hint.map(str::to_owned) }
}

/// Of a box whose media server refuses it.
fn kept() -> Receipt {
    let mut prove = done(ReceiptStep::Prove, StepResult::Failed, "1 of 4 does not work", None);
    prove.parts = vec![
        part("robot", true, "192.168.50.3 answers", None),
        part("uplink", true, "wifi Lab", None),
        part("clock", true, "set by NTP", None),
        part(
            "front to rtmps://live.example.net/app/***",
            false,
            "the server refuses the stream key",
            Some("copy the key again from the service's page into `push` of the stream front"),
        ),
    ];
    let mut validate = done(ReceiptStep::Validate, StepResult::Done, "settings of `spot-07`", None);
    let warning = "`mqtt://` sends the password in the clear";
    let hint = Some("use `mqtts://` if the broker supports it");
    validate.parts = vec![part("line 14, column 8", true, warning, hint)];
    Receipt {
        schema: 1,
        device: "spot-07".to_owned(),
        hardware: "10000000a1b2c3d4".to_owned(),
        board: "rpi4".to_owned(),
        version: "0.1.0".to_owned(),
        public_key: KEY.to_owned(),
        owner: None,
        time: "2026-11-21T15:20:48Z".to_owned(),
        outcome: Outcome::Kept,
        steps: vec![
            done(ReceiptStep::Find, StepResult::Done, "robocast.toml, 2 KiB", None),
            done(ReceiptStep::Read, StepResult::Done, "schema 1", None),
            done(ReceiptStep::Verify, StepResult::Skipped, "the box has no owner's key", None),
            done(ReceiptStep::Unseal, StepResult::Done, "3 values", None),
            validate,
            done(
                ReceiptStep::Write,
                StepResult::Done,
                "the old settings are kept until these are proven",
                None,
            ),
            done(ReceiptStep::Apply, StepResult::Done, "1 stream", None),
            prove,
        ],
    }
}

#[test]
fn a_receipt_reads_well() {
    let text = kept().text();
    assert_eq!(text, include_str!("receipt.txt"), "\n{text}");
}

#[test]
fn a_refused_one_says_what_was_not_reached_and_what_to_do() {
    let mut receipt = Receipt { outcome: Outcome::Refused, owner: Some("ed25519:x".into()), ..kept() };
    receipt.steps = vec![
        done(ReceiptStep::Find, StepResult::Done, "robocast.toml", None),
        done(
            ReceiptStep::Read,
            StepResult::Failed,
            "robocast.toml is a folder",
            Some("put the file itself on the stick"),
        ),
        done(ReceiptStep::Verify, StepResult::NotReached, "never seen", None),
    ];
    let text = receipt.text();
    for line in [
        "spot-07: REFUSED. Nothing was changed.",
        "  FAILED      read       robocast.toml is a folder",
        "  not reached verify",
        "  1. read: put the file itself on the stick",
        "  owner     ed25519:x",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert_eq!(receipt.short(), format!("robocast spot-07\nrefused: read failed\n{KEY}"));
}

#[test]
fn the_json_has_the_words_of_the_documentation() {
    let json: serde_json::Value = serde_json::from_str(&kept().json()).unwrap();
    assert_eq!(json["outcome"], "kept");
    assert_eq!(json["steps"][2]["result"], "skipped");
    assert_eq!(json["steps"][7]["step"], "prove");
    assert_eq!(json["steps"][7]["parts"][3]["ok"], false);
    assert_eq!(json["owner"], serde_json::Value::Null);
    let mut receipt = kept();
    receipt.steps[0].result = StepResult::NotReached;
    assert!(receipt.json().contains("\"not reached\""));
    for step in ReceiptStep::ALL {
        assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
    }
    for result in [StepResult::Done, StepResult::Failed, StepResult::Skipped, StepResult::NotReached] {
        assert_eq!(serde_json::to_value(result).unwrap(), result.as_str());
    }
    for outcome in [Outcome::Proven, Outcome::Refused, Outcome::Kept] {
        assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
    }
}

#[test]
fn what_is_no_receipt_is_told_apart() {
    assert!(matches!(Receipt::parse(b"{}"), Err(ReceiptError::Form(_))));
    assert!(matches!(Receipt::parse(b"\xff"), Err(ReceiptError::Form(_))));
    assert!(matches!(Receipt::parse(b"{\"schema\": 2}"), Err(ReceiptError::Newer(2))));
    assert!(matches!(Receipt::parse(&vec![b' '; RECEIPT_LIMIT + 1]), Err(ReceiptError::TooLarge)));
    let longer = kept().json().replace("\"schema\": 1,", "\"schema\": 1, \"later\": [1],");
    assert_eq!(Receipt::parse(longer.as_bytes()).unwrap(), kept(), "later releases may add to it");
}

/// The picture as a phone sees it: dark modules of the SVG's path, `Mx yhWvHH-Wz`-like, drawn into a bitmap.
fn drawn(svg: &str) -> (usize, Vec<bool>) {
    let attribute = |name: &str| {
        svg.split_once(&format!(" {name}=\""))
            .expect("a sound test")
            .1
            .split_once('"')
            .expect("a sound test")
            .0
    };
    let side: usize = attribute("width").parse().expect("a sound test");
    let mut dark = vec![false; side * side];
    for module in attribute("d").split('M').filter(|m| !m.is_empty()) {
        let numbers: Vec<usize> =
            module.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let [x, y, width, height, ..] = numbers[..] else { panic!("{module}") };
        for row in y..y + height {
            dark[row * side + x..row * side + x + width].fill(true);
        }
    }
    (side, dark)
}

#[test]
fn a_phone_reads_the_picture() {
    let receipt = kept();
    let (side, dark) = drawn(&receipt.svg().unwrap());
    let mut seen =
        rqrr::PreparedImage::prepare_from_greyscale(
            side,
            side,
            |x, y| if dark[y * side + x] { 0 } else { 255 },
        );
    let (_, text) = seen.detect_grids()[0].decode().unwrap();
    assert_eq!(text, receipt.short());
    assert_eq!(text, format!("robocast spot-07\nkept, not proven: prove failed\n{KEY}"));
}

fn any_receipt() -> impl Strategy<Value = Receipt> {
    let text = || "\\PC{0,120}|[\u{1b}\u{7}\n\r\u{202e}a-z ]{0,20}|[a-z/:.*]{0,200}";
    let steps = proptest::collection::vec(
        (
            0..8usize,
            0..4usize,
            text(),
            proptest::option::of(text()),
            proptest::option::of((text(), any::<bool>(), text())),
        ),
        0..9,
    );
    (text(), text(), proptest::option::of(text()), 0..3usize, steps).prop_map(
        |(device, time, owner, outcome, steps)| Receipt {
            device,
            time,
            owner,
            outcome: [Outcome::Proven, Outcome::Refused, Outcome::Kept][outcome],
            steps: steps
                .into_iter()
                .map(|(step, result, text, hint, part)| StepRecord {
                    step: ReceiptStep::ALL[step],
                    result: [
                        StepResult::Done,
                        StepResult::Failed,
                        StepResult::Skipped,
                        StepResult::NotReached,
                    ][result],
                    text,
                    hint: hint.clone(),
                    parts: part
                        .into_iter()
                        .map(|(what, ok, text)| Part { what, ok, text, hint: hint.clone() })
                        .collect(),
                })
                .collect(),
            ..kept()
        },
    )
}

proptest! {
    #[test]
    fn any_receipt_is_read_back_and_shown(receipt in any_receipt()) {
        prop_assert_eq!(&Receipt::parse(receipt.json().as_bytes()).unwrap(), &receipt);
        for line in receipt.text().lines() {
            prop_assert!(line.chars().count() <= 78, "{}", line);
            prop_assert!(line.chars().all(robocast_config::printable), "{:?}", line);
        }
        let _ = receipt.svg();
    }

    #[test]
    fn the_key_stands_on_one_line(_again in 0..8) {
        let key = BoxKey::generate().recipient().to_string();
        let receipt = Receipt { public_key: key.clone(), ..kept() };
        let text = receipt.text();
        prop_assert!(text.lines().any(|line| line.split_whitespace().any(|word| word == key)), "{}", text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, at: usize, with: u8) {
        let _ = Receipt::parse(&bytes);
        let mut json = kept().json().into_bytes();
        let at = at % json.len();
        json[at] = with;
        let _ = Receipt::parse(&json).map(|receipt| (receipt.text(), receipt.svg().is_ok()));
    }
}
