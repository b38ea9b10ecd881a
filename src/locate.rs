//! Where a program finds its hub: elsewhere, in its own process, or on this machine, wherever it is first needed.

use std::io::{ErrorKind, IsTerminal as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::access::file::PlainRule;
use crate::access::permissions::Scope;
use crate::error::{Error, Result};
use crate::hub::access_files::reached;
use crate::hub::inherited::Inherited;
use crate::hub::links::{Reached, qr_text};
use crate::hub::{Hub, HubConfig};
use crate::names::StreamKey;
use crate::net::address::{HubAddress, PORT, Tls};
use crate::net::join_link::JoinLink;
use crate::net::open_files;
use crate::net::state_dir;
use crate::net::who_listens::{Listener, who_listens};
use crate::system::{self, terminal::columns};
use crate::text::Untrusted;

/// How a program gets to its hub.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HubLocation {
    /// Joins the hub at this address (`--host`).
    Join(HubAddress),
    /// Hosts one in this process (`--listen`).
    Host(HubConfig),
    /// Joins the hub on this machine if one runs on the configured port, and hosts it there otherwise. Asked anew when
    /// the hub is gone, so that the machine has one as long as any program needs it.
    Auto(HubConfig),
}

impl Default for HubLocation {
    fn default() -> Self {
        Self::Auto(HubConfig::default())
    }
}

#[cfg(feature = "view")]
impl HubLocation {
    /// Where the hub is that is asked something: none is hosted for that.
    pub(crate) fn to_ask(&self) -> HubAddress {
        match self {
            Self::Join(address) => address.clone(),
            Self::Host(config) | Self::Auto(config) => {
                on_this_machine(config).unwrap_or_else(|| HubAddress::of_listener(config.listen))
            }
        }
    }
}

/// How long a hub on this machine may take to accept; on loopback the kernel does it at once.
const LOCAL: Duration = Duration::from_millis(500);

/// How long a hub of another program that went may take to come back before this one takes its place: whoever restarts it
/// must find the port free.
const COMES_BACK: Duration = Duration::from_secs(5);

/// Finds the hub, and keeps the one that this process hosts.
pub struct HubLocator {
    location: HubLocation,
    hub: Option<Hub>,
    /// When a hub of another program was last known to run here.
    others: Option<Instant>,
}

impl HubLocator {
    /// Starts the hub that is to be hosted, unless another program on this machine has one that will do.
    ///
    /// # Errors
    /// Its port, or the one for plain pictures, cannot be had.
    pub fn new(location: HubLocation) -> Result<Self> {
        let hub = match &location {
            HubLocation::Host(config) => Some(host(config)?),
            HubLocation::Join(_) | HubLocation::Auto(_) => None,
        };
        let auto = matches!(location, HubLocation::Auto(_));
        let mut this = Self { location, hub, others: None };
        if auto {
            // What will not do is said at once, rather than tried again for ever.
            this.find()?;
            this.is_a_hub()?;
        }
        Ok(this)
    }

    /// Whether what is taken for a hub on this machine is another program.
    fn is_a_hub(&self) -> Result<()> {
        let HubLocation::Auto(config) = &self.location else { return Ok(()) };
        if self.hub.is_some() {
            return Ok(());
        }
        let other = match who_listens(config.listen) {
            Listener::WebServer => "a web server has it".to_owned(),
            Listener::Speaks(words) => format!("another program has it, which begins with '{}'", Untrusted(words)),
            Listener::Nobody | Listener::Hub | Listener::Silent => return Ok(()),
        };
        let port = config.listen.port();
        Err(Error::Failed(format!("there is no hub at port {port} of this machine: {other} (--port takes another)")))
    }

