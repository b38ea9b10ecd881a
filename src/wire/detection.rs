//! The JSON messages of a detection broadcast. `docs/bridges.md` has them all.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::Refused;
use super::encoding::decode_base64;
use super::jpeg::{self, MayCount};
use super::json::{MAX_DEPTH, may_pass, without_nan};
use super::packet::MAX_METADATA;
use crate::names::MAX_NAME;

/// A picture that a worker posted.
#[derive(Debug)]
pub struct Broadcast {
    /// What the worker calls its camera; 1 to [`MAX_NAME`] bytes.
    pub camera: String,
    /// A JPEG picture, cut at its end and with its tables.
    pub picture: Vec<u8>,
    /// Bytes of the picture as it came.
    pub frame_size: usize,
    /// JSON of any kind as it came, [`MAX_METADATA`] bytes at most.
    pub metadata: Option<Box<str>>,
    /// `timestamp` of the metadata, whatever it is.
    pub timestamp: Option<serde_json::Value>,
}

/// The longest body that makes sense for pictures of `max_picture` bytes: base64 makes four bytes of three.
#[must_use]
pub fn max_body(max_picture: usize) -> usize {
    max_picture / 3 * 4 + MAX_METADATA + 4096
}

/// Reads what a worker posted. `may_count`: see [`jpeg::make_tidy`].
///
/// # Errors
/// What is wrong with it.
pub fn read(body: &[u8], may_count: MayCount<'_>) -> Result<Broadcast, Refused> {
    #[derive(Deserialize)]
    struct Posted {
        camera_id: Option<Name>,
        frame_base64: Option<String>,
        metadata: Option<Box<RawValue>>,
    }
    /// Some number their cameras.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Name {
        Text(String),
        Number(serde_json::Number),
    }
    #[derive(Deserialize)]
    struct Stamped {
        timestamp: Option<serde_json::Value>,
    }
    let wrong = |why: &str| (400, why.to_string());
    let posted: Posted = serde_json::from_slice(body)
        .or_else(|error| without_nan(body).map_or(Err(error), |body| serde_json::from_slice(&body)))
        .map_err(|error| (400, format!("the body is not the JSON that is expected: {error}")))?;
    let name = posted.camera_id.map(|id| match id {
        Name::Text(text) => text,
        Name::Number(number) => number.to_string(),
    });
    let camera = camera(name).ok_or_else(|| wrong(NO_CAMERA))?;
    let frame = posted.frame_base64.as_deref().and_then(decode_base64);
    let mut picture = frame.ok_or_else(|| wrong("frame_base64 is missing, or not base64"))?;
    let frame_size = picture.len();
    jpeg::make_tidy(&mut picture, may_count)
        .map_err(|why| (400, format!("frame_base64 is no JPEG picture that can be passed on: {why}")))?;
    let metadata: Option<Box<str>> = posted.metadata.map(Into::into);
    if metadata.as_ref().is_some_and(|m| m.len() > MAX_METADATA) {
        return Err((413, format!("metadata has {MAX_METADATA} bytes at most")));
    }
    if metadata.as_deref().is_some_and(|m| !may_pass(m)) {
        return Err((400, format!("metadata nests {MAX_DEPTH} deep at most")));
    }
    // An array would be read as the members of the object in order.
    let object = metadata.as_deref().filter(|m| m.starts_with('{'));
    let stamped = object.and_then(|m| serde_json::from_str::<Stamped>(m).ok());
    let timestamp = stamped.and_then(|s| s.timestamp);
    Ok(Broadcast { camera, frame_size, picture, metadata, timestamp })
}

/// What is said to whoever names no camera.
pub const NO_CAMERA: &str = "camera_id is missing, or longer than 200 bytes";

/// A camera's name as somebody gave it, if it is one.
#[must_use]
pub fn camera(id: Option<String>) -> Option<String> {
    id.filter(|c| !c.is_empty() && c.len() <= MAX_NAME)
}

/// What is answered to a text from a viewer, if anything.
#[must_use]
pub fn answer(text: &str) -> Option<&'static str> {
    (text.trim() == "ping").then_some("pong")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pictures::tests::picture;

    fn posted(members: &str) -> Result<Broadcast, Refused> {
        let frame = data_encoding::BASE64.encode(&picture(64, b"x"));
        read(
            members.replace('$', &format!(r#""frame_base64":"data:image/jpeg;base64,{frame}""#)).as_bytes(),
            &mut |_| true,
        )
    }

    #[test]
    fn a_picture_comes_with_metadata_unchanged() {
        let got = posted(r#"{"camera_id":"Lot A/1",$,"metadata":{"b":[1, 2],"timestamp":"noon","a":1e400}}"#).unwrap();
        assert_eq!((got.camera.as_str(), got.frame_size), ("Lot A/1", picture(64, b"x").len()));
        assert_eq!(got.metadata.as_deref(), Some(r#"{"b":[1, 2],"timestamp":"noon","a":1e400}"#));
        assert_eq!(got.timestamp, Some("noon".into()));
        let plain = posted(r#"{"camera_id":"x",$}"#).unwrap();
        assert_eq!((plain.metadata, plain.timestamp), (None, None));
        assert_eq!(posted(r#"{"camera_id":"x",$,"metadata":[1]}"#).unwrap().timestamp, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_status() {
        for (members, status, word) in [
            ("[]", 400, "JSON"),
            ("{$}", 400, "camera_id"),
            (r#"{"camera_id":"",$}"#, 400, "camera_id"),
            (r#"{"camera_id":"x"}"#, 400, "frame_base64"),
            (r#"{"camera_id":"x","frame_base64":"%"}"#, 400, "frame_base64"),
            (r#"{"camera_id":"x","frame_base64":"AAAA"}"#, 400, "JPEG"),
            (&format!(r#"{{"camera_id":"x",$,"metadata":{}1{}}}"#, "[".repeat(33), "]".repeat(33)), 400, "deep"),
        ] {
            let (got, why) = posted(members).unwrap_err();
            assert!(got == status && why.contains(word), "{members}: {got} {why}");
        }
        let long = format!(r#"{{"camera_id":"x",$,"metadata":"{}"}}"#, "x".repeat(MAX_METADATA));
        assert_eq!(posted(&long).unwrap_err().0, 413);
    }

    #[test]
    fn a_ping_is_answered_and_nothing_else() {
        assert_eq!(answer(" ping\n"), Some("pong"));
        assert_eq!(answer("pong"), None);
    }
}
