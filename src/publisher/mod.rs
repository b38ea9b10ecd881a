//! The publisher: source → newest frame → encode → newest picture → link.
//!
//! Three threads, each the only owner of what it uses: `capture` has the source, `encode` the encoder, the link its
//! socket. Between them there is room for one. What the hub asks for (its demand) flows the other way.

#[cfg(feature = "audio")]
mod audio;
mod capture;
mod encode;
mod exposure;
mod mute;
#[cfg_attr(not(feature = "audio"), allow(dead_code, reason = "a program without sound has nothing that uses it"))]
mod outbox;
mod rhythm;
mod seal;
mod shape;
mod stamp;
mod steering;
mod unchanged;
mod uplink;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use self::exposure::Exposure;
use self::outbox::Outbox;
use self::rhythm::Rhythm;
pub use self::shape::Shape;
pub use self::stamp::Stamp;
use self::steering::{Order, Orders};
use self::unchanged::AT_LEAST_EVERY;
use crate::adapt::{ANY, Load, Rung, Stage, limit};
use crate::error::{Error, Result};
use crate::frame::{Frame, MAX_PIXELS, Size};
use crate::locate::{HubLocation, HubLocator};
use crate::mailbox::mailbox;
use crate::names::StreamKey;
use crate::net::link::{Link, LinkConfig};
use crate::net::tls::trust::HubTrust;
use crate::pacing::PacerConfig;
use crate::secret::Secret;
use crate::source::{CaptureRequest, Opened, Source};
use crate::stats::{PublishReport, Recent, round};
use crate::time::{Micros, millis, now};
use crate::wire::camera_controls::SetValue;
use crate::wire::control::{Control, NominalPicture};

/// What a publisher is to do. `Default` is what `streamflow-send` does without options.
#[derive(Clone, Debug)]
pub struct PublisherConfig {
    /// The stream's address.
    pub stream: StreamKey,
    /// Where the hub is.
    pub location: HubLocation,
    /// What is asked of the source.
    pub capture: CaptureRequest,
    /// What is cut out of the pictures, how that is turned, and what is written into it. Default: they stay as they are.
    pub shape: Shape,
    /// JPEG quality, 1 to 100. Default 80: hardly to be told from the original, a third of the bytes of 95.
    pub quality: u8,
    /// Encodes anew what comes as JPEG, so that it has this quality and fits a slow link. Default: no, it passes as it is where its
    /// size is the one that is asked for, or it is no camera's.
    pub reencode: bool,
    /// The least quality to which a slow link takes the pictures before they get smaller, 1 to 100. Default 25: below,
    /// blocks are all one sees.
    pub min_quality: u8,
    /// Bits a second at most; `None`, the default: what the link carries.
    pub max_rate: Option<u64>,
    /// Makes pictures smaller when a link is slow, and gives viewers the rungs they need. Default: yes; without, a slow
    /// link gets fewer pictures.
    pub adapt: bool,
    /// Does not send a picture again that is the same to the byte, but at least one a second. Default: no.
    pub skip_same: bool,
    /// A number by which the hub knows this publisher when it starts anew, so that it has its name back soon after a fault
    /// of its machine or network. No secret. Default 0: none.
    pub id: u64,
    /// Seals the pictures and their metadata end to end with this key, so that only viewers who have it see them and no hub
    /// does: 22 characters of base64url (16 random bytes), or a passphrase of at least 12 characters. `None`, the default:
    /// they are not sealed.
    pub key: Option<Secret>,
    /// Takes the name over from another publisher. Default: no.
    pub replace: bool,
    /// How often the hub is tried again; `None`, the default: for ever.
    pub retries: Option<u32>,
    /// Which hubs are trusted. Default: those that were met, and those that an authority vouches for.
    pub trust: HubTrust,
    /// The most pixels of a picture that is sent; the hub may take fewer. Default 64 Mpx.
    pub max_pixels: usize,
    /// Ends with an error when the source fails, for supervisors. Default: tries again every second, for ever.
    pub exit_on_source_error: bool,
    /// For how long nobody must have watched before a source is closed that may be ([`Unwatched`](crate::source::Unwatched)).
    /// Default 10 s.
    pub idle_after: Duration,
    /// For how long after a source was opened its pictures may be too dark: viewers see them, and a snapshot that wakes the source
    /// waits. `None`, the default: as the source says ([`Opened::warm_up`](crate::source::Opened::warm_up)).
    pub warm_up: Option<Duration>,
    /// What is set at the source whenever it was opened. Default: nothing.
    pub controls: Vec<SetValue>,
    /// Sound: `auto` for the usual microphone, the id or a part of the name of one, a WAV file (a path that ends so), which is played
    /// again and again, or `beep` for a short beep on each second of the wall clock. It is encoded, and a microphone is open, only
    /// while somebody listens. `None`, the default: no sound.
    pub audio: Option<String>,
    /// Begins without sound: viewers are told that there could be some. Default: no.
    pub mute: bool,
    /// Lets those who may operate the stream switch its sound on again from afar, and so open the microphone. Default: no.
    pub remote_unmute: bool,
    /// Suppresses noise (RNNoise); sound is 10 ms later. Default: no.
    pub denoise: bool,
}

