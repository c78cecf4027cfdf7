//! Commands from outside: lines on stdin (answered on stdout) and on a Unix socket.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::command::{Robot, answer};
use crate::error::Error;

/// Prints one line at once. If the reader is gone, the program continues.
pub fn print_line(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Obeys the commands on stdin until it ends.
pub fn obey_stdin(robot: Arc<dyn Robot>) -> Result<(), Error> {
    if is_background() {
        return Ok(());
    }
    spawn("stdin", move || {
        for line in io::stdin().lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
            print_line(&answer(&*robot, &line));
        }
    })
}

/// Whether this is a background job: reading its terminal would stop it.
fn is_background() -> bool {
    let stdin = io::stdin();
    stdin.is_terminal()
        && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group != rustix::process::getpgrp())
}

/// The control socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
}

impl ControlSocket {
    pub fn open(path: &Path, robot: Arc<dyn Robot>) -> Result<Self, Error> {
        let failed = |error| Error::Control(path.to_owned(), error);
        if is_left_behind(path) {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        spawn("control", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let robot = robot.clone();
                let _ = spawn("control", move || {
                    let _ = converse(&stream, &*robot);
                });
            }
        })?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether this is a socket file on which nobody listens.
fn is_left_behind(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
        && UnixStream::connect(path).is_err()
}

fn converse(stream: &UnixStream, robot: &dyn Robot) -> io::Result<()> {
    let mut out = stream;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if !line.trim().is_empty() {
            writeln!(out, "{}", answer(robot, &line))?;
        }
    }
    Ok(())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name(name.into()).spawn(body).map(|_| ()).map_err(Error::Thread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use serde_json::{Value, json};

    struct Parrot;

    impl Robot for Parrot {
        fn obey(&self, command: Command) -> Result<Option<Value>, String> {
            match command {
                Command::Stat => Ok(Some(json!({"packets": 1}))),
                Command::Vanish => Err("cannot".into()),
                _ => Ok(None),
            }
        }
    }

    #[test]
    fn each_line_is_answered_by_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let socket = ControlSocket::open(&path, Arc::new(Parrot)).unwrap();
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"thaw\nstat\n\nvanish\nfly\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        assert_eq!(next(), "ok");
        assert_eq!(next(), r#"{"packets":1}"#);
        assert_eq!(next(), "error: cannot");
        assert!(next().starts_with("error: no command `fly`"));
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(ControlSocket::open(&path, Arc::new(Parrot)).unwrap());
        std::fs::File::create(&path).unwrap();
        assert!(ControlSocket::open(&path, Arc::new(Parrot)).is_err());
        assert!(path.exists());
    }
}
