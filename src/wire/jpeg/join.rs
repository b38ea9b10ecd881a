//! Several strips of a picture, sewn into one.

use super::{EOI, JpegError, Subsampling, Walk, inspect, segment};
use crate::frame::Size;

const DRI: u8 = 0xDD;

/// Sews strips of one picture, each a baseline JPEG of its own made with the same tables, into one picture of
/// `height` rows, top strip first, and appends it to `out`. All but the last must have the same number of whole block
/// rows. The seams are restart markers (T.81 B.2.4.4), which every decoder of baseline JPEG understands.
///
/// # Errors
/// [`JpegError::Strips`] where they do not belong together, or what is wrong with a strip. Then `out` is as it was.
pub fn join<S: AsRef<[u8]>>(strips: &[S], height: u32, out: &mut Vec<u8>) -> Result<(), JpegError> {
    let start = out.len();
    let joined = join_onto(strips, height, out);
    if joined.is_err() {
        out.truncate(start);
    }
    joined
}

fn join_onto<S: AsRef<[u8]>>(strips: &[S], height: u32, out: &mut Vec<u8>) -> Result<(), JpegError> {
    let first = strips.first().ok_or(JpegError::Strips)?.as_ref();
    let model = inspect(first)?;
    let height = u16::try_from(height).map_err(|_| JpegError::Strips)?;
    let (block_width, block_height) = match model.header.subsampling {
        Subsampling::Gray | Subsampling::Full => (8, 8),
        Subsampling::Half => (16, 8),
        Subsampling::Quarter => (16, 16),
        Subsampling::Other => return Err(JpegError::Strips),
    };
    let Size { width, height: strip_height } = model.header.size;
    let blocks = width.div_ceil(block_width) * strip_height.div_ceil(block_height);
    let interval = u16::try_from(blocks).map_err(|_| JpegError::Strips)?;

    out.reserve(strips.iter().map(|strip| strip.as_ref().len()).sum());
    out.extend_from_slice(&first[..model.scan]);
    let sof = frame_header_at(first).ok_or(JpegError::Header)?;
    let patch = out.len() - model.scan + sof + 5;
    out.get_mut(patch..patch + 2).ok_or(JpegError::Header)?.copy_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&[0xFF, DRI, 0, 4]);
    out.extend_from_slice(&interval.to_be_bytes());

    let mut rows = 0;
    for (number, strip) in strips.iter().enumerate() {
        let strip = strip.as_ref();
        let layout = inspect(strip)?;
        let scan = segment(strip, layout.scan + 2)?.ok_or(JpegError::CutOff)?;
        let data = layout.scan + 4 + scan.len();
        let is_last = number + 1 == strips.len();
        let fits = layout.header.size.width == width
            && !layout.header.progressive
            && (layout.header.size.height == strip_height && strip_height % block_height == 0
                || is_last && layout.header.size.height <= strip_height)
            && same_but_height(first, strip, layout.scan, sof);
        if !fits {
            return Err(JpegError::Strips);
        }
        rows += layout.header.size.height;
        if number == 0 {
            out.extend_from_slice(&strip[layout.scan..data]);
        } else {
            out.extend_from_slice(&[0xFF, 0xD0 + ((number - 1) % 8) as u8]);
        }
        out.extend_from_slice(&strip[data..layout.end - 2]);
    }
    out.extend_from_slice(&[0xFF, EOI]);
    if rows == u32::from(height) { Ok(()) } else { Err(JpegError::Strips) }
}

/// Whether two strips have the same headers, tables included, but for the height in the frame header at `sof`.
fn same_but_height(a: &[u8], b: &[u8], headers: usize, sof: usize) -> bool {
    let (before, after) = (..sof + 5, sof + 7..headers);
    match (a.get(before), b.get(before), a.get(after.clone()), b.get(after)) {
        (Some(a0), Some(b0), Some(a1), Some(b1)) => a0 == b0 && a1 == b1,
        _ => false,
    }
}

/// Where the marker of the frame header stands.
fn frame_header_at(input: &[u8]) -> Option<usize> {
    let mut walk = Walk::behind_start();
    loop {
        let (marker, body) = walk.marker(input).ok()??;
        if matches!(marker, 0xC0..=0xC2) {
            return Some(body - 2);
        }
        walk.at = body + 2 + segment(input, body).ok()??.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::size;
    use super::super::tables::USUAL_TABLES;
    use super::super::tests::picture;
    use super::*;

    #[test]
    fn strips_that_do_not_belong_together_are_refused() {
        let strip = picture(true, 0xC0);
        let mut out = vec![1];
        assert_eq!(join(&[&strip, &strip], 96, &mut out), Ok(()));
        assert_eq!(size(&out[1..]), Some(Size::new(64, 96)));
        out.truncate(1);
        let mut other = strip.clone();
        let last_table_byte = USUAL_TABLES.len() + 30;
        other[last_table_byte] ^= 1;
        assert_eq!(join(&[&strip, &other], 96, &mut out), Err(JpegError::Strips));
        assert_eq!(join(&[&strip, &strip], 97, &mut out), Err(JpegError::Strips));
        assert_eq!(join::<&[u8]>(&[], 0, &mut out), Err(JpegError::Strips));
        assert_eq!(out, [1]);
    }
}
