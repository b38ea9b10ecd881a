//! Whether this machine's network has changed, so that nobody waits out a pause for a link that is back.

use mio::{Registry, Token};

use crate::time::Micros;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use linux::NetworkWatch;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use other::NetworkWatch;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::Interest;
    use mio::unix::SourceFd;
    use rustix::io::Errno;
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

    use super::{Micros, Registry, Token};

    /// Groups of `rtnetlink(7)`: links, and addresses and routes of both families (`RTMGRP_LINK`, `_IPV4_IFADDR`,
    /// `_IPV4_ROUTE`, `_IPV6_IFADDR`, `_IPV6_ROUTE`).
    const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
    /// A network that changes all the time, as one with containers that come and go, is news so often at most.
    const NEWS_EVERY: Duration = Duration::from_secs(1);
    /// Messages that are read at once; what is left is news again.
    const MOST: usize = 64;

    /// Hears of changes from the kernel. The messages are not read, only that there were some: what matters is whether the
    /// hub can be reached, and a try tells that best.
    pub(in crate::net::link) struct NetworkWatch {
        socket: OwnedFd,
        told: Option<Micros>,
    }

    impl NetworkWatch {
        /// `None` where the system does not let us: then the waits simply run out.
        pub(in crate::net::link) fn open(registry: &Registry, token: Token) -> Option<Self> {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            // Protocol 0 of this family is NETLINK_ROUTE.
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).ok()?;
            bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).ok()?;
            registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE).ok()?;
            Some(Self { socket, told: None })
        }

        /// Whether something changed since it was asked last.
        pub(in crate::net::link) fn changed(&mut self, now: Micros) -> bool {
            let mut scratch = [0; 4096];
            let mut news = false;
            for _ in 0..MOST {
                match recv(&self.socket, &mut scratch, RecvFlags::empty()) {
                    // More was lost than the kernel keeps for us: that is news as well.
                    Ok(_) | Err(Errno::NOBUFS) => news = true,
                    Err(_) => break,
                }
            }
            let due = news && self.told.is_none_or(|told| now.since(told) >= NEWS_EVERY);
            if due {
                self.told = Some(now);
            }
            due
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other {
    use super::{Micros, Registry, Token};

    /// Nothing is heard of changes here: the waits run out.
    pub(in crate::net::link) enum NetworkWatch {}

    impl NetworkWatch {
        pub(in crate::net::link) fn open(_registry: &Registry, _token: Token) -> Option<Self> {
            None
        }

        pub(in crate::net::link) fn changed(&mut self, _now: Micros) -> bool {
            match *self {}
        }
    }
}
