//! What a picture says of how it lies, once its pixels were turned.

use super::walk::Walk;
use super::{APP1, DHT, MOST_SEGMENTS, exif, segment};

/// Makes each Exif segment before the frame header of the picture say that it is upright, for pixels that were turned. All of
/// them, since others than browsers may believe the last one.
pub fn make_upright(picture: &mut [u8]) {
    let mut walk = Walk::behind_start();
    for _ in 0..MOST_SEGMENTS {
        let Ok(Some((marker, body))) = walk.marker(picture) else { return };
        let Ok(Some(found)) = segment(picture, body) else { return };
        let (start, length) = (body + 2, found.len());
        if matches!(marker, 0xC0..=0xCF) && marker != DHT {
            return;
        }
        if marker == APP1
            && let Some(contents) = picture.get_mut(start..start + length)
        {
            exif::make_upright(contents);
        }
        walk.at = start + length;
    }
}

#[cfg(test)]
mod tests {
    use super::super::exif::tests::{exif, with};
    use super::super::{Orientation, SOI, header};
    use super::*;

    #[test]
    fn a_picture_whose_pixels_were_turned_says_so_in_both_byte_orders_and_nothing_else_changes() {
        for big in [true, false] {
            let before = with(&[&exif(big, 3, 1, 6), &exif(!big, 3, 1, 8)]);
            let mut after = before.clone();
            make_upright(&mut after);
            assert_eq!(header(&after).map(|header| header.orientation), Some(Orientation::UPRIGHT));
            assert_eq!(before.iter().zip(&after).filter(|(a, b)| a != b).count(), 2, "one byte of each");
        }
        for untold in [with(&[&exif(true, 4, 1, 6)]), with(&[b"Exif\0\0"]), vec![], vec![0xFF, SOI, 0xFF]] {
            let mut after = untold.clone();
            make_upright(&mut after);
            assert_eq!(after, untold);
        }
    }
}
