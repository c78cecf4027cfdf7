//! Gets slates made: by a short-lived process, since an encoder would cost push more memory than all
//! the rest of it.

use robocast_config::Size;
use robocast_daemon::spawn::{self, Program};
use robocast_video::slate::{self, SlateFormatError, SlateFrame};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// So long may the encoding take, on a Pi under load.
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
    /// What it gave is no slate.
    #[error(transparent)]
    Slate(#[from] SlateFormatError),
}

/// Has a slate encoded.
///
/// # Errors
/// When no encoder works here. The stream then goes without a slate.
pub async fn make(size: Size, text: &str, keyframe_interval: Duration) -> Result<Vec<SlateFrame>, MakeError> {
    let mut child = Program::new(spawn::sibling("robocast-media"), "robocast-media")
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