impl Default for PublisherConfig {
    fn default() -> Self {
        Self {
            stream: StreamKey::new("main", "camera"),
            location: HubLocation::default(),
            capture: CaptureRequest::default(),
            shape: Shape::default(),
            quality: 80,
            reencode: false,
            min_quality: 25,
            max_rate: None,
            adapt: true,
            skip_same: false,
            id: 0,
            key: None,
            replace: false,
            retries: None,
            trust: HubTrust::default(),
            max_pixels: MAX_PIXELS,
            exit_on_source_error: false,
            idle_after: Duration::from_secs(10),
            warm_up: None,
            controls: Vec::new(),
            audio: None,
            mute: false,
            remote_unmute: false,
            denoise: false,
        }
    }
}

/// How long the threads of a publisher may take to end.
const UNHURRIED: Duration = Duration::from_millis(600);

/// A running publisher. Dropping it ends the stream, closes everything and waits for its threads.
pub struct Publisher {
    shared: Arc<Shared>,
    link: Option<Link>,
    threads: Vec<JoinHandle<()>>,
}

impl Publisher {
    /// Begins to publish.
    ///
    /// # Errors
    /// The settings make no sense, or the hub that is to be hosted cannot have its port.
    pub fn start(mut config: PublisherConfig, source: Box<dyn Source>) -> Result<Self> {
        if config.stream.name.is_empty() {
            return Err(Error::Usage("a stream needs a name".into()));
        }
        if !(0.1..=240.0).contains(&config.capture.fps) {
            return Err(Error::Usage("the rate is 0.1 to 240 pictures a second".into()));
        }
        if !(1..=100).contains(&config.quality) {
            return Err(Error::Usage("the quality is 1 to 100".into()));
        }
        if !(1..=100).contains(&config.min_quality) || config.min_quality > config.quality {
            return Err(Error::Usage("the least quality is 1 to 100, and not above the quality".into()));
        }
        config.shape.check(&config.stream)?;
        config.capture.size = config.shape.asks(config.capture.size);
        let seal = config.key.as_ref().map(|key| seal::Seal::new(key, &config.stream)).transpose()?;
        let mut panel = source.controls();
        steering::check(panel.as_mut(), &config.controls)?;
        let sound = sound_of(&config)?;
        let outbox = sound.is_some().then(|| Arc::new(Outbox::new(config.mute)));
        let locator = HubLocator::new(config.location.clone())?;
        let (orders, ordered) = Orders::new();
        let has_controls = panel.is_some() || outbox.is_some();
        let shared = Arc::new(Shared::new(config, has_controls.then_some(orders), outbox));
        let (frames_in, frames_out) = mailbox::<Frame>();
        let (pictures_in, pictures_out) = mailbox();
        let (spent_in, spent_out) = crossbeam_channel::bounded(4);
        let user = uplink::Uplink::new(shared.clone(), locator, pictures_out, seal);
        let link =
            Link::start(LinkConfig { retries: shared.config.retries, trust: shared.config.trust.clone() }, user)?;
        let waker = link.waker();
        let mut this = Self { shared: shared.clone(), link: Some(link), threads: Vec::new() };
        let capture =
            capture::Capture { shared: shared.clone(), frames: frames_in, spent: spent_out, waker: waker.clone() };
        let ends = Arc::new(encode::Ends::new(frames_out, spent_in, pictures_in, waker.clone()));
        let encode = encode::Encode::new(shared.clone(), ends, 0)?;
        this.spawn("capture", move || capture.run(source))?;
        this.spawn("encode watch", move || encode.run())?;
        #[cfg(feature = "audio")]
        if let Some((spec, outbox)) = sound.zip(shared.outbox.clone()) {
            let (denoise, waker) = (shared.config.denoise, waker.clone());
            let sound = audio::Sound { shared: shared.clone(), outbox, spec, denoise, waker };
            this.spawn("sound", move || sound.run())?;
        }
        if has_controls {
            let steering = steering::Steering::new(shared, panel, ordered, waker);
            this.spawn("controls", move || steering.run())?;
        }
        Ok(this)
    }

