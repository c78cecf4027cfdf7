//! What the kernel is told that NetworkManager has no word for: the radio's country, and how many ways an MPTCP connection may
//! take.

use robocast_daemon::spawn::Program;
use tokio::io::AsyncReadExt;

/// Three uplinks and one to spare. No server's further addresses are accepted: they would lead past what was chosen.
const LIMITS: [&str; 6] = ["mptcp", "limits", "set", "subflow", "4", "add_addr_accepted"];

/// Tells it; what went wrong, in words.
pub(crate) async fn tell(country: Option<&str>) -> Vec<String> {
    let mut notes = Vec::new();
    let limits = LIMITS.into_iter().chain(["0"]).collect::<Vec<_>>();
    if let Err(why) = run("ip", &limits).await {
        // A kernel without MPTCP: streams go on by TCP.
        tracing::info!("uplinks: MPTCP has no limits set: {why}");
    }
    if let Some(country) = country
        && let Err(why) = run("iw", &["reg", "set", country]).await
    {
        notes.push(format!("the radio's country is not set to {country}: {why}"));
    }
    notes
}

async fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let started = arguments.iter().fold(Program::new(program, program), |program, arg| program.arg(arg));
    let mut child =
        started.errors_piped().start().map_err(|error| format!("`{program}` does not start: {error}"))?;
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut said).await;
    }
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program} {}`: {status} {}", arguments.join(" "), said.trim())),
        Err(error) => Err(error.to_string()),
    }
}
