//! Pipelines that play a URL and deliver decoded pictures.

use gst::prelude::*;

use crate::args::Transport;
use crate::error::Error;

/// A pipeline that is not running yet.
#[derive(Debug)]
pub struct Playback {
    pub pipeline: gst::Pipeline,
    pub pictures: gst_app::AppSink,
    /// The pad where encoded pictures enter the decoder.
    pub coded: gst::Pad,
}

const DECODER: &str = "h264parse ! avdec_h264 name=decoder max-threads=1 max-errors=-1 \
                       ! appsink name=pictures sync=false qos=false enable-last-sample=false";

impl Playback {
    pub fn new(url: &str, transport: Transport, insecure: bool) -> Result<Self, Error> {
        if gst::ElementFactory::find("avdec_h264").is_none() {
            return Err(Error::Element("avdec_h264", "libav"));
        }
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let is_flv = url.split('?').next().is_some_and(|path| path.ends_with(".flv"));
        let source = match scheme {
            "rtmp" | "rtmps" => "rtmp2src name=source ! flvdemux",
            "rtsp" | "rtsps" => {
                "rtspsrc name=source latency=0 ! application/x-rtp,media=video ! rtph264depay"
            }
            "rtp" => {
                "udpsrc name=source caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=H264 \
                 ! rtph264depay"
            }
            "http" | "https" if is_flv => "souphttpsrc name=source ! flvdemux",
            "http" | "https" => "souphttpsrc name=source is-live=true ! parsebin ! video/x-h264",
            "file" | "" => "filesrc name=source ! parsebin ! video/x-h264",
            _ => return Err(Error::Url(redacted(url))),
        };
        let pipeline = gst::parse::launch(&format!("{source} ! {DECODER}"))
            .map_err(Error::Pipeline)?
            .downcast::<gst::Pipeline>()
            .map_err(|_| Error::Start("not a pipeline".into()))?;
        let lost = || Error::Start("an element is missing".into());
        let source = pipeline.by_name("source").ok_or_else(lost)?;
        match scheme {
            "rtp" => address(&source, url)?,
            "file" => source.set_property("location", url.trim_start_matches("file://")),
            _ => source.set_property("location", url),
        }
        if source.has_property("protocols") {
            source
                .set_property_from_str("protocols", if transport == Transport::Tcp { "tcp" } else { "udp" });
        }
        if insecure && source.has_property("tls-validation-flags") {
            source.set_property_from_str("tls-validation-flags", "0");
        }
        if insecure && source.has_property("ssl-strict") {
            source.set_property("ssl-strict", false);
        }
        let pictures = pipeline.by_name("pictures").and_downcast().ok_or_else(lost)?;
        let decoder = pipeline.by_name("decoder").ok_or_else(lost)?;
        let coded = decoder.static_pad("sink").ok_or_else(lost)?;
        Ok(Self { pipeline, pictures, coded })
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// `rtp://GROUP:PORT?interface=NAME`
fn address(source: &gst::Element, url: &str) -> Result<(), Error> {
    let wrong = || Error::Url(redacted(url));
    let rest = url.trim_start_matches("rtp://");
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or_else(wrong)?;
    source.set_property("address", host);
    source.set_property("port", port.parse::<u16>().map(i32::from).map_err(|_| wrong())?);
    if let Some(interface) = query.split('&').find_map(|pair| pair.strip_prefix("interface=")) {
        source.set_property("multicast-iface", interface);
    }
    Ok(())
}

/// A URL for messages, without the parts that may contain passwords and keys: before `@` and after the host.
fn redacted(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let place = rest.split(['/', '?']).next().unwrap_or("");
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    format!("{scheme}://{host}/...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_is_refused_without_its_secrets() {
        gst::init().unwrap();
        let error = Playback::new("gopher://u:pw@host/key?pass=pw", Transport::Tcp, false).unwrap_err();
        assert!(error.to_string().starts_with("gopher://host/...: not a URL"), "{error}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }

    #[test]
    fn an_rtp_address_names_its_interface() {
        gst::init().unwrap();
        let playback = Playback::new("rtp://230.1.1.1:1720?interface=lo", Transport::Tcp, false).unwrap();
        let source = playback.pipeline.by_name("source").unwrap();
        assert_eq!(source.property::<String>("address"), "230.1.1.1");
        assert_eq!(source.property::<i32>("port"), 1720);
        assert_eq!(source.property::<String>("multicast-iface"), "lo");
        assert!(Playback::new("rtp://230.1.1.1", Transport::Tcp, false).is_err());
    }
}
