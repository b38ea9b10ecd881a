//! How often each address may do something: so many times at once, and then once each so often.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;
use std::time::Duration;

use crate::time::Micros;

/// Addresses that are remembered at most. Whoever has more than these gets the place of who has done least.
const MOST: usize = 4096;

/// Who counts as one: an IPv4 address, this machine however it comes, and of IPv6 a network of 64 bits, since whoever has one
/// address of it has them all (RFC 6177). Link-local addresses share one such network, so each of them counts alone.
pub(crate) fn counted_as(ip: IpAddr) -> IpAddr {
    const NETWORK: u128 = !(u64::MAX as u128);
    match ip.to_canonical() {
        ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if !ip.is_unicast_link_local() => Ipv6Addr::from_bits(ip.to_bits() & NETWORK).into(),
        ip => ip,
    }
}

/// A bucket for each address.
#[derive(Debug)]
pub(crate) struct Buckets {
    at_once: u32,
    every: Duration,
    /// When each bucket is full again.
    full_at: HashMap<IpAddr, Micros>,
}

impl Buckets {
    pub(crate) fn new(at_once: u32, every: Duration) -> Self {
        Self { at_once: at_once.max(1), every, full_at: HashMap::new() }
    }

    /// Whether there is something in the bucket of this address.
    pub(crate) fn has(&self, ip: IpAddr, now: Micros) -> bool {
        let full_at = self.full_at.get(&counted_as(ip)).copied().unwrap_or_default();
        full_at.since(now) + self.every <= self.every * self.at_once
    }

    /// Takes one out of the bucket; false: it is empty.
    pub(crate) fn take(&mut self, ip: IpAddr, now: Micros) -> bool {
        if !self.has(ip, now) {
            return false;
        }
        if self.full_at.len() >= MOST && !self.full_at.contains_key(&counted_as(ip)) {
            self.full_at.retain(|_, full_at| *full_at > now);
            let least = self.full_at.iter().min_by_key(|(_, full_at)| **full_at).map(|(ip, _)| *ip);
            if let Some(least) = least.filter(|_| self.full_at.len() >= MOST) {
                self.full_at.remove(&least);
            }
        }
        let full_at = self.full_at.entry(counted_as(ip)).or_default();
        *full_at = (*full_at).max(now) + self.every;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_ten_at_once_and_one_more_every_six_seconds() {
        let mut buckets = Buckets::new(10, Duration::from_secs(6));
        let (one, two) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let at = |s: u64| Micros(1_000_000_000 + s * 1_000_000);
        let takes = |buckets: &mut Buckets, ip, s| (0..100).filter(|_| buckets.take(ip, at(s))).count();
        assert_eq!(takes(&mut buckets, one, 0), 10);
        assert_eq!((takes(&mut buckets, one, 5), takes(&mut buckets, one, 6), takes(&mut buckets, one, 7)), (0, 1, 0));
        assert_eq!(takes(&mut buckets, two, 7), 10, "another address has its own");
        assert_eq!(takes(&mut buckets, one, 60 + 6), 10);
        assert_eq!(takes(&mut buckets, one, 100_000), 10, "and never more than a full bucket");
    }

    #[test]
    fn ten_thousand_guesses_of_one_address_are_some_ten_a_minute_and_addresses_without_end_take_bounded_memory() {
        let mut buckets = Buckets::new(10, Duration::from_secs(6));
        let ip = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(0xC000_0000 + n));
        let looked = (0..10_000).filter(|n| buckets.take(ip(0), Micros(n * 6000))).count();
        assert_eq!(looked, 10 + 9, "in a minute");
        for n in 0..20_000 {
            buckets.take(ip(n), Micros(60_000_000));
        }
        assert!(buckets.full_at.len() <= MOST);
        assert!(!buckets.has(ip(0), Micros(60_000_000)), "who guesses most is not forgotten for others");
    }

    #[test]
    fn a_network_of_64_bits_is_one_address_and_a_neighbour_on_the_link_another() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(counted_as(ip("2001:db8::1")), counted_as(ip("2001:db8::ffff:2")));
        assert_ne!(counted_as(ip("2001:db8::1")), counted_as(ip("2001:db8:0:1::1")));
        assert_ne!(counted_as(ip("fe80::1")), counted_as(ip("fe80::2")));
        assert_ne!(counted_as(ip("192.0.2.1")), counted_as(ip("192.0.2.2")));
        assert_eq!(counted_as(ip("::1")), counted_as(ip("127.0.0.9")));
    }
}