    /// Where the hub is now.
    ///
    /// # Errors
    /// There is none, and none could be started.
    pub fn find(&mut self) -> Result<HubAddress> {
        let config = match &self.location {
            HubLocation::Join(address) => return Ok(address.clone()),
            HubLocation::Host(config) | HubLocation::Auto(config) => config,
        };
        if let Some(hub) = &self.hub {
            return Ok(address_of(hub, config));
        }
        if let Some(there) = on_this_machine(config) {
            if self.others.is_none() {
                log::info!("joins the hub on this machine at {there}");
                if config.plain.is_some() {
                    log::warn!("the plain listener belongs to the hub: give --plain to the program that hosts it");
                }
            }
            self.others = Some(Instant::now());
            return Ok(there);
        }
        if self.others.is_some_and(|seen| seen.elapsed() < COMES_BACK) {
            let there = HubAddress::of_listener(config.listen);
            return Err(Error::Unreachable(format!("the hub on this machine at {there} is gone")));
        }
        match host(config) {
            Ok(hub) => {
                let address = address_of(&hub, config);
                self.hub = Some(hub);
                Ok(address)
            }
            // Another program was faster.
            Err(Error::Listen { cause, .. })
                if cause.kind() == ErrorKind::AddrInUse
                    && TcpStream::connect_timeout(&config.listen, LOCAL).is_ok() =>
            {
                Ok(HubAddress::of_listener(config.listen))
            }
            Err(error) => Err(error),
        }
    }

    /// The hub in this process, if it is here.
    #[must_use]
    pub fn hub(&self) -> Option<&Hub> {
        self.hub.as_ref()
    }
}

/// The hub that runs on this machine: at the port of `config`, or, where no other port is asked for, at an address of its own, as
/// one that does not listen on loopback. That one is this user's, which keeps in its folder where it is.
fn on_this_machine(config: &HubConfig) -> Option<HubAddress> {
    let port = config.listen.port();
    if port == 0 {
        return None;
    }
    if TcpStream::connect_timeout(&config.listen, LOCAL).is_ok() {
        return Some(HubAddress::of_listener(config.listen));
    }
    let folder = config.state.clone().or_else(state_dir::default_dir)?;
    let (host, pin) = reached(&folder)?;
    let at: SocketAddr = host.parse().ok()?;
    let is_asked_for = port == PORT || port == at.port();
    // The note is from its last start: its address may be another machine's by now, and its port another program's.
    let is_here = || if_addrs::get_if_addrs().is_ok_and(|all| all.iter().any(|own| own.ip() == at.ip()));
    if !is_asked_for || pin.is_none() || !is_here() || who_listens(at) != Listener::Hub {
        return None;
    }
    let token = state_dir::local_secret(&folder);
    Some(HubAddress { pin, token, tls: Tls::Always, of_this_user: true, ..HubAddress::of_listener(at) })
}

/// Where a hub of this process is reached, by which key it is known, and what lets this process in.
fn address_of(hub: &Hub, config: &HubConfig) -> HubAddress {
    let folder = config.state.clone().or_else(state_dir::default_dir);
    HubAddress {
        pin: hub.identity().map(|identity| identity.fingerprint()),
        token: folder.and_then(|folder| state_dir::local_secret(&folder)),
        of_this_user: true,
        ..HubAddress::of_listener(hub.address())
    }
}

/// Starts a hub and says aloud who can reach it.
///
/// # Errors
/// A port cannot be had.
pub fn host(config: &HubConfig) -> Result<Hub> {
    host_at(config, None)
}

/// The same, at sockets that are open already, if there are any. Their address is `config.listen`.
pub(crate) fn host_at(config: &HubConfig, inherited: Option<Inherited>) -> Result<Hub> {
    allow_connections(config);
    system::give_memory_back();
    let mut hub = Hub::start_at(config.clone(), inherited).map_err(|error| match error {
        Error::Listen { address, cause, .. } => {
            let plain = config.plain == Some(address);
            let hint = match cause.kind() {
                ErrorKind::AddrInUse if plain => ", another program has the port (give --plain another)",
                ErrorKind::AddrInUse => taken_by(address),
                ErrorKind::AddrNotAvailable => ", this machine has no such address (0.0.0.0 stands for all it has)",
                ErrorKind::PermissionDenied => ", this port is for administrators (take one from 1024 on)",
                _ => "",
            };
            Error::Listen { address, hint, cause }
        }
        other => other,
    })?;
    say_who_is_let_in(&hub);
    if config.announce && !hub.address().ip().is_loopback() {
        let machine = gethostname::gethostname().to_string_lossy().into_owned();
        hub.announce(machine.split('.').next().unwrap_or_default());
    }
    Ok(hub)
}

