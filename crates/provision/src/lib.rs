//! How settings reach the box and stay there.
//!
//! | module | owns |
//! |---|---|
//! | [`provisioning`] | the whole way, from the stick to its receipt |
//! | [`media`] | the stick: its partitions as open folders |
//! | [`lookup`] | files by name, bounded; no link is followed |
//! | [`dirfd`] | writing in an open folder |
//! | [`stick_files`] | which partition and which files are for the box, and their bytes |
//! | [`owner`] | who owns the box, and which signatures it accepts: pure |
//! | [`unsealed`] | the settings with their seals opened, checked: pure |
//! | [`extras`] | updates, SSH keys, support bundles, erased secrets |
//! | [`receipts`] | receipts on the stick and on the box |
//! | [`log`] | the steps so far: pure |
//! | [`state_dir`], [`key`], [`settings_files`], [`journal`] | the box's own files: its key, the settings, the trial under way |
//! | [`identity`] | which box this is |
//! | [`problem`] | what went wrong, and what to do about it |
//! | [`backup_record`] | the form of a copy of the settings on a raw partition: pure |
//! | [`backup`] | writing that copy, and restoring lost settings from it |
//! | [`host`] | what the machine must provide: apply, verify, roll back |
//! | [`systemd_host`] | that machine: systemd and the update program, over D-Bus |
//! | [`apply`] | brings new settings into force: units and programs, over D-Bus |
//! | [`verification`] | whether they work: pure, and the shell that observes |
//! | [`support`] | what a bug report needs, without secrets |
//! | [`led`] | what the board's LED shows |

pub mod apply;
pub mod backup;
pub mod backup_record;
pub mod dirfd;
pub mod extras;
pub mod host;
pub mod identity;
pub mod journal;
pub mod key;
pub mod led;
pub mod log;
pub mod lookup;
pub mod media;
pub mod owner;
pub mod problem;
pub mod provisioning;
pub mod receipts;
pub mod settings_files;
pub mod state_dir;
pub mod stick_files;
pub mod support;
pub mod systemd_host;
pub mod unsealed;
pub mod verification;
