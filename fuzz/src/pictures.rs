//! Pictures, and what they come in.

use streamflow::internal::names;
use streamflow::internal::time::Micros;
use streamflow::internal::wire::jpeg as surgery;
use streamflow::internal::wire::jpeg::Orientation;
use streamflow::internal::wire::pictures::{Pictures, boundary_of};

use super::{MAX_PICTURE, pieces};

/// JPEG surgery: inspecting, cutting to the true end, putting tables in, joining, and finding pictures in a stream.
pub fn jpeg(data: &[u8]) {
    let header = surgery::header(data);
    assert_eq!(surgery::size(data), header.map(|header| header.size));
    for number in header.iter().flat_map(|header| [header.orientation.number(), 1, 6]) {
        assert!((1..=8).contains(&number));
        let mut turned = data.to_vec();
        surgery::put_orientation(Orientation::new(number.into()), &mut turned, 0);
        // With one segment more there may be too many.
        if let Some(again) = surgery::header(&turned).filter(|_| number > 1) {
            assert_eq!((again.orientation.number(), Some(again.size)), (number, surgery::size(data)));
        }
    }
    if let Some(profile) = surgery::icc_profile(data) {
        assert!(profile.bytes.len() <= data.len().min(1 << 20));
    }
    if let Ok(layout) = surgery::inspect(data) {
        assert!(layout.end <= data.len() && layout.scan <= layout.end);
        let mut tidy = Vec::new();
        if surgery::tidy(data, &mut tidy, &mut |_| true).is_ok() {
            assert!(tidy.len() <= layout.end + 1024, "tables are 420 bytes");
            let again = surgery::inspect(&tidy);
            assert_eq!(again.map(|l| (l.end, l.has_tables, l.header)), Ok((tidy.len(), true, layout.header)));
        }
    }
    let mut joined = Vec::new();
    let _ = surgery::join(&[data, data], 64, &mut joined);
    let (step, data) = pieces(data);
    let mut pictures = Pictures::default();
    for piece in data.chunks(step) {
        pictures.feed(piece, Micros(1));
        while let Some(picture) = pictures.next_picture(&mut |_| true) {
            assert!(picture.data.starts_with(&[0xff, 0xd8]) && picture.data.ends_with(&[0xff, 0xd9]));
        }
    }
    if let Some(plain) = surgery::plain(data) {
        assert!(plain.len() <= data.len() + 2);
    }
}

/// Other cameras' multipart streams.
pub fn multipart(data: &[u8]) {
    let (step, data) = pieces(data);
    let _ = boundary_of(&String::from_utf8_lossy(data));
    let take = |step: usize| {
        let (mut pictures, mut bytes, mut count) = (Pictures::new("frame", MAX_PICTURE), 0, 0);
        for piece in data.chunks(step) {
            pictures.feed(piece, Micros(1));
            while let Some(picture) = pictures.next_picture(&mut |_| true) {
                (bytes, count) = (bytes + picture.data.len(), count + 1);
            }
        }
        let last = pictures.last_picture(&mut |_| true).map_or(0, |picture| picture.data.len());
        assert!(bytes + last <= data.len() + 2 * (count + 1), "{bytes} bytes of pictures out of {}", data.len());
        (count, last > 0)
    };
    take(data.len().max(1));
    take(step);
}

/// What programs send that send without being asked: what it is does not depend on more than its beginning, and its pictures are
/// the same at every split.
pub fn senders(data: &[u8]) {
    use streamflow::internal::wire::senders::{ENOUGH, Sends, judge};
    let (step, data) = pieces(data);
    let said = judge(data);
    assert_eq!(said, judge(data.get(..ENOUGH).unwrap_or(data)));
    let text = said.as_ref().map_or_else(String::new, ToString::to_string);
    assert!(text.len() < 300 && text.is_ascii() && text.is_empty() == said.is_none(), "{text}");
    let is_jpeg = matches!(said, Some(Sends::Jpegs(_)));
    assert!(!is_jpeg || data.windows(3).any(|bytes| bytes == [0xff, 0xd8, 0xff]), "{text}");
    let take = |step: usize| {
        let (mut pictures, mut found) = (Pictures::new("", MAX_PICTURE), Vec::new());
        for piece in data.chunks(step) {
            pictures.feed(piece, Micros(1));
            while let Some(picture) = pictures.next_picture(&mut |_| true) {
                found.push(picture.data.to_vec());
            }
        }
        found
    };
    assert_eq!(take(step), take(data.len().max(1)));
}

