//! The program `nft`, run on the robot's side: loads a ruleset, and reads back the loaded one.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use robocast_daemon::spawn::ChildCommand;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::namespace::Namespace;
use super::observed::{FirewallChain, LoadedFirewall};

/// How long it may take: it makes a few system calls.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the firewall cannot be loaded or read.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// The program cannot be started.
    #[error("nft cannot be started: {0}. Is nftables installed?")]
    Missing(io::Error),
    /// It does not finish.
    #[error("nft does not finish within {} s", PATIENCE.as_secs())]
    Silent,
    /// It refuses.
    #[error("nft refuses: {0}. Does the kernel have nf_tables, does the program have CAP_NET_ADMIN?")]
    Refused(String),
}

/// Loads a ruleset in nft's language, in one transaction.
///
/// # Errors
/// When the program is missing or refuses; nothing was changed then.
pub async fn load_ruleset(namespace: &Namespace, text: &str) -> Result<(), NftError> {
    run(namespace, &[text]).await.map(|_| ())
}

/// The loaded firewall; none where ours is not loaded.
///
/// # Errors
/// When the program is missing or fails.
pub async fn loaded_firewall(namespace: &Namespace) -> Result<Option<LoadedFirewall>, NftError> {
    Ok(parse_ruleset(&run(namespace, &["--json", "list", "ruleset"]).await?))
}

/// Our table as text that can be loaded again; `None` where there is none.
///
/// # Errors
/// When the program is missing or fails.
pub async fn list_table(namespace: &Namespace) -> Result<Option<String>, NftError> {
    match run(namespace, &["--stateless", "list", "table", "inet", "robocast"]).await {
        Ok(table) => Ok(Some(format!("table inet robocast\ndelete table inet robocast\n{table}"))),
        Err(NftError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn run(namespace: &Namespace, args: &[&str]) -> Result<String, NftError> {
    let mut program = ChildCommand::new("nft", "nft").piped().errors_piped();
    // The ruleset is passed as an argument: nothing in it is secret.
    for arg in args {
        program = program.arg(arg);
    }
    let ran = namespace.run_task(move || async move { timeout(PATIENCE, collect(&program)).await });
    let output = ran.await.map_err(NftError::Missing)?.map_err(|_| NftError::Silent)?;
    let (ok, out, errors) = output.map_err(NftError::Missing)?;
    if !ok {
        return Err(NftError::Refused(errors.lines().next().unwrap_or("it gives no reason").to_owned()));
    }
    Ok(out)
}

async fn collect(program: &ChildCommand) -> io::Result<(bool, String, String)> {
    let mut child = program.start()?;
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let read_out = async {
        match &mut stdout {
            Some(stdout) => stdout.read_to_end(&mut out).await,
            None => Ok(0),
        }
    };
    let read_errors = async {
        match &mut stderr {
            Some(stderr) => stderr.read_to_end(&mut errors).await,
            None => Ok(0),
        }
    };
    tokio::try_join!(read_out, read_errors)?;
    let status = child.wait().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((status.success(), text(&out), text(&errors)))
}

/// Our table in the output of `nft --json list ruleset`.
fn parse_ruleset(json: &str) -> Option<LoadedFirewall> {
    let ruleset: Value = serde_json::from_str(json).ok()?;
    let objects = ruleset.get("nftables")?.as_array()?;
    let ours = |object: &Value, key: &str| object["family"] == "inet" && object[key] == "robocast";
    objects.iter().filter_map(|object| object.get("table")).find(|table| ours(table, "name"))?;
    let mut chains = BTreeMap::new();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for object in objects {
        if let Some(chain) = object.get("chain").filter(|chain| ours(chain, "table")) {
            let read = FirewallChain {
                hook: word(&chain["hook"]),
                policy: word(&chain["policy"]),
                rules: Vec::new(),
            };
            chains.insert(word(&chain["name"]), read);
        }
        if let Some(rule) = object.get("rule").filter(|rule| ours(rule, "table"))
            && let Some(chain) = chains.get_mut(rule["chain"].as_str().unwrap_or_default())
        {
            chain.rules.push(word(&rule["comment"]));
        }
    }
    Some(LoadedFirewall(chains))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_table_is_found_among_others() {
        let json = r#"{"nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "ip", "name": "robocast", "handle": 1}},
            {"chain": {"family": "ip", "table": "robocast", "name": "input", "hook": "input", "policy": "accept"}},
            {"table": {"family": "inet", "name": "robocast", "handle": 2}},
            {"chain": {"family": "inet", "table": "robocast", "name": "input", "hook": "input", "policy": "drop"}},
            {"rule": {"family": "inet", "table": "robocast", "chain": "input", "comment": "a", "expr": []}},
            {"rule": {"family": "inet", "table": "robocast", "chain": "input", "expr": []}}
        ]}"#;
        let rules = vec!["a".to_owned(), String::new()];
        let chain = FirewallChain { hook: "input".into(), policy: "drop".into(), rules };
        assert_eq!(parse_ruleset(json), Some(LoadedFirewall(BTreeMap::from([("input".into(), chain)]))));
        assert_eq!(parse_ruleset(r#"{"nftables": []}"#), None);
        assert_eq!(parse_ruleset("not JSON"), None);
    }
}
