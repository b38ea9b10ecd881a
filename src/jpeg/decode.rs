//! JPEG to the pixels that a window takes.

use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor, Subsamp, YuvImage};

use super::Part;
use super::icc::Converter;
use super::planes::Planes;
use super::turn::turn;
use super::wanted::{Wanted, scaled};
use super::{Scaler, failed};
use crate::Result;
use crate::error::Error;
use crate::frame::{Frame, MAX_PIXELS, Size};
use crate::wire::jpeg::{self, IccProfile, Orientation};

/// Passes of a progressive picture that are decoded. Encoders make about ten; thousands of empty ones are an attack on
/// the decoder's time.
const PASSES: u32 = 100;

/// Pixels for which a bitmap's memory is kept, whatever comes next.
const KEPT: usize = 8 << 20;

/// What a pixel `0x00RRGGBB` is in memory: it begins with its lowest byte on most machines and with its highest on some.
const PIXEL: PixelFormat = if cfg!(target_endian = "little") { PixelFormat::BGRX } else { PixelFormat::XRGB };

/// The longest colour profile that stays with a picture that is encoded again. A camera's or a phone's has some 600 bytes; one of
/// tables may be longer than the picture.
const LONGEST_KEPT_PROFILE: usize = 4096;

/// Decoded pixels, as windows take them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    /// Of the picture as it is shown: one that lies on a side in its JPEG is upright here.
    pub size: Size,
    /// `0x00RRGGBB`, row by row from the top, without gaps; the upper byte means nothing.
    pub pixels: Vec<u32>,
}

/// Decodes JPEG pictures one after the other.
pub struct Decoder {
    /// `None` after an error: libjpeg-turbo's may answer with errors for ever after one, as after a side over 65 500.
    turbo: Option<Decompressor>,
    max_pixels: usize,
    /// How much smaller the picture is decoded that is being decoded.
    factor: ScalingFactor,
    /// Planes of a camera's JPEG on their way to another one.
    scratch: Vec<u8>,
    /// Room for a picture that is turned.
    turned: Vec<u32>,
    converter: Converter,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self> {
        Ok(Self {
            turbo: Some(decompressor()?),
            max_pixels: MAX_PIXELS,
            factor: ScalingFactor::ONE,
            scratch: Vec::new(),
            turned: Vec::new(),
            converter: Converter::default(),
        })
    }

    /// Refuses pictures of more than `most` pixels, before anything is made for them. Default [`MAX_PIXELS`].
    #[must_use]
    pub fn with_max_pixels(self, most: usize) -> Self {
        Self { max_pixels: most, ..self }
    }

    /// Decodes `picture` into `into`, whose memory is reused, turns it as its Exif orientation says, and makes sRGB of the colours
    /// that its profile says. A picture that a decoder can only guess the rest of counts as broken; stray bytes between its parts,
    /// as some cameras leave, do no harm, and neither does a profile that makes no sense.
    ///
    /// # Errors
    /// What is wrong with the picture; then `into` holds anything.
    pub fn decode(&mut self, picture: &[u8], into: &mut Bitmap) -> Result<()> {
        self.decode_for(picture, &Wanted::default(), into).map(drop)
    }

    /// The same, as somebody wants to see it: a part of it, turned once more, and no larger than needed where the decoder can do
    /// less work for that. Gives the size of the whole picture as its Exif orientation shows it.
    ///
    /// # Errors
    /// As of [`decode`](Self::decode).
    pub fn decode_for(&mut self, picture: &[u8], wanted: &Wanted, into: &mut Bitmap) -> Result<Size> {
        let jpeg::Header { size: stored, orientation, .. } =
            jpeg::checked_header(picture, self.max_pixels).map_err(Error::Failed)?;
        let upright = orientation.shown(stored);
        let whole = Part::whole(upright);
        let part = wanted.crop.map_or(whole, |(part, of)| part.scaled(of.unwrap_or(upright), upright));
        self.factor = wanted.factor(part.size);
        let size = scaled(stored, self.factor);
        into.size = size;
        if into.pixels.capacity() > KEPT.max(4 * size.area()) {
            into.pixels = Vec::new();
        }
        into.pixels.resize(size.area(), 0);
        self.decompress(picture, size, jpeg::icc_profile(picture).as_ref(), &mut into.pixels)?;
        let turns = orientation.then(wanted.turn);
        if turns != Orientation::UPRIGHT || part != whole {
            let part = part.scaled(upright, orientation.shown(size)).stored(orientation, size);
            self.turn(part, turns, into);
        }
        Ok(upright)
    }