/// Who has the port that a hub wants.
fn taken_by(address: SocketAddr) -> &'static str {
    let there = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (std::net::Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    };
    match who_listens(there) {
        Listener::Hub => ", another program has the port: a StreamFlow hub (join it, or --port takes another)",
        Listener::WebServer => ", another program has the port: a web server (--port takes another)",
        _ => ", another program has the port (--port takes another)",
    }
}

/// Says aloud who can reach a hub and what they can do, and what its users type.
fn say_who_is_let_in(hub: &Hub) {
    let (policy, address) = (hub.policy(), hub.address());
    let who = if policy.asks() { "whoever has a link or a secret of it" } else { "everybody" };
    let reach = |address: SocketAddr, what: &str| match address.ip() {
        ip if ip.is_loopback() && policy.asks() => format!("on this machine alone, {who} can {what}"),
        ip if ip.is_loopback() => "this machine alone can reach it".to_string(),
        ip if ip.is_unspecified() && !policy.asks() => format!("EVERYBODY who reaches this machine can {what}"),
        _ => format!("{who} can {what}"),
    };
    // What is reachable from outside is said aloud, whatever the level of the log.
    let level = |address: SocketAddr| if address.ip().is_loopback() { log::Level::Info } else { log::Level::Warn };
    log::log!(level(address), "hosts the hub at {address}: {}", reach(address, "publish and watch"));
    for rule in policy.plain() {
        log::warn!("without a link and without encryption it lets {} in: {}", rule.from, rule.permission);
    }
    for permission in policy.anyone() {
        log::warn!("without a link it lets everybody in: {permission}");
    }
    if let Some(plain) = hub.plain_address() {
        let only = |rule: &PlainRule| rule.from.to_string();
        let networks: Vec<_> = policy.plain().iter().map(only).collect();
        let who = match plain.ip() {
            ip if ip.is_loopback() && !policy.asks() => "this machine alone can reach it".to_owned(),
            _ if policy.is_open() => "EVERYBODY who reaches this machine can watch".to_owned(),
            _ if networks.is_empty() => {
                // Who comes from this machine is asked for nothing by a hub on loopback.
                let whom = if policy.asks() { "nobody" } else { "this machine alone" };
                format!(
                    "it lets {whom} in, for it cannot ask: the access file names networks (plain = …), or --open lets all in"
                )
            }
            _ => format!("it lets in {}", networks.join(", ")),
        };
        log::log!(level(plain), "sends plain pictures (length and JPEG) at {plain}: {who}");
    }
    let scheme = if hub.identity().is_some() { "https" } else { "http" };
    let pages: Vec<_> = reached_at(address).into_iter().map(|at| format!("{scheme}://{at}/")).collect();
    log::info!("its page: {}", pages.join("  "));
    let Some(identity) = hub.identity() else { return };
    let key = identity.fingerprint();
    match identity.folder() {
        Some(folder) => {
            let new = if identity.is_new { "new " } else { "" };
            log::info!("it is encrypted with the {new}key {key}, kept in {}", folder.display());
        }
        None => log::info!("it is encrypted with the key {key}"),
    }
    let host = match own_address(address.ip()) {
        ip if ip.is_unspecified() => gethostname::gethostname().to_string_lossy().into_owned(),
        ip => ip.to_string(),
    };
    // The key of an authority's certificate may be another one when it is renewed.
    let pin = identity.folder().map(|_| key);
    let at = HubAddress { host, pin: None, ..HubAddress::of_listener(address) }.to_string();
    hub.keep_reached(&at, pin);
    if policy.is_open() {
        let link = |room: &str, name: Option<&str>| JoinLink {
            room: Some(room.into()),
            name: name.map(str::to_owned),
            ..JoinLink::to(HubAddress { pin, ..at.parse().unwrap_or_else(|_| HubAddress::of_listener(address)) })
        };
        log::info!("watch:    https://{at}/");
        log::info!("watch:    streamflow-view --join {}", link("main", None));
        log::info!("publish:  streamflow-send --join {}", link("main", Some("door")));
        log::warn!("what does not encrypt (older programs, http:// and ws://) is let in as well, in the clear");
        return;
    }
    match hub.own_secrets() {
        // A log is read by others, and kept.
        Some(own) if std::io::stderr().is_terminal() => {
            let at = Reached { host: &at, pin, encrypted: true, by_proxy: false };
            let (page, watch) = at.links(Some(&Scope::Room("main".into())), &own.view);
            let (_, publish) = at.links(Some(&Scope::Stream(StreamKey::new("main", "door"))), &own.publish);
            log::info!("watch:    {page}");
            log::info!("watch:    streamflow-view --join '{watch}'");
            log::info!("publish:  streamflow-send --join '{publish}'");
            if log::log_enabled!(log::Level::Info) {
                let (Ok(text) | Err(text)) = qr_text(&page, columns(&std::io::stderr()));
                text.lines().for_each(|line| log::info!("{line}"));
            }
        }
        _ => log::info!(
            "for a link: streamflow-hub link --view main, or streamflow-hub link --publish main/door, on this machine"
        ),
    }
}

