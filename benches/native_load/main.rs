//! Many native viewers of one stream: the age of its pictures on arrival, and what each costs the program that hosts the hub.
//! They run in this process, and acknowledge as `streamflow-view` does.
//!
//! ```text
//! streamflow-send --source pattern --name door &
//! cargo bench --bench native_load -- 127.0.0.1:8002 door 300 20 $!
//! ```
//!
//! Words behind that:
//! - `probe`: all but the last viewer ask for the stream by HTTP, take its bytes and look at nothing. The ages are those of the
//!   last. What many viewers on the machine of the hub cost, such as decrypting, is then hardly a part of them.
//! - `tls`: each viewer encrypts, and takes whatever key the hub has.
//!
//! With `restart` in place of the process, they wait until the hub is killed and started anew, and come back: how long after it
//! took the first connection again each of them has a picture.

#[path = "../../tests/support/anybody.rs"]
mod anybody;
mod channel;
mod viewer;

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anybody::Anybody;
use anyhow::{Context, anyhow, bail, ensure};
use mio::{Events, Poll};
use rustls::ClientConfig;
use streamflow::internal::time::now;
use viewer::{Counted, Load, Viewer};

/// What comes while the stream and its viewers settle is not counted.
const WARM_UP: Duration = Duration::from_secs(3);
/// All of them have a picture within this.
const BEGIN: Duration = Duration::from_secs(30);
/// How often those that wait are looked at.
const LOOK: Duration = Duration::from_millis(10);

fn main() -> anyhow::Result<()> {
    // `cargo bench` runs all benches, with an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words = arguments.iter().rev().take_while(|word| ["probe", "tls"].contains(&word.as_str())).count();
    let (arguments, words) = arguments.split_at(arguments.len() - words);
    let said = |word: &str| words.iter().any(|said| said == word);
    let [address, name, viewers, seconds, pid] = arguments else {
        println!(
            "native_load: name IP:PORT, the stream, how many viewers, for how many seconds, and the hub's process or `restart`; \
             then `probe`, to measure one of them, and `tls`, to encrypt"
        );
        return Ok(());
    };
    let tls = if said("tls") { Some(anybody()?) } else { None };
    let load = Load { address: address.parse()?, name: name.clone(), tls, bytes_only: false };
    let (count, seconds) = (viewers.parse()?, Duration::from_secs_f64(seconds.parse()?));
    if pid == "restart" {
        return Run::new(load, count)?.come_back(seconds);
    }
    let runs = if said("probe") {
        vec![Run::new(Load { bytes_only: true, ..load.clone() }, count - 1)?, Run::new(load, 1)?]
    } else {
        // A thread for each core: one that reads for all would be later than the hub.
        let threads = std::thread::available_parallelism()?.get();
        let of = |thread: usize| count * (thread + 1) / threads - count * thread / threads;
        (0..threads).map(|thread| Run::new(load.clone(), of(thread))).collect::<anyhow::Result<_>>()?
    };
    measure(runs, seconds, pid)
}

/// How old the pictures are on arrival, and what they cost.
fn measure(runs: Vec<Run>, seconds: Duration, pid: &str) -> anyhow::Result<()> {
    let count: usize = runs.iter().map(|run| run.viewers.len()).sum();
    let memory_before = memory(pid)?;
    let all_watch = &Barrier::new(runs.len() + 1);
    let (watched, hub, own) = std::thread::scope(|scope| -> anyhow::Result<_> {
        let running: Vec<_> = runs.into_iter().map(|run| scope.spawn(move || run.watch(seconds, all_watch))).collect();
        all_watch.wait();
        std::thread::sleep(WARM_UP);
        let before = (cpu_time(pid), cpu_time("self"));
        std::thread::sleep(seconds);
        let after = (cpu_time(pid), cpu_time("self"));
        // What a thread has taken is not seen when it is over.
        all_watch.wait();
        let joined = running.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?);
        let watched = joined.collect::<anyhow::Result<Vec<_>>>()?;
        Ok((watched, after.0? - before.0?, after.1? - before.1?))
    })?;
    let mut ages: Vec<_> = watched.iter().flat_map(|watched| &watched.ages).copied().collect();
    ensure!(!ages.is_empty(), "no picture came: is that the stream's name?");
    ages.sort_unstable();
    let counted = || watched.iter().flat_map(|watched| &watched.counted);
    let bytes: u64 = counted().filter(|one| one.pictures > 0).map(|one| one.bytes).sum();
    let a_picture = bytes as f64 / ages.len() as f64;
    // Who only took bytes has had as many pictures as they are.
    let pictures = counted().map(|one| one.bytes as f64 / a_picture);
    let (all, fewest) = pictures.fold((0.0, f64::MAX), |(all, fewest), one| (all + one, one.min(fewest)));
    println!(
        "age p50 {:.2} ms, p99 {:.2} ms; {:.1} us of CPU a picture, and {:.1} of these viewers; {all:.0} pictures, {:.1} a second for who got fewest; {:.0} KiB a viewer",
        ages[ages.len() / 2] as f64 / 1e3,
        ages[ages.len() * 99 / 100] as f64 / 1e3,
        hub.as_secs_f64() * 1e6 / all,
        own.as_secs_f64() * 1e6 / all,
        fewest / seconds.as_secs_f64(),
        (memory(pid)? - memory_before) / count as f64
    );
    Ok(())
}

