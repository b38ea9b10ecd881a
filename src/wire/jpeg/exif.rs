//! How a picture lies in its file: the orientation of Exif (CIPA DC-008, 4.6.4 A), which phones write instead of turning pixels.
//!
//! What browsers accept is accepted, as Chromium 156 and Firefox do it: the first Exif segment decides, though others follow; a
//! tag of another type or count is none. They ignore the pixels' aspect that a JFIF segment may tell, so nothing reads it here.

use super::SOI;
use crate::frame::Size;

const TAG: u16 = 0x0112;
const SHORT: u16 = 3;

/// How the rows and columns of a picture are to be turned before it is shown: 1 to 8 as Exif counts, 1 is upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation(u8);

impl Default for Orientation {
    fn default() -> Self {
        Self::UPRIGHT
    }
}

impl Orientation {
    /// As it lies; what nobody said is this.
    pub const UPRIGHT: Self = Self(1);

    /// The orientation of this number; of a number that there is not, upright.
    #[must_use]
    pub fn new(number: u16) -> Self {
        match number {
            2..=8 => Self(number as u8),
            _ => Self::UPRIGHT,
        }
    }

    /// 1 to 8.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The size that a picture of `stored` has on a screen: from 5 on its rows become columns.
    #[must_use]
    pub fn shown(self, stored: Size) -> Size {
        if self.0 < 5 { stored } else { Size::new(stored.height, stored.width) }
    }

    /// Whether rows become columns, and then whether what is stored is read from its last row and from its last column on: the
    /// pixel shown in row `r` and column `c` is stored in row `r` and column `c`, the two swapped where rows become columns, each
    /// counted from the end where that is said.
    #[must_use]
    pub fn steps(self) -> (bool, bool, bool) {
        (self.0 > 4, matches!(self.0, 3 | 4 | 6 | 7), matches!(self.0, 2 | 3 | 7 | 8))
    }

    /// This and then `next`, as one.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let ((swap, rows, columns), (then_swap, then_rows, then_columns)) = (self.steps(), next.steps());
        let (then_rows, then_columns) = if swap { (then_columns, then_rows) } else { (then_rows, then_columns) };
        Self(match (swap != then_swap, rows != then_rows, columns != then_columns) {
            (false, false, false) => 1,
            (false, false, true) => 2,
            (false, true, true) => 3,
            (false, true, false) => 4,
            (true, false, false) => 5,
            (true, true, false) => 6,
            (true, true, true) => 7,
            (true, false, true) => 8,
        })
    }

    /// What turns back what this turns.
    #[must_use]
    pub fn inverse(self) -> Self {
        // Mirrored ones and the half turn are their own, and a quarter turn has the other one.
        Self(match self.0 {
            6 => 8,
            8 => 6,
            own => own,
        })
    }

    /// A turn by so many quarters, clockwise; then left and right change places, and then top and bottom, where that is said.
    #[must_use]
    pub fn of_turns(quarters: u8, mirror: bool, flip: bool) -> Self {
        let turned = Self([1, 6, 3, 8][usize::from(quarters % 4)]);
        let mirrored = if mirror { turned.then(Self(2)) } else { turned };
        if flip { mirrored.then(Self(4)) } else { mirrored }
    }

    /// An Exif segment that says this and nothing else.
    fn segment(self) -> [u8; 36] {
        let mut segment = *b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
        segment[29] = self.0;
        segment
    }
}

/// What the contents of an APP1 segment say; `None`: it is none of Exif, as one of XMP.
pub(super) fn read(segment: &[u8]) -> Option<Orientation> {
    // The byte behind is to be 0, and nobody looks.
    let tiff = segment.strip_prefix(b"Exif\0")?.get(1..).unwrap_or_default();
    Some(number(tiff).map_or(Orientation::UPRIGHT, Orientation::new))
}

/// The number in the first directory of a TIFF file, as it stands there.
fn number(tiff: &[u8]) -> Option<u16> {
    place(tiff).map(|(_, number)| number)
}

