//! Several streams in one window, on the main thread: a viewer each, which decodes its pictures as large as they are seen and asks
//! the hub for no larger ones.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::sound::Switch;
use super::watch::Watch;
use super::window::{self, Look, NUMBERS, PATIENCE_ALONE, as_wanted};
use crate::adapt::Resolution;
use crate::cli::Interrupt;
use crate::display::{Action, MOST_TILES, Screen};
use crate::error::{Error, Result};
use crate::frame::{Picture, Size};
use crate::jpeg::Wanted;
use crate::locate::HubLocator;
use crate::stats::{State, ViewReport};
use crate::time::now;
use crate::viewer::{Output, SharedLocator, Shown, Viewer, ViewerConfig};
use crate::wire::control::ViewRequest;

/// How often the hub is asked for the streams of the room.
const LIST: Duration = Duration::from_secs(2);
/// How often it is looked at whether streams come in a size that fits.
const FIT: Duration = Duration::from_millis(500);
/// What a stream is asked for that is not seen while another one is seen alone.
const UNSEEN: Size = Size::new(160, 90);

/// One of them.
struct Stream {
    viewer: Viewer,
    name: String,
    wanted: Wanted,
    newest: Option<Arc<Picture>>,
    report: ViewReport,
}

/// All of them, and how another one is started.
pub(super) struct Streams {
    config: ViewerConfig,
    locator: SharedLocator,
    /// What plays the sound of all.
    output: Option<Arc<Output>>,
    streams: Vec<Stream>,
    /// Who hears which streams there are, until the first of them is watched.
    scout: Option<Viewer>,
    told_most: bool,
}

impl Streams {
    /// Starts a viewer for each name, or one that hears which there are.
    pub(super) fn new(config: ViewerConfig, names: &[String], all: bool) -> Result<Self> {
        if names.len() > MOST_TILES {
            return Err(Error::Usage(format!("one window has room for {MOST_TILES} streams: give fewer --name")));
        }
        if let Some((_, name)) =
            names.iter().enumerate().find(|(n, name)| names.iter().take(*n).any(|other| other == *name))
        {
            return Err(Error::Usage(format!("--name {name} was given twice")));
        }
        let locator = Arc::new(Mutex::new(HubLocator::new(config.location.clone())?));
        let output = Output::of(&config)?;
        let mut this = Self { config, locator, output, streams: Vec::new(), scout: None, told_most: false };
        if all {
            this.scout = Some(this.viewer(None)?);
        }
        names.iter().try_for_each(|name| this.add(name.clone()))?;
        Ok(this)
    }

    fn viewer(&self, name: Option<&str>) -> Result<Viewer> {
        let config = ViewerConfig { name: name.map(str::to_owned), ..self.config.clone() };
        let viewer = Viewer::start_with(config, || Ok(self.locator.clone()), self.output.clone())?;
        viewer.wakes(std::thread::current());
        Ok(viewer)
    }

    fn add(&mut self, name: String) -> Result<()> {
        let viewer = self.viewer(Some(&name))?;
        let report = viewer.report();
        self.streams.push(Stream { viewer, name, wanted: Wanted::default(), newest: None, report });
        Ok(())
    }

    /// For who shows nothing.
    pub(super) fn into_viewers(self) -> Vec<Viewer> {
        self.streams.into_iter().map(|stream| stream.viewer).collect()
    }

    fn viewers(&self) -> impl Iterator<Item = &Viewer> + Clone {
        self.streams.iter().map(|stream| &stream.viewer).chain(&self.scout)
    }

    /// Watches the streams of the room that are not watched yet; how many are new, or why there are no more.
    fn discover(&mut self, wanted: Wanted) -> Result<(usize, Option<String>)> {
        let mut names = self.viewers().next().map(Viewer::names).unwrap_or_default();
        names.retain(|name| self.streams.iter().all(|stream| stream.name != *name));
        names.sort();
        let room = MOST_TILES.saturating_sub(self.streams.len());
        let left_out = names.len().saturating_sub(room);
        names.truncate(room);
        let new = names.len();
        for name in names {
            self.add(name)?;
            if let Some(stream) = self.streams.last_mut() {
                stream.wanted = wanted;
                stream.viewer.show_as(wanted);
            }
        }
        if !self.streams.is_empty() {
            self.scout = None;
        }
        let is_news = left_out > 0 && !std::mem::replace(&mut self.told_most, left_out > 0);
        let why =
            is_news.then(|| format!("one window has room for {MOST_TILES} streams; {left_out} more are left out"));
        Ok((new, why))
    }

    /// Has each stream decoded, and sent, no larger than it is seen.
    fn fit(&mut self, screen: &Screen) {
        for (n, stream) in self.streams.iter_mut().enumerate() {
            let room = screen.room(n).unwrap_or(UNSEEN);
            if stream.wanted.room != Some(room) {
                stream.wanted.room = Some(room);
                stream.viewer.show_as(stream.wanted);
            }
            let size = fitting(&stream.report.nominal.size, &stream.wanted);
            stream.viewer.ask(ViewRequest { size, ..self.config.request });
        }
    }
}

/// The size to ask for: the smallest of the whole, a half and a quarter that fills the room. So few that streams which are seen
/// by many are encoded in few sizes.
fn fitting(nominal: &str, wanted: &Wanted) -> Resolution {
    let (Ok(nominal), Some(room), None) = (nominal.parse::<Size>(), wanted.room, wanted.crop) else {
        return Resolution::Any;
    };
    let seen = wanted.turn.shown(nominal);
    let cross = |a: u32, b: u32| u64::from(a) * u64::from(b);
    let fills_width = cross(seen.width, room.height) >= cross(room.width, seen.height);
    let (has, needs) = if fills_width { (seen.width, room.width) } else { (seen.height, room.height) };
    let part = [4, 2].into_iter().find(|n| has / n >= needs && nominal.width.min(nominal.height) / n >= 16);
    part.map_or(Resolution::Any, |n| Resolution::Of(Size::new(nominal.width / n, nominal.height / n)))
}

