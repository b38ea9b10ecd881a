//! `streamflow-hub check`: whether a hub answers, for containers and supervisors.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;

use crate::error::Error;
use crate::net::address::{PORT, listen_address};
use crate::net::who_listens::{Listener, who_listens};

/// Says whether a hub answers on this machine: exit code 0, or 5.
#[derive(Args, Debug)]
pub(super) struct CheckOptions {
    /// Where the hub listens, as it was told itself; of 0.0.0.0 this machine's own address is asked
    #[arg(long, value_name = "IP[:PORT]", env = "STREAMFLOW_LISTEN")]
    listen: Option<String>,
    /// The hub's port
    #[arg(long, value_name = "PORT", env = "STREAMFLOW_PORT", default_value_t = PORT)]
    port: u16,
}

pub(super) fn check(options: &CheckOptions) -> anyhow::Result<()> {
    let address = asked(listen_address(options.listen.as_deref().unwrap_or("127.0.0.1"), options.port)?);
    let other = match who_listens(address) {
        Listener::Hub => return Ok(writeln!(std::io::stdout(), "a hub answers at {address}")?),
        Listener::Nobody => "nobody listens",
        Listener::Silent => "whoever listens does not answer",
        Listener::WebServer | Listener::Speaks(_) => "another program listens",
    };
    Err(Error::Unreachable(format!("no hub answers at {address}: {other}")).into())
}

/// How this machine reaches a hub that listens there.
fn asked(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
