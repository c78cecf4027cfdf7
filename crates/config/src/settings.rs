//! The settings, resolved.

use toml::de::DeTable;

use crate::control::Control;
use crate::debug::Debugging;
use crate::page::Page;
use crate::parse_error::ParseError;
use crate::reader::{Reader, Section};
use crate::robot::{Device, Robot};
use crate::stream::Stream;
use crate::time::Time;
use crate::tls::Tls;
use crate::update::Update;
use crate::uplink::Uplink;

/// All settings of the box, with every default filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The box.
    pub device: Device,
    /// The robot that it is mounted on.
    pub robot: Robot,
    /// The streams, in the order of the file; names are unique.
    pub streams: Vec<Stream>,
    /// The uplinks.
    pub uplink: Uplink,
    /// Control over MQTT; off when absent.
    pub control: Option<Control>,
    /// The local page; off when absent.
    pub page: Option<Page>,
    /// Updates; off when absent.
    pub update: Option<Update>,
    /// The clock.
    pub time: Time,
    /// The trusted certificates.
    pub tls: Tls,
    /// Access for those who repair the box.
    pub debug: Debugging,
    /// Whether the stick's file is rewritten with sealed values once these settings are proven; default false.
    pub erase_secrets: bool,
}

impl Settings {
    /// The stream with this name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    pub(crate) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Self {
        let root = Section::root(root);
        reader.known(
            &root,
            &[
                "schema",
                "erase_secrets",
                "device",
                "robot",
                "stream",
                "uplink",
                "control",
                "page",
                "update",
                "time",
                "tls",
                "debug",
            ],
        );
        let device = Device::read(reader, &root);
        let robot = Robot::read(reader, &root);
        let mut streams = Vec::new();
        for section in reader.sections(&root, "stream", "[[stream]]") {
            streams.push(Stream::read(reader, &section));
        }
        if streams.is_empty() && reader.spans.is_valid("stream") {
            let fault = ParseError::new("no [[stream]]: the box will push nothing");
            reader.out.warning(0..0, fault.with_hint("add a [[stream]] with `name`, `source` and `push`"));
        }
        let control = Control::read(reader, &root, &device.name);
        Self {
            robot,
            streams,
            uplink: Uplink::read(reader, &root),
            control,
            page: Page::read(reader, &root),
            update: Update::read(reader, &root),
            time: Time::read(reader, &root),
            tls: Tls::read(reader, &root),
            debug: Debugging::read(reader, &root),
            erase_secrets: reader.flag(&root, "erase_secrets", false),
            device,
        }
    }
}
