//! `robocast status`: what the box does now.

use crate::on_box::view::{self, Room, Screen};
use robocast_bus::{NetStatus, StreamStatus, server};
use robocast_daemon::paths;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

const DEGRADED: u8 = 1;
const UNREACHABLE: u8 = 3;
/// Whoever does not answer within this is not there.
const PATIENCE: Duration = Duration::from_secs(3);

/// Shows it: 0 when all is well, 1 when something is not, 3 when nothing runs here.
pub async fn status(json: bool, watch: bool) -> ExitCode {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    // Watching on a terminal draws over what was drawn; all else goes on below.
    let mut screen = Screen::of_stdout().filter(|_| watch && !json);
    loop {
        tick.tick().await;
        let net = ask_net().await;
        let streams = ask().await;
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

/// Asks a `robocast run` on this machine; where there is none, the programs that systemd runs.
async fn ask() -> Result<Vec<StreamStatus>, String> {
    let alone = match ask_run().await {
        Ok(streams) => return Ok(streams),
        Err(why) => why,
    };
    let seen = tokio::time::timeout(PATIENCE, robocast_bus::client::streams()).await;
    match seen {
        Err(_) => Err(format!("no `robocast run` ({alone}), and no answer on the system bus")),
        Ok(Ok(streams)) if !streams.is_empty() => Ok(streams),
        Ok(Ok(_)) => Err(format!("no `robocast run` ({alone}), and no program on the system bus")),
        Ok(Err(error)) => Err(format!("no `robocast run` ({alone}), and no system bus ({error})")),
    }
}

/// What the net program says, where there is one.
async fn ask_net() -> Option<NetStatus> {
    if !server::enabled() {
        return None;
    }
    tokio::time::timeout(PATIENCE, robocast_bus::client::net_on_system_bus()).await.ok()?.ok()?
}

async fn ask_run() -> Result<Vec<StreamStatus>, String> {
    let path = paths::status_socket();
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let asking = async {
        let mut stream = UnixStream::connect(&path).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, asking)
        .await
        .map_err(|_| format!("{}: no answer", path.display()))?
        .map_err(failed)?;
    serde_json::from_slice(&answer).map_err(|error| format!("{}: {error}", path.display()))
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
