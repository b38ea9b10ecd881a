//! Raw pixels, or a camera's own JPEG, to JPEG.

use std::sync::Arc;

use super::Part;
use super::caption::Caption;
use super::planes::Planes;
use super::strips::{Press, Team};
use super::{Decoder, Scaler};
use crate::Result;
use crate::error::Error;
use crate::frame::{Frame, MAX_PIXELS, PixelFormat, Size};
use crate::wire::jpeg::{self, Orientation};

/// From this many pixels on a picture is compressed by several threads: 1280x720. Smaller ones are done before a
/// second thread has woken up and paid for itself.
const LARGE: usize = 1280 * 720;

/// More threads than this gain little, and other programs want to run too.
const MOST_THREADS: usize = 4;

/// What is made of a frame before it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shaping {
    /// The part of it, as it is stored.
    pub part: Part,
    /// How that is turned.
    pub turn: Orientation,
    /// The size that it then gets.
    pub size: Size,
}

/// Encodes frames as baseline JPEG, 4:2:0 (grey ones as grey), one after the other. Allocates nothing per picture once
/// it has seen the largest.
pub struct Encoder {
    press: Press,
    scaler: Scaler,
    decoder: Option<Decoder>,
    /// The frame's planes, shared with the team's threads while they work.
    planes: Arc<Planes>,
    /// They, scaled.
    scaled: Arc<Planes>,
    /// Room for planes that are turned.
    spare: Planes,
    /// Of the frame, if it is a camera's JPEG.
    orientation: Orientation,
    threads: usize,
    team: Option<Team>,
}

