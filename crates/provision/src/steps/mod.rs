//! The way of a stick: find, read, verify, unseal, validate, write, apply, prove, and its receipt.
//!
//! Whatever fails before `write` changes nothing. After it the new settings stand, proven or not.

mod trial;

use crate::extras;
use crate::home::Home;
use crate::led::Sign;
use crate::load::{self, Load, Names};
use crate::log::{Log, Stop};
use crate::media::{Media, Top};
use crate::opened::{self, Bad, Opened};
use crate::owner::{self, Change, Owner, Signed};
use crate::the_box::TheBox;
use crate::trouble::Trouble;
use crate::{identity, journal, key, receipts, swap};
use robocast_config::Settings;
use robocast_stick::names::{OWNER, SETTINGS};
use robocast_stick::{BoxKey, Outcome, Receipt, Step};
use std::path::Path;

/// What became of a stick.
#[derive(Debug)]
pub struct Ended {
    /// What is told about it.
    pub receipt: Receipt,
    /// Whether the stick has the receipt. None: it is none of ours, or gone.
    pub on_stick: Option<Result<(), Trouble>>,
    /// Whether the box has it.
    pub on_box: Result<(), Trouble>,
}

/// Provisions from a block device, an image or a folder. One at a time: the caller sees to it.
///
/// # Errors
/// Nothing on it is for a box. That leaves no trace: it is somebody's stick with pictures, another partition, or the box's own.
pub fn provision(path: &Path, home: &Home, the_box: &mut dyn TheBox) -> Result<Ended, Trouble> {
    let interrupted = journal::recover(home).unwrap_or(false);
    let mut run = Run::new(home, the_box);
    let (top, outcome) = match find(path, home) {
        Ok((top, names)) => run.stick(top, &names),
        Err(Lost::Wrong(top, trouble)) => run.lost(top.map(|top| *top), trouble),
        Err(Lost::Nothing(trouble)) => {
            if interrupted {
                run.go_on();
            }
            return Err(trouble);
        }
    };
    if interrupted && outcome == Outcome::Refused {
        // This stick changed nothing, so what a power cut interrupted goes on.
        run.go_on();
    }
    let mut top = top.map(Top::for_writing);
    if let Some(Ok(top)) = &mut top {
        run.last_things(top, outcome);
    }
    let receipt = run.receipt(outcome);
    let on_box = receipts::to_box(home, &receipt);
    let on_stick = top.map(|top| {
        let top = top?;
        let written = receipts::to_stick(top.folder(), &receipt);
        top.close().and(written)
    });
    // Last: who sees it may pull the stick.
    run.the_box.show(outcome.into());
    Ok(Ended { receipt, on_stick, on_box })
}

/// Goes on with what a power cut interrupted. None: nothing was. Its receipt stays on the box.
pub fn resume(home: &Home, the_box: &mut dyn TheBox) -> Option<Ended> {
    let mut run = Run::new(home, the_box);
    let outcome = match journal::recover(home) {
        Ok(false) => return None,
        Ok(true) => {
            run.the_box.show(Sign::Busy);
            let text = "a power cut interrupted these settings; they go on";
            run.log.skipped(Step::Find, text);
            trial::go_on(home, run.the_box, &mut run.log)
        }
        Err(trouble) => {
            let Stop = run.log.failed(Step::Write, trouble);
            Outcome::Refused
        }
    };
    let receipt = run.receipt(outcome);
    let on_box = receipts::to_box(home, &receipt);
    run.the_box.show(outcome.into());
    Some(Ended { receipt, on_stick: None, on_box })
}

/// Why there are no files to take.
enum Lost {
    /// Nothing is for a box.
    Nothing(Trouble),
    /// Something was meant for one, or cannot be looked into. With a top folder if a receipt can go there.
    Wrong(Option<Box<Top>>, Trouble),
}

/// The top folder of the partition that is meant, and its files.
fn find(path: &Path, home: &Home) -> Result<(Top, Names), Lost> {
    let mut media = Media::open(path, &home.run).map_err(|trouble| Lost::Wrong(None, trouble))?;
    match load::choose(media.tops.iter().map(load::look).collect()) {
        Ok((number, names)) => Ok((media.tops.swap_remove(number), names)),
        Err((Some(number), trouble)) => {
            Err(Lost::Wrong(Some(Box::new(media.tops.swap_remove(number))), trouble))
        }
        Err((None, trouble)) => Err(match media.strange.into_iter().next() {
            Some(strange) => Lost::Wrong(None, strange),
            None => Lost::Nothing(trouble),
        }),
    }
}

