//! Provisioning with a host that answers as a test wants: the calls it gets, and the settings in force afterwards.

// A harness fails by panicking, with its observations.
#![allow(clippy::unwrap_used)]

mod host_double;

use host_double::{NEW, OLD, Scene};
use robocast_provision::provisioning::{ProvisionOutcome, provision, resume};
use robocast_stick::{BoxKey, Outcome, OwnerKey, Part, ReceiptStep, StepResult};
use std::fs::File;
use std::io::Read;

/// A public key, as `ssh-keygen` writes it.
const SSH_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMBP5QpiSL2OD7ARsPrWReEjwJ6l0nXIpq12/NG0r29s";

fn results(ended: &ProvisionOutcome) -> Vec<&'static str> {
    ended.receipt.steps.iter().map(|done| done.result.as_str()).collect()
}

fn text(ended: &ProvisionOutcome, step: ReceiptStep) -> &str {
    &ended.receipt.steps.iter().find(|done| done.step == step).unwrap().text
}

fn part<'e>(ended: &'e ProvisionOutcome, what: &str) -> &'e Part {
    ended.receipt.steps.iter().flat_map(|done| &done.parts).find(|part| part.what == what).unwrap()
}

#[test]
fn settings_that_prove_themselves_are_kept() {
    let mut this = Scene::new();
    let (ended, asked) = this.put("robocast.toml", NEW).insert();
    assert_eq!(ended.receipt.outcome, Outcome::Proven);
    assert_eq!(results(&ended), ["done", "done", "skipped", "skipped", "done", "done", "done", "done"]);
    assert_eq!(asked, ["apply new after old", "verify new", "commit"]);
    assert_eq!(this.in_force_and_proven(), (NEW.into(), NEW.into()));
    assert_eq!(ended.receipt.device, "new");
}

#[test]
fn the_same_settings_again_are_only_proven() {
    let mut this = Scene::new();
    this.put("robocast.toml", NEW).insert();
    let (ended, asked) = this.insert();
    assert_eq!(asked, ["verify new", "commit"]);
    assert_eq!(
        (text(&ended, ReceiptStep::Write), ended.receipt.outcome),
        ("already in force", Outcome::Proven)
    );
    // Settings that were not proven are applied again: the network may have been rolled back.
    this.double.failing = vec!["uplink"];
    this.put("robocast.toml", &NEW.replace("ours", "mine")).insert();
    let (_, asked) = this.insert();
    assert_eq!(asked[..2], ["apply new after new", "verify new"]);
}

#[test]
fn settings_that_do_not_prove_themselves_stay_and_the_box_may_go_back() {
    let mut this = Scene::new();
    this.double.failing = vec!["uplink"];
    let (ended, asked) = this.put("robocast.toml", NEW).insert();
    assert_eq!(ended.receipt.outcome, Outcome::Kept);
    assert_eq!(asked, ["apply new after old", "verify new", "roll back, uplink failed: true"]);
    assert_eq!(
        text(&ended, ReceiptStep::Prove),
        "not seen to work: uplink; the uplinks from before are back"
    );
    assert_eq!(this.in_force_and_proven(), (NEW.into(), OLD.into()));
}

#[test]
fn settings_that_nobody_takes_are_not_proven() {
    let mut this = Scene::new();
    this.double.stuck = true;
    let (ended, asked) = this.put("robocast.toml", NEW).insert();
    assert_eq!(
        (ended.receipt.outcome, asked),
        (Outcome::Kept, vec!["apply new after old".into(), "roll back, uplink failed: false".into()])
    );
    assert_eq!(results(&ended)[6..], ["failed", "not reached"]);
    assert_eq!(this.in_force_and_proven(), (NEW.into(), OLD.into()));
}

#[test]
fn what_is_refused_is_asked_of_nobody() {
    let mut this = Scene::new();
    let (ended, asked) = this.put("robocast.toml", "schema = 1\nx = 1\n").insert();
    assert_eq!((ended.receipt.outcome, asked.len()), (Outcome::Refused, 0));
    assert_eq!(this.in_force_and_proven(), (OLD.into(), OLD.into()));
    assert_eq!(ended.receipt.device, "old");
}

