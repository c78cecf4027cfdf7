//! Where the executables under test are.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::process::command;

/// The folder of `robocast`, `robocast-media` and `robocast-sim`: `$ROBOCAST_BIN`, or cargo's output folder; there they
/// are built first, since cargo builds executables only for tests of their own package.
///
/// # Panics
/// When they cannot be built, or one is missing.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = match std::env::var_os("ROBOCAST_BIN") {
            Some(folder) => PathBuf::from(folder),
            None => built(),
        };
        for name in ["robocast", "robocast-media", "robocast-sim"] {
            let path = folder.join(name);
            assert!(path.is_file(), "no {}: run `cargo build -p robocast -p robocast-sim`", path.display());
        }
        folder
    })
}

/// The executable `name`.
pub fn program(name: &str) -> PathBuf {
    folder().join(name)
}

fn built() -> PathBuf {
    // target/PROFILE/deps/whole-0123456789abcdef, or target/TRIPLE/PROFILE/deps/...
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2).unwrap().to_owned();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let (target, triple) = match folder.parent() {
        Some(target) if target.join("CACHEDIR.TAG").is_file() => (target, None),
        Some(inner) => (inner.parent().unwrap_or(inner), inner.file_name()),
        None => panic!("{} is not in a target folder: set ROBOCAST_BIN", own.display()),
    };
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--locked", "-p", "robocast", "-p", "robocast-sim", "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if let Some(triple) = triple {
        cargo.arg("--target").arg(triple);
    }
    let output = cargo.output().expect("cargo runs; else set ROBOCAST_BIN to the folder of the executables");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the executables cannot be built:\n{told}");
    folder
}

/// The user that a test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    Needed,
    NotNeeded,
}

/// Whether this machine has what a test needs: these programs, and root where that is needed. If not, the test fails or
/// is skipped, as [`is_there`] decides.
#[must_use]
pub fn able(programs: &[&str], root: Root) -> bool {
    let there = |program: &str| match program.strip_prefix('/') {
        Some(_) => Path::new(program).exists(),
        None => ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).is_file()),
    };
    let missing: Vec<_> = programs.iter().copied().filter(|program| !there(program)).collect();
    is_there(&format!("programs: {}", missing.join(", ")), missing.is_empty())
        && is_there("root", root == Root::NotNeeded || nix::unistd::geteuid().is_root())
}

/// Only the programs.
#[must_use]
pub fn have(programs: &[&str]) -> bool {
    able(programs, Root::NotNeeded)
}

/// The one rule for a test on a machine that lacks something: in CI (`$CI`) it fails; elsewhere it is skipped, and this
/// is printed, also where the output of passing tests is not shown.
///
/// # Panics
/// In CI, when it is not there.
#[must_use]
pub fn is_there(what: &str, there: bool) -> bool {
    if !there {
        assert!(std::env::var_os("CI").is_none(), "missing here: {what}");
        let _ = writeln!(std::io::stderr(), "skipped: missing here: {what}");
    }
    there
}
