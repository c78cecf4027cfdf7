//! Where the executables under test are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::process::command;

/// The folder of `robocast`, `robocast-media` and `robocast-sim`: `$ROBOCAST_BIN`, or where cargo puts them; there they
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

/// Whether the programs named are there. In CI (`$CI`) they must be; elsewhere a test without them is skipped, and says so.
///
/// # Panics
/// In CI, when one is missing.
#[must_use]
pub fn have(peers: &[&str]) -> bool {
    let there = |peer: &str| match peer.strip_prefix('/') {
        Some(_) => Path::new(peer).exists(),
        None => ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(peer).is_file()),
    };
    let missing: Vec<_> = peers.iter().filter(|peer| !there(peer)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "not installed: {missing:?}");
    eprintln!("skipped: not installed: {missing:?}");
    false
}
