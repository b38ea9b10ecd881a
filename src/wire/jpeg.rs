//! Surgery on JPEG pictures without decoding them: where one really ends, what it holds, putting in the Huffman tables
//! that a camera left out, and sewing strips into one picture.
//!
//! Sources: ITU-T T.81 (the JPEG standard): markers in B.1.1.3, the order of segments in B.2, restart intervals in
//! B.2.4.4, the usual Huffman tables in Annex K.3.3.

mod exif;
mod find;
mod icc;
mod join;
mod plain;
mod scan;
mod tables;
mod upright;
mod walk;

pub use exif::{Orientation, put_orientation};
pub use find::{CountLimit, Found, MayCount, cut_to_picture, find, inspect, make_tidy, tidy};
pub use icc::{ColorSpace, IccProfile, icc_profile, put_icc_profile};
pub use join::join;
pub use plain::plain;
pub use upright::make_upright;
pub use walk::{Layout, Walk};

use crate::frame::Size;

/// Why bytes are no JPEG picture that can be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The bytes end before the picture does: the rest was lost, or has not come yet.
    #[error("the picture is cut off")]
    CutOff,
    /// The first two bytes are not `FF D8`.
    #[error("not a JPEG picture")]
    NotJpeg,
    /// Something stands where a marker belongs, or a marker stands where it does not belong.
    #[error("the JPEG markers are damaged")]
    Markers,
    /// The size is missing or a side of it is zero, or the components make no sense.
    #[error("the JPEG header makes no sense")]
    Header,
    /// Lossless, hierarchical or arithmetic JPEG, or one of more than 8 bits: browsers cannot show it.
    #[error("a kind of JPEG that browsers cannot show")]
    Kind,
    /// A progressive picture without its Huffman tables, for which there are no usual ones.
    #[error("the JPEG has no Huffman tables")]
    Tables,
    /// The picture ends before the first scan, or its scan is empty.
    #[error("the JPEG holds no picture")]
    Empty,
    /// A second picture begins before the first ended: the rest of the first was lost.
    #[error("the picture is cut off by the next one")]
    Interrupted,
    /// [`join()`] was given strips that do not belong together.
    #[error("strips of different pictures")]
    Strips,
}

/// How much smaller the colour planes are than the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subsampling {
    /// Luminance alone.
    Gray,
    /// 4:4:4, as large.
    Full,
    /// 4:2:2, half as wide.
    Half,
    /// 4:2:0, half as wide and half as high.
    #[default]
    Quarter,
    /// Anything else: 4:4:0, 4:1:1, CMYK.
    Other,
}

/// What the frame header of a picture says, and a segment before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// As it is stored. Both sides are 1 to 65 535.
    pub size: Size,
    /// How it is to be turned before it is shown.
    pub orientation: Orientation,
    /// How the colour planes are subsampled.
    pub subsampling: Subsampling,
    /// The pixels that are compressed together, of all its planes: 8x8 at least. A picture has whole ones, of which the last of a row
    /// and those of the last row may be shown in part.
    pub block: Size,
    /// The picture comes in several passes, each finer than the one before.
    pub progressive: bool,
}

impl Header {
    /// The size of the picture as it is shown.
    #[must_use]
    pub fn shown_size(&self) -> Size {
        self.orientation.shown(self.size)
    }
}

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DHT: u8 = 0xC4;
const APP1: u8 = 0xE1;
const APP2: u8 = 0xE2;
/// An end of image, for pictures that lack it.
pub(in crate::wire) const END: [u8; 2] = [0xFF, EOI];

/// The most segments before the frame header, and the most fill bytes before one. A picture of millions of empty ones
/// would keep whoever only wants to know its size.
const MOST_SEGMENTS: usize = 256;
const MOST_FILL: usize = 16;

/// What the header of a picture says. Looks no further than that, so the picture may be cut off or damaged behind it.
/// `None` as well for what no decoder should be given: another marker before the frame header than belongs there, or
/// more segments before it than anybody writes.
#[must_use]
pub fn header(input: &[u8]) -> Option<Header> {
    if !input.starts_with(&[0xFF, SOI]) {
        return None;
    }
    let mut walk = Walk::behind_start();
    let mut orientation = None;
    for _ in 0..MOST_SEGMENTS {
        if input.get(walk.at..=walk.at + MOST_FILL).is_some_and(|bytes| bytes.iter().all(|b| *b == 0xFF)) {
            return None;
        }
        let (marker, body) = walk.marker(input).ok()??;
        if matches!(marker, 0x01..=0xBF | 0xD0..=SOS) {
            return None;
        }
        let segment = segment(input, body).ok()??;
        if matches!(marker, 0xC0..=0xCF) && marker != DHT {
            return header_from(marker, segment, orientation).ok();
        }
        if marker == APP1 && orientation.is_none() {
            orientation = exif::read(segment);
        }
        walk.at = body + 2 + segment.len();
    }
    None
}

/// The size of a picture as it is stored; see [`header`].
#[must_use]
pub fn size(input: &[u8]) -> Option<Size> {
    header(input).map(|header| header.size)
}

