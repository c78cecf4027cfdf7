//! The questions of `robocast stick init`. Each answer is judged at once, by the rules of the settings themselves.

use robocast_config::{Secret, quoted};

use super::Answers;
use super::presets::{Preset, target};

/// Returns the problem with an answer.
pub type Judge<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// The one who answers: a person at a terminal, or a test. Each method asks until the answer is valid.
pub trait Ask {
    /// Why there is no answer.
    type Error;

    /// A text; `default` when the answer is empty.
    ///
    /// # Errors
    /// There is no answer.
    fn text(&mut self, question: &str, default: &str, judge: Judge<'_>) -> Result<String, Self::Error>;

    /// A text that is not shown; it may be empty if `judge` allows it.
    ///
    /// # Errors
    /// There is no answer.
    fn secret(&mut self, question: &str, judge: Judge<'_>) -> Result<Secret<String>, Self::Error>;

    /// One of several, by its number.
    ///
    /// # Errors
    /// There is no answer.
    fn choice(&mut self, question: &str, options: &[&str], default: usize) -> Result<usize, Self::Error>;

    /// Yes or no.
    ///
    /// # Errors
    /// There is no answer.
    fn yes(&mut self, question: &str, default: bool) -> Result<bool, Self::Error>;
}

/// Asks for everything that is not given yet.
///
/// # Errors
/// There is no answer.
pub fn interview<A: Ask>(answers: &mut Answers, ask: &mut A) -> Result<(), A::Error> {
    if answers.name.is_none() {
        let judge = |text: &str| judge(&format!("[device]\nname = {}", quoted(text)));
        answers.name = Some(ask.text("Name of the box (a-z, 0-9, -)", "robocast", &judge)?);
    }
    robot(answers, ask)?;
    stream(answers, ask)?;
    uplink(answers, ask)?;
    if answers.page_password.is_none() {
        let judge = unless_empty(|text| judge(&format!("[page]\npassword = {}", quoted(text))));
        answers.page_password = Some(ask.secret("Password of the box's own page (empty: no page)", &judge)?);
    }
    if answers.erase_secrets.is_none() {
        let question = "Shall the box seal the secrets on the stick once the settings work?";
        answers.erase_secrets = Some(ask.yes(question, true)?);
    }
    Ok(())
}

fn robot<A: Ask>(answers: &mut Answers, ask: &mut A) -> Result<(), A::Error> {
    const KINDS: [&str; 3] = ["spot", "go2", "none"];
    if answers.robot.is_none() {
        let names = ["Boston Dynamics Spot", "Unitree Go2", "none, or another: a camera of the box's own"];
        let kind = ask.choice("Which robot carries the box?", &names, 2)?;
        answers.robot = Some(KINDS.get(kind).copied().unwrap_or("none").to_owned());
    }
    if answers.kind() == "spot" {
        let filled = |text: &str| judge(&format!("[robot]\nkind = \"spot\"\nusername = {}", quoted(text)));
        if answers.robot_username.is_none() {
            answers.robot_username = Some(ask.text("User on the Spot", "admin", &filled)?);
        }
        if answers.robot_password.is_none() {
            answers.robot_password = Some(ask.secret("Password on the Spot", &filled)?);
        }
    }
    Ok(())
}

fn stream<A: Ask>(answers: &mut Answers, ask: &mut A) -> Result<(), A::Error> {
    if answers.source.is_none() {
        let usual = answers.usual_source();
        let kind = answers.kind().to_owned();
        let judge = |text: &str| {
            judge(&format!(
                "[robot]\nkind = {}\n[[stream]]\nname = \"a\"\nsource = {}",
                quoted(&kind),
                quoted(text)
            ))
        };
        let question = "Where does the video come from? (rtsp://..., v4l2:/dev/video0, test: ...)";
        answers.source = Some(Secret::new(ask.text(question, usual, &judge)?));
    }
    if !answers.push.is_empty() {
        return Ok(());
    }
    let options = ["Twitch", "YouTube", "a MediaMTX of my own", "another server, by its URL", "nowhere yet"];
    let device = answers.name.clone().unwrap_or_default();
    let stream = answers.stream.clone().unwrap_or_else(|| "front".to_owned());
    let place = |text: &str| target(text, &device, &stream).map_err(|error| error.to_string());
    let chosen = ask.choice("Where is it pushed to?", &options, 0)?;
    let told = match Preset::ALL.get(chosen) {
        Some(preset @ (Preset::Twitch | Preset::YouTube)) => {
            let judge = |text: &str| place(&format!("{}:{text}", preset.word())).map(|_| ());
            let key = ask.secret("Stream key", &judge)?;
            format!("{}:{}", preset.word(), key.expose())
        }
        Some(preset) => {
            let judge = |text: &str| place(&format!("{}:{text}", preset.word())).map(|_| ());
            let host = ask.text("Host ([USER:PASSWORD@]HOST[:PORT])", "", &judge)?;
            format!("{}:{host}", preset.word())
        }
        None if chosen == Preset::ALL.len() => {
            let judge = |text: &str| place(text).map(|_| ());
            ask.secret("URL, with its key", &judge)?.expose().clone()
        }
        None => return Ok(()),
    };
    answers.push.extend(place(&told).ok());
    Ok(())
}

fn uplink<A: Ask>(answers: &mut Answers, ask: &mut A) -> Result<(), A::Error> {
    let network = |line: String| judge(&format!("[[uplink.wifi]]\n{line}"));
    if answers.wifi.is_none() {
        let judge = unless_empty(|text| network(format!("ssid = {}", quoted(text))));
        answers.wifi = Some(ask.text("Name of the Wi-Fi network (empty: none)", "", &judge)?);
    }
    if answers.wifi.as_deref().is_some_and(|ssid| !ssid.is_empty()) {
        if answers.wifi_password.is_none() {
            let judge = unless_empty(|text| network(format!("ssid = \"x\"\npassword = {}", quoted(text))));
            let question = "Its password, 8 to 63 characters (empty: an open network)";
            answers.wifi_password = Some(ask.secret(question, &judge)?);
        }
        if answers.country.is_none() {
            let judge = |text: &str| {
                network(format!("ssid = \"x\"\ncountry = {}", quoted(&text.trim().to_ascii_uppercase())))
            };
            let code =
                ask.text("Country, whose radio rules apply (two letters, such as US or DE)", "", &judge)?;
            answers.country = Some(code.trim().to_ascii_uppercase());
        }
    }
    if answers.apn.is_none() {
        let judge = unless_empty(|text| judge(&format!("[uplink.lte]\napn = {}", quoted(text))));
        let question = "Access point name (APN) of the mobile network (empty: none)";
        answers.apn = Some(ask.text(question, "", &judge)?);
    }
    Ok(())
}

fn unless_empty(judge: impl Fn(&str) -> Result<(), String>) -> impl Fn(&str) -> Result<(), String> {
    move |text| if text.is_empty() { Ok(()) } else { judge(text) }
}

/// Validates a document that holds one answer: returns the first error, and its hint.
fn judge(lines: &str) -> Result<(), String> {
    let problems = match robocast_config::check(format!("schema = 1\n{lines}\n").as_bytes()) {
        Ok(_) => return Ok(()),
        Err(problems) => problems,
    };
    let told = problems.iter().next().map(|problem| match &problem.hint {
        Some(hint) => format!("{}: {hint}", problem.message),
        None => problem.message.clone(),
    });
    Err(told.unwrap_or_default())
}
