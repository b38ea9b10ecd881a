//! One budget for everything that has come and is not whole yet, and for answers that nobody reads: it is shared by all
//! connections, and when it is used up, the address that holds most gives first, by its connection that holds most.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::addresses::address_of;

/// What is counted in: what is less costs nothing, and nothing is asked for it.
const GRAIN: usize = 64 * 1024;

/// Why a connection ends that holds too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hub has no memory left for unfinished messages, and this address holds most of it (--max-memory)")]
pub(super) struct Full;

/// The rule: who holds how much, and who gives.
#[derive(Debug)]
struct Ledger<E> {
    most: usize,
    held: usize,
    accounts: HashMap<u64, Entry<E>>,
    serial: u64,
}

#[derive(Debug)]
struct Entry<E> {
    address: IpAddr,
    bytes: usize,
    /// It was told to give, and counts no more.
    gives: bool,
    /// How it is told.
    end: E,
}

impl<E> Ledger<E> {
    fn new(most: usize) -> Self {
        Self { most, held: 0, accounts: HashMap::new(), serial: 0 }
    }

    fn open(&mut self, ip: IpAddr, end: E) -> u64 {
        self.serial += 1;
        self.accounts.insert(self.serial, Entry { address: address_of(ip), bytes: 0, gives: false, end });
        self.serial
    }

    fn close(&mut self, id: u64) {
        if let Some(entry) = self.accounts.remove(&id).filter(|e| !e.gives) {
            self.held -= entry.bytes;
        }
    }

    /// An account holds so much now. `gives` is called for each that has to give, and is told whether it is another one.
    fn hold(&mut self, id: u64, bytes: usize, mut gives: impl FnMut(&E, bool)) -> Result<(), Full> {
        let entry = match self.accounts.get_mut(&id) {
            Some(entry) if !entry.gives => entry,
            // It has given, and may still answer with a few words.
            _ => return if bytes == 0 { Ok(()) } else { Err(Full) },
        };
        self.held = self.held - entry.bytes + bytes;
        entry.bytes = bytes;
        while self.held > self.most {
            let Some(victim) = self.holds_most() else { break };
            let Some(entry) = self.accounts.get_mut(&victim) else { break };
            entry.gives = true;
            self.held -= entry.bytes;
            gives(&entry.end, victim != id);
            if victim == id {
                return Err(Full);
            }
        }
        Ok(())
    }

    /// The largest account of the address that holds most.
    fn holds_most(&self) -> Option<u64> {
        let mut sums: HashMap<IpAddr, usize> = HashMap::new();
        let open = || self.accounts.iter().filter(|(_, e)| !e.gives && e.bytes > 0);
        open().for_each(|(_, e)| *sums.entry(e.address).or_default() += e.bytes);
        let most = *sums.iter().max_by_key(|(_, sum)| **sum)?.0;
        open().filter(|(_, e)| e.address == most).max_by_key(|(id, e)| (e.bytes, **id)).map(|(id, _)| *id)
    }
}

struct End {
    ip: IpAddr,
    end: Box<dyn Fn() + Send>,
}

/// The budget.
pub(super) struct Memory(Mutex<Ledger<End>>);

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self(Mutex::new(Ledger::new(most)))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger<End>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An account of one more connection of an address. `end` ends it, from any thread.
    pub(super) fn open(self: &Arc<Self>, ip: IpAddr, end: impl Fn() + Send + 'static) -> Account {
        let id = self.ledger().open(ip, End { ip, end: Box::new(end) });
        Account { memory: self.clone(), id, grains: Mutex::new(0) }
    }
}

/// What one connection holds. Dropping it gives everything back.
pub(super) struct Account {
    memory: Arc<Memory>,
    id: u64,
    grains: Mutex<usize>,
}

impl Account {
    /// It holds so much now. Whoever was told to give can hold nothing, and few bytes are nothing.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), Full> {
        let mut grains = self.grains.lock().unwrap_or_else(PoisonError::into_inner);
        let now = if bytes < GRAIN { 0 } else { bytes.div_ceil(GRAIN) };
        if *grains == now {
            return Ok(());
        }
        *grains = now;
        let mut gave = Vec::new();
        let held = self.memory.ledger().hold(self.id, now * GRAIN, |who, another| {
            gave.push(who.ip);
            if another {
                (who.end)();
            }
        });
        for ip in gave {
            log::info!("{ip}: a connection is closed: {Full}");
        }
        held
    }
}

impl Account {
    /// Whether it was not told to give.
    pub(super) fn may_stay(&self) -> Result<(), Full> {
        let ledger = self.memory.ledger();
        if ledger.accounts.get(&self.id).is_some_and(|e| !e.gives) { Ok(()) } else { Err(Full) }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.ledger().close(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const MB: usize = 1 << 20;

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_picture_of_somebody_else_passes_however_much_one_address_holds() {
        let mut ledger = Ledger::new(256 * MB);
        let hoard: Vec<_> = (0..250).map(|n| ledger.open(ip(1), n)).collect();
        let mut refused = 0;
        for mb in 1..=11 {
            for id in &hoard {
                refused += usize::from(ledger.hold(*id, mb * MB, |_, _| {}).is_err());
            }
        }
        assert!(ledger.held <= 256 * MB && refused > 0);
        let honest = ledger.open(ip(2), 999);
        let told = RefCell::new(Vec::new());
        for mb in 1..=8 {
            assert_eq!(ledger.hold(honest, mb * MB, |who, _| told.borrow_mut().push(*who)), Ok(()));
            assert!(ledger.held <= 256 * MB);
        }
        assert!(told.borrow().iter().all(|who| *who < 250), "{told:?}");
        ledger.close(honest);
        hoard.iter().for_each(|id| ledger.close(*id));
        assert_eq!((ledger.held, ledger.accounts.len()), (0, 0), "all is given back");
    }

    #[test]
    fn of_the_address_that_holds_most_the_connection_that_holds_most_gives() {
        let mut ledger = Ledger::new(10 * MB);
        let (small, large, other) =
            (ledger.open(ip(1), "small"), ledger.open(ip(1), "large"), ledger.open(ip(2), "other"));
        let nobody = |who: &&str, another: bool| assert!(!another, "{who} had to give");
        ledger.hold(small, 2 * MB, nobody).unwrap();
        ledger.hold(large, 4 * MB, nobody).unwrap();
        let told = RefCell::new(Vec::new());
        ledger.hold(other, 5 * MB, |who, _| told.borrow_mut().push(*who)).unwrap();
        assert_eq!(*told.borrow(), ["large"]);
        assert_eq!(ledger.hold(large, MB, nobody), Err(Full), "it was told to go");
        assert_eq!(ledger.hold(large, 0, nobody), Ok(()), "and may answer");
        assert_eq!(ledger.hold(other, 9 * MB, nobody), Err(Full), "now it holds most itself");
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let mut ledger = Ledger::new(10 * MB);
        let all: Vec<_> = (1..=4).map(|n| ledger.open(format!("2001:db8::{n}").parse().unwrap(), n)).collect();
        all.iter().for_each(|id| ledger.hold(*id, 2 * MB, |_, _| {}).unwrap());
        let honest = ledger.open(ip(2), 9);
        assert_eq!(ledger.hold(honest, 4 * MB, |_, _| {}), Ok(()));
    }
}