    fn turn(&mut self, part: Part, orientation: Orientation, bitmap: &mut Bitmap) {
        self.turned.resize(part.size.area(), 0);
        turn(&bitmap.pixels, bitmap.size, part, orientation, &mut self.turned);
        bitmap.size = orientation.shown(part.size);
        std::mem::swap(&mut bitmap.pixels, &mut self.turned);
        if self.turned.capacity() > KEPT {
            self.turned = Vec::new();
        }
    }

    /// Decodes into the pixels of a window, as sRGB.
    fn decompress(
        &mut self,
        picture: &[u8],
        size: Size,
        profile: Option<&IccProfile<'_>>,
        pixels: &mut [u32],
    ) -> Result<()> {
        self.decompress_stored(picture, size, pixels)?;
        if profile.is_none_or(|profile| self.converter.convert(profile, pixels)) {
            return Ok(());
        }
        self.decompress_stored(picture, size, pixels)
    }

    /// Decodes into the pixels of a window, with the colours as if there were no profile.
    fn decompress_stored(&mut self, picture: &[u8], size: Size, pixels: &mut [u32]) -> Result<()> {
        let Err(error) = self.decompress_once(picture, size, PIXEL, bytemuck::cast_slice_mut(pixels)) else {
            return Ok(());
        };
        let plain = jpeg::plain(picture);
        let picture = plain.as_deref().unwrap_or(picture);
        let header = self.with_turbo(|turbo| turbo.read_header(picture).map_err(|e| failed("decoding", e)))?;
        if matches!(header.colorspace, turbojpeg::Colorspace::CMYK | turbojpeg::Colorspace::YCCK) {
            return self.decompress_cmyk(picture, size, pixels);
        }
        if plain.is_none() {
            return Err(error);
        }
        self.decompress_once(picture, size, PIXEL, bytemuck::cast_slice_mut(pixels))
    }

    fn decompress_once(&mut self, picture: &[u8], size: Size, format: PixelFormat, pixels: &mut [u8]) -> Result<()> {
        let (width, height) = (size.width as usize, size.height as usize);
        let factor = self.factor;
        self.with_turbo(|turbo| {
            if turbo.scaling_factor() != factor {
                turbo.set_scaling_factor(factor).map_err(|e| failed("decoding", e))?;
            }
            let decoded =
                turbo.decompress(picture, Image { pixels, width, pitch: width * format.size(), height, format });
            judge(turbo, picture, decoded)
        })
    }

    /// What cameras never make and people upload. As browsers do it: whoever writes such JPEGs inverts the inks, so that each dims
    /// its colour as black dims all.
    fn decompress_cmyk(&mut self, picture: &[u8], size: Size, pixels: &mut [u32]) -> Result<()> {
        let mut inks = vec![0; 4 * size.area()];
        self.decompress_once(picture, size, PixelFormat::CMYK, &mut inks)?;
        for (pixel, ink) in pixels.iter_mut().zip(inks.chunks_exact(4)) {
            let [r, g, b] = [0, 1, 2].map(|n| (u16::from(ink[n]) * u16::from(ink[3]) / 255) as u8);
            *pixel = u32::from_be_bytes([0, r, g, b]);
        }
        Ok(())
    }

    /// Lends out the decompressor. One that has given an error is not used again.
    fn with_turbo<T>(&mut self, act: impl FnOnce(&mut Decompressor) -> Result<T>) -> Result<T> {
        let mut turbo = self.turbo.take().map_or_else(decompressor, Ok)?;
        let done = act(&mut turbo)?;
        self.turbo = Some(turbo);
        Ok(done)
    }

