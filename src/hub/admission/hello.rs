//! Who somebody is, from the first packet.

use std::net::IpAddr;

use crate::access::Credentials;
use crate::hub::Shared;
use crate::hub::deliver::{Admitted, Purpose};
use crate::names::StreamKey;
use crate::net::connection::Framing;
use crate::time::Micros;
use crate::wire::control::{Cause, Control, Role};
use crate::wire::packet::Packet;

/// What somebody wants whose first packet is here.
///
/// # Errors
/// Why it gets nothing, for programs and in words.
pub(super) fn admitted(
    packet: Packet,
    began: Micros,
    framing: Framing,
    who: Credentials,
    shared: &Shared,
) -> Result<Admitted, (Cause, String)> {
    let refused = |why: String| (Cause::Refused, why);
    let (hello, purpose, first) = match packet {
        Packet::Control(Control::Hello(mut hello)) => {
            hello.token = None;
            let purpose = match hello.role {
                Role::Publish => {
                    let grant =
                        shared.access.publish(&who, StreamKey::parse(&hello.room, &hello.name).map_err(refused)?);
                    let (replace, instance) = (hello.replace, hello.instance);
                    grant.map(|grant| Purpose::Publish { grant, replace, instance })
                }
                Role::View => {
                    let key = StreamKey::parse_to_watch(&hello.room, &hello.name).map_err(refused)?;
                    shared.access.watch(&who, key).map(Purpose::Watch)
                }
            };
            (Some(hello), purpose, None)
        }
        Packet::Bare(_) => {
            let grant = shared.access.publish(&who, bare_key(who.address, shared));
            let purpose = grant.map(|grant| Purpose::Publish { grant, replace: false, instance: 0 });
            (None, purpose, Some((packet, began)))
        }
        _ => return Err(refused("the first packet must be a hello or a bare JPEG".into())),
    };
    let purpose = purpose.map_err(|denied| (denied.cause(), denied.to_string()))?;
    Ok(Admitted { credentials: who, framing, purpose, hello, apart: 0, feed: None, first })
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
