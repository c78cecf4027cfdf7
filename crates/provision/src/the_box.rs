//! What provisioning asks of the box around it: to take settings, to prove them, and what else a stick may bring.
//!
//! [`Nothing`] is a machine without systemd: it takes nothing, so settings are kept but not proven.

use crate::led::Sign;
use crate::trouble::Trouble;
use robocast_config::Settings;
use robocast_stick::Part;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;

/// Settings on their way into force. They stand in `settings.toml` already.
#[derive(Debug, Clone, Copy)]
pub struct New<'s> {
    /// Those that were in force. None at first, and when a boot goes on with a trial: every program is started anew then.
    pub before: Option<&'s Settings>,
    /// The new ones.
    pub settings: &'s Settings,
    /// Their file.
    pub bytes: &'s [u8],
}

/// What came of something that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done; one line of what.
    Done(String),
    /// It failed.
    Failed(Trouble),
    /// This machine has nobody who could; one line of why.
    Nobody(String),
}

/// The box around. Calls block until all is done; texts and parts hold no secret.
pub trait TheBox {
    /// Has every program take the new settings: the network under a checkpoint, for it may have to go back.
    fn apply(&mut self, new: New<'_>) -> Answer;

    /// Looks whether they work, part by part, and waits as long as that may take. None: nobody here can tell.
    fn prove(&mut self, new: New<'_>) -> Option<Vec<Part>>;

    /// They are proven: the checkpoint goes. `settings.proven.toml` is written already.
    fn keep(&mut self, new: New<'_>) -> Answer;

    /// They are not, by these parts (none when `apply` failed): the network goes back to `settings.proven.toml`, if that is there and
    /// the network is at fault. The settings stay.
    fn back(&mut self, new: New<'_>, parts: &[Part]) -> Answer;

    /// Installs an update. `/proc/PID/fd/N` is a path to it for a program that does not see the stick.
    fn update(&mut self, name: &OsStr, bundle: &File) -> Answer;

    /// Lets these SSH keys in, instead of those before.
    fn authorized_keys(&mut self, file: &[u8]) -> Answer;

    /// Writes a support bundle, a `.tar.gz` without secrets.
    fn support(&mut self, to: &mut dyn Write) -> Answer;

    /// Shows somebody who stands before the box how far it is.
    fn show(&mut self, sign: Sign);
}

/// A machine without systemd.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Nothing {
    fn nobody() -> Answer {
        Answer::Nobody("no systemd runs here, so nobody takes it".into())
    }
}

impl TheBox for Nothing {
    fn apply(&mut self, _: New<'_>) -> Answer {
        Self::nobody()
    }

    fn prove(&mut self, _: New<'_>) -> Option<Vec<Part>> {
        None
    }

    fn keep(&mut self, _: New<'_>) -> Answer {
        Self::nobody()
    }

    fn back(&mut self, _: New<'_>, _: &[Part]) -> Answer {
        Self::nobody()
    }

    fn update(&mut self, _: &OsStr, _: &File) -> Answer {
        Self::nobody()
    }

    fn authorized_keys(&mut self, _: &[u8]) -> Answer {
        Self::nobody()
    }

    fn support(&mut self, _: &mut dyn Write) -> Answer {
        Self::nobody()
    }

    fn show(&mut self, _: Sign) {}
}
