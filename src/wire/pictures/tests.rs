use proptest::prelude::*;

use super::*;

/// A picture by its markers alone: a header with a thumbnail's end of image in it, a size, a scan with a stuffed
/// byte and a restart marker.
pub(crate) fn picture(width: u16, scan: &[u8]) -> Vec<u8> {
    let mut p = vec![0xff, 0xd8, 0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 1, 2];
    p.extend([0xff, 0xc0, 0, 11, 8, 0, 48]);
    p.extend(width.to_be_bytes());
    p.extend([1, 1, 0x11, 0]);
    p.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    for &b in scan {
        p.push(b);
        if b == 0xff {
            p.push(0);
        }
    }
    p.extend([0xff, 0x00, 0xff, 0xd3, 7, 0xff, 0xff, 0xd9]);
    p
}

/// A picture that a decoder takes: 16x8, grey, whose two blocks are a level each.
fn real(level: u8) -> Vec<u8> {
    // By the usual tables for luminance: three bits of difference (100), then the end of the block (1010).
    let bits = format!("100{:03b}1010001010", 4 | level & 3);
    let bits = format!("{bits:1<16}");
    let scan = u16::from_str_radix(&bits, 2).unwrap().to_be_bytes();
    let mut p = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    p.extend([1; 64]);
    p.extend([0xff, 0xc0, 0, 11, 8, 0, 8, 0, 16, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    p.extend(scan);
    p.extend([0xff, 0xd9]);
    p
}

fn parts_and_broken(boundary: &str, chunks: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
    let mut pictures = Pictures::new(boundary, MAX_PICTURE);
    let mut out = Vec::new();
    for (i, chunk) in chunks.iter().enumerate() {
        pictures.feed(chunk, Micros(i as u64));
        while let Some(picture) = pictures.next_picture(&mut |_| true) {
            out.push(picture.data.to_vec());
        }
    }
    out.extend(pictures.last_picture(&mut |_| true).map(|picture| picture.data.to_vec()));
    (out, pictures.broken())
}

fn parts(boundary: &str, chunks: &[&[u8]]) -> Vec<Vec<u8>> {
    parts_and_broken(boundary, chunks).0
}

#[track_caller]
fn at_every_split(boundary: &str, body: &[u8], expected: &[Vec<u8>]) {
    for cut in 0..=body.len() {
        let (a, b) = body.split_at(cut);
        assert_eq!(parts(boundary, &[a, b]), expected, "cut at {cut}");
    }
    let single: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(parts(boundary, &single), expected, "byte by byte");
}

fn two() -> [Vec<u8>; 2] {
    [picture(64, b"one\n--one"), picture(80, b"two")]
}

#[test]
fn pictures_are_found_between_rubbish() {
    let (a, b) = (picture(64, b"first"), picture(80, &[0xff; 40]));
    let rubbish: [&[u8]; 6] = [b"garbage \xff\xd8 \xff", b"\0\0\0", b"\xef\xbb\xbf", b"\r\n", b"\xff\xd8", b""];
    for between in rubbish {
        let all = [between, &a, between, &b, between, &a, &[0xff]].concat();
        at_every_split("", &all, &[a.clone(), b.clone(), a.clone()]);
        assert_eq!(parts_and_broken("", &[&all]).1, 0, "{between:?}");
    }
}

#[test]
fn parts_with_a_length_come_out_and_a_length_that_is_wrong_does_not_matter() {
    let pictures = two();
    for off in [0, -30, -5, 7, 4000] {
        let mut body = b"\r\nsome preamble\r\n--frame\r\n".to_vec();
        for p in &pictures {
            let length = p.len() as i32 + off;
            body.extend(format!("Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n").bytes());
            body.extend(p);
            body.extend(b"\r\n--frame\r\n");
        }
        at_every_split("frame", &body, &pictures);
        at_every_split("--frame", &body, &pictures);
        at_every_split("another", &body, &pictures);
    }
}

#[test]
fn parts_without_a_length_end_where_their_jpeg_ends() {
    let pictures = two();
    let mut body = Vec::new();
    for p in &pictures {
        body.extend(b"--frame\nContent-type: image/jpeg\n\n");
        body.extend(p);
    }
    // Nothing behind the last picture: it is there all the same. Nor is there a line end before the boundary.
    at_every_split("frame", &body, &pictures);
}

#[test]
fn boundaries_are_found_however_they_are_written() {
    let pictures = [real(0), real(1)];
    let cut: Vec<_> = pictures.iter().map(|p| p[..p.len() - 2].to_vec()).collect();
    for sent in ["--frame", "----frame", "frame", "FRAME", "--other", "--b"] {
        let mut body = Vec::new();
        for p in &cut {
            body.extend(format!("{sent}\r\nContent-Type: image/jpeg\r\nX-Timestamp: 1.5\r\n\r\n").bytes());
            body.extend(p);
            body.extend(b"\r\n");
        }
        at_every_split("--frame", &body, &pictures);
        if sent.starts_with('-') {
            at_every_split("", &body, &pictures);
        }
    }
}

#[test]
fn a_picture_without_its_end_gets_it_wherever_something_else_bounds_it() {
    let whole = real(2);
    let cut = &whole[..whole.len() - 2];
    let next = picture(64, b"next");
    at_every_split("", &[cut, &next].concat(), &[whole.clone(), next.clone()]);
    at_every_split("", cut, std::slice::from_ref(&whole));
    at_every_split("", &[cut, &[0; 9]].concat(), std::slice::from_ref(&whole));
    // A right length gives it at once, before anything follows.
    let mut pictures = Pictures::new("f", MAX_PICTURE);
    let head = format!("--f\r\nContent-Length: {}\r\n\r\n", cut.len());
    pictures.feed(&[head.as_bytes(), cut].concat(), Micros(0));
    assert_eq!(pictures.next_picture(&mut |_| true).map(|p| p.data.to_vec()), Some(whole.clone()));
    // And whoever may not count has no such picture.
    pictures.feed(&[cut, &next].concat(), Micros(0));
    assert_eq!(pictures.next_picture(&mut |_| false).map(|p| p.data.to_vec()), Some(next.clone()));
    assert_eq!(pictures.broken(), 1);
    // One that lacks a block is none, whatever follows it.
    let short = &whole[..whole.len() - 3];
    for bound in [&b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"[..], b""] {
        let (got, broken) = parts_and_broken("frame", &[short, bound, &next]);
        assert_eq!((got, broken), (vec![next.clone()], 1), "{bound:?}");
    }
}

#[test]
fn a_picture_that_was_cut_off_costs_only_itself() {
    let [one, two] = two();
    for cut in [8, 14, 40, one.len() - 6] {
        let body = [b"--frame\r\n\r\n", &one[..cut], b"\r\n--frame\r\n\r\n", &two].concat();
        at_every_split("frame", &body, std::slice::from_ref(&two));
        assert_eq!(parts_and_broken("frame", &[&body]).1, 1, "cut at {cut}");
    }
    let body = [&one[..one.len() - 9], &two].concat();
    at_every_split("", &body, std::slice::from_ref(&two));
}

#[test]
fn a_boundary_that_a_segment_seems_to_hold_is_one_at_every_split() {
    // Each picture is cut off within a segment that seems to go on with the dashes of the boundary.
    let (cut, long) = (b"\xff\xd8\xff\xe0\0\x06ab", b"\xff\xd8\xff\xe0\xff\xff");
    let body = [
        &b"--frame\r\n\r\n"[..],
        &cut[..],
        b"--frame\r\n\r\n",
        &long[..],
        b"--aframe\r\n\r\n",
        &cut[..],
        b"--frame\r\n\r\n",
    ]
    .concat();
    for split in 0..=body.len() {
        let (a, b) = body.split_at(split);
        assert_eq!(parts_and_broken("frame", &[a, b]), (vec![], 2), "split at {split}");
    }
    // A picture whose end may be the beginning of a boundary is given when nothing comes any more.
    let (mut pictures, whole) = (Pictures::new("\u{7f}", MAX_PICTURE), picture(64, b"x"));
    pictures.boundary = [&whole[whole.len() - 2..], b"frame\r\n"].concat();
    pictures.feed(&whole, Micros(0));
    assert_eq!(pictures.next_picture(&mut |_| true), None);
    assert_eq!(pictures.last_picture(&mut |_| true).map(|p| p.data.to_vec()), Some(whole));
}

#[test]
fn other_parts_are_passed_over_and_pictures_that_did_not_come_are_counted() {
    let one = picture(64, b"one");
    let field = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nhello\r\n--b\r\n";
    let png = b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n";
    let body = [&field[..], png, &one, b"\r\n--b--\r\n"].concat();
    at_every_split("b", &body, std::slice::from_ref(&one));
    assert_eq!(parts_and_broken("b", &[&body]).1, 1);
}

#[test]
fn a_pictures_time_is_that_of_its_first_byte() {
    let p = picture(64, b"");
    let mut pictures = Pictures::new("f", MAX_PICTURE);
    pictures.feed(b"--f\r\nContent-Type: image/jpeg\r\n\r\n", Micros(1));
    assert_eq!(pictures.next_picture(&mut |_| true), None);
    for (i, byte) in [&p[..], &p].concat().iter().enumerate() {
        pictures.feed(&[*byte], Micros(100 + i as u64));
        if let Some(found) = pictures.next_picture(&mut |_| true) {
            let first = Micros(100 + (i + 1 - p.len()) as u64);
            assert_eq!((found.data, found.began), (&p[..], first));
        }
    }
    // Whichever way a beginning is cut, and however long ago something else came.
    let (a, b) = p.split_at(20);
    for cut in 1..4 {
        let mut pictures = Pictures::default();
        pictures.feed(a, Micros(0));
        assert_eq!(pictures.next_picture(&mut |_| true), None);
        pictures.feed(b, Micros(5));
        assert_eq!(pictures.next_picture(&mut |_| true).map(|found| found.began), Some(Micros(0)));
        pictures.feed(b"\r\n", Micros(6));
        pictures.feed(b"", Micros(7));
        for (at, bytes) in [(100, &p[..cut]), (200, &p[cut..])] {
            assert_eq!(pictures.next_picture(&mut |_| true), None);
            pictures.feed(bytes, Micros(at));
        }
        assert_eq!(pictures.next_picture(&mut |_| true).map(|found| found.began), Some(Micros(100)), "{cut}");
    }
}

#[test]
fn what_is_too_long_is_given_up_and_memory_stays_bounded() {
    let head = picture(64, b"");
    let mut pictures = Pictures::default();
    pictures.feed(&head[..head.len() - 3], Micros(0));
    let chunk = vec![7u8; 1 << 20];
    for i in 0..40 {
        pictures.feed(&chunk, Micros(i));
        assert_eq!(pictures.next_picture(&mut |_| true), None);
        assert!(pictures.bytes.len() <= MAX_PICTURE + 2 * chunk.len());
    }
    assert_eq!((pictures.broken(), pictures.was_too_long()), (1, true));
    pictures.feed(&head, Micros(99));
    assert!(pictures.next_picture(&mut |_| true).is_some());
    // Nor do lines without end.
    let mut pictures = Pictures::new("f", MAX_PICTURE);
    for _ in 0..100 {
        pictures.feed(&[b'x'; 10_000], Micros(0));
        assert_eq!(pictures.next_picture(&mut |_| true), None);
        assert!(pictures.bytes.len() <= 10_000 + MAX_LINE);
    }
}

#[test]
fn the_boundary_is_read_from_the_content_type() {
    let found = |s: &str| boundary_of(s);
    assert_eq!(found("multipart/x-mixed-replace;boundary=abc"), Some("abc".into()));
    assert_eq!(found("Multipart/X-Mixed-Replace; charset=x; BOUNDARY = \"a;b c\""), Some("a;b c".into()));
    assert_eq!(found("multipart/x-mixed-replace; boundary=--abc; x=y"), Some("--abc".into()));
    assert_eq!(found("multipart/x-mixed-replace"), Some(String::new()));
    assert_eq!(found("image/jpeg"), None);
    assert_eq!(found("multi"), None);
    assert_eq!(found("mültipärt/x"), None);
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_at_any_split(
        pieces in proptest::collection::vec(prop_oneof![
            Just(b"--f\r\n".to_vec()), Just(b"\r\n\r\n".to_vec()), Just(b"Content-Length: 9\r\n".to_vec()),
            Just(b"\xff\xd8\xff".to_vec()), Just(b"\xff\xd8\xff\xe0\0\x06ab".to_vec()), Just(b"--gf\r\n".to_vec()), Just(b"\xff\xda\0\x02".to_vec()), Just(b"\xff\xd9".to_vec()),
            Just(picture(64, b"")), proptest::collection::vec(any::<u8>(), 0..6)], 0..30),
        cut in 0usize..600) {
        let bytes = pieces.concat();
        let (a, b) = bytes.split_at(cut.min(bytes.len()));
        prop_assert_eq!(parts_and_broken("", &[&bytes]), parts_and_broken("", &[a, b]));
    }
}

#[test]
fn many_beginnings_of_pictures_cost_no_more_than_their_length() {
    // Each of these was searched, or walked, to the end of all that was there: minutes of a processor.
    let first = [0xff, 0xd8, 0xff, 0x01].repeat(500_000);
    let tiny = [
        &[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0][..],
        &[0x2b, 0xff, 0xd9],
    ]
    .concat()
    .repeat(70_000);
    let start = [&[0xff, 0xd8, 0xff, 0xe0, 0xff, 0xf0][..], b"--aaaaaaaa"].concat().repeat(4000);
    let chain = [start, [0xff, 0xe0, 0, 2].repeat(500_000)].concat();
    let counted = [
        &[0xff, 0xd8, 0xff, 0xc2, 0, 20, 8, 16, 0, 16, 0, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0][..],
        &[0xff, 0xc4, 0, 2, 0xff, 0xda, 0, 2],
    ]
    .concat()
    .repeat(60_000);
    for (name, bytes) in [("beginnings", first), ("pictures", tiny), ("a chain", chain), ("headers", counted)] {
        let mut pictures = Pictures::new("aaaaaaaa", MAX_PICTURE);
        pictures.feed(&bytes, Micros(0));
        let (mut asked, mut count) = (0_u64, 0);
        let mut may_count = |blocks: u32| {
            asked += u64::from(blocks);
            asked < 1 << 20
        };
        while pictures.next_picture(&mut may_count).is_some() {
            count += 1;
        }
        assert!(count == 0 || name == "pictures" && count == 70_000, "{name}: {count}");
    }
}