/// What the header of a picture says, if memory may be made for it: no more than `most` pixels.
///
/// # Errors
/// What is wrong, for a person.
pub fn checked_header(input: &[u8], most: usize) -> Result<Header, String> {
    let header = header(input).ok_or("no size can be read from its header")?;
    header.size.check(most).map(|()| header)
}

/// The size of a picture as it is stored; see [`checked_header`].
///
/// # Errors
/// What is wrong, for a person.
pub fn checked_size(input: &[u8], most: usize) -> Result<Size, String> {
    checked_header(input, most).map(|header| header.size)
}

/// The contents of the segment whose length stands at `at`; `None` when it is not all there.
fn segment(input: &[u8], at: usize) -> Result<Option<&[u8]>, JpegError> {
    let Some(&[high, low]) = input.get(at..at + 2) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 2 {
        return Err(JpegError::Markers);
    }
    Ok(input.get(at + 2..at + length))
}

/// Reads a frame header (T.81 B.2.2).
fn header_from(marker: u8, segment: &[u8], orientation: Option<Orientation>) -> Result<Header, JpegError> {
    if marker > 0xC2 {
        return Err(JpegError::Kind);
    }
    let &[precision, h1, h0, w1, w0, count, ref components @ ..] = segment else { return Err(JpegError::Header) };
    let size = Size::new(u32::from(u16::from_be_bytes([w1, w0])), u32::from(u16::from_be_bytes([h1, h0])));
    if size.width == 0 || size.height == 0 || components.len() != 3 * usize::from(count) {
        return Err(JpegError::Header);
    }
    if precision != 8 {
        return Err(JpegError::Kind);
    }
    let sampling = |n: usize| components.get(3 * n + 1).copied();
    let subsampling = match (count, sampling(0), sampling(1), sampling(2)) {
        (0, ..) => return Err(JpegError::Header),
        (1, ..) => Subsampling::Gray,
        (3, Some(0x11), Some(0x11), Some(0x11)) => Subsampling::Full,
        (3, Some(0x21), Some(0x11), Some(0x11)) => Subsampling::Half,
        (3, Some(0x22), Some(0x11), Some(0x11)) => Subsampling::Quarter,
        _ => Subsampling::Other,
    };
    // A picture of one plane has it block by block, whatever it says.
    let sampled = components.chunks_exact(3).filter(|_| count > 1).map(|component| component[1]);
    let [wide, high] = [4, 0].map(|shift| sampled.clone().map(|both| u32::from(both >> shift & 15)).fold(1, u32::max));
    let block = Size::new(8 * wide, 8 * high);
    let orientation = orientation.unwrap_or_default();
    Ok(Header { size, orientation, subsampling, block, progressive: marker == 0xC2 })
}

#[cfg(test)]
mod tests {
    use super::tables::USUAL_TABLES;
    use super::*;

