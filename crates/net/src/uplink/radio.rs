//! The radio's country, for which NetworkManager has no setting.

use crate::uplink::command::{CommandError, run_command};

/// Sets it.
///
/// # Errors
/// When `iw` fails.
pub(crate) async fn set_country(country: &str) -> Result<(), CommandError> {
    run_command("iw", &["reg", "set", country]).await.map(drop)
}
