//! The gate in front of the readers: only decodable units pass. After a loss it is closed until the next
//! keyframe; at each keyframe the parameter sets are repeated. Slices pass untouched.

use bytes::Bytes;
use robocast_video::h264::{NalKind, ParameterSets, VideoFormat, nals, push_nal};

/// The gate's verdict on an access unit.
#[derive(Debug, Clone, PartialEq)]
pub enum GateVerdict {
    /// It passes.
    Pass {
        /// Annex B; parameter sets precede the slices of a keyframe.
        data: Bytes,
        /// Decoding can start here.
        keyframe: bool,
        /// The parameter sets differ from those before.
        changed: bool,
    },
    /// It is broken, or refers to a missing one.
    Drop,
    /// It holds no picture: parameter sets sent on their own.
    NoPicture,
}

/// The gate of one source.
#[derive(Debug, Default)]
pub struct Gate {
    open: bool,
    sets: ParameterSets,
}

impl Gate {
    /// A gate that already knows parameter sets, from an SDP for instance.
    #[must_use]
    pub fn with(sets: ParameterSets) -> Self {
        Self { open: false, sets }
    }

    /// Another sender begins: forgets everything.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Something before the next unit was lost.
    pub fn close(&mut self) {
        self.open = false;
    }

    /// The format of the pictures, once known.
    #[must_use]
    pub fn format(&self) -> Option<VideoFormat> {
        self.sets.format()
    }

    /// Checks one whole access unit.
    pub fn check_unit(&mut self, data: Vec<u8>) -> GateVerdict {
        let (mut idr, mut slices, mut own_sets, mut changed) = (false, false, false, false);
        for nal in nals(&data) {
            match NalKind::of(nal) {
                NalKind::IdrSlice => (idr, slices) = (true, true),
                NalKind::Slice => slices = true,
                NalKind::Sps => {
                    changed |= self.sets.observe(nal);
                    own_sets = true;
                }
                NalKind::Pps => changed |= self.sets.observe(nal),
                NalKind::Invalid => {
                    self.open = false;
                    return GateVerdict::Drop;
                }
                _ => {}
            }
        }
        if !slices {
            return GateVerdict::NoPicture;
        }
        if idr && self.sets.complete() {
            self.open = true;
            let data = if own_sets { data } else { with_sets(&data, &self.sets) };
            return GateVerdict::Pass { data: data.into(), keyframe: true, changed };
        }
        if !self.open || (idr && !self.sets.complete()) {
            self.open = false;
            return GateVerdict::Drop;
        }
        GateVerdict::Pass { data: data.into(), keyframe: false, changed }
    }
}

/// The unit with parameter sets before everything but a delimiter, which must stay first.
fn with_sets(data: &[u8], sets: &ParameterSets) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 128);
    let mut put = false;
    for nal in nals(data) {
        if !put && NalKind::of(nal) != NalKind::Delimiter {
            sets.iter().for_each(|set| push_nal(&mut out, set));
            put = true;
        }
        if !matches!(NalKind::of(nal), NalKind::Sps | NalKind::Pps) {
            push_nal(&mut out, nal);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use robocast_video::h264::samples;

    const SPS: &[u8] = &samples::SPS;
    const PPS: &[u8] = &samples::PPS;
    const IDR: &[u8] = &samples::IDR;
    const SLICE: &[u8] = &samples::SLICE;

    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::new();
        nals.iter().for_each(|nal| push_nal(&mut data, nal));
        data
    }

    fn passes(gate: &mut Gate, nals: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
        match gate.check_unit(unit(nals)) {
            GateVerdict::Pass { data, keyframe, .. } => Some((data.to_vec(), keyframe)),
            _ => None,
        }
    }

    #[test]
    fn nothing_passes_before_the_first_keyframe_with_its_sets() {
        let mut gate = Gate::default();
        assert_eq!(passes(&mut gate, &[SLICE]), None);
        assert_eq!(passes(&mut gate, &[IDR]), None);
        assert_eq!(passes(&mut gate, &[SLICE]), None);
        assert_eq!(passes(&mut gate, &[SPS, PPS, IDR]), Some((unit(&[SPS, PPS, IDR]), true)));
        assert_eq!(passes(&mut gate, &[SLICE]), Some((unit(&[SLICE]), false)));
    }

    #[test]
    fn sets_sent_once_are_repeated_at_each_keyframe_behind_the_delimiter() {
        let mut gate = Gate::default();
        assert_eq!(gate.check_unit(unit(&[SPS, PPS])), GateVerdict::NoPicture);
        let delimiter: &[u8] = &[0x09, 0x10];
        for _ in 0..2 {
            let out = passes(&mut gate, &[delimiter, IDR]).unwrap();
            assert_eq!(out, (unit(&[delimiter, SPS, PPS, IDR]), true));
        }
    }

    #[test]
    fn after_a_loss_the_gate_is_closed_until_the_next_keyframe() {
        let mut gate = Gate::default();
        passes(&mut gate, &[SPS, PPS, IDR]).unwrap();
        gate.close();
        assert_eq!(passes(&mut gate, &[SLICE]), None);
        assert!(passes(&mut gate, &[IDR]).is_some());
        assert!(passes(&mut gate, &[SLICE]).is_some());
    }

    #[test]
    fn a_changed_sequence_is_noticed() {
        let mut gate = Gate::default();
        assert!(matches!(gate.check_unit(unit(&[SPS, PPS, IDR])), GateVerdict::Pass { changed: true, .. }));
        assert!(matches!(gate.check_unit(unit(&[SPS, PPS, IDR])), GateVerdict::Pass { changed: false, .. }));
    }

    proptest! {
        #[test]
        fn hostile_units_never_panic_and_slices_pass_untouched(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0x65), Just(0x67), any::<u8>()], 0..200)) {
            let mut gate = Gate::default();
            passes(&mut gate, &[SPS, PPS, IDR]).unwrap();
            if let GateVerdict::Pass { data, .. } = gate.check_unit(bytes.clone()) {
                let slices = |data: &[u8]| nals(data).filter(|nal| NalKind::of(nal).is_slice()).map(<[u8]>::to_vec).collect::<Vec<_>>();
                prop_assert_eq!(slices(&data), slices(&bytes));
            }
        }
    }
}
