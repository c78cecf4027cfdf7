//! A machine of the test's own: network, mounts and processes in namespaces, a bus, and the real NetworkManager on it.

use robocast_tests::process::{Process, command, run};
use robocast_tests::programs::{Root, able};
use robocast_tests::waiting::{SOON, wait, when};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const INSIDE: &str = "ROBOCAST_UPLINK_TEST_INSIDE";
const NEEDED: [&str; 9] =
    ["NetworkManager", "openssl", "python3", "nmcli", "dbus-daemon", "dnsmasq", "ip", "unshare", "mount"];
const BUS: &str = "unix:path=/run/dbus/system_bus_socket";

/// Everything that runs in it.
pub struct World {
    manager: RefCell<Option<Process>>,
    others: RefCell<Vec<Process>>,
    bus: RefCell<Option<Process>>,
}

/// Runs `test` in a separate world, in a child that is this same test again.
pub fn world<T: AsyncFnOnce(&World)>(test: T) {
    // The closure has the name of the test that contains it.
    let name = std::any::type_name::<T>().split("::").skip(1).take_while(|part| !part.starts_with('{'));
    let name = name.collect::<Vec<_>>().join("::");
    if std::env::var_os(INSIDE).is_none() {
        // For namespaces.
        if !able(&NEEDED, Root::Needed) {
            return;
        }
        let mut child = command("unshare");
        child.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        child.args(["--propagation", "private"]).arg(std::env::current_exe().unwrap());
        child.args(["--exact", name.as_str(), "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
        let (code, told, logged) = run(child);
        assert_eq!(code, Some(0), "{told}\n{logged}");
        assert!(told.contains("1 passed"), "it ran: {told}");
        return;
    }
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(&world));
}

/// Runs a program to its end; returns its output.
#[track_caller]
pub fn out(program: &str, arguments: &[&str]) -> String {
    let mut child = command(program);
    child.args(arguments).env("DBUS_SYSTEM_BUS_ADDRESS", BUS);
    let (code, told, logged) = run(child);
    assert_eq!(code, Some(0), "{program} {arguments:?}: {logged}");
    told
}

/// `ip`, its arguments as one text.
#[track_caller]
pub fn ip(arguments: &str) -> String {
    out("ip", &arguments.split(' ').collect::<Vec<_>>())
}

/// `nmcli`, likewise.
#[track_caller]
pub fn nmcli(arguments: &str) -> String {
    out("nmcli", &arguments.split(' ').collect::<Vec<_>>())
}

impl World {
    fn new() -> Self {
        // Without a writable /sys NetworkManager does without udev.
        out("mount", &["-t", "sysfs", "-o", "ro", "sysfs", "/sys"]);
        for folder in ["/run", "/etc/NetworkManager", "/var/lib/NetworkManager", "/var/lib/misc"] {
            std::fs::create_dir_all(folder).unwrap();
            out("mount", &["-t", "tmpfs", "tmpfs", folder]);
        }
        for folder in
            ["/run/dbus", "/run/NetworkManager", "/run/robocast", "/etc/NetworkManager/system-connections"]
        {
            std::fs::create_dir_all(folder).unwrap();
        }
        ip("link set lo up");
        for name in ["eth0", "eth1", "wl0"] {
            // The far end has its own namespace: one kernel does not send to itself over a wire.
            ip(&format!("link add {name} type veth peer name far-{name}"));
            ip(&format!("link set {name} up"));
            ip(&format!("link set far-{name} up"));
        }
        write("/run/dbus/conf", BUS_CONFIGURATION);
        // SAFETY: no other thread of this process reads the environment yet.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("DBUS_SYSTEM_BUS_ADDRESS", BUS);
        }
        write("/etc/NetworkManager/NetworkManager.conf", MANAGER_CONFIGURATION);
        let world = Self { manager: RefCell::default(), others: RefCell::default(), bus: RefCell::default() };
        world.start_bus();
        world.start_manager();
        world
    }

    /// Starts the bus, and waits until it is there.
    pub fn start_bus(&self) {
        const SOCKET: &str = "/run/dbus/system_bus_socket";
        let _ = std::fs::remove_file(SOCKET);
        let mut daemon = command("dbus-daemon");
        daemon.args(["--nofork", "--nopidfile", "--config-file=/run/dbus/conf"]);
        *self.bus.borrow_mut() = Some(Process::start("dbus-daemon", daemon));
        wait(SOON, "the bus", || std::os::unix::net::UnixStream::connect(SOCKET));
    }

    /// Ends it as a fault would.
    pub fn kill_bus(&self) {
        if let Some(bus) = self.bus.borrow_mut().as_mut() {
            bus.kill();
        }
    }

    /// Starts NetworkManager, and waits until it is there.
    pub fn start_manager(&self) {
        let mut manager = command("NetworkManager");
        manager.arg("--no-daemon").env("DBUS_SYSTEM_BUS_ADDRESS", BUS);
        *self.manager.borrow_mut() = Some(Process::start("NetworkManager", manager));
        wait(SOON, "NetworkManager", || {
            let mut asked = command("nmcli");
            asked.args(["-t", "-f", "RUNNING", "general"]).env("DBUS_SYSTEM_BUS_ADDRESS", BUS);
            when(run(asked).1, |told| told.contains("running") && !told.contains("not"))
        });
    }

    /// Ends it as a fault would.
    pub fn kill_manager(&self) {
        if let Some(manager) = self.manager.borrow_mut().as_mut() {
            manager.kill();
        }
    }

    /// Makes NetworkManager bring up wires automatically, as the image does.
    pub fn automatic(&self) {
        self.kill_manager();
        let automatic = MANAGER_CONFIGURATION.replace("no-auto-default=*", "no-auto-default=wl0");
        write("/etc/NetworkManager/NetworkManager.conf", &automatic);
        self.start_manager();
    }

    /// The folder of certificates.
    pub fn folder(&self) -> PathBuf {
        "/run/robocast/uplink".into()
    }

    /// Gives the far end of a wire an address, in its own namespace.
    pub fn address(&self, name: &str, address: &str) {
        ip(&format!("netns add {name}"));
        ip(&format!("link set far-{name} netns {name}"));
        ip(&format!("-n {name} address add {address} dev far-{name}"));
        ip(&format!("-n {name} link set far-{name} up"));
        ip(&format!("-n {name} link set lo up"));
    }

    /// A program at the far end, which prints a line once it is ready.
    pub fn far(&self, name: &str, program: &str) {
        let mut server = command("ip");
        server.args(["netns", "exec", name, "python3", "-c", program]);
        let process = Process::start(name, server);
        wait(SOON, "the far end", || when(process.told.count(), |lines| *lines > 0));
        self.others.borrow_mut().push(process);
    }

    /// A name server at the far end that knows one name.
    pub fn name_server(&self, name: &str, host: &str, address: &str) {
        let mut server = command("ip");
        server.args(["netns", "exec", name, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"]);
        server.args(["--user=root", "--no-resolv", "--no-hosts"]);
        server.arg(format!("--pid-file=/run/names-{name}")).arg(format!("--address=/{host}/{address}"));
        self.others.borrow_mut().push(Process::start("dnsmasq", server));
    }

    /// A DHCP server at the far end.
    pub fn address_server(&self, name: &str, ranges: &[&str], options: &[&str]) {
        let mut server = command("ip");
        server.args(["netns", "exec", name, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"]);
        server.args(["--port=0", "--user=root", "--dhcp-authoritative", "--no-ping"]);
        server.arg(format!("--pid-file=/run/leases-{name}.pid"));
        server.arg(format!("--interface=far-{name}")).arg(format!("--dhcp-leasefile=/run/leases-{name}"));
        server.args(ranges.iter().map(|range| format!("--dhcp-range={range}")));
        server.args(options.iter().map(|option| format!("--dhcp-option={option}")));
        self.others.borrow_mut().push(Process::start("dnsmasq", server));
    }

    /// A server that takes connections at the far end.
    pub fn serve(&self, name: &str, address: &str, port: u16) {
        self.far(
            name,
            &format!(
                "import socket\ns = socket.create_server(('{address}', {port}))\nprint('up', flush=True)\n\
                 while True: s.accept()[0].close()"
            ),
        );
    }

    /// Waits until a state is reached, letting the runtime continue.
    pub async fn until(&self, what: &str, mut there: impl FnMut() -> bool) {
        let began = Instant::now();
        while !there() {
            assert!(began.elapsed() < Duration::from_secs(20), "waited in vain: {what}\n{}", nmcli("device"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[allow(clippy::disallowed_methods)]
fn write(path: &str, text: &str) {
    std::fs::write(path, text).unwrap();
}

const BUS_CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"#;

const MANAGER_CONFIGURATION: &str = "[main]
plugins=keyfile
dns=none
rc-manager=unmanaged
no-auto-default=*
auth-polkit=false
hostname-mode=none
systemd-resolved=false
dhcp=internal
[keyfile]
unmanaged-devices=interface-name:far-*
[connectivity]
enabled=false
";