struct Run<'r> {
    home: &'r Home,
    the_box: &'r mut dyn TheBox,
    log: Log,
    key: Result<BoxKey, Trouble>,
    /// Asked for by the stick.
    support: bool,
    /// The stick's file of settings, if its secrets are to be erased.
    erase: Option<extras::Erase>,
}

impl<'r> Run<'r> {
    fn new(home: &'r Home, the_box: &'r mut dyn TheBox) -> Self {
        let key = key::load_or_make(home);
        Self { home, the_box, log: Log::default(), key, support: false, erase: None }
    }

    /// Something was meant for the box, and is not right.
    fn lost(&mut self, top: Option<Top>, trouble: Trouble) -> (Option<Top>, Outcome) {
        self.the_box.show(Sign::Busy);
        let Stop = self.log.failed(Step::Find, trouble);
        (top, Outcome::Refused)
    }

    /// What a power cut interrupted goes on; the receipt at hand is not of it.
    fn go_on(&mut self) {
        let _ = trial::go_on(self.home, self.the_box, &mut Log::default());
    }

    /// All steps after the first. The top folder is where the receipt goes.
    fn stick(&mut self, top: Top, names: &Names) -> (Option<Top>, Outcome) {
        let refused = Outcome::Refused;
        self.the_box.show(Sign::Busy);
        self.log.done(Step::Find, &format!("files for the box on {}", top.name));
        let load = match load::load(&top, names) {
            Ok(load) => load,
            Err(trouble) => {
                let Stop = self.log.failed(Step::Read, trouble);
                return (Some(top), refused);
            }
        };
        let size = load.settings.as_ref().map(|bytes| format!("`{SETTINGS}`, {} bytes", bytes.len()));
        self.log.done(Step::Read, &size.unwrap_or_else(|| format!("no `{SETTINGS}`")));
        self.support = load.support;
        let outcome = self.take(&load, names).unwrap_or(refused);
        (Some(top), outcome)
    }

    /// What was read is judged, and taken.
    fn take(&mut self, load: &Load, names: &Names) -> Result<Outcome, Stop> {
        let owner = self.verify(load)?;
        let Some(bytes) = &load.settings else {
            self.log.skipped(Step::Unseal, "no settings came");
            self.log.skipped(Step::Validate, "no settings came");
            return self.without_settings(load, owner);
        };
        let opened = self.open(bytes)?;
        let outcome = trial::run(self.home, self.the_box, &mut self.log, &opened, owner.as_ref())?;
        if outcome == Outcome::Proven && opened.settings.erase_secrets {
            let signed = owner.is_some();
            self.erase =
                names.settings.clone().map(|name| extras::Erase { name, read: bytes.clone(), signed });
        }
        self.extras(load, owner, Some(&opened.settings));
        Ok(outcome)
    }

    /// Files that come without settings: those in force are looked at again.
    fn without_settings(&mut self, load: &Load, owner: Option<Owner>) -> Result<Outcome, Stop> {
        let before = journal::read_owner(self.home).unwrap_or(None);
        match &owner {
            Some(owner) if before.as_ref() != Some(owner) => {
                journal::write_owner(self.home, owner)
                    .map_err(|trouble| self.log.failed(Step::Write, trouble))?;
                self.log.done(Step::Write, "the owner's key");
            }
            _ => self.log.skipped(Step::Write, "the settings stay as they are"),
        }
        self.log.skipped(Step::Apply, "the settings stay as they are");
        let in_force = swap::in_force(self.home).unwrap_or(None);
        let settings = in_force.as_deref().and_then(|b| robocast_config::parse(b).ok()).map(|c| c.settings);
        let outcome = match (&in_force, &settings) {
            (Some(bytes), Some(settings)) => trial::prove_again(self.the_box, &mut self.log, bytes, settings),
            _ => {
                self.log.skipped(Step::Prove, "the box has no settings yet");
                Outcome::Kept
            }
        };
        self.extras(load, owner, settings.as_ref());
        Ok(outcome)
    }

