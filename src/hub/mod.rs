//! The hub: takes pictures from publishers and gives each viewer the newest one it can take.
//!
//! `admission` ends slow, wrong and hostile peers; whoever passes belongs to one of a few `deliver` loops from then on.
//! Who publishes and watches what is decided by the rules in [`crate::relay`], under one lock that no picture passes.

pub(crate) mod access_files;
mod address_limits;
mod admission;
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "streamflow-hub alone needs it"))]
mod answers;
mod authenticator;
mod bridges;
mod config;
mod counters;
mod deliver;
mod encryption;
mod http;
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "streamflow-hub alone needs it"))]
pub(crate) mod inherited;
mod last_pictures;
pub(crate) mod links;
mod memory;
mod open_rooms;
mod placeholder;
mod pollers;
mod posted;
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "streamflow-hub alone needs it"))]
mod roll_call;
mod routes;
mod steering;
mod stream;
mod upkeep;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use mio::Poll;

use self::access_files::{AccessFiles, Beginning, OwnSecrets};
use self::authenticator::Authenticator;
use self::inherited::Inherited;
use self::upkeep::{Upkeep, looks};
use crate::access::network::Network;
use crate::access::policy::Policy;
use crate::access::{Access, Grant, List};
use crate::adapt::{Target, rungs_for};
use crate::error::{Error, Result};
use crate::frame::Codec;
use crate::names::StreamKey;
use crate::net::layout::unix_time;
use crate::net::mdns::Announcement;
use crate::net::tls::identity::Identity;
use crate::relay::open_rooms::OpenRooms;
use crate::relay::{ConnectionId, Effect, Rooms};
use crate::time::{Micros, now};
use crate::wire::control::{MAX_CONTROL, StreamInfo};
use crate::wire::fingerprint::KeyFingerprint;
use crate::wire::host::HostNames;
use crate::wire::jpeg::{self, CountLimit};
pub use access_files::AccessControl;
pub use admission::{Arrival, Door, Visit};
pub use bridges::BridgeTimes;
pub use config::HubConfig;
use deliver::{Command, Handle};
pub use encryption::Encryption;
pub use http::page::Vendored;
pub use open_rooms::KeepRooms;
use stream::{News, Stream};

/// The program and version that a hub says in its welcome.
pub(crate) const PROGRAM: &str = concat!("streamflow/", env!("CARGO_PKG_VERSION"));

/// A running hub. Dropping it says goodbye to everybody, closes everything and waits for its threads.
pub struct Hub {
    shared: Arc<Shared>,
    upkeep: Option<upkeep::Upkeep>,
    admission: Option<admission::Admission>,
    loops: Vec<JoinHandle<()>>,
    announcement: Option<Announcement>,
}

impl Hub {
    /// Binds the ports and begins to serve.
    ///
    /// # Errors
    /// [`Error::Listen`] when a port cannot be had, [`Error::Usage`] for settings that make no sense.
    pub fn start(config: HubConfig) -> Result<Self> {
        Self::start_at(config, None)
    }

    /// The same, at sockets that are open already, if there are any. Their address is `config.listen`.
    pub(crate) fn start_at(config: HubConfig, inherited: Option<Inherited>) -> Result<Self> {
        let beginning = access_files::begin(&config)?;
        Self::start_with(config, beginning, inherited)
    }

