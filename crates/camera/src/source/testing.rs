//! Helpers of tests that open sources.

use crate::counters::Counters;
use crate::output::{CameraContext, OpeningId, OutputEvents};
use crate::transcoder_input::TranscoderInput;
use robocast_video::ipc::{Broadcast, Limits};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Where the units of a source are sent; its events are ignored.
pub fn context() -> CameraContext {
    let text = "schema = 1\n[[stream]]\nname = \"front\"\nsource = \"rtp://0.0.0.0:5004\"\n";
    let settings = robocast_config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")).settings;
    CameraContext {
        stream: Arc::new(settings.streams[0].clone()),
        broadcast: Broadcast::new(Limits { lag: Duration::from_secs(5), bytes: 1 << 20 }),
        counters: Arc::new(Counters::default()),
        events: OutputEvents { opening: OpeningId::default(), sender: mpsc::unbounded_channel().0 },
        transcoder_input: TranscoderInput::default(),
    }
}
