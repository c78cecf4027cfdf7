//! What provisioning needs of the machine it runs on: to apply settings, to verify them, and to handle what else a
//! stick may bring.
//!
//! [`NoHost`] is a machine without systemd: it applies nothing, so settings are kept but not proven.

use crate::led::LedSign;
use crate::problem::ProvisionProblem;
use crate::verification::VerificationResult;
use robocast_config::Settings;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;

/// A change of the settings. The new ones are in `settings.toml` already.
#[derive(Debug, Clone, Copy)]
pub struct Change<'s> {
    /// The settings before. `None` at first, and when a boot resumes a trial: every program is restarted then.
    pub before: Option<&'s Settings>,
    /// The new ones.
    pub settings: &'s Settings,
    /// Their file.
    pub bytes: &'s [u8],
}

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done; one line that describes it.
    Done(String),
    /// It failed.
    Failed(ProvisionProblem),
    /// This machine cannot do it; one line of why.
    Unsupported(String),
}

/// The machine. Calls block until all is done; texts and parts hold no secret.
pub trait Host {
    /// Makes every program take the new settings: the network under a checkpoint, for it may have to be rolled back.
    fn apply(&mut self, change: Change<'_>) -> Answer;

    /// Checks whether they work, part by part, and waits as long as that may take. `None`: this machine cannot check.
    fn verify(&mut self, change: Change<'_>) -> Option<VerificationResult>;

    /// They are proven: the checkpoint is removed. `settings.proven.toml` is written already.
    fn commit(&mut self, change: Change<'_>) -> Answer;

    /// They are not proven: where `uplink_failed`, the network returns to the uplinks of `settings.proven.toml`, if there are
    /// any. The settings stay.
    fn roll_back(&mut self, change: Change<'_>, uplink_failed: bool) -> Answer;

    /// Installs an update.
    fn install_update(&mut self, name: &OsStr, bundle: &File) -> Answer;

    /// Lets these SSH keys in, instead of those before.
    fn install_authorized_keys(&mut self, file: &[u8]) -> Answer;

    /// Writes a support bundle, a `.tar.gz` without secrets.
    fn write_support_bundle(&mut self, to: &mut dyn Write) -> Answer;

    /// Shows the progress on the board's LED.
    fn show_sign(&mut self, sign: LedSign);
}

/// A machine without systemd.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl NoHost {
    fn unsupported() -> Answer {
        Answer::Unsupported("no systemd runs here, so no program takes it".into())
    }
}

impl Host for NoHost {
    fn apply(&mut self, _: Change<'_>) -> Answer {
        Self::unsupported()
    }

    fn verify(&mut self, _: Change<'_>) -> Option<VerificationResult> {
        None
    }

    fn commit(&mut self, _: Change<'_>) -> Answer {
        Self::unsupported()
    }

    fn roll_back(&mut self, _: Change<'_>, _: bool) -> Answer {
        Self::unsupported()
    }

    fn install_update(&mut self, _: &OsStr, _: &File) -> Answer {
        Self::unsupported()
    }

    fn install_authorized_keys(&mut self, _: &[u8]) -> Answer {
        Self::unsupported()
    }

    fn write_support_bundle(&mut self, _: &mut dyn Write) -> Answer {
        Self::unsupported()
    }

    fn show_sign(&mut self, _: LedSign) {}
}
