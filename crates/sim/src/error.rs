//! Errors, each with a hint for the user.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the media runtime does not start; install GStreamer 1.22 or newer")]
    Runtime(#[source] gst::glib::Error),
    #[error("the element `{0}` is missing; install GStreamer's {1} plugins")]
    Element(&'static str, &'static str),
    #[error("{}: cannot be opened; give a readable video file", .0.display())]
    OpenFile(PathBuf, #[source] io::Error),
    #[error("{}: cannot be read as video: {detail}; give a file with H.264 in it", .path.display())]
    ReadFile { path: PathBuf, detail: String },
    #[error("{}: has no H.264 keyframe; give a file with H.264 in it", .0.display())]
    NoKeyframe(PathBuf),
    #[error("a pipeline cannot be built")]
    Pipeline(#[source] gst::glib::Error),
    #[error("a pipeline does not start: {0}")]
    Start(String),
    #[error("the encoder gave no picture: {0}; try another size or bitrate")]
    Encode(String),
    #[error("{}: the log cannot be opened; give a writable path", .0.display())]
    OpenLog(PathBuf, #[source] io::Error),
    #[error("{}: the log cannot be written; free some space", .0.display())]
    WriteLog(PathBuf, #[source] io::Error),
    #[error("{}: the control socket cannot be made; remove what is there or give another path", .0.display())]
    Control(PathBuf, #[source] io::Error),
    #[error("no interface `{0}` here; `ip link` lists them")]
    Interface(String, #[source] io::Error),
    #[error("{0}: multicast over IPv6 is not supported; give an IPv4 group")]
    Group(std::net::IpAddr),
    #[error("the sending socket cannot be set up")]
    Socket(#[source] io::Error),
    #[error("cannot listen on {0}; is another server there? Port 0 picks a free port")]
    Listen(String, #[source] gst::glib::BoolError),
    #[error("{}: not a certificate and key; give two PEM files", .0.display())]
    Certificate(PathBuf, #[source] gst::glib::Error),
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    #[error("signals cannot be waited for")]
    Signal(#[source] nix::errno::Errno),
    #[error("{0}: not a URL that can be played; use rtmp(s)://, rtsp(s)://, http(s)://, rtp:// or a file")]
    Url(String),
    #[error("{}: the picture cannot be saved: {detail}", .path.display())]
    Picture { path: PathBuf, detail: String },
}

/// The error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
