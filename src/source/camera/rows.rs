//! From a driver's buffer to a [`Frame`](crate::frame::Frame)'s bytes: one copy, without the padding that some drivers put behind each row.

use crate::frame::{PixelFormat, Size};

/// The rows of one plane; none where a format has no such plane.
#[derive(Clone, Copy, Default)]
struct Plane {
    rows: usize,
    /// Bytes that mean something.
    used: usize,
    /// Bytes from one row to the next.
    stride: usize,
}

/// The planes of a raw picture whose first plane has `stride` bytes a row; `None` for JPEG.
///
/// The strides of the others follow from the first's:
/// <https://docs.kernel.org/userspace-api/media/v4l/pixfmt-yuv-planar.html>.
fn planes(format: PixelFormat, size: Size, stride: usize) -> Option<[Plane; 3]> {
    let (w, h) = (size.width as usize, size.height as usize);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    let none = Plane::default();
    let one = |used: usize| [Plane { rows: h, used, stride: stride.max(used) }, none, none];
    Some(match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => one(cw * 4),
        PixelFormat::Rgb | PixelFormat::Bgr => one(w * 3),
        PixelFormat::Bgrx => one(w * 4),
        PixelFormat::Gray => one(w),
        PixelFormat::Nv12 => {
            let stride = stride.max(cw * 2);
            [Plane { rows: h, used: w, stride }, Plane { rows: ch, used: cw * 2, stride }, none]
        }
        PixelFormat::I420 => {
            let chroma = Plane { rows: ch, used: cw, stride: (stride / 2).max(cw) };
            [Plane { rows: h, used: w, stride: stride.max(w) }, chroma, chroma]
        }
        PixelFormat::Jpeg => return None,
    })
}

/// Copies a raw picture out of a driver's buffer and leaves out the padding; `false` if the buffer is too short.
pub(super) fn copy(from: &[u8], format: PixelFormat, size: Size, stride: usize, to: &mut Vec<u8>) -> bool {
    to.clear();
    let Some(len) = format.frame_len(size) else { return false };
    let Some(planes) = planes(format, size, stride) else { return false };
    if planes.iter().all(|p| p.used == p.stride) {
        // The usual case: no padding, one copy.
        return from.get(..len).map(|bytes| to.extend_from_slice(bytes)).is_some();
    }
    to.reserve(len);
    let mut at = 0;
    for plane in planes {
        for row in 0..plane.rows {
            let start = at + row * plane.stride;
            let Some(bytes) = from.get(start..start + plane.used) else { return false };
            to.extend_from_slice(bytes);
        }
        at += plane.rows * plane.stride;
    }
    to.len() == len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_in_every_format() {
        for format in [
            PixelFormat::Yuyv,
            PixelFormat::Uyvy,
            PixelFormat::Nv12,
            PixelFormat::I420,
            PixelFormat::Rgb,
            PixelFormat::Bgr,
            PixelFormat::Bgrx,
            PixelFormat::Gray,
        ] {
            for size in [Size::new(6, 4), Size::new(5, 3)] {
                padded_and_plain(format, size);
            }
        }
        assert!(!copy(&[0; 100], PixelFormat::Jpeg, Size::new(5, 3), 0, &mut Vec::new()));
    }

    fn padded_and_plain(format: PixelFormat, size: Size) {
        let len = format.frame_len(size).unwrap();
        let plain: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let mut got = Vec::new();
        if size.width.is_multiple_of(2) {
            assert!(copy(&plain, format, size, 0, &mut got), "{format:?}");
            assert_eq!(got, plain, "{format:?}: a driver that says no stride has no padding");
        }
        let row = planes(format, size, 0).unwrap()[0].used;
        let mut padded = Vec::new();
        let mut rest = &plain[..];
        for plane in planes(format, size, row + 8).unwrap() {
            for _ in 0..plane.rows {
                let (used, more) = rest.split_at(plane.used);
                padded.extend(used);
                padded.resize(padded.len() + plane.stride - plane.used, 0xee);
                rest = more;
            }
        }
        assert!(copy(&padded, format, size, row + 8, &mut got), "{format:?}");
        assert_eq!(got, plain, "{format:?} {size}");
        assert!(!copy(&padded[..padded.len() - 20], format, size, row + 8, &mut got), "{format:?}: too short");
    }
}
