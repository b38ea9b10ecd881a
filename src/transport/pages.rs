//! A picture in pages of memory that the kernel sends from where they are.
//!
//! What is written to a thousand sockets is copied a thousand times, each time to memory that no cache holds; at 40 kB a
//! picture that is a third of all that fan-out costs. `sendfile(2)` from a file that is only memory (`memfd_create(2)`)
//! makes every socket refer to the same pages instead. Each picture gets a file of its own: pages that some socket still
//! refers to must never change, and they are free when the last has sent them.
//!
//! It is a shorter way for the beginning of a message, not another way to send: what does not go by it goes by the usual
//! one, and so does everything on systems without these calls.

use std::sync::Arc;

use mio::net::TcpStream;

use super::message::Pieces;
use crate::frame::Picture;

/// The pages of one picture, behind its prefix on plain TCP and before the end of a part of a multipart stream, so that
/// one file serves all who get the picture as it is.
#[derive(Debug)]
pub struct Pages(system::File);

impl Pages {
    /// `None` where the system has no such files, or no more of them.
    fn new(picture: &Picture) -> Option<Self> {
        system::File::new(picture).map(Self)
    }

    /// Writes the beginning of a message as far as that can be done by reference, and says how many bytes it was. Whoever
    /// writes the rest sees that the socket is full or broken.
    pub(super) fn begin(&self, socket: &TcpStream, head: &[u8], pieces: Pieces<'_>, picture: &Picture) -> usize {
        self.0.begin(socket, head, pieces, picture)
    }
}

/// The pages of the pictures that are being given out: at most one for each rung.
#[derive(Debug, Default)]
pub struct SharedPages(Vec<Shared>);

#[derive(Debug)]
struct Shared {
    picture: Arc<Picture>,
    asked: usize,
    pages: Option<Pages>,
}

/// Making a file costs as much as it saves for so many viewers. They are written to, so that a picture for few has none.
const WORTH: usize = 6;

