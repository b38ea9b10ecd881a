//! The web page, out of the program itself: nothing of it comes from anywhere else.

use std::io::Read;

use flate2::read::GzDecoder;

use super::{Answer, Body, Exchange, Outcome, api};

/// What a file is called, of which type it is, and the file itself as gzip has packed it.
type File = (&'static str, &'static str, &'static [u8]);

/// The page's own files; `build.rs` makes the list.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Files of others that the page has in addition: RNNoise, and what finds people in pictures. Default: none. They are large, and in a program
/// only if it names them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vendored(&'static [File]);

impl Vendored {
    /// All there are.
    #[cfg(feature = "hub")]
    pub(crate) const ALL: Self = Self(include!(concat!(env!("OUT_DIR"), "/vendored.rs")));
}

const ROOMS: &str = include_str!("../../../web/rooms.html");
/// The same, and it shows the camera of whoever is in a room, and compiles RNNoise.
const ROOMS_POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; worker-src 'self'; \
     img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss:; base-uri 'self'; form-action 'none'; \
     frame-ancestors 'self'\r\n";
/// What finds people in pictures is compiled in a worker, which loads its own files and does nothing else.
const FINDER: &str = "background-mask.js";
const FINDER_POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; \
     frame-ancestors 'none'\r\n";
/// The page may talk to its own hub and load its own files, and nothing else.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; \
     img-src 'self' blob: data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
     frame-ancestors *\r\n";

/// The page; for a program that asks for JSON, how the service is.
pub(in crate::hub) fn index(exchange: &Exchange<'_>) -> Outcome {
    let accepts = |kind| exchange.request.field_has("accept", kind);
    if accepts("application/json") && !accepts("text/html") {
        return api::service(exchange);
    }
    file(exchange, "index.html")
}

/// The page of rooms. `base`: where its files are, seen from its own address, which may lie behind a proxy's path.
pub(in crate::hub) fn rooms(exchange: &Exchange<'_>, base: &str) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let text = ROOMS.replace("{BASE}", base);
    Ok(Answer::new(200, "text/html; charset=utf-8", Body::from(text)).with(ROOMS_POLICY).into())
}

fn find(exchange: &Exchange<'_>, name: &str) -> Option<&'static File> {
    FILES.iter().chain(exchange.shared.config.vendored.0).find(|(n, ..)| *n == name)
}

/// Whether there is such a file.
pub(in crate::hub) fn has(exchange: &Exchange<'_>, name: &str) -> bool {
    find(exchange, name).is_some()
}

pub(in crate::hub) fn file(exchange: &Exchange<'_>, name: &str) -> Outcome {
    let Some(&(_, kind, packed)) = find(exchange, name) else {
        return Err(Answer::text(404, "no such file"));
    };
    exchange.takes("GET, HEAD")?;
    let policy = if name == FINDER { FINDER_POLICY } else { POLICY };
    let vary = "Vary: Accept-Encoding\r\n";
    if exchange.request.field_has("accept-encoding", "gzip") {
        let fields = format!("{policy}Content-Encoding: gzip\r\n{vary}");
        return Ok(Answer::new(200, kind, Body::Bytes(packed.into())).with(fields).into());
    }
    let mut text = Vec::new();
    match GzDecoder::new(packed).read_to_end(&mut text) {
        Ok(_) => Ok(Answer::new(200, kind, Body::Bytes(text.into())).with(format!("{policy}{vary}")).into()),
        Err(_) => Err(Answer::text(500, "the file is broken in this program")),
    }
}