#[test]
fn a_trial_that_was_cut_goes_on_at_the_boot_or_at_the_next_stick() {
    let cut = |this: &Scene| {
        robocast_provision::journal::begin_trial(&this.state, NEW.as_bytes(), None).unwrap();
    };
    let mut this = Scene::new();
    cut(&this);
    let ended = resume(&this.state, &mut this.double).unwrap();
    assert_eq!(
        (ended.receipt.outcome, this.double.asked.as_slice()),
        (Outcome::Proven, &["apply new after -", "verify new", "commit"].map(String::from)[..])
    );
    assert_eq!(this.in_force_and_proven(), (NEW.into(), NEW.into()));
    assert!(resume(&this.state, &mut this.double).is_none());
    // A stick that is refused does not prevent the trial from being resumed.
    let mut this = Scene::new();
    cut(&this);
    let (ended, asked) = this.put("robocast.toml", "").insert();
    assert_eq!(ended.receipt.outcome, Outcome::Refused);
    assert_eq!(asked, ["apply new after -", "verify new", "commit"]);
}

#[test]
fn secrets_are_erased_from_the_stick_once_they_are_proven() {
    let mut this = Scene::new();
    let text = NEW.replace("schema = 1\n", "schema = 1\nerase_secrets = true\n");
    this.double.failing = vec!["robot"];
    this.put("RoboCast.toml", &text).insert();
    assert_eq!(this.on_stick("RoboCast.toml"), text, "not proven: the owner may want to correct it");
    // A reader that opened the file earlier sees it blanked.
    let mut before = File::open(this.stick().join("RoboCast.toml")).unwrap();
    this.double.failing.clear();
    let (ended, _) = this.insert();
    assert_eq!(ended.receipt.outcome, Outcome::Proven);
    assert!(part(&ended, "erase_secrets").ok);
    let sealed = this.on_stick("RoboCast.toml");
    assert!(
        !sealed.contains("secret-4711") && sealed.contains("# ours") && sealed.contains("sealed ="),
        "{sealed}"
    );
    let mut blanked = Vec::new();
    before.read_to_end(&mut blanked).unwrap();
    assert_eq!(blanked, vec![0; text.len()]);
    // And the sealed file is the same settings.
    let (ended, asked) = this.insert();
    assert_eq!((ended.receipt.outcome, asked), (Outcome::Proven, vec!["verify new".into(), "commit".into()]));
    assert_eq!(this.on_stick("RoboCast.toml"), sealed);
    assert_eq!(this.state("settings.toml").unwrap(), text);
}

#[test]
fn a_signed_file_is_not_rewritten() {
    let mut this = Scene::new();
    let owner = OwnerKey::generate();
    let text = format!("erase_secrets = true\n{NEW}");
    this.put("robocast-owner.pub", &owner.public().to_string());
    this.put("robocast.toml", &text)
        .put("robocast.toml.sig", &owner.sign("robocast.toml", text.as_bytes(), 1));
    let (ended, _) = this.insert();
    assert_eq!((ended.receipt.outcome, part(&ended, "erase_secrets").ok), (Outcome::Proven, false));
    assert_eq!(this.on_stick("robocast.toml"), text);
}

#[test]
fn what_else_it_brings_is_handed_over() {
    let mut this = Scene::new();
    let ssh = format!("{NEW}[debug]\nssh = true\n");
    this.put("a.RAUCB", "bundle").put("authorized_keys", SSH_KEY).put("robocast-support", "");
    let (ended, asked) = this.put("robocast.toml", &ssh).insert();
    assert_eq!(
        asked,
        ["apply new after old", "verify new", "commit", &format!("ssh {SSH_KEY}"), "update a.RAUCB bundle"]
    );
    assert!(["ssh", "update", "support"].iter().all(|what| part(&ended, what).ok));
    let bundle = format!("robocast-support-new-{}.tar.gz", &ended.receipt.time[..10]);
    assert_eq!(this.on_stick(&bundle), "bundle");
    // Not when SSH is off.
    let (ended, asked) = this.put("robocast.toml", NEW).insert();
    assert!(!part(&ended, "ssh").ok && !asked.iter().any(|asked| asked.starts_with("ssh")));
    // None of it when the settings are refused, except what helps to find the reason.
    let (ended, asked) = this.put("robocast.toml", "").insert();
    assert_eq!((asked.len(), part(&ended, "support").ok), (0, true));
}

