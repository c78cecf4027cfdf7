//! The box's own key: made when it is first wanted, never replaced.

use crate::home::Home;
use crate::trouble::Trouble;
use robocast_stick::BoxKey;

/// The file in the state.
pub const FILE: &str = "keys/box.age";
const LIMIT: usize = 4096;

/// The key of the box; a new one when there is none.
///
/// # Errors
/// It is damaged, or a new one cannot be kept. A damaged one stays: what is sealed to it is lost otherwise.
pub fn load_or_make(home: &Home) -> Result<BoxKey, Trouble> {
    if let Some(bytes) = home.read(FILE, LIMIT)? {
        let text = String::from_utf8_lossy(&bytes);
        return BoxKey::parse(&text).map_err(|_| {
            Trouble::new(format!("the key of the box, {}, is damaged", home.file(FILE).display()))
                .mend("flash the box anew, and seal to the new key in its receipt")
        });
    }
    let key = BoxKey::generate();
    home.write(FILE, key.to_text().expose().as_bytes())?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_and_a_damaged_one_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { state: folder.path().join("lib/robocast"), run: folder.path().into() };
        let key = load_or_make(&home).unwrap().recipient();
        assert_eq!(load_or_make(&home).unwrap().recipient(), key);
        let path = home.file(FILE);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        home.write(FILE, b"AGE-SECRET-KEY-1XYZ").unwrap();
        let told = load_or_make(&home).unwrap_err().to_string();
        assert!(told.contains("damaged") && !told.contains("1XYZ"), "{told}");
        assert_eq!(home.read(FILE, 100).unwrap().unwrap(), b"AGE-SECRET-KEY-1XYZ");
    }
}