pub(super) fn run(
    mut streams: Streams,
    interrupt: &Interrupt,
    mut watch: Watch,
    look: &Look<'_>,
) -> anyhow::Result<()> {
    let mut screen = window::open(look)?;
    for stream in &mut streams.streams {
        stream.wanted = look.wanted;
    }
    // Of a room that nobody sends to there is one tile, which says so.
    screen.show_several(streams.viewers().count())?;
    let (mut next_report, mut next_list, mut next_fit) = (now(), now(), now());
    let discovers = streams.scout.is_some();
    let nothing = ViewReport::default();
    let mut sound = Switch::default();
    while !interrupt.came() {
        let at = now();
        if discovers && at >= next_list {
            next_list = at + LIST;
            let (new, why) = streams.discover(look.wanted)?;
            if new > 0 {
                screen.show_several(streams.streams.len())?;
                next_fit = at;
            }
            if let Some(why) = why {
                log::warn!("{why}");
                screen.note(why, at);
            }
        }
        let came = present(&mut streams, &mut screen)?;
        let at = now();
        if at >= next_report {
            next_report = at + NUMBERS;
            for (n, stream) in streams.streams.iter_mut().enumerate() {
                stream.report = report(&stream.viewer);
                screen.tell_one(n, &stream.report, at);
            }
            if let Some(scout) = &streams.scout {
                screen.tell_one(0, &report(scout), at);
            }
        }
        if let Some(note) = sound.look(streams.viewers(), at) {
            screen.note(note, at);
        }
        let shown = screen.chosen().and_then(|n| streams.streams.get(n));
        let actions = screen.tick(shown.map_or(&nothing, |stream| &stream.report), at)?;
        for (n, shown) in &came {
            if let Some(stream) = streams.streams.get(*n) {
                stream.viewer.mark_shown(shown);
            }
        }
        watch.pictures += came.len() as u64;
        for action in actions {
            if action == Action::Quit {
                return Ok(());
            }
            next_fit = at;
            if action == Action::Sound {
                // Of one that is seen alone, or of all.
                let chosen = screen.chosen().and_then(|n| streams.streams.get(n));
                let note = match chosen {
                    Some(stream) => sound.press(std::iter::once(&stream.viewer), at),
                    None => sound.press(streams.viewers(), at),
                };
                screen.note(note, at);
            }
            let Some(stream) = screen.chosen().and_then(|n| streams.streams.get_mut(n)) else { continue };
            match action {
                Action::Turn(turn) => {
                    stream.wanted.turn = stream.wanted.turn.then(turn);
                    stream.viewer.show_as(stream.wanted);
                }
                Action::Snapshot => {
                    screen.note(window::save(stream.newest.as_deref(), look.snapshots, &stream.report.stream), at);
                }
                Action::Quit | Action::Sound | Action::Chosen => {}
            }
        }
        if at >= next_fit {
            next_fit = at + FIT;
            streams.fit(&screen);
        }
        if let Some(end) = watch.look(streams.viewers()) {
            return end;
        }
        if came.is_empty() {
            std::thread::park_timeout(PATIENCE_ALONE);
        }
    }
    Ok(())
}

/// Gives the screen what has come, and says what that was, without the pixels.
fn present(streams: &mut Streams, screen: &mut Screen) -> Result<Vec<(usize, Shown)>> {
    let mut came = Vec::new();
    for (n, stream) in streams.streams.iter_mut().enumerate() {
        let Some(mut shown) = stream.viewer.next(Duration::ZERO) else { continue };
        let bitmap = as_wanted(&mut shown, &stream.wanted);
        let spent = screen.present_one(n, bitmap, &stream.report, now())?;
        stream.viewer.recycle(spent);
        stream.newest = Some(shown.picture.clone());
        came.push((n, shown));
    }
    // Nobody looks at the pictures of the scout.
    if let Some(shown) = streams.scout.as_ref().and_then(|scout| scout.next(Duration::ZERO)) {
        streams.scout.as_ref().iter().for_each(|scout| scout.mark_shown(&shown));
    }
    Ok(came)
}

/// How a stream is doing; one that has ended for good is lost for that reason, and the others go on.
fn report(viewer: &Viewer) -> ViewReport {
    let mut report = viewer.report();
    if let Some(why) = viewer.over() {
        (report.state, report.detail) = (State::Lost, why.to_string());
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::jpeg::Orientation;

    #[test]
    fn a_stream_is_asked_for_no_larger_than_it_is_seen() {
        let ask = |nominal: &str, width, height| {
            let wanted = Wanted { room: Some(Size::new(width, height)), ..Wanted::default() };
            fitting(nominal, &wanted).to_string()
        };
        assert_eq!(ask("1280x720", 1280, 720), "any");
        assert_eq!(ask("1280x720", 641, 400), "any");
        assert_eq!(ask("1280x720", 640, 720), "640x360");
        assert_eq!(ask("1280x720", 320, 180), "320x180");
        assert_eq!(ask("1280x720", 1, 1), "320x180", "a quarter is the least");
        assert_eq!((ask("", 320, 180), ask("40x30", 4, 3)), ("any".into(), "any".into()));
        let room = Some(Size::new(360, 640));
        let turned = Wanted { room, turn: Orientation::new(6), ..Wanted::default() };
        assert_eq!(fitting("1280x720", &turned).to_string(), "640x360");
    }
}
