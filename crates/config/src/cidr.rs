//! An address with its network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::parse_error::{ParseError, quote};

/// A host's address with the prefix length of its network, such as `192.168.50.10/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// The host's own address.
    pub address: IpAddr,
    /// Leading bits shared by the network: 0 to 32, or 0 to 128 for IPv6.
    pub prefix: u8,
}

impl Cidr {
    /// Whether an address is in this network.
    pub fn contains(&self, other: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
            _ => return false,
        };
        let host_bits = width - u32::from(self.prefix).min(width);
        ours.checked_shr(host_bits).unwrap_or(0) == theirs.checked_shr(host_bits).unwrap_or(0)
    }

    /// Whether an address of this network is the network's own or its broadcast address (IPv4), which no host can have.
    pub(crate) fn reserves(&self, other: IpAddr) -> bool {
        let IpAddr::V4(address) = other else { return false };
        if self.prefix > 30 {
            return false;
        }
        let mask = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        let host = address.to_bits() & mask;
        host == 0 || host == mask
    }
}

/// Accepts `192.168.50.10/24` and `fd00::10/64`.
impl FromStr for Cidr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let Some((address, prefix)) = text.split_once('/') else {
            let fault = ParseError::new(format!("{} has no prefix length", quote(text)));
            return Err(match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(a)) => fault.with_hint(format!("add the network's, such as \"{a}/24\"")),
                Ok(IpAddr::V6(a)) => fault.with_hint(format!("add the network's, such as \"{a}/64\"")),
                Err(_) => fault.with_hint("write an address and its network, such as \"192.168.50.10/24\""),
            });
        };
        let address: IpAddr = address.parse().map_err(|_| {
            ParseError::new(format!("{} is not an IP address", quote(address)))
                .with_hint("write an address and its network, such as \"192.168.50.10/24\"")
        })?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| prefix.parse::<u8>().ok())
            .flatten()
            .filter(|p| *p <= longest)
            .ok_or_else(|| {
                ParseError::new(format!("{} is not a prefix length", quote(prefix)))
                    .with_hint(format!("write a number from 0 to {longest}, such as \"{address}/24\""))
            })?;
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_network_knows_its_members() {
        for (network, address, inside) in [
            ("192.168.50.10/24", "192.168.50.3", true),
            ("192.168.50.10/24", "192.168.51.3", false),
            ("10.0.0.1/0", "255.255.255.255", true),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.2", false),
            ("10.0.0.1/24", "fd00::1", false),
            ("fd00::1/64", "fd00::2", true),
            ("fd00::1/64", "fd01::2", false),
            ("fd00::1/0", "::1", true),
            ("fd00::1/128", "fd00::1", true),
        ] {
            let network: Cidr = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
    }

    #[test]
    fn a_network_reserves_its_first_and_last_address() {
        let network: Cidr = "192.168.50.10/24".parse().unwrap();
        assert!(network.reserves("192.168.50.0".parse().unwrap()));
        assert!(network.reserves("192.168.50.255".parse().unwrap()));
        assert!(!network.reserves("192.168.50.1".parse().unwrap()));
        assert!(!"10.0.0.0/31".parse::<Cidr>().unwrap().reserves("10.0.0.0".parse().unwrap()));
    }

    #[test]
    fn an_address_without_its_network_is_refused() {
        for (text, message) in [
            ("192.168.50.10", "`192.168.50.10` has no prefix length"),
            ("192.168.50.10/33", "`33` is not a prefix length"),
            ("192.168.50.10/", "`` is not a prefix length"),
            ("192.168.50.10/+4", "`+4` is not a prefix length"),
            ("192.168.50/24", "`192.168.50` is not an IP address"),
            ("::1/129", "`129` is not a prefix length"),
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap_err().message(), message);
        }
    }

    proptest! {
        #[test]
        fn a_displayed_cidr_is_parsed_back(address in any::<IpAddr>(), prefix in 0u8..=128) {
            let prefix = if address.is_ipv4() { prefix.min(32) } else { prefix };
            let cidr = Cidr { address, prefix };
            prop_assert_eq!(cidr.to_string().parse::<Cidr>(), Ok(cidr));
            prop_assert!(cidr.contains(address));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = text.parse::<Cidr>();
        }
    }
}
