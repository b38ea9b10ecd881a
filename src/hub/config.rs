//! What a hub is to do.

use std::net::SocketAddr;
use std::time::Duration;

use super::{AccessControl, BridgeTimes, Encryption, KeepRooms, Vendored};
use crate::frame::MAX_PIXELS;
use crate::names::StreamKey;
use crate::wire::packet;

/// What a hub is to do. `Default` is what the programs do without options.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The address of the one port. Default: 127.0.0.1:8002, so that nobody else can reach it. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where a program hosts it: says in the local network where it is (DNS-SD), with its key and its version, if it can be reached from
    /// outside. Default: no.
    pub announce: bool,
    /// How it encrypts. Default: with a key of its own where it can be reached from outside.
    pub encryption: Encryption,
    /// Who may do what. Default: everybody on this machine where it listens on loopback alone; otherwise whoever has a secret or a
    /// link of this hub.
    pub access: AccessControl,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, as addresses or networks. Default: none.
    pub behind_proxy: Vec<String>,
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
    /// Where rooms are kept that people opened. Default: in memory.
    #[doc(hidden)]
    pub keep_rooms: KeepRooms,
    /// What the page has in addition. Default: nothing.
    #[doc(hidden)]
    pub vendored: Vendored,
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
            announce: false,
            encryption: Encryption::default(),
            access: AccessControl::default(),
            behind_proxy: Vec::new(),
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
            keep_rooms: KeepRooms::default(),
            vendored: Vendored::default(),
            bridge_times: BridgeTimes::default(),
            threads: 0,
        }
    }
}
