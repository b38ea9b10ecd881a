//! Bytes to things and back, pure: no sockets, no threads, no clock. Fed at any split, they give the same.

pub mod chunked;
pub mod jpeg_split;
pub mod multipart;
