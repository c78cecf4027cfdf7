//! Provisioning from a stick: find, read, verify, unseal, validate, write, apply, prove, and the receipt.
//!
//! Whatever fails before `write` changes nothing. After it the new settings stay in force, proven or not.

mod settings_trial;

use crate::extras;
use crate::host::Host;
use crate::led::LedSign;
use crate::log::{StepFailed, StepLog};
use crate::media::{Media, Top};
use crate::owner::{self, Owner, OwnerChange, SignedFile};
use crate::problem::ProvisionProblem;
use crate::state_dir::StateDir;
use crate::stick_files::{self, StickFileNames, StickFiles};
use crate::unsealed::{self, InvalidSettings, UnsealedSettings};
use crate::{identity, journal, key, receipts, settings_files};
use robocast_config::Settings;
use robocast_stick::names::{OWNER, SETTINGS};
use robocast_stick::{BoxKey, Outcome, Receipt, ReceiptStep};
use std::path::Path;

/// The result of a stick.
#[derive(Debug)]
pub struct ProvisionOutcome {
    /// The receipt.
    pub receipt: Receipt,
    /// Whether the receipt is on the stick. `None`: the stick is not for a box, or gone.
    pub on_stick: Option<Result<(), ProvisionProblem>>,
    /// Whether the receipt is on the box.
    pub on_box: Result<(), ProvisionProblem>,
}

/// Provisions from a block device, an image or a folder. The caller makes sure that only one runs at a time.
///
/// # Errors
/// Nothing on it is for a box. That leaves no trace: it is a stick with somebody's pictures, another partition, or the box's own.
pub fn provision(
    path: &Path,
    state: &StateDir,
    host: &mut dyn Host,
) -> Result<ProvisionOutcome, ProvisionProblem> {
    let interrupted = journal::recover_after_cut(state).unwrap_or(false);
    let mut run = Run::new(state, host);
    let (top, outcome) = match find_files(path, state) {
        Ok((top, names)) => run.provision_stick(top, &names),
        Err(NotFound::Invalid(top, problem)) => run.refuse_stick(top.map(|top| *top), problem),
        Err(NotFound::Nothing(problem)) => {
            if interrupted {
                run.resume_trial();
            }
            return Err(problem);
        }
    };
    if interrupted && outcome == Outcome::Refused {
        // This stick changed nothing, so the trial that a power cut interrupted is resumed.
        run.resume_trial();
    }
    let mut top = top.map(Top::for_writing);
    if let Some(Ok(top)) = &mut top {
        run.write_to_stick(top, outcome);
    }
    let receipt = run.receipt(outcome);
    let on_box = receipts::write_to_box(state, &receipt);
    let on_stick = top.map(|top| {
        let top = top?;
        let written = receipts::write_to_stick(top.folder(), &receipt);
        top.close().and(written)
    });
    // Last: anyone who sees it may pull the stick.
    run.host.show_sign(outcome.into());
    Ok(ProvisionOutcome { receipt, on_stick, on_box })
}

/// Resumes the trial that a power cut interrupted. `None`: there is none. Its receipt stays on the box.
pub fn resume(state: &StateDir, host: &mut dyn Host) -> Option<ProvisionOutcome> {
    let mut run = Run::new(state, host);
    let outcome = match journal::recover_after_cut(state) {
        Ok(false) => return None,
        Ok(true) => {
            run.host.show_sign(LedSign::Busy);
            let text = "a power cut interrupted these settings; they are tried again";
            run.log.skipped(ReceiptStep::Find, text);
            settings_trial::resume_trial(state, run.host, &mut run.log)
        }
        Err(problem) => {
            let StepFailed = run.log.failed(ReceiptStep::Write, problem);
            Outcome::Refused
        }
    };
    let receipt = run.receipt(outcome);
    let on_box = receipts::write_to_box(state, &receipt);
    run.host.show_sign(outcome.into());
    Some(ProvisionOutcome { receipt, on_stick: None, on_box })
}

/// Why no files were found.
enum NotFound {
    /// Nothing is for a box.
    Nothing(ProvisionProblem),
    /// Something was meant for one but is not right, or cannot be read. With a top folder if a receipt can go there.
    Invalid(Option<Box<Top>>, ProvisionProblem),
}

/// The top folder of the partition that is meant, and its files.
fn find_files(path: &Path, state: &StateDir) -> Result<(Top, StickFileNames), NotFound> {
    let mut media = Media::open(path, &state.run).map_err(|problem| NotFound::Invalid(None, problem))?;
    match stick_files::choose_top(media.tops.iter().map(stick_files::search_top).collect()) {
        Ok((number, names)) => Ok((media.tops.swap_remove(number), names)),
        Err((Some(number), problem)) => {
            Err(NotFound::Invalid(Some(Box::new(media.tops.swap_remove(number))), problem))
        }
        Err((None, problem)) => Err(match media.strange.into_iter().next() {
            Some(strange) => NotFound::Invalid(None, strange),
            None => NotFound::Nothing(problem),
        }),
    }
}

