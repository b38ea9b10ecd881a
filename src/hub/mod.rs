//! The hub: takes pictures from publishers and gives each viewer the newest one it can take.
//!
//! `admission` ends slow, wrong and hostile peers; whoever passes belongs to one of a few `deliver` loops from then on.
//! Who publishes and watches what is decided by the rules in [`crate::relay`], under one lock that no picture passes.

mod address_limits;
mod admission;
mod bridges;
mod counters;
mod deliver;
mod encryption;
mod http;
mod last_pictures;
mod memory;
mod placeholder;
mod pollers;
mod posted;
mod routes;
mod stream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::access::{Access, Grant, List};
use crate::adapt::{Target, rungs_for};
use crate::error::{Error, Result};
use crate::frame::{Codec, MAX_PIXELS};
use crate::names::StreamKey;
use crate::net::tls::identity::Identity;
use crate::relay::{ConnectionId, Effect, Rooms};
use crate::time::{Micros, now};
use crate::wire::control::{MAX_CONTROL, StreamInfo};
use crate::wire::host::HostNames;
use crate::wire::jpeg::{self, CountLimit};
use crate::wire::packet;
pub use bridges::BridgeTimes;
use deliver::{Command, Handle};
pub use encryption::Encryption;
use stream::Stream;

/// The program and version that a hub says in its welcome.
pub(crate) const PROGRAM: &str = concat!("streamflow/", env!("CARGO_PKG_VERSION"));

/// What a hub is to do. `Default` is what the programs do without options.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The address of the one port. Default: 127.0.0.1:8002, so that nobody else can reach it. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// How it encrypts. Default: with a key of its own where it can be reached from outside.
    pub encryption: Encryption,
    /// The folder in which the hub keeps its key. `None`, the default: `$STATE_DIRECTORY` of systemd,
    /// `$XDG_STATE_HOME/streamflow`, or `~/.local/state/streamflow`.
    pub state: Option<std::path::PathBuf>,
    /// The address of the plain listener, which sends length and JPEG to whoever connects. Default: none.
    pub plain: Option<SocketAddr>,
    /// The stream of the plain listener; `None`, the default: the first there is in room `main`.
    pub plain_stream: Option<StreamKey>,
    /// Viewers at most, of all streams together. In a room each member counts, and each stream that it sees. Default 1024: what
    /// two cores serve at 30 pictures a second.
    pub max_viewers: usize,
    /// Publishers at most. Default 64.
    pub max_publishers: usize,
    /// Streams that one address other than loopback may publish without a connection, picture by picture. Default 32; a
    /// publisher with a connection takes the place of one of them where all places are taken.
    pub max_posted: usize,
    /// The longest picture in bytes. Default 8 MiB.
    pub max_picture: usize,
    /// The most pixels of a picture, as its header tells them. Default 64 Mpx.
    pub max_pixels: usize,
    /// Connections that have not said yet what they want, at most. Beyond that whoever has had 200 ms gives way, or a
    /// second while it is being answered; for a moment there may be four times as many, and then a tenth of that time must do,
    /// a fifth while being answered. Default 1024: as many as come back at once when a full hub begins anew.
    pub max_pending: usize,
    /// Connections from one address at most, and streams that its members of rooms see, all together; loopback excepted. A
    /// network of 64 bits of IPv6 is one address. Default 256, for many viewers behind one router.
    pub max_per_address: usize,
    /// Bytes at most of messages and bodies that are not whole yet, and of answers and pictures that nobody reads, of all
    /// connections together. Beyond that a connection of the address that holds most is closed: the one that stands still
    /// for longest. Default 256 MiB.
    pub max_memory: usize,
    /// How long a connection may take to say what it wants. Default 5 s.
    pub handshake: Duration,
    /// A viewer that takes no byte of a picture for so long is dropped. Default 10 s.
    pub stuck_after: Duration,
    /// How old a picture may be that a snapshot of a lost stream is given. Default zero: such a snapshot is refused with the
    /// reason. The last pictures take 64 MiB at most, of all streams together, beside `max_memory`.
    pub stale_after: Duration,
    /// How long a publisher may take to answer when another one asks for its name. Who asks waits twice as long at most.
    /// Default 2 s.
    pub answers_within: Duration,
    /// Web pages from elsewhere that may use this hub, as `https://example.org`; `*` stands for all. Default: none
    /// but the hub's own and those of this machine.
    pub allow_origin: Vec<String>,
    /// URLs under which the hub is reached by names of the DNS, as `https://cams.example.org`: it answers HTTP requests
    /// for these hosts beside those that no stranger can register. Default: none.
    pub public_url: Vec<String>,
    /// How long it waits for clients of other protocols than its own.
    #[doc(hidden)]
    pub bridge_times: BridgeTimes,
    /// Delivery threads; 0, the default: one a core, four at most.
    pub threads: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], crate::net::address::PORT)),
            encryption: Encryption::default(),
            state: None,
            plain: None,
            plain_stream: None,
            max_viewers: 1024,
            max_publishers: 64,
            max_posted: 32,
            max_picture: packet::MAX_PICTURE,
            max_pixels: MAX_PIXELS,
            max_pending: 1024,
            max_per_address: 256,
            max_memory: 256 << 20,
            handshake: Duration::from_secs(5),
            stuck_after: Duration::from_secs(10),
            stale_after: Duration::ZERO,
            answers_within: Duration::from_secs(2),
            allow_origin: Vec::new(),
            public_url: Vec::new(),
            bridge_times: BridgeTimes::default(),
            threads: 0,
        }
    }
}

