//! Whose red, green and blue a picture's numbers mean: the colour profile that it carries in APP2 segments (ICC.1:2022, annex B.4),
//! as phones write Display P3.
//!
//! What browsers accept is accepted, as Chromium does it with libjpeg-turbo: the segments may come in any order and up to the first
//! scan; if one is missing, comes twice or counts otherwise than the others, there is no profile; and one for other components than
//! the picture has is none. What stands in a profile is not looked at here but for what it is a profile of.

use std::borrow::Cow;

use super::{APP2, MOST_SEGMENTS, SOI, SOS, Walk, segment};

/// What the contents of a segment of a profile begin with; its number, from 1, and how many there are follow.
const MARK: &[u8] = b"ICC_PROFILE\0";

/// The longest profile that is read. Those of cameras and phones have 600 bytes to 3 kB, those of printing presses half a MiB.
const LONGEST: usize = 1 << 20;

/// The longest that one segment takes beside its length, its mark and its two numbers.
const LONGEST_IN_SEGMENT: usize = u16::MAX as usize - 2 - MARK.len() - 2;

/// A colour profile, and what it is a profile of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IccProfile<'a> {
    /// As the picture brings it, one segment behind the other. Never empty; nobody has looked whether it makes sense.
    pub bytes: Cow<'a, [u8]>,
    /// What its numbers are.
    pub space: ColorSpace,
}

/// What the numbers of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorSpace {
    /// One, from black to white.
    Gray,
    /// Red, green and blue. Of a grey picture they are all the same.
    Rgb,
    /// Cyan, magenta, yellow and black ink.
    Cmyk,
}

/// One segment of a profile.
struct Part<'a> {
    number: u8,
    count: u8,
    bytes: &'a [u8],
}

/// The colour profile of a picture. `None`: it has none, or none that can be used.
#[must_use]
pub fn icc_profile(picture: &[u8]) -> Option<IccProfile<'_>> {
    if !picture.starts_with(&[0xFF, SOI]) {
        return None;
    }
    let mut walk = Walk::behind_start();
    let (mut parts, mut components) = (Vec::new(), None);
    for _ in 0..MOST_SEGMENTS {
        let (marker, body) = walk.marker(picture).ok()??;
        match marker {
            SOS => return whole(parts, components?),
            0x01..=0xBF | 0xD0..=0xD9 => return None,
            _ => {}
        }
        let segment = segment(picture, body).ok()??;
        match marker {
            0xC0..=0xC2 => components = components.or_else(|| segment.get(5).copied()),
            APP2 => parts.extend(part(segment)),
            _ => {}
        }
        walk.at = body + 2 + segment.len();
    }
    None
}

/// What the contents of an APP2 segment are; `None`: nothing of a profile, as one of MPF.
fn part(segment: &[u8]) -> Option<Part<'_>> {
    let [number, count, bytes @ ..] = segment.strip_prefix(MARK)? else { return None };
    Some(Part { number: *number, count: *count, bytes })
}