impl SharedPages {
    /// The pages of a picture that one more viewer is sent; `None` where it is better, or all one can do, to write.
    pub fn of(&mut self, picture: &Arc<Picture>) -> Option<&Pages> {
        let at = self.0.iter().position(|shared| Arc::ptr_eq(&shared.picture, picture)).unwrap_or_else(|| {
            self.0.push(Shared { picture: picture.clone(), asked: 0, pages: None });
            self.0.len() - 1
        });
        let shared = &mut self.0[at];
        shared.asked += 1;
        if shared.asked == WORTH {
            shared.pages = Pages::new(picture);
        }
        shared.pages.as_ref()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io::{IoSlice, Write};

    use mio::net::TcpStream;
    use rustix::fs::{MemfdFlags, memfd_create, sendfile};
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

    use crate::frame::Picture;
    use crate::transport::message::{PART_END, Pieces};
    use crate::wire::framing::{PREFIX, prefix};

    const NAME: &core::ffi::CStr = c"streamflow-picture";

    #[derive(Debug)]
    pub(super) struct File(std::fs::File);

    impl File {
        pub(super) fn new(picture: &Picture) -> Option<Self> {
            // Kernels before 6.3 do not know that files must say that they are no programs; later ones may insist.
            let made = memfd_create(NAME, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL)
                .or_else(|_| memfd_create(NAME, MemfdFlags::CLOEXEC));
            let mut file = std::fs::File::from(made.ok()?);
            for part in [&prefix(picture.data.len())[..], &picture.data, PART_END] {
                file.write_all(part).ok()?;
            }
            Some(Self(file))
        }

        pub(super) fn begin(&self, socket: &TcpStream, head: &[u8], pieces: Pieces<'_>, picture: &Picture) -> usize {
            let Some(at) = pieces.iter().position(|piece| std::ptr::eq(*piece, &raw const picture.data[..])) else {
                return 0;
            };
            let [a, b, c, d] = pieces;
            let before = &[head, a, b, c, d][..=at];
            let begins_here = before == [&prefix(picture.data.len())];
            let ends_here = pieces.get(at + 1).is_some_and(|after| *after == PART_END);
            let mut written = 0;
            if !begins_here {
                let slices = [head, a, b, c, d].map(IoSlice::new);
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                let sent = sendmsg(socket, &slices[..=at], &mut SendAncillaryBuffer::default(), flags);
                written = sent.unwrap_or(0);
                if written < before.iter().map(|part| part.len()).sum() {
                    return written;
                }
            }
            let from = if begins_here { 0 } else { PREFIX };
            let to = PREFIX + picture.data.len() + if ends_here { PART_END.len() } else { 0 };
            written + sendfile(socket, &self.0, Some(&mut (from as u64)), to - from).unwrap_or(0)
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use mio::net::TcpStream;

    use crate::frame::Picture;
    use crate::transport::message::Pieces;

    #[derive(Debug)]
    pub(super) enum File {}

    impl File {
        pub(super) fn new(_: &Picture) -> Option<Self> {
            None
        }

        pub(super) fn begin(&self, _: &TcpStream, _: &[u8], _: Pieces<'_>, _: &Picture) -> usize {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;
    use crate::net::connection::{Connection, Framing};
    use crate::net::layout::Dialect;
    use crate::transport::Sent;
    use crate::wire::framing::Deframer;
    use crate::wire::websocket::{End, Reader};

    fn picture(length: usize, metadata: Option<&str>) -> Arc<Picture> {
        let data: Vec<u8> = (0..length).map(|i| (i * 31 % 251) as u8).collect();
        Arc::new(Picture { data: data.into(), metadata: metadata.map(Into::into), ..Picture::default() })
    }

    /// All that a reader gets who begins to read when the socket is full.
    fn read_by(framing: Framing, picture: &Arc<Picture>, pages: Option<&mut SharedPages>) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let near = TcpStream::from_std(near);
        crate::transport::sockopt::prepare(&near).unwrap();
        let mut connection = Connection::new(near.into(), framing);
        let mut sent = connection.send_picture(picture, pages, Duration::ZERO).unwrap();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        while sent == Sent::Partly {
            std::thread::yield_now();
            sent = connection.flush().unwrap();
        }
        let written = connection.bytes_out();
        drop(connection);
        let all = reader.join().unwrap();
        assert_eq!(all.len() as u64, written, "every byte is counted");
        all
    }

    fn reader() -> Box<Reader> {
        Box::new(Reader::new(End::Server, 0, 0))
    }

    #[test]
    fn every_kind_of_viewer_reads_the_same_with_pages_as_without() {
        let kinds: [fn() -> Framing; 7] = [
            || Framing::Plain,
            || Framing::Native(Box::new(Deframer::new(0))),
            || Framing::WebSocket(reader(), End::Server),
            || Framing::Bridge(reader(), Dialect::Jpeg),
            || Framing::Bridge(reader(), Dialect::Room { opening: r#""me""#.into(), binary: true }),
            || Framing::Bridge(reader(), Dialect::Detection { opening: "{".into() }),
            || Framing::Multipart(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        ];
        for (length, metadata) in [(1, None), (4088, None), (40_000, Some(r#"{"a":1}"#)), (5_000_000, None)] {
            let picture = picture(length, metadata);
            let mut shared = SharedPages::default();
            for _ in 0..WORTH {
                let _ = shared.of(&picture);
            }
            assert_eq!(shared.0[0].pages.is_some(), cfg!(any(target_os = "linux", target_os = "android")));
            for kind in kinds {
                let with = read_by(kind(), &picture, Some(&mut shared));
                let without = read_by(kind(), &picture, None);
                // Some heads say when they were made.
                let timeless = matches!(kind().name(), "plain" | "native" | "websocket" | "quality" | "room");
                let from = if timeless { 0 } else { without.len() - length };
                assert!(
                    with[with.len() - (without.len() - from)..] == without[from..],
                    "{} of {length}",
                    kind().name()
                );
            }
        }
    }

    #[test]
    fn each_picture_has_pages_of_its_own_and_one_for_few_viewers_has_none() {
        let (a, b) = (picture(100, None), picture(100, None));
        let mut shared = SharedPages::default();
        for _ in 1..WORTH {
            assert!(shared.of(&a).is_none() && shared.of(&b).is_none());
        }
        assert_eq!(shared.of(&a).is_some(), cfg!(any(target_os = "linux", target_os = "android")));
        assert_eq!(shared.0.len(), 2);
        assert!(shared.0[1].pages.is_none());
    }

    #[test]
    fn who_gets_a_picture_in_another_form_needs_no_pages() {
        let picture = picture(1000, None);
        let mut shared = SharedPages::default();
        for _ in 0..2 * WORTH {
            let framing = Framing::Bridge(reader(), Dialect::Detection { opening: "{".into() });
            read_by(framing, &picture, Some(&mut shared));
        }
        assert!(shared.0.is_empty());
    }
}