/// The most addresses of a machine that are said: one with containers has one for each of them.
const MOST_ADDRESSES: usize = 8;

/// Where a hub that listens there is reached: at each address of this machine that others can use, where it is all of them.
pub(crate) fn reached_at(listen: SocketAddr) -> Vec<SocketAddr> {
    let first = own_address(listen.ip());
    let mut ips = vec![first];
    if listen.ip().is_unspecified() {
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        ips.extend(all.iter().map(if_addrs::Interface::ip).filter(|ip| {
            // What listens on all of IPv6 takes IPv4 as well.
            let speaks = ip.is_ipv4() || listen.is_ipv6();
            speaks && !ip.is_loopback() && !is_link_local(*ip) && *ip != first
        }));
    }
    ips.truncate(MOST_ADDRESSES);
    ips.into_iter().map(|ip| SocketAddr::new(ip, listen.port())).collect()
}

/// The address by which others reach this machine.
#[cfg(feature = "hub")]
pub(crate) fn others_reach() -> IpAddr {
    own_address(std::net::Ipv4Addr::UNSPECIFIED.into())
}

/// The address by which others reach this machine, if one can be told: that of the way to the rest of the world, for which nothing is
/// sent, or else, where there is no such way, the first of a network that it is in.
fn own_address(listen: IpAddr) -> IpAddr {
    if !listen.is_unspecified() {
        return listen;
    }
    // Addresses of documentation (RFC 5737, RFC 3849): they stand for the rest of the world.
    let (from, to) = if listen.is_ipv4() { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    let found = UdpSocket::bind(from).and_then(|socket| {
        socket.connect(to)?;
        socket.local_addr()
    });
    let in_a_network = || {
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        let others = all.iter().map(if_addrs::Interface::ip).filter(|ip| !ip.is_loopback() && !is_link_local(*ip));
        others.min_by_key(|ip| ip.is_ipv4() != listen.is_ipv4())
    };
    found.ok().map(|address| address.ip()).or_else(in_a_network).unwrap_or(listen)
}

/// An address that holds on one link alone, and needs to be told which.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Lets this process have as many connections as the hub is to take, and says so where the system does not.
fn allow_connections(config: &HubConfig) {
    let Some(files) = open_files::raise() else { return };
    if files.now > files.before {
        log::info!("open files: the limit is raised from {} to {}", files.before, files.now);
    }
    let wanted = config.max_viewers.saturating_add(config.max_publishers).saturating_add(open_files::BESIDE);
    if wanted as u64 > files.now {
        let room = files.now.saturating_sub(open_files::BESIDE as u64);
        log::warn!(
            "the system lets this program open {} files, enough for about {room} viewers and publishers: \
             raise its hard limit (`ulimit -Hn`) to serve more",
            files.now
        );
    }
}