fn whole(mut parts: Vec<Part<'_>>, components: u8) -> Option<IccProfile<'_>> {
    let count = parts.first()?.count;
    parts.sort_unstable_by_key(|part| part.number);
    let in_place = |(part, number): (&Part<'_>, u8)| part.number == number && part.count == count;
    let length: usize = parts.iter().map(|part| part.bytes.len()).sum();
    if parts.len() != usize::from(count) || !parts.iter().zip(1..=u8::MAX).all(in_place) || length > LONGEST {
        return None;
    }
    let bytes = match parts.as_slice() {
        [one] => Cow::Borrowed(one.bytes),
        _ => Cow::Owned(parts.iter().flat_map(|part| part.bytes).copied().collect()),
    };
    let space = match (bytes.get(16..20)?, components) {
        (b"GRAY", 1) => ColorSpace::Gray,
        (b"RGB ", 1 | 3) => ColorSpace::Rgb,
        (b"CMYK", 4) => ColorSpace::Cmyk,
        _ => return None,
    };
    Some(IccProfile { bytes, space })
}

/// Puts a profile into the picture that begins at `start` of `data` and has none yet. One that is empty, or does not fit into one
/// segment, is left out.
pub fn put_icc_profile(profile: &[u8], data: &mut Vec<u8>, start: usize) {
    let behind = start + 2;
    if !(1..=LONGEST_IN_SEGMENT).contains(&profile.len()) || data.get(start..behind) != Some(&[0xFF, SOI]) {
        return;
    }
    let [high, low] = ((2 + MARK.len() + 2 + profile.len()) as u16).to_be_bytes();
    let head = [0xFF, APP2, high, low].into_iter().chain(MARK.iter().copied()).chain([1, 1]);
    data.splice(behind..behind, head.chain(profile.iter().copied()));
}

#[cfg(test)]
mod tests {
    use super::super::tests::picture;
    use super::super::{header, inspect, plain};
    use super::*;

    /// What looks like a profile of this to who does not look closely.
    fn profile(space: &[u8; 4], length: usize) -> Vec<u8> {
        let mut profile: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        profile[16..20].copy_from_slice(space);
        profile
    }

    fn with(parts: &[(u8, u8, &[u8])]) -> Vec<u8> {
        let whole = picture(true, 0xC0);
        let mut out = whole[..2].to_vec();
        for (number, count, bytes) in parts {
            out.extend([0xFF, APP2]);
            out.extend((bytes.len() as u16 + 16).to_be_bytes());
            out.extend([MARK, &[*number, *count], bytes].concat());
        }
        out.extend(&whole[2..]);
        out
    }

    fn found(picture: &[u8]) -> Option<Vec<u8>> {
        icc_profile(picture).map(|profile| profile.bytes.into_owned())
    }

    #[test]
    fn a_profile_is_found_in_one_segment_or_several_in_any_order() {
        let all = profile(b"RGB ", 3000);
        let (a, b, c) = (&all[..1000], &all[1000..1001], &all[1001..]);
        assert_eq!(found(&picture(true, 0xC0)), None);
        let one = with(&[(1, 1, &all)]);
        let bytes = Cow::Borrowed(&all[..]);
        assert_eq!(icc_profile(&one), Some(IccProfile { bytes, space: ColorSpace::Rgb }));
        assert!(matches!(icc_profile(&one), Some(IccProfile { bytes: Cow::Borrowed(_), .. })), "copied for nothing");
        assert_eq!(found(&with(&[(1, 3, a), (2, 3, b), (3, 3, c)])), Some(all.clone()));
        assert_eq!(found(&with(&[(3, 3, c), (1, 3, a), (2, 3, b)])), Some(all.clone()));
        let most = all[..11 * 255].chunks(11).zip(1..=u8::MAX);
        let most = whole(most.map(|(bytes, number)| Part { number, count: u8::MAX, bytes }).collect(), 3);
        assert_eq!(most.map(|found| found.bytes.into_owned()).as_deref(), Some(&all[..11 * 255]));
        // Behind the frame header as well, and beside other segments of this number.
        let mut late = picture(true, 0xC0);
        let scan = inspect(&late).unwrap().scan;
        late.splice(scan..scan, one[2..2 + 18 + all.len()].iter().copied());
        late.splice(2..2, *b"\xFF\xE2\0\x08MPF\0II");
        assert_eq!(found(&late), Some(all));
        assert_eq!(found(&plain(&late).unwrap()), None, "it goes with the other application segments");
    }

    #[test]
    fn what_is_not_whole_is_no_profile() {
        let all = profile(b"RGB ", 300);
        let (a, b) = all.split_at(150);
        for parts in [
            &[(1, 2, a)][..],
            &[(2, 2, b)],
            &[(0, 1, &all)],
            &[(1, 0, &all)],
            &[(2, 1, &all)],
            &[(1, 1, b"")],
            &[(1, 1, &all[..19])],
            &[(1, 2, a), (2, 3, b)],
            &[(1, 2, a), (1, 2, b)],
            &[(1, 2, a), (2, 2, b), (2, 2, b)],
            &[(1, 3, a), (3, 3, b)],
            &[(0, 2, a), (1, 2, b)],
        ] {
            assert_eq!(found(&with(parts)), None, "{:?}", parts.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>());
        }
        let whole = with(&[(1, 2, a), (2, 2, b)]);
        let scan = inspect(&whole).unwrap().scan;
        for end in 0..scan + 2 {
            assert_eq!(found(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(found(&whole[..scan + 2]), Some(all), "whether the picture is whole is another matter");
    }

    #[test]
    fn a_profile_of_other_components_than_the_picture_has_is_none() {
        for (space, components, expected) in [
            (b"RGB ", 1, Some(ColorSpace::Rgb)),
            (b"RGB ", 3, Some(ColorSpace::Rgb)),
            (b"RGB ", 4, None),
            (b"GRAY", 1, Some(ColorSpace::Gray)),
            (b"GRAY", 3, None),
            (b"CMYK", 3, None),
            (b"CMYK", 4, Some(ColorSpace::Cmyk)),
            (b"Lab ", 3, None),
        ] {
            let bytes = &profile(space, 200)[..];
            let found = whole(vec![Part { number: 1, count: 1, bytes }], components);
            assert_eq!(found.map(|found| found.space), expected, "{components}");
        }
        assert_eq!(found(&with(&[(1, 1, &profile(b"GRAY", 200))])), None, "as it is counted in the picture");
    }

    #[test]
    fn there_is_a_limit_to_its_length_and_to_the_segments() {
        let most = profile(b"RGB ", LONGEST);
        let parts = |bytes: &[u8]| -> Vec<u8> {
            let chunks: Vec<_> = bytes.chunks(65_000).collect();
            with(&chunks.iter().zip(1..).map(|(chunk, n)| (n, chunks.len() as u8, *chunk)).collect::<Vec<_>>())
        };
        assert_eq!(found(&parts(&most)).map(|found| found.len()), Some(LONGEST));
        assert_eq!(found(&parts(&[&most[..], &[0]].concat())), None);
        let mut endless = with(&[(1, 1, &most[..200])]);
        endless.splice(2..2, [0xFF, 0xFE, 0, 2].repeat(1 << 20));
        assert_eq!(found(&endless), None);
    }

    #[test]
    fn what_is_put_in_is_read_again_and_nothing_else_changes() {
        let (whole, all) = (picture(true, 0xC0), profile(b"RGB ", LONGEST_IN_SEGMENT));
        for length in [20, 548, LONGEST_IN_SEGMENT] {
            let mut data = [&b"before"[..], &whole].concat();
            put_icc_profile(&all[..length], &mut data, 6);
            assert_eq!(found(&data[6..]).as_deref(), Some(&all[..length]));
            assert_eq!(header(&data[6..]), header(&whole));
            assert_eq!((&data[..8], &data[8 + 18 + length..]), (&b"before\xFF\xD8"[..], &whole[2..]));
        }
        for (profile, mut data) in [(vec![], whole.clone()), (vec![0; LONGEST_IN_SEGMENT + 1], whole), (all, vec![1])] {
            let before = data.clone();
            put_icc_profile(&profile, &mut data, 0);
            assert_eq!(data, before);
        }
    }

    proptest::proptest! {
        #[test]
        fn damage_is_no_fault(damage in proptest::collection::vec((0usize..500, 0u8..), 1..8), cut in 0usize..900) {
            let all = profile(b"RGB ", 300);
            let mut bytes = with(&[(2, 2, &all[150..]), (1, 2, &all[..150])]);
            for (at, byte) in damage {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            bytes.truncate(cut);
            proptest::prop_assert!(icc_profile(&bytes).is_none_or(|found| (20..=bytes.len()).contains(&found.bytes.len())));
        }
    }
}
