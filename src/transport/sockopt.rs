//! What the kernel knows about a TCP connection, and the options that keep its queues short.
//!
//! On systems without these calls the answers are `None`, and the rules in [`crate::pacing`] go by acknowledgements alone.

use std::io;
use std::time::Duration;

use socket2::SockRef;

use crate::pacing::{CongestionControl, Feedback};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::system;

/// How many bytes that it has not sent yet the kernel holds before it calls a socket full, `TCP_NOTSENT_LOWAT` of
/// [`prepare`]. It costs no rate, for the kernel still keeps the window's worth of sent bytes beside it, and it makes a
/// picture that does not fit into the window a *partial* write: the cheapest sign of congestion there is.
const UNSENT_LOW_MARK: u32 = 16 * 1024;

/// The congestion control of clean links. Every Linux has it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const USUAL: &[u8] = b"cubic";

/// Makes a connected socket fit for pictures: no waiting for full segments (`TCP_NODELAY`), a low mark for unsent
/// bytes (`TCP_NOTSENT_LOWAT`), cubic as congestion control, and keep-alive. Only the first can fail; the others are a gain where they
/// exist and nothing is lost without them.
///
/// `SO_SNDBUF` is left to the kernel's own tuning: setting it turns that off, and the mark above bounds what waits.
///
/// # Errors
/// What the operating system says of `TCP_NODELAY`: the socket is not TCP, or gone.
#[cfg(unix)]
pub(crate) fn prepare(socket: &impl std::os::fd::AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    let _ = socket.set_tcp_keepalive(&keep_alive());
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let _ = socket.set_tcp_notsent_lowat(UNSENT_LOW_MARK);
        // Also where the system's own is BBR: [`CongestionControl`] says when that is the better one.
        let _ = socket.set_tcp_congestion(USUAL);
    }
    Ok(())
}

/// Changes a connection's congestion control as [`CongestionControl`] says. Where BBR is missing or not allowed
/// everything stays as it is.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn control(socket: &impl std::os::fd::AsFd, control: CongestionControl) {
    let socket = SockRef::from(socket);
    // Setting the control that is already set does nothing; going by way of another starts it afresh.
    let _ = socket.set_tcp_congestion(USUAL);
    if control == CongestionControl::Bbr {
        let _ = socket.set_tcp_congestion(b"bbr");
    }
}

/// Changes a connection's congestion control: on this system there is no choice.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn control<S>(_socket: &S, _control: CongestionControl) {}

/// Makes a connected socket fit for pictures: no waiting for full segments (`TCP_NODELAY`).
///
/// # Errors
/// What the operating system says: the socket is not TCP, or gone.
#[cfg(windows)]
pub fn prepare(socket: &impl std::os::windows::io::AsSocket) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_keepalive(&keep_alive());
    socket.set_tcp_nodelay(true)
}

/// A client that cannot be pinged and waits for a stream that nobody publishes is dead without anybody's notice when its
/// machine is switched off; the kernel asks it every half minute, and drops it a minute later.
fn keep_alive() -> socket2::TcpKeepalive {
    let keep = socket2::TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(20));
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "windows"))]
    let keep = keep.with_retries(3);
    keep
}

/// What the kernel knows about a connection, for a [`crate::pacing::Pacer`]. `None` where it cannot tell.
///
/// One system call (0.2 µs) when nothing is under way, two (0.7 µs) when something is.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn measure(socket: &impl std::os::fd::AsFd) -> Option<Feedback> {
    let unacknowledged = unacknowledged(socket)?;
    if unacknowledged == 0 {
        return Some(Feedback::default());
    }
    let info = tcp_info(socket)?;
    let segment = info.segment.max(1);
    Some(Feedback {
        // Not segments times their length: each picture ends with a part of one, and a long path holds many pictures.
        outstanding: unacknowledged.saturating_sub(info.sacked.saturating_mul(segment)),
        lost: info.lost.saturating_mul(segment),
        stalled: info.sacked > 0 || info.lost > 0,
        min_rtt: Some(info.min_rtt).filter(|t| !t.is_zero()),
        segments: (info.sent, info.retransmitted),
    })
}

/// What the kernel knows about a connection: on this system nothing that helps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn measure<S>(_socket: &S) -> Option<Feedback> {
    None
}

/// Bytes written that the other machine has not acknowledged, sent or not: `SIOCOUTQ`, see `tcp(7)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn unacknowledged(socket: &impl std::os::fd::AsFd) -> Option<u32> {
    system::queue(socket, libc::TIOCOUTQ)
}

