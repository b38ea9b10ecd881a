//! JPEGs cut and turned without decoding them: their blocks change places, and no pixel changes.

use turbojpeg::{OutputBuf, Transform, TransformCrop, TransformOp, Transformer};

use super::{Part, failed};
use crate::Result;
use crate::wire::jpeg::{self, Header, Orientation};

/// Why a picture cannot be cut and turned so without decoding it, for a person; `None` if it can. A block at an edge may be there
/// in part only, and such a one must stay at the right or at the bottom.
#[must_use]
pub fn hindrance(header: &Header, part: Part, orientation: Orientation) -> Option<String> {
    // The number of passes of a progressive picture would have to be bounded, and the library has no way to say that.
    if header.progressive {
        return Some("it is progressive".into());
    }
    let block = header.block;
    if !part.x.is_multiple_of(block.width) || !part.y.is_multiple_of(block.height) {
        return Some(format!("its blocks are {block}, and the part does not begin where one does"));
    }
    // What is read from its end on comes to the left or to the top.
    let (_, rows, columns) = orientation.steps();
    let fits = (!columns || part.size.width.is_multiple_of(block.width))
        && (!rows || part.size.height.is_multiple_of(block.height));
    (!fits).then(|| format!("its blocks are {block}, and {} is no whole number of them", part.size))
}

/// Cuts a picture out of `picture`, turns it, and puts it into `out` in the place of what was there. It says that it is upright; all
/// else that it says of itself stays. To be asked only for what has no [`hindrance`].
///
/// What does it is made anew for each picture: the library's type cannot go from a thread to another, as encoders do, and making it
/// takes some microseconds of the milliseconds.
///
/// # Errors
/// When the picture is damaged.
pub fn turn_jpeg(picture: &[u8], part: Part, orientation: Orientation, out: &mut Vec<u8>) -> Result<()> {
    let size = jpeg::size(picture).unwrap_or_default();
    let mut turbo = Transformer::new().map_err(|e| failed("turning", e))?;
    let op = match orientation.number() {
        2 => TransformOp::Hflip,
        3 => TransformOp::Rot180,
        4 => TransformOp::Vflip,
        5 => TransformOp::Transpose,
        6 => TransformOp::Rot90,
        7 => TransformOp::Transverse,
        8 => TransformOp::Rot270,
        _ => TransformOp::None,
    };
    // The library cuts what it has turned, and counts blocks of the whole picture: cutting comes first.
    let cut;
    let mut from = picture;
    if part != Part::whole(size) {
        let mut transform = Transform::default();
        let [x, y, width, height] = [part.x, part.y, part.size.width, part.size.height].map(|n| n as usize);
        transform.crop = Some(TransformCrop { x, y, width: Some(width), height: Some(height) });
        cut = transformed(&mut turbo, &transform, from)?;
        from = &cut;
    }
    out.clear();
    if op == TransformOp::None {
        out.extend_from_slice(from);
    } else {
        let mut transform = Transform::op(op);
        transform.perfect = true;
        out.extend_from_slice(&transformed(&mut turbo, &transform, from)?);
    }
    jpeg::make_upright(out);
    Ok(())
}

