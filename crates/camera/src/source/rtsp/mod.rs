//! RTSP cameras: chooses between the two clients.

mod gstreamer;
mod sdp;
mod tcp;

pub use gstreamer::open_with_gstreamer;
pub use tcp::RtspTcpSource;

use robocast_config::{RtspSource, RtspTransport};

/// How a camera is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtspClient {
    /// TCP, without GStreamer: H.264 over plain `rtsp://`.
    Plain,
    /// Through `rtspsrc` with these protocols: UDP, TLS, other codecs, and cameras with unusual habits.
    Gst(&'static str),
}

const UDP: &str = "udp-mcast+udp";

/// The client to use after so many fruitless openings in a row. TCP first: on a cable it adds no delay and loses
/// nothing.
pub fn choose_client(source: &RtspSource, fruitless: u32) -> RtspClient {
    let plain = source.url.expose().scheme() == "rtsp";
    let clients: &[RtspClient] = match (source.transport, plain) {
        (RtspTransport::Udp, _) => &[RtspClient::Gst(UDP)],
        (RtspTransport::Tcp, true) => &[RtspClient::Plain, RtspClient::Gst("tcp")],
        (RtspTransport::Tcp, false) => &[RtspClient::Gst("tcp")],
        (RtspTransport::Auto, true) => &[RtspClient::Plain, RtspClient::Gst(UDP), RtspClient::Gst("tcp")],
        (RtspTransport::Auto, false) => &[RtspClient::Gst("tcp"), RtspClient::Gst(UDP)],
    };
    clients[fruitless as usize % clients.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_refuses_one_client_is_asked_by_another() {
        let clients = |url: &str| {
            let text = format!("schema = 1\n[[stream]]\nname = \"a\"\nsource = \"{url}\"\n");
            let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
            let robocast_config::Source::Rtsp(source) = settings.streams[0].source.clone() else {
                panic!("no RTSP source")
            };
            [0, 1, 2, 3].map(|fruitless| choose_client(&source, fruitless))
        };
        let (tcp, udp) = (RtspClient::Gst("tcp"), RtspClient::Gst(UDP));
        assert_eq!(clients("rtsp://h/a"), [RtspClient::Plain, udp, tcp, RtspClient::Plain]);
        assert_eq!(clients("rtsp://h/a?transport=tcp"), [RtspClient::Plain, tcp, RtspClient::Plain, tcp]);
        assert_eq!(clients("rtsp://h/a?transport=udp"), [udp; 4]);
        assert_eq!(clients("rtsps://h/a"), [tcp, udp, tcp, udp]);
    }
}
