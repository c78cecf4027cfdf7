//! The files in a stick's top folder. Upper and lower case count as the same.

/// The settings.
pub const SETTINGS: &str = "robocast.toml";
/// The owner's signature over the settings.
pub const SIGNATURE: &str = "robocast.toml.sig";
/// The owner's public key.
pub const OWNER: &str = "robocast-owner.pub";
/// A signature over [`OWNER`], by the key that the box has.
pub const OWNER_SIGNATURE: &str = "robocast-owner.pub.sig";
/// The receipt, for people.
pub const RECEIPT_TEXT: &str = "robocast-receipt.txt";
/// The receipt, for programs.
pub const RECEIPT_JSON: &str = "robocast-receipt.json";
/// The receipt, for a phone's camera.
pub const RECEIPT_PICTURE: &str = "robocast-receipt.svg";
/// The folder of older receipts.
pub const RECEIPTS: &str = "robocast-receipts";
/// An empty file that asks for a support bundle.
pub const SUPPORT: &str = "robocast-support";
/// SSH keys, taken only with `[debug] ssh = true`.
pub const AUTHORIZED_KEYS: &str = "authorized_keys";
/// The owner's signature over [`AUTHORIZED_KEYS`], required when the box has an owner.
pub const AUTHORIZED_KEYS_SIGNATURE: &str = "authorized_keys.sig";
/// The extension of an update bundle's name.
pub const BUNDLE_EXTENSION: &str = "raucb";

/// The largest settings file, in bytes.
pub const SETTINGS_LIMIT: usize = robocast_config::LIMIT;
/// The largest signature, in bytes.
pub const SIGNATURE_LIMIT: usize = 4 * 1024;
/// The largest public key of an owner, in bytes.
pub const OWNER_LIMIT: usize = 4 * 1024;
/// The largest file of SSH keys, in bytes.
pub const AUTHORIZED_KEYS_LIMIT: usize = 16 * 1024;
/// The largest receipt that is read, in bytes.
pub const RECEIPT_LIMIT: usize = 256 * 1024;
/// How many older receipts are kept.
pub const RECEIPTS_KEPT: usize = 20;
