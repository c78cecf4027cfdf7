//! A real D-Bus daemon on its own socket, standing in for the system bus.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::nginx::write;
use crate::process::{Process, command, run};
use crate::waiting::{SOON, wait, when};

/// The requirements of tests with a bus.
pub const NEEDED: [&str; 2] = ["dbus-daemon", "dbus-send"];

/// A bus that permits everything to everyone.
#[derive(Debug)]
pub struct Bus {
    folder: TempDir,
    daemon: Option<Process>,
}

impl Bus {
    /// Starts one, and waits for its socket.
    pub fn start() -> Self {
        let mut bus = Self::not_started();
        bus.start_again();
        bus
    }

    /// A bus with an address that does not run.
    pub fn not_started() -> Self {
        let folder = tempfile::Builder::new().prefix("robocast-bus-").tempdir().unwrap();
        let socket = folder.path().join("bus");
        write(&folder.path().join("bus.conf"), &configuration(&socket));
        Self { folder, daemon: None }
    }

    /// Starts it, again if it ran, at the same address: it has no clients.
    pub fn start_again(&mut self) {
        self.end();
        let mut daemon = command("dbus-daemon");
        daemon.arg("--nofork");
        daemon.arg(format!("--config-file={}", self.folder.path().join("bus.conf").display()));
        self.daemon = Some(Process::start("dbus-daemon", daemon));
        let socket = self.folder.path().join("bus");
        // Its file is there before anybody listens.
        wait(SOON, "the bus to listen", || UnixStream::connect(&socket));
    }

    /// Ends it.
    pub fn end(&mut self) {
        self.daemon = None;
        let _ = std::fs::remove_file(self.folder.path().join("bus"));
    }

    /// For `DBUS_SYSTEM_BUS_ADDRESS`.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    /// Makes `command` take this for the system bus.
    pub fn given_to(&self, command: &mut Command) {
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.address());
    }

    /// Calls a method by `dbus-send`; returns its output, or the error.
    pub fn call(&self, name: &str, path: &str, method: &str, arguments: &[&str]) -> Result<String, String> {
        let mut send = command("dbus-send");
        send.arg(format!("--bus={}", self.address())).args(["--print-reply", "--reply-timeout=5000"]);
        send.arg(format!("--dest={name}")).args([path, method]).args(arguments);
        match run(send) {
            (Some(0), out, _) => Ok(out),
            (_, _, error) => Err(error),
        }
    }

    /// Waits until a property of `interface` prints as `value`.
    #[track_caller]
    pub fn wait_property(&self, name: &str, path: &str, interface: &str, property: &str, value: &str) {
        let arguments = [format!("string:{interface}"), format!("string:{property}")];
        let arguments = [arguments[0].as_str(), arguments[1].as_str()];
        wait(Duration::from_secs(15), &format!("{property} {value}"), || {
            let get = "org.freedesktop.DBus.Properties.Get";
            when(self.call(name, path, get, &arguments)?, |said| said.contains(value))
        });
    }
}

fn configuration(socket: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow eavesdrop="true"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
  </policy>
</busconfig>
"#,
        socket.display()
    )
}