/// The fields of the kernel's `struct tcp_info` (`linux/tcp.h`) that say how a connection is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    /// Bytes in a full segment.
    pub segment: u32,
    /// Segments sent and not acknowledged up to the first gap.
    pub unacked: u32,
    /// Those of them that have arrived behind a gap.
    pub sacked: u32,
    /// Those of them taken for lost.
    pub lost: u32,
    /// The congestion window, in segments.
    pub window: u32,
    /// Segments with data sent since the connection began.
    pub sent: u32,
    /// Segments sent more than once since the connection began.
    pub retransmitted: u32,
    /// Bytes not sent even once.
    pub unsent: u32,
    /// The smoothed round trip, queues included.
    pub round_trip: Duration,
    /// The least round trip of a segment in the last minutes: the path without queues. Zero before the first.
    pub min_rtt: Duration,
    /// The rate at which the other machine lately received, in bytes a second. Old news where the application sends
    /// less than the connection would carry: the kernel then keeps the best that it has seen.
    pub delivery_rate: u64,
}

/// `TCP_INFO`, as far as this kernel knows it (all fields here are there since Linux 4.9); see `tcp(7)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn tcp_info(socket: &impl std::os::fd::AsFd) -> Option<TcpInfo> {
    let (answer, length) = system::tcp_info(socket)?;
    linux::parse(answer.get(..length)?)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::time::Duration;

    use super::TcpInfo;

    /// Reads fields by their offsets in `struct tcp_info` of `linux/tcp.h`, which only ever grows at its end. `None` if
    /// the answer is too short to hold them all.
    pub(super) fn parse(answer: &[u8]) -> Option<TcpInfo> {
        let word = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(answer.get(at..at + 8)?.try_into().ok()?));
        let span = |at: usize| Some(Duration::from_micros(word(at)?.into()));
        // The kernel's "no sample yet" for the least round trip is all ones.
        let least = word(148)?;
        Some(TcpInfo {
            segment: word(16)?,
            unacked: word(24)?,
            sacked: word(28)?,
            lost: word(32)?,
            round_trip: span(68)?,
            window: word(80)?,
            retransmitted: word(100)?,
            sent: word(156)?,
            unsent: word(144)?,
            min_rtt: if least == u32::MAX { Duration::ZERO } else { span(148)? },
            delivery_rate: long(160)?,
        })
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn a_connection_at_rest_holds_nothing_and_one_nobody_reads_holds_what_was_written() {
        let (mut near, mut far) = pair();
        prepare(&near).unwrap();
        assert_eq!(measure(&near), Some(Feedback::default()));
        near.write_all(b"hello").unwrap();
        far.read_exact(&mut [0; 5]).unwrap();
        near.set_nonblocking(true).unwrap();
        let picture = vec![0_u8; 64 * 1024];
        while near.write(&picture).is_ok() {}
        let info = tcp_info(&near).unwrap();
        assert!(unacknowledged(&near).unwrap() > 16_000, "{info:?}");
        assert!(info.unsent > 0, "{info:?}");
        assert!(info.segment >= 536 && info.window > 0, "{info:?}");
        assert!(info.min_rtt > Duration::ZERO && info.min_rtt < Duration::from_secs(1), "{info:?}");
        let kernel = measure(&near).unwrap();
        assert!(kernel.outstanding > 16_000 && kernel.min_rtt.is_some());
    }

    #[test]
    fn what_is_no_tcp_socket_is_not_measured() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(measure(&file), None);
        assert_eq!(tcp_info(&file), None);
    }

    #[test]
    fn a_short_answer_of_an_old_kernel_is_no_answer() {
        assert_eq!(linux::parse(&[0; 104]), None);
        assert!(linux::parse(&[0; 168]).is_some());
    }

    #[test]
    fn fields_are_where_the_c_structure_has_them() {
        use std::mem::offset_of;
        assert_eq!(offset_of!(libc::tcp_info, tcpi_snd_mss), 16);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_unacked), 24);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_rtt), 68);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_snd_cwnd), 80);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_total_retrans), 100);
        #[cfg(target_env = "gnu")]
        {
            assert_eq!(offset_of!(libc::tcp_info, tcpi_notsent_bytes), 144);
            assert_eq!(offset_of!(libc::tcp_info, tcpi_min_rtt), 148);
            assert_eq!(offset_of!(libc::tcp_info, tcpi_delivery_rate), 160);
        }
    }
}
