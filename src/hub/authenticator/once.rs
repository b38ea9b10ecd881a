//! Links for one session: whose each is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use super::SessionName;
use crate::access::link::SignedLink;

/// Links that are remembered at most. One more is taken for used: nobody gives away so many that hold at once.
const MOST: usize = 4096;
/// A longer file is not read.
const LONGEST: u64 = 1 << 20;
/// How long one that does not end is remembered, in seconds: a year.
const YEAR: u64 = 366 * 24 * 3600;

/// Whose each link is that was used.
#[derive(Default)]
pub(super) struct OnceLinks {
    /// By their names: the session, and until when that is of interest, in seconds since 1970.
    used: HashMap<String, (SessionName, u64)>,
    path: Option<PathBuf>,
    /// Something is to be written.
    changed: bool,
}

impl OnceLinks {
    /// Those that are kept in this folder.
    pub(super) fn read(folder: Option<&Path>) -> Self {
        let path = folder.map(|folder| folder.join("used-links"));
        let text = path.as_ref().and_then(|path| {
            let short = std::fs::metadata(path).is_ok_and(|about| about.len() <= LONGEST);
            short.then(|| std::fs::read_to_string(path).ok())?
        });
        let used = text.unwrap_or_default().lines().filter_map(line).take(MOST).collect();
        Self { used, path, changed: false }
    }

    /// Whether a link is this session's: it is the first one's that shows it.
    pub(super) fn is_for(&mut self, link: &SignedLink, session: SessionName, now: u64) -> bool {
        let Some(id) = link.id.as_ref() else { return false };
        if let Some((used_by, _)) = self.used.get(id) {
            return *used_by == session;
        }
        if self.used.len() >= MOST {
            self.used.retain(|_, (_, until)| *until > now);
        }
        if self.used.len() >= MOST {
            return false;
        }
        self.used.insert(id.clone(), (session, link.ends.unwrap_or(now + YEAR)));
        self.changed = true;
        true
    }

    /// The file and its text, if it is to be written.
    pub(super) fn to_write(&mut self, now: u64) -> Option<(PathBuf, String)> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.used.retain(|_, (_, until)| *until > now);
        let lines = self.used.iter().map(|(id, (session, until))| format!("{until} {} {id}\n", name(*session)));
        Some((self.path.clone()?, lines.collect()))
    }
}

fn name(session: SessionName) -> String {
    match session {
        SessionName::Instance(number) => format!("instance:{number:016x}"),
        SessionName::Cookie(hash) => format!("cookie:{}", HEXLOWER.encode(&hash)),
        SessionName::Address(ip) => format!("address:{ip}"),
    }
}

fn line(line: &str) -> Option<(String, (SessionName, u64))> {
    let mut words = line.splitn(3, ' ');
    let until = words.next()?.parse().ok()?;
    let session = words.next()?;
    let id = words.next()?.to_owned();
    let (kind, value) = session.split_once(':')?;
    let session = match kind {
        "instance" => SessionName::Instance(u64::from_str_radix(value, 16).ok()?),
        "cookie" => SessionName::Cookie(HEXLOWER.decode(value.as_bytes()).ok()?.try_into().ok()?),
        "address" => SessionName::Address(value.parse().ok()?),
        _ => return None,
    };
    Some((id, (session, until)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(id: &str, ends: Option<u64>) -> SignedLink {
        SignedLink { permissions: Vec::new(), ends, begins: 0, made: 0, id: Some(id.into()), once: true, key: [0; 8] }
    }

    #[test]
    fn a_link_for_one_session_is_the_first_ones_also_when_the_hub_comes_back() {
        let folder = std::env::temp_dir().join(format!("streamflow-once-{}", std::process::id()));
        let mut links = OnceLinks::read(Some(&folder));
        let sessions = [
            SessionName::Instance(7),
            SessionName::Cookie([9; 32]),
            SessionName::Address("2001:db8::1".parse().unwrap()),
        ];
        for (n, session) in sessions.into_iter().enumerate() {
            let link = link(&n.to_string(), Some(2000));
            assert!(links.is_for(&link, session, 1000) && links.is_for(&link, session, 1000));
            assert!(!links.is_for(&link, SessionName::Instance(8), 1000));
        }
        assert!(links.is_for(&link("old", Some(1001)), sessions[0], 1000));
        let (path, text) = links.to_write(1500).unwrap();
        crate::net::state_dir::write_private(&path, &text, true).unwrap();
        assert!(links.to_write(1500).is_none(), "nothing changed");
        let mut back = OnceLinks::read(Some(&folder));
        assert_eq!(back.used.len(), 3, "what has ended is not kept");
        for (n, session) in sessions.into_iter().enumerate() {
            let link = link(&n.to_string(), Some(2000));
            assert!(!back.is_for(&link, SessionName::Instance(8), 1500) && back.is_for(&link, session, 1500));
        }
        let nameless = SignedLink { id: None, ..link("", None) };
        assert!(!back.is_for(&nameless, sessions[0], 1500));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn links_without_end_take_bounded_memory() {
        let mut links = OnceLinks::default();
        let shown =
            (0..2 * MOST as u64).filter(|n| links.is_for(&link(&n.to_string(), None), SessionName::Instance(*n), 1000));
        assert_eq!(shown.count(), MOST);
        assert!(
            links.is_for(&link("new", Some(9)), SessionName::Instance(1), 1001 + YEAR),
            "those that ended gave way"
        );
    }
}
