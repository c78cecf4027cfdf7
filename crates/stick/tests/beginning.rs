//! A first settings file: the file means what the answers say, and every answer is checked at once.

use std::collections::VecDeque;
use std::convert::Infallible;

use proptest::prelude::*;
use robocast_config::{Access, RobotKind, Secret, Source, parse};
use robocast_stick::init::questions::Judge;
use robocast_stick::init::{Answers, Ask, interview};

/// A person who answers from a list, and takes the default at its end. Refused answers are recorded.
#[derive(Default)]
struct Script {
    answers: VecDeque<&'static str>,
    asked: Vec<String>,
    refused: Vec<String>,
}

impl Script {
    fn of(answers: &[&'static str]) -> Self {
        Self { answers: answers.iter().copied().collect(), ..Self::default() }
    }

    fn next(&mut self, question: &str, default: &str, judge: Judge<'_>) -> String {
        self.asked.push(question.to_owned());
        loop {
            let answer = match self.answers.pop_front() {
                None | Some("") => default,
                Some(answer) => answer,
            };
            match judge(answer) {
                Ok(()) => return answer.to_owned(),
                Err(why) => self.refused.push(why),
            }
            assert!(!self.answers.is_empty(), "{question}: {:?}", self.refused);
        }
    }
}

impl Ask for Script {
    type Error = Infallible;

    fn text(&mut self, question: &str, default: &str, judge: Judge<'_>) -> Result<String, Infallible> {
        Ok(self.next(question, default, judge))
    }

    fn secret(&mut self, question: &str, judge: Judge<'_>) -> Result<Secret<String>, Infallible> {
        Ok(Secret::new(self.next(question, "", judge)))
    }

    fn choice(&mut self, question: &str, options: &[&str], default: usize) -> Result<usize, Infallible> {
        let default = default.to_string();
        let number = self.next(question, &default, &|_| Ok(())).parse().expect("a sound test");
        assert!(number < options.len());
        Ok(number)
    }

    fn yes(&mut self, question: &str, default: bool) -> Result<bool, Infallible> {
        let default = if default { "yes" } else { "no" };
        Ok(self.next(question, default, &|_| Ok(())) == "yes")
    }
}

fn asked(mut answers: Answers, script: &mut Script) -> Answers {
    let Ok(()) = interview(&mut answers, script);
    answers
}

#[test]
fn questions_make_a_file_that_means_what_was_answered() {
    let mut script = Script::of(&[
        "Spot 7",
        "spot-07", // not a name, a name
        "0",
        "operator",
        "spotpw", // a Spot
        "",       // its own camera
        "1",
        "key with spaces",
        "ab12-cd34", // YouTube
        "Lab",
        "short",
        "long enough",
        "UK",
        "gb", // Wi-Fi
        "inter net",
        "internet", // LTE
        "12345",
        "123456", // the page
        "",       // seals
    ]);
    let answers = asked(Answers::default(), &mut script);
    assert!(script.answers.is_empty(), "{:?}", script.asked);
    let refused: Vec<&str> = script.refused.iter().map(|why| why.split(':').next().unwrap()).collect();
    assert_eq!(
        refused,
        [
            "the name `Spot 7` has characters other than a-z, 0-9 and `-`",
            "a stream key has letters, digits, `-` and `_` alone; copy it again from the service's page",
            "the Wi-Fi password has only 5 characters",
            "`UK` is not a country code",
            "`inter net` is not an access point name",
            "the page's password has only 5 characters",
        ]
    );
    let text = answers.text();
    let checked = parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let warnings: Vec<_> = checked.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["this version does not read Spot's cameras yet"]);
    let settings = checked.settings;
    assert_eq!((settings.device.name.as_str(), settings.robot.kind), ("spot-07", RobotKind::Spot));
    assert_eq!(settings.robot.password.unwrap().expose(), "spotpw");
    let stream = &settings.streams[0];
    assert_eq!((stream.name.as_str(), &stream.source), ("front", &Source::Spot));
    assert_eq!(stream.push[0].as_written().expose(), "rtmps://a.rtmps.youtube.com/live2/ab12-cd34");
    let wifi = &settings.uplink.wifi[0];
    assert_eq!(wifi.access, Access::Personal(Secret::new("long enough".to_owned())));
    assert_eq!((wifi.ssid.as_str(), wifi.country.as_deref()), ("Lab", Some("GB")));
    assert_eq!(settings.uplink.lte.unwrap().apn, "internet");
    assert_eq!(settings.page.unwrap().password.expose(), "123456");
    assert!(settings.erase_secrets && !settings.debug.ssh);
}

