//! The viewer: link → newest picture → decode → newest bitmap → whoever shows it.
//!
//! The link and the decoder have a thread each; whoever calls [`Viewer::next`] is the third, and in `streamflow-view`
//! that is the main thread with its window.

#[cfg_attr(not(feature = "audio"), path = "silent.rs")]
mod audio;
mod decode;
mod downlink;
#[cfg_attr(not(feature = "audio"), allow(dead_code, reason = "a program without sound has nothing that uses it"))]
mod inbox;
mod intake;
mod open;
pub mod remote;
pub mod snapshot;
mod watched;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

pub(crate) use self::audio::Output;
use self::audio::{Playing, Sink};
use self::inbox::Inbox;
use self::watched::Watched;
use crate::error::{Error, Result};
use crate::frame::{MAX_PIXELS, Picture, Size};
use crate::jpeg::{Bitmap, Wanted};
use crate::locate::{HubLocation, HubLocator};
use crate::mailbox::{Receiver, Taken, mailbox};
use crate::names::check_name;
use crate::net::link::{Link, LinkConfig};
use crate::net::tls::trust::HubTrust;
use crate::secret::Secret;
use crate::stats::{Metadata, SoundReport, ViewReport, ViewTimes};
use crate::time::{Micros, now};
use crate::wire::control::ViewRequest;
use crate::wire::jpeg::Orientation;

/// What a viewer is to do. `Default` is what `streamflow-view` does without options.
#[derive(Clone, Debug)]
pub struct ViewerConfig {
    /// The room. Default `main`.
    pub room: String,
    /// The stream's name; `None`, the default: the first there is in the room.
    pub name: Option<String>,
    /// Where the hub is.
    pub location: HubLocation,
    /// What is asked of the stream. Default: as good as the link allows.
    pub request: ViewRequest,
    /// How often the hub is tried again; `None`, the default: for ever.
    pub retries: Option<u32>,
    /// Which hubs are trusted. Default: those that were met, and those that an authority vouches for.
    pub trust: HubTrust,
    /// The most pixels of a picture that is decoded: larger ones count as broken. Default 64 Mpx.
    pub max_pixels: usize,
    /// Opens pictures and sound that are sealed end to end with this key, and takes no others: 22 characters of base64url (16 random
    /// bytes), or a passphrase of at least 12 characters. `None`, the default: sealed ones are not taken.
    pub key: Option<Secret>,
    /// Decodes the pictures. Default: yes; without, [`Shown::bitmap`] is empty, for who only wants the JPEG.
    pub decode: bool,
    /// Plays the stream's sound, where it has any: `auto` for the usual device, or the id or a part of the name of one. `None`, the
    /// default: no sound. That there is no device is no fault with `auto`.
    pub audio: Option<String>,
    /// Writes what would be heard into this file (WAV) from the beginning to the end, silence where there is nothing, and plays
    /// nothing. `None`, the default: no file.
    pub record_audio: Option<PathBuf>,
    /// Begins without sound. Default: no.
    pub mute: bool,
    /// Shows each picture so long after its capture, beside the least way of the last seconds, so that motion is even where ways
    /// are not; a second at most. `None`, the default: as soon as it is there.
    pub smooth: Option<Duration>,
}

impl Default for ViewerConfig {
    fn default() -> Self {
        Self {
            room: "main".into(),
            name: None,
            location: HubLocation::default(),
            request: ViewRequest::default(),
            retries: None,
            trust: HubTrust::default(),
            max_pixels: MAX_PIXELS,
            key: None,
            decode: true,
            audio: None,
            record_audio: None,
            mute: false,
            smooth: None,
        }
    }
}

/// A picture that has come whole.
#[derive(Clone)]
struct Received {
    picture: Arc<Picture>,
    at: Micros,
    /// How far off its time of capture may be; `None`: nobody knows.
    error: Option<Duration>,
}

/// A picture that is to be shown.
#[derive(Debug)]
pub struct Shown {
    /// The pixels.
    pub bitmap: Bitmap,
    /// Width and height; 0 where pictures are not decoded.
    pub size: Size,
    /// The picture exactly as it was received, with its header, and opened where it was sealed; capture time in this machine's
    /// clock.
    pub picture: Arc<Picture>,
    /// How it was turned, over what it says itself.
    pub(crate) turn: Orientation,
    times: ViewTimes,
    error: Option<Duration>,
}

/// What finds the hub for several viewers of one program, of which one hub at most is hosted.
pub(crate) type SharedLocator = Arc<Mutex<HubLocator>>;