/// A running hub. Dropping it says goodbye to everybody, closes everything and waits for its threads.
pub struct Hub {
    shared: Arc<Shared>,
    renewal: Option<encryption::Renewal>,
    admission: Option<admission::Admission>,
    loops: Vec<JoinHandle<()>>,
}

impl Hub {
    /// Binds the ports and begins to serve.
    ///
    /// # Errors
    /// [`Error::Listen`] when a port cannot be had, [`Error::Usage`] for settings that make no sense.
    pub fn start(config: HubConfig) -> Result<Self> {
        Self::start_with(config, Access::default())
    }

    /// The same, where this says who may do what.
    fn start_with(config: HubConfig, access: Access) -> Result<Self> {
        if config.max_picture < 1024 || config.max_picture > 1 << 30 {
            return Err(Error::Usage("a hub's longest picture is 1 kB to 1 GiB".into()));
        }
        let is_origin = |text: &String| *text == "*" || *text == "null" || text.contains("://");
        if let Some(wrong) = config.allow_origin.iter().find(|text| !is_origin(text)) {
            return Err(Error::Usage(format!("'{wrong}' is no origin of pages; write https://example.org, null or *")));
        }
        let host_names = http::host_names(&config.public_url).map_err(Error::Usage)?;
        let identity = encryption::identity(&config)?;
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from).min(4),
            n => n.min(64),
        };
        let mut polls = Vec::new();
        let mut handles = Vec::new();
        for _ in 0..threads {
            let (poll, handle) = Handle::new().map_err(|e| Error::io("cannot make a poll", e))?;
            polls.push(poll);
            handles.push(handle);
        }
        let (poll, admission) = admission::Handle::new().map_err(|e| Error::io("cannot make a poll", e))?;
        let shared = Arc::new(Shared {
            admission,
            access,
            registry: Mutex::new(Registry {
                rooms: Rooms::new(config.max_publishers, config.max_viewers),
                streams: HashMap::new(),
                targets: HashMap::new(),
            }),
            loops: handles,
            serial: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            totals: Totals::default(),
            placeholders: Arc::default(),
            addresses: Arc::new(address_limits::Addresses::new(config.max_per_address)),
            memory: Arc::new(memory::Memory::new(config.max_memory)),
            memberships: Mutex::default(),
            posted: Default::default(),
            counting: Arc::new(CountLimit::new(COUNTED)),
            last_pictures: Arc::new(last_pictures::LastPictures::new(config.stale_after)),
            pollers: Default::default(),
            host_names,
            identity: identity.clone(),
            started: now(),
            config,
        });
        let admission = admission::Admission::start(shared.clone(), poll)?;
        let renewal = identity.map(|identity| encryption::Renewal::start(identity, &shared.config)).transpose()?;
        let mut hub = Self { shared, renewal, admission: Some(admission), loops: Vec::new() };
        for (index, poll) in polls.into_iter().enumerate() {
            let shared = hub.shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("deliver-{index}"))
                .spawn(move || deliver::run(shared, index, poll))
                .map_err(|e| Error::io("cannot start a thread", e))?;
            hub.loops.push(thread);
        }
        Ok(hub)
    }

    /// The address that the one port has, with the port that was given where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.admission.as_ref().map_or(self.shared.config.listen, |a| a.address)
    }

    /// The address of the plain listener, if there is one.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.admission.as_ref().and_then(|a| a.plain_address)
    }

    /// The key that it encrypts with, as programs and people compare it; `None`: it does not encrypt.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.shared.identity.as_deref()
    }

    /// The streams of one room, or of all.
    #[must_use]
    pub fn streams(&self, room: Option<&str>) -> Vec<StreamInfo> {
        self.shared.registry().rooms.list(&Grant::of_host(room))
    }

    /// How many publish and how many watch.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.shared.counts()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        drop(self.renewal.take());
        drop(self.admission.take());
        for handle in &self.shared.loops {
            handle.wake();
        }
        for thread in self.loops.drain(..) {
            // A panic of a loop has been reported by then; there is nothing left to do about it.
            let _ = thread.join();
        }
        for handle in &self.shared.loops {
            handle.clear();
        }
    }
}

