//! One message as it is sent: a head that was made for one receiver, and pieces of a picture that all receivers share.

use std::io::IoSlice;
use std::sync::Arc;

use crate::frame::Picture;

/// What separates the parts of a multipart stream.
pub(crate) const BOUNDARY: &str = "streamflow-next-picture";
/// Ends a part. It follows its picture at once: browsers show a part only when they have seen where it ends.
pub(super) const PART_END: &[u8] = b"\r\n--streamflow-next-picture\r\n";

/// The pieces of a picture behind a message's head, in order.
pub(crate) type Pieces<'a> = [&'a [u8]; 4];

/// How a picture lies behind the head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The JPEG and nothing else.
    Bare,
    /// Metadata, then the JPEG: the native packet.
    Native,
    /// The JPEG, then what ends a part of a multipart stream.
    Part,
    /// The rest of a JSON text with metadata and the JPEG in base64.
    Detection,
    /// The end of the metadata's object, then the JPEG.
    RoomBinary,
    /// The rest of a JSON text with the JPEG in base64.
    RoomText,
}

impl Layout {
    /// The pieces of a picture.
    pub(crate) fn pieces(self, picture: &Picture) -> Pieces<'_> {
        let metadata = picture.metadata.as_ref().map(|text| text.as_bytes());
        match self {
            Self::Bare => [&picture.data, &[], &[], &[]],
            Self::Native => [metadata.unwrap_or_default(), &picture.data, &[], &[]],
            Self::Part => [&picture.data, PART_END, &[], &[]],
            Self::Detection => {
                let metadata = metadata.unwrap_or(b"{}");
                [metadata, br#","frame":"data:image/jpeg;base64,"#, picture.base64(), br#""}"#]
            }
            Self::RoomBinary => [metadata.unwrap_or(b"{}"), b"}", &picture.data, &[]],
            Self::RoomText => [picture.base64(), br#""}"#, &[], &[]],
        }
    }

    /// Bytes of a picture behind the head.
    #[must_use]
    pub fn length(self, picture: &Picture) -> usize {
        self.pieces(picture).iter().map(|piece| piece.len()).sum()
    }

    /// Whether the JPEG goes as it is, and not as base64.
    pub(super) fn is_plain(self) -> bool {
        !matches!(self, Self::Detection | Self::RoomText)
    }
}

/// A message that is partly sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) head: Vec<u8>,
    pub(super) picture: Option<(Arc<Picture>, Layout)>,
    pub(super) written: usize,
}

impl Message {
    /// Its part of the memory of its picture.
    pub(super) fn picture_held(&self) -> usize {
        self.picture.as_ref().map_or(0, |(picture, _)| picture.held() / Arc::strong_count(picture).max(1))
    }

    pub(super) fn pieces(&self) -> Pieces<'_> {
        self.picture.as_ref().map_or_else(Pieces::default, |(picture, layout)| layout.pieces(picture))
    }
}

/// All that is left of a message of which `written` bytes were sent, and where in the slices it begins: empty ones in front
/// would look like the end on some systems.
pub(super) fn rest<'a>(head: &'a [u8], pieces: Pieces<'a>, written: usize) -> ([IoSlice<'a>; 5], usize) {
    let [a, b, c, d] = pieces;
    let mut skip = written;
    let slices = [head, a, b, c, d].map(|part| {
        let from = skip.min(part.len());
        skip -= from;
        IoSlice::new(&part[from..])
    });
    let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or(slices.len());
    (slices, first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_message_is_all_behind_what_was_written() {
        let pieces: Pieces<'_> = [b"", b"met", b"jpeg", b""];
        let whole = b"headmetjpeg";
        for written in 0..=whole.len() {
            let (slices, first) = rest(b"head", pieces, written);
            let left: Vec<u8> = slices[first..].iter().flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(left, &whole[written..], "{written}");
            assert_eq!(first == slices.len(), written == whole.len());
        }
    }
}
