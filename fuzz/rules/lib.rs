//! The nouns and the rules of streamflow without the rest of it. They are all that is fuzzed, and without codecs, cameras
//! and windows they are built in seconds. That this builds also shows that rules need nothing from above them.

#[path = "../../src/adapt/mod.rs"]
pub mod adapt;
#[path = "../../src/buffer.rs"]
pub mod buffer;
#[path = "../../src/credit/mod.rs"]
pub mod credit;
#[path = "../../src/frame.rs"]
pub mod frame;
#[path = "../../src/net/http.rs"]
pub mod http;
#[path = "../../src/time.rs"]
pub mod time;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

pub mod net {
    pub use crate::http;
}