    /// A picture of markers alone: what decoders would say to it does not matter here.
    pub(super) fn picture(tables: bool, sof: u8) -> Vec<u8> {
        let mut p = vec![0xFF, SOI];
        // An APP1 segment that holds a whole thumbnail, end marker included.
        p.extend([0xFF, 0xE1, 0, 8, 0xFF, SOI, 0xFF, EOI, 1, 2]);
        p.extend([0xFF, sof, 0, 17, 8, 0, 48, 0, 64, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
        if tables {
            p.extend(USUAL_TABLES);
        }
        p.extend([0xFF, SOS, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
        p.extend([1, 2, 3, 0xFF, 0, 4, 0xFF, 0xD0, 5]);
        p.extend(std::iter::repeat_n(7, 200));
        p.extend([0xFF, 0xFF, EOI]);
        p
    }

    #[test]
    fn stale_bytes_after_the_end_are_cut_off() {
        let whole = picture(true, 0xC0);
        let mut buffer = whole.clone();
        buffer.extend([9, 9, 0xFF, 0, 0xFF, EOI, 0, 0]);
        let layout = inspect(&buffer).unwrap();
        assert_eq!(layout.end, whole.len());
        assert!(layout.has_tables);
        let mut out = vec![42];
        assert_eq!(tidy(&buffer, &mut out, &mut |_| true), Ok(layout.header));
        assert_eq!(out[1..], whole);
    }

    #[test]
    fn the_usual_tables_are_put_in_where_there_are_none() {
        let mut out = Vec::new();
        assert!(tidy(&picture(false, 0xC0), &mut out, &mut |_| true).is_ok_and(|h| h.size == Size::new(64, 48)));
        assert_eq!(out, picture(true, 0xC0));
        assert_eq!(tidy(&picture(false, 0xC2), &mut out, &mut |_| true), Err(JpegError::Tables));
    }

    #[test]
    fn a_picture_that_is_cut_off_anywhere_is_told_and_never_passed_on() {
        let whole = picture(true, 0xC0);
        for end in 0..whole.len() {
            assert_eq!(inspect(&whole[..end]), Err(JpegError::CutOff), "cut at {end}");
        }
        let mut interrupted = whole[..whole.len() - 3].to_vec();
        interrupted.extend(&whole);
        assert_eq!(inspect(&interrupted), Err(JpegError::Interrupted));
    }

    #[test]
    fn bytes_that_come_one_by_one_give_the_same_end() {
        let mut buffer = picture(true, 0xC2);
        let end = buffer.len();
        buffer.extend(picture(true, 0xC0));
        let mut walk = Walk::default();
        for n in 0..end {
            assert_eq!(walk.resume(&buffer[..n]), Ok(None), "at {n}");
        }
        let layout = walk.resume(&buffer[..end]).unwrap().unwrap();
        assert_eq!((layout.end, layout.header.progressive), (end, true));
    }

    #[test]
    fn markers_without_end_in_a_scan_are_passed_over_and_the_end_is_found() {
        let whole = picture(true, 0xC0);
        let (before, end) = whole.split_at(whole.len() - 2);
        for filling in
            [vec![0xFF; 999], [0xFF, 0xD3].repeat(999), [0xFF, 0].repeat(999), [0xFF, 0xFF, 0xD0, 1].repeat(99)]
        {
            let filled = [before, &filling, end].concat();
            assert_eq!(inspect(&filled).unwrap().end, filled.len());
            let mut walk = Walk::default();
            for n in before.len()..filled.len() {
                assert_eq!(walk.resume(&filled[..n]), Ok(None), "at {n}");
            }
            assert_eq!(walk.resume(&filled).unwrap().unwrap().end, filled.len());
        }
    }

    #[test]
    fn the_header_is_read_from_the_beginning_alone() {
        let whole = picture(true, 0xC0);
        let (size_48, block) = (Size::new(64, 48), Size::new(16, 16));
        let expected = Header { size: size_48, subsampling: Subsampling::Quarter, block, ..Header::default() };
        assert_eq!(header(&whole[..40]), Some(expected));
        assert_eq!(size(&whole[..20]), None);
        assert_eq!(size(b"GIF89a"), None);
        assert_eq!(checked_size(&whole, 64 * 48), Ok(Size::new(64, 48)));
        assert!(checked_size(&whole, 64 * 48 - 1).is_err());
        let mut long = whole.clone();
        long[17..21].copy_from_slice(&[0, 1, 0xFF, 0xFF]);
        assert!(checked_size(&long, 1 << 20).is_err_and(|why| why.contains("65535x1")), "libjpeg never recovers");
        for endless in [[0xFF, 0xFE, 0, 2].repeat(1 << 20), vec![0xFF; 4 << 20]] {
            let mut picture = vec![0xFF, SOI];
            picture.extend(endless);
            picture.extend(&whole[2..]);
            assert_eq!(size(&picture), None, "it is not looked for for ever");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(inspect(b"GIF89a"), Err(JpegError::NotJpeg));
        assert_eq!(inspect(&[0xFF, SOI, 0xFF, EOI]), Err(JpegError::Empty));
        assert_eq!(inspect(&[0xFF, SOI, 1, 2]), Err(JpegError::Markers));
        assert_eq!(inspect(&[0xFF, SOI, 0xFF, 0xE0, 0, 1, 2]), Err(JpegError::Markers));
        assert_eq!(inspect(&picture(true, 0xC9)), Err(JpegError::Kind));
        let mut flat = picture(true, 0xC0);
        flat[17..19].fill(0);
        assert_eq!(inspect(&flat), Err(JpegError::Header));
    }

    proptest::proptest! {
        #[test]
        fn damage_anywhere_gives_a_picture_or_a_reason_and_the_same_at_every_split(
            damage in proptest::collection::vec((0usize..800, 0u8..), 0..6),
            tables: bool,
            progressive: bool,
            split in 0usize..800,
        ) {
            let mut bytes = picture(tables, if progressive { 0xC2 } else { 0xC0 });
            for (at, byte) in damage {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let mut walk = Walk::default();
            let early = walk.resume(&bytes[..split.min(bytes.len())]);
            let late = if early == Ok(None) { walk.resume(&bytes) } else { early };
            proptest::prop_assert_eq!(late.and_then(|l| l.ok_or(JpegError::CutOff)), inspect(&bytes));
            let (mut out, mut made) = (Vec::new(), bytes.clone());
            let in_place = make_tidy(&mut made, &mut |_| true);
            let copied = tidy(&bytes, &mut out, &mut |_| true);
            proptest::prop_assert_eq!((in_place, &made), (copied, if copied.is_ok() { &out } else { &bytes }));
            match copied {
                // What was put in order is in order.
                Ok(found) => {
                    let layout = inspect(&out).unwrap();
                    proptest::prop_assert!(layout.has_tables && layout.end == out.len() && layout.header == found);
                    proptest::prop_assert_eq!(header(&out), Some(layout.header));
                    let _ = join(&[&out, &out], 2 * found.size.height, &mut Vec::new());
                }
                Err(_) => proptest::prop_assert!(out.is_empty()),
            }
        }
    }
}
