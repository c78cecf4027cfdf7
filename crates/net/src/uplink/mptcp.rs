//! The kernel's MPTCP path manager, through `ip mptcp`: how many subflows a connection may have, and which uplink it prefers.

use crate::uplink::command::{CommandError, command_line, run_command};
use serde::Deserialize;
use std::net::IpAddr;
use tokio::sync::Mutex;

/// Three uplinks and one to spare. Further addresses of a server are not accepted: they would bypass the chosen uplink.
const LIMITS: [&str; 7] = ["mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "0"];
const SHOW: [&str; 4] = ["-j", "mptcp", "endpoint", "show"];

/// Held while endpoints are changed: the values read must still be true when they are written.
static CHANGING: Mutex<()> = Mutex::const_new(());

/// An address from which MPTCP connections may open subflows, as `ip` shows it.
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

/// Sets the limits.
///
/// # Errors
/// When `ip` fails: a kernel without MPTCP. The streams then use TCP.
pub(crate) async fn set_limits() -> Result<(), CommandError> {
    run_command("ip", &LIMITS).await.map(drop)
}

/// Has MPTCP connections, existing ones too, send through `chosen`, and through `others` only as a backup.
///
/// # Errors
/// When `ip` fails.
pub async fn prefer_endpoints(chosen: &str, others: &[String]) -> Result<(), CommandError> {
    let _alone = CHANGING.lock().await;
    for (id, flag) in priorities(&endpoints().await?, chosen, others) {
        run_command("ip", &["mptcp", "endpoint", "change", "id", &id.to_string(), flag]).await?;
    }
    Ok(())
}

/// Makes MPTCP connections open a subflow through an uplink that works again: the kernel dropped the old one, and opens
/// another only for a new endpoint.
///
/// # Errors
/// When `ip` fails.
pub async fn renew_endpoints(interface: &str) -> Result<(), CommandError> {
    let _alone = CHANGING.lock().await;
    for endpoint in endpoints().await?.into_iter().filter(|end| end.dev == interface && end.subflow) {
        let (id, address) = (endpoint.id.to_string(), endpoint.address.to_string());
        run_command("ip", &["mptcp", "endpoint", "delete", "id", &id]).await?;
        let mut add = vec!["mptcp", "endpoint", "add", &address, "dev", interface, "id", &id, "subflow"];
        add.extend(endpoint.backup.then_some("backup"));
        run_command("ip", &add).await?;
    }
    Ok(())
}

async fn endpoints() -> Result<Vec<Endpoint>, CommandError> {
    let shown = run_command("ip", &SHOW).await?;
    parse_endpoints(&shown)
}

fn parse_endpoints(shown: &str) -> Result<Vec<Endpoint>, CommandError> {
    // Without endpoints `ip` prints nothing.
    let shown = if shown.trim().is_empty() { "[]" } else { shown };
    serde_json::from_str(shown)
        .map_err(|source| CommandError::Output { command: command_line("ip", &SHOW), source })
}

/// The endpoints whose flag must change, with the new flag.
fn priorities(endpoints: &[Endpoint], chosen: &str, others: &[String]) -> Vec<(u8, &'static str)> {
    let change = |endpoint: &Endpoint| match endpoint.backup {
        true if endpoint.dev == chosen => Some((endpoint.id, "nobackup")),
        false if others.contains(&endpoint.dev) => Some((endpoint.id, "backup")),
        _ => None,
    };
    endpoints.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_uplink_goes_first_and_no_strangers_endpoint_is_touched() {
        let shown = r#"[{"address":"10.1.0.2","id":1,"subflow":true,"dev":"wlan0"},
            {"address":"10.2.0.2","id":2,"subflow":true,"backup":true,"dev":"wwan0"},
            {"address":"10.3.0.2","id":3,"signal":true},{"address":"10.4.0.2","id":4,"subflow":true,"dev":"tun0"}]"#;
        let endpoints = parse_endpoints(shown).unwrap();
        let changes = |chosen: &str, other: &str| priorities(&endpoints, chosen, &[other.to_owned()]);
        assert_eq!(changes("wlan0", "wwan0"), []);
        assert_eq!(changes("wwan0", "wlan0"), [(1, "backup"), (2, "nobackup")]);
        // Nothing works: nothing changes.
        assert_eq!(priorities(&endpoints, "", &[]), []);
    }

    #[test]
    fn no_endpoints_are_an_empty_list_and_other_output_is_an_error() {
        assert!(parse_endpoints("\n").unwrap().is_empty());
        let error = parse_endpoints("Error: Unknown device").unwrap_err();
        assert!(error.to_string().starts_with("`ip -j mptcp endpoint show` prints something"), "{error}");
    }
}
