//! Two uplinks to one server:
//!
//! ```text
//!        wl0 --- lan [AP]    wan --- u1
//! [box]                                  [server] 203.0.113.10
//!        wn0 --- lan [LTE]   wan --- u2
//! ```
//! Each in brackets is a network namespace. The thread that makes it is in that of the box from then on, and so are its
//! children. A way is cut behind its router: the box's link stays up.

use std::fs::File;

use nix::sched::{CloneFlags, setns};

use crate::process::{command, run};
use crate::programs::{Root, able, is_there};

/// What must be installed, in addition to a kernel that lets root make namespaces.
const NEEDED: [&str; 4] = ["ip", "ss", "sysctl", "mptcpize"];
/// Where the server listens.
pub const SERVER: &str = "203.0.113.10";
/// The uplinks: one like Wi-Fi, and one like a modem.
pub const UPLINKS: [&str; 2] = ["wl0", "wn0"];

/// The namespaces; removed when dropped.
#[derive(Debug)]
pub struct TwoWays {
    name: String,
    /// The namespace of before.
    home: File,
}

/// Whether this may make namespaces, with the programs that it takes and `more`.
pub fn may(more: &[&str]) -> bool {
    if !able(&[&NEEDED[..], more].concat(), Root::Needed) {
        return false;
    }
    let tried = format!("rc-try-{}-{:?}", std::process::id(), std::thread::current().id());
    let tried = tried.replace(['(', ')'], "");
    let made = ip(&["netns", "add", &tried]).is_ok();
    if made {
        let _ = ip(&["netns", "del", &tried]);
    }
    is_there("a kernel with network namespaces", made)
}

impl TwoWays {
    /// Makes them; both ways work.
    pub fn new() -> Self {
        let name = format!("rc{}-{:?}", std::process::id(), std::thread::current().id());
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "");
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        let ways = Self { name, home };
        for part in ["box", "ap", "lte", "server"] {
            must(&["netns", "add", &ways.part(part)]);
            ways.ip(part, "link set lo up");
        }
        ways.link("box", "wl0", "192.168.9.2/24", "ap", "lan", "192.168.9.1/24");
        ways.link("box", "wn0", "10.64.0.2/24", "lte", "lan", "10.64.0.1/24");
        ways.link("ap", "wan", "198.51.100.1/24", "server", "u1", "198.51.100.2/24");
        ways.link("lte", "wan", "198.51.101.1/24", "server", "u2", "198.51.101.2/24");
        ways.ip("server", &format!("addr add {SERVER}/32 dev lo"));
        ways.ip("ap", &format!("route add {SERVER} via 198.51.100.2"));
        ways.ip("lte", &format!("route add {SERVER} via 198.51.101.2"));
        ways.ip("server", "route add 192.168.9.0/24 via 198.51.100.1");
        ways.ip("server", "route add 10.64.0.0/24 via 198.51.101.1");
        ways.routes();
        for uplink in UPLINKS {
            ways.cut(uplink, false);
        }
        ways.enter(&ways.part("box"));
        ways
    }

    /// NetworkManager's part: a default route each.
    fn routes(&self) {
        self.ip("box", "route replace default via 192.168.9.1 dev wl0 metric 600");
        self.ip("box", "route replace default via 10.64.0.1 dev wn0 metric 700");
    }

    /// The net program's part: the kernel may move connections, `chosen` first, the other as a backup.
    pub fn endpoints(&self, chosen: &str) {
        self.ip("box", "mptcp limits set subflow 4 add_addr_accepted 4");
        self.ip("server", "mptcp limits set subflow 4");
        for (uplink, address) in UPLINKS.iter().zip(["192.168.9.2", "10.64.0.2"]) {
            let backup = if *uplink == chosen { "" } else { " backup" };
            self.ip("box", &format!("mptcp endpoint add {address} dev {uplink} subflow{backup}"));
        }
    }

    /// The words that start a program at the server.
    pub fn at_server(&self) -> [String; 4] {
        ["ip", "netns", "exec", &self.part("server")].map(str::to_owned)
    }

    /// Cuts a way behind its router, or repairs it. Nothing is notified.
    pub fn cut(&self, uplink: &str, cut: bool) {
        let part = self.part(if uplink == "wl0" { "ap" } else { "lte" });
        let forward = format!("net.ipv4.ip_forward={}", u8::from(!cut));
        must(&["netns", "exec", &part, "sysctl", "-qw", &forward]);
    }

    /// Makes a way as a weak radio makes it: it loses 2 % each way, and carries 2 Mbit/s behind a queue of 300 ms.
    pub fn worsen(&self, uplink: &str) {
        let router = if uplink == "wl0" { "ap" } else { "lte" };
        let part = self.part(router);
        let loss = "table ip weak { chain forward { type filter hook forward priority 0; \
                    numgen random mod 50 == 0 drop; }; }";
        must(&["netns", "exec", &part, "nft", loss]);
        let shape = "qdisc add dev wan root tbf rate 2mbit burst 4kb latency 300ms";
        let words: Vec<&str> = ["netns", "exec", &part, "tc"].into_iter().chain(shape.split(' ')).collect();
        must(&words);
    }

    /// How many TCP connections from the box to the server exist; those that MPTCP joins to one count separately.
    pub fn connections(&self) -> usize {
        let mut ss = command("ip");
        ss.args(["netns", "exec", &self.part("box"), "ss", "-Htn", "state", "established", "dst", SERVER]);
        run(ss).1.lines().count()
    }

    /// Takes a link of the box down, or up again with what NetworkManager then does.
    pub fn link_down(&self, uplink: &str, down: bool) {
        self.ip("box", &format!("link set {uplink} {}", if down { "down" } else { "up" }));
        if !down {
            self.routes();
        }
    }

    fn part(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    fn ip(&self, part: &str, words: &str) {
        let part = self.part(part);
        let words: Vec<&str> = ["-n", &part].into_iter().chain(words.split(' ')).collect();
        must(&words);
    }

    fn link(&self, a: &str, a_end: &str, a_address: &str, b: &str, b_end: &str, b_address: &str) {
        let (a_part, b_part) = (self.part(a), self.part(b));
        let b_words = ["type", "veth", "peer", "name", b_end, "netns", &b_part];
        must(&[&["link", "add", a_end, "netns", &a_part][..], &b_words].concat());
        for (part, end, address) in [(a, a_end, a_address), (b, b_end, b_address)] {
            self.ip(part, &format!("addr add {address} dev {end}"));
            self.ip(part, &format!("link set {end} up"));
        }
    }

    fn enter(&self, name: &str) {
        let namespace = File::open(format!("/run/netns/{name}")).unwrap();
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
    }
}

impl Default for TwoWays {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TwoWays {
    fn drop(&mut self) {
        let _ = setns(&self.home, CloneFlags::CLONE_NEWNET);
        for part in ["box", "ap", "lte", "server"] {
            let _ = ip(&["netns", "del", &self.part(part)]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let mut ip = command("ip");
    ip.args(words);
    match run(ip) {
        (Some(0), _, _) => Ok(()),
        (_, _, error) => Err(format!("ip {}: {error}", words.join(" "))),
    }
}

#[track_caller]
fn must(words: &[&str]) {
    ip(words).unwrap_or_else(|error| panic!("{error}"));
}