impl Encoder {
    /// An encoder that uses as many threads as the machine has cores, four at most, for pictures from 1280x720 on.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with_threads(cores)
    }

    /// An encoder that uses `threads` threads, the calling one included, for large pictures; 1 to 4.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn with_threads(threads: usize) -> Result<Self> {
        Ok(Self {
            press: Press::new()?,
            scaler: Scaler::default(),
            decoder: None,
            planes: Arc::default(),
            scaled: Arc::default(),
            spare: Planes::default(),
            orientation: Orientation::UPRIGHT,
            threads: threads.clamp(1, MOST_THREADS),
            team: None,
        })
    }

    /// Encodes `frame`, scaled to `size` if it is not of that size (keeping the aspect is the caller's business), and
    /// appends it to `out`. `quality` is 1 to 100.
    ///
    /// A camera's JPEG keeps its Exif orientation, as those do that are passed on: `size` is as its picture is stored. It keeps its
    /// colour profile as well, but for one that says sRGB or is long: the picture's colours are made sRGB then.
    ///
    /// # Errors
    /// When the frame is cut off, or is a JPEG that cannot be decoded; then `out` is as it was.
    pub fn encode(&mut self, frame: &Frame, size: Size, quality: u8, out: &mut Vec<u8>) -> Result<()> {
        self.load(frame, size)?;
        self.compress(size, quality, out)
    }

    /// Takes a frame, to be compressed once or, at several sizes and qualities, more often with
    /// [`compress`](Self::compress). `largest` is the largest size that will be asked for: a JPEG is decoded no larger
    /// than needed for it.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub fn load(&mut self, frame: &Frame, largest: Size) -> Result<()> {
        let planes = Arc::make_mut(&mut self.planes);
        Arc::make_mut(&mut self.scaled).size = Size::default();
        self.orientation = Orientation::UPRIGHT;
        let loaded = if frame.format == PixelFormat::Jpeg {
            self.orientation = jpeg::header(&frame.data).unwrap_or_default().orientation;
            if self.decoder.is_none() {
                self.decoder = Some(Decoder::new()?);
            }
            match &mut self.decoder {
                Some(decoder) => decoder.decode_planes(&frame.data, largest, planes, &mut self.scaler),
                None => Ok(()),
            }
        } else {
            planes.fill(frame)
        };
        if loaded.is_err() {
            planes.size = Size::default();
        }
        loaded
    }

    /// As [`load`](Self::load), but takes a part of the frame, turns it, and writes a line into it. What comes of it is upright, and
    /// of the size that `shaping` tells, where a line is written; at most a little larger otherwise.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub fn load_shaped(&mut self, frame: &Frame, shaping: &Shaping, line: Option<(&mut Caption, &str)>) -> Result<()> {
        let Shaping { part, turn, size } = *shaping;
        let stored = if frame.format == PixelFormat::Jpeg { jpeg::size(&frame.data) } else { Some(frame.size) };
        let stored = stored.unwrap_or_default();
        // The whole frame, so large that its part has the size. Sizes turn back as they turn.
        let wanted = turn.shown(size);
        let whole = |all: u32, part: u32, wanted: u32| {
            let side = (u64::from(all) * u64::from(wanted)).div_ceil(u64::from(part.max(1)));
            u32::try_from(side).unwrap_or(u32::MAX)
        };
        let largest = Size::new(
            whole(stored.width, part.size.width, wanted.width),
            whole(stored.height, part.size.height, wanted.height),
        );
        self.load(frame, largest)?;
        self.orientation = Orientation::UPRIGHT;
        let planes = Arc::make_mut(&mut self.planes);
        let part = part.scaled(stored, planes.size);
        if turn != Orientation::UPRIGHT || part != Part::whole(planes.size) {
            self.spare.fill_reshaped(planes, part, turn);
            self.spare.profile.append(&mut planes.profile);
            std::mem::swap(planes, &mut self.spare);
        }
        if let Some((caption, text)) = line {
            if planes.size != size {
                size.check(MAX_PIXELS).map_err(Error::Failed)?;
                self.spare.fill_scaled(planes, size, &mut self.scaler)?;
                self.spare.profile.append(&mut planes.profile);
                std::mem::swap(planes, &mut self.spare);
            }
            caption.write(text, planes);
        }
        Ok(())
    }

    /// How the frame that was taken by [`load`](Self::load) is to be turned before it is shown.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Compresses the frame that was taken by [`load`](Self::load) and appends it to `out`.
    ///
    /// # Errors
    /// When there is none, or `size` is zero or larger than 64 Mpixel.
    pub fn compress(&mut self, size: Size, quality: u8, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.compress_planes(size, quality, out)?;
        jpeg::put_icc_profile(&self.planes.profile, out, start);
        jpeg::put_orientation(self.orientation, out, start);
        Ok(())
    }

    fn compress_planes(&mut self, size: Size, quality: u8, out: &mut Vec<u8>) -> Result<()> {
        size.check(MAX_PIXELS).map_err(Error::Failed)?;
        self.planes.size.check(MAX_PIXELS).map_err(Error::Failed)?;
        let planes = if self.planes.size == size {
            &self.planes
        } else {
            if self.scaled.size != size {
                Arc::make_mut(&mut self.scaled).fill_scaled(&self.planes, size, &mut self.scaler)?;
            }
            &self.scaled
        };
        if self.threads == 1 || size.area() < LARGE {
            return self.press.compress(planes, 0..size.height, quality, out);
        }
        if self.team.is_none() {
            self.team = Some(Team::new(self.threads)?);
        }
        let compressed = match &mut self.team {
            Some(team) => team.compress(&mut self.press, planes, quality, out),
            None => Ok(()),
        };
        if compressed.is_err() {
            // Its threads may still hold strips of this picture; the next one gets new ones.
            self.team = None;
        }
        compressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Range;
    use crate::jpeg::Bitmap;
    use crate::wire::jpeg::Subsampling;

    const VGA: Size = Size::new(640, 480);

    fn frame(format: PixelFormat, size: Size, data: Vec<u8>) -> Frame {
        Frame { data: data.into(), format, size, ..Frame::default() }
    }

    /// Smooth colours, so that what JPEG loses is small.
    fn colours(size: Size) -> Vec<[u8; 3]> {
        let at = |n: u32, of: u32| (n * 255 / of.max(1)) as u8;
        let pixel =
            |x, y| [at(x, size.width), at(y, size.height), 255 - at(x, size.width) / 2 - at(y, size.height) / 2];
        (0..size.height).flat_map(|y| (0..size.width).map(move |x| pixel(x, y))).collect()
    }

    fn rgb(size: Size) -> Frame {
        frame(PixelFormat::Rgb, size, colours(size).concat())
    }

    fn decoded(picture: &[u8]) -> Bitmap {
        let mut bitmap = Bitmap::default();
        crate::jpeg::Decoder::new().unwrap().decode(picture, &mut bitmap).unwrap();
        bitmap
    }

    fn channels(pixel: u32) -> [u8; 3] {
        let [_, r, g, b] = pixel.to_be_bytes();
        [r, g, b]
    }

    /// The mean difference of the colour values.
    fn difference(bitmap: &Bitmap, expected: &[[u8; 3]]) -> f64 {
        assert_eq!(bitmap.pixels.len(), expected.len());
        let sum: u64 = (bitmap.pixels.iter().zip(expected))
            .flat_map(|(&a, b)| channels(a).into_iter().zip(*b).map(|(a, b)| u64::from(a.abs_diff(b))))
            .sum();
        sum as f64 / (3 * expected.len()) as f64
    }

    fn encoded(encoder: &mut Encoder, frame: &Frame, size: Size) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.encode(frame, size, 90, &mut out).unwrap();
        assert_eq!(jpeg::inspect(&out).map(|l| (l.end, l.header.size)), Ok((out.len(), size)));
        out
    }

    #[test]
    fn colours_come_through_from_every_rgb_format_and_odd_size() {
        let mut encoder = Encoder::with_threads(1).unwrap();
        for size in [VGA, Size::new(641, 479), Size::new(255, 333), Size::new(1, 1)] {
            let pixels = colours(size);
            let bgr = pixels.iter().flat_map(|&[r, g, b]| [b, g, r]).collect();
            let bgrx = pixels.iter().flat_map(|&[r, g, b]| [b, g, r, 77]).collect();
            for (format, data) in
                [(PixelFormat::Rgb, pixels.concat()), (PixelFormat::Bgr, bgr), (PixelFormat::Bgrx, bgrx)]
            {
                let picture = encoded(&mut encoder, &frame(format, size, data), size);
                let error = difference(&decoded(&picture), &pixels);
                assert!(error < 4.0, "{format:?} {size}: {error}");
            }
        }
    }

    #[test]
    fn a_cameras_limited_range_is_not_washed_out_and_full_range_is_left_alone() {
        let mut encoder = Encoder::with_threads(1).unwrap();
        for (range, white, black) in [(Range::Limited, 235, 16), (Range::Full, 255, 0)] {
            for (value, expected) in [(white, 0xFF_FFFF), (black, 0)] {
                let mut grey = frame(PixelFormat::Yuyv, VGA, [value, 128].repeat(640 * 480));
                grey.range = range;
                let bitmap = decoded(&encoded(&mut encoder, &grey, VGA));
                assert!(bitmap.pixels.iter().all(|p| p & 0xFF_FFFF == expected), "{range:?} {value}");
            }
        }
    }

    #[test]
    fn grey_stays_grey_and_small() {
        let mut encoder = Encoder::with_threads(1).unwrap();
        let grey = frame(PixelFormat::Gray, Size::new(33, 31), (0..33 * 31).map(|n| (n / 8) as u8).collect());
        let picture = encoded(&mut encoder, &grey, grey.size);
        assert_eq!(jpeg::header(&picture).map(|h| h.subsampling), Some(Subsampling::Gray));
        let smaller = encoded(&mut encoder, &grey, Size::new(16, 16));
        assert_eq!(decoded(&smaller).size, Size::new(16, 16));
    }

    #[test]
    fn another_size_is_the_same_picture_scaled() {
        let mut encoder = Encoder::with_threads(1).unwrap();
        for size in [Size::new(320, 240), Size::new(801, 601), Size::new(100, 480)] {
            let picture = encoded(&mut encoder, &rgb(VGA), size);
            let error = difference(&decoded(&picture), &colours(size));
            assert!(error < 4.0, "{size}: {error}");
        }
    }

    #[test]
    fn a_large_picture_in_strips_is_one_baseline_picture_for_every_decoder() {
        let (mut one, mut many) = (Encoder::with_threads(1).unwrap(), Encoder::with_threads(3).unwrap());
        for size in [Size::new(1280, 720), Size::new(1919, 1081), Size::new(16, 60_000)] {
            let alone = encoded(&mut one, &rgb(size), size);
            let joined = encoded(&mut many, &rgb(size), size);
            assert!(alone != joined, "{size} was cut into strips");
            assert!(decoded(&alone) == decoded(&joined), "the same pixels at {size}");
            let other = image::load_from_memory(&joined).unwrap().into_rgb8();
            assert_eq!(other.dimensions(), (size.width, size.height));
            let error = other.pixels().zip(colours(size)).map(|(a, b)| u64::from(a.0[1].abs_diff(b[1]))).sum::<u64>();
            assert!(error / (size.area() as u64) < 4, "{size}: {error}");
        }
        let size = Size::new(1280, 720);
        let grey = frame(PixelFormat::Gray, size, (0..size.area()).map(|n| (n % 1280 / 8) as u8).collect());
        let (alone, joined) = (encoded(&mut one, &grey, size), encoded(&mut many, &grey, size));
        assert!(decoded(&alone) == decoded(&joined));
    }

    #[test]
    fn a_cameras_own_picture_is_encoded_again_at_another_size_and_quality() {
        let mut encoder = Encoder::with_threads(1).unwrap();
        let pixels = colours(VGA).concat();
        for subsamp in [turbojpeg::Subsamp::Sub2x1, turbojpeg::Subsamp::None, turbojpeg::Subsamp::Sub2x2] {
            let format = turbojpeg::PixelFormat::RGB;
            let image = turbojpeg::Image { pixels: &pixels[..], width: 640, pitch: 1920, height: 480, format };
            let camera =
                frame(PixelFormat::Jpeg, Size::default(), turbojpeg::compress(image, 95, subsamp).unwrap().to_vec());
            for size in [VGA, Size::new(320, 240), Size::new(100, 75)] {
                let picture = encoded(&mut encoder, &camera, size);
                assert_eq!(jpeg::header(&picture).map(|h| h.subsampling), Some(Subsampling::Quarter));
                let error = difference(&decoded(&picture), &colours(size));
                assert!(error < 4.0, "{subsamp:?} {size}: {error}");
            }
        }
    }

    #[test]
    fn a_camera_that_lies_on_a_side_is_encoded_again_as_one_in_strips_too() {
        let mut encoder = Encoder::with_threads(2).unwrap();
        for (stored, size) in [(VGA, Size::new(320, 240)), (Size::new(1920, 1080), Size::new(1280, 720))] {
            let mut camera = encoded(&mut encoder, &rgb(stored), stored);
            jpeg::put_orientation(Orientation::new(6), &mut camera, 0);
            let camera = frame(PixelFormat::Jpeg, stored, camera);
            let picture = encoded(&mut encoder, &camera, size);
            assert_eq!(jpeg::header(&picture).map(|h| h.orientation.number()), Some(6));
            let (bitmap, upright) = (decoded(&picture), colours(size));
            assert_eq!(bitmap.size, Size::new(size.height, size.width));
            // The last stored row is the first column.
            let left = bitmap.pixels.iter().step_by(size.height as usize);
            let below = &upright[upright.len() - size.width as usize..];
            let apart = left.zip(below).map(|(&a, b)| u32::from(channels(a)[0].abs_diff(b[0]))).sum::<u32>();
            assert!(apart < 4 * size.width, "{size}: {apart}");
        }
        let upright = encoded(&mut encoder, &rgb(VGA), VGA);
        assert_eq!(jpeg::header(&upright).map(|h| h.orientation), Some(Orientation::UPRIGHT), "the next one");
    }

    #[test]
    fn a_camera_with_a_colour_profile_is_encoded_again_with_it() {
        let mut encoder = Encoder::with_threads(2).unwrap();
        let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        for (stored, size) in [(VGA, Size::new(320, 240)), (Size::new(1920, 1080), Size::new(1280, 720))] {
            let plain = encoded(&mut encoder, &rgb(stored), stored);
            let with = |profile: &[u8]| {
                let mut data = plain.clone();
                jpeg::put_icc_profile(profile, &mut data, 0);
                jpeg::put_orientation(Orientation::new(3), &mut data, 0);
                frame(PixelFormat::Jpeg, stored, data)
            };
            let found = |picture: &[u8]| jpeg::icc_profile(picture).map(|profile| profile.bytes.into_owned());
            let shown = decoded(&encoded(&mut encoder, &with(&[]), size));

            let kept = encoded(&mut encoder, &with(&p3), size);
            assert_eq!(found(&kept).as_ref(), Some(&p3));
            assert_eq!(jpeg::header(&kept).map(|header| header.orientation.number()), Some(3));
            let kept = decoded(&kept);
            let expected = kept.pixels.iter().map(|pixel| channels(*pixel)).collect::<Vec<_>>();
            assert!(difference(&shown, &expected) > 5.0, "it is another picture without");
            // One that is too long to be kept is applied.
            let long = encoded(&mut encoder, &with(&[&p3[..], &[0; 5000]].concat()), size);
            assert_eq!(found(&long), None);
            let error = difference(&decoded(&long), &expected);
            assert!(error < 3.0, "{size}: {error}");

            let srgb = moxcms::ColorProfile::new_srgb().encode().unwrap();
            let same = encoded(&mut encoder, &with(&srgb), size);
            assert_eq!(found(&same), None, "what says nothing is no use");
            assert!(decoded(&same) == shown);
        }
        assert_eq!(jpeg::icc_profile(&encoded(&mut encoder, &rgb(VGA), VGA)), None, "the next one");
    }

    #[test]
    fn one_frame_is_taken_once_and_compressed_at_many_qualities() {
        let mut encoder = Encoder::with_threads(1).unwrap();
        encoder.load(&rgb(VGA), VGA).unwrap();
        let lengths = [30, 60, 90].map(|quality| {
            let mut out = Vec::new();
            encoder.compress(VGA, quality, &mut out).unwrap();
            out.len()
        });
        assert!(lengths.is_sorted(), "{lengths:?}");
    }

    #[test]
    fn what_cannot_be_encoded_is_an_error_and_the_next_frame_is_fine() {
        let mut encoder = Encoder::with_threads(1).unwrap();
        let mut out = vec![1];
        assert!(encoder.compress(VGA, 80, &mut out).is_err(), "no frame yet");
        assert!(encoder.encode(&frame(PixelFormat::Yuyv, VGA, vec![0; 1000]), VGA, 80, &mut out).is_err());
        assert!(encoder.encode(&frame(PixelFormat::Jpeg, VGA, vec![0xFF, 0xD8, 0]), VGA, 80, &mut out).is_err());
        assert!(encoder.encode(&rgb(VGA), Size::new(60_000, 60_000), 80, &mut out).is_err());
        assert!(encoder.encode(&rgb(VGA), Size::new(0, 1), 80, &mut out).is_err());
        assert_eq!(out, [1]);
        encoder.encode(&rgb(VGA), VGA, 80, &mut out).unwrap();
        assert!(out.len() > 1000);
    }
}
