//! Where log lines go: to the journal when systemd holds our stderr, in colour to a terminal, as
//! plain lines otherwise. `ROBOCAST_LOG` sets the level (`error` to `trace`; `info` by default).

use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// Starts logging for this process. Called once, first thing in `main`.
pub fn start(program: &'static str) {
    let level = std::env::var("ROBOCAST_LOG")
        .ok()
        .and_then(|level| level.parse::<LevelFilter>().ok())
        .unwrap_or(LevelFilter::INFO);
    let registry = tracing_subscriber::registry().with(level);
    if stderr_is_the_journal()
        && let Ok(journal) = tracing_journald::layer()
    {
        // Fields become ROBOCAST_STREAM=, ROBOCAST_SINK= and so on.
        let journal = journal
            .with_field_prefix(Some("ROBOCAST".into()))
            .with_syslog_identifier(format!("robocast-{program}"));
        let _ = tracing::subscriber::set_global_default(registry.with(journal));
        return;
    }
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let _ = if terminal {
        tracing::subscriber::set_global_default(registry.with(lines.without_time().with_ansi(true)))
    } else {
        tracing::subscriber::set_global_default(registry.with(lines.with_ansi(false)))
    };
}

/// An error with all its causes on one line, outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// Whether `$JOURNAL_STREAM` names the file that is our stderr.
fn stderr_is_the_journal() -> bool {
    std::env::var("JOURNAL_STREAM").is_ok_and(|stream| is_same_file(&stream, "/proc/self/fd/2"))
}

/// Whether `named`, which is `DEVICE:INODE`, is the file at `path`.
fn is_same_file(named: &str, path: &str) -> bool {
    let numbers = named.split_once(':').and_then(|(d, i)| Some((d.parse().ok()?, i.parse().ok()?)));
    let Some((device, inode)) = numbers else { return false };
    std::fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (device, inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the settings")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_chain_is_one_line_outermost_first() {
        let error = Outer(io::Error::other("the disk is gone"));
        assert_eq!(chain(&error), "cannot read the settings: the disk is gone");
        assert_eq!(chain(&io::Error::other("alone")), "alone");
    }

    #[test]
    fn a_terminal_or_a_file_is_not_the_journal() {
        // Tests have no JOURNAL_STREAM, or one that is not this process's stderr.
        assert!(!is_same_file("0:0", "/proc/self/fd/2") && !is_same_file("x", "/proc/self/fd/2"));
        let about = std::fs::metadata("/proc/self/fd/2").unwrap();
        assert!(is_same_file(&format!("{}:{}", about.dev(), about.ino()), "/proc/self/fd/2"));
    }
}