    /// Decodes `picture` into planes that are at least as large as `wanted`, and no larger than needed for that where
    /// the decoder can halve.
    pub(super) fn decode_planes(
        &mut self,
        picture: &[u8],
        wanted: Size,
        planes: &mut Planes,
        scaler: &mut Scaler,
    ) -> Result<()> {
        let size = jpeg::checked_size(picture, self.max_pixels).map_err(Error::Failed)?;
        let icc = jpeg::icc_profile(picture);
        let is_long =
            icc.as_ref().is_some_and(|icc| icc.bytes.len() > LONGEST_KEPT_PROFILE && self.converter.converts(icc));
        let read =
            |turbo: &mut Decompressor, picture: &[u8]| turbo.read_header(picture).map_err(|e| failed("decoding", e));
        let (header, plain) = match self.with_turbo(|turbo| read(turbo, picture)) {
            Ok(header) => (header, None),
            Err(error) => {
                let plain = jpeg::plain(picture).ok_or(error)?;
                (self.with_turbo(|turbo| read(turbo, &plain))?, Some(plain))
            }
        };
        let picture = plain.as_deref().unwrap_or(picture);
        let subsamp = header.subsamp;
        let is_yuv = matches!(header.colorspace, turbojpeg::Colorspace::YCbCr | turbojpeg::Colorspace::Gray);
        if !is_yuv || subsamp == Subsamp::Unknown || is_long {
            return self.decode_planes_from_rgb(picture, size, icc.as_ref(), planes);
        }
        let factor = [8, 4, 2].map(|n| ScalingFactor::new(1, n)).into_iter().find(|factor| {
            factor.scale(header.width) >= wanted.width as usize && factor.scale(header.height) >= wanted.height as usize
        });
        let factor = factor.unwrap_or(ScalingFactor::ONE);
        let full = (header.width as u32, header.height as u32);
        let header = header.scaled(factor);
        let (width, height) = (header.width, header.height);
        let size = Size::new(width as u32, height as u32);
        let length = turbojpeg::yuv_pixels_len(width, 1, height, subsamp).map_err(|e| failed("decoding", e))?;
        self.scratch.resize(length, 0);
        let image = YuvImage { pixels: &mut self.scratch[..], width, align: 1, height, subsamp };
        let ((y_width, y_height), (c_width, c_height)) =
            (image.y_size(), if subsamp == Subsamp::Gray { (0, 0) } else { image.uv_size() });
        let mut turbo = self.turbo.take().map_or_else(decompressor, Ok)?;
        turbo.set_scaling_factor(factor).map_err(|e| failed("decoding", e))?;
        let decoded = turbo.decompress_to_yuv(picture, image);
        turbo.set_scaling_factor(ScalingFactor::ONE).map_err(|e| failed("decoding", e))?;
        if let Err(error) = judge(&mut turbo, picture, decoded) {
            let Some(plain) = jpeg::plain(picture) else { return Err(error) };
            return self.decode_planes_from_rgb(&plain, Size::new(full.0, full.1), icc.as_ref(), planes);
        }
        self.turbo = Some(turbo);

        planes.reset(size, subsamp == Subsamp::Gray);
        if let Some(icc) = icc.filter(|icc| icc.bytes.len() <= LONGEST_KEPT_PROFILE && self.converter.matters(icc)) {
            planes.profile.extend_from_slice(&icc.bytes);
        }
        let (y, chroma) = self.scratch.split_at(y_width * y_height);
        let stride = planes.luma_size().width as usize;
        for (to, from) in planes.y.chunks_exact_mut(stride).zip(y.chunks_exact(y_width)) {
            let common = stride.min(y_width);
            to[..common].copy_from_slice(&from[..common]);
        }
        planes.repeat_edges();
        if planes.gray {
            return Ok(());
        }
        let (from_size, to_size) = (Size::new(c_width as u32, c_height as u32), planes.chroma_size());
        let (u, v) = chroma.split_at(c_width * c_height);
        for (to, from) in [(&mut planes.u, u), (&mut planes.v, v)] {
            if from_size == to_size {
                to.copy_from_slice(&from[..to_size.area()]);
            } else {
                scaler.plane(from, from_size, to, to_size)?;
            }
        }
        Ok(())
    }