/// Where the number stands in the first directory of a TIFF file (TIFF 6.0, section 2), and the number.
fn place(tiff: &[u8]) -> Option<(usize, u16)> {
    type Short = fn([u8; 2]) -> u16;
    type Long = fn([u8; 4]) -> u32;
    let (short, long): (Short, Long) = match tiff.first_chunk()? {
        b"MM\0*" => (u16::from_be_bytes, u32::from_be_bytes),
        b"II*\0" => (u16::from_le_bytes, u32::from_le_bytes),
        _ => return None,
    };
    let directory = usize::try_from(long(*tiff.get(4..)?.first_chunk()?)).ok()?;
    let (count, entries) = tiff.get(directory..)?.split_first_chunk()?;
    let mut entries = entries.as_chunks::<12>().0.iter().take(short(*count).into()).enumerate();
    let (n, &[_, _, t0, t1, c0, c1, c2, c3, v0, v1, ..]) = entries.find(|&(_, &[a, b, ..])| short([a, b]) == TAG)?;
    (short([t0, t1]) == SHORT && long([c0, c1, c2, c3]) == 1).then(|| (directory + 2 + 12 * n + 8, short([v0, v1])))
}

/// Makes the contents of an APP1 segment say upright, if it is one of Exif that says another orientation.
pub(super) fn make_upright(segment: &mut [u8]) {
    let Some(tiff) = segment.strip_prefix(b"Exif\0").and_then(|rest| rest.get(1..)) else { return };
    let Some((at, _)) = place(tiff) else { return };
    let one = if tiff.starts_with(b"MM") { 1u16.to_be_bytes() } else { 1u16.to_le_bytes() };
    // Behind `Exif` and two bytes.
    if let Some(number) = segment.get_mut(6 + at..6 + at + 2) {
        number.copy_from_slice(&one);
    }
}

