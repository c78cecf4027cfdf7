//! The texts of a support bundle. A missing part has a note in its place.

use super::PIECE;
use robocast_bus::client;
use robocast_daemon::spawn::ChildCommand;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// A program that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(15);
/// A file of the system that is larger is cut.
const SYSTEM: usize = 64 << 10;

/// The versions of the software and the board.
#[must_use]
pub fn versions() -> String {
    let mut out = format!("robocast {}\n", env!("CARGO_PKG_VERSION"));
    if let Ok(kernel) = nix::sys::utsname::uname() {
        let (release, machine) = (kernel.release().to_string_lossy(), kernel.machine().to_string_lossy());
        let _ = writeln!(out, "kernel {release} {machine}");
    }
    let files = [
        "/etc/os-release",
        "/usr/lib/robocast/board.conf",
        "/proc/device-tree/model",
        "/proc/cmdline",
        "/proc/uptime",
        "/proc/meminfo",
        "/proc/mounts",
        "/proc/pressure/memory",
    ];
    files.iter().for_each(|path| file(&mut out, path));
    out
}

/// Streams and network, one JSON object a line.
pub async fn status() -> String {
    let bus = async { zbus::connection::Builder::system().build().await };
    let bus = timeout(PATIENCE, bus).await.ok().and_then(Result::ok);
    let mut out = String::new();
    for stream in client::streams_here_on(bus.as_ref()).await.unwrap_or_default() {
        out += &serde_json::to_string(&stream).unwrap_or_default();
        out.push('\n');
    }
    let Some(bus) = bus else { return out + "net: no system bus here\n" };
    match timeout(PATIENCE, client::net(&bus)).await {
        Ok(Ok(Some(net))) => out += &format!("{}\n", serde_json::json!({ "net": net })),
        Ok(Ok(None)) => out += "net: its program is not there\n",
        Ok(Err(error)) => out += &format!("net: {error}\n"),
        Err(_) => out += "net: no answer\n",
    }
    out
}

/// Addresses, routes, name servers.
pub async fn network() -> String {
    let mut out = String::new();
    for words in [
        "ip -details address",
        "ip route show table all",
        "ip -6 route show table all",
        "ip rule",
        "nmcli --terse device status",
        "resolvectl status --no-pager",
    ] {
        out += &output_of(words).await;
    }
    ["/etc/resolv.conf", "/proc/net/dev", "/proc/net/snmp"].iter().for_each(|path| file(&mut out, path));
    out
}

/// The slots.
pub async fn updates() -> String {
    let mut out = output_of("rauc status --detailed").await;
    file(&mut out, "/var/lib/robocast/proven");
    out
}

/// This boot and the one before; only the newest lines.
pub async fn journal() -> String {
    let before = output_of("journalctl --no-pager --output=short-iso-precise --boot=-1 --lines=2000").await;
    let this = output_of("journalctl --no-pager --output=short-iso-precise --boot=0 --lines=12000").await;
    format!("{before}\n{this}")
}

/// A file of the system, if it is a regular file.
fn file(out: &mut String, path: &str) {
    let Ok(bytes) = std::fs::read(path) else { return };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SYSTEM)]).replace('\0', "");
    let _ = writeln!(out, "\n== {path}\n{}", text.trim_end());
}

/// The output of a program.
async fn output_of(words: &str) -> String {
    let mut parts = words.split(' ');
    let program = parts.next().unwrap_or_default();
    let start = parts.fold(ChildCommand::new(program, program), |program, part| program.arg(part));
    let head = format!("\n== {words}\n");
    let mut child = match start.piped().errors_piped().start() {
        Ok(child) => child,
        Err(error) => return format!("{head}({error})\n"),
    };
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else { return head };
    match timeout(PATIENCE, async { tokio::join!(tail(out), tail(err)) }).await {
        Ok((out, err)) => format!("{head}{out}{err}"),
        // It ends as it is dropped.
        Err(_) => format!("{head}(it did not end in time)\n"),
    }
}

/// The last part of the output, at most a piece.
async fn tail(mut from: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut some = vec![0; 64 << 10];
    loop {
        match from.read(&mut some).await {
            Ok(0) | Err(_) => break,
            Ok(size) => kept.extend_from_slice(&some[..size]),
        }
        if kept.len() > 2 * PIECE {
            kept.drain(..kept.len() - PIECE);
        }
    }
    let begin = kept.len().saturating_sub(PIECE);
    String::from_utf8_lossy(&kept[begin..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_output_of_a_program_is_kept_to_its_end() {
        assert_eq!(output_of("echo a b").await, "\n== echo a b\na b\n");
        assert!(output_of("nonexistent-program x").await.contains("No such file"));
        assert!(output_of("ls /nonexistent").await.contains("nonexistent'"));
        let long = output_of("seq 1 900000").await;
        assert!(long.len() < PIECE + 100 && long.ends_with("900000\n"), "{}", long.len());
    }

    #[test]
    fn versions_name_the_program_and_the_kernel() {
        let text = versions();
        assert!(text.starts_with("robocast ") && text.contains("\nkernel "), "{text}");
    }
}
