//! A real RAUC: two slots that are files, and a boot loader that records its calls.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::bus::Bus;
use crate::nginx::write;
use crate::process::{Process, command};
use crate::waiting::{SOON, wait};

/// The programs it needs.
pub const NEEDED: [&str; 1] = ["rauc"];

const NAME: &str = "de.pengutronix.rauc";

/// `rauc service` on a bus, booted from `rootfs.0` (A); `rootfs.1` (B) is the other slot. Ends when dropped.
#[derive(Debug)]
pub struct Rauc {
    folder: TempDir,
    _service: Process,
}

impl Rauc {
    /// Starts it, with an image installed at `installed`; returns when it is on the bus.
    pub fn start(bus: &Bus, installed: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("robocast-rauc-").tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let loader = at("loader");
        let told = at("told").display().to_string();
        write(
            &loader,
            &format!(
                "#!/bin/sh\necho \"$@\" >> {told}\ncase $1 in get-state) echo good;; get-*) echo A;; esac\n"
            ),
        );
        std::fs::set_permissions(&loader, PermissionsExt::from_mode(0o755)).unwrap();
        let mut system = format!(
            "[system]\ncompatible=robocast-test\nbootloader=custom\nstatusfile={}\nmountprefix={}\n\
             [handlers]\nbootloader-custom-backend={}\n",
            at("status").display(),
            at("mnt").display(),
            loader.display()
        );
        for (slot, bootname) in [("rootfs.0", "A"), ("rootfs.1", "B")] {
            write(&at(slot), "");
            let device = at(slot).display().to_string();
            system += &format!("[slot.{slot}]\ndevice={device}\ntype=raw\nbootname={bootname}\n");
        }
        write(&at("system.conf"), &system);
        write(
            &at("status"),
            &format!("[slot.rootfs.0]\nstatus=ok\ninstalled.timestamp={installed}\ninstalled.count=1\n"),
        );
        let mut rauc = command("rauc");
        rauc.arg(format!("--conf={}", at("system.conf").display()))
            .args(["--override-boot-slot=A", "service"]);
        bus.given_to(&mut rauc);
        let service = Process::start("rauc", rauc);
        wait(SOON, "RAUC on the bus", || {
            let get = "org.freedesktop.DBus.Properties.Get";
            bus.call(NAME, "/", get, &["string:de.pengutronix.rauc.Installer", "string:BootSlot"])
        });
        Self { folder, _service: service }
    }

    /// The changes requested from the boot loader so far: `set-state A good`.
    pub fn changes(&self) -> Vec<String> {
        let told: PathBuf = self.folder.path().join("told");
        let text = std::fs::read_to_string(told).unwrap_or_default();
        text.lines().filter(|line| line.starts_with("set-")).map(str::to_owned).collect()
    }
}
