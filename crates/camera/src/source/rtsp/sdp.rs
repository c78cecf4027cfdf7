//! The parameter sets in a session's description (RFC 6184, 8.2.1: `sprop-parameter-sets`). Pure.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use robocast_video::h264::ParameterSets;

/// Cameras differ in whether they pad, and in the values of the last bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The parameter sets that an SDP holds for its H.264.
pub fn parameter_sets_of(sdp: &[u8]) -> ParameterSets {
    let text = String::from_utf8_lossy(sdp);
    let value = text.split_once("sprop-parameter-sets=").map_or("", |(_, rest)| rest);
    decode_parameter_sets(value.split([';', ' ', '\r', '\n']).next().unwrap_or_default())
}

/// The NAL units in the value of `sprop-parameter-sets`. Unreadable ones are left out.
pub fn decode_parameter_sets(value: &str) -> ParameterSets {
    let mut sets = ParameterSets::default();
    for nal in value.split(',').filter_map(|set| BASE64.decode(set).ok()) {
        sets.observe(&nal);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameter_sets_are_read_from_an_sdp() {
        for value in ["Z01AH9oBQBbsBEAAAAMAQAAADIPGDKg=,aO88gA==", "Z01AH9oBQBbsBEAAAAMAQAAADIPGDKg,aO88gA"] {
            let sets = decode_parameter_sets(value);
            assert_eq!(
                sets.format().map(|format| (format.width, format.height)),
                Some((1280, 720)),
                "{value}"
            );
            assert!(sets.complete());
        }
        assert!(!decode_parameter_sets("!!,,%%").complete());
        let sdp = b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z01AH9oBQBbsBEAAAAMAQAAADIPGDKg=,aO88gA==;profile-level-id=4D401F\r\n";
        assert!(parameter_sets_of(sdp).complete());
        assert!(!parameter_sets_of(b"v=0\r\n").complete());
    }

    proptest! {
        #[test]
        fn hostile_descriptions_never_panic(sdp in prop::collection::vec(any::<u8>(), 0..200), value in "[A-Za-z0-9+/=,]{0,80}") {
            parameter_sets_of(&sdp);
            decode_parameter_sets(&value);
        }
    }
}
