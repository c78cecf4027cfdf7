//! Other things that a stick brings or asks for. Nothing here affects the settings.

use crate::dirfd;
use crate::host::{Answer, Host};
use crate::identity;
use crate::journal;
use crate::lookup;
use crate::media::Top;
use crate::owner::{Owner, SignedFile};
use crate::problem::ProvisionProblem;
use crate::state_dir::StateDir;
use crate::stick_files::StickFiles;
use nix::libc::O_NOFOLLOW;
use robocast_config::Settings;
use robocast_stick::names::{AUTHORIZED_KEYS, SETTINGS_LIMIT};
use robocast_stick::{Part, Recipient, seal_document, ssh};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

fn part(what: &str, answer: Answer) -> Part {
    let what = what.to_owned();
    match answer {
        Answer::Done(text) => Part { what, ok: true, text, hint: None },
        Answer::Unsupported(text) => Part { what, ok: false, text, hint: None },
        Answer::Failed(ProvisionProblem { message, hint }) => Part { what, ok: false, text: message, hint },
    }
}

/// Has the update installed.
pub fn install_update(host: &mut dyn Host, files: &StickFiles) -> Option<Part> {
    let (name, bundle) = files.bundle.as_ref()?;
    Some(part("update", host.install_update(name, bundle)))
}

/// Lets SSH keys log in, if the settings allow SSH and the owner, if there is one, signed them.
pub fn install_authorized_keys(
    state: &StateDir,
    host: &mut dyn Host,
    files: &StickFiles,
    owner: Option<Owner>,
    settings: Option<&Settings>,
) -> Option<Part> {
    let bytes = files.authorized_keys.as_deref()?;
    let accept = || {
        if !settings.is_some_and(|settings| settings.debug.ssh) {
            return Err(ProvisionProblem::new(format!("`{AUTHORIZED_KEYS}` is not accepted: SSH is off"))
                .with_hint("write `[debug]` and `ssh = true` into the settings, or remove the file"));
        }
        ssh::count(bytes).map_err(|error| ProvisionProblem::new(format!("`{AUTHORIZED_KEYS}`: {error}")))?;
        // Anyone who can log in does not need signed settings any more.
        if let Some(owner) = owner {
            let signature = files.authorized_keys_signature.as_deref();
            let after = owner.accept(SignedFile { name: AUTHORIZED_KEYS, bytes, signature })?;
            journal::write_owner(state, &after)?;
        }
        Ok(())
    };
    let answer = match accept() {
        Ok(()) => host.install_authorized_keys(bytes),
        Err(problem) => Answer::Failed(problem),
    };
    Some(part("ssh", answer))
}

/// Writes a support bundle to the stick.
pub fn write_support_bundle(host: &mut dyn Host, top: &Top, device: &str) -> Part {
    let date: String = identity::now().chars().take(10).collect();
    let name = format!("robocast-support-{device}-{date}.tar.gz");
    let beside = dirfd::path_of(top.folder()).join(format!(".{name}.new"));
    let mut write = || -> io::Result<Answer> {
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let answer = host.write_support_bundle(&mut file);
        if let Answer::Done(_) = &answer {
            file.flush()?;
            file.sync_all()?;
            std::fs::rename(&beside, dirfd::path_of(top.folder()).join(&name))?;
        }
        Ok(answer)
    };
    let answer = write().unwrap_or_else(|error| {
        let problem = ProvisionProblem::new(format!("the stick does not take the support bundle: {error}"));
        Answer::Failed(problem.with_hint("make room on the stick"))
    });
    if !matches!(answer, Answer::Done(_)) {
        let _ = std::fs::remove_file(&beside);
    }
    part("support", answer)
}

/// A settings file whose secrets are to be erased from the stick.
#[derive(Debug)]
pub struct SecretsToErase {
    /// Its name there.
    pub name: OsString,
    /// The contents as read.
    pub read: Vec<u8>,
    /// Whether its owner signed it.
    pub signed: bool,
}

/// Rewrites the stick's settings with every secret sealed to this box, and overwrites the old bytes.
pub fn erase_secrets(top: &Top, what: &SecretsToErase, recipient: &Recipient) -> Part {
    part(
        "erase_secrets",
        match sealed(top, what, recipient) {
            Ok(text) => Answer::Done(text.into()),
            Err(problem) => Answer::Failed(problem),
        },
    )
}

fn sealed(top: &Top, what: &SecretsToErase, recipient: &Recipient) -> Result<&'static str, ProvisionProblem> {
    let text = String::from_utf8_lossy(&what.read);
    let sealed = seal_document(&text, recipient)
        .map_err(|_| ProvisionProblem::new("the settings cannot be sealed"))?;
    if sealed.as_bytes() == what.read {
        return Ok("the file on the stick contains no secret");
    }
    if what.signed {
        let problem =
            ProvisionProblem::new("the secrets stay on the stick: sealing them would break the signature");
        return Err(problem.with_hint("seal the file with `robocast stick seal`, then sign it"));
    }
    let stays = |error: &dyn std::fmt::Display| {
        ProvisionProblem::new(format!("the secrets stay on the stick: {error}"))
            .with_hint("delete the file yourself")
    };
    if lookup::read_file(top.folder(), &what.name, SETTINGS_LIMIT)? != what.read {
        return Err(stays(&"the file has changed since it was read"));
    }
    let name = what.name.to_str().ok_or_else(|| stays(&"its name is no text"))?;
    let path = dirfd::path_of(top.folder()).join(name);
    // Held open while it is replaced: its blocks are not reused meanwhile, and are overwritten before it is closed.
    let old =
        OpenOptions::new().write(true).custom_flags(O_NOFOLLOW).open(path).map_err(|error| stays(&error))?;
    dirfd::write_file(top.folder(), name, sealed.as_bytes(), 0o600).map_err(|error| stays(&error))?;
    blank(old, what.read.len()).map_err(|error| stays(&format!("they could not be blanked: {error}")))?;
    Ok("the file on the stick has its secrets sealed now")
}

fn blank(mut old: File, length: usize) -> io::Result<()> {
    old.write_all(&vec![0; length])?;
    old.sync_all()
}
