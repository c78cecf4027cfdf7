//! What the kernel is told that NetworkManager has no word for: the radio's country, how many ways an MPTCP connection may
//! take, and which of them it is to prefer now.

use robocast_daemon::spawn::Program;
use serde::Deserialize;
use std::net::IpAddr;
use tokio::sync::Mutex;

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

/// Who changes endpoints: one at a time, for what was read must still hold when it is written.
static CHANGING: Mutex<()> = Mutex::const_new(());

/// An address from which MPTCP connections may take a way, as `ip` shows it.
#[derive(Debug, Deserialize)]
struct Endpoint {
    id: u8,
    address: IpAddr,
    #[serde(default)]
    dev: String,
    #[serde(default)]
    subflow: bool,
    #[serde(default)]
    backup: bool,
}

/// Has MPTCP connections, those that there are too, go by `chosen`, and by `others` only where that gives nothing.
///
/// # Errors
/// What went wrong, in words.
pub async fn prefer(chosen: &str, others: &[String]) -> Result<(), String> {
    let _alone = CHANGING.lock().await;
    for (id, word) in priorities(&endpoints().await?, chosen, others) {
        run("ip", &["mptcp", "endpoint", "change", "id", &id.to_string(), word]).await?;
    }
    Ok(())
}

/// Has MPTCP connections take a way through an uplink that works again: the kernel gave up theirs while it did not, and looks for
/// a new one only where an endpoint is new.
///
/// # Errors
/// What went wrong, in words.
pub async fn renew(interface: &str) -> Result<(), String> {
    let _alone = CHANGING.lock().await;
    for endpoint in endpoints().await?.into_iter().filter(|end| end.dev == interface && end.subflow) {
        let (id, address) = (endpoint.id.to_string(), endpoint.address.to_string());
        run("ip", &["mptcp", "endpoint", "delete", "id", &id]).await?;
        let mut words = vec!["mptcp", "endpoint", "add", &address, "dev", interface, "id", &id, "subflow"];
        words.extend(endpoint.backup.then_some("backup"));
        run("ip", &words).await?;
    }
    Ok(())
}

async fn endpoints() -> Result<Vec<Endpoint>, String> {
    let shown = run("ip", &["-j", "mptcp", "endpoint", "show"]).await?;
    let shown = if shown.trim().is_empty() { "[]" } else { &shown };
    serde_json::from_str(shown).map_err(|error| format!("the endpoints of MPTCP: {error}"))
}

/// What is to change: the endpoint, and the word for it. Those of other interfaces are not ours.
fn priorities(endpoints: &[Endpoint], chosen: &str, others: &[String]) -> Vec<(u8, &'static str)> {
    let change = |endpoint: &Endpoint| match endpoint.backup {
        true if endpoint.dev == chosen => Some((endpoint.id, "nobackup")),
        false if others.contains(&endpoint.dev) => Some((endpoint.id, "backup")),
        _ => None,
    };
    endpoints.iter().filter_map(change).collect()
}

/// Runs a program; what it printed.
async fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let with = arguments.iter().fold(Program::new(program, program), |program, arg| program.arg(arg));
    let child = with
        .piped()
        .errors_piped()
        .start()
        .map_err(|error| format!("`{program}` does not start: {error}"))?;
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program} {}`: {} {}", arguments.join(" "), output.status, said.trim()))
}

#[cfg(test)]
mod tests {
    // Helpers of tests panic as tests do.
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_chosen_uplink_goes_first_and_no_strangers_endpoint_is_touched() {
        let shown = r#"[{"address":"10.1.0.2","id":1,"subflow":true,"dev":"wlan0"},
            {"address":"10.2.0.2","id":2,"subflow":true,"backup":true,"dev":"wwan0"},
            {"address":"10.3.0.2","id":3,"signal":true},{"address":"10.4.0.2","id":4,"subflow":true,"dev":"tun0"}]"#;
        let endpoints: Vec<Endpoint> = serde_json::from_str(shown).unwrap();
        let told = |chosen: &str, other: &str| priorities(&endpoints, chosen, &[other.to_owned()]);
        assert_eq!(told("wlan0", "wwan0"), []);
        assert_eq!(told("wwan0", "wlan0"), [(1, "backup"), (2, "nobackup")]);
        // Nothing works: as it was.
        assert_eq!(priorities(&endpoints, "", &[]), []);
    }
}
