//! What is believed of a DHCP server's word: an address and its network, for a time. Never a router or a name server.

use std::net::{IpAddr, Ipv4Addr};

use robocast_config::Cidr;

/// A lease as a server gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The address.
    pub address: Ipv4Addr,
    /// The mask; 0.0.0.0 when the server gave none.
    pub mask: Ipv4Addr,
    /// For how long, in seconds.
    pub seconds: u32,
}

/// The shortest lease that is taken, in seconds: what is shorter is renewed all the time.
pub const SHORTEST: u32 = 10;

/// The address and network to use, if the offer is sound.
///
/// # Errors
/// Words for what is wrong with it, and whom to ask.
pub fn judge(offer: Offer, robot: Option<IpAddr>) -> Result<Cidr, String> {
    let Offer { address, mask, seconds } = offer;
    let prefix = mask.to_bits().leading_ones();
    let no = |why: String| Err(format!("the robot's DHCP server offers {why}"));
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.octets()[0] == 0
    {
        return no(format!("{address}, which no host can have"));
    }
    if address.is_broadcast() || address.octets()[0] >= 240 || address.is_link_local() {
        return no(format!("{address}, which is nobody's to give"));
    }
    if mask.is_unspecified() {
        return no(format!("{address} without a mask"));
    }
    if mask.to_bits().count_ones() != prefix {
        return no(format!("{address} with the mask {mask}, which has holes"));
    }
    if !(8..=30).contains(&prefix) {
        return no(format!("{address} with the mask {mask}; 255.0.0.0 to 255.255.255.252 make sense"));
    }
    let host = address.to_bits() & !mask.to_bits();
    if host == 0 || host == !mask.to_bits() {
        return no(format!("{address}/{prefix}, which is a network or its broadcast"));
    }
    if robot == Some(address.into()) {
        return no(format!("{address}, the robot's own address; is [robot] address right?"));
    }
    if seconds < SHORTEST {
        return no(format!("{address} for {seconds} s; {SHORTEST} s is the least"));
    }
    Ok(Cidr { address: address.into(), prefix: u8::try_from(prefix).unwrap_or(32) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(address: &str, mask: &str, seconds: u32) -> Result<String, String> {
        let offer = Offer { address: address.parse().unwrap(), mask: mask.parse().unwrap(), seconds };
        judge(offer, Some("10.0.0.3".parse().unwrap())).map(|cidr| cidr.to_string())
    }

    #[test]
    fn a_sound_offer_is_taken() {
        assert_eq!(judged("10.0.0.9", "255.255.255.0", 3600), Ok("10.0.0.9/24".into()));
        assert_eq!(judged("192.168.1.2", "255.255.255.252", 10), Ok("192.168.1.2/30".into()));
        assert_eq!(judged("10.1.2.3", "255.0.0.0", u32::MAX), Ok("10.1.2.3/8".into()));
    }

    #[test]
    fn a_lie_is_refused_with_a_word() {
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
            let told = judged(address, mask, seconds).unwrap_err();
            assert!(told.contains(word), "{told}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_a_host_in_a_network_that_is_no_default_route(
            address in any::<Ipv4Addr>(), mask in any::<Ipv4Addr>(), straight in 0_u32..=32, holes in any::<bool>(), seconds in any::<u32>(),
        ) {
            let mask = if holes { mask } else { u32::MAX.checked_shl(32 - straight).unwrap_or(0).into() };
            if let Ok(own) = judge(Offer { address, mask, seconds }, None) {
                prop_assert!((8..=30).contains(&own.prefix));
                prop_assert!(!address.is_multicast() && !address.is_loopback() && !address.is_unspecified());
                prop_assert!(seconds >= SHORTEST);
            }
        }
    }
}
