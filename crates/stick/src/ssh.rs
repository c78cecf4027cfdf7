//! SSH keys for logging in to a box: a file in the form of OpenSSH's `authorized_keys`.

use ssh_key::PublicKey;

/// Not a valid file. It never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshKeysError {
    /// Not UTF-8.
    #[error("this is no text: it holds one public key a line, as `ssh-keygen` writes them to *.pub")]
    NoText,
    /// A secret key.
    #[error(
        "this is a private key: keep it, put the public one here (*.pub), and use neither on a lost stick"
    )]
    Private,
    /// A line that is no key.
    #[error("line {0} is no public key: one a line, as `ssh-keygen` writes them to *.pub")]
    Line(usize),
    /// Nothing but white space and comments.
    #[error("there is no public key here: one a line, as `ssh-keygen` writes them to *.pub")]
    Empty,
}

/// How many keys such a file holds: the whole file is valid, or an error.
///
/// # Errors
/// It holds no keys, or something else.
pub fn count(file: &[u8]) -> Result<usize, SshKeysError> {
    let text = std::str::from_utf8(file).map_err(|_| SshKeysError::NoText)?;
    if text.contains("PRIVATE KEY-----") {
        return Err(SshKeysError::Private);
    }
    let mut keys = 0;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_key(line) && !is_key(behind_options(line)) {
            return Err(SshKeysError::Line(number + 1));
        }
        keys += 1;
    }
    if keys == 0 { Err(SshKeysError::Empty) } else { Ok(keys) }
}

/// Its kind, the key, and perhaps a comment.
fn is_key(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (Some(kind), Some(key)) = (words.next(), words.next()) else { return false };
    PublicKey::from_openssh(&format!("{kind} {key}")).is_ok()
}

/// The text after the options of a line: they end at the first white space that is not in quotes.
fn behind_options(line: &str) -> &str {
    let (mut quoted, mut before) = (false, ' ');
    let end = line.find(|c: char| {
        quoted ^= c == '"' && before != '\\';
        before = c;
        c.is_whitespace() && !quoted
    });
    end.map_or("", |end| &line[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Made by `ssh-keygen`, their private halves thrown away.
    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMBP5QpiSL2OD7ARsPrWReEjwJ6l0nXIpq12/NG0r29s";

    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB\
        BMaysyA0U283/UpwjHidp73Y2I+qUx5hL3iYCp5+DAn4+RZWLOCML0nWuU03lBdFU+cqYsNMQgJOaO7J6q+3Bcs=";

    const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDfFOGMEcW8c+JbAUDx1Bqo2e8B1PQBppQQz6DmWH7iOKG/u/wJ3tMyM6KgnIFutJCEDPcV\
        KIajwOPnEt35imHnjXpEMVcw5rUl7DByL3i+iV3bfucueq9I6THC8rPHF4NbbLS3Hg0jyltFYyC7GfyjKQmsomO6viXlKAeLt/XP\
        6tcx9XGp2mm0LzJRUN/+DDXCsS0GAmIKqZzpBYLHQr7MMf2SYjAsAE2VIFzON/DIx8nXtSRNCcE5/Ld+bEedR54T4Y/q6DjEfkra\
        NJfmdzqsrBX1IWovC1zm8ODm3hefhlQn361+aMRfeC+gZjOECxtIhKbwSODwXb4vSRfDyzLr";

    #[test]
    fn keys_are_counted() {
        assert_eq!(count(RSA.as_bytes()), Ok(1));
        assert_eq!(count(ECDSA.as_bytes()), Ok(1));
        let two = format!("# mine\r\n{ED25519} me@laptop\r\n\nfrom=\"10.0.0.0/8\",no-pty {ED25519}\n");
        assert_eq!(count(ED25519.as_bytes()), Ok(1));
        assert_eq!(count(two.as_bytes()), Ok(2));
        let options = format!("command=\"say \\\"a b\\\"\",restrict  {ED25519}\tme at home");
        assert_eq!(count(options.as_bytes()), Ok(1));
    }

    #[test]
    fn what_is_no_key_is_told_by_its_line() {
        for (file, error) in [
            ("", SshKeysError::Empty),
            ("# none\n", SshKeysError::Empty),
            ("ssh-ed25519 AAAA", SshKeysError::Line(1)),
            ("\nkey\n", SshKeysError::Line(2)),
            ("command=\"a b", SshKeysError::Line(1)),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", SshKeysError::Private),
        ] {
            assert_eq!(count(file.as_bytes()), Err(error), "{file}");
        }
        assert_eq!(count(&[0xff, 0xfe]), Err(SshKeysError::NoText));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(file in proptest::collection::vec(any::<u8>(), 0..400), at in 0..80usize) {
            let _ = count(&file);
            let mut near = ED25519.as_bytes().to_vec();
            near[at] = *file.first().unwrap_or(&b'x');
            let _ = count(&near);
        }
    }
}
