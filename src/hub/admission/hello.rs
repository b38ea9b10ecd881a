//! Who somebody is, from the first packet.

use std::net::IpAddr;

use crate::hub::Shared;
use crate::hub::deliver::{Admitted, Wish};
use crate::net::connection::Framing;
use crate::room::StreamKey;
use crate::time::Micros;
use crate::wire::control::{Control, Role, check_name};
use crate::wire::packet::Packet;

/// What somebody wants whose first packet is here.
///
/// # Errors
/// Why it gets nothing, in words.
pub(super) fn admitted(
    packet: Packet,
    began: Micros,
    framing: Framing,
    ip: IpAddr,
    shared: &Shared,
) -> Result<Admitted, String> {
    match packet {
        Packet::Control(Control::Hello(hello)) => {
            check_name(&hello.room)?;
            if hello.role == Role::Publish || !hello.name.is_empty() {
                check_name(&hello.name)?;
            }
            let key = StreamKey::new(&hello.room, &hello.name);
            let wish = match hello.role {
                Role::Publish => Wish::Publish { key, replace: hello.replace, instance: hello.instance },
                Role::View => Wish::Watch(key),
            };
            Ok(Admitted { framing, wish, hello: Some(hello), first: None })
        }
        Packet::Bare(_) => {
            let wish = Wish::Publish { key: bare_key(ip, shared), replace: false, instance: 0 };
            Ok(Admitted { framing, wish, hello: None, first: Some((packet, began)) })
        }
        _ => Err("the first packet must be a hello or a bare JPEG".into()),
    }
}

/// The name of a stream whose publisher told none: its address, and a number from the second on.
fn bare_key(ip: IpAddr, shared: &Shared) -> StreamKey {
    let base = ip.to_canonical().to_string().replace(':', "-");
    let numbered = (2..1000).map(|n| StreamKey::new("main", format!("{base}-{n}")));
    std::iter::once(StreamKey::new("main", &base))
        .chain(numbered)
        .find(|key| shared.is_free(key))
        .unwrap_or_else(|| StreamKey::new("main", base))
}
