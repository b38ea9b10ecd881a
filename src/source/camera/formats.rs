//! The formats of V4L2 that are understood. Most that cameras have beside the usual ones are one of these in another order: they
//! are put in order as they are copied, so that the rest of the program has few formats to know.
//!
//! Source: <https://docs.kernel.org/userspace-api/media/v4l/pixfmt.html>.

use super::rows;
use crate::frame::PixelFormat::{Bgr, Bgrx, Gray, I420, Jpeg, Nv12, Rgb, Uyvy, Yuyv};
use crate::frame::{PixelFormat, Size};

/// A format of V4L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Understood {
    fourcc: [u8; 4],
    /// What frames have.
    pub(super) format: PixelFormat,
    order: Order,
    /// It has as many buffers a picture as it has planes: `NV12` is one buffer, `NM12` two.
    parted: bool,
}

/// How the bytes of a driver become those of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    AsIs,
    /// Of each four bytes these in turn.
    Bytes([usize; 4]),
    /// V before U, in one plane.
    VuPairs,
    /// The plane V before the plane U.
    VuPlanes,
    /// Planes Y, U and V: of 4:2:2, or, where they are full, of 4:4:4.
    Planes {
        v_first: bool,
        full: bool,
    },
    /// A plane Y, and one of pairs of U and V, as wide or, where it is full, twice as wide.
    Pairs {
        v_first: bool,
        full: bool,
    },
    /// 5, 6 and 5 bits in two bytes, the lower one first.
    Rgb565,
    /// 16 bits, the lower byte first. The upper one is taken.
    Gray16,
}

use Order::{AsIs, Bytes, Gray16, Pairs, Planes, Rgb565, VuPairs, VuPlanes};

const fn is(fourcc: &[u8; 4], format: PixelFormat, order: Order) -> Understood {
    Understood { fourcc: *fourcc, format, order, parted: false }
}

/// The same, with a buffer for each plane.
const fn parted(fourcc: &[u8; 4], format: PixelFormat, order: Order) -> Understood {
    Understood { parted: true, ..is(fourcc, format, order) }
}

const FORMATS: [Understood; 40] = [
    is(b"YUYV", Yuyv, AsIs),
    is(b"UYVY", Uyvy, AsIs),
    is(b"NV12", Nv12, AsIs),
    is(b"YU12", I420, AsIs),
    is(b"RGB3", Rgb, AsIs),
    is(b"BGR3", Bgr, AsIs),
    is(b"XR24", Bgrx, AsIs),
    is(b"GREY", Gray, AsIs),
    is(b"MJPG", Jpeg, AsIs),
    is(b"JPEG", Jpeg, AsIs),
    is(b"YVYU", Yuyv, Bytes([0, 3, 2, 1])),
    is(b"VYUY", Uyvy, Bytes([2, 1, 0, 3])),
    is(b"NV21", Nv12, VuPairs),
    is(b"YV12", I420, VuPlanes),
    is(b"422P", Yuyv, Planes { v_first: false, full: false }),
    is(b"NV16", Yuyv, Pairs { v_first: false, full: false }),
    is(b"NV61", Yuyv, Pairs { v_first: true, full: false }),
    is(b"NV24", Yuyv, Pairs { v_first: false, full: true }),
    is(b"NV42", Yuyv, Pairs { v_first: true, full: true }),
    is(b"RGBP", Rgb, Rgb565),
    is(b"AR24", Bgrx, AsIs),
    is(b"BGR4", Bgrx, AsIs),
    is(b"RGB4", Bgrx, Bytes([3, 2, 1, 0])),
    is(b"BX24", Bgrx, Bytes([3, 2, 1, 0])),
    is(b"BA24", Bgrx, Bytes([3, 2, 1, 0])),
    is(b"XB24", Bgrx, Bytes([2, 1, 0, 3])),
    is(b"AB24", Bgrx, Bytes([2, 1, 0, 3])),
    is(b"RX24", Bgrx, Bytes([1, 2, 3, 0])),
    is(b"RA24", Bgrx, Bytes([1, 2, 3, 0])),
    is(b"Y16 ", Gray, Gray16),
    parted(b"NM12", Nv12, AsIs),
    parted(b"NM21", Nv12, VuPairs),
    parted(b"NM16", Yuyv, Pairs { v_first: false, full: false }),
    parted(b"NM61", Yuyv, Pairs { v_first: true, full: false }),
    parted(b"YM12", I420, AsIs),
    parted(b"YM21", I420, VuPlanes),
    parted(b"YM16", Yuyv, Planes { v_first: false, full: false }),
    parted(b"YM61", Yuyv, Planes { v_first: true, full: false }),
    parted(b"YM24", Yuyv, Planes { v_first: false, full: true }),
    parted(b"YM42", Yuyv, Planes { v_first: true, full: true }),
];