fn transformed(turbo: &mut Transformer, transform: &Transform, picture: &[u8]) -> Result<OutputBuf<'static>> {
    let mut out = OutputBuf::new_owned();
    turbo.transform(transform, picture, &mut out).map_err(|e| failed("turning", e))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, PixelFormat, Size};
    use crate::jpeg::{Bitmap, Decoder, Encoder};

    /// A picture of colours and noise, so that each place is another.
    fn picture(size: Size, subsamp: turbojpeg::Subsamp) -> Vec<u8> {
        let (width, height, format) = (size.width as usize, size.height as usize, turbojpeg::PixelFormat::RGB);
        let pixels: Vec<u8> =
            (0..width * height * 3).map(|n| (n / 3 % width + n / 5 % 61 + n % 3 * 40) as u8).collect();
        let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: width * 3, height, format };
        turbojpeg::compress(image, 90, subsamp).unwrap().to_vec()
    }

    fn decoded(picture: &[u8]) -> Bitmap {
        let mut bitmap = Bitmap::default();
        Decoder::new().unwrap().decode(picture, &mut bitmap).unwrap();
        bitmap
    }

    /// The pixels of a part, turned.
    fn naive(from: &Bitmap, part: Part, turn: Orientation) -> Vec<u32> {
        let (shown, (swap, rows, columns)) = (turn.shown(part.size), turn.steps());
        let mut out = Vec::new();
        for r in 0..shown.height {
            for c in 0..shown.width {
                let (r, c) = if swap { (c, r) } else { (r, c) };
                let y = part.y + if rows { part.size.height - 1 - r } else { r };
                let x = part.x + if columns { part.size.width - 1 - c } else { c };
                out.push(from.pixels[(y * from.size.width + x) as usize]);
            }
        }
        out
    }

    #[test]
    fn blocks_that_change_places_give_the_same_pixels_in_other_places() {
        use turbojpeg::Subsamp;
        for subsamp in [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Gray] {
            for size in [Size::new(64, 48), Size::new(72, 40), Size::new(70, 53)] {
                let before = picture(size, subsamp);
                let (header, stored) = (jpeg::header(&before).unwrap(), decoded(&before));
                let parts = [Part::whole(size), Part { x: 16, y: 16, size: Size::new(32, 16) }];
                for (part, turn) in parts.into_iter().flat_map(|part| (1..=8).map(move |n| (part, Orientation::new(n))))
                {
                    if hindrance(&header, part, turn).is_some() {
                        continue;
                    }
                    let mut after = vec![1, 2, 3];
                    turn_jpeg(&before, part, turn, &mut after).unwrap();
                    assert_eq!(jpeg::inspect(&after).map(|found| found.end), Ok(after.len()));
                    let turned = decoded(&after);
                    assert_eq!(turned.size, turn.shown(part.size));
                    // The decoder rounds rows and columns in turn, and makes colours between blocks of their neighbours.
                    let apart = |(a, b): (u32, u32)| {
                        a.to_le_bytes().into_iter().zip(b.to_le_bytes()).take(3).map(|(a, b)| a.abs_diff(b)).max()
                    };
                    let expected = naive(&stored, part, turn);
                    let most = turned.pixels.iter().copied().zip(expected).filter_map(apart).max();
                    let own = matches!(subsamp, Subsamp::None | Subsamp::Gray);
                    assert!(most <= Some(if own { 2 } else { 60 }), "{subsamp:?} {size} {part:?} {turn:?}: {most:?}");
                    // Nothing was lost: turned back, it is what it was to the bit.
                    if part == Part::whole(size) {
                        let back = (1..=8).map(Orientation::new).find(|back| turn.then(*back) == Orientation::UPRIGHT);
                        let (back, whole, mut again) = (back.unwrap(), Part::whole(turned.size), Vec::new());
                        if hindrance(&jpeg::header(&after).unwrap(), whole, back).is_none() {
                            turn_jpeg(&after, whole, back, &mut again).unwrap();
                            assert!(decoded(&again) == stored, "{subsamp:?} {size} {turn:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_picture_of_ffmpeg_can_be_turned_though_it_counts_its_samples_in_another_way() {
        // 4:2:2 as ffmpeg says it: two rows of blocks of each plane at once.
        let size = Size::new(64, 48);
        let before = picture(size, turbojpeg::Subsamp::Sub2x1);
        let sof = before.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        let mut header = jpeg::header(&before).unwrap();
        assert_eq!((header.block, before[sof + 11]), (Size::new(16, 8), 0x21));
        let mut other = before.clone();
        for (component, factors) in [0x22, 0x12, 0x12].into_iter().enumerate() {
            other[sof + 11 + 3 * component] = factors;
        }
        header = jpeg::header(&other).unwrap();
        assert_eq!(header.block, Size::new(16, 16));
        assert_eq!(hindrance(&header, Part::whole(size), Orientation::new(6)), None);
    }

    #[test]
    fn what_cannot_be_turned_so_is_named_and_what_has_no_name_can() {
        let name = |size, subsamp, part, turn| {
            hindrance(&jpeg::header(&picture(size, subsamp)).unwrap(), part, Orientation::new(turn))
        };
        let (even, odd) = (Size::new(64, 48), Size::new(64, 53));
        let quarter = turbojpeg::Subsamp::Sub2x2;
        assert!((1..=8).all(|turn| name(even, quarter, Part::whole(even), turn).is_none()));
        // A row of blocks that is there in part can come to the right, and not to the left.
        let hindered = (1..=8).filter(|turn| name(odd, quarter, Part::whole(odd), *turn).is_some()).collect::<Vec<_>>();
        assert_eq!(hindered, [3, 4, 6, 7]);
        assert_eq!(
            name(odd, quarter, Part::whole(odd), 6).as_deref(),
            Some("its blocks are 16x16, and 64x53 is no whole number of them")
        );
        let beside = Part { x: 8, y: 0, size: Size::new(32, 32) };
        assert!(name(even, quarter, beside, 1).is_some_and(|why| why.contains("does not begin where one does")));
        assert_eq!(name(even, turbojpeg::Subsamp::None, beside, 1), None);
        let wide = turbojpeg::Subsamp::Sub4x1;
        assert_eq!(name(even, wide, Part::whole(even), 8), None);
        assert!(
            name(Size::new(48, 48), wide, Part::whole(Size::new(48, 48)), 8).is_some_and(|why| why.contains("32x8"))
        );
    }

    #[test]
    fn a_picture_keeps_what_it_says_of_itself_but_for_how_it_lies() {
        let size = Size::new(64, 48);
        let mut picture = picture(size, turbojpeg::Subsamp::Sub2x2);
        jpeg::put_icc_profile(b"a profile of an RGB picture", &mut picture, 0);
        jpeg::put_orientation(Orientation::new(6), &mut picture, 0);
        let mut out = Vec::new();
        turn_jpeg(&picture, Part::whole(size), Orientation::new(6), &mut out).unwrap();
        let header = jpeg::header(&out).unwrap();
        assert_eq!((header.size, header.orientation), (Size::new(48, 64), Orientation::UPRIGHT));
        assert_eq!(
            jpeg::icc_profile(&out).map(|icc| icc.bytes.into_owned()),
            Some(b"a profile of an RGB picture".to_vec())
        );
        assert!(decoded(&out).size == decoded(&picture).size, "upright before and after");
    }

    #[test]
    fn a_damaged_picture_is_an_error_and_the_next_is_as_ever() {
        let size = Size::new(64, 48);
        let (whole, mut out) = (picture(size, turbojpeg::Subsamp::Sub2x2), Vec::new());
        let (part, turn) = (Part::whole(size), Orientation::new(3));
        for bad in [&whole[..whole.len() / 2], b"nothing", b""] {
            assert!(turn_jpeg(bad, part, turn, &mut out).is_err());
        }
        turn_jpeg(&whole, part, turn, &mut out).unwrap();
        assert!(turn_jpeg(&whole, Part { x: 16, y: 0, size: Size::new(9999, 16) }, turn, &mut out).is_err());
    }

    #[test]
    fn planes_that_are_turned_are_the_same_picture_as_blocks_that_are() {
        let size = Size::new(64, 48);
        let data: Vec<u8> = (0..size.area()).map(|n| (n % 64 * 2 + n / 64) as u8).collect();
        let frame = Frame { data: data.into(), format: PixelFormat::Gray, size, ..Frame::default() };
        let mut encoder = Encoder::with_threads(1).unwrap();
        let mut before = Vec::new();
        encoder.encode(&frame, size, 90, &mut before).unwrap();
        for turn in (1..=8).map(Orientation::new) {
            let (part, mut blocks, mut planes) = (Part::whole(size), Vec::new(), Vec::new());
            turn_jpeg(&before, part, turn, &mut blocks).unwrap();
            let shaping = crate::jpeg::Shaping { part, turn, size: turn.shown(size) };
            encoder.load_shaped(&frame, &shaping, None).unwrap();
            encoder.compress(shaping.size, 90, &mut planes).unwrap();
            let (blocks, planes) = (decoded(&blocks), decoded(&planes));
            let apart = blocks.pixels.iter().zip(&planes.pixels).map(|(a, b)| (a & 0xFF).abs_diff(b & 0xFF)).max();
            assert!(blocks.size == planes.size && apart <= Some(3), "{turn:?}: {apart:?}");
        }
    }
}
