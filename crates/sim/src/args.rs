//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::pattern::{Coding, Size};

/// Robots that speak the real protocols, and a probe that watches where their video arrives.
#[derive(Debug, Parser)]
#[command(name = "robocast-sim", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub word: Word,
}

#[derive(Debug, Subcommand)]
pub enum Word {
    /// A Unitree Go2: H.264 over RTP to a multicast group
    Go2(Go2Arguments),
    /// An RTSP camera, or several
    Rtsp(RtspArguments),
    /// Plays a stream and reports how well it arrives
    Probe(ProbeArguments),
}

#[derive(Debug, Args)]
pub struct FootageArguments {
    /// Plays this file in a loop, slices unchanged (its own size, speed and bitrate)
    #[arg(long, value_name = "FILE", conflicts_with = "pattern")]
    pub file: Option<PathBuf>,
    /// Encodes a moving pattern with a burnt-in clock (the default)
    #[arg(long)]
    pub pattern: bool,
    /// Size of the pattern
    #[arg(long, value_name = "WxH", default_value = "1280x720")]
    pub size: Size,
    /// Pictures per second of the pattern
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    pub fps: u32,
    /// Bitrate of the pattern in kbit/s
    #[arg(long, value_name = "KBIT", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub bitrate: u32,
    /// Time between keyframes of the pattern: 1s, 500ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub keyframe_interval: Duration,
    /// Appends a line for each coded slice sent: SEQUENCE TYPE FNV1A64 LENGTH (several RTSP paths: FILE.PATH each)
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// RTP payload type
    #[arg(long, value_name = "N", default_value_t = 96, value_parser = clap::value_parser!(u8).range(96..=127))]
    pub payload_type: u8,
    /// Makes sessions and faults repeatable; otherwise they differ each time
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Also accepts commands on this Unix socket, one per line, as on stdin
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
}

impl FootageArguments {
    pub fn coding(&self) -> Coding {
        Coding {
            size: self.size,
            fps: self.fps,
            kbit_per_second: self.bitrate,
            keyframe_interval: self.keyframe_interval,
        }
    }
}

#[derive(Debug, Args)]
pub struct Go2Arguments {
    /// Multicast group, or a unicast address
    #[arg(long, value_name = "ADDRESS", default_value = "230.1.1.1")]
    pub group: IpAddr,
    #[arg(long, value_name = "PORT", default_value_t = 1720, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Interface to send multicast on
    #[arg(long, value_name = "NAME", default_value = "lo")]
    pub interface: String,
    #[command(flatten)]
    pub footage: FootageArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthMethod {
    Digest,
    Basic,
}

#[derive(Debug, Args)]
pub struct RtspArguments {
    /// Port 0 picks a free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8554", value_parser = listen)]
    pub listen: (String, u16),
    /// Adds a camera at this path; may be repeated
    #[arg(long, value_name = "PATH", default_value = "/front", value_parser = path)]
    pub path: Vec<String>,
    /// Serves rtsps with this certificate (PEM files)
    #[arg(long, num_args = 2, value_names = ["CERTIFICATE", "KEY"])]
    pub tls: Option<Vec<PathBuf>>,
    /// Lets in only this user
    #[arg(long, value_name = "NAME", requires = "password")]
    pub user: Option<String>,
    #[arg(long, value_name = "PASSWORD", requires = "user")]
    pub password: Option<String>,
    /// Authentication scheme
    #[arg(long, value_enum, default_value = "digest")]
    pub auth: AuthMethod,
    #[command(flatten)]
    pub footage: FootageArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    Tcp,
    Udp,
}

#[derive(Debug, Args)]
pub struct ProbeArguments {
    /// rtmp(s)://, rtsp(s)://, http(s)://, rtp://GROUP:PORT?interface=NAME, file:// or a path
    pub url: String,
    /// How long to watch, from the first picture on
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,
    /// Ends after this many pictures, however long they take
    #[arg(long, value_name = "N")]
    pub frames: Option<u64>,
    /// How long to try for the first picture
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub wait: f64,
    /// Reads the burnt-in clock and reports the latency of pictures after the first 3 seconds
    #[arg(long)]
    pub clock: bool,
    /// Prints one JSON object at the end
    #[arg(long)]
    pub json: bool,
    /// Saves the last picture
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// Ends at the first picture and prints when it was decoded (milliseconds since 1970)
    #[arg(long)]
    pub until_first: bool,
    /// How RTSP carries media
    #[arg(long, value_enum, default_value = "tcp")]
    pub transport: Transport,
    /// Accepts any TLS certificate
    #[arg(long)]
    pub insecure: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    number
        .parse::<f64>()
        .ok()
        .filter(|number| (0.0..=86_400.0).contains(number))
        .map(|number| Duration::from_secs_f64(number * scale))
        .ok_or_else(|| "write a time such as 1s or 500ms".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=1e6).contains(seconds))
        .ok_or_else(|| "write a number of seconds, such as 10 or 0.5".into())
}

fn listen(text: &str) -> Result<(String, u16), String> {
    let hint = "write ADDRESS:PORT, such as 127.0.0.1:8554 or 0.0.0.0:0";
    let (host, port) = text.rsplit_once(':').ok_or(hint)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    Ok((host.into(), port.parse().map_err(|_| hint)?))
}

fn path(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_graphic() && !"?#*\\".contains(c));
    let shaped = text.len() > 1 && text.starts_with('/') && !text.ends_with('/');
    if plain && shaped { Ok(text.into()) } else { Err("write a path such as /front".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_are_written_with_units() {
        assert_eq!(duration("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert!(duration("soon").is_err());
        assert!(duration("-1s").is_err());
    }

    #[test]
    fn listening_addresses_have_a_port() {
        assert_eq!(listen("127.0.0.1:0"), Ok(("127.0.0.1".into(), 0)));
        assert_eq!(listen(":8554"), Ok(("0.0.0.0".into(), 8554)));
        assert_eq!(listen("[::1]:8554"), Ok(("::1".into(), 8554)));
        assert!(listen("8554").is_err());
    }

    #[test]
    fn a_file_and_a_pattern_exclude_each_other() {
        assert!(Arguments::try_parse_from(["robocast-sim", "go2", "--file", "a.mp4", "--pattern"]).is_err());
        assert!(Arguments::try_parse_from(["robocast-sim", "rtsp", "--user", "u"]).is_err());
        assert!(Arguments::try_parse_from(["robocast-sim", "rtsp", "--path", "front"]).is_err());
    }
}
