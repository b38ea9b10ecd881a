//! Addresses that are meant together: one, or all of a network.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

/// `192.168.1.7`, or `192.168.1.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    /// How many bits of an address tell the network.
    bits: u8,
}

impl Network {
    /// Whether this address is in it; an IPv4 address is one however it is written.
    #[must_use]
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        let (length, base, ip) = match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => (32, u128::from(base.to_bits()), u128::from(ip.to_bits())),
            (IpAddr::V6(base), IpAddr::V6(ip)) => (128, base.to_bits(), ip.to_bits()),
            _ => return false,
        };
        // A shift by all bits is none.
        let host = length - u32::from(self.bits);
        (base ^ ip).checked_shr(host).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text:.60}' is no address and no network: write 192.168.1.7 or 192.168.1.0/24");
        let (base, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let base = base.to_canonical();
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse::<u8>().map_err(|_| wrong()))?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { base, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.base.is_ipv4() { 32 } else { 128 };
        if self.bits == whole { write!(f, "{}", self.base) } else { write!(f, "{}/{}", self.base, self.bits) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let has = |network: &str, ip: &str| network.parse::<Network>().unwrap().has(ip.parse().unwrap());
        assert!(has("192.168.1.0/24", "192.168.1.7") && has("192.168.1.0/24", "::ffff:192.168.1.7"));
        assert!(!has("192.168.1.0/24", "192.168.2.7") && !has("192.168.1.0/24", "::1"));
        assert!(has("10.0.0.5", "10.0.0.5") && !has("10.0.0.5", "10.0.0.6"));
        assert!(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "2001:db8::1"));
        assert!(has("::/0", "2001:db8::1") && has("fd00::/8", "fd12::1") && !has("fd00::/8", "fe80::1"));
        assert!(has("2001:db8::1/128", "2001:db8::1"));
        for wrong in ["", "x", "1.2.3/8", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3.4/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert_eq!("10.0.0.0/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1");
    }
}
