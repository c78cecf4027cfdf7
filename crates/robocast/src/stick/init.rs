//! `robocast stick init PATH`.

use super::files::{Readers, free, settings_of, write};
use super::terminal::Terminal;
use super::{BAD, USAGE};
use crate::check;
use crate::cli::InitArgs;
use crate::output::{print_error, print_line};
use robocast_config::Secret;
use robocast_stick::init::presets::{PresetError, target};
use robocast_stick::init::{Answers, interview};
use std::io::IsTerminal as _;
use std::process::ExitCode;

/// Writes it. 0 written, 1 the answers are not valid (nothing is written), 2 it cannot be written.
pub fn init(mut flags: InitArgs) -> ExitCode {
    let file = settings_of(&flags.path);
    if !flags.force
        && let Err(error) = free(&file, "write over it with --force")
    {
        return print_error(&error, USAGE);
    }
    let ask = !flags.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let places = std::mem::take(&mut flags.to);
    let mut answers = answers(flags);
    if let Err(error) = push(&mut answers, &places) {
        return print_error(&error, BAD);
    }
    // Check the flags first: nobody should answer ten questions before learning that a flag was wrong.
    let text = answers.text();
    if let Err(problems) = robocast_config::check(text.as_bytes()) {
        return check::refuse(&file, text.as_bytes(), &problems);
    }
    if ask && let Err(error) = interview(&mut answers, &mut Terminal) {
        return print_error(&error, BAD);
    }
    // The name may have been asked for, and a place may have it in its path.
    if let Err(error) = push(&mut answers, &places) {
        return print_error(&error, BAD);
    }
    let text = answers.text();
    let warnings = match robocast_config::check(text.as_bytes()) {
        Ok(warnings) => warnings,
        Err(problems) => return check::refuse(&file, text.as_bytes(), &problems),
    };
    if let Err(error) = write(&file, text.as_bytes(), Readers::Owner) {
        return print_error(&error, USAGE);
    }
    warnings.iter().for_each(|warning| check::show(&file, text.as_bytes(), warning));
    print_line(&format!("{}: written", file.display()));
    ExitCode::SUCCESS
}

/// The URLs of the given places; without any, the answers stay.
fn push(answers: &mut Answers, places: &[String]) -> Result<(), PresetError> {
    if places.is_empty() {
        return Ok(());
    }
    let device = answers.name.as_deref().unwrap_or("robocast");
    let stream = answers.stream.as_deref().unwrap_or("front");
    answers.push = places.iter().map(|place| target(place, device, stream)).collect::<Result<_, _>>()?;
    Ok(())
}

/// The answers in the flags.
fn answers(flags: InitArgs) -> Answers {
    let secret = |text: Option<String>| text.map(Secret::new);
    Answers {
        name: flags.name,
        robot: flags.robot,
        robot_username: flags.robot_user,
        robot_password: secret(flags.robot_password),
        stream: flags.stream,
        source: secret(flags.source),
        push: Vec::new(),
        wifi: flags.wifi,
        wifi_password: secret(flags.wifi_password),
        country: flags.country.map(|code| code.to_ascii_uppercase()),
        hidden: flags.hidden,
        apn: flags.apn,
        pin: secret(flags.pin),
        mqtt: flags.mqtt,
        mqtt_username: flags.mqtt_user,
        mqtt_password: secret(flags.mqtt_password),
        page_password: secret(flags.page_password),
        erase_secrets: flags.erase_secrets.then_some(true),
    }
}
