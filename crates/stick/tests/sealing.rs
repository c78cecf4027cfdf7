//! A sealed text is opened by its box, and by no other; no message holds a secret.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use robocast_config::{Problems, Unseal, check, parse, parse_with};
use robocast_stick::{BoxKey, open_document, seal, seal_document};

const PLAIN: &str = include_str!("../../config/tests/example.toml");

#[test]
fn a_sealed_document_means_on_its_box_what_the_plain_one_does() {
    let key = BoxKey::generate();
    let sealed = seal_document(PLAIN, &key.recipient()).unwrap();
    // It is valid, and warns of nothing that the plain one does not warn of.
    let (warnings, plain) = (check(sealed.as_bytes()).unwrap(), check(PLAIN.as_bytes()).unwrap());
    for warning in warnings {
        assert!(plain.iter().any(|other| other.message == warning.message), "{warning:?}");
    }
    let settings = parse_with(sealed.as_bytes(), &key).unwrap().settings;
    assert_eq!(settings, parse(PLAIN.as_bytes()).unwrap().settings);
    for secret in ["\"secret\"", "wpa-secret", "/app/KEY", "publish:spot-07"] {
        assert!(PLAIN.contains(secret) && !sealed.contains(secret), "{secret}\n{sealed}");
    }
    let comments = |text: &str| text.matches('#').count();
    assert_eq!((sealed.lines().count(), comments(&sealed)), (PLAIN.lines().count(), comments(PLAIN)));
    assert_eq!(open_document(&sealed, &key).unwrap(), PLAIN);
}

#[test]
fn another_boxs_key_opens_nothing_and_says_what_to_do() {
    let (key, other) = (BoxKey::generate(), BoxKey::generate());
    let sealed = seal_document(PLAIN, &key.recipient()).unwrap();
    let problems: Problems = open_document(&sealed, &other).unwrap_err();
    assert_eq!(problems.iter().count(), 6, "each value: {problems}");
    for problem in &problems {
        assert!(problem.message.contains("another box") && problem.message.contains("robocast stick seal"));
    }
}

#[test]
fn a_damaged_value_is_told_from_one_of_another_box() {
    let key = BoxKey::generate();
    let sealed = seal(&key.recipient(), "SECRET");
    for damaged in [
        "",
        "SECRET",
        "AAAA",
        &sealed[..sealed.len() - 4],
        &BASE64_STANDARD.encode("age-encryption.org/v1\n"),
    ] {
        let why = key.unseal(damaged).unwrap_err();
        assert!(why.contains("damaged") && !why.contains("SECRET"), "{why}");
    }
    let broken: String =
        sealed.as_bytes().chunks(64).flat_map(|l| [std::str::from_utf8(l).unwrap(), "\r\n"]).collect();
    assert_eq!(key.unseal(&broken), Ok("SECRET".to_owned()), "lines do no harm");
}

#[cfg(target_os = "linux")]
#[allow(clippy::unwrap_used)]
mod age_itself {
    use super::*;
    use robocast_tests::programs::have;
    use std::path::Path;
    use std::process::{Command, Stdio};

    /// Runs a program: text in, text out.
    #[allow(clippy::disallowed_methods)]
    fn run(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a sound test");
        child.stdin.take().expect("a sound test").write_all(input).expect("a sound test");
        let output = child.wait_with_output().expect("a sound test");
        assert!(output.status.success(), "{program} {args:?}");
        output.stdout
    }

    #[allow(clippy::disallowed_methods)]
    fn put(file: &Path, text: &str) {
        std::fs::write(file, text).expect("a file");
    }

