//! `[debug]`: access for those who repair the box.

use crate::reader::{Reader, Section};

/// Access for those who repair the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Debugging {
    /// Whether the box runs an SSH server for the keys in the stick's `authorized_keys`; default false.
    pub ssh: bool,
}

impl Debugging {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let Some(section) = reader.section(root, "debug", "[debug]") else { return Self::default() };
        reader.known(&section, &["ssh"]);
        Self { ssh: reader.flag(&section, "ssh", false) }
    }
}
