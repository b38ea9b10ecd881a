//! Several cameras in one program, and one hub: each runs by itself, and one that fails stops no other.

use std::time::Duration;

use super::sound::{Switch, switch};
use super::{Options, camera};
use crate::cli::Interrupt;
use crate::cli::status::Status;
use crate::error::{Error, Result};
use crate::locate::{HubLocation, HubLocator};
use crate::net::service_manager::{self, Word};
use crate::publisher::{Publisher, PublisherConfig};
use crate::source::camera::Comings;
use crate::stats::PublishReport;
use crate::time::{Micros, now};

/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long after a try to find its source, which was not there, a camera of several is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Runs them until all have ended. `file`: what they were read from.
///
/// # Errors
/// What makes no sense; and why the last one ended, where that is a fault.
pub(super) fn run(all: Vec<Options>, file: Option<&str>) -> anyhow::Result<()> {
    let interrupt = Interrupt::install()?;
    let several = all.len() > 1;
    let quiet = all.first().is_some_and(|options| options.log.quiet);
    // All of it is read before anything begins.
    let mut cameras = Vec::new();
    for options in all {
        let config = camera::config(&options).map_err(|error| of_file(error, file, &options))?;
        cameras.push(Camera {
            config,
            options,
            several,
            state: State::NotYet(Micros(0)),
            status: Status::new(quiet, several),
        });
    }
    // The hub that is hosted here outlives each of them.
    let hub = several.then(|| hosted(&cameras)).flatten().transpose()?;
    if let Some(mut hub) = hub {
        let there = hub.find()?;
        for camera in &mut cameras {
            camera.config.location = HubLocation::Join(there.clone());
        }
        return Ok(turn(&mut cameras, &interrupt, Some(hub))?);
    }
    Ok(turn(&mut cameras, &interrupt, None)?)
}

/// The hub that a camera is told to host.
fn hosted(cameras: &[Camera]) -> Option<Result<HubLocator>> {
    let location = &cameras.first()?.config.location;
    matches!(location, HubLocation::Host(_)).then(|| HubLocator::new(location.clone()))
}

fn turn(cameras: &mut Vec<Camera>, interrupt: &Interrupt, hub: Option<HubLocator>) -> Result<()> {
    let (mut last, mut told) = (Ok(()), false);
    let mut comings = None;
    let sound = Switch::start();
    while !interrupt.came() && !cameras.is_empty() {
        let mut wait = LOOK;
        if sound.was_pressed() {
            switch(cameras.iter().filter_map(Camera::publisher));
        }
        look_for_sources(cameras, &mut comings);
        for camera in cameras.iter_mut() {
            camera.look(wait);
            // One wait a round is enough.
            wait = Duration::ZERO;
        }
        // By then each was started, or has ended with what is wrong with it.
        if !std::mem::replace(&mut told, true) {
            service_manager::say(&[Word::Ready]);
        }
        cameras.retain_mut(|camera| match camera.ended() {
            None => true,
            Some(end) => {
                if let (true, Err(error)) = (camera.several, &end) {
                    log::error!("{} has ended: {error}", camera.config.stream);
                }
                last = end;
                false
            }
        });
    }
    service_manager::say(&[Word::Stopping]);
    // The first one may host the hub, and goes last.
    while cameras.pop().is_some() {}
    drop(hub);
    if interrupt.came() { Ok(()) } else { last }
}

/// Those whose source was not there are tried at once when a camera comes.
fn look_for_sources(cameras: &mut [Camera], comings: &mut Option<Comings>) {
    // Of one alone it is an error.
    let waits = |camera: &Camera| camera.several && matches!(camera.state, State::NotYet(_));
    if !cameras.iter().any(waits) {
        *comings = None;
    } else if comings.get_or_insert_with(Comings::begin).changed_within(Duration::ZERO) {
        for camera in cameras.iter_mut().filter(|camera| waits(camera)) {
            camera.state = State::NotYet(now());
        }
    }
}

/// An error of a camera of several, with where it was read.
fn of_file(error: Error, file: Option<&str>, options: &Options) -> Error {
    match (file, error) {
        (Some(file), Error::Usage(why)) => {
            Error::Usage(format!("{file}: camera {}: {why}", camera::stream_of(options).1))
        }
        (_, error) => error,
    }
}

enum State {
    /// It is to be started, at this time at the earliest.
    NotYet(Micros),
    Runs(Publisher),
    Ended(Result<()>),
}

/// A camera.
struct Camera {
    config: PublisherConfig,
    options: Options,
    several: bool,
    /// Before what it tells of: its last line ends before that says its last words.
    status: Status,
    state: State,
}

impl Camera {
    fn look(&mut self, wait: Duration) {
        match &self.state {
            State::NotYet(at) if now() >= *at => self.start(),
            State::NotYet(_) => std::thread::sleep(wait),
            State::Runs(publisher) => match publisher.wait(wait) {
                Some(end) => self.state = State::Ended(end),
                None => self.status.show(|| publisher.report()),
            },
            State::Ended(_) => {}
        }
    }

    fn start(&mut self) {
        let started = camera::source(&self.options).and_then(|source| Publisher::start(self.config.clone(), source));
        self.state = match started {
            Ok(publisher) => State::Runs(publisher),
            // The others go on, and what is not plugged in yet may be in a moment.
            Err(Error::NoSource(why)) if self.several && !self.config.exit_on_source_error => {
                let fault = format!("{why}; tried again every {} s, and when a camera comes", AGAIN.as_secs());
                let report =
                    PublishReport { stream: self.config.stream.to_string(), fault, ..PublishReport::default() };
                self.status.say(&report);
                State::NotYet(now() + AGAIN)
            }
            Err(error) => State::Ended(Err(error)),
        };
    }

    fn publisher(&self) -> Option<&Publisher> {
        match &self.state {
            State::Runs(publisher) => Some(publisher),
            State::NotYet(_) | State::Ended(_) => None,
        }
    }

    /// How it ended, once it did.
    fn ended(&mut self) -> Option<Result<()>> {
        match &self.state {
            State::Ended(end) => Some(end.clone()),
            State::NotYet(_) | State::Runs(_) => None,
        }
    }
}
