//! `robocast status`: the current state of the box.

use crate::appliance::view::{self, Room, Screen};
use robocast_bus::client::{net_on_system_bus, streams_here};
use robocast_bus::{NetStatus, StreamStatus, server};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

const DEGRADED: u8 = 1;
const UNREACHABLE: u8 = 3;
/// A program that does not answer within this counts as absent.
const PATIENCE: Duration = Duration::from_secs(3);

/// Shows it: 0 when all is well, 1 when something is not, 3 when nothing runs here.
pub async fn status(json: bool, watch: bool) -> ExitCode {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    // On a terminal each table replaces the previous one; otherwise it follows below.
    let mut screen = Screen::of_stdout().filter(|_| watch && !json);
    loop {
        tick.tick().await;
        let net = ask_net().await;
        let streams = streams_here().await;
        let (code, trouble) = match (&streams, &net) {
            (Ok(streams), net) => {
                let well = streams.iter().all(|stream| stream.state.well());
                let code = if well && net.as_ref().is_none_or(|net| net.proven) { 0 } else { DEGRADED };
                (code, None)
            }
            (Err(why), Some(_)) => (DEGRADED, Some(format!("robocast: no stream runs here: {why}"))),
            (Err(why), None) => (UNREACHABLE, Some(format!("robocast: nothing runs here: {why}"))),
        };
        let (streams, net) = (streams.as_deref().unwrap_or_default(), net.as_ref());
        if let Some(screen) = &mut screen {
            let room = Room::of_stdout();
            let mut lines = view::lines(streams, net, screen.colour, Some(room.columns));
            lines.extend(trouble.iter().flat_map(|why| view::failure(why, screen.colour, room.columns)));
            screen.show(None, &lines, room);
        } else {
            show(streams, net, json);
            if let Some(why) = trouble {
                eprintln!("{why}");
            }
        }
        if !watch {
            return ExitCode::from(code);
        }
    }
}

/// The status of the net program, where there is one.
async fn ask_net() -> Option<NetStatus> {
    if !server::enabled() {
        return None;
    }
    tokio::time::timeout(PATIENCE, net_on_system_bus()).await.ok()?.ok()?
}

fn show(streams: &[StreamStatus], net: Option<&NetStatus>, json: bool) {
    let mut out = std::io::stdout().lock();
    if json {
        for stream in streams {
            let _ = serde_json::to_writer(&mut out, stream);
            let _ = writeln!(out);
        }
        if let Some(net) = net {
            let _ = writeln!(out, "{}", serde_json::json!({ "net": net }));
        }
        return;
    }
    let terminal = std::io::stdout().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    for line in view::lines(streams, net, colour, terminal.then(|| Room::of_stdout().columns)) {
        let _ = writeln!(out, "{line}");
    }
}
