//! The hub's door: what comes at its one port, in the clear and encrypted, to the real code of admission and of the connections
//! behind it.

mod line;
mod records;
mod script;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::sync::Arc;

use rustls::ClientConfig;
use streamflow::internal::hub::{Arrival, Door, Visit};
use streamflow::internal::transport::Transport;
use streamflow::internal::wire::packet::Packet;

use self::line::{Line, Server};
use self::records::{CLOSE_NOTIFY, Client};

/// Of one connection no more packets are read in a turn.
const MESSAGES: usize = 256;

/// What is the same for all inputs: a hub's key, and clients that come back.
struct Kept {
    door: Door,
    clients: [Arc<ClientConfig>; 2],
}

impl Kept {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("streamflow-door-{}", std::process::id()));
        let door = Door::new(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        Self { door, clients: [false, true].map(records::config) }
    }
}

/// What arrived at the door.
struct Visitor {
    visit: Visit,
    arrivals: Vec<Arrival>,
}

impl Visitor {
    fn line(kept: &Kept) -> Line<Self> {
        Line::new(|socket| Self { visit: kept.door.open(socket).unwrap(), arrivals: Vec::new() })
    }

    fn ends(&mut self, late: bool) {
        let Self { visit, arrivals } = self;
        visit.ends(late, &mut |arrival| arrivals.push(arrival)).unwrap();
    }
}

impl Server for Visitor {
    fn turn(&mut self) -> bool {
        let Self { visit, arrivals } = self;
        let before = arrivals.len();
        let goes_on = visit.turn(&mut |arrival| arrivals.push(arrival)).unwrap();
        assert!(arrivals.len() <= before + MESSAGES + 2, "too much for one turn");
        goes_on
    }

    fn is_over(&self) -> bool {
        self.visit.is_over()
    }

    fn held(&self) -> usize {
        self.visit.held()
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Cut,
    Closed,
    /// It has had its time.
    Late,
    /// Its memory is needed for others.
    Full,
}

fn finish(line: &mut Line<Visitor>, end: End) {
    if let End::Late | End::Full = end {
        line.server.ends(matches!(end, End::Late));
        line.run();
    }
    line.cut();
    if !line.server.is_over() {
        // It waits for a picture, and looks no further.
        line.server.ends(true);
        line.run();
    }
    assert!(line.server.is_over(), "it goes on without anybody");
}

/// Whether pictures in a body are published, and something is wrong with it or its parts say how long they are: that is judged by
/// what is here of it, be it before it is let in or behind that. Each outcome may know but a half of it.
fn are_of_doubtful_body(outcomes: [&Outcome; 2], content: &[u8]) -> bool {
    let publishes = outcomes.iter().any(|one| one.arrivals.iter().any(|arrival| arrival.starts_with("post ")));
    let refused = outcomes.iter().any(|one| one.said.contains("HTTP/1.1 4"));
    let content = content.to_ascii_lowercase();
    let lengths = content.windows(15).filter(|w| w == b"content-length:").count();
    // One is that of the request, if it is not in chunks.
    let of_request = usize::from(!content.windows(7).any(|w| w == b"chunked"));
    publishes && (lengths > of_request || refused)
}

/// What came of a connection, as far as it does not depend on how its bytes were cut.
#[derive(Debug, PartialEq)]
struct Outcome {
    said: String,
    arrivals: Vec<String>,
    ended: Option<bool>,
}

impl Outcome {
    fn new(arrivals: &[Arrival], heard: &[u8]) -> Self {
        // Whether a body has begun to come by then decides on the first. Of pings that come together the last one is answered.
        let said = String::from_utf8_lossy(heard).replace("HTTP/1.1 100 Continue\r\n\r\n", "");
        let said = said.split("HTTP/1.1 101 ").next().unwrap_or_default().to_string();
        let mut this = Self { said, arrivals: Vec::new(), ended: None };
        for arrival in arrivals {
            match arrival {
                Arrival::Ended(why) => this.ended = Some(why.is_some()),
                Arrival::Admitted(framing, purpose) => this.arrivals.push(format!("{framing} {purpose}")),
                Arrival::Packet(Packet::Bare(jpeg)) => this.arrivals.push(format!("{:?}", &jpeg[..])),
                Arrival::Packet(packet) => this.arrivals.push(format!("{packet:?}")),
            }
        }
        this
    }

    /// How many requests were answered.
    fn answers(&self) -> usize {
        self.said.matches("HTTP/1.1 ").count()
    }

    /// It is the same however the content was cut.
    fn assert_is(&self, other: &Self, content: &[u8]) {
        assert_eq!(self.answers(), other.answers(), "{self:#?} {other:#?}");
        if !are_of_doubtful_body([self, other], content) {
            assert_eq!(self, other);
        }
    }