/// Puts `orientation` into the picture that begins at `start` of `data` and says none yet. An upright one needs nothing.
pub fn put_orientation(orientation: Orientation, data: &mut Vec<u8>, start: usize) {
    let behind = start + 2;
    if orientation != Orientation::UPRIGHT && data.get(start..behind) == Some(&[0xFF, SOI]) {
        data.splice(behind..behind, orientation.segment());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::picture;
    use super::super::{APP1, header, inspect};
    use super::*;

    /// The contents of an Exif segment: a make, then the orientation with this type, count and number.
    pub(in crate::wire::jpeg) fn exif(big: bool, kind: u16, count: u32, number: u16) -> Vec<u8> {
        let short = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let long = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut out = if big { b"Exif\0\0MM".to_vec() } else { b"Exif\0\0II".to_vec() };
        out.extend([&short(42)[..], &long(10), &[9, 9], &short(2)].concat());
        out.extend([&short(0x010F)[..], &short(2), &long(4), b"abc\0"].concat());
        out.extend([&short(TAG)[..], &short(kind), &long(count), &short(number), &short(0)].concat());
        out.extend(long(0));
        out
    }

    pub(in crate::wire::jpeg) fn with(segments: &[&[u8]]) -> Vec<u8> {
        let whole = picture(true, 0xC0);
        let mut out = whole[..2].to_vec();
        for segment in segments {
            out.extend([0xFF, APP1]);
            out.extend((segment.len() as u16 + 2).to_be_bytes());
            out.extend_from_slice(segment);
        }
        out.extend(&whole[2..]);
        out
    }

    /// As both walkers see it.
    fn orientation(picture: &[u8]) -> u8 {
        let header = header(picture).unwrap();
        assert_eq!(inspect(picture).map(|layout| layout.header), Ok(header));
        header.orientation.number()
    }

    #[test]
    fn every_number_is_read_in_both_byte_orders_and_there_is_no_other() {
        for big in [true, false] {
            for number in 0..300 {
                let expected = if (1..=8).contains(&number) { number as u8 } else { 1 };
                assert_eq!(orientation(&with(&[&exif(big, SHORT, 1, number)])), expected, "{number}, big: {big}");
            }
            for (kind, count) in [(4, 1), (1, 1), (SHORT, 0), (SHORT, 2), (SHORT, u32::MAX)] {
                assert_eq!(orientation(&with(&[&exif(big, kind, count, 6)])), 1, "type {kind}, count {count}");
            }
        }
        assert_eq!(orientation(&picture(true, 0xC0)), 1);
    }

    #[test]
    fn the_first_exif_segment_decides_whatever_stands_before_it() {
        let (six, three) = (exif(true, SHORT, 1, 6), exif(false, SHORT, 1, 3));
        let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>";
        assert_eq!(orientation(&with(&[xmp, &six])), 6);
        assert_eq!(orientation(&with(&[b"", b"Exif", &six, xmp])), 6);
        assert_eq!(orientation(&with(&[&three, &six])), 3);
        assert_eq!(orientation(&with(&[b"Exif\0\0", &six])), 1);
        assert_eq!(orientation(&with(&[&exif(true, SHORT, 2, 6), &six])), 1);
    }

    #[test]
    fn what_is_cut_off_or_points_outside_is_upright() {
        for big in [true, false] {
            let whole = exif(big, SHORT, 1, 6);
            for end in 0..whole.len() - 4 {
                assert_eq!(orientation(&with(&[&whole[..end]])), 1, "cut at {end}");
            }
            // The directory it would point to next is not looked at.
            assert_eq!(orientation(&with(&[&whole[..whole.len() - 4]])), 6);
            for place in [0, 1, 9, 11, 40, 0xFFFF, 0x7FFF_FFFF, u32::MAX - 1, u32::MAX] {
                let mut odd = whole.clone();
                odd[10..14].copy_from_slice(&if big { place.to_be_bytes() } else { place.to_le_bytes() });
                assert_eq!(orientation(&with(&[&odd])), 1, "a directory at {place}");
            }
            // More entries than are there, and fewer.
            for (entries, expected) in [(u16::MAX, 6), (1, 1), (0, 1)] {
                let mut odd = whole.clone();
                odd[16..18].copy_from_slice(&if big { entries.to_be_bytes() } else { entries.to_le_bytes() });
                assert_eq!(orientation(&with(&[&odd])), expected, "{entries} entries");
            }
        }
    }

    #[test]
    fn what_is_put_in_is_read_again_and_nothing_else_changes() {
        let whole = picture(true, 0xC0);
        for number in 1..=8 {
            let mut data = [&b"before"[..], &whole].concat();
            put_orientation(Orientation::new(number), &mut data, 6);
            assert_eq!(u16::from(orientation(&data[6..])), number);
            let added = data.len() - 6 - whole.len();
            assert_eq!((added == 0, &data[8 + added..]), (number == 1, &whole[2..]));
        }
        let mut none = vec![1];
        put_orientation(Orientation::new(6), &mut none, 0);
        assert_eq!(none, [1]);
    }

    #[test]
    fn two_turns_are_one_and_every_turn_can_be_undone() {
        // A picture of two by three pixels, each of which is another.
        let turned = |pixels: &[u8], size: Size, by: Orientation| {
            let (shown, (swap, rows, columns)) = (by.shown(size), by.steps());
            let mut out = Vec::new();
            for r in 0..shown.height {
                for c in 0..shown.width {
                    let (r, c) = if swap { (c, r) } else { (r, c) };
                    let r = if rows { size.height - 1 - r } else { r };
                    let c = if columns { size.width - 1 - c } else { c };
                    out.push(pixels[(r * size.width + c) as usize]);
                }
            }
            (out, shown)
        };
        let (pixels, size) = (b"abcdef", Size::new(2, 3));
        let all = (1..=8).map(Orientation::new);
        for first in all.clone() {
            for next in all.clone() {
                let (once, shown) = turned(pixels, size, first);
                assert_eq!(turned(&once, shown, next), turned(pixels, size, first.then(next)), "{first:?} {next:?}");
            }
            assert!(all.clone().any(|back| first.then(back) == Orientation::UPRIGHT));
        }
        assert_eq!(turned(pixels, size, Orientation::new(6)), (b"ecafdb".to_vec(), Size::new(3, 2)), "to the right");
    }

    proptest::proptest! {
        #[test]
        fn damage_is_no_fault(damage in proptest::collection::vec((0usize..60, 0u8..), 1..8), big: bool) {
            let mut bytes = exif(big, SHORT, 1, 6);
            for (at, byte) in damage {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            proptest::prop_assert!(read(&bytes).is_none_or(|found| (1..=8).contains(&found.number())));
            make_upright(&mut bytes);
            proptest::prop_assert!(read(&bytes).is_none_or(|found| found == Orientation::UPRIGHT));
        }
    }
}
