use super::*;

/// 56x40 pixels each, by ImageMagick: other samplings, progressive, of one component and of four.
const PICTURES: [(&str, &[u8]); 7] = [
    ("baseline 4:1:1", include_bytes!("../../../../tests/data/jpeg/baseline-411.jpg")),
    ("baseline 4:2:2", include_bytes!("../../../../tests/data/jpeg/baseline-422.jpg")),
    ("baseline 4:4:0", include_bytes!("../../../../tests/data/jpeg/baseline-440.jpg")),
    ("progressive 4:2:0", include_bytes!("../../../../tests/data/jpeg/progressive-420.jpg")),
    ("progressive 4:4:4", include_bytes!("../../../../tests/data/jpeg/progressive-444.jpg")),
    ("grey", include_bytes!("../../../../tests/data/jpeg/gray.jpg")),
    ("CMYK", include_bytes!("../../../../tests/data/jpeg/cmyk.jpg")),
];

fn end(picture: &[u8]) -> Option<usize> {
    end_of_blocks(picture, &mut |_| true)
}

#[test]
fn all_blocks_are_there_up_to_the_last_byte_of_the_scan_and_not_before() {
    for (name, whole) in PICTURES {
        let body = &whole[..whole.len() - 2];
        assert_eq!(end(body), Some(body.len()), "{name}");
        for rubbish in [&b"\r\n--frame\r\n"[..], &[0; 40], &[0xFF, 0xFF, 0xFF], &[0xFF, 0xD9, 1, 2], &[0xFF, 0x41]] {
            assert_eq!(end(&[body, rubbish].concat()), Some(body.len()), "{name}, {rubbish:?} behind it");
        }
        for cut in 0..body.len() {
            assert_eq!(end(&body[..cut]), None, "{name} cut at {cut}");
        }
    }
}

#[test]
fn restart_markers_divide_a_scan() {
    // 32x8, grey, a block an interval: by the usual tables 00 is no difference of DC and 1010 the end of the block.
    let mut p = vec![0xFF, SOI, 0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 32, 1, 1, 0x11, 0, 0xFF, 0xDD, 0, 4, 0, 1];
    p.extend([0xFF, SOS, 0, 8, 1, 1, 0, 0, 63, 0]);
    let block = 0b0010_1011;
    p.extend([block, 0xFF, 0xD0, block, 0xFF, 0xD1, block, 0xFF, 0xD2, block]);
    assert_eq!(end(&p), Some(p.len()));
    assert_eq!(end(&p[..p.len() - 1]), None);
    assert_eq!(end(&p[..p.len() - 3]), None, "an interval is missing");
}

#[test]
fn whoever_may_count_no_more_counts_no_more() {
    let (_, whole) = PICTURES[1];
    let mut asked = 0;
    assert_eq!(
        end_of_blocks(&whole[..whole.len() - 2], &mut |blocks| {
            asked += blocks;
            false
        }),
        None
    );
    assert_eq!(asked, HEADERS, "nothing was done before");
}

#[test]
fn what_is_counted_is_charged_and_no_more() {
    let (_, whole) = PICTURES[1];
    let mut asked = 0;
    let end = end_of_blocks(&whole[..whole.len() - 2], &mut |blocks| {
        asked += blocks;
        true
    });
    // 56x40 of 4:2:2: 4 by 5 MCUs of two blocks Y, and one each of Cb and Cr.
    assert_eq!((end.is_some(), asked), (true, HEADERS + 80));
}

#[test]
fn a_picture_that_promises_more_blocks_than_are_kept_is_not_counted() {
    for progressive in [false, true] {
        let sof = if progressive { 0xC2 } else { 0xC0 };
        let mut p = vec![0xFF, SOI, 0xFF, sof, 0, 17, 8, 0xFF, 0xFF, 0xFF, 0xFF, 3, 1, 0x44, 0, 2, 0x44, 0, 3, 0x44, 0];
        p.extend([0xFF, SOS, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0]);
        p.extend([0; 1000]);
        assert_eq!(end(&p), None);
    }
}

proptest::proptest! {
    #[test]
    fn damage_anywhere_is_counted_or_not_and_nothing_else(
        which in 0usize..PICTURES.len(),
        damage in proptest::collection::vec((0usize..1300, 0u8..), 0..6),
        cut in 0usize..1300,
    ) {
        let mut bytes = PICTURES[which].1.to_vec();
        for (at, byte) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(cut);
        if let Some(end) = end(&bytes) {
            proptest::prop_assert!(end <= bytes.len());
        }
    }
}