struct Run<'r> {
    state: &'r StateDir,
    host: &'r mut dyn Host,
    log: StepLog,
    key: Result<BoxKey, ProvisionProblem>,
    /// Asked for by the stick.
    support: bool,
    /// The stick's file of settings, if its secrets are to be erased.
    secrets: Option<extras::SecretsToErase>,
}

impl<'r> Run<'r> {
    fn new(state: &'r StateDir, host: &'r mut dyn Host) -> Self {
        let key = key::load_or_make_key(state);
        Self { state, host, log: StepLog::default(), key, support: false, secrets: None }
    }

    /// Something was meant for the box, and is not right.
    fn refuse_stick(&mut self, top: Option<Top>, problem: ProvisionProblem) -> (Option<Top>, Outcome) {
        self.host.show_sign(LedSign::Busy);
        let StepFailed = self.log.failed(ReceiptStep::Find, problem);
        (top, Outcome::Refused)
    }

    /// Resumes the interrupted trial; the current receipt is about something else.
    fn resume_trial(&mut self) {
        let _ = settings_trial::resume_trial(self.state, self.host, &mut StepLog::default());
    }

    /// All steps after the first. The receipt is written to the top folder.
    fn provision_stick(&mut self, top: Top, names: &StickFileNames) -> (Option<Top>, Outcome) {
        let refused = Outcome::Refused;
        self.host.show_sign(LedSign::Busy);
        self.log.done(ReceiptStep::Find, &format!("files for the box on {}", top.name));
        let files = match stick_files::read_files(&top, names) {
            Ok(files) => files,
            Err(problem) => {
                let StepFailed = self.log.failed(ReceiptStep::Read, problem);
                return (Some(top), refused);
            }
        };
        let size = files.settings.as_ref().map(|bytes| format!("`{SETTINGS}`, {} bytes", bytes.len()));
        self.log.done(ReceiptStep::Read, &size.unwrap_or_else(|| format!("no `{SETTINGS}`")));
        self.support = files.support;
        let outcome = self.accept(&files, names).unwrap_or(refused);
        (Some(top), outcome)
    }

    /// Verifies the settings that were read, and brings them into force.
    fn accept(&mut self, files: &StickFiles, names: &StickFileNames) -> Result<Outcome, StepFailed> {
        let owner = self.verify_signatures(files)?;
        let Some(bytes) = &files.settings else {
            self.log.skipped(ReceiptStep::Unseal, "the stick has no settings");
            self.log.skipped(ReceiptStep::Validate, "the stick has no settings");
            return self.accept_without_settings(files, owner);
        };
        let unsealed = self.unseal(bytes)?;
        let outcome =
            settings_trial::run_trial(self.state, self.host, &mut self.log, &unsealed, owner.as_ref())?;
        if outcome == Outcome::Proven && unsealed.settings.erase_secrets {
            let signed = owner.is_some();
            self.secrets = names.settings.clone().map(|name| extras::SecretsToErase {
                name,
                read: bytes.clone(),
                signed,
            });
        }
        self.accept_extras(files, owner, Some(&unsealed.settings));
        Ok(outcome)
    }

    /// Files without settings: those in force are verified again.
    fn accept_without_settings(
        &mut self,
        files: &StickFiles,
        owner: Option<Owner>,
    ) -> Result<Outcome, StepFailed> {
        let before = journal::read_owner(self.state).unwrap_or(None);
        match &owner {
            Some(owner) if before.as_ref() != Some(owner) => {
                journal::write_owner(self.state, owner)
                    .map_err(|problem| self.log.failed(ReceiptStep::Write, problem))?;
                self.log.done(ReceiptStep::Write, "the owner's key");
            }
            _ => self.log.skipped(ReceiptStep::Write, "the settings stay as they are"),
        }
        self.log.skipped(ReceiptStep::Apply, "the settings stay as they are");
        let in_force = settings_files::read_current(self.state).unwrap_or(None);
        let settings = in_force.as_deref().and_then(|b| robocast_config::parse(b).ok()).map(|c| c.settings);
        let outcome = match (&in_force, &settings) {
            (Some(bytes), Some(settings)) => {
                settings_trial::verify_again(self.host, &mut self.log, bytes, settings)
            }
            _ => {
                self.log.skipped(ReceiptStep::Prove, "the box has no settings yet");
                Outcome::Kept
            }
        };
        self.accept_extras(files, owner, settings.as_ref());
        Ok(outcome)
    }