/// A running viewer. Dropping it says goodbye and waits for its threads.
pub struct Viewer {
    shared: Arc<Shared>,
    shown: Receiver<Shown>,
    spent: crossbeam_channel::Sender<Bitmap>,
    link: Option<Link>,
    decode: Option<JoinHandle<()>>,
    sound: Option<Playing>,
}

impl Viewer {
    /// Begins to watch.
    ///
    /// # Errors
    /// The settings make no sense, or the hub that is to be hosted cannot have its port.
    pub fn start(config: ViewerConfig) -> Result<Self> {
        let location = config.location.clone();
        Self::start_with(config, || HubLocator::new(location).map(|locator| Arc::new(Mutex::new(locator))), None)
    }

    /// The same, with the hub of others in this program, and with what plays their sound.
    pub(crate) fn start_with(
        config: ViewerConfig,
        locator: impl FnOnce() -> Result<SharedLocator>,
        output: Option<Arc<Output>>,
    ) -> Result<Self> {
        check_name(&config.room).map_err(Error::Usage)?;
        if let Some(name) = &config.name {
            check_name(name).map_err(Error::Usage)?;
        }
        if config.smooth.is_some_and(|delay| delay > intake::LONGEST) {
            return Err(Error::Usage("pictures are held back for a second at most".into()));
        }
        let open = open::Open::new(&config)?;
        let sink = Sink::of(&config, &open, output)?;
        let inbox = sink.is_some().then(|| Arc::new(Inbox::new(config.mute)));
        let locator = locator()?;
        let link_config = LinkConfig { retries: config.retries, trust: config.trust.clone() };
        let (pictures_in, pictures_out) = intake::intake(config.smooth);
        let (shown_in, shown_out) = mailbox();
        let (spent_in, spent_out) = crossbeam_channel::bounded(4);
        let mut watched = Watched::new(&config);
        if config.record_audio.is_some() && inbox.is_some() && !config.mute {
            // A file is there; a device is opened when there is something to be played.
            watched.listen(true);
        }
        let shared = Arc::new(Shared::new(watched, inbox));
        let decode = decode::Decode::new(
            shared.clone(),
            pictures_out,
            shown_in,
            spent_out,
            config.decode.then_some(config.max_pixels),
            open,
        );
        let user = downlink::Downlink::new(shared.clone(), locator, config, pictures_in);
        let link = Link::start(link_config, user)?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(run);
            thread.map_err(|e| Error::io("cannot start a thread", e))
        };
        let thread = spawn("decode watch", Box::new(move || decode.run(decode::LOOK)))?;
        let sound = sink.zip(shared.inbox.clone());
        let sound = sound.map(|(sink, inbox)| sink.start(shared.clone(), inbox, link.waker())).transpose()?;
        Ok(Self { shared, shown: shown_out, spent: spent_in, link: Some(link), decode: Some(thread), sound })
    }

    /// The newest picture that was not taken yet, waiting for one `patience` at most.
    #[must_use]
    pub fn next(&self, patience: Duration) -> Option<Shown> {
        match self.shown.take(patience) {
            Taken::Value(shown) => Some(shown),
            Taken::Nothing => None,
            Taken::Closed => {
                // It is over for good; who asks again all the same does not spin.
                std::thread::sleep(patience.min(Duration::from_millis(50)));
                None
            }
        }
    }

    /// Says that a picture is on the screen now, for the statistics, and gives its bitmap back to be reused.
    pub fn was_shown(&self, shown: Shown) {
        self.mark_shown(&shown);
        self.recycle(shown.bitmap);
    }

    /// Says that a picture is on the screen now.
    pub fn mark_shown(&self, shown: &Shown) {
        let mut times = shown.times;
        times.shown = now();
        // What is told of a picture is that of the one on the screen, and not of one that is still on its way there.
        let metadata = shown.picture.metadata.as_ref().and_then(|text| Metadata::read(text));
        self.shared.lock().shown(shown, times, metadata);
    }

    /// Gives a bitmap back to be reused.
    pub fn recycle(&self, bitmap: Bitmap) {
        // When there is no room, the bitmap is freed: there are enough.
        let _ = self.spent.try_send(bitmap);
    }

    /// What was measured, and how the stream is doing. That it does badly is logged when that changes.
    #[must_use]
    pub fn report(&self) -> ViewReport {
        let mut state = self.shared.lock();
        let at = now();
        let mut report = state.report(at);
        let level = state.say_change(&report, at);
        let told = state.stream.as_ref().and_then(|stream| stream.audio);
        drop(state);
        report.sound = self.shared.inbox.as_ref().zip(told).map(|(inbox, told)| SoundReport {
            muted_there: told.muted,
            speaking: told.speaking,
            ..inbox.heard()
        });
        // Whoever does not read the log does not hold up what is shown.
        if let Some(level) = level {
            log::log!(level, "{}", report.detail);
        }
        report
    }

    /// Whether the camera was opened just now, so that its pictures may be too dark still. Who wants a single one waits.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.shared.lock().stream.as_ref().is_some_and(|stream| stream.settling)
    }

    /// Has pictures decoded so from now on. Those on their way are of before: see [`Shown::turn`].
    pub(crate) fn show_as(&self, wanted: Wanted) {
        *self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    /// Wakes this thread when there is a picture, beside whoever waits in [`next`](Self::next).
    pub(crate) fn wakes(&self, thread: Thread) {
        let _ = self.shared.waits.set(thread);
    }

    /// Asks for other pictures of the stream from now on.
    pub(crate) fn ask(&self, request: ViewRequest) {
        if self.shared.lock().ask(request) {
            self.say();
        }
    }

    /// The names of the streams in the room, as the hub told them last, and asks it again.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut state = self.shared.lock();
        let names = state.names.clone();
        state.wants_names = true;
        drop(state);
        self.say();
        names
    }

    /// Whether sound can be heard, and is not: `None` where the stream has none, or there is nothing that plays it.
    pub(crate) fn is_muted(&self) -> Option<bool> {
        let has_sound = self.shared.lock().stream.as_ref().is_some_and(|stream| stream.audio.is_some());
        self.shared.inbox.as_ref().filter(|_| has_sound).map(|inbox| inbox.is_muted())
    }

    /// Whether sound is wanted that nothing here can play.
    pub(crate) fn lacks_device(&self) -> bool {
        self.shared.inbox.as_ref().is_some_and(|inbox| inbox.heard().no_device)
    }

    /// Has sound played, or not, from now on. While it is not, none is asked for.
    pub(crate) fn mute(&self, muted: bool) {
        if let Some(inbox) = &self.shared.inbox {
            inbox.set_muted(muted);
        }
    }

    /// There is something to say on the link.
    fn say(&self) {
        self.shared.says.store(true, Ordering::Release);
        if let Some(link) = &self.link {
            // A link that has ended has nobody to wake.
            let _ = link.waker().wake();
        }
    }

    /// Why it ended for good, once it did.
    #[must_use]
    pub fn over(&self) -> Option<Error> {
        self.shared.lock().over.clone()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if let Some(inbox) = &self.shared.inbox {
            inbox.stop();
        }
        let sound = self.sound.take().and_then(Playing::end);
        drop(self.link.take());
        // The link's end of the mailbox is closed now, so the decoder ends.
        let until = now() + UNHURRIED;
        for thread in self.decode.take().into_iter().chain(sound) {
            while !thread.is_finished() && now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            // A decoder, or a device, that hangs is left behind: its thread ends by itself when it comes back.
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

/// How long the decoder may take to end.
const UNHURRIED: Duration = Duration::from_millis(600);

/// What the threads of a viewer tell each other beside pictures.
struct Shared {
    state: Mutex<Watched>,
    /// How pictures are to be decoded.
    wanted: Mutex<Wanted>,
    /// Who is woken by a picture.
    waits: OnceLock<Thread>,
    /// There is something for the link to say.
    says: AtomicBool,
    /// Where sound goes, if it goes anywhere.
    inbox: Option<Arc<Inbox>>,
}

impl Shared {
    fn new(state: Watched, inbox: Option<Arc<Inbox>>) -> Self {
        let (wanted, waits) = (Mutex::default(), OnceLock::new());
        Self { state: Mutex::new(state), wanted, waits, says: AtomicBool::new(false), inbox }
    }

    fn wanted(&self) -> Wanted {
        let mut wanted = *self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, of @ None)) = &mut wanted.crop {
            // A part is of the picture as it is when nothing limits it.
            let state = self.lock();
            let told = state.stream.as_ref().and_then(|stream| stream.nominal.as_ref());
            *of = told.and_then(|nominal| nominal.size.parse().ok());
        }
        wanted
    }

    fn wake(&self) {
        if let Some(thread) = self.waits.get() {
            thread.unpark();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