    fn verify(&mut self, load: &Load) -> Result<Option<Owner>, Stop> {
        let judged = journal::read_owner(self.home).and_then(|present| {
            let offered = load.owner.as_deref();
            let signature = load.owner_signature.as_deref();
            let offered = offered.map(|bytes| Signed { name: OWNER, bytes, signature });
            let (after, change) = owner::after(present.as_ref(), offered)?;
            let after = match (after, &load.settings) {
                (Some(owner), Some(bytes)) => {
                    let signature = load.signature.as_deref();
                    Some(owner.take(Signed { name: SETTINGS, bytes, signature })?)
                }
                (after, _) => after,
            };
            Ok((after, change))
        });
        let (owner, change) = judged.map_err(|trouble| self.log.failed(Step::Verify, trouble))?;
        match (&owner, change) {
            (None, _) => self.log.skipped(Step::Verify, "the box has no owner: it takes anybody's settings"),
            (Some(owner), change) => {
                let word = match change {
                    Change::Adopted => "the box has an owner now",
                    Change::Rotated => "the owner's key is another now",
                    Change::None if load.settings.is_some() => "signed by the owner",
                    Change::None => "the owner is",
                };
                self.log.done(Step::Verify, &format!("{word}: {}", owner.key));
            }
        }
        Ok(owner)
    }

    fn open(&mut self, bytes: &[u8]) -> Result<Opened, Stop> {
        // Without its key the box still takes settings in which nothing is sealed.
        let stand_in = self.key.is_err().then(BoxKey::generate);
        let key = self.key.as_ref().ok().or(stand_in.as_ref());
        let opened = match key {
            Some(key) => opened::open(bytes, key),
            None => return Err(self.log.failed(Step::Unseal, Trouble::new("the box has no key"))),
        };
        match opened {
            Ok(opened) => {
                match opened.sealed {
                    0 => self.log.skipped(Step::Unseal, "nothing is sealed"),
                    count => self.log.done(Step::Unseal, &format!("sealed values opened: {count}")),
                }
                self.log.done(Step::Validate, &format!("settings of `{}`", opened.settings.device.name));
                self.log.parts(opened.warnings.iter().cloned());
                Ok(opened)
            }
            Err(Bad { step: Step::Unseal, trouble, parts }) => {
                let why = self.key.as_ref().err().cloned().unwrap_or(trouble);
                let stop = self.log.failed(Step::Unseal, why);
                self.log.parts(parts);
                Err(stop)
            }
            Err(Bad { trouble, parts, .. }) => {
                self.log.skipped(Step::Unseal, "the settings are not valid");
                let stop = self.log.failed(Step::Validate, trouble);
                self.log.parts(parts);
                Err(stop)
            }
        }
    }

    /// An update and SSH keys; the stick is still mounted for reading.
    fn extras(&mut self, load: &Load, owner: Option<Owner>, settings: Option<&Settings>) {
        let keys = extras::authorized_keys(self.home, self.the_box, load, owner, settings);
        self.log.parts(keys);
        self.log.parts(extras::update(self.the_box, load));
    }

    /// What is written to the stick besides the receipt.
    fn last_things(&mut self, top: &Top, outcome: Outcome) {
        let erase = self.erase.take().filter(|_| outcome == Outcome::Proven);
        if let (Some(erase), Ok(key)) = (erase, &self.key) {
            self.log.parts([extras::erase(top, &erase, &key.recipient())]);
        }
        if self.support {
            self.log.parts([extras::support(self.the_box, top, &device(self.home))]);
        }
    }

    fn receipt(&mut self, outcome: Outcome) -> Receipt {
        Receipt {
            schema: robocast_stick::receipt::SCHEMA,
            device: device(self.home),
            hardware: identity::hardware(),
            board: identity::board(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            public_key: self.key.as_ref().map(|key| key.recipient().to_string()).unwrap_or_default(),
            owner: journal::read_owner(self.home).unwrap_or(None).map(|owner| owner.key.to_string()),
            time: identity::now(),
            outcome,
            steps: std::mem::take(&mut self.log).finish(),
        }
    }
}

/// The box's name by the settings in force.
fn device(home: &Home) -> String {
    let in_force = swap::in_force(home).unwrap_or(None);
    let checked = in_force.and_then(|bytes| robocast_config::parse(&bytes).ok());
    checked.map(|checked| checked.settings.device.name).unwrap_or_else(|| "no-name-yet".to_owned())
}
