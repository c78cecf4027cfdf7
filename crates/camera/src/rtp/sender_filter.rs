//! One sender at a time: packets of another SSRC or payload type are refused, unless the sender
//! that was followed has fallen silent, as a robot does that reboots.

use robocast_video::clock::MonoTime;
use std::time::Duration;

/// So long must the followed sender be silent before another is taken.
const SILENCE: Duration = Duration::from_millis(300);
/// So long may the followed sender send nothing of use while others send.
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
    heard: MonoTime,
    productive: MonoTime,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// Of the sender that is followed.
    Same,
    /// Of a sender that is followed from now on.
    New,
    /// To be refused.
    Foreign,
}

impl SenderFilter {
    /// Takes any payload type when `payload` is none, and then keeps to the first.
    #[must_use]
    pub fn new(payload: Option<u8>) -> Self {
        Self { wanted_payload: payload, followed: None, candidate: None }
    }

    /// Decides on a packet.
    pub fn admit(&mut self, ssrc: u32, payload: u8, sequence: u16, now: MonoTime) -> Admitted {
        if self.wanted_payload.is_some_and(|wanted| wanted != payload) {
            return Admitted::Foreign;
        }
        if let Some(followed) = &mut self.followed {
            if followed.ssrc == ssrc && followed.payload == payload {
                followed.heard = now;
                return Admitted::Same;
            }
            let silent = now.since(followed.heard) > SILENCE;
            let useless = now.since(followed.productive) > UNPRODUCTIVE;
            if !silent && !useless {
                return Admitted::Foreign;
            }
            let before = self.candidate.replace((ssrc, sequence));
            if before != Some((ssrc, sequence.wrapping_sub(1))) {
                return Admitted::Foreign;
            }
        }
        self.candidate = None;
        self.followed = Some(Followed { ssrc, payload, heard: now, productive: now });
        Admitted::New
    }

    /// The followed sender gave a whole picture.
    pub fn productive(&mut self, now: MonoTime) {
        if let Some(followed) = &mut self.followed {
            followed.productive = now;
        }
    }
}