    fn spawn(&mut self, name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let watch = PanicWatch { name, shared: self.shared.clone() };
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                let _watch = watch;
                run();
            })
            .map_err(|e| Error::io("cannot start a thread", e))?;
        self.threads.push(thread);
        Ok(())
    }

    /// What it has done in the last seconds and since the start.
    #[must_use]
    pub fn report(&self) -> PublishReport {
        let mut report = self.shared.lock().report(&self.shared.config, now());
        report.sound_dropped = self.shared.outbox.as_ref().map_or(0, |outbox| outbox.dropped());
        report
    }

    /// Waits until it ends by itself, `patience` at most. `None`: it goes on.
    ///
    /// It ends well when a source that is played once is over, and with an error when the hub refuses, the tries are
    /// used up, or the source fails and that is to end it. It also ends when another publisher takes its name over,
    /// unless it hosts the hub: then it stays for the hub's sake, with its source closed.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> Option<Result<()>> {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, patience, |s| s.over.is_none() && !s.fresh);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.fresh = false;
        state.over.clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.stop();
        // The link goes last: it says goodbye when the others have nothing more to send.
        let until = now() + UNHURRIED;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            // A source may be held up by the system, in a name or a connection that nobody answers. Its thread ends by
            // itself when it is let go; a program that was asked to stop does not wait for that.
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
        drop(self.link.take());
    }
}

/// What is to be heard.
///
/// # Errors
/// It is not there.
#[cfg(feature = "audio")]
fn sound_of(config: &PublisherConfig) -> Result<Option<audio::Spec>> {
    let Some(named) = &config.audio else { return Ok(None) };
    let spec = audio::Spec::of(named);
    match spec.check() {
        Ok(()) => Ok(Some(spec)),
        Err(Error::NoSource(why)) if spec.may_be_missing() => {
            log::warn!("no sound is sent: {why}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The same of a program that has no sound.
#[cfg(not(feature = "audio"))]
fn sound_of(config: &PublisherConfig) -> Result<Option<()>> {
    if config.audio.is_none() {
        return Ok(None);
    }
    Err(Error::Usage("this program was built without sound (its feature audio)".into()))
}

/// Ends the publisher with a reason when a thread panics, as a user's own source may make it.
struct PanicWatch {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.end(Err(Error::Failed(format!("the {} thread panicked", self.name))));
        }
    }
}

/// What the threads of a publisher tell each other beside pictures.
struct Shared {
    config: PublisherConfig,
    state: Mutex<State>,
    changed: Condvar,
    /// To who sets its controls, if it has any.
    orders: Option<Orders>,
    /// Where sound comes from, if there is any.
    outbox: Option<Arc<Outbox>>,
}

#[derive(Default)]
struct State {
    stopping: bool,
    over: Option<Result<()>>,
    /// Something happened that a person wants to see now.
    fresh: bool,
    demand: Demand,
    /// Bytes of pictures that the uplink carries in one interval.
    carries: u32,
    /// The same whether or not pictures are fitted to it.
    link_carries: u32,
    /// Bytes that a frame would have at the asked quality, all rungs together.
    wanted: u32,
    /// The last picture as it would have been if nothing had limited it.
    full: Option<Full>,
    opened: Option<Opened>,
    fault: String,
    /// Why nothing is encoded; empty while frames are.
    encoder_fault: String,
    asleep: bool,
    exposure: Exposure,
    connected: bool,
    /// The hub has said how many watch, on this connection.
    heard: bool,
    link: String,
    counts: PublishReport,
    frames_in: Recent,
    rhythm: Rhythm,
    sent: Recent,
    age: Recent,
    /// When the last picture that was sent was captured.
    newest: Option<Micros>,
    encode: Recent,
    /// What the hub asked of the source's controls.
    answers: VecDeque<Control>,
}

/// A picture at the asked size and quality; 0: as it came.
#[derive(Clone, Copy, Debug)]
struct Full {
    size: Size,
    quality: u8,
    bytes: u32,
}

/// What the hub asks for.
#[derive(Clone, Debug, Default)]
struct Demand {
    viewers: u32,
    rungs: Vec<Rung>,
    /// Somebody listens.
    audio: bool,
    /// When the last viewer left; `None` while somebody watches.
    unwatched_since: Option<Micros>,
}

impl PublisherConfig {
    fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.capture.fps.clamp(0.1, 240.0))
    }

    fn pacer(&self) -> PacerConfig {
        PacerConfig { max_rate: self.max_rate, adapt: self.adapt, ..PacerConfig::default() }
    }
}