    /// Whether this is what is left of it when not all has come.
    fn begins(&self, whole: &Self) -> bool {
        whole.said.starts_with(&self.said) && whole.arrivals.starts_with(&self.arrivals)
    }
}

/// What the content comes to in the clear, cut into such pieces.
fn in_the_clear(kept: &Kept, content: &[u8], step: usize, end: End) -> Outcome {
    let mut line = Visitor::line(kept);
    line.write_in_pieces(content, step);
    finish(&mut line, end);
    Outcome::new(&line.server.arrivals, &line.heard)
}

/// The transport alone: what comes out of it.
struct Bare {
    transport: Option<Transport>,
    came: Vec<u8>,
    buffer: Vec<u8>,
    ready: bool,
    broke: bool,
}

impl Server for Bare {
    fn turn(&mut self) -> bool {
        let Some(transport) = &mut self.transport else { return false };
        let before = self.came.len();
        let read = if self.ready {
            transport.read(&mut self.buffer)
        } else {
            match transport.handshake() {
                Ok(ready) => {
                    self.ready = ready;
                    return ready;
                }
                // What is wrong came with the end of the handshake.
                Err(error) => Err(error),
            }
        };
        let most = 2 * (self.buffer.len() + (64 << 10));
        match read {
            Ok(n @ 1..) => {
                self.came.extend_from_slice(&self.buffer[..n]);
                assert!(transport.overhead(n) <= most, "{} for {n} bytes", transport.overhead(n));
                true
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => false,
            read => {
                self.broke = read.is_err();
                assert_eq!(self.came.len(), before);
                self.transport = None;
                false
            }
        }
    }

    fn is_over(&self) -> bool {
        self.transport.is_none()
    }

    fn held(&self) -> usize {
        self.transport.as_ref().map_or(0, Transport::held)
    }
}

/// What comes at a hub's port. The first byte says whether it is in the clear, bytes that begin as TLS does, or encrypted and then
/// what of the hub reads it, and how it ends; the second how it is cut; the third how long the script is that follows.
pub fn door(data: &[u8]) {
    thread_local!(static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) });
    let [mode, step, script, rest @ ..] = data else { return };
    let (script, content) = rest.split_at(2 * usize::from(*script).min(rest.len() / 2));
    let step = usize::from(*step) + 1;
    let end = [End::Cut, End::Closed, End::Late, End::Full][usize::from(mode >> 2 & 3)];
    let [old, late, new_keys] = [4, 5, 6].map(|bit| mode >> bit & 1 == 1);
    KEPT.with_borrow_mut(|kept| {
        let kept = kept.get_or_insert_with(Kept::new);
        let client = kept.clients[usize::from(old)].clone();
        let new_keys = new_keys && !old;
        match mode & 3 {
            0 => {
                let whole = in_the_clear(kept, content, usize::MAX, end);
                in_the_clear(kept, content, step, end).assert_is(&whole, content);
            }
            1 => {
                let content = [&[0x16], content].concat();
                let [whole, split] = [usize::MAX, step].map(|step| in_the_clear(kept, &content, step, end));
                // Which rule it breaks first may be another.
                assert_eq!(whole.arrivals, split.arrivals);
            }
            2 => {
                let session = kept.door.session().unwrap();
                let mut line = Line::new(|socket| Bare {
                    transport: Some(Transport::from(socket).encrypted(session.into(), Vec::new())),
                    came: Vec::new(),
                    buffer: vec![0; 16 * step],
                    ready: false,
                    broke: false,
                });
                let (mut client, early) = Client::new(&mut line, &client, step, late, new_keys);
                let told = script::tell(&mut line, &mut client, early, script, content);
                if let End::Closed = end {
                    line.write(&client.seal(records::ALERT, CLOSE_NOTIFY, 0));
                }
                line.cut();
                assert!(line.server.is_over());
                let came = &line.server.came;
                assert!(told.content.starts_with(came), "{came:?} of {:?}", told.content);
                if !told.broken {
                    assert!(!line.server.broke && came.len() == told.content.len(), "{came:?} of {:?}", told.content);
                }
            }
            _ => {
                let mut line = Visitor::line(kept);
                let (mut client, early) = Client::new(&mut line, &client, step, late, new_keys);
                let told = script::tell(&mut line, &mut client, early, script, content);
                if let End::Closed = end {
                    line.write(&client.seal(records::ALERT, CLOSE_NOTIFY, 0));
                }
                // It is over already.
                let end = if told.frozen { End::Cut } else { end };
                finish(&mut line, end);
                let mut outcome = Outcome::new(&line.server.arrivals, &client.open(&line.heard));
                let mut whole = in_the_clear(kept, &told.content, usize::MAX, end);
                let doubtful = are_of_doubtful_body([&outcome, &whole], &told.content);
                if new_keys {
                    // Whoever is told of new keys answers with new ones, which the client does not have.
                    (outcome.said, whole.said) = Default::default();
                }
                if told.broken {
                    assert!(doubtful || outcome.begins(&whole), "{outcome:#?} does not begin {whole:#?}");
                } else if !doubtful {
                    assert_eq!(outcome, whole);
                }
            }
        }
    });
}
