//! Rooms in an SQLite file.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, params};

use super::{KeepRooms, RoomStorage};
use crate::net::state_dir::create_private;
use crate::relay::open_rooms::{Change, Message, OpenRoom};

/// What a file looks like that this program writes.
const VERSION: i64 = 1;

const SCHEMA: &str = "\
    CREATE TABLE rooms (id TEXT PRIMARY KEY, number INTEGER NOT NULL, title TEXT NOT NULL, host TEXT NOT NULL,
        token BLOB NOT NULL, used_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE messages (id INTEGER PRIMARY KEY, room TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
        user TEXT NOT NULL, text TEXT NOT NULL, color TEXT NOT NULL, at_ms INTEGER NOT NULL);
    CREATE INDEX messages_of_rooms ON messages (room, id);
    PRAGMA user_version = 1;";

/// Opens the file in this folder, or makes it.
pub(super) fn open(folder: &Path) -> Result<(Box<dyn RoomStorage>, Vec<OpenRoom>), String> {
    let path = folder.join(KeepRooms::FILE);
    let in_words = |error: &rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another hub has {} (--state gives this one a folder of its own)", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    };
    match begin(&path) {
        Ok((file, rooms)) => Ok((Box::new(file), rooms)),
        Err(Begun::Newer(version)) => Err(format!(
            "{} is of a later version of this program ({version}; this one knows {VERSION})",
            path.display()
        )),
        Err(Begun::Failed(error)) if is_broken(&error) => {
            // What cannot be read is put aside, so that somebody may look at it.
            let aside = path.with_extension("unreadable");
            fs::rename(&path, &aside).map_err(|e| format!("{}: {error}; {e}", path.display()))?;
            log::warn!("{} cannot be read ({error}), and is {} now: rooms begin anew", path.display(), aside.display());
            let (file, rooms) = begin(&path).map_err(|begun| match begun {
                Begun::Failed(error) => in_words(&error),
                Begun::Newer(_) => format!("{} was changed by another program", path.display()),
            })?;
            Ok((Box::new(file), rooms))
        }
        Err(Begun::Failed(error)) => Err(in_words(&error)),
    }
}

/// Whether what is in the file is no database, or a broken one.
fn is_broken(error: &rusqlite::Error) -> bool {
    let is_code = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
    is_code || matches!(error, rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..))
}

enum Begun {
    Failed(rusqlite::Error),
    /// Its version.
    Newer(i64),
}

impl From<rusqlite::Error> for Begun {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

struct File(Connection);

fn begin(path: &Path) -> Result<(File, Vec<OpenRoom>), Begun> {
    // For this user alone: what people say to each other is in it. Where that fails, opening it says why.
    let _ = path.parent().map(fs::create_dir_all);
    if !path.exists() {
        let _ = create_private(path, "");
    }
    let file = Connection::open(path)?;
    // One hub has it at a time; two would give the same numbers. What is written survives a power cut, but for the last moment.
    file.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    file.pragma_update(None, "synchronous", "NORMAL")?;
    file.pragma_update(None, "foreign_keys", true)?;
    let version: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 => file.execute_batch(&format!("BEGIN EXCLUSIVE; {SCHEMA} COMMIT;"))?,
        VERSION => file.execute_batch("BEGIN EXCLUSIVE; COMMIT;")?,
        newer => return Err(Begun::Newer(newer)),
    }
    let rooms = rooms_in(&file)?;
    Ok((File(file), rooms))
}

