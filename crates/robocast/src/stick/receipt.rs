//! `robocast stick receipt PATH`.

use super::USAGE;
use super::files::read;
use crate::output::print_error;
use robocast_stick::{Outcome, Receipt, names};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Explains it. 0 proven, 1 refused, 4 kept but not proven, 2 when there is no receipt to read.
pub fn receipt(path: &Path) -> ExitCode {
    let path = json_of(path);
    let bytes = match read(&path, names::RECEIPT_LIMIT) {
        Ok(bytes) => bytes,
        Err(error) => return print_error(&error, USAGE),
    };
    let receipt = match Receipt::parse(&bytes) {
        Ok(receipt) => receipt,
        Err(error) => return print_error(&error, USAGE),
    };
    let _ = std::io::stdout().write_all(receipt.text().as_bytes());
    ExitCode::from(match receipt.outcome {
        Outcome::Proven => 0,
        Outcome::Refused => 1,
        Outcome::Kept => 4,
    })
}

/// The JSON that is meant: in a stick's folder, or beside the text or the picture.
fn json_of(path: &Path) -> PathBuf {
    let other =
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt") || e.eq_ignore_ascii_case("svg"));
    match path {
        _ if path.is_dir() => path.join(names::RECEIPT_JSON),
        _ if other => path.with_extension("json"),
        _ => path.to_owned(),
    }
}