    fn verify_signatures(&mut self, files: &StickFiles) -> Result<Option<Owner>, StepFailed> {
        let judged = journal::read_owner(self.state).and_then(|present| {
            let offered = files.owner.as_deref();
            let signature = files.owner_signature.as_deref();
            let offered = offered.map(|bytes| SignedFile { name: OWNER, bytes, signature });
            let (after, change) = owner::next_owner(present.as_ref(), offered)?;
            let after = match (after, &files.settings) {
                (Some(owner), Some(bytes)) => {
                    let signature = files.signature.as_deref();
                    Some(owner.accept(SignedFile { name: SETTINGS, bytes, signature })?)
                }
                (after, _) => after,
            };
            Ok((after, change))
        });
        let (owner, change) = judged.map_err(|problem| self.log.failed(ReceiptStep::Verify, problem))?;
        match (&owner, change) {
            (None, _) => {
                self.log.skipped(ReceiptStep::Verify, "the box has no owner: it accepts anybody's settings");
            }
            (Some(owner), change) => {
                let word = match change {
                    OwnerChange::Adopted => "the box has an owner now",
                    OwnerChange::Rotated => "the owner's key has changed",
                    OwnerChange::None if files.settings.is_some() => "signed by the owner",
                    OwnerChange::None => "the owner is unchanged",
                };
                self.log.done(ReceiptStep::Verify, &format!("{word}: {}", owner.key));
            }
        }
        Ok(owner)
    }

    fn unseal(&mut self, bytes: &[u8]) -> Result<UnsealedSettings, StepFailed> {
        // Without its key the box still accepts settings in which nothing is sealed.
        let stand_in = self.key.is_err().then(BoxKey::generate);
        let key = self.key.as_ref().ok().or(stand_in.as_ref());
        let unsealed = match key {
            Some(key) => unsealed::unseal_settings(bytes, key),
            None => {
                return Err(self
                    .log
                    .failed(ReceiptStep::Unseal, ProvisionProblem::new("the box has no key")));
            }
        };
        match unsealed {
            Ok(unsealed) => {
                match unsealed.sealed {
                    0 => self.log.skipped(ReceiptStep::Unseal, "nothing is sealed"),
                    count => self.log.done(ReceiptStep::Unseal, &format!("sealed values opened: {count}")),
                }
                self.log
                    .done(ReceiptStep::Validate, &format!("settings of `{}`", unsealed.settings.device.name));
                self.log.parts(unsealed.warnings.iter().cloned());
                Ok(unsealed)
            }
            Err(InvalidSettings { step: ReceiptStep::Unseal, problem, parts }) => {
                let why = self.key.as_ref().err().cloned().unwrap_or(problem);
                let stop = self.log.failed(ReceiptStep::Unseal, why);
                self.log.parts(parts);
                Err(stop)
            }
            Err(InvalidSettings { problem, parts, .. }) => {
                self.log.skipped(ReceiptStep::Unseal, "the settings are not valid");
                let stop = self.log.failed(ReceiptStep::Validate, problem);
                self.log.parts(parts);
                Err(stop)
            }
        }
    }

    /// An update and SSH keys; the stick is still mounted for reading.
    fn accept_extras(&mut self, files: &StickFiles, owner: Option<Owner>, settings: Option<&Settings>) {
        let keys = extras::install_authorized_keys(self.state, self.host, files, owner, settings);
        self.log.parts(keys);
        self.log.parts(extras::install_update(self.host, files));
    }

    /// The files written to the stick besides the receipt.
    fn write_to_stick(&mut self, top: &Top, outcome: Outcome) {
        let secrets = self.secrets.take().filter(|_| outcome == Outcome::Proven);
        if let (Some(secrets), Ok(key)) = (secrets, &self.key) {
            self.log.parts([extras::erase_secrets(top, &secrets, &key.recipient())]);
        }
        if self.support {
            self.log.parts([extras::write_support_bundle(self.host, top, &device(self.state))]);
        }
    }

    fn receipt(&mut self, outcome: Outcome) -> Receipt {
        Receipt {
            schema: robocast_stick::receipt::SCHEMA,
            device: device(self.state),
            hardware: identity::hardware(),
            board: identity::board(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            public_key: self.key.as_ref().map(|key| key.recipient().to_string()).unwrap_or_default(),
            owner: journal::read_owner(self.state).unwrap_or(None).map(|owner| owner.key.to_string()),
            time: identity::now(),
            outcome,
            steps: std::mem::take(&mut self.log).finish(),
        }
    }
}

/// The box's name according to the settings in force.
fn device(state: &StateDir) -> String {
    let in_force = settings_files::read_current(state).unwrap_or(None);
    let checked = in_force.and_then(|bytes| robocast_config::parse(&bytes).ok());
    checked.map(|checked| checked.settings.device.name).unwrap_or_else(|| "no-name-yet".to_owned())
}
