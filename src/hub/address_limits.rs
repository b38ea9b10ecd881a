//! How many places each address has: its connections, and what its people in rooms see beside what they were counted for
//! already.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::access::buckets::{Buckets, counted_as};
use crate::time::Micros;

/// Those who have one connection too many, and wait to be told so, count as one, which has so many places.
const TOO_MANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const TOLD: usize = 32;

/// Connections and requests of one address at once, and how often one more: many people behind one router, each of whom looks at
/// cameras picture by picture, come less often.
const COMES_AT_ONCE: u32 = 2000;
const COMES_EVERY: Duration = Duration::from_millis(2);

/// The places of all addresses.
pub(super) struct Addresses {
    taken: Mutex<HashMap<IpAddr, usize>>,
    /// Places of one address at most.
    most: usize,
    /// How often each comes and asks.
    rates: Mutex<Buckets>,
}

impl Addresses {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: Mutex::default(), most, rates: Mutex::new(Buckets::new(COMES_AT_ONCE, COMES_EVERY)) }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more place for an address; `None`: it has all it may have. This machine has as many as it likes.
    pub(super) fn place(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let address = counted_as(ip);
        let most = if address.is_loopback() { usize::MAX } else { self.most };
        self.take(address, most)
    }

    /// Whether one more connection or request of an address is not too often. This machine may come as often as it likes.
    pub(super) fn may_come(&self, ip: IpAddr, now: Micros) -> bool {
        counted_as(ip).is_loopback() || self.rates.lock().unwrap_or_else(PoisonError::into_inner).take(ip, now)
    }

    /// One more place for a proxy that is believed: many come through it.
    pub(super) fn place_of_proxy(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        self.take(counted_as(ip), usize::MAX)
    }

    /// A place for somebody who is to be told that its address has none.
    pub(super) fn place_to_be_told(self: &Arc<Self>) -> Option<Place> {
        self.take(TOO_MANY, TOLD)
    }

    fn take(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        let mut taken = self.taken();
        let count = taken.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { addresses: self.clone(), address })
    }
}

/// A place of an address. Dropping it gives it back.
pub(super) struct Place {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.addresses.taken();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let addresses = Arc::new(Addresses::new(2));
        let (near, far) = (ip("192.0.2.1"), ip("192.0.2.2"));
        let mut places: Vec<_> = (0..2).filter_map(|_| addresses.place(near)).collect();
        assert_eq!(places.len(), 2);
        assert!(addresses.place(near).is_none(), "one too many");
        assert!(addresses.place(ip("::ffff:192.0.2.1")).is_none(), "the same address");
        places.extend(addresses.place(far));
        assert_eq!(places.len(), 3, "another address has its own");
        places.remove(0);
        places.extend(addresses.place(near));
        assert_eq!(places.len(), 3);
        for here in ["127.0.0.1", "::ffff:127.0.0.1", "::1"] {
            places.extend((0..100).filter_map(|_| addresses.place(ip(here))));
        }
        assert_eq!(places.len(), 303, "this machine is not limited");
        drop(places);
        assert!(addresses.taken().is_empty(), "nothing is kept about who has left");
    }

    #[test]
    fn an_address_that_comes_too_often_waits_and_others_do_not() {
        let addresses = Addresses::new(2);
        let comes =
            |from: &str, at| (0..3 * COMES_AT_ONCE).filter(|_| addresses.may_come(ip(from), Micros(at))).count();
        assert_eq!(comes("192.0.2.1", 1_000_000), COMES_AT_ONCE as usize);
        assert_eq!(comes("192.0.2.1", 2_000_000), 500, "in a second");
        assert_eq!(comes("192.0.2.2", 2_000_000), COMES_AT_ONCE as usize);
        assert_eq!(comes("::1", 2_000_000), 3 * COMES_AT_ONCE as usize);
    }

    #[test]
    fn of_those_who_have_one_too_many_so_many_at_once_are_told() {
        let addresses = Arc::new(Addresses::new(1));
        let mut told: Vec<_> = (0..2 * TOLD).filter_map(|_| addresses.place_to_be_told()).collect();
        assert_eq!(told.len(), TOLD);
        assert!(addresses.place(ip("192.0.2.1")).is_some(), "they take nobody's place");
        told.pop();
        assert!(addresses.place_to_be_told().is_some());
    }
}