impl Shared {
    fn new(config: PublisherConfig, orders: Option<Orders>, outbox: Option<Arc<Outbox>>) -> Self {
        let mut state = State::default();
        state.counts.stream = config.stream.to_string();
        state.demand.unwatched_since = Some(now());
        state.carries = ANY;
        state.link_carries = ANY;
        Self { config, state: Mutex::new(state), changed: Condvar::new(), orders, outbox }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
        self.order(Order::Stop);
    }

    /// Asks who sets its controls, if it has any.
    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            orders.give(order);
        }
    }

    fn end(&self, result: Result<()>) {
        self.lock().over.get_or_insert(result);
        self.changed.notify_all();
    }

    /// Waits until `until` holds or `patience` has passed; says whether the publisher stops.
    fn wait(&self, patience: Duration, until: impl Fn(&State) -> bool) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, patience, |s| !s.stopping && !until(s));
        waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }
}

impl State {
    /// Whether sound is to be sent.
    #[cfg(feature = "audio")]
    fn is_heard(&self) -> bool {
        self.connected && self.demand.audio
    }

    fn report(&mut self, config: &PublisherConfig, now: Micros) -> PublishReport {
        let mut report = self.counts.clone();
        report.source = self.opened.as_ref().map(|o| o.name.clone()).unwrap_or_default();
        report.fault.clone_from(self.why());
        report.asleep = self.asleep;
        report.connected = self.connected;
        report.link.clone_from(&self.link);
        report.viewers = self.demand.viewers;
        report.fps_in = self.frames_in.rate(now);
        report.fps_out = self.sent.rate(now);
        report.kbytes_per_second = (self.sent.sum_rate(now) / 10.0).round() / 100.0;
        report.age_ms = self.age.quantiles(now);
        report.picture_age_ms = self.newest.map(|captured| round(millis(now.since(captured))));
        report.encode_ms = self.encode.quantiles(now);
        report.nominal = self.nominal(config);
        report.load = self.load(&report, config);
        report.limit = limit(&report.load);
        report
    }

    /// What its pictures would be if nothing limited them.
    fn nominal(&self, config: &PublisherConfig) -> NominalPicture {
        let Some(full) = self.full else { return NominalPicture::default() };
        let told = self.opened.as_ref().and_then(|o| o.fps).map(|fps| fps.min(config.capture.fps));
        let measured = self.rhythm.longest().map(millis);
        // A source without a rate of its own has the one that it turns out to have.
        let fps = told.or(measured.map(|ms| 1000.0 / ms.max(1.0))).unwrap_or(0.0);
        let own = told.map(|fps| 1000.0 / fps);
        let least = if config.skip_same { millis(AT_LEAST_EVERY) } else { 0.0 };
        // What jitters by less than half is what `fps` says.
        let longer = measured.filter(|ms| own.is_none_or(|own| *ms > 1.5 * own));
        let interval = longer.unwrap_or(0.0).max(if config.skip_same { own.unwrap_or(0.0) } else { 0.0 }).max(least);
        NominalPicture {
            size: full.size.to_string(),
            quality: full.quality,
            // Rounded down where it is of what comes rarely: what is announced is not shorter than what comes.
            fps: if fps < 1.0 { (fps * 1e5).floor() / 1e5 } else { (fps * 100.0).round() / 100.0 },
            bytes: full.bytes,
            // Over a minute `fps` alone says it.
            interval_ms: if interval > f64::from(u16::MAX) { 0 } else { interval.ceil() as u16 },
        }
    }

    /// Why there is no picture; empty while there is.
    fn why(&self) -> &String {
        if self.fault.is_empty() { &self.encoder_fault } else { &self.fault }
    }

    fn load(&self, report: &PublishReport, config: &PublisherConfig) -> Load {
        if self.demand.viewers == 0 {
            return Load::default();
        }
        let told = self.opened.as_ref().and_then(|opened| opened.fps).is_some();
        let fps = if told { report.nominal.fps } else { config.capture.fps };
        let carries = if self.link_carries == ANY { 0.0 } else { f64::from(self.link_carries) };
        Load {
            // Nobody knows what a source could give that says no rate.
            camera: if told { Stage::new(fps, report.fps_in) } else { Stage::default() },
            encoder: Stage::new(report.encode_ms.p50.unwrap_or(0.0), 1000.0 / fps),
            uplink: Stage::new(f64::from(self.wanted), carries),
            ..Load::default()
        }
    }
}
