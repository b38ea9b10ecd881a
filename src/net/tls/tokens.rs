//! What let this user in at hubs before: one line each, `HOST:PORT view|publish ROOM/NAME DATE TOKEN`, the newest last. The token is
//! escaped as in a URL.

use std::io;
use std::path::{Path, PathBuf};

use crate::net::state_dir::{read_text, write_private};
use crate::secret::Secret;
use crate::wire::control::{Hello, Role};
use crate::wire::host::same_place;

/// So many are kept; the oldest go.
const MOST: usize = 256;
/// A file that is longer is not read. This is more than that many of the longest are.
const LONGEST: u64 = 4 << 20;

/// What somebody was let in for. What let somebody watch is not shown to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) role: Role,
    pub(crate) room: String,
    /// Empty: the first stream there is in the room.
    pub(crate) name: String,
}

impl Use {
    pub(crate) fn of(hello: &Hello) -> Self {
        Self { role: hello.role, room: hello.room.clone(), name: hello.name.clone() }
    }
}

/// A token that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptToken {
    pub(crate) token: Secret,
    /// The day on which it first let somebody in, as `2026-11-30`.
    pub(crate) since: String,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    path: PathBuf,
}

impl Tokens {
    /// Those of a state folder.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join("tokens") }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file; one that is not there is empty.
    fn read(&self) -> io::Result<String> {
        read_text(&self.path, LONGEST)
    }

    /// What let somebody in there for the same, or else for another stream of the same room. The newest counts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn find(&self, hub: &str, used: &Use) -> io::Result<Option<KeptToken>> {
        let text = self.read()?;
        let (mut same, mut of_room) = (None, None);
        for line in text.lines() {
            let Some((of, since, token)) = parts(line, hub) else { continue };
            if (of.role, of.room) != (used.role, &used.room) {
                continue;
            }
            let found = if of.name == used.name { &mut same } else { &mut of_room };
            *found = Secret::of_url(token).ok().map(|token| KeptToken { token, since: since.to_owned() });
        }
        Ok(same.or(of_room))
    }

    /// Keeps what let somebody in on this day, in the place of what did before.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(crate) fn keep(&self, hub: &str, used: &Use, token: &Secret, day: &str) -> io::Result<()> {
        let Use { role, room, name } = used;
        let before = self.read()?;
        let is_same = |line: &&str| {
            parts(line, hub)
                .is_some_and(|(of, ..)| (of.role, of.room, of.name) == (*role, room.as_str(), name.as_str()))
        };
        let written = token.for_url().to_string();
        if before.lines().rfind(is_same).and_then(|line| parts(line, hub)).is_some_and(|(.., old)| old == written) {
            return Ok(());
        }
        let others: Vec<&str> = before.lines().filter(|line| !is_same(line)).collect();
        let newest = &others[others.len().saturating_sub(MOST - 1)..];
        let mut text: String = newest.iter().map(|line| format!("{line}\n")).collect();
        text.push_str(&format!("{hub} {} {room}/{name} {day} {written}\n", word(*role)));
        write_private(&self.path, &text, true)
    }
}

/// What a line is of.
struct Line<'a> {
    role: Role,
    room: &'a str,
    name: &'a str,
}

/// What a line of this hub says: what it is for, since when, and the token.
fn parts<'a>(line: &'a str, hub: &str) -> Option<(Line<'a>, &'a str, &'a str)> {
    let mut words = line.split_whitespace();
    if !same_place(words.next()?, hub) {
        return None;
    }
    let role = words.next()?;
    let role = [Role::View, Role::Publish].into_iter().find(|known| word(*known) == role)?;
    let (room, name) = words.next()?.split_once('/')?;
    Some((Line { role, room, name }, words.next()?, words.next()?))
}

fn word(role: Role) -> &'static str {
    match role {
        Role::View => "view",
        Role::Publish => "publish",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn used(role: Role, room: &str, name: &str) -> Use {
        Use { role, room: room.into(), name: name.into() }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("streamflow-tokens-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_let_somebody_in_is_found_again_for_the_same_and_nothing_else() {
        let folder = folder("found");
        let tokens = Tokens::in_dir(&folder);
        let find = |hub: &str, used: &Use| tokens.find(hub, used).unwrap().map(|kept| kept.token.expose().to_owned());
        let door = used(Role::View, "main", "door");
        assert_eq!(find("desk:8002", &door), None);
        tokens.keep("desk:8002", &door, &"one two\u{fc}".into(), "2026-11-29").unwrap();
        tokens.keep("desk:8002", &used(Role::Publish, "main", "door"), &"three".into(), "2026-11-29").unwrap();
        tokens.keep("lab:8002", &door, &"four".into(), "2026-11-29").unwrap();
        assert_eq!(find("DESK:8002", &door).as_deref(), Some("one two\u{fc}"));
        for name in ["", "garden"] {
            assert_eq!(find("desk:8002", &used(Role::View, "main", name)).as_deref(), Some("one two\u{fc}"));
        }
        assert_eq!(find("desk:8002", &used(Role::View, "attic", "door")), None);
        assert_eq!(find("lab:8002", &used(Role::Publish, "main", "door")), None, "who may watch may not publish");
        assert_eq!(find("desk:8003", &door), None);
        // The same stream's own wins over a newer one of its room, and a new one takes the place of an old one.
        tokens.keep("desk:8002", &used(Role::View, "main", "garden"), &"five".into(), "2026-11-30").unwrap();
        assert_eq!(find("desk:8002", &door).as_deref(), Some("one two\u{fc}"));
        tokens.keep("desk:8002", &door, &"one two\u{fc}".into(), "2026-11-30").unwrap();
        assert_eq!(tokens.find("desk:8002", &door).unwrap().map(|kept| kept.since).as_deref(), Some("2026-11-29"));
        tokens.keep("desk:8002", &door, &"six".into(), "2026-11-30").unwrap();
        assert_eq!(find("desk:8002", &door).as_deref(), Some("six"));
        assert_eq!(tokens.read().unwrap().lines().count(), 4);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(tokens.path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_newest_stay_and_a_file_that_cannot_be_read_is_not_begun_anew() {
        let folder = folder("many");
        let tokens = Tokens::in_dir(&folder);
        let stream = |n: usize| used(Role::View, "main", &n.to_string());
        for n in 0..MOST + 3 {
            tokens.keep("desk:8002", &stream(n), &n.to_string().as_str().into(), "2026-11-30").unwrap();
        }
        let text = tokens.read().unwrap();
        assert_eq!(text.lines().count(), MOST);
        assert!(text.starts_with("desk:8002 view main/3 ") && text.lines().last().unwrap().ends_with(" 258"), "{text}");
        fs::write(tokens.path(), format!("nonsense\ndesk:8002 view\n{text}")).unwrap();
        assert!(tokens.find("desk:8002", &stream(9)).unwrap().is_some());
        fs::remove_file(tokens.path()).unwrap();
        fs::create_dir(tokens.path()).unwrap();
        let (door, token) = (stream(1), "x".into());
        assert!(tokens.find("desk:8002", &door).is_err() && tokens.keep("desk:8002", &door, &token, "2026").is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