/// The format of this name, if it is understood.
pub(super) fn understood(fourcc: [u8; 4]) -> Option<Understood> {
    FORMATS.into_iter().find(|format| format.fourcc == fourcc)
}

impl Understood {
    /// What a person must know who looks at its pictures.
    pub(super) fn remark(&self) -> Option<&'static str> {
        (self.order == Gray16).then_some(
            "gives Y16, of whose 16 bits the upper eight are shown; if they are dark (thermal cameras use a few of them), let \
             ffmpeg spread them: ffmpeg -f v4l2 -i DEVICE -vf normalize -f mjpeg - | streamflow-send --source -",
        )
    }

    /// Copies a raw picture out of a driver's buffers, of which each has a stride, in bytes a row: without padding, and in the
    /// order of [`Understood::format`]. `false` if a buffer is too short or missing.
    pub(super) fn copy(&self, from: &[&[u8]], size: Size, strides: &[usize], to: &mut Vec<u8>) -> bool {
        let (Some(first), Some(stride)) = (from.first(), strides.first()) else { return false };
        if !self.parted {
            return self.copy_one(first, size, *stride, to);
        }
        if self.order == AsIs && size.width.is_multiple_of(2) {
            // The usual case: one copy.
            to.clear();
            return self.join(from, size, strides, to).is_some();
        }
        let mut whole = Vec::new();
        self.join(from, size, strides, &mut whole).is_some() && self.copy_one(&whole, size, 0, to)
    }

    /// Puts the buffers of a picture behind each other, without padding.
    fn join(&self, from: &[&[u8]], size: Size, strides: &[usize], to: &mut Vec<u8>) -> Option<()> {
        let (width, height) = (size.width as usize, size.height as usize);
        let (half, rows) = (width.div_ceil(2), height.div_ceil(2));
        // Bytes that mean something and bytes that are written in each row, and the rows.
        let even = 2 * half;
        let planes: &[(usize, usize, usize)] = match (self.format, self.order) {
            (Nv12, _) => &[(width, even, height), (even, even, rows)],
            (I420, _) => &[(width, width, height), (half, half, rows), (half, half, rows)],
            (_, Pairs { full: false, .. }) => &[(width, width, height), (even, even, height)],
            (_, Planes { full: false, .. }) => &[(width, width, height), (half, half, height), (half, half, height)],
            (_, Planes { full: true, .. }) => &[(width, width, height); 3],
            _ => return None,
        };
        to.reserve(planes.iter().map(|(_, written, rows)| written * rows).sum());
        for (number, (used, written, rows)) in planes.iter().copied().enumerate() {
            let (bytes, stride) = (from.get(number)?, (*strides.get(number)?).max(used));
            for row in 0..rows {
                to.extend_from_slice(bytes.get(row * stride..row * stride + used)?);
                to.resize(to.len() + written - used, 0);
            }
        }
        Some(())
    }

    fn copy_one(&self, from: &[u8], size: Size, stride: usize, to: &mut Vec<u8>) -> bool {
        match self.order {
            AsIs => rows::copy(from, self.format, size, stride, to),
            Bytes(order) => {
                let copied = rows::copy(from, self.format, size, stride, to);
                for four in to.as_chunks_mut::<4>().0 {
                    *four = order.map(|n| four[n]);
                }
                copied
            }
            VuPairs => {
                let copied = rows::copy(from, self.format, size, stride, to);
                let chroma = to.get_mut(size.area()..).unwrap_or_default();
                chroma.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
                copied
            }
            VuPlanes => {
                let copied = rows::copy(from, self.format, size, stride, to);
                let chroma = to.get_mut(size.area()..).unwrap_or_default();
                chroma.rotate_left(chroma.len() / 2);
                copied
            }
            Planes { .. } | Pairs { .. } | Rgb565 | Gray16 => self.rearrange(from, size, stride, to).is_some(),
        }
    }

    fn rearrange(&self, from: &[u8], size: Size, stride: usize, to: &mut Vec<u8>) -> Option<()> {
        let (width, height) = (size.width as usize, size.height as usize);
        let half = width.div_ceil(2);
        to.clear();
        to.reserve(self.format.frame_len(size)?);
        let row = |at: usize, stride: usize, number: usize, used: usize| {
            let begin = at + number * stride;
            from.get(begin..begin + used)
        };
        for n in 0..height {
            match self.order {
                Planes { v_first, full } => {
                    let luma = stride.max(width);
                    let (used, chroma) = if full { (width, luma) } else { (half, (stride / 2).max(half)) };
                    let (first_at, second_at) = (luma * height, luma * height + chroma * height);
                    let (first, second) = (row(first_at, chroma, n, used)?, row(second_at, chroma, n, used)?);
                    let (u, v) = if v_first { (second, first) } else { (first, second) };
                    let each = if full { 2 } else { 1 };
                    let pairs = u.iter().copied().zip(v.iter().copied()).step_by(each);
                    yuyv(row(0, luma, n, width)?, pairs, to);
                }
                Pairs { v_first, full } => {
                    let luma = stride.max(width);
                    let (used, chroma) = if full { (2 * width, 2 * luma) } else { (2 * half, luma.max(2 * half)) };
                    let step = if full { 4 } else { 2 };
                    let pairs = row(luma * height, chroma, n, used)?.chunks(step).filter_map(|pairs| {
                        let (a, b) = (*pairs.first()?, *pairs.get(1)?);
                        Some(if v_first { (b, a) } else { (a, b) })
                    });
                    yuyv(row(0, luma, n, width)?, pairs, to);
                }
                Rgb565 => {
                    for [low, high] in row(0, stride.max(2 * width), n, 2 * width)?.as_chunks::<2>().0 {
                        let (r, g, b) = (high >> 3, (high & 7) << 3 | low >> 5, low & 31);
                        to.extend_from_slice(&[r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2]);
                    }
                }
                Gray16 => {
                    to.extend(row(0, stride.max(2 * width), n, 2 * width)?.as_chunks::<2>().0.iter().map(|y| y[1]))
                }
                _ => return None,
            }
        }
        Some(())
    }
}