fn rooms_in(file: &Connection) -> rusqlite::Result<Vec<OpenRoom>> {
    let mut said: HashMap<String, VecDeque<Message>> = HashMap::new();
    let mut all = file.prepare("SELECT id, room, user, text, color, at_ms FROM messages ORDER BY id")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let message = Message {
            id: whole(row.get(0)?)?,
            user: row.get(2)?,
            text: row.get(3)?,
            color: row.get(4)?,
            at: Duration::from_millis(whole(row.get(5)?)?),
        };
        said.entry(row.get(1)?).or_default().push_back(message);
    }
    let mut all = file.prepare("SELECT id, number, title, host, token, used_ms FROM rooms")?;
    let rooms = all.query_map([], |row| {
        let id: String = row.get(0)?;
        let messages = said.remove(&id).unwrap_or_default();
        Ok(OpenRoom {
            messages,
            awaits_host: false,
            number: whole(row.get(1)?)?,
            title: row.get(2)?,
            host: row.get(3)?,
            token: row.get(4)?,
            used: Duration::from_millis(whole(row.get(5)?)?),
            id,
        })
    })?;
    rooms.collect()
}

/// A number that is not negative.
fn whole(number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number).map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(e)))
}

/// As SQLite has numbers.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl RoomStorage for File {
    fn save(&mut self, changes: &[Change]) -> Result<(), String> {
        self.write(changes).map_err(|error| error.to_string())
    }
}

impl File {
    fn write(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        let all = self.0.transaction()?;
        for change in changes {
            match change {
                Change::Opened(room) => {
                    let OpenRoom { id, number, title, host, token, used, .. } = &**room;
                    let values = params![id, signed(*number), title, host, token, ms(*used)];
                    all.execute("INSERT OR REPLACE INTO rooms VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values)?;
                }
                Change::Used(id, at) => {
                    all.execute("UPDATE rooms SET used_ms = ?2 WHERE id = ?1", params![id, ms(*at)])?;
                }
                Change::Closed(id) => {
                    all.execute("DELETE FROM rooms WHERE id = ?1", params![id])?;
                }
                Change::Said(room, Message { id, user, text, color, at }) => {
                    let values = params![signed(*id), room, user, text, color, ms(*at)];
                    all.execute("INSERT OR REPLACE INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values)?;
                    all.execute("UPDATE rooms SET used_ms = ?2 WHERE id = ?1", params![room, ms(*at)])?;
                }
                Change::Dropped(room, last) => {
                    all.execute("DELETE FROM messages WHERE room = ?1 AND id <= ?2", params![room, signed(*last)])?;
                }
            }
        }
        all.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::open_rooms::OpenRooms;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("streamflow-rooms-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn what_is_kept_is_what_there_was() {
        let folder = folder("kept");
        let mut rooms = OpenRooms::default();
        let (mut file, none) = open(&folder).unwrap();
        assert!(none.is_empty());
        for id in ["a", "b", "c"] {
            rooms.open(id.into(), "A 'title'; DROP TABLE rooms", "Zoë \u{1f600}", [7; 32], at(1)).unwrap();
            rooms.enters(id, "Zoë \u{1f600}", at(1));
            rooms.say(id, "ann", "hello \" ' \u{0}".into(), "#fff".into(), at(2));
        }
        rooms.say("a", "bob", "again".into(), String::new(), at(30 * 24 * 3600));
        rooms.close("c");
        rooms.uses("b", at(70));
        rooms.sweep(at(30 * 24 * 3600 + 2));
        file.save(&rooms.take_changes()).unwrap();
        drop(file);
        let (_file, kept) = open(&folder).unwrap();
        let mut kept: Vec<_> = kept.iter().collect();
        kept.sort_by_key(|room| room.number);
        assert_eq!(kept, rooms.all());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.join(KeepRooms::FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others may not read what people say");
        }
        assert!(open(&folder).err().unwrap().contains("another hub has"), "one hub at a time");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_put_aside_and_one_of_a_later_version_is_left_alone() {
        let folder = folder("broken");
        let path = folder.join(KeepRooms::FILE);
        fs::write(&path, vec![b'x'; 5000]).unwrap();
        let (mut file, none) = open(&folder).unwrap();
        assert!(none.is_empty() && folder.join("rooms.unreadable").exists());
        file.save(&[]).unwrap();
        drop(file);
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
        assert!(open(&folder).err().unwrap().contains("later version"));
        assert!(path.exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
