//! What else a stick brings or asks for. Nothing here changes how the settings fare.

use crate::below;
use crate::find;
use crate::home::Home;
use crate::identity;
use crate::journal;
use crate::load::Load;
use crate::media::Top;
use crate::owner::{Owner, Signed};
use crate::the_box::{Answer, TheBox};
use crate::trouble::Trouble;
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
        Answer::Done(text) => Part { what, ok: true, text, mend: None },
        Answer::Nobody(text) => Part { what, ok: false, text, mend: None },
        Answer::Failed(Trouble { text, mend }) => Part { what, ok: false, text, mend },
    }
}

/// Hands an update over.
pub fn update(the_box: &mut dyn TheBox, load: &Load) -> Option<Part> {
    let (name, bundle) = load.bundle.as_ref()?;
    Some(part("update", the_box.update(name, bundle)))
}

/// Hands SSH keys over, if the settings want any and their owner, if there is one, signed them.
pub fn authorized_keys(
    home: &Home,
    the_box: &mut dyn TheBox,
    load: &Load,
    owner: Option<Owner>,
    settings: Option<&Settings>,
) -> Option<Part> {
    let bytes = load.authorized_keys.as_deref()?;
    let taken = || {
        if !settings.is_some_and(|settings| settings.debug.ssh) {
            return Err(Trouble::new(format!("`{AUTHORIZED_KEYS}` is not taken: SSH is off"))
                .mend("write `[debug]` and `ssh = true` into the settings, or remove the file"));
        }
        ssh::count(bytes).map_err(|error| Trouble::new(format!("`{AUTHORIZED_KEYS}`: {error}")))?;
        // Who holds a key to log in with needs no signed settings any more.
        if let Some(owner) = owner {
            let signature = load.authorized_keys_signature.as_deref();
            let after = owner.take(Signed { name: AUTHORIZED_KEYS, bytes, signature })?;
            journal::write_owner(home, &after)?;
        }
        Ok(())
    };
    let answer = match taken() {
        Ok(()) => the_box.authorized_keys(bytes),
        Err(trouble) => Answer::Failed(trouble),
    };
    Some(part("ssh", answer))
}

/// Writes a support bundle to the stick.
pub fn support(the_box: &mut dyn TheBox, top: &Top, device: &str) -> Part {
    let date: String = identity::now().chars().take(10).collect();
    let name = format!("robocast-support-{device}-{date}.tar.gz");
    let beside = below::path(top.folder()).join(format!(".{name}.new"));
    let mut write = || -> io::Result<Answer> {
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let answer = the_box.support(&mut file);
        if let Answer::Done(_) = &answer {
            file.flush()?;
            file.sync_all()?;
            std::fs::rename(&beside, below::path(top.folder()).join(&name))?;
        }
        Ok(answer)
    };
    let answer = write().unwrap_or_else(|error| {
        let trouble = Trouble::new(format!("the stick does not take the support bundle: {error}"));
        Answer::Failed(trouble.mend("make room on the stick"))
    });
    if !matches!(answer, Answer::Done(_)) {
        let _ = std::fs::remove_file(&beside);
    }
    part("support", answer)
}

/// A settings file whose secrets are to be erased from the stick.
#[derive(Debug)]
pub struct Erase {
    /// Its name there.
    pub name: OsString,
    /// What was read.
    pub read: Vec<u8>,
    /// Whether its owner signed it.
    pub signed: bool,
}

/// Rewrites the stick's settings with every secret sealed to this box, and blanks what was there.
pub fn erase(top: &Top, what: &Erase, recipient: &Recipient) -> Part {
    part(
        "erase_secrets",
        match sealed(top, what, recipient) {
            Ok(text) => Answer::Done(text.into()),
            Err(trouble) => Answer::Failed(trouble),
        },
    )
}

fn sealed(top: &Top, what: &Erase, recipient: &Recipient) -> Result<&'static str, Trouble> {
    let text = String::from_utf8_lossy(&what.read);
    let sealed =
        seal_document(&text, recipient).map_err(|_| Trouble::new("the settings cannot be sealed"))?;
    if sealed.as_bytes() == what.read {
        return Ok("no secret stands in the file on the stick");
    }
    if what.signed {
        let trouble = Trouble::new(
            "the secrets stay on the stick: sealed by the box, the file would not be as it was signed",
        );
        return Err(trouble.mend("seal the file with `robocast stick seal`, then sign it"));
    }
    let stays = |error: &dyn std::fmt::Display| {
        Trouble::new(format!("the secrets stay on the stick: {error}")).mend("delete the file yourself")
    };
    if find::read(top.folder(), &what.name, SETTINGS_LIMIT)? != what.read {
        return Err(stays(&"the file is another than was read"));
    }
    let name = what.name.to_str().ok_or_else(|| stays(&"its name is no text"))?;
    let path = below::path(top.folder()).join(name);
    // Held while it is replaced: its blocks are its own until it is let go of, and are blanked before that.
    let old =
        OpenOptions::new().write(true).custom_flags(O_NOFOLLOW).open(path).map_err(|error| stays(&error))?;
    below::write(top.folder(), name, sealed.as_bytes(), 0o600).map_err(|error| stays(&error))?;
    blank(old, what.read.len()).map_err(|error| stays(&format!("they could not be blanked: {error}")))?;
    Ok("the file on the stick has its secrets sealed now")
}

fn blank(mut old: File, length: usize) -> io::Result<()> {
    old.write_all(&vec![0; length])?;
    old.sync_all()
}
