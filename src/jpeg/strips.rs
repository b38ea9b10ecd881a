//! Large pictures are compressed in strips, by several threads at once.

use std::ops::Range;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp, YuvPlanesImage, compressed_buf_len};

use super::failed;
use super::planes::Planes;
use crate::Result;
use crate::error::Error;
use crate::wire::jpeg;

/// Rows that belong to one strip are a multiple of this: the height of a 4:2:0 block.
const BLOCK: u32 = 16;

/// A thread that compresses: one compressor and room for the largest picture it may give.
pub(super) struct Press {
    /// `None` after an error: libjpeg-turbo's may answer with errors for ever after one.
    turbo: Option<Compressor>,
    room: Vec<u8>,
}

impl Press {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { turbo: Some(compressor()?), room: Vec::new() })
    }

    /// Compresses some rows of a picture and appends them to `out` as a JPEG of their own.
    pub(super) fn compress(&mut self, planes: &Planes, rows: Range<u32>, quality: u8, out: &mut Vec<u8>) -> Result<()> {
        let mut turbo = self.turbo.take().map_or_else(compressor, Ok)?;
        self.compress_with(&mut turbo, planes, rows, quality, out)?;
        self.turbo = Some(turbo);
        Ok(())
    }

    fn compress_with(
        &mut self,
        turbo: &mut Compressor,
        planes: &Planes,
        rows: Range<u32>,
        quality: u8,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let failed = |e| failed("encoding", e);
        turbo.set_quality(i32::from(quality.clamp(1, 100))).map_err(failed)?;
        let (width, height) = (planes.size.width as usize, rows.len());
        let subsamp = if planes.gray { Subsamp::Gray } else { Subsamp::Sub2x2 };
        // The library must be given room for the worst case. The room is kept and the little that is used copied, or
        // every picture would clear a megabyte.
        let worst = compressed_buf_len(width, height, subsamp).map_err(failed)?;
        if self.room.len() < worst {
            self.room.resize(worst, 0);
        }
        let (y_stride, c_stride) = (planes.luma_size().width as usize, planes.chroma_size().width as usize);
        let first = rows.start as usize;
        let y_plane = planes.y.get(first * y_stride..).unwrap_or_default();
        let length = if planes.gray {
            turbo.set_subsamp(subsamp).map_err(failed)?;
            let image = Image { pixels: y_plane, width, pitch: y_stride, height, format: PixelFormat::GRAY };
            turbo.compress_to_slice(image, &mut self.room)
        } else {
            let (u_plane, v_plane) = (&planes.u[first / 2 * c_stride..], &planes.v[first / 2 * c_stride..]);
            let image = YuvPlanesImage {
                y_plane,
                u_plane,
                v_plane,
                width,
                height,
                y_stride,
                u_stride: c_stride,
                v_stride: c_stride,
                subsamp,
            };
            turbo.compress_yuv_planes_to_slice(&image, &mut self.room)
        };
        out.extend_from_slice(self.room.get(..length.map_err(failed)?).unwrap_or_default());
        Ok(())
    }
}

fn compressor() -> Result<Compressor> {
    Compressor::new().map_err(|e| failed("encoder", e))
}

struct Job {
    planes: Arc<Planes>,
    rows: Range<u32>,
    quality: u8,
    number: usize,
    out: Vec<u8>,
}

struct Done {
    number: usize,
    out: Vec<u8>,
    result: Result<()>,
}

/// Threads that compress strips beside the one that asks them to.
pub(super) struct Team {
    jobs: Option<Sender<Job>>,
    /// The asking thread takes jobs too, instead of waiting.
    open: Receiver<Job>,
    done: (Sender<Done>, Receiver<Done>),
    threads: Vec<JoinHandle<()>>,
    strips: Vec<Vec<u8>>,
}

impl Team {
    /// A team of `size`, the asking thread included.
    pub(super) fn new(size: usize) -> Result<Self> {
        let (jobs, open) = bounded::<Job>(MOST_STRIPS);
        let done = bounded::<Done>(MOST_STRIPS);
        let mut threads = Vec::new();
        for number in 1..size {
            let (open, done, mut press) = (open.clone(), done.0.clone(), Press::new()?);
            let work = move || {
                for job in open {
                    if done.send(press.work(job)).is_err() {
                        return;
                    }
                }
            };
            let thread = Builder::new().name(format!("strip {number}")).spawn(work);
            threads.push(thread.map_err(|e| Error::io("starting an encoder thread", e))?);
        }
        Ok(Self { jobs: Some(jobs), open, done, threads, strips: Vec::new() })
    }

    /// Compresses a picture and appends it to `out`.
    pub(super) fn compress(
        &mut self,
        press: &mut Press,
        planes: &Arc<Planes>,
        quality: u8,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let height = planes.size.height;
        let rows = strip_rows(planes, STRIPS_PER_THREAD * (self.threads.len() + 1));
        let count = height.div_ceil(rows) as usize;
        self.strips.resize_with(count, Vec::new);
        let Some(jobs) = &self.jobs else { return Err(Error::Failed("the encoder is closed".into())) };
        for number in 0..count {
            let mut out = std::mem::take(&mut self.strips[number]);
            out.clear();
            let start = number as u32 * rows;
            let rows = start..(start + rows).min(height);
            let job = Job { planes: planes.clone(), rows, quality, number, out };
            jobs.send(job).map_err(|_| Error::Failed("the encoder's threads are gone".into()))?;
        }
        let mut result = Ok(());
        let mut missing = count;
        while missing > 0 {
            let done = match self.open.try_recv() {
                Ok(job) => press.work(job),
                // A strip takes milliseconds; a thread that gives none for so long is dead.
                Err(_) => (self.done.1.recv_timeout(Duration::from_secs(10)))
                    .map_err(|_| Error::Failed("the encoder's threads hang".into()))?,
            };
            missing -= 1;
            result = result.and(done.result);
            self.strips[done.number] = done.out;
        }
        result?;
        jpeg::join(&self.strips, height, out).map_err(|e| failed("joining strips", e))
    }
}

impl Press {
    fn work(&mut self, mut job: Job) -> Done {
        let result = self.compress(&job.planes, job.rows, job.quality, &mut job.out);
        // The planes are let go before anyone hears of it, so that their owner can fill them again.
        drop(job.planes);
        Done { number: job.number, out: job.out, result }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.jobs = None;
        while self.open.try_recv().is_ok() {}
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// So that a thread that is late leaves its share to the others. A strip costs a microsecond more than its rows.
const STRIPS_PER_THREAD: usize = 4;

/// More strips than this are never made, not even of the widest picture: the most pixels of a frame are far fewer.
const MOST_STRIPS: usize = 64;

/// How many rows each strip has, for about `wanted` strips.
fn strip_rows(planes: &Planes, wanted: usize) -> u32 {
    let height = planes.size.height;
    let rows = height.div_ceil(wanted.clamp(1, MOST_STRIPS) as u32).next_multiple_of(BLOCK);
    // A restart interval is at most 65 535 blocks; those of a grey picture are the smallest, 8x8.
    let most = 65_535 / planes.size.width.div_ceil(8).max(1) * 8 / BLOCK * BLOCK;
    rows.min(most.max(BLOCK))
}
