//! What the box did with a stick: for people ([`Receipt::text`]), programs ([`Receipt::json`]) and phones ([`Receipt::svg`]).

mod picture;
mod text;

use serde::{Deserialize, Serialize};

use crate::names::RECEIPT_LIMIT;

pub use picture::PictureError;

/// The form of the JSON that this release writes and reads.
pub const SCHEMA: u32 = 1;

/// A receipt. Its maker puts no secret into it; all its texts are one line of plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The box's name.
    pub device: String,
    /// The serial number of the board; empty when it has none.
    pub hardware: String,
    /// The kind of board, such as `rpi4`.
    pub board: String,
    /// The version of robocast.
    pub version: String,
    /// The box's public key, `age1...`: secrets are sealed to it.
    pub public_key: String,
    /// The owner's public key, `ed25519:...`, when the box has one.
    pub owner: Option<String>,
    /// When it was written, RFC 3339.
    pub time: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The steps, in order; those that were not reached are included.
    pub steps: Vec<StepRecord>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The settings are in force, and everything in them was seen to work.
    Proven,
    /// Nothing was changed.
    Refused,
    /// The settings are in force, but not all was seen to work.
    Kept,
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which.
    pub step: ReceiptStep,
    /// How it ended.
    pub result: StepResult,
    /// What was done, or the problem.
    pub text: String,
    /// How to fix it.
    #[serde(rename = "mend", default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The items that a proof checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptStep {
    /// The files on the stick.
    Find,
    /// Their bytes.
    Read,
    /// The owner's signature.
    Verify,
    /// The sealed values.
    Unseal,
    /// Everything that the settings ask for.
    Validate,
    /// The box's own copy.
    Write,
    /// The settings in force.
    Apply,
    /// Whether they work.
    Prove,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StepResult {
    /// As it should.
    #[serde(rename = "done")]
    Done,
    /// It did not.
    #[serde(rename = "failed")]
    Failed,
    /// There was nothing to do.
    #[serde(rename = "skipped")]
    Skipped,
    /// An earlier one failed.
    #[serde(rename = "not reached")]
    NotReached,
}

/// One thing that a proof looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which: `robot`, `uplink`, `name`, `clock`, `mqtt`, or the name of a stream and a redacted URL.
    pub what: String,
    /// Whether it works.
    pub ok: bool,
    /// What was seen.
    pub text: String,
    /// How to fix it.
    #[serde(rename = "mend", default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A file that is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Larger than [`RECEIPT_LIMIT`].
    #[error("the receipt is larger than {} KiB: this is hardly one", RECEIPT_LIMIT / 1024)]
    TooLarge,
    /// Not of the form.
    #[error("this is no receipt")]
    Form(#[source] serde_json::Error),
    /// Of a later release.
    #[error("the receipt has schema {0}, which this release does not know: use the release of the box")]
    Newer(u32),
}

impl Outcome {
    /// The word in the JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Refused => "refused",
            Self::Kept => "kept",
        }
    }
}

impl ReceiptStep {
    /// All, in order.
    pub const ALL: [Self; 8] = [
        Self::Find,
        Self::Read,
        Self::Verify,
        Self::Unseal,
        Self::Validate,
        Self::Write,
        Self::Apply,
        Self::Prove,
    ];

    /// The word in the JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Read => "read",
            Self::Verify => "verify",
            Self::Unseal => "unseal",
            Self::Validate => "validate",
            Self::Write => "write",
            Self::Apply => "apply",
            Self::Prove => "prove",
        }
    }
}

impl StepResult {
    /// The word in the JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotReached => "not reached",
        }
    }
}

impl Receipt {
    /// Reads the JSON.
    ///
    /// # Errors
    /// It is too large, of another form, or of a later release.
    pub fn parse(file: &[u8]) -> Result<Self, ReceiptError> {
        #[derive(Deserialize)]
        struct Form {
            schema: u32,
        }
        if file.len() > RECEIPT_LIMIT {
            return Err(ReceiptError::TooLarge);
        }
        let Form { schema } = serde_json::from_slice(file).map_err(ReceiptError::Form)?;
        if schema > SCHEMA {
            return Err(ReceiptError::Newer(schema));
        }
        serde_json::from_slice(file).map_err(ReceiptError::Form)
    }

    /// As JSON, indented, with a newline at its end.
    #[must_use]
    pub fn json(&self) -> String {
        // Only texts and numbers: nothing can fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The first step that failed.
    #[must_use]
    pub fn failed(&self) -> Option<&StepRecord> {
        self.steps.iter().find(|done| done.result == StepResult::Failed)
    }
}
