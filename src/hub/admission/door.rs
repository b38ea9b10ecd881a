//! The door without its thread and its listening sockets: one connection at a time, and a turn when whoever holds it says so. What
//! fuzz targets drive, and tests from outside.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::ServerConnection;

use super::greeting::Greeting;
use super::pending::{Pending, Progress};
use super::reactor::SCRATCH;
use super::{Transport, encrypted};
use crate::error::{Error, Result};
use crate::hub::deliver::{Admitted, Purpose};
use crate::hub::{HubConfig, Shared, access_files};
use crate::net::connection::{Connection, ConnectionError, Drained};
use crate::net::tls::identity::Identity;
use crate::time::{Micros, now};
use crate::wire::packet::Packet;

/// A hub's door: what is the same for all who come.
pub struct Door {
    identity: Arc<Identity>,
}

impl Door {
    /// Of a hub that everybody on this machine may use, in the clear and encrypted, with a key that is kept in this folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(folder: &Path) -> Result<Self> {
        Ok(Self { identity: Arc::new(Identity::own(folder, &["localhost".into()])?) })
    }

    /// A session such as everybody gets who begins to encrypt.
    ///
    /// # Errors
    /// What rustls says.
    pub fn session(&self) -> Result<ServerConnection> {
        self.identity.session().map_err(|e| Error::Failed(e.to_string()))
    }

    /// Somebody comes on this socket, which must not block, to a hub that nobody has come to yet.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(&self, socket: TcpStream) -> Result<Visit> {
        let config = HubConfig { threads: 1, ..HubConfig::default() };
        let beginning = access_files::begin(&config)?;
        let (shared, ..) = Shared::new(config, beginning, |_| Ok(Some(self.identity.clone())))?;
        let stage = Stage::Pending(Box::new(pending(&shared, socket.into(), Greeting::new())?));
        Ok(Visit { shared, stage, at: now(), scratch: vec![0; SCRATCH] })
    }
}

fn pending(shared: &Arc<Shared>, transport: Transport, greeting: Greeting) -> Result<Pending> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 4000));
    let place = shared.addresses.place(address.ip()).ok_or_else(|| Error::Failed("there is no place".into()))?;
    let account = shared.memory.open(address.ip(), || {});
    Ok(Pending::new(0, address, transport, place, account, greeting, Micros(u64::MAX)))
}

/// What has come of a turn.
#[derive(Debug)]
pub enum Arrival {
    /// It has said what it wants: how it speaks, and what for.
    Admitted(&'static str, String),
    /// It has said this since.
    Packet(Packet),
    /// Its connection ends; why it was refused, if it was.
    Ended(Option<String>),
}

enum Stage {
    Pending(Box<Pending>),
    /// What a delivery loop reads.
    Inside(Box<Connection>),
    Over,
}

/// One connection, and a hub of its own.
pub struct Visit {
    shared: Arc<Shared>,
    stage: Stage,
    /// The time, which stands still.
    at: Micros,
    scratch: Vec<u8>,
}

impl Visit {
    /// Whether the connection has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// How much memory it takes for what is not whole, and for what waits to be sent.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.stage {
            Stage::Pending(pending) => pending.held(),
            Stage::Inside(connection) => connection.held(),
            Stage::Over => 0,
        }
    }

    /// Gives it one turn; whether there is more to do without anything from the other side.
    ///
    /// # Errors
    /// What is wrong with this machine.
    pub fn turn(&mut self, take: &mut dyn FnMut(Arrival)) -> Result<bool> {
        match &mut self.stage {
            Stage::Pending(pending) => {
                let progress = pending.turn(&self.shared, &mut self.scratch, self.at);
                self.follow(progress, take)
            }
            Stage::Inside(connection) => {
                let read = connection.flush().and_then(|_| {
                    connection.read(&mut self.scratch, &mut |packet, _| {
                        take(Arrival::Packet(packet));
                        Ok(())
                    })
                });
                Ok(self.went_on(read, take))
            }
            Stage::Over => Ok(false),
        }
    }

    /// It has had its time, or its memory is needed for others; whether there is more to do.
    ///
    /// # Errors
    /// As of [`turn`](Self::turn).
    pub fn ends(&mut self, late: bool, take: &mut dyn FnMut(Arrival)) -> Result<bool> {
        let Stage::Pending(pending) = &mut self.stage else { return Ok(false) };
        let turn = if late { Pending::timed_out } else { Pending::evicted };
        let progress = turn(pending, &self.shared, self.at);
        self.follow(progress, take)
    }

    fn follow(&mut self, progress: Progress, take: &mut dyn FnMut(Arrival)) -> Result<bool> {
        match progress {
            Progress::Waits => return Ok(false),
            Progress::GoesOn | Progress::Rests(_) => {}
            Progress::Admitted(admitted, early) => {
                let Some(pending) = self.leave() else { return Ok(false) };
                let (_, transport, _) = pending.into_parts();
                return Ok(self.enter(transport, *admitted, early, take));
            }
            Progress::Encrypts(early, greeting) => {
                let Some(pending) = self.leave() else { return Ok(false) };
                let (_, transport, _) = pending.into_parts();
                let transport = encrypted(&self.shared, transport, early);
                let transport = transport.map_err(|e| Error::io("cannot begin to encrypt", e))?;
                self.stage = Stage::Pending(Box::new(self::pending(&self.shared, transport, *greeting)?));
            }
            Progress::Over => {
                let refused = self.leave().and_then(|pending| pending.refused);
                take(Arrival::Ended(refused));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn leave(&mut self) -> Option<Box<Pending>> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Pending(pending) => Some(pending),
            Stage::Inside(_) | Stage::Over => None,
        }
    }

    /// As a delivery loop adopts it.
    fn enter(
        &mut self,
        transport: Transport,
        admitted: Admitted,
        mut early: Vec<u8>,
        take: &mut dyn FnMut(Arrival),
    ) -> bool {
        let Admitted { framing, purpose, first, .. } = admitted;
        let purpose = match &purpose {
            Purpose::Publish { grant, .. } => format!("publish {}", grant.0),
            Purpose::Watch(grant) => format!("watch {}", grant.0),
            Purpose::Join { grant, called } => format!("join {} as {called}", grant.0),
        };
        take(Arrival::Admitted(framing.name(), purpose.clone()));
        let mut connection = Box::new(Connection::new(transport, framing));
        if purpose.starts_with("watch") {
            connection.refuse_pictures();
        }
        if let Some((packet, _)) = first {
            take(Arrival::Packet(packet));
        }
        let fed = connection.feed(&mut early, &mut |packet, _| {
            take(Arrival::Packet(packet));
            Ok(())
        });
        self.stage = Stage::Inside(connection);
        self.went_on(fed.map(|()| Drained::Partly), take)
    }

    /// What came of reading; whether there may be more.
    fn went_on(&mut self, read: std::result::Result<Drained, ConnectionError>, take: &mut dyn FnMut(Arrival)) -> bool {
        match read {
            Ok(drained) => drained != Drained::Yes,
            Err(error) => {
                if let (Stage::Inside(connection), ConnectionError::Wire(error)) = (&mut self.stage, &error) {
                    // Whoever is gone need not be told.
                    let _ = connection.send_violation(error);
                }
                self.stage = Stage::Over;
                let closed = matches!(error, ConnectionError::Closed);
                take(Arrival::Ended((!closed).then(|| error.to_string())));
                false
            }
        }
    }
}