    fn understands(program: &str) {
        let key = BoxKey::generate();
        let made = run(program, &["-r", &key.recipient().to_string()], "päss".as_bytes());
        assert_eq!(key.unseal(&BASE64_STANDARD.encode(made)), Ok("päss".to_owned()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        put(&file, key.to_text().expose());
        let sealed = BASE64_STANDARD.decode(seal(&key.recipient(), "päss")).unwrap();
        assert_eq!(run(program, &["-d", "-i", file.to_str().unwrap()], &sealed), "päss".as_bytes());
    }

    #[test]
    fn seals_for_a_box_and_opens_what_is_sealed() {
        if have(&["age"]) {
            understands("age");
        }
    }

    /// The same in Rust, which Debian 12 does not have: checked where it happens to be installed.
    #[test]
    #[allow(clippy::disallowed_methods)]
    fn and_so_does_rage_where_it_is_installed() {
        if Command::new("rage").arg("--version").output().is_ok() {
            understands("rage");
        }
    }
}

/// Written by the program `age` 1.2.1 for the key below it: `printf %s secret | age -r age1... | base64 -w0`.
const OF_AGE: &str = include_str!("of_age.txt");

#[test]
fn what_age_once_sealed_is_opened() {
    let mut lines = OF_AGE.lines().filter(|line| !line.starts_with('#'));
    let (sealed, key) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(BoxKey::parse(key).unwrap().unseal(sealed), Ok("secret".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sealed_is_opened_again(text in "\\PC{0,200}") {
        let key = BoxKey::generate();
        let sealed = seal(&key.recipient(), &text);
        prop_assert_eq!(key.unseal(&sealed), Ok(text.clone()));
        prop_assert_ne!(&seal(&key.recipient(), &text), &sealed, "each time another");
        prop_assert!(BoxKey::generate().unseal(&sealed).is_err());
    }

    #[test]
    fn any_changed_byte_of_a_sealed_value_is_refused(at: usize, flip in 1u8.., cut: bool) {
        let key = BoxKey::generate();
        let mut bytes = BASE64_STANDARD.decode(seal(&key.recipient(), "SECRET text")).unwrap();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
        let opened = key.unseal(&BASE64_STANDARD.encode(bytes));
        prop_assert!(opened.is_err(), "byte {}", at);
        let told = format!("{opened:?}");
        prop_assert!(!told.contains("SECRET"), "{}", told);
    }

    #[test]
    fn any_password_survives_sealing_and_opening(
        password in "\\PC{6,40}",
        key in "[A-Za-z0-9_=&%-]{1,30}",
        comment in "[a-z #\"'=]{0,20}",
        end in "\n|\r\n",
    ) {
        let quoted = robocast_config::quoted(&password);
        let text = format!(
            "schema = 1 # {comment}\n[page]\npassword = {quoted} # {comment}\n[[stream]]\nname = \"a\" # {comment}\n\
             source = \"test:\"\npush = [\"rtmp://h/app/{key}\"] # {comment}\n"
        ).replace('\n', &end);
        let before = parse(text.as_bytes()).unwrap().settings;
        let held = BoxKey::generate();
        let sealed = seal_document(&text, &held.recipient()).unwrap();
        prop_assert_eq!(&parse_with(sealed.as_bytes(), &held).unwrap().settings, &before);
        prop_assert_eq!(sealed.matches(&format!(" # {comment}")).count(), text.matches(&format!(" # {comment}")).count());
        let opened = open_document(&sealed, &held).unwrap();
        prop_assert_eq!(&parse(opened.as_bytes()).unwrap().settings, &before);
        prop_assert_eq!(open_document(&opened, &held).unwrap(), opened);
    }

    #[test]
    fn no_text_makes_it_panic_or_tells_a_secret(text in "(schema = 1\n)?(page\\.password|control| = |\"SECRET\"|\\{ sealed = |[{}\\[\\]#\n\"]|\\PC){0,25}") {
        let key = BoxKey::generate();
        for result in [seal_document(&text, &key.recipient()), open_document(&text, &key)] {
            if let Err(problems) = result {
                let told = format!("{problems} {problems:?}");
                prop_assert!(!told.contains("SECRET\""), "{}", told);
            }
        }
        let _ = key.unseal(&text);
    }
}
