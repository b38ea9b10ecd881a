//! The rooms that people opened, as all threads of the hub share them, and the thread that keeps them on a disk. What is asked for comes
//! out of memory; a disk that is slow or full costs nobody a picture.

#[cfg(feature = "hub")]
mod sqlite;

use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::Shared;
use crate::error::{Error, Result};
use crate::net::layout::unix_time;
use crate::net::state_dir;
use crate::relay::open_rooms::{Change, OpenRoom, OpenRooms};

/// So many batches of changes wait for the disk at most; of more the last ones are not kept.
const MOST_WAITING: usize = 1024;
/// How long the end of the hub waits for the disk.
const LAST: Duration = Duration::from_millis(500);

/// What keeps rooms.
pub(super) trait RoomStorage: Send {
    /// Keeps all of these, or says why not.
    fn save(&mut self, changes: &[Change]) -> std::result::Result<(), String>;
}

/// Opens a storage in a folder, and gives what it holds.
type Open = fn(&std::path::Path) -> std::result::Result<(Box<dyn RoomStorage>, Vec<OpenRoom>), String>;

/// Where rooms are kept that people opened, with what was said there. Default: in memory, until the hub ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepRooms(Option<Open>);

impl KeepRooms {
    /// In an SQLite file in the hub's folder, which is made when the first room is opened.
    #[cfg(feature = "hub")]
    pub(crate) const IN_SQLITE: Self = Self(Some(sqlite::open));
    /// Its name.
    pub(crate) const FILE: &str = "rooms.sqlite";
}

/// The thread that keeps them.
pub(super) struct RoomKeeper {
    changes: Option<Sender<Vec<Change>>>,
    ended: Receiver<()>,
}

impl RoomKeeper {
    /// Begins with what was kept in the folder, if there is one. `None`: they are in memory alone.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(keep: KeepRooms, state: Option<PathBuf>) -> Result<(OpenRooms, Option<Self>)> {
        let Some((open, folder)) = keep.0.zip(state.or_else(state_dir::default_dir)) else {
            return Ok((OpenRooms::default(), None));
        };
        let mut storage = None;
        let mut rooms = OpenRooms::default();
        if folder.join(KeepRooms::FILE).exists() {
            match open(&folder) {
                Ok((opened, kept)) => {
                    storage = Some(opened);
                    rooms = OpenRooms::restore(kept, unix_time());
                }
                Err(why) => {
                    log::warn!("rooms are kept in memory alone: {why}");
                    return Ok((rooms, None));
                }
            }
        }
        let (changes, waiting) = bounded::<Vec<Change>>(MOST_WAITING);
        let (end, ended) = bounded(0);
        std::thread::Builder::new()
            .name("rooms".into())
            .spawn(move || {
                let _end = end;
                let mut failing = false;
                for changes in waiting {
                    let saved = match &mut storage {
                        Some(storage) => storage.save(&changes),
                        None => open(&folder).and_then(|(opened, _)| storage.insert(opened).save(&changes)),
                    };
                    // Said once, until it works again.
                    match &saved {
                        Err(why) if !failing => log::warn!("what happens in rooms is not kept: {why}"),
                        Ok(()) if failing => log::info!("what happens in rooms is kept again"),
                        _ => {}
                    }
                    failing = saved.is_err();
                }
            })
            .map_err(|e| Error::io("cannot start a thread", e))?;
        Ok((rooms, Some(Self { changes: Some(changes), ended })))
    }

    fn keep(&self, changes: Vec<Change>) {
        let Some(sender) = &self.changes else { return };
        if let Err(TrySendError::Full(changes)) = sender.try_send(changes) {
            log::warn!("the disk is too slow for what happens in rooms: {} changes are not kept", changes.len());
        }
    }
}

impl Drop for RoomKeeper {
    fn drop(&mut self) {
        self.changes = None;
        // A disk that does not answer must not keep the hub from ending.
        let _ = self.ended.recv_timeout(LAST);
    }
}

impl Shared {
    /// Looks at the rooms that were opened.
    pub(super) fn open_rooms(&self) -> MutexGuard<'_, OpenRooms> {
        self.open_rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes them, and has that kept, in the order in which it happens.
    pub(super) fn change_rooms<T>(&self, change: impl FnOnce(&mut OpenRooms, Duration) -> T) -> T {
        let mut rooms = self.open_rooms();
        let result = change(&mut rooms, unix_time());
        let changes = rooms.take_changes();
        if let Some(keeper) = self.room_keeper.as_ref().filter(|_| !changes.is_empty()) {
            keeper.keep(changes);
        }
        result
    }
}
