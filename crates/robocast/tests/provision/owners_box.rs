//! A box, and what must hold after every stick.

use robocast_stick::{BoxKey, Receipt};
use robocast_tests::programs::{self, Root};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The settings before a stick is inserted.
pub const OLD: &str = "schema = 1\n[device]\nname = \"old\"\n";
/// Those that a good stick brings.
pub const NEW: &str = "schema = 1\n[device]\nname = \"new\"\n\n[[uplink.wifi]]\nssid = \"Lab\"\npassword = \"wifi-secret-4711\" # ours\ncountry = \"US\"\n\n[page]\npassword = \"page-secret-4711\"\n";
/// The secrets in them, which nobody may ever see.
pub const SECRETS: [&str; 2] = ["wifi-secret-4711", "page-secret-4711"];

/// A box with old settings and a key.
pub struct OwnersBox {
    folder: TempDir,
    /// Its secret key.
    pub key: BoxKey,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub told: String,
}

#[allow(clippy::disallowed_methods)]
pub fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[allow(clippy::disallowed_methods)]
pub fn command(program: &str) -> Command {
    Command::new(program)
}

/// Runs a program of the system that must succeed.
pub fn must(program: &str, arguments: &[&str]) -> String {
    let output = command(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl OwnersBox {
    pub fn new() -> Self {
        let this = Self { folder: tempfile::tempdir_in(memory()).unwrap(), key: BoxKey::generate() };
        put(&this.state("settings.toml"), OLD.as_bytes());
        put(&this.state("settings.proven.toml"), OLD.as_bytes());
        put(&this.state("keys/box.age"), this.key.to_text().expose().as_bytes());
        this
    }

    /// A file of its state.
    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    /// A place beside its folders, for sticks.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `robocast provision`, not yet run.
    pub fn provision(&self, argument: &Path) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_robocast"));
        command.arg("provision").arg(argument).stdin(Stdio::null());
        command.env("ROBOCAST_STATE", self.folder.path().join("state"));
        command.env("ROBOCAST_RUN", self.folder.path().join("run")).env_remove("JOURNAL_STREAM");
        command
    }

    pub fn run(&self, argument: &Path) -> Ran {
        let output = self.provision(argument).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        Ran { code: output.status.code(), told: String::from_utf8_lossy(&told).into_owned() }
    }

    pub fn settings(&self) -> String {
        std::fs::read_to_string(self.state("settings.toml")).unwrap_or_else(|e| panic!("no settings: {e}"))
    }

    /// The newest receipt that the box kept.
    pub fn receipt(&self) -> Option<Receipt> {
        let folder = std::fs::read_dir(self.state("receipts")).ok()?;
        let mut names: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        Some(Receipt::parse(&std::fs::read(names.iter().max()?).unwrap()).unwrap())
    }

    /// Holds after every stick, whatever the result: nothing mounted or attached, nothing in progress, no secret shown.
    pub fn at_peace(&self, what: &str, ran: &Ran) {
        let own = self.folder.path().to_str().unwrap();
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert!(!mounts.contains(&format!("{own}/run")), "{what}: still mounted");
        // Another program may look at every loop device just now, and hold ours a moment longer.
        let began = Instant::now();
        while let Some(attached) = attached(own) {
            assert!(began.elapsed() < Duration::from_secs(15), "{what}: still attached: {attached}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert!(!self.state("provision.json").exists(), "{what}: still under way");
        let mut public = ran.told.clone();
        for receipt in std::fs::read_dir(self.state("receipts")).into_iter().flatten() {
            public.push_str(&std::fs::read_to_string(receipt.unwrap().path()).unwrap());
        }
        for secret in SECRETS {
            assert!(!public.contains(secret), "{what}: a secret is told:\n{public}");
        }
        let beside = self.state(".settings.toml.new");
        assert!(!beside.exists(), "{what}: half written settings lie about");
    }
}

/// A folder in memory, if there is room: thousands of sticks are made, read and synced.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = nix::sys::statvfs::statvfs(memory).map_or(0, |fs| fs.blocks_available() * fs.fragment_size());
    if room > 1 << 30 { memory.to_owned() } else { std::env::temp_dir() }
}

/// A file below a folder that is attached to a loop device.
fn attached(folder: &str) -> Option<String> {
    let backing =
        |device: std::fs::DirEntry| std::fs::read_to_string(device.path().join("loop/backing_file")).ok();
    let mut devices = std::fs::read_dir("/sys/block").unwrap().flatten().filter_map(backing);
    devices.find(|backing| backing.contains(folder))
}

/// Whether images can be mounted here: as root, with the programs that make them.
pub fn able() -> bool {
    let programs = ["mkfs.ext4", "mkfs.vfat", "mcopy", "sfdisk", "debugfs", "losetup"];
    programs::able(&programs, Root::Needed)
        && programs::is_there("loop devices", Path::new("/dev/loop-control").exists())
}

/// Whether this kernel mounts FAT.
pub fn kernel_has(kind: &str) -> bool {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap();
    known.lines().any(|line| line.trim() == kind)
}

/// Runs something in its own mount namespace; its mounts end with it.
pub fn apart(what: impl FnOnce() + Send + 'static) {
    use nix::mount::{MsFlags, mount};
    let nothing: Option<&str> = None;
    let own = move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        what();
    };
    if let Err(panic) = std::thread::spawn(own).join() {
        std::panic::resume_unwind(panic);
    }
}
