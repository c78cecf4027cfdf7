//! Questions on a terminal.

use dialoguer::{Confirm, Input, Password, Select};
use robocast_config::Secret;
use robocast_stick::init::{Ask, questions::Judge};

/// The person at the terminal.
pub struct Terminal;

impl Ask for Terminal {
    type Error = dialoguer::Error;

    fn text(&mut self, question: &str, default: &str, judge: Judge<'_>) -> dialoguer::Result<String> {
        let input = Input::<String>::new().with_prompt(question).allow_empty(true);
        let input = if default.is_empty() { input } else { input.default(default.to_owned()) };
        input.validate_with(|text: &String| judge(text)).interact_text()
    }

    fn secret(&mut self, question: &str, judge: Judge<'_>) -> dialoguer::Result<Secret<String>> {
        let input = Password::new().with_prompt(question).allow_empty_password(true);
        input.validate_with(|text: &String| judge(text)).interact().map(Secret::new)
    }

    fn choice(&mut self, question: &str, options: &[&str], default: usize) -> dialoguer::Result<usize> {
        Select::new().with_prompt(question).items(options).default(default).interact()
    }

    fn yes(&mut self, question: &str, default: bool) -> dialoguer::Result<bool> {
        Confirm::new().with_prompt(question).default(default).interact()
    }
}
