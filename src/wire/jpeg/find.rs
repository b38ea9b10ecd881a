//! Finds a picture in bytes that something else bounds: a file, a buffer, a body, a message. Its start may have rubbish before
//! it, and its end may be missing.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tables::USUAL_TABLES;
use super::{Header, JpegError, Layout, SOI, Walk};
use crate::time::Micros;

/// The most places where a picture may begin that are tried, so that no input costs more than a few times its length.
const MOST_TRIED: usize = 8;

/// Is asked whether so many more blocks may be counted of a picture without an end. Counting takes a hundred times as long as
/// finding an end that is there, so whoever takes pictures from strangers says no after some.
pub type MayCount<'a> = &'a mut dyn FnMut(u32) -> bool;

/// How many blocks may be counted a second, by all who have a share in it.
#[derive(Debug)]
pub struct CountLimit {
    per_second: u32,
    /// When all that were counted will be within that rate, in microseconds.
    paid: AtomicU64,
}

/// What is counted at once may be ahead of the rate by so much.
const AHEAD: u64 = 250_000;

impl CountLimit {
    /// So many blocks a second. A picture of 1920x1080 has 48 600 (4:2:0); a thousand take 70 to 100 µs
    /// (`cargo bench --bench jpeg -- surgery`).
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second: per_second.max(1), paid: AtomicU64::new(0) }
    }

    /// What is asked before so many more are counted, all at this time.
    pub fn at(&self, now: Micros) -> impl FnMut(u32) -> bool + '_ {
        move |blocks| self.may_count(blocks, now)
    }

    /// Whether so many more may be counted now; then they are.
    fn may_count(&self, blocks: u32, now: Micros) -> bool {
        let costs = u64::from(blocks) * 1_000_000 / u64::from(self.per_second);
        let spend = |paid: u64| (paid <= now.0 + AHEAD).then(|| paid.max(now.0) + costs);
        self.paid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

/// A picture in some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it begins.
    pub start: usize,
    /// What it is; the places in it count from its beginning.
    pub layout: Layout,
    /// It has its end of image. If not, all its blocks are there, and the end belongs behind them.
    pub has_end: bool,
}

/// Looks at the first picture in `input` and finds where it truly ends. Cameras hand over buffers whose end is the rest
/// of an older picture, a second end marker included; that is not looked at.
///
/// # Errors
/// What is wrong with it.
pub fn inspect(input: &[u8]) -> Result<Layout, JpegError> {
    Walk::default().resume(input)?.ok_or(JpegError::CutOff)
}

/// Finds the first whole picture in `input`: from the first start of image that another marker follows, whatever stands before
/// it. Where its end of image is missing, its blocks are counted; if they are all there, it is whole.
///
/// # Errors
/// What is wrong with the first picture that could have been one.
pub fn find(input: &[u8], may_count: MayCount<'_>) -> Result<Found, JpegError> {
    let (mut first_error, mut from) = (None, 0);
    for _ in 0..MOST_TRIED {
        let Some(start) = memchr::memmem::find(input.get(from..).unwrap_or_default(), &[0xFF, SOI, 0xFF]) else {
            break;
        };
        let start = from + start;
        let rest = input.get(start..).unwrap_or_default();
        let mut walk = Walk::default();
        let (error, end) = match walk.resume(rest) {
            Ok(Some(layout)) => return Ok(Found { start, layout, has_end: true }),
            Ok(None) => (JpegError::CutOff, rest.len()),
            Err(error) => (error, walk.passed()),
        };
        if let Some(layout) = walk.without_end(rest.get(..end).unwrap_or_default(), may_count) {
            return Ok(Found { start, layout, has_end: false });
        }
        // A start of image that another one follows is nothing yet.
        if end > 2 {
            first_error.get_or_insert(error);
        }
        from = start + end.max(2);
    }
    // Whoever begins as a picture does is told what is wrong behind that.
    Err(first_error.or_else(|| inspect(input).err()).unwrap_or(JpegError::NotJpeg))
}

/// Makes `data` the first picture in it, cut at its true ends, with an end of image put in if it is missing and all blocks are
/// there. What is that already is not touched.
///
/// # Errors
/// What is wrong with it; then `data` is as it was.
pub fn cut_to_picture(data: &mut Vec<u8>, may_count: MayCount<'_>) -> Result<Layout, JpegError> {
    let Found { start, layout, has_end } = find(data, may_count)?;
    data.truncate(start + layout.end);
    data.drain(..start);
    if !has_end {
        data.extend_from_slice(&super::END);
    }
    Ok(layout)
}

/// Does the same, and puts in the usual Huffman tables if it has none, as the pictures of many USB cameras do: then it can be
/// passed on.
///
/// # Errors
/// What is wrong with it; then `data` is as it was.
pub fn make_tidy(data: &mut Vec<u8>, may_count: MayCount<'_>) -> Result<Header, JpegError> {
    let layout = cut_to_picture(data, may_count)?;
    if !layout.has_tables {
        data.splice(layout.scan..layout.scan, USUAL_TABLES);
    }
    Ok(layout.header)
}

/// Appends to `out` what [`make_tidy`] makes of `input`.
///
/// # Errors
/// What is wrong with it; then `out` is as it was.
pub fn tidy(input: &[u8], out: &mut Vec<u8>, may_count: MayCount<'_>) -> Result<Header, JpegError> {
    let Found { start, layout, has_end } = find(input, may_count)?;
    let picture = input.get(start..start + layout.end).unwrap_or_default();
    let (before, rest) = picture.split_at(layout.scan.min(picture.len()));
    out.reserve(picture.len() + USUAL_TABLES.len() + super::END.len());
    out.extend_from_slice(before);
    if !layout.has_tables {
        out.extend_from_slice(&USUAL_TABLES);
    }
    out.extend_from_slice(rest);
    if !has_end {
        out.extend_from_slice(&super::END);
    }
    Ok(layout.header)
}