/// So many blocks of pictures without an end of image are counted a second, of all publishers together: some forty pictures of
/// 1920x1080, so that one such camera has all of its pictures; a fifth of a processor at most.
const COUNTED: u32 = 2 << 20;

/// What all threads of a hub share.
struct Shared {
    config: HubConfig,
    /// As whom it answers HTTP requests.
    host_names: HostNames,
    registry: Mutex<Registry>,
    loops: Vec<Handle>,
    admission: admission::Handle,
    /// Its key; `None`: it does not encrypt.
    identity: Option<Arc<Identity>>,
    /// Who may do what.
    access: Access,
    serial: AtomicU64,
    stopping: AtomicBool,
    totals: Totals,
    placeholders: Arc<placeholder::Placeholders>,
    addresses: Arc<address_limits::Addresses>,
    memory: Arc<memory::Memory>,
    /// Who is in a room, and sees all others in it.
    memberships: Mutex<bridges::rooms::Memberships>,
    /// Who publishes without a connection, picture by picture.
    posted: Mutex<posted::PostedStreams>,
    /// How many blocks of pictures without an end are counted.
    counting: Arc<CountLimit>,
    /// The last picture of each stream, where old ones are allowed.
    last_pictures: Arc<last_pictures::LastPictures>,
    /// Who watches without a connection, picture by picture.
    pollers: Mutex<pollers::Pollers>,
    started: Micros,
}

/// Sums over all connections, for the log.
#[derive(Default)]
struct Totals {
    pictures: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
    refused: AtomicU64,
    errors: AtomicU64,
    open: AtomicUsize,
}

struct Registry {
    rooms: Rooms,
    streams: HashMap<StreamKey, Arc<Stream>>,
    /// The targets of each stream's viewers, loop by loop, and last those of who polls.
    targets: HashMap<u64, Vec<Vec<Target>>>,
}

