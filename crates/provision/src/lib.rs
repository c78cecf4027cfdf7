//! How settings come to the box and stay there.
//!
//! | module | owns |
//! |---|---|
//! | [`media`] | what was put in: its partitions as open folders |
//! | [`find`] | files by name, bounded; nothing is followed |
//! | [`below`] | writing below an open folder |
//! | [`load`] | which partition and which files are meant, and their bytes |
//! | [`owner`] | whose box it is, and which signatures are taken: pure |
//! | [`opened`] | the settings with their seals opened, judged: pure |
//! | [`steps`] | the whole way, from the stick to its receipt |
//! | [`the_box`] | what is asked of the box: to apply, to prove, to go back |
//! | [`extras`] | updates, SSH keys, support bundles, erased secrets |
//! | [`receipts`] | receipts on the stick and on the box |
//! | [`log`] | the steps as they are said: pure |
//! | [`home`], [`key`], [`swap`], [`journal`] | the box's own files: its key, the settings, what is under way |
//! | [`identity`] | which box this is |
//! | [`trouble`] | what went wrong, and the mend |
//! | [`record`] | the form of a copy of the settings on a raw partition: pure |
//! | [`copies`] | keeping that copy, and putting it back when the settings are lost |
//! | [`around`] | that box: systemd, RAUC, D-Bus |
//! | [`apply`] | new settings come into force: units and programs, over D-Bus |
//! | [`proof`] | whether they work: pure, and the shell that looks |
//! | [`support`] | what a bug report needs, without secrets |
//! | [`led`] | what the board's LED says of it |

pub mod apply;
pub mod around;
pub mod below;
pub mod copies;
pub mod extras;
pub mod find;
pub mod home;
pub mod identity;
pub mod journal;
pub mod key;
pub mod led;
pub mod load;
pub mod log;
pub mod media;
pub mod opened;
pub mod owner;
pub mod proof;
pub mod receipts;
pub mod record;
pub mod steps;
pub mod support;
pub mod swap;
pub mod the_box;
pub mod trouble;
