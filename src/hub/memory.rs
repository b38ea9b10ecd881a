//! One budget for everything that has come and is not whole yet, and for answers that nobody reads: it is shared by all
//! connections, and when it is used up, the address that holds most gives first, by its connection that stands still.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::access::buckets::counted_as;
use crate::time::{Micros, now};

/// What is counted in: what is less costs nothing, and nothing is asked for it.
const GRAIN: usize = 64 * 1024;

/// That somebody goes on is noted so often.
const A_WHILE: Duration = Duration::from_millis(100);

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
    held: Held,
    /// It was told to give, and counts no more.
    gives: bool,
    /// How it is told.
    end: E,
}

/// What one connection holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) bytes: usize,
    /// How many of them are of a picture that is being sent.
    pub(super) picture: usize,
    /// When it last sent a byte of what it holds, or took one.
    pub(super) progress: Micros,
}

impl Held {
    /// Bytes that come.
    pub(super) fn coming(bytes: usize) -> Self {
        Self { bytes, picture: 0, progress: now() }
    }

    /// Whether it counts as nothing.
    pub(super) fn is_nothing(&self) -> bool {
        self.bytes < GRAIN
    }

    /// Who gives first among the connections of one address: whoever has stood still for longest, in seconds, and of these who
    /// holds most. So whoever sends or reads does not give for those behind its router that do not. A picture that is being
    /// sent counts twice, for the same reason.
    fn weight(&self) -> (Reverse<u64>, usize, Reverse<Micros>) {
        (Reverse(self.progress.0 / 1_000_000), self.bytes + self.picture, Reverse(self.progress))
    }
}

impl<E> Ledger<E> {
    fn new(most: usize) -> Self {
        Self { most, held: 0, accounts: HashMap::new(), serial: 0 }
    }

    fn open(&mut self, ip: IpAddr, end: E) -> u64 {
        self.serial += 1;
        self.accounts.insert(self.serial, Entry { address: counted_as(ip), held: Held::default(), gives: false, end });
        self.serial
    }

    fn close(&mut self, id: u64) {
        if let Some(entry) = self.accounts.remove(&id).filter(|e| !e.gives) {
            self.held -= entry.held.bytes;
        }
    }

    /// An account holds so much now. `gives` is called for each that has to give, and is told whether it is another one.
    fn hold(&mut self, id: u64, held: Held, mut gives: impl FnMut(&E, bool)) -> Result<(), Full> {
        let entry = match self.accounts.get_mut(&id) {
            Some(entry) if !entry.gives => entry,
            // It has given, and may still answer with a few words.
            _ => return if held.bytes == 0 { Ok(()) } else { Err(Full) },
        };
        self.held = self.held - entry.held.bytes + held.bytes;
        entry.held = held;
        while self.held > self.most {
            let Some(victim) = self.victim() else { break };
            let Some(entry) = self.accounts.get_mut(&victim) else { break };
            entry.gives = true;
            self.held -= entry.held.bytes;
            gives(&entry.end, victim != id);
            if victim == id {
                return Err(Full);
            }
        }
        Ok(())
    }

    /// Who gives: of the address that holds most the account of the largest weight, see [`Held::weight`].
    fn victim(&self) -> Option<u64> {
        let mut sums: HashMap<IpAddr, usize> = HashMap::new();
        let open = || self.accounts.iter().filter(|(_, e)| !e.gives && e.held.bytes > 0);
        open().for_each(|(_, e)| *sums.entry(e.address).or_default() += e.held.bytes);
        let most = *sums.iter().max_by_key(|(_, sum)| **sum)?.0;
        open().filter(|(_, e)| e.address == most).max_by_key(|(id, e)| (e.held.weight(), **id)).map(|(id, _)| *id)
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
        Account { memory: self.clone(), id, told: Mutex::default() }
    }
}

/// What one connection holds. Dropping it gives everything back.
pub(super) struct Account {
    memory: Arc<Memory>,
    id: u64,
    /// What it told the ledger last, in whole grains.
    told: Mutex<Held>,
}