impl Shared {
    /// Whether a publisher's picture may be passed on. Its header is all that is looked at, and of a sealed one its length.
    fn check_picture(&self, codec: Codec, data: &[u8]) -> Result<(), String> {
        if data.len() > self.config.max_picture {
            return Err(format!("a picture of {} bytes is over {}", data.len(), self.config.max_picture));
        }
        match codec {
            Codec::Jpeg => jpeg::checked_size(data, self.config.max_pixels).map(drop),
            Codec::Sealed => Ok(()),
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection's name, and the loop it belongs to: the one with the fewest.
    fn new_id(&self) -> ConnectionId {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let fewest = self.loops.iter().enumerate().min_by_key(|(_, h)| h.connections.load(Ordering::Relaxed));
        serial << 8 | fewest.map_or(0, |(index, _)| index) as u64
    }

    fn index_of(&self, id: ConnectionId) -> usize {
        usize::try_from(id & 0xff).unwrap_or(0) % self.loops.len()
    }

    fn loop_of(&self, id: ConnectionId) -> &Handle {
        &self.loops[self.index_of(id)]
    }

    /// Admission's number among the loops that are told of pictures: the last.
    fn admission_index(&self) -> usize {
        self.loops.len()
    }

    /// Tells a loop of a stream's new picture.
    fn picture_came(&self, index: usize, stream: Arc<Stream>) {
        match self.loops.get(index) {
            Some(handle) => handle.fresh(stream),
            None => self.admission.picture_came(&stream),
        }
    }

    /// Lets the rules decide, and passes what follows on to the loops, in one order for all.
    fn decide<E>(
        &self,
        decision: impl FnOnce(&mut Rooms) -> std::result::Result<Vec<Effect>, E>,
    ) -> std::result::Result<(), E> {
        let mut registry = self.registry();
        for effect in decision(&mut registry.rooms)? {
            match effect {
                Effect::Tell(id, control) => self.loop_of(id).command(Command::Tell(id, control)),
                Effect::Close(id, control) => self.loop_of(id).command(Command::Close(id, control)),
                Effect::Watch(id, key) => {
                    let stream = self.stream_in(&mut registry, &key);
                    self.loop_of(id).command(Command::Watch(id, stream));
                }
                Effect::Watched(key, watched) => self.stream_in(&mut registry, &key).pictures().watched(watched, now()),
                Effect::Forget(key) => {
                    if let Some(stream) = registry.streams.remove(&key) {
                        registry.targets.remove(&stream.id);
                    }
                }
            }
        }
        Ok(())
    }

    /// The targets of a stream's viewers on one loop, or behind the last loop of those who poll; the publisher is told when
    /// that changes what it encodes.
    fn set_targets(&self, stream: &Stream, index: usize, targets: Vec<Target>) {
        let mut registry = self.registry();
        if registry.streams.get(&stream.key).is_none_or(|known| known.id != stream.id) {
            // Everybody has left it meanwhile; another of its name has targets of its own.
            return;
        }
        let loops = registry.targets.entry(stream.id).or_insert_with(|| vec![Vec::new(); self.loops.len() + 1]);
        loops[index] = targets;
        let all: Vec<Target> = loops.iter().flatten().copied().collect();
        let rungs = rungs_for(&all, registry.rooms.rungs(&stream.key));
        stream.pictures().demanded(&rungs, now());
        for effect in registry.rooms.demand(&stream.key, rungs) {
            if let Effect::Tell(id, control) = effect {
                self.loop_of(id).command(Command::Tell(id, control));
            }
        }
    }

    /// A publisher has begun, and is told what is demanded already: one that does not say what it encodes, encodes that.
    fn demanded_already(&self, key: &StreamKey) {
        let registry = self.registry();
        if let Some(stream) = registry.streams.get(key) {
            stream.pictures().demanded(registry.rooms.rungs(key), now());
        }
    }

    /// The stream for a publisher that the rules have let in.
    fn stream(&self, key: &StreamKey) -> Arc<Stream> {
        self.stream_in(&mut self.registry(), key)
    }

    /// The streams of a room as one control packet holds them. Whoever waits for a stream that nobody publishes may call
    /// it anything, so it is those that are left out when there are too many.
    fn list(&self, grant: &Grant<List>) -> Vec<StreamInfo> {
        let mut left = MAX_CONTROL - 256;
        let mut streams = self.registry().rooms.list(grant);
        let fits = streams.iter().position(|s| {
            // Two names and at most 64 bytes of JSON around them.
            let length = s.room.len() + s.name.len() + 64;
            left = left.saturating_sub(length);
            left == 0
        });
        streams.truncate(fits.unwrap_or(streams.len()));
        streams
    }

    fn counts(&self) -> (usize, usize) {
        self.registry().rooms.counts()
    }

    /// Lets go of the pictures of streams that nobody publishes any more.
    fn forget_pictures(&self, now: Micros) {
        let registry = self.registry();
        let free = |key: &StreamKey| !registry.rooms.is_published(key);
        registry.streams.iter().filter(|(key, _)| free(key)).for_each(|(_, stream)| stream.pictures().gone(now));
        drop(registry);
        self.last_pictures.sweep(now);
    }

    /// Whether a name is free to be published under.
    fn is_free(&self, key: &StreamKey) -> bool {
        !self.registry().rooms.is_published(key)
    }

    fn stream_in(&self, registry: &mut Registry, key: &StreamKey) -> Arc<Stream> {
        if let Some(stream) = registry.streams.get(key) {
            return stream.clone();
        }
        let id = self.serial.fetch_add(1, Ordering::Relaxed);
        let last = self.last_pictures.is_on().then(|| self.last_pictures.clone());
        let stream = Arc::new(Stream::new(key.clone(), id, self.loops.len() + 1, last));
        registry.streams.insert(key.clone(), stream.clone());
        stream
    }
}