    /// The same, where this says who may do what.
    fn start_with(config: HubConfig, beginning: Beginning, inherited: Option<Inherited>) -> Result<Self> {
        let (shared, polls, files) = Shared::new(config, beginning, encryption::identity)?;
        let admission = admission::Admission::start(shared.clone(), polls.admission, inherited)?;
        let upkeep = Upkeep::start(looks(&shared, files))?;
        let mut hub = Self { shared, upkeep, admission: Some(admission), loops: Vec::new(), announcement: None };
        for (index, poll) in polls.loops.into_iter().enumerate() {
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

    /// Says in the local network where it is, until it ends.
    pub(crate) fn announce(&mut self, machine: &str) {
        let key = self.identity().map(Identity::fingerprint);
        self.announcement = Announcement::start(machine, self.address(), key);
    }

    /// What goes into the links that it prints, if it made its own secrets.
    pub(crate) fn own_secrets(&self) -> Option<&OwnSecrets> {
        self.shared.own_secrets.as_ref()
    }

    /// Keeps where it is reached, for the links that are made without it.
    pub(crate) fn keep_reached(&self, host: &str, pin: Option<KeyFingerprint>) {
        if let Some(folder) = &self.shared.folder {
            access_files::keep_reached(folder, host, pin);
        }
    }

    /// Who may do what.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.shared.access.policy()
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
        drop(self.announcement.take());
        drop(self.upkeep.take());
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
    admission: Arc<admission::Handle>,
    /// Its key; `None`: it does not encrypt.
    identity: Option<Arc<Identity>>,
    /// Who may do what, and who is who.
    access: Arc<Access>,
    authenticator: Authenticator,
    /// What goes into the links that the hub prints.
    own_secrets: Option<OwnSecrets>,
    /// The folder of its state, where it needs one.
    folder: Option<PathBuf>,
    /// Proxies that are believed.
    proxies: Vec<Network>,
    serial: AtomicU64,
    stopping: AtomicBool,
    totals: Totals,
    placeholders: Arc<placeholder::Placeholders>,
    addresses: Arc<address_limits::Addresses>,
    memory: Arc<memory::Memory>,
    /// The rooms that people opened, and what keeps them.
    open_rooms: Mutex<OpenRooms>,
    room_keeper: Option<open_rooms::RoomKeeper>,
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

/// What the threads of a hub wait with.
struct Polls {
    admission: Poll,
    loops: Vec<Poll>,
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
    /// What each stream's viewers want, loop by loop, and last who polls.
    wanted: HashMap<u64, Vec<Wanted>>,
}

/// What the viewers of a stream want of it on one loop.
#[derive(Clone, Default)]
struct Wanted {
    targets: Vec<Target>,
    /// One of them listens.
    audio: bool,
}

impl Shared {
    /// What the threads of a hub share before there are any; what they will wait with; and the files that say who may do what.
    ///
    /// # Errors
    /// As of [`Hub::start`].
    fn new(
        config: HubConfig,
        beginning: Beginning,
        identity: impl FnOnce(&HubConfig) -> Result<Option<Arc<Identity>>>,
    ) -> Result<(Arc<Self>, Polls, Option<AccessFiles>)> {
        if config.max_picture < 1024 || config.max_picture > 1 << 30 {
            return Err(Error::Usage("a hub's longest picture is 1 kB to 1 GiB".into()));
        }
        let is_origin = |text: &String| *text == "*" || *text == "null" || text.contains("://");
        if let Some(wrong) = config.allow_origin.iter().find(|text| !is_origin(text)) {
            return Err(Error::Usage(format!("'{wrong}' is no origin of pages; write https://example.org, null or *")));
        }
        let host_names = http::host_names(&config.public_url).map_err(Error::Usage)?;
        let proxies = config.behind_proxy.iter().map(|text| text.parse()).collect::<std::result::Result<_, _>>();
        let proxies = proxies.map_err(|why: String| Error::Usage(format!("--behind-proxy: {why}")))?;
        let identity = identity(&config)?;
        let Beginning { access, files, own_secrets } = beginning;
        let access = Arc::new(access);
        access.set_time(unix_time().as_secs());
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from).min(4),
            n => n.min(64),
        };
        let mut loops = Vec::new();
        let mut handles = Vec::new();
        for _ in 0..threads {
            let (poll, handle) = Handle::new().map_err(|e| Error::io("cannot make a poll", e))?;
            loops.push(poll);
            handles.push(handle);
        }
        let (poll, admission) = admission::Handle::new().map_err(|e| Error::io("cannot make a poll", e))?;
        let admission = Arc::new(admission);
        let checked = admission.clone();
        let folder = files.as_ref().map(|files| files.folder().to_owned());
        let authenticator = Authenticator::start(&access, folder.as_deref(), move || checked.checked())?;
        let (open_rooms, room_keeper) = open_rooms::RoomKeeper::start(config.keep_rooms, config.state.clone())?;
        let shared = Arc::new(Shared {
            open_rooms: Mutex::new(open_rooms),
            room_keeper,
            admission,
            access,
            authenticator,
            own_secrets,
            folder,
            proxies,
            registry: Mutex::new(Registry {
                rooms: Rooms::new(config.max_publishers, config.max_viewers),
                streams: HashMap::new(),
                wanted: HashMap::new(),
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
            identity,
            started: now(),
            config,
        });
        Ok((shared, Polls { admission: poll, loops }, files))
    }

    /// Whether this is a proxy that is believed.
    fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.has(ip))
    }

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

    /// Tells a loop of a stream's new picture, or of more sound.
    fn tell_news(&self, index: usize, stream: Arc<Stream>, news: News) {
        match self.loops.get(index) {
            Some(handle) => handle.news(stream, news),
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
                        registry.wanted.remove(&stream.id);
                    }
                }
            }
        }
        Ok(())
    }

    /// What a stream's viewers want on one loop, or behind the last loop those who poll; the publisher is told when that changes what
    /// it encodes.
    fn set_wanted(&self, stream: &Stream, index: usize, wanted: Wanted) {
        let mut registry = self.registry();
        if registry.streams.get(&stream.key).is_none_or(|known| known.id != stream.id) {
            // Everybody has left it meanwhile; another of its name has targets of its own.
            return;
        }
        let loops = registry.wanted.entry(stream.id).or_insert_with(|| vec![Wanted::default(); self.loops.len() + 1]);
        loops[index] = wanted;
        let all: Vec<Target> = loops.iter().flat_map(|wanted| &wanted.targets).copied().collect();
        let audio = loops.iter().any(|wanted| wanted.audio);
        let rungs = rungs_for(&all, registry.rooms.rungs(&stream.key));
        stream.pictures().demanded(&rungs, now());
        for effect in registry.rooms.demand(&stream.key, rungs, audio) {
            match effect {
                Effect::Tell(id, control) => self.loop_of(id).command(Command::Tell(id, control)),
                Effect::Watched(_, watched) => stream.pictures().watched(watched, now()),
                Effect::Close(..) | Effect::Watch(..) | Effect::Forget(_) => {}
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
            // Two names and at most 128 bytes of JSON around them.
            let length = s.room.len() + s.name.len() + 128;
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
