//! How settings come to the box and stay there.
//!
//! | module | owns |
//! |---|---|
//! | [`media`] | what was put in: its partitions as open folders |
//! | [`find`] | files by name, bounded; nothing is followed |
//! | [`below`] | writing below an open folder |
//! | [`trouble`] | what went wrong, and the mend |
//! | [`record`] | the form of a copy of the settings on a raw partition: pure |
//! | [`copies`] | keeping that copy, and putting it back when the settings are lost |
//! | [`the_box`] | what provisioning asks of the box around it |
//! | [`around`] | that box: systemd, RAUC, D-Bus |
//! | [`apply`] | new settings come into force: units and programs, over D-Bus |
//! | [`proof`] | whether they work: pure, and the shell that looks |
//! | [`support`] | what a bug report needs, without secrets |
//! | [`led`] | what the board's LED says of it |
//!
//! Bytes of the settings file and of a partition come in; the same go out. Of what the settings mean it asks
//! `robocast_config` one thing only: whether they are valid.

pub mod apply;
pub mod around;
pub mod below;
pub mod copies;
pub mod find;
pub mod led;
pub mod media;
pub mod proof;
pub mod record;
pub mod support;
pub mod the_box;
pub mod trouble;
