//! Socket options.

use mio::net::TcpStream;

/// Makes a fresh connection ready for pictures: no waiting for more bytes (Nagle), and the kernel takes little more
/// than it can send at once, so that what waits is the newest picture and not an old one.
pub fn prepare(socket: &TcpStream) {
    let options = socket2::SockRef::from(socket);
    // Each is a help and none a need: a system that refuses one is served all the same.
    let _ = options.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = options.set_tcp_notsent_lowat(16 * 1024);
}