#[test]
fn defaults_alone_make_a_valid_file() {
    let mut script = Script::of(&["", "", "", "4", "", "", "", "no"]);
    let answers = asked(Answers::default(), &mut script);
    assert!(script.answers.is_empty() && script.refused.is_empty(), "{:?}", script.asked);
    let settings = parse(answers.text().as_bytes()).unwrap().settings;
    assert_eq!(settings.device.name, "robocast");
    assert!(
        settings.streams[0].push.is_empty() && settings.uplink.wifi.is_empty() && settings.page.is_none()
    );
    assert!(!settings.erase_secrets);
    assert_eq!(parse(Answers::default().text().as_bytes()).unwrap().settings, settings);
}

#[test]
fn what_is_given_is_not_asked_for() {
    let given = Answers {
        name: Some("a".into()),
        robot: Some("go2".into()),
        source: Some(Secret::new("go2:".into())),
        push: vec![Secret::new("rtmp://h/app/KEY".into())],
        wifi: Some(String::new()),
        apn: Some(String::new()),
        page_password: Some(Secret::new(String::new())),
        erase_secrets: Some(false),
        ..Answers::default()
    };
    let mut script = Script::default();
    assert_eq!(asked(given.clone(), &mut script), given);
    assert_eq!(script.asked, Vec::<String>::new());
}

#[test]
fn every_place_that_is_offered_can_be_chosen() {
    for (place, url) in [
        (&["0", "live_1"][..], Some("rtmps://ingest.global-contribute.live-video.net/app/live_1")),
        (&["1", "ab-cd"], Some("rtmps://a.rtmps.youtube.com/live2/ab-cd")),
        (&["2", "media.example.net"], Some("rtmp://media.example.net/robocast/robocast-front")),
        (&["3", "srt://h:8890?streamid=x"], Some("srt://h:8890?streamid=x")),
        (&["4"], None),
    ] {
        let mut script = Script::of(&[&["", "", ""], place].concat());
        let answers = asked(Answers::default(), &mut script);
        assert_eq!(answers.push.first().map(|url| url.expose().as_str()), url);
    }
}

proptest! {
    #[test]
    fn any_answer_is_written_as_it_was_given(
        ssid in "\\PC{1,10}",
        password in "[ -~]{8,63}",
        page in "\\PC{6,20}",
        key in "[A-Za-z0-9_-]{1,40}",
        pin in proptest::option::of("[0-9]{4,8}"),
        hidden: bool,
    ) {
        prop_assume!(ssid.len() <= 32);
        let answers = Answers {
            wifi: Some(ssid.clone()),
            wifi_password: Some(Secret::new(password.clone())),
            hidden,
            apn: Some("internet".into()),
            pin: pin.clone().map(Secret::new),
            page_password: Some(Secret::new(page.clone())),
            push: vec![Secret::new(format!("rtmps://h/app/{key}"))],
            ..Answers::default()
        };
        let settings = parse(answers.text().as_bytes()).unwrap().settings;
        let wifi = &settings.uplink.wifi[0];
        prop_assert_eq!((&wifi.ssid, wifi.hidden), (&ssid, hidden));
        prop_assert_eq!(&wifi.access, &Access::Personal(Secret::new(password)));
        let shown_page = settings.page.unwrap();
        prop_assert_eq!(shown_page.password.expose(), &page);
        prop_assert_eq!(settings.uplink.lte.unwrap().pin, pin.map(Secret::new));
        let shown = format!("{answers:?}");
        prop_assert!(!shown.contains(&format!("app/{key}")), "{}", shown);
    }
}