/// A row of Y, and the U and V of each two of them.
fn yuyv(luma: &[u8], chroma: impl Iterator<Item = (u8, u8)>, to: &mut Vec<u8>) {
    for (two, (u, v)) in luma.chunks(2).zip(chroma) {
        let first = two.first().copied().unwrap_or_default();
        to.extend_from_slice(&[first, u, two.get(1).copied().unwrap_or(first), v]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies a picture of 4x2 pixels; with six bytes of padding behind each row of the first plane where there is any.
    fn copied(fourcc: &[u8; 4], from: &[u8], stride: usize) -> Option<(PixelFormat, Vec<u8>)> {
        let (format, mut to) = (understood(*fourcc).unwrap(), vec![1, 2, 3]);
        format.copy(&[from], Size::new(4, 2), &[stride], &mut to).then_some((format.format, to))
    }

    /// Y 1 to 8; U 11 to 14 and V 21 to 24, of each two pixels.
    const YUYV: [u8; 16] = [1, 11, 2, 21, 3, 12, 4, 22, 5, 13, 6, 23, 7, 14, 8, 24];

    #[test]
    fn each_format_comes_out_as_the_one_that_it_is_in_another_order() {
        let y = [1, 2, 3, 4, 5, 6, 7, 8];
        let same = |fourcc: &[u8; 4], from: &[u8]| {
            assert_eq!(copied(fourcc, from, 0), Some((Yuyv, YUYV.to_vec())), "{fourcc:?}");
            assert_eq!(copied(fourcc, &from[..from.len() - 1], 0), None, "{fourcc:?} is too short");
        };
        same(b"YVYU", &[1, 21, 2, 11, 3, 22, 4, 12, 5, 23, 6, 13, 7, 24, 8, 14]);
        same(b"422P", &[&y[..], &[11, 12, 13, 14], &[21, 22, 23, 24]].concat());
        same(b"NV16", &[&y[..], &[11, 21, 12, 22, 13, 23, 14, 24]].concat());
        same(b"NV61", &[&y[..], &[21, 11, 22, 12, 23, 13, 24, 14]].concat());
        same(b"NV24", &[&y[..], &[11, 21, 0, 0, 12, 22, 0, 0, 13, 23, 0, 0, 14, 24, 0, 0]].concat());
        same(b"NV42", &[&y[..], &[21, 11, 0, 0, 22, 12, 0, 0, 23, 13, 0, 0, 24, 14, 0, 0]].concat());
        let uyvy = [11, 1, 21, 2, 12, 3, 22, 4, 13, 5, 23, 6, 14, 7, 24, 8];
        let vyuy = [21, 1, 11, 2, 22, 3, 12, 4, 23, 5, 13, 6, 24, 7, 14, 8];
        assert_eq!(copied(b"VYUY", &vyuy, 0), Some((Uyvy, uyvy.to_vec())));
        let nv12 = [&y[..], &[11, 21, 12, 22]].concat();
        assert_eq!(copied(b"NV21", &[&y[..], &[21, 11, 22, 12]].concat(), 0), Some((Nv12, nv12)));
        let i420 = [&y[..], &[11, 12], &[21, 22]].concat();
        assert_eq!(copied(b"YV12", &[&y[..], &[21, 22], &[11, 12]].concat(), 0), Some((I420, i420)));
        let (bgrx, rest) = ([3, 2, 1, 0], [9; 28]);
        for (fourcc, first) in [
            (b"AR24", [3, 2, 1, 0]),
            (b"BGR4", [3, 2, 1, 0]),
            (b"RGB4", [0, 1, 2, 3]),
            (b"BA24", [0, 1, 2, 3]),
            (b"AB24", [1, 2, 3, 0]),
            (b"RA24", [0, 3, 2, 1]),
        ] {
            assert_eq!(copied(fourcc, &[&first[..], &rest].concat(), 0).unwrap().1[..4], bgrx, "{fourcc:?}");
        }
        let pure = [0x00, 0xf8, 0xe0, 0x07, 0x1f, 0x00, 0xff, 0xff].repeat(2);
        let rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255].repeat(2);
        assert_eq!(copied(b"RGBP", &pure, 0), Some((Rgb, rgb)));
        let deep = [9, 1, 9, 2, 9, 3, 9, 4, 9, 5, 9, 6, 9, 7, 9, 8];
        assert_eq!(copied(b"Y16 ", &deep, 0), Some((Gray, y.to_vec())));
    }

    #[test]
    fn padding_behind_rows_is_left_out() {
        let padded = |rows: &[&[u8]], padding: usize| {
            rows.iter().flat_map(|row| [row, &[0xee; 9][..padding]].concat()).collect::<Vec<u8>>()
        };
        let y = padded(&[&[1, 2, 3, 4], &[5, 6, 7, 8]], 4);
        let uv = padded(&[&[11, 21, 12, 22], &[13, 23, 14, 24]], 4);
        assert_eq!(copied(b"NV16", &[y.clone(), uv].concat(), 8), Some((Yuyv, YUYV.to_vec())));
        let (u, v) = (padded(&[&[11, 12], &[13, 14]], 2), padded(&[&[21, 22], &[23, 24]], 2));
        assert_eq!(copied(b"422P", &[y.clone(), u, v].concat(), 8), Some((Yuyv, YUYV.to_vec())));
        let full = padded(&[&[11, 21, 0, 0, 12, 22, 0, 0], &[13, 23, 0, 0, 14, 24, 0, 0]], 8);
        assert_eq!(copied(b"NV24", &[y, full].concat(), 8), Some((Yuyv, YUYV.to_vec())));
    }

    #[test]
    fn planes_in_buffers_of_their_own_give_the_picture_that_they_give_in_one() {
        let y: &[u8] = &[1, 2, 3, 4, 0xee, 0xee, 5, 6, 7, 8];
        let whole = |fourcc: &[u8; 4], planes: &[&[u8]], strides: &[usize]| {
            let (format, mut to) = (understood(*fourcc).unwrap(), Vec::new());
            assert!(format.copy(planes, Size::new(4, 2), strides, &mut to), "{fourcc:?}");
            let mut ignored = Vec::new();
            for missing in 0..planes.len() {
                let mut short = planes.to_vec();
                short[missing] = &short[missing][1..];
                assert!(!format.copy(&short, Size::new(4, 2), strides, &mut ignored), "{fourcc:?} is too short");
            }
            assert!(!format.copy(&planes[1..], Size::new(4, 2), strides, &mut ignored), "{fourcc:?} lacks one");
            assert!(!format.copy(planes, Size::new(4, 2), &strides[1..], &mut ignored), "{fourcc:?} lacks a stride");
            to
        };
        let plain = [1, 2, 3, 4, 5, 6, 7, 8];
        let nv12 = [&plain[..], &[11, 21, 12, 22]].concat();
        assert_eq!(whole(b"NM12", &[y, &[11, 21, 12, 22]], &[6, 4]), nv12);
        assert_eq!(whole(b"NM21", &[y, &[21, 11, 22, 12]], &[6, 9]), nv12);
        let i420 = [&plain[..], &[11, 12], &[21, 22]].concat();
        assert_eq!(whole(b"YM12", &[y, &[11, 12], &[21, 22]], &[6, 0, 2]), i420);
        assert_eq!(whole(b"YM21", &[y, &[21, 22], &[11, 12]], &[6, 2, 2]), i420);
        let (uv, vu) = ([11, 21, 12, 22, 9, 13, 23, 14, 24], [21, 11, 22, 12, 23, 13, 24, 14]);
        assert_eq!(whole(b"NM16", &[y, &uv], &[6, 5]), YUYV);
        assert_eq!(whole(b"NM61", &[y, &vu], &[6, 4]), YUYV);
        let (u, v): (&[u8], &[u8]) = (&[11, 12, 9, 13, 14], &[21, 22, 23, 24]);
        assert_eq!(whole(b"YM16", &[y, u, v], &[6, 3, 2]), YUYV);
        assert_eq!(whole(b"YM61", &[y, v, u], &[6, 2, 3]), YUYV);
        let (u, v): (&[u8], &[u8]) = (&[11, 0, 12, 0, 13, 0, 14, 0], &[21, 0, 22, 0, 23, 0, 24, 0]);
        assert_eq!(whole(b"YM24", &[y, u, v], &[6, 4, 4]), YUYV);
        assert_eq!(whole(b"YM42", &[y, v, u], &[6, 4, 4]), YUYV);
    }

    #[test]
    fn planes_of_their_own_may_be_odd() {
        let (format, mut to) = (understood(*b"NM12").unwrap(), Vec::new());
        assert!(format.copy(&[&[1, 2, 3], &[11, 21, 12, 22]], Size::new(3, 1), &[3, 4], &mut to));
        let (one, mut same) = (understood(*b"NV12").unwrap(), Vec::new());
        assert!(one.copy(&[&[1, 2, 3, 0, 11, 21, 12, 22]], Size::new(3, 1), &[4], &mut same));
        assert_eq!(to, same);
    }

    #[test]
    fn sides_that_are_odd_have_half_a_pair_at_their_end() {
        let (format, mut to) = (understood(*b"NV16").unwrap(), Vec::new());
        assert!(format.copy(&[&[1, 2, 3, 11, 21, 12, 22]], Size::new(3, 1), &[0], &mut to));
        assert_eq!(to, [1, 11, 2, 21, 3, 12, 3, 22]);
    }
}
