//! A receipt as a QR code.

use qrcode::QrCode;
use qrcode::render::svg::Color;

use super::{Outcome, Receipt};

/// The text of a receipt does not fit into a QR code.
#[derive(Debug, thiserror::Error)]
#[error("the receipt does not fit into a picture")]
pub struct PictureError(#[source] qrcode::types::QrError);

impl Receipt {
    /// An SVG of a QR code of [`Receipt::short`].
    ///
    /// # Errors
    /// The text is too long: some kilobytes.
    pub fn svg(&self) -> Result<String, PictureError> {
        let code = QrCode::new(self.short()).map_err(PictureError)?;
        let mut svg = code
            .render()
            .min_dimensions(240, 240)
            .dark_color(Color("#000"))
            .light_color(Color("#fff"))
            .build();
        svg.push('\n');
        Ok(svg)
    }

    /// The receipt in three lines: the device, how it ended and the first step that failed, the box's public key.
    #[must_use]
    pub fn short(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Kept => "kept, not proven",
            other => other.as_str(),
        };
        let failed = self.failed().map(|done| format!(": {} failed", done.step.as_str())).unwrap_or_default();
        format!("robocast {}\n{outcome}{failed}\n{}", self.device, self.public_key)
    }
}
