//! Gets slates encoded by a short-lived process, because an encoder would need more memory than all the rest of push.

use robocast_config::Size;
use robocast_daemon::journal;
use robocast_daemon::spawn::{self, ChildCommand};
use robocast_video::slate::{self, SlateFormatError, SlateFrame};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// How long the encoding may take, on a Pi under load.
const DEADLINE: Duration = Duration::from_secs(20);

/// The slate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The process cannot be started or read.
    #[error("cannot run the slate's encoder")]
    Run(#[source] std::io::Error),
    /// It took too long.
    #[error("the slate's encoder took more than {} s", DEADLINE.as_secs())]
    Late,
    /// Its output is not a slate.
    #[error(transparent)]
    Slate(#[from] SlateFormatError),
}

/// Gets a slate encoded.
///
/// # Errors
/// When no encoder works here. Then the stream has no slate.
pub async fn make(size: Size, text: &str, keyframe_interval: Duration) -> Result<Vec<SlateFrame>, MakeError> {
    let mut child = ChildCommand::new(spawn::sibling("robocast-media"), "robocast-media")
        .arg("slate")
        .arg(size.to_string())
        .arg(keyframe_interval.as_millis().to_string())
        .arg(text)
        .piped()
        .start()
        .map_err(MakeError::Run)?;
    let mut output = Vec::new();
    let mut pipe =
        child.stdout.take().ok_or_else(|| MakeError::Run(std::io::ErrorKind::BrokenPipe.into()))?;
    let reading = pipe.read_to_end(&mut output);
    tokio::time::timeout(DEADLINE, reading).await.map_err(|_| MakeError::Late)?.map_err(MakeError::Run)?;
    let _ = child.wait().await;
    Ok(slate::read(&output)?)
}

/// The slate that is ready, and the one being made.
#[derive(Debug)]
pub struct SlateStore {
    ready: Option<(Size, Vec<SlateFrame>)>,
    /// The size that is being made, or the last one requested.
    asked: Option<Size>,
    made: mpsc::Receiver<(Size, Vec<SlateFrame>)>,
    deliver: mpsc::Sender<(Size, Vec<SlateFrame>)>,
}

impl Default for SlateStore {
    fn default() -> Self {
        let (deliver, made) = mpsc::channel(1);
        Self { ready: None, asked: None, made, deliver }
    }
}

impl SlateStore {
    /// Gets a slate of `size` made, unless it exists. After a failure it is not tried again.
    pub fn prepare(&mut self, size: Size, text: String, keyframe_interval: Duration, stream: &str) {
        if !self.wants(size) {
            return;
        }
        let (made, stream) = (self.deliver.clone(), stream.to_owned());
        tokio::spawn(async move {
            match make(size, &text, keyframe_interval).await {
                Ok(frames) => drop(made.send((size, frames)).await),
                Err(error) => tracing::warn!(stream, "no slate: {}", journal::chain(&error)),
            }
        });
    }

    /// Collects a finished slate. Returns whether one of `size` must still be requested.
    fn wants(&mut self, size: Size) -> bool {
        if let Ok(made) = self.made.try_recv() {
            self.ready = Some(made);
        }
        self.asked.replace(size) != Some(size)
    }

    /// Its pictures, once it is ready.
    pub fn frames(&self) -> Option<&[SlateFrame]> {
        self.ready.as_ref().map(|(_, frames)| frames.as_slice())
    }

    /// Forgets the slate if the settings it depends on changed.
    pub fn forget_if(&mut self, changed: bool) {
        if changed {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
impl SlateStore {
    /// A slate that is ready: no process is started for it.
    pub fn with(size: Size, frames: Vec<SlateFrame>) -> Self {
        Self { ready: Some((size, frames)), asked: Some(size), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_video::DEFAULT_SIZE;

    fn slate_frames() -> Vec<SlateFrame> {
        vec![SlateFrame { data: vec![0, 0, 0, 1, 0x65].into(), keyframe: true }]
    }

    #[test]
    fn a_slate_is_made_once_for_each_size_and_again_after_other_settings() {
        let (small, mut slate) = (Size { width: 640, height: 360 }, SlateStore::default());
        assert!(slate.wants(DEFAULT_SIZE) && !slate.wants(DEFAULT_SIZE), "also if it cannot be made");
        slate.deliver.try_send((DEFAULT_SIZE, slate_frames())).unwrap();
        assert!(slate.frames().is_none() && !slate.wants(DEFAULT_SIZE) && slate.frames().is_some());
        assert!(slate.wants(small) && slate.frames().is_some(), "the existing one is used meanwhile");
        slate.forget_if(false);
        assert!(!slate.wants(small));
        slate.forget_if(true);
        assert!(slate.frames().is_none() && slate.wants(small));
    }
}