    /// The long way, for pictures whose planes are no Y, U and V, or whose colours are to be others.
    fn decode_planes_from_rgb(
        &mut self,
        picture: &[u8],
        size: Size,
        profile: Option<&IccProfile<'_>>,
        planes: &mut Planes,
    ) -> Result<()> {
        let (mut pixels, mut data) = (vec![0; size.area()], vec![0; 4 * size.area()]);
        self.decompress(picture, size, profile, &mut pixels)?;
        for (to, pixel) in data.chunks_exact_mut(4).zip(pixels) {
            to.copy_from_slice(&pixel.to_le_bytes());
        }
        let format = crate::frame::PixelFormat::Bgrx;
        planes.fill(&Frame { data: data.into(), format, size, ..Frame::default() })
    }
}

fn decompressor() -> Result<Decompressor> {
    let mut turbo = Decompressor::new().map_err(|e| failed("decoder", e))?;
    turbo.set_scan_limit(PASSES).map_err(|e| failed("decoder", e))?;
    Ok(turbo)
}

/// turbojpeg gives its mere warnings as errors after decoding the picture, and only their text tells which.
fn judge(turbo: &mut Decompressor, picture: &[u8], decoded: turbojpeg::Result<()>) -> Result<()> {
    let Err(error) = decoded else { return Ok(()) };
    let text = error.to_string();
    // If it comes from reading the header, nothing was decoded.
    if text.contains("extraneous bytes before marker") && turbo.read_header(picture).is_ok() {
        return Ok(());
    }
    Err(Error::Failed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Vec<u8> {
        let (width, height, format) = (64, 64, PixelFormat::RGB);
        let pixels: Vec<u8> = (0..width * height * 3).map(|n| (n * 7919 % 251) as u8).collect();
        let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format };
        turbojpeg::compress(image, 90, Subsamp::Sub2x2).unwrap().to_vec()
    }

    #[test]
    fn what_browsers_show_is_decoded_though_the_decoder_complains() {
        let (plain, mut decoder) = (picture(), Decoder::new().unwrap());
        let mut shown = Bitmap::default();
        decoder.decode(&plain, &mut shown).unwrap();
        let sos = plain.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
        let mut revision = plain.clone();
        revision[11] = 2; // of JFIF
        let mut spectral = plain.clone();
        spectral[sos + 12] = 0; // the last coefficient of a sequential scan
        let adobe = [&[0xFF, 0xEE, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, 9]].concat();
        let transform = [&plain[..2], &adobe, &plain[20..]].concat(); // in place of the JFIF segment, which would decide
        for (name, odd) in [("JFIF 2", revision), ("spectral selection", spectral), ("Adobe transform 9", transform)] {
            assert!(
                decompressor().unwrap().read_header(&odd).is_err() || name.starts_with("spec"),
                "{name}: no complaint"
            );
            let mut bitmap = Bitmap::default();
            decoder.decode(&odd, &mut bitmap).unwrap();
            assert!(bitmap == shown, "{name}");
            let (mut planes, mut scaler) = (Planes::default(), Scaler::default());
            decoder.decode_planes(&odd, Size::new(64, 64), &mut planes, &mut scaler).unwrap();
        }
    }

    #[test]
    fn a_picture_that_lies_on_a_side_is_turned_and_the_next_is_as_ever() {
        let (data, size) = ((0..48 * 32 * 3).map(|n| (n / 48) as u8).collect::<Vec<_>>(), Size::new(48, 32));
        let image = Image { pixels: &data[..], width: 48, pitch: 144, height: 32, format: PixelFormat::RGB };
        let plain = turbojpeg::compress(image, 90, Subsamp::Sub2x2).unwrap().to_vec();
        // One that is decoded the other way, without its application segments.
        let adobe = [&[0xFF, 0xEE, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, 9]].concat();
        let odd = [&plain[..2], &adobe, &plain[20..]].concat();
        let (mut decoder, mut upright, mut bitmap) = (Decoder::new().unwrap(), Bitmap::default(), Bitmap::default());
        decoder.decode(&plain, &mut upright).unwrap();
        assert_eq!(upright.size, size);
        for number in (1..=8).chain([6, 1, 6, 6]) {
            let orientation = Orientation::new(number);
            for untold in [&plain, &odd] {
                let mut told = untold.clone();
                jpeg::put_orientation(orientation, &mut told, 0);
                decoder.decode(&told, &mut bitmap).unwrap();
                assert_eq!(bitmap.size, if number < 5 { size } else { Size::new(32, 48) });
                let mut expected = vec![0; size.area()];
                turn(&upright.pixels, size, Part::whole(size), orientation, &mut expected);
                assert!(bitmap.pixels == expected, "{number}");
            }
        }
        assert_eq!(decoder.turned.len(), size.area(), "its memory is kept");
    }

    #[test]
    fn a_profile_on_which_its_library_panics_spoils_no_picture() {
        let (mut picture, mut decoder) = (picture(), Decoder::new().unwrap());
        let (mut stored, mut bitmap) = (Bitmap::default(), Bitmap::default());
        decoder.decode(&picture, &mut stored).unwrap();
        jpeg::put_icc_profile(b"a profile of an RGB picture", &mut picture, 0);
        decoder.converter = super::super::icc::panicking(&jpeg::icc_profile(&picture).unwrap());
        decoder.decode(&picture, &mut bitmap).unwrap();
        assert!(bitmap == stored);
    }

    #[test]
    fn inks_are_shown_as_browsers_show_them() {
        let cmyk = include_bytes!("../../tests/data/jpeg/cmyk.jpg");
        let mut bitmap = Bitmap::default();
        let mut decoder = Decoder::new().unwrap();
        decoder.decode(cmyk, &mut bitmap).unwrap();
        let sum = |shift: u32| bitmap.pixels.iter().map(|p| u64::from(p >> shift & 255)).sum::<u64>();
        // A cloud of red and blue.
        assert!(sum(16) > 2 * sum(8) && sum(0) > 2 * sum(8), "{} {} {}", sum(16), sum(8), sum(0));
        let (mut planes, mut scaler) = (Planes::default(), Scaler::default());
        decoder.decode_planes(cmyk, Size::new(56, 40), &mut planes, &mut scaler).unwrap();
    }

    #[test]
    fn a_picture_larger_than_any_screen_is_refused_before_memory_is_made_for_it() {
        let mut huge = picture();
        let sof = huge.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        huge[sof + 5..sof + 9].fill(0xF0);
        let mut bitmap = Bitmap::default();
        assert!(Decoder::new().unwrap().decode(&huge, &mut bitmap).is_err());
        assert_eq!(bitmap.pixels.capacity(), 0);
    }

    /// A grey picture of one table and no more data than a scan must have.
    fn poison(width: u16, height: u16) -> Vec<u8> {
        let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
        let mut p = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
        p.extend([16; 64]);
        p.extend([0xFF, 0xC0, 0, 11, 8, h1, h0, w1, w0, 1, 1, 0x11, 0]);
        for class in [0, 0x10] {
            p.extend([0xFF, 0xC4, 0, 20, class, 1]);
            p.extend([0; 16]);
        }
        p.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
        p.extend([0; 8]);
        p.extend([0xFF, 0xD9]);
        p
    }

    #[test]
    fn no_picture_spoils_those_behind_it() {
        let (good, mut bitmap) = (picture(), Bitmap::default());
        let mut decoder = Decoder::new().unwrap().with_max_pixels(usize::MAX);
        for (width, height) in [(u16::MAX, 1), (1, u16::MAX), (65_501, 1), (65_500, 1), (3, 3)] {
            let bad = poison(width, height);
            // Past the check of its header as well, as if it had not been there.
            let mut pixels = vec![0; usize::from(width) * usize::from(height)];
            let size = Size::new(width.into(), height.into());
            let _ = decoder.decompress(&bad, size, None, &mut pixels);
            let _ = decoder.decode(&bad, &mut bitmap);
            let _ = decoder.decode(&bad[..bad.len() / 2], &mut bitmap);
            let (mut planes, mut scaler) = (Planes::default(), Scaler::default());
            let _ = decoder.decode_planes(&bad, size, &mut planes, &mut scaler);
            decoder.decode(&good, &mut bitmap).unwrap();
            decoder.decode_planes(&good, Size::new(8, 8), &mut planes, &mut scaler).unwrap();
            decoder.decode(&good, &mut bitmap).unwrap();
            assert_eq!(bitmap.size, Size::new(64, 64), "after {width}x{height}");
        }
    }

    #[test]
    fn the_limit_is_what_was_asked_for_and_a_large_bitmap_is_not_kept() {
        let (picture, mut bitmap) = (picture(), Bitmap::default());
        assert!(Decoder::new().unwrap().with_max_pixels(64 * 64 - 1).decode(&picture, &mut bitmap).is_err());
        bitmap.pixels = Vec::with_capacity(KEPT + 1);
        Decoder::new().unwrap().with_max_pixels(64 * 64).decode(&picture, &mut bitmap).unwrap();
        assert!(bitmap.pixels.capacity() < KEPT);
    }

    #[test]
    fn a_damaged_picture_is_broken_and_stray_bytes_are_not() {
        let mut decoder = Decoder::new().unwrap();
        let (whole, mut bitmap) = (picture(), Bitmap::default());
        decoder.decode(&whole, &mut bitmap).unwrap();
        let intact = bitmap.clone();
        assert!(decoder.decode(&whole[..whole.len() / 2], &mut bitmap).is_err(), "cut off");
        let mut stray = whole[..whole.len() - 2].to_vec();
        stray.extend([1, 2, 3, 0xFF, 0xD9]);
        decoder.decode(&stray, &mut bitmap).unwrap();
        assert!(bitmap == intact, "the whole picture in spite of the bytes");
        let mut header = whole.clone();
        header.splice(2..2, [1, 2, 3]);
        assert!(decoder.decode(&header, &mut bitmap).is_err(), "nothing was decoded");
        assert!(decoder.decode(b"no picture", &mut bitmap).is_err());
    }

    #[test]
    fn a_picture_is_decoded_no_larger_than_it_is_seen_and_as_a_whole_its_size_is_told() {
        let frame = Frame {
            data: vec![120; 640 * 480 * 3].into(),
            format: crate::frame::PixelFormat::Rgb,
            size: Size::new(640, 480),
            ..Frame::default()
        };
        let mut jpeg = Vec::new();
        crate::jpeg::Encoder::with_threads(1).unwrap().encode(&frame, frame.size, 80, &mut jpeg).unwrap();
        let (mut decoder, mut bitmap) = (Decoder::new().unwrap(), Bitmap::default());
        let mut seen = |turn: u16, crop: Option<Part>, room: Option<(u32, u32)>| {
            let room = room.map(|(width, height)| Size::new(width, height));
            let wanted = Wanted { turn: Orientation::new(turn), crop: crop.map(|crop| (crop, None)), room };
            assert_eq!(decoder.decode_for(&jpeg, &wanted, &mut bitmap).unwrap(), frame.size);
            assert_eq!(bitmap.pixels.len(), bitmap.size.area());
            assert!(bitmap.pixels.iter().all(|pixel| (pixel & 0xFF).abs_diff(120) < 4));
            (bitmap.size.width, bitmap.size.height)
        };
        assert_eq!(seen(1, None, None), (640, 480));
        assert_eq!(seen(6, None, None), (480, 640));
        assert_eq!([seen(1, None, Some((320, 900))), seen(1, None, Some((321, 900)))], [(320, 240), (640, 480)]);
        assert_eq!(seen(1, None, Some((1, 1))), (80, 60));
        assert_eq!(seen(6, None, Some((100, 160))), (120, 160), "as it is seen, and not as it lies");
        let part = Part { x: 320, y: 0, size: Size::new(160, 480) };
        assert_eq!([seen(1, Some(part), None), seen(8, Some(part), None)], [(160, 480), (480, 160)]);
        assert_eq!(seen(1, Some(part), Some((60, 240))), (80, 240));
        assert_eq!(seen(1, None, None), (640, 480), "and then as a whole again");
    }
}
