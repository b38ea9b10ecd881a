//! HTTP, from both ends.

use streamflow::internal::names;
use streamflow::internal::names::check_name;
use streamflow::internal::time::Micros;
use streamflow::internal::wire::body::{Length, PictureBody, WholeBody, length_of};
use streamflow::internal::wire::chunked::Chunked;
use streamflow::internal::wire::jpeg::CountLimit;
use streamflow::internal::wire::pictures::{Pictures, boundary_of};
use streamflow::internal::wire::{WireError, encoding, jpeg as surgery};

use super::{MAX_PICTURE, pieces};

/// Heads of HTTP requests: nothing is read that was not there, and half a head is not taken for a whole one. Whatever a
/// path names is a name of ours in the end.
pub fn http(data: &[u8]) {
    use streamflow::internal::net::http::{looks_like_http, parse_head, upgrade};
    let _ = looks_like_http(data);
    if let Ok(Some((request, length))) = parse_head(data) {
        assert!(length <= data.len());
        let _ = request.field_has("connection", "upgrade");
        let _ = upgrade(&request);
        let _ = length_of(&request.fields);
        for part in encoding::segments(&request.path).unwrap_or_default() {
            assert_eq!(check_name(&names::fitting(&part)), Ok(()), "{part}");
        }
        assert!(!matches!(parse_head(&data[..length - 1]), Ok(Some((_, n))) if n > length - 1));
    }
}

/// HTTP chunks.
pub fn chunked(data: &[u8]) {
    let (step, data) = pieces(data);
    let decode = |step: usize| {
        let (mut chunks, mut out) = (Chunked::default(), Vec::new());
        for piece in data.chunks(step) {
            if chunks.decode(piece, &mut out).is_err() {
                return (out, true);
            }
        }
        (out, false)
    };
    let (whole, split) = (decode(data.len().max(1)), decode(step));
    assert_eq!(whole, split);
    assert!(whole.0.len() <= data.len());
}

/// A request that publishes, head and body: one JPEG, or a multipart body, with a length or in chunks. What is published
/// is a picture that can be passed on, and the same at every split.
pub fn publish(data: &[u8]) {
    let (step, data) = pieces(data);
    let Ok(Some((request, head))) = streamflow::internal::net::http::parse_head(data) else { return };
    let Ok(Some(length)) = length_of(&request.fields) else { return };
    let raw = &data[head..];
    let boundary = boundary_of(request.field("content-type").unwrap_or_default());
    let boundary = boundary.or((length.begins_multipart(raw) == Some(true)).then(String::new));
    let Some(boundary) = boundary else {
        let whole = take_whole(&length, raw, raw.len().max(1));
        assert_eq!(whole, take_whole(&length, raw, step));
        if let (Ok(body), mut out) = (whole, Vec::new())
            && surgery::tidy(&body, &mut out, &mut |_| true).is_ok()
        {
            assert!(surgery::inspect(&out).is_ok_and(|layout| layout.end == out.len()));
        }
        return;
    };
    let counting = std::sync::Arc::new(CountLimit::new(u32::MAX));
    let push = |step: usize| {
        let (mut body, mut pictures) =
            (PictureBody::new(length.clone(), &boundary, MAX_PICTURE, counting.clone()), Vec::new());
        for piece in raw.chunks(step) {
            let mut take = |picture: Vec<u8>, _: Micros| {
                assert!(surgery::inspect(&picture).is_ok_and(|layout| layout.end == picture.len()));
                pictures.push(picture);
                Ok::<_, WireError>(())
            };
            match body.feed(piece, Micros(1), &mut take) {
                Ok(false) => {}
                Ok(true) => break,
                Err(_) => return (pictures, body.counts(), true),
            }
        }
        (pictures, body.counts(), false)
    };
    let (whole, split) = (push(raw.len().max(1)), push(step));
    assert!(whole.0.iter().map(Vec::len).sum::<usize>() <= raw.len() + 1024 * whole.0.len(), "tables are 420 bytes");
    // A length that a part says is obeyed when it is read if it is too long, and bounds a picture without an end if nothing else
    // did before: both depend on what is here by then.
    let says_lengths = raw.to_ascii_lowercase().windows(15).any(|w| w == b"content-length:");
    if !says_lengths && !whole.2 && !split.2 {
        assert_eq!(whole, split);
    }
}

fn take_whole(length: &Length, raw: &[u8], step: usize) -> Result<Vec<u8>, u16> {
    let mut body = WholeBody::new(length.clone(), MAX_PICTURE).map_err(|(status, _)| status)?;
    for piece in raw.chunks(step) {
        if let Some(used) = body.feed(piece).map_err(|(status, _)| status)? {
            assert!(used <= piece.len());
            return Ok(body.into_bytes());
        }
    }
    Err(0)
}

/// What a camera over HTTP answers: head and body are the same at every split, the body is no longer than what came, and
/// what its multipart body holds is pictures.
pub fn http_client(data: &[u8]) {
    use streamflow::internal::wire::answer::{Answer, AnswerReader, MAX_HEAD};
    let (step, data) = pieces(data);
    let read = |step: usize| {
        let (mut reader, mut body, mut head) = (AnswerReader::default(), Vec::new(), None);
        for piece in data.chunks(step) {
            reader.feed(piece);
            if head.is_none() {
                match reader.head() {
                    Ok(found) => head = found,
                    Err(_) => return (None, Vec::new(), true),
                }
            }
            match reader.body(&mut body) {
                Ok(false) => {}
                Ok(true) => return (head, body, false),
                Err(_) => return (head, Vec::new(), true),
            }
        }
        (head, body, false)
    };
    let (whole, split) = (read(data.len().max(1)), read(step));
    // A head that is too long, or that something follows, may be judged earlier where it comes at once.
    if data.len() <= MAX_HEAD && !whole.2 {
        assert_eq!(whole, split);
    }
    let (head, body, _) = split;
    assert!(body.len() <= data.len());
    if let Some((_, Answer::Body { content_type })) = head {
        let mut pictures = Pictures::new(&boundary_of(&content_type).unwrap_or_default(), MAX_PICTURE);
        for piece in body.chunks(step) {
            pictures.feed(piece, Micros(1));
            while let Some(picture) = pictures.next_picture(&mut |_| true) {
                assert!(picture.data.len() <= body.len() + 2);
            }
        }
    }
}
