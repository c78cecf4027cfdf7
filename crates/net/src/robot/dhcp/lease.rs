//! The accepted part of a DHCP server's offer: an address and its network, for a time. Never a router or a name server.

use std::net::{IpAddr, Ipv4Addr};

use robocast_config::Cidr;

/// A lease as a server offers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhcpOffer {
    /// The address.
    pub address: Ipv4Addr,
    /// The mask; 0.0.0.0 when the server gave none.
    pub mask: Ipv4Addr,
    /// For how long, in seconds.
    pub seconds: u32,
}

/// The shortest lease that is accepted, in seconds: a shorter one would be renewed all the time.
pub const SHORTEST: u32 = 10;

/// Why an offer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OfferRefusal {
    /// Unspecified, loopback or multicast.
    #[error("the robot's DHCP server offers {0}, which no host can have")]
    NoHost(Ipv4Addr),
    /// Broadcast, reserved or link-local.
    #[error("the robot's DHCP server offers {0}, which is nobody's to give")]
    Reserved(Ipv4Addr),
    /// No mask.
    #[error("the robot's DHCP server offers {0} without a mask")]
    NoMask(Ipv4Addr),
    /// A mask that is no prefix.
    #[error("the robot's DHCP server offers {0} with the mask {1}, which has holes")]
    BrokenMask(Ipv4Addr, Ipv4Addr),
    /// A network that is too large or too small.
    #[error("the robot's DHCP server offers {0} with the mask {1}; 255.0.0.0 to 255.255.255.252 make sense")]
    NetworkSize(Ipv4Addr, Ipv4Addr),
    /// The first or last address of the network.
    #[error("the robot's DHCP server offers {0}/{1}, which is a network or its broadcast")]
    NetworkAddress(Ipv4Addr, u32),
    /// The robot's address.
    #[error("the robot's DHCP server offers {0}, the robot's own address; is [robot] address right?")]
    RobotsOwn(Ipv4Addr),
    /// Too short.
    #[error("the robot's DHCP server offers {0} for {1} s; {SHORTEST} s is the least")]
    TooShort(Ipv4Addr, u32),
}

/// The address and network to use, if the offer is acceptable.
///
/// # Errors
/// Why it is not.
pub fn accept_offer(offer: DhcpOffer, robot: Option<IpAddr>) -> Result<Cidr, OfferRefusal> {
    use OfferRefusal::{
        BrokenMask, NetworkAddress, NetworkSize, NoHost, NoMask, Reserved, RobotsOwn, TooShort,
    };
    let DhcpOffer { address, mask, seconds } = offer;
    let prefix = mask.to_bits().leading_ones();
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.octets()[0] == 0
    {
        return Err(NoHost(address));
    }
    if address.is_broadcast() || address.octets()[0] >= 240 || address.is_link_local() {
        return Err(Reserved(address));
    }
    if mask.is_unspecified() {
        return Err(NoMask(address));
    }
    if mask.to_bits().count_ones() != prefix {
        return Err(BrokenMask(address, mask));
    }
    if !(8..=30).contains(&prefix) {
        return Err(NetworkSize(address, mask));
    }
    let host = address.to_bits() & !mask.to_bits();
    if host == 0 || host == !mask.to_bits() {
        return Err(NetworkAddress(address, prefix));
    }
    if robot == Some(address.into()) {
        return Err(RobotsOwn(address));
    }
    if seconds < SHORTEST {
        return Err(TooShort(address, seconds));
    }
    Ok(Cidr { address: address.into(), prefix: u8::try_from(prefix).unwrap_or(32) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepted(address: &str, mask: &str, seconds: u32) -> Result<String, String> {
        let offer = DhcpOffer { address: address.parse().unwrap(), mask: mask.parse().unwrap(), seconds };
        accept_offer(offer, Some("10.0.0.3".parse().unwrap()))
            .map(|cidr| cidr.to_string())
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_sound_offer_is_accepted() {
        assert_eq!(accepted("10.0.0.9", "255.255.255.0", 3600), Ok("10.0.0.9/24".into()));
        assert_eq!(accepted("192.168.1.2", "255.255.255.252", 10), Ok("192.168.1.2/30".into()));
        assert_eq!(accepted("10.1.2.3", "255.0.0.0", u32::MAX), Ok("10.1.2.3/8".into()));
    }

    #[test]
    fn a_false_offer_is_refused_with_the_reason() {
        for (address, mask, seconds, word) in [
            ("0.0.0.0", "255.255.255.0", 60, "no host can have"),
            ("127.0.0.2", "255.255.255.0", 60, "no host can have"),
            ("230.1.1.1", "255.255.255.0", 60, "no host can have"),
            ("255.255.255.255", "255.255.255.0", 60, "nobody's to give"),
            ("169.254.1.1", "255.255.0.0", 60, "nobody's to give"),
            ("10.0.0.9", "0.0.0.0", 60, "without a mask"),
            ("10.0.0.9", "255.0.255.0", 60, "has holes"),
            ("10.0.0.9", "128.0.0.0", 60, "make sense"),
            ("10.0.0.9", "255.255.255.255", 60, "make sense"),
            ("10.0.0.0", "255.255.255.0", 60, "a network or its broadcast"),
            ("10.0.0.255", "255.255.255.0", 60, "a network or its broadcast"),
            ("10.0.0.3", "255.255.255.0", 60, "the robot's own address"),
            ("10.0.0.9", "255.255.255.0", 9, "10 s is the least"),
        ] {
            let told = accepted(address, mask, seconds).unwrap_err();
            assert!(told.contains(word), "{told}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_a_host_in_a_network_that_is_no_default_route(
            address in any::<Ipv4Addr>(), mask in any::<Ipv4Addr>(), straight in 0_u32..=32, holes in any::<bool>(), seconds in any::<u32>(),
        ) {
            let mask = if holes { mask } else { u32::MAX.checked_shl(32 - straight).unwrap_or(0).into() };
            if let Ok(own) = accept_offer(DhcpOffer { address, mask, seconds }, None) {
                prop_assert!((8..=30).contains(&own.prefix));
                prop_assert!(!address.is_multicast() && !address.is_loopback() && !address.is_unspecified());
                prop_assert!(seconds >= SHORTEST);
            }
        }
    }
}
