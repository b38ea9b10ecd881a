//! Two ends of a socket in one thread: ours is written to in pieces, and the other one has turns as long as there is something
//! to do for it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// What is at the other end.
pub(super) trait Server {
    /// Whether there is more to do for it.
    fn turn(&mut self) -> bool;
    /// Whether it has closed its end.
    fn is_over(&self) -> bool;
    /// How much memory it takes.
    fn held(&self) -> usize;
}

/// More than this nobody holds beside what came: buffers of TLS, and an answer that is being written.
const HOLDS: usize = 256 << 10;
/// However small what comes is, it is written in no more pieces than this.
const PIECES: usize = 96;

pub(super) struct Line<S> {
    far: TcpStream,
    pub(super) server: S,
    /// What the server has said and nobody has taken.
    pub(super) heard: Vec<u8>,
    sent: usize,
    said: usize,
    turns: usize,
}

impl<S: Server> Line<S> {
    pub(super) fn new(server: impl FnOnce(mio::net::TcpStream) -> S) -> Self {
        // Their calls are the same, and a pair of these costs no port.
        let (near, far) = UnixStream::pair().unwrap();
        let [near, far] = [near, far].map(|end| TcpStream::from(OwnedFd::from(end)));
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        let server = server(mio::net::TcpStream::from_std(near));
        Self { far, server, heard: Vec::new(), sent: 0, said: 0, turns: 0 }
    }

    /// Lets the server go on until it waits for us.
    pub(super) fn run(&mut self) {
        loop {
            let goes_on = self.server.turn();
            self.turns += 1;
            self.listen();
            // A byte is a record, a message or a request at most, and an answer goes out in pieces of some size.
            assert!(
                self.turns <= 1000 + 4 * self.sent + self.said / 64,
                "{} turns for {} bytes",
                self.turns,
                self.sent
            );
            assert!(self.server.held() <= HOLDS + 3 * self.sent, "{} of {} bytes", self.server.held(), self.sent);
            if !goes_on {
                return;
            }
        }
    }

    fn listen(&mut self) {
        let mut piece = [0; 16 << 10];
        while let Ok(n @ 1..) = self.far.read(&mut piece) {
            self.heard.extend_from_slice(&piece[..n]);
            self.said += n;
        }
    }

    /// Writes these bytes; whoever does not want them has closed.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.far.write(bytes) {
                Ok(n) => {
                    bytes = &bytes[n..];
                    self.sent += n;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let turns = self.turns;
                    self.run();
                    assert!(self.turns < turns + 100_000);
                    // What waits for a picture does not read.
                    if self.far.write(&bytes[..1]).is_err() {
                        return;
                    }
                    bytes = &bytes[1..];
                    self.sent += 1;
                }
                Err(_) => return assert!(self.server.is_over()),
            }
        }
    }

    /// Writes these bytes in pieces, each of which is read before the next one comes.
    pub(super) fn write_in_pieces(&mut self, bytes: &[u8], step: usize) {
        for piece in bytes.chunks(step.max(bytes.len() / PIECES).max(1)) {
            self.write(piece);
            self.run();
        }
    }

    /// Says that nothing more comes.
    pub(super) fn cut(&mut self) {
        let _ = self.far.shutdown(Shutdown::Write);
        self.run();
    }
}
