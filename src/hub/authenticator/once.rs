//! Links for one session: whose each is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use super::SessionName;
use crate::access::link::SignedLink;
use crate::net::state_dir::read_text;

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
        let text = path.as_ref().and_then(|path| read_text(path, LONGEST).ok());
        let used = text.unwrap_or_default().lines().filter_map(line).take(MOST).collect();
        Self { used, path, changed: false }
    }

    /// Whether a link is this session's, or nobody's yet: it is the first one's for whom it is good for something.
    pub(super) fn may_use(&self, link: &SignedLink, session: SessionName) -> bool {
        let Some(id) = link.id.as_ref() else { return false };
        self.used.get(id).map_or(self.used.len() < MOST, |(used_by, _)| *used_by == session)
    }

    /// A link is this session's from now on.
    pub(super) fn use_up(&mut self, link: &SignedLink, session: SessionName, now: u64) {
        let Some(id) = link.id.as_ref().filter(|id| !self.used.contains_key(*id)) else { return };
        self.used.insert(id.clone(), (session, link.ends.unwrap_or(now + YEAR)));
        self.changed = true;
    }

    /// Whether a link is this session's.
    pub(super) fn has(&self, session: SessionName) -> bool {
        self.used.values().any(|(used_by, _)| *used_by == session)
    }

    /// The file and its text, if it is to be written.
    pub(super) fn written_anew(&mut self, now: u64) -> Option<(PathBuf, String)> {
        let before = self.used.len();
        self.used.retain(|_, (_, until)| *until > now);
        if !std::mem::take(&mut self.changed) && self.used.len() == before {
            return None;
        }
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
        SignedLink {
            permissions: Vec::new(),
            ends,
            begins: 0,
            made: 0,
            id: Some(id.into()),
            by: None,
            once: true,
            key: [0; 8],
        }
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
            // To look is not to use.
            assert!(links.may_use(&link, SessionName::Instance(8)) && links.may_use(&link, session));
            links.use_up(&link, session, 1000);
            links.use_up(&link, SessionName::Instance(8), 1000);
            assert!(links.may_use(&link, session) && !links.may_use(&link, SessionName::Instance(8)));
        }
        links.use_up(&link("old", Some(1001)), sessions[0], 1000);
        let (path, text) = links.written_anew(1500).unwrap();
        crate::net::state_dir::write_private(&path, &text, true).unwrap();
        assert!(links.written_anew(1500).is_none(), "nothing changed");
        let back = OnceLinks::read(Some(&folder));
        assert_eq!(back.used.len(), 3, "what has ended is not kept");
        for (n, session) in sessions.into_iter().enumerate() {
            let link = link(&n.to_string(), Some(2000));
            assert!(!back.may_use(&link, SessionName::Instance(8)) && back.may_use(&link, session));
        }
        let nameless = SignedLink { id: None, ..link("", None) };
        assert!(!back.may_use(&nameless, sessions[0]));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn links_without_end_take_bounded_memory() {
        let mut links = OnceLinks::default();
        for n in 0..2 * MOST as u64 {
            let (link, session) = (link(&n.to_string(), None), SessionName::Instance(n));
            assert_eq!(links.may_use(&link, session), n < MOST as u64);
            if n < MOST as u64 {
                links.use_up(&link, session, 1000);
            }
        }
        let _ = links.written_anew(1001 + YEAR);
        assert!(links.may_use(&link("new", Some(9)), SessionName::Instance(1)), "those that ended gave way");
    }
}