#[test]
fn somebodys_pictures_leave_no_trace() {
    let mut this = Scene::new();
    this.put("1.jpg", "");
    let nothing = provision(&this.stick(), &this.state, &mut this.double).unwrap_err();
    assert!(nothing.message.contains("nor anything else for the box"));
    assert!(this.double.asked.is_empty() && this.double.shown.is_empty());
    assert!(!this.state.file("receipts").exists() && std::fs::read_dir(this.stick()).unwrap().count() == 1);
}

#[test]
fn what_is_no_ssh_key_is_told() {
    let mut this = Scene::new();
    let ssh = format!("{NEW}[debug]\nssh = true\n");
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    let (ended, asked) = this.put("robocast.toml", &ssh).put("authorized_keys", private).insert();
    assert!(!part(&ended, "ssh").ok && part(&ended, "ssh").text.contains("this is a private key"));
    assert!(!asked.iter().any(|asked| asked.starts_with("ssh")));
}

#[test]
fn an_owner_signs_ssh_keys_too() {
    let mut this = Scene::new();
    let owner = OwnerKey::generate();
    let text = format!("{NEW}[debug]\nssh = true\n");
    this.put("robocast-owner.pub", &owner.public().to_string()).put("authorized_keys", SSH_KEY);
    this.put("robocast.toml", &text)
        .put("robocast.toml.sig", &owner.sign("robocast.toml", text.as_bytes(), 1));
    let (ended, _) = this.insert();
    assert!(!part(&ended, "ssh").ok, "not signed");
    this.put("authorized_keys.sig", &owner.sign("authorized_keys", SSH_KEY.as_bytes(), 5));
    let (ended, asked) = this.insert();
    assert!(part(&ended, "ssh").ok && asked.contains(&format!("ssh {SSH_KEY}")));
    let older = format!("{SSH_KEY} older");
    this.put("authorized_keys", &older)
        .put("authorized_keys.sig", &owner.sign("authorized_keys", older.as_bytes(), 4));
    let (ended, asked) = this.insert();
    assert!(!part(&ended, "ssh").ok && !asked.contains(&format!("ssh {older}")));
    assert!(this.state("owner.json").unwrap().contains("\"serial\": 5"));
}

#[test]
fn without_settings_those_in_force_are_looked_at_again() {
    let mut this = Scene::new();
    let (ended, asked) = this.put("a.raucb", "b").insert();
    assert_eq!(
        (ended.receipt.outcome, asked),
        (Outcome::Proven, vec!["verify old".into(), "update a.raucb b".into()])
    );
    assert_eq!(
        results(&ended),
        ["done", "done", "skipped", "skipped", "skipped", "skipped", "skipped", "done"]
    );
}

#[test]
fn a_box_without_its_key_takes_what_is_not_sealed() {
    let mut this = Scene::new();
    this.state.write("keys/box.age", b"damaged").unwrap();
    let sealed = robocast_stick::seal_document(NEW, &BoxKey::generate().recipient()).unwrap();
    let (ended, _) = this.put("robocast.toml", &sealed).insert();
    assert!(text(&ended, ReceiptStep::Unseal).contains("is damaged"));
    assert!(ended.receipt.steps.iter().any(|done| done.result == StepResult::Failed));
    let (ended, _) = this.put("robocast.toml", NEW).insert();
    assert_eq!((ended.receipt.outcome, ended.receipt.public_key.as_str()), (Outcome::Proven, ""));
}