/// What came of a run.
struct Watched {
    /// How old each picture was that was looked at, in microseconds.
    ages: Vec<u64>,
    /// For each viewer.
    counted: Vec<Counted>,
}

/// Viewers of one thread, and what they need.
struct Run {
    load: Load,
    viewers: Vec<Viewer>,
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
}

impl Run {
    fn new(load: Load, count: usize) -> anyhow::Result<Self> {
        let viewers = (0..count).map(Viewer::new).collect();
        Ok(Self {
            load,
            viewers,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            scratch: vec![0; 256 * 1024],
        })
    }

    /// Lets all of them do what there is to do.
    fn turn(&mut self, ages: &mut Vec<u64>) -> anyhow::Result<()> {
        for viewer in &mut self.viewers {
            viewer.connect(&self.load, self.poll.registry())?;
        }
        self.poll.poll(&mut self.events, Some(LOOK))?;
        for event in &self.events {
            self.viewers[event.token().0].go_on(&self.load, &mut self.scratch, ages, self.poll.registry())?;
        }
        Ok(())
    }

    /// How many have had a picture on the connection that they have.
    fn watching(&self) -> usize {
        self.viewers.iter().filter(|viewer| viewer.first.is_some()).count()
    }

    /// Until all of them have a picture.
    fn begin(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.watching() < self.viewers.len() {
            ensure!(
                begun.elapsed() < BEGIN,
                "only {} of {} viewers have a picture",
                self.watching(),
                self.viewers.len()
            );
            self.turn(&mut Vec::new())?;
        }
        Ok(())
    }

    /// Watches for a while, together with the other runs.
    fn watch(mut self, seconds: Duration, all_watch: &Barrier) -> anyhow::Result<Watched> {
        let begun = self.begin();
        all_watch.wait();
        let watched = begun.and_then(|()| {
            let started = Instant::now();
            self.turns_until(started + WARM_UP)?;
            for viewer in &mut self.viewers {
                viewer.counted();
            }
            let ages = self.turns_until(started + WARM_UP + seconds)?;
            Ok(Watched { ages, counted: self.viewers.iter_mut().map(Viewer::counted).collect() })
        });
        all_watch.wait();
        if let Some((_, why)) = self.viewers.iter().find_map(|viewer| viewer.lost.as_ref()) {
            bail!("a viewer lost its connection: {why}");
        }
        watched
    }

    fn turns_until(&mut self, end: Instant) -> anyhow::Result<Vec<u64>> {
        let mut ages = Vec::new();
        while Instant::now() < end {
            self.turn(&mut ages)?;
        }
        Ok(ages)
    }

    /// How long it takes until all have a picture when the hub is killed and started anew.
    fn come_back(mut self, seconds: Duration) -> anyhow::Result<()> {
        self.begin()?;
        println!("all {} viewers have a picture: kill the hub, and start it again", self.viewers.len());
        let (mut ages, mut back, begun) = (Vec::new(), None, Instant::now());
        loop {
            ensure!(begun.elapsed() < seconds, "{} of {} have a picture again", self.watching(), self.viewers.len());
            self.turn(&mut ages)?;
            let lost = self.viewers.iter().filter(|viewer| viewer.lost.is_some()).count();
            if lost > 0 && back.is_none() && std::net::TcpStream::connect(self.load.address).is_ok() {
                back = Some(now());
            }
            if lost == self.viewers.len() && self.watching() == lost {
                break;
            }
        }
        let back = back.context("the hub was there all the time")?;
        let mut waits: Vec<_> =
            self.viewers.iter().filter_map(|viewer| viewer.first).map(|first| first.since(back)).collect();
        waits.sort_unstable();
        println!(
            "all have a picture again: after the hub took connections, half of them in {:.2} s, the last in {:.2} s",
            waits[waits.len() / 2].as_secs_f64(),
            waits[waits.len() - 1].as_secs_f64()
        );
        Ok(())
    }
}

/// CPU time of all threads of a process, to the nanosecond: as the scheduler counts it, and not by its ticks.
fn cpu_time(pid: &str) -> anyhow::Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let threads = std::fs::read_dir(&folder).with_context(|| format!("there is no process {pid}"))?;
    let mut all = 0;
    for thread in threads {
        // A thread may end meanwhile.
        let Ok(counts) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        all += counts.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(all))
}

/// Memory that a process has, in KiB.
fn memory(pid: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Takes any certificate: this is about what encrypting costs.
fn anybody() -> anyhow::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    Ok(Arc::new(config.with_no_client_auth()))
}
