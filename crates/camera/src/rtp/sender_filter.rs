//! One sender at a time: packets of another SSRC or payload type are refused, unless the sender
//! that was followed has fallen silent, as a robot does that reboots.

use robocast_video::clock::MonoTime;
use std::time::Duration;

/// The followed sender must be silent for this long before another is followed.
const SILENCE: Duration = Duration::from_millis(300);
/// The followed sender may send nothing of use for this long while others send.
const UNPRODUCTIVE: Duration = Duration::from_secs(3);

/// Follows one RTP sender.
#[derive(Debug)]
pub struct SenderFilter {
    wanted_payload: Option<u8>,
    followed: Option<Followed>,
    /// Another sender and its latest sequence number: two in a row make it a candidate
    /// (RFC 3550, A.1, calls this probation).
    candidate: Option<(u32, u16)>,
}

#[derive(Debug)]
struct Followed {
    ssrc: u32,
    payload: u8,
    last_packet: MonoTime,
    last_unit: MonoTime,
}

/// How a packet is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Accepted, of the sender that is followed.
    Same,
    /// Accepted, of a sender that is followed from now on.
    New,
    /// Refused.
    Foreign,
}

impl SenderFilter {
    /// Accepts any payload type when `payload` is `None`, and then keeps to the first.
    #[must_use]
    pub fn new(payload: Option<u8>) -> Self {
        Self { wanted_payload: payload, followed: None, candidate: None }
    }

    /// Decides on a packet.
    pub fn admit(&mut self, ssrc: u32, payload: u8, sequence: u16, now: MonoTime) -> Admission {
        if self.wanted_payload.is_some_and(|wanted| wanted != payload) {
            return Admission::Foreign;
        }
        if let Some(followed) = &mut self.followed {
            if followed.ssrc == ssrc && followed.payload == payload {
                followed.last_packet = now;
                return Admission::Same;
            }
            let silent = now.since(followed.last_packet) > SILENCE;
            let useless = now.since(followed.last_unit) > UNPRODUCTIVE;
            if !silent && !useless {
                return Admission::Foreign;
            }
            let before = self.candidate.replace((ssrc, sequence));
            if before != Some((ssrc, sequence.wrapping_sub(1))) {
                return Admission::Foreign;
            }
        }
        self.candidate = None;
        self.followed = Some(Followed { ssrc, payload, last_packet: now, last_unit: now });
        Admission::New
    }

    /// The followed sender gave a whole access unit.
    pub fn note_whole_unit(&mut self, now: MonoTime) {
        if let Some(followed) = &mut self.followed {
            followed.last_unit = now;
        }
    }
}
