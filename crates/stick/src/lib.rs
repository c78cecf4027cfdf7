//! The files on a stick, on any system: the owner's laptop and the box share this code.
//!
//! | module | owns |
//! |---|---|
//! | [`names`] | the files of a stick and how large they may be |
//! | [`keys`] | the box's key and its public half |
//! | [`seal`](mod@seal) | secrets that only one box can read, separately and in a settings file |
//! | [`owner`] | the owner's key pair |
//! | [`signature`] | what the owner signs, and whether it is valid |
//! | [`ssh`] | keys that may log in to a box
//! | [`receipt`] | what the box did with a stick, for people, programs and phones |
//! | [`init`] | a first settings file: questions, presets, the text |
//!
//! Bytes come in, bytes and plain errors go out: it opens no file and knows no box. No error holds a secret.

pub mod init;
pub mod keys;
pub mod names;
pub mod owner;
pub mod receipt;
pub mod seal;
pub mod signature;
pub mod ssh;

pub use keys::{BoxKey, KeyError, Recipient};
pub use owner::{OwnerKey, OwnerKeyError, OwnerPublic};
pub use receipt::{Outcome, Part, Receipt, ReceiptError, ReceiptStep, StepRecord, StepResult};
pub use seal::{open_document, seal, seal_document};
pub use signature::{Signature, SignatureError};
