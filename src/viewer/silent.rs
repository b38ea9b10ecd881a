//! The sound of a viewer in a program that was built without: there is none.

use std::sync::Arc;
use std::thread::JoinHandle;

use mio::Waker;

use super::inbox::Inbox;
use super::open::Open;
use super::{Shared, ViewerConfig};
use crate::error::{Error, Result};

/// Nothing plays sound.
pub(crate) struct Output;

impl Output {
    /// See [`Sink::of`].
    ///
    /// # Errors
    /// None.
    pub(crate) fn of(_config: &ViewerConfig) -> Result<Option<Arc<Self>>> {
        Ok(None)
    }
}

/// Sound goes nowhere.
pub(super) enum Sink {}

/// So none is ever played.
pub(super) enum Playing {}

impl Sink {
    /// Nothing.
    ///
    /// # Errors
    /// Sound is wanted.
    pub(super) fn of(config: &ViewerConfig, _open: &Open, _output: Option<Arc<Output>>) -> Result<Option<Self>> {
        let wants = config.audio.as_deref().is_some_and(|name| name != "auto") || config.record_audio.is_some();
        let why = "this program was built without sound (its feature audio)";
        if wants { Err(Error::Usage(why.into())) } else { Ok(None) }
    }

    pub(super) fn start(self, _shared: Arc<Shared>, _inbox: Arc<Inbox>, _waker: Arc<Waker>) -> Result<Playing> {
        match self {}
    }
}

impl Playing {
    pub(super) fn end(self) -> Option<JoinHandle<()>> {
        match self {}
    }
}