impl Account {
    /// It holds so much now. Whoever was told to give can hold nothing, and few bytes are nothing.
    pub(super) fn hold(&self, held: Held) -> Result<(), Full> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let in_grains = |bytes: usize| if bytes < GRAIN { 0 } else { bytes.next_multiple_of(GRAIN) };
        let held = Held { bytes: in_grains(held.bytes), picture: in_grains(held.picture), ..held };
        let progressed = held.progress.since(told.progress) >= A_WHILE && held.bytes > 0;
        if (told.bytes, told.picture) == (held.bytes, held.picture) && !progressed {
            return Ok(());
        }
        *told = held;
        let mut gave = Vec::new();
        let held = self.memory.ledger().hold(self.id, held, |who, another| {
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
                refused += usize::from(ledger.hold(*id, coming(mb * MB), |_, _| {}).is_err());
            }
        }
        assert!(ledger.held <= 256 * MB && refused > 0);
        let honest = ledger.open(ip(2), 999);
        let told = RefCell::new(Vec::new());
        for mb in 1..=8 {
            assert_eq!(ledger.hold(honest, coming(mb * MB), |who, _| told.borrow_mut().push(*who)), Ok(()));
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
        ledger.hold(small, coming(2 * MB), nobody).unwrap();
        ledger.hold(large, coming(4 * MB), nobody).unwrap();
        let told = RefCell::new(Vec::new());
        ledger.hold(other, coming(5 * MB), |who, _| told.borrow_mut().push(*who)).unwrap();
        assert_eq!(*told.borrow(), ["large"]);
        assert_eq!(ledger.hold(large, coming(MB), nobody), Err(Full), "it was told to go");
        assert_eq!(ledger.hold(large, coming(0), nobody), Ok(()), "and may answer");
        assert_eq!(ledger.hold(other, coming(9 * MB), nobody), Err(Full), "now it holds most itself");
    }

    #[test]
    fn whoever_sends_or_reads_does_not_give_for_those_behind_its_router_that_do_not() {
        let publisher = Held { bytes: 16 * MB, picture: 0, progress: Micros(9_900_000) };
        let reads = |mb| keeps(mb, 9_900_000);
        assert_eq!(of_one_address([keeps(12, 9_500_000), publisher]), 0, "they all go on, but a picture counts twice");
        assert_eq!(of_one_address([keeps(5, 2_000_000), publisher]), 0, "however little it keeps");
        assert_eq!(of_one_address([keeps(5, 2_000_000), reads(18)]), 0);
        assert_eq!(of_one_address([reads(12), keeps(12, 9_100_000)]), 1, "it has stood still for longest");
        assert_eq!(of_one_address([reads(13), keeps(12, 9_100_000)]), 0, "in the same second whoever holds most");
    }

    /// Which of the connections of one address gives when 20 MB are too few for both.
    fn of_one_address(held: [Held; 2]) -> usize {
        let mut ledger = Ledger::new(20 * MB);
        let told = RefCell::new(Vec::new());
        for (number, held) in held.into_iter().enumerate() {
            let account = ledger.open(ip(1), number);
            let _ = ledger.hold(account, held, |who, _| told.borrow_mut().push(*who));
        }
        let [who] = told.into_inner()[..] else { panic!("only one had to give") };
        who
    }

    fn keeps(mb: usize, progress: u64) -> Held {
        Held { bytes: mb * MB, picture: mb * MB, progress: Micros(progress) }
    }

    fn coming(bytes: usize) -> Held {
        Held { bytes, ..Held::default() }
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let mut ledger = Ledger::new(10 * MB);
        let all: Vec<_> = (1..=4).map(|n| ledger.open(format!("2001:db8::{n}").parse().unwrap(), n)).collect();
        all.iter().for_each(|id| ledger.hold(*id, coming(2 * MB), |_, _| {}).unwrap());
        let honest = ledger.open(ip(2), 9);
        assert_eq!(ledger.hold(honest, coming(4 * MB), |_, _| {}), Ok(()));
    }
}
