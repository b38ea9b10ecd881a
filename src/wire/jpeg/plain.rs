//! A picture without what decoders complain of and need not know: odd application segments, and scan parameters that have one
//! meaning only.
//!
//! libjpeg-turbo reports what it merely warns of as it does failures, and decodes nothing if that stands in the header. Browsers
//! and ffmpeg show such pictures.

use super::{DHT, EOI, Header, SOI, SOS, Walk, header, segment};

/// The picture without application segments (but for an Adobe segment that tells of colours, T.872 6.5.3) and comments, and with
/// the scan parameters that a sequential picture must have. `None`: it makes no sense, or there is nothing to change.
#[must_use]
pub fn plain(picture: &[u8]) -> Option<Vec<u8>> {
    let Header { progressive, .. } = header(picture)?;
    let mut out = Vec::with_capacity(picture.len());
    out.extend_from_slice(&[0xFF, SOI]);
    let mut walk = Walk::behind_start();
    loop {
        let (marker, body) = walk.marker(picture).ok()??;
        if matches!(marker, EOI | SOI) {
            out.extend_from_slice(&[0xFF, EOI]);
            return (out.len() < body || out.get(..body)? != picture.get(..body)?).then_some(out);
        }
        let segment = segment(picture, body).ok()??;
        let after = body + 2 + segment.len();
        let mut next = after;
        match marker {
            0xE0..=0xED | 0xEF | 0xFE => {}
            0xEE if !(segment.starts_with(b"Adobe") && matches!(segment.get(11), Some(0..=2))) => {}
            SOS => {
                out.extend_from_slice(picture.get(body - 2..after)?);
                if !progressive {
                    let at = out.len().checked_sub(3)?;
                    out.get_mut(at..)?.copy_from_slice(&[0, 63, 0]);
                }
                walk.pass_to_end_of_scan(picture, after)?;
                next = walk.at;
                // A scan's data does not end with `FF`: that is what fills before the marker.
                let data = picture.get(after..next)?;
                let fill = data.iter().rev().take_while(|byte| **byte == 0xFF).count();
                out.extend_from_slice(data.get(..data.len() - fill)?);
            }
            DHT | 0xC0..=0xFD => out.extend_from_slice(picture.get(body - 2..after)?),
            _ => return None,
        }
        walk.at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::picture;
    use super::*;

    #[test]
    fn what_decoders_complain_of_is_left_out_and_all_else_stays() {
        let whole = picture(true, 0xC0);
        let bare = plain(&whole).unwrap();
        // Its thumbnail, and a byte that fills.
        assert_eq!(bare, [&whole[..2], &whole[12..whole.len() - 3], &[0xFF, EOI]].concat());
        assert_eq!(plain(&bare), None, "nothing is left to change");
        for (transform, kept) in [(0, true), (2, true), (9, false)] {
            let adobe = [&[0xFF, 0xEE, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, transform]].concat();
            let with = [&bare[..2], &adobe, &bare[2..]].concat();
            assert_eq!(plain(&with), (!kept).then(|| bare.clone()), "transform {transform}");
        }
        let scan = bare.windows(2).position(|w| w == [0xFF, SOS]).unwrap();
        let mut odd = bare.clone();
        odd[scan + 12] = 0;
        assert_eq!(plain(&odd), Some(bare));
        let progressive = plain(&picture(true, 0xC2)).unwrap();
        assert_eq!(plain(&progressive), None);
        for end in 0..whole.len() {
            assert_eq!(plain(&whole[..end]), None, "cut at {end}");
        }
    }
}
