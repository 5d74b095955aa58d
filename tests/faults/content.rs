//! What the files hold: each version has a number, and its bytes follow from that number and its size, so that a file
//! tells which version it is and whether it is whole.

use std::path::Path;

/// What was found in the place of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The whole version.
    Whole(u64),
    /// Not what anybody ever wrote.
    Torn,
}

/// The bytes of a version.
pub(crate) fn bytes(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = format!("v{number} {size}\n").into_bytes();
    let mut filler = fastrand::Rng::with_seed(number);
    while bytes.len() < size {
        bytes.push(filler.u8(..));
    }
    bytes
}

/// Which version a file's bytes are.
pub(crate) fn version(found: &[u8]) -> Found {
    let head = found.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let numbers = head.strip_prefix('v').and_then(|text| text.split_once(' '));
    let numbers = numbers.and_then(|(number, size)| Some((number.parse().ok()?, size.parse().ok()?)));
    match numbers {
        Some((number, size)) if bytes(number, size) == found => Found::Whole(number),
        _ => Found::Torn,
    }
}

/// The target of a link that is this version. It leads nowhere.
pub(crate) fn target(number: u64) -> String {
    format!("v{number}")
}

/// Which version a link is.
pub(crate) fn link_version(target: &Path) -> Found {
    let number =
        target.to_str().and_then(|text| text.strip_prefix('v')).and_then(|number| number.parse().ok());
    number.map_or(Found::Torn, Found::Whole)
}
