//! The box's own key: made when it is first needed, never replaced.

use crate::problem::ProvisionProblem;
use crate::state_dir::StateDir;
use robocast_stick::BoxKey;

/// The file in the state.
pub const FILE: &str = "keys/box.age";
const LIMIT: usize = 4096;

/// The key of the box; a new one when there is none.
///
/// # Errors
/// It is damaged, or a new one cannot be kept. A damaged one stays: otherwise everything sealed to it would be lost.
pub fn load_or_make_key(state: &StateDir) -> Result<BoxKey, ProvisionProblem> {
    if let Some(bytes) = state.read(FILE, LIMIT)? {
        let text = String::from_utf8_lossy(&bytes);
        return BoxKey::parse(&text).map_err(|_| {
            ProvisionProblem::new(format!("the key of the box, {}, is damaged", state.file(FILE).display()))
                .with_hint("flash the box again, and seal to the new key in its receipt")
        });
    }
    let key = BoxKey::generate();
    state.write(FILE, key.to_text().expose().as_bytes())?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_and_a_damaged_one_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir { state: folder.path().join("lib/robocast"), run: folder.path().into() };
        let key = load_or_make_key(&state).unwrap().recipient();
        assert_eq!(load_or_make_key(&state).unwrap().recipient(), key);
        let path = state.file(FILE);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        state.write(FILE, b"AGE-SECRET-KEY-1XYZ").unwrap();
        let told = load_or_make_key(&state).unwrap_err().to_string();
        assert!(told.contains("damaged") && !told.contains("1XYZ"), "{told}");
        assert_eq!(state.read(FILE, 100).unwrap().unwrap(), b"AGE-SECRET-KEY-1XYZ");
    }
}