/// What a detection worker posts, and what its viewers say: what is read is a picture with metadata that stay JSON inside
/// a message.
pub fn detection(data: &[u8]) {
    use streamflow::internal::wire::detection::{answer, camera, read};
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = answer(text);
        let _ = camera(Some(text.into())).map(|camera| assert!(names::fitting(&camera).len() <= 256));
    }
    let Ok(got) = read(data, &mut |_| true) else { return };
    assert!(surgery::inspect(&got.picture).is_ok_and(|layout| layout.end == got.picture.len()));
    assert!(got.frame_size <= data.len() && got.picture.len() <= got.frame_size + 1024);
    let metadata = got.metadata.as_deref().unwrap_or("{}");
    let message = format!(r#"{{"camera_id":{},"metadata":{metadata}}}"#, serde_json::json!(got.camera));
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&message).is_ok(), "{message}");
}

/// Pictures through the real decoder, which is the same for all of them: whatever one of them is, the next good one is
/// decoded as ever, and none gets more memory than its limit.
pub fn decode(data: &[u8]) {
    use std::cell::RefCell;
    use streamflow::internal::frame::{Frame, PixelFormat, Size};
    use streamflow::internal::jpeg::{Bitmap, Decoder, Encoder, Part, Wanted};
    const MOST: usize = 1 << 18;
    const GOOD: Size = Size::new(32, 16);
    struct Codec {
        decoder: Decoder,
        encoder: Encoder,
        good: Vec<u8>,
        bitmap: Bitmap,
    }
    thread_local!(static CODEC: RefCell<Codec> = {
        let (mut encoder, mut good) = (Encoder::with_threads(1).unwrap(), Vec::new());
        let data = (0..GOOD.area() * 3).map(|n| n as u8).collect::<Vec<_>>();
        let frame = Frame { data: data.into(), format: PixelFormat::Rgb, size: GOOD, ..Frame::default() };
        encoder.encode(&frame, GOOD, 90, &mut good).unwrap();
        let decoder = Decoder::new().unwrap().with_max_pixels(MOST);
        RefCell::new(Codec { decoder, encoder, good, bitmap: Bitmap::default() })
    });
    CODEC.with_borrow_mut(|codec| {
        let Codec { decoder, encoder, good, bitmap } = codec;
        if decoder.decode(data, bitmap).is_ok() {
            assert!(surgery::checked_header(data, MOST).is_ok_and(|header| header.shown_size() == bitmap.size));
            assert_eq!(bitmap.pixels.len(), bitmap.size.area());
            let camera =
                Frame { data: data.to_vec().into(), format: PixelFormat::Jpeg, size: bitmap.size, ..Frame::default() };
            let _ = encoder.encode(&camera, GOOD, 50, &mut Vec::new());
            // Any part of it, however it is turned, in any room.
            let whole = bitmap.size;
            let byte = |n: usize| u32::from(data.get(data.len() / 2 + n).copied().unwrap_or_default());
            let crop = Part { x: 2 * byte(0), y: 2 * byte(1), size: Size::new(1 + byte(2), 1 + byte(3)) };
            let turn = surgery::Orientation::new(1 + data.len() as u16 % 8);
            let wanted = Wanted { turn, crop: Some((crop, None)), room: Some(Size::new(byte(4), byte(5))) };
            assert!(decoder.decode_for(data, &wanted, bitmap).is_ok_and(|size| size == whole));
            assert!(bitmap.size.area() > 0 && bitmap.size.area() <= whole.area());
            assert_eq!(bitmap.pixels.len(), bitmap.size.area());
        }
        decoder.decode(good, bitmap).unwrap();
        assert_eq!(bitmap.size, GOOD);
        let camera = Frame { data: good.clone().into(), format: PixelFormat::Jpeg, size: GOOD, ..Frame::default() };
        encoder.encode(&camera, GOOD, 50, &mut Vec::new()).unwrap();
    });
}
