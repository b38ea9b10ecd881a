//! What travels: pure readers and writers of bytes. No sockets, no threads, no clock, and no input that can make one
//! of them panic or run for ever.

pub mod jpeg;
