//! The commands of a running robot: one command per line, one line of answer.

use serde_json::Value;

use crate::fault::Faults;
use crate::pattern::Size;

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Cut off from the network.
    Vanish,
    Return,
    /// Connected, but without media.
    Freeze,
    Thaw,
    /// Rebooted: a new session.
    Restart,
    Resolution(Size),
    Fault(Fault),
    Stat,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Drop(f64),
    DropNext(u32),
    Reorder(f64),
    Duplicate(f64),
    Corrupt(f64),
    Foreign(bool),
    WrongPayload(bool),
}

impl Fault {
    pub fn put(self, faults: &mut Faults) {
        match self {
            Self::Drop(percent) => faults.drop = percent,
            Self::DropNext(packets) => faults.drop_next = packets,
            Self::Reorder(percent) => faults.reorder = percent,
            Self::Duplicate(percent) => faults.duplicate = percent,
            Self::Corrupt(percent) => faults.corrupt = percent,
            Self::Foreign(on) => faults.foreign = on,
            Self::WrongPayload(on) => faults.wrong_payload = on,
        }
    }
}

const COMMANDS: &str = "vanish, return, freeze, thaw, restart, resolution WxH, drop PERCENT, drop-next N, \
                        reorder PERCENT, duplicate PERCENT, corrupt PERCENT, foreign on|off, \
                        wrong-payload on|off, stat";

impl std::str::FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let (name, argument) = (words.next().unwrap_or(""), words.next());
        if let Some(word) = words.next() {
            return Err(format!("`{word}` is one word too many"));
        }
        let bare = |command: Self| match argument {
            None => Ok(command),
            Some(word) => Err(format!("`{name}` takes no argument, not `{word}`")),
        };
        match name {
            "vanish" => bare(Self::Vanish),
            "return" => bare(Self::Return),
            "freeze" => bare(Self::Freeze),
            "thaw" => bare(Self::Thaw),
            "restart" => bare(Self::Restart),
            "stat" => bare(Self::Stat),
            "resolution" => argument.unwrap_or("").parse().map(Self::Resolution),
            "drop" => percent(name, argument).map(Fault::Drop).map(Self::Fault),
            "drop-next" => argument
                .and_then(|word| word.parse().ok())
                .map(|packets| Self::Fault(Fault::DropNext(packets)))
                .ok_or_else(|| "`drop-next` takes a number of packets".into()),
            "reorder" => percent(name, argument).map(Fault::Reorder).map(Self::Fault),
            "duplicate" => percent(name, argument).map(Fault::Duplicate).map(Self::Fault),
            "corrupt" => percent(name, argument).map(Fault::Corrupt).map(Self::Fault),
            "foreign" => switch(name, argument).map(Fault::Foreign).map(Self::Fault),
            "wrong-payload" => switch(name, argument).map(Fault::WrongPayload).map(Self::Fault),
            _ => Err(format!("no command `{name}`; there are {COMMANDS}")),
        }
    }
}

fn percent(name: &str, argument: Option<&str>) -> Result<f64, String> {
    argument
        .and_then(|word| word.trim_end_matches('%').parse().ok())
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| format!("`{name}` takes a percentage from 0 to 100"))
}

fn switch(name: &str, argument: Option<&str>) -> Result<bool, String> {
    match argument {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        _ => Err(format!("`{name}` takes `on` or `off`")),
    }
}

/// A robot that accepts commands from any thread. If it returns a value, that is printed instead of `ok`.
pub trait Robot: Send + Sync {
    fn obey(&self, command: Command) -> Result<Option<Value>, String>;
}

/// The answer to one line, without a line end.
pub fn answer(robot: &dyn Robot, line: &str) -> String {
    match line.parse().and_then(|command| robot.obey(command)) {
        Ok(None) => "ok".into(),
        Ok(Some(value)) => value.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_understood() {
        let table = [
            ("vanish", Command::Vanish),
            ("return", Command::Return),
            (" freeze ", Command::Freeze),
            ("thaw", Command::Thaw),
            ("restart", Command::Restart),
            ("resolution 640x480", Command::Resolution(Size { width: 640, height: 480 })),
            ("drop 2.5", Command::Fault(Fault::Drop(2.5))),
            ("drop 2%", Command::Fault(Fault::Drop(2.0))),
            ("drop-next 3", Command::Fault(Fault::DropNext(3))),
            ("reorder 1", Command::Fault(Fault::Reorder(1.0))),
            ("duplicate 1", Command::Fault(Fault::Duplicate(1.0))),
            ("corrupt 1", Command::Fault(Fault::Corrupt(1.0))),
            ("foreign on", Command::Fault(Fault::Foreign(true))),
            ("wrong-payload off", Command::Fault(Fault::WrongPayload(false))),
            ("stat", Command::Stat),
        ];
        for (line, command) in table {
            assert_eq!(line.parse(), Ok(command), "{line}");
        }
    }

    #[test]
    fn a_wrong_line_is_answered_with_a_hint() {
        let table = [
            ("jump", "there are vanish"),
            ("", "there are vanish"),
            ("drop", "a percentage"),
            ("drop 101", "a percentage"),
            ("drop NaN", "a percentage"),
            ("drop-next -1", "a number of packets"),
            ("foreign maybe", "`on` or `off`"),
            ("resolution 3", "1280x720"),
            ("stat now", "takes no argument"),
            ("drop 1 2", "one word too many"),
        ];
        for (line, hint) in table {
            let error = line.parse::<Command>().unwrap_err();
            assert!(error.contains(hint), "{line}: {error}");
        }
    }
}
