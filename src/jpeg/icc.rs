//! The colours of pictures that bring a colour profile, as sRGB, which is what a window shows.
//!
//! As Chromium does it: a profile that changes no colour by more than one step is none, its tables for a perceptual rendering count
//! more than those for a colorimetric one, and what lies outside of sRGB is cut off. A profile of inks is asked after black has been
//! mixed with the others, which makes dark colours a little paler than it says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use moxcms::{
    CmsError, ColorProfile, Layout, RenderingIntent, TransferCharacteristics, Transform8BitExecutor, TransformOptions,
};

use crate::wire::jpeg::{ColorSpace, IccProfile};

/// Pixels that are converted at a time: what one step writes is still in the nearest cache for the next.
const PIXELS: usize = 1024;

/// Converts pixels. A profile is read once for all pictures that have the same one, as those of a stream do.
#[derive(Default)]
pub(super) struct Converter {
    profile: Vec<u8>,
    space: Option<ColorSpace>,
    conversion: Conversion,
}

/// What a profile asks for.
#[derive(Default)]
enum Conversion {
    /// Nothing: it says sRGB.
    #[default]
    None,
    /// Nobody here knows.
    Unknown,
    /// Each value of grey is one of these pixels.
    Gray(Box<[u32; 256]>),
    /// From `R G B x`, or `C M Y K` of which 255 is all ink, to `R G B x`.
    Transform(Arc<Transform8BitExecutor>),
}

impl Converter {
    /// Whether colours are others without the profile, for whoever understands it.
    pub(super) fn matters(&mut self, profile: &IccProfile<'_>) -> bool {
        !matches!(self.conversion(profile), Conversion::None)
    }

    /// Whether colours are converted here.
    pub(super) fn converts(&mut self, profile: &IccProfile<'_>) -> bool {
        matches!(self.conversion(profile), Conversion::Gray(_) | Conversion::Transform(_))
    }

    /// Converts pixels `0x00RRGGBB`; inks have been turned into such pixels as if they had no profile. False: they have been
    /// spoilt.
    pub(super) fn convert(&mut self, profile: &IccProfile<'_>, pixels: &mut [u32]) -> bool {
        // Inks are what is not reflected. None of them is black any more.
        let ink = if profile.space == ColorSpace::Cmyk { 0xFF_FF_FF } else { 0 };
        let done = match self.conversion(profile) {
            Conversion::None | Conversion::Unknown => return true,
            Conversion::Gray(values) => {
                pixels.iter_mut().for_each(|pixel| *pixel = values[usize::from(*pixel as u8)]);
                return true;
            }
            Conversion::Transform(transform) => unharmed(|| {
                let mut room = [0; PIXELS];
                pixels.chunks_mut(PIXELS).try_for_each(|pixels| {
                    let from = &mut room[..pixels.len()];
                    for (to, from) in from.iter_mut().zip(&*pixels) {
                        *to = rgbx(*from ^ ink);
                    }
                    transform.transform(bytemuck::cast_slice(from), bytemuck::cast_slice_mut(pixels))?;
                    pixels.iter_mut().for_each(|pixel| *pixel = xrgb(*pixel));
                    Ok(())
                })
            }),
        };
        // A profile that has failed once is not asked again.
        if done.is_none() {
            self.conversion = Conversion::Unknown;
        }
        done.is_some()
    }

    fn conversion(&mut self, profile: &IccProfile<'_>) -> &Conversion {
        if self.space != Some(profile.space) || self.profile != *profile.bytes {
            self.space = Some(profile.space);
            self.profile.clear();
            self.profile.extend_from_slice(&profile.bytes);
            self.conversion = unharmed(|| conversion(profile)).unwrap_or(Conversion::Unknown);
        }
        &self.conversion
    }
}

fn conversion(profile: &IccProfile<'_>) -> Result<Conversion, CmsError> {
    let (from, to) = (ColorProfile::new_from_slice(&profile.bytes)?, ColorProfile::new_srgb());
    // Brighter than a window can be: how browsers dim it stands in no profile.
    let brighter = [TransferCharacteristics::Smpte2084, TransferCharacteristics::Hlg];
    if from.cicp.is_some_and(|cicp| brighter.contains(&cicp.transfer_characteristics)) {
        return Ok(Conversion::Unknown);
    }
    let rendering_intent = match (&from.lut_a_to_b_perceptual, &from.lut_a_to_b_colorimetric) {
        (None, Some(_)) => RenderingIntent::RelativeColorimetric,
        _ => RenderingIntent::Perceptual,
    };
    let options = TransformOptions { rendering_intent, allow_use_cicp_transfer: false, ..TransformOptions::default() };
    let layout = if profile.space == ColorSpace::Gray { Layout::Gray } else { Layout::Rgba };
    let transform = from.create_transform_8bit(layout, &to, Layout::Rgba, options)?;
    // Sixteen values of each colour.
    let colours = || (0..0x1000).map(|n: u32| ((n & 0xF00) << 8 | (n & 0xF0) << 4 | n & 0xF) * 0x11);
    Ok(match profile.space {
        ColorSpace::Gray => {
            let (greys, mut values): ([u8; 256], _) = (std::array::from_fn(|n| n as u8), Box::new([0; 256]));
            transform.transform(&greys, bytemuck::cast_slice_mut(&mut values[..]))?;
            values.iter_mut().for_each(|value| *value = xrgb(*value));
            if values.iter().zip(0..).all(|(value, n)| is_near(*value, n * 0x01_01_01)) {
                Conversion::None
            } else {
                Conversion::Gray(values)
            }
        }
        ColorSpace::Rgb => {
            let (before, mut after): (Vec<_>, _) = (colours().map(rgbx).collect(), vec![0; 0x1000]);
            transform.transform(bytemuck::cast_slice(&before), bytemuck::cast_slice_mut(&mut after))?;
            if after.into_iter().zip(colours()).all(|(after, before)| is_near(xrgb(after), before)) {
                Conversion::None
            } else {
                Conversion::Transform(transform)
            }
        }
        ColorSpace::Cmyk => Conversion::Transform(transform),
    })
}

/// Whether no colour differs by more than one step.
fn is_near(a: u32, b: u32) -> bool {
    a.to_be_bytes().into_iter().zip(b.to_be_bytes()).skip(1).all(|(a, b)| a.abs_diff(b) <= 1)
}

/// A number `0x00RRGGBB` as the bytes `R G B x`.
fn rgbx(pixel: u32) -> u32 {
    (pixel << 8).to_be()
}

/// The bytes `R G B x` as a number `0x00RRGGBB`.
fn xrgb(bytes: u32) -> u32 {
    u32::from_be(bytes) >> 8
}

/// What the library makes of bytes that come from anywhere; `None` where it does not like them, or panics.
fn unharmed<T>(act: impl FnOnce() -> Result<T, CmsError>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).ok()?.ok()
}

/// A conversion of this profile that panics.
#[cfg(test)]
pub(super) fn panicking(profile: &IccProfile<'_>) -> Converter {
    struct Panics;
    impl moxcms::TransformExecutor<u8> for Panics {
        fn transform(&self, _: &[u8], to: &mut [u8]) -> Result<(), CmsError> {
            to.fill(77);
            panic!("as asked by the test");
        }
    }
    let (space, conversion) = (Some(profile.space), Conversion::Transform(Arc::new(Panics)));
    Converter { profile: profile.bytes.to_vec(), space, conversion }
}

#[cfg(test)]
mod tests {
    use moxcms::{DataColorSpace, LutDataType, LutStore, LutType, LutWarehouse, Matrix3d};
    use turbojpeg::{Image, PixelFormat, Subsamp};

    use super::super::{Bitmap, Decoder};
    use super::*;
    use crate::wire::jpeg;

    fn flat(format: PixelFormat, pixel: &[u8]) -> Vec<u8> {
        let pixels = &pixel.repeat(16 * 16)[..];
        let image = Image { pixels, width: 16, pitch: 16 * pixel.len(), height: 16, format };
        let subsamp = if format == PixelFormat::GRAY { Subsamp::Gray } else { Subsamp::None };
        turbojpeg::compress(image, 100, subsamp).unwrap().to_vec()
    }

    fn with(profile: &[u8], picture: &[u8]) -> Vec<u8> {
        let mut picture = picture.to_vec();
        jpeg::put_icc_profile(profile, &mut picture, 0);
        picture
    }

    fn p3() -> Vec<u8> {
        ColorProfile::new_display_p3().encode().unwrap()
    }

    /// The one colour that is shown.
    fn shown(decoder: &mut Decoder, picture: &[u8]) -> [u8; 3] {
        let mut bitmap = Bitmap::default();
        decoder.decode(picture, &mut bitmap).unwrap();
        let first = bitmap.pixels[0] & 0xFF_FFFF;
        assert!(bitmap.pixels.iter().all(|pixel| pixel & 0xFF_FFFF == first));
        let [_, r, g, b] = first.to_be_bytes();
        [r, g, b]
    }

    fn are_near(a: [u8; 3], b: [u8; 3], most: u8) -> bool {
        a.into_iter().zip(b).all(|(a, b)| a.abs_diff(b) <= most)
    }

    /// Display P3 to sRGB by the definitions: both have one curve, and one white.
    fn srgb_of_p3(colour: [u8; 3]) -> [u8; 3] {
        let [r, g, b] = colour.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        [
            1.224_940_2 * r - 0.224_940_2 * g,
            -0.042_056_9 * r + 1.042_056_9 * g,
            -0.019_637_6 * r - 0.078_636_1 * g + 1.098_273_5 * b,
        ]
        .map(|value| {
            let value = value.clamp(0.0, 1.0);
            let value = if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
            (255.0 * value).round() as u8
        })
    }

    #[test]
    fn display_p3_is_shown_as_the_srgb_that_it_is() {
        let mut decoder = Decoder::new().unwrap();
        for colour in
            [[255, 0, 0], [200, 100, 50], [0, 255, 0], [20, 40, 90], [3, 2, 1], [128, 128, 128], [255, 255, 255]]
        {
            let plain = flat(PixelFormat::RGB, &colour);
            let stored = shown(&mut decoder, &plain);
            assert!(are_near(stored, colour, 2), "{stored:?} of {colour:?}");
            let converted = shown(&mut decoder, &with(&p3(), &plain));
            let expected = srgb_of_p3(stored);
            assert!(are_near(converted, expected, 1), "{converted:?} of {stored:?}, not {expected:?}");
            assert_eq!(shown(&mut decoder, &plain), stored, "the next one without a profile");
        }
        assert_eq!(srgb_of_p3([255, 0, 0]), [255, 0, 0]);
        assert_eq!(srgb_of_p3([200, 100, 50]), [215, 93, 31]);
    }

    #[test]
    fn a_profile_that_says_srgb_or_nothing_that_makes_sense_changes_nothing() {
        let mut decoder = Decoder::new().unwrap();
        let plain = flat(PixelFormat::RGB, &[200, 100, 50]);
        let stored = shown(&mut decoder, &plain);
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        for profile in [&srgb[..], &p3()[..200], &[&p3()[..128], &[0xFF; 400]].concat(), b"RGB "] {
            assert_eq!(shown(&mut decoder, &with(profile, &plain)), stored);
        }
        // Of other components than the picture's.
        let gray = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        assert_eq!(shown(&mut decoder, &with(&gray, &plain)), stored);
        assert_ne!(shown(&mut decoder, &with(&p3(), &plain)), stored);
    }

    #[test]
    fn a_profile_in_two_segments_counts_and_half_of_one_does_not() {
        let (mut decoder, profile) = (Decoder::new().unwrap(), p3());
        let plain = flat(PixelFormat::RGB, &[200, 100, 50]);
        let (stored, converted) = (shown(&mut decoder, &plain), shown(&mut decoder, &with(&profile, &plain)));
        let mut segments = Vec::new();
        for (number, half) in profile.chunks(profile.len().div_ceil(2)).enumerate() {
            segments.extend([&[0xFF, 0xE2][..], &(half.len() as u16 + 16).to_be_bytes(), b"ICC_PROFILE\0"].concat());
            segments.extend([&[number as u8 + 1, 2][..], half].concat());
        }
        let two = [&plain[..2], &segments, &plain[2..]].concat();
        assert_eq!(shown(&mut decoder, &two), converted);
        let half = [&plain[..2], &segments[..18 + profile.len().div_ceil(2)], &plain[2..]].concat();
        assert_eq!(shown(&mut decoder, &half), stored);
        assert_ne!(stored, converted);
    }

    #[test]
    fn every_pixel_is_converted_and_a_turned_picture_too() {
        let pixels: Vec<u8> = (0..67 * 61 * 3).map(|n| (n * 7919 % 251) as u8).collect();
        let image = Image { pixels: &pixels[..], width: 67, pitch: 67 * 3, height: 61, format: PixelFormat::RGB };
        let plain = turbojpeg::compress(image, 90, Subsamp::Sub2x2).unwrap().to_vec();
        let (mut decoder, mut bitmap) = (Decoder::new().unwrap(), Bitmap::default());
        for orientation in [1, 6] {
            let mut picture = plain.clone();
            jpeg::put_orientation(jpeg::Orientation::new(orientation), &mut picture, 0);
            decoder.decode(&picture, &mut bitmap).unwrap();
            let stored = bitmap.pixels.clone();
            decoder.decode(&with(&p3(), &picture), &mut bitmap).unwrap();
            for (converted, stored) in bitmap.pixels.iter().zip(stored) {
                let ([_, r, g, b], [_, stored @ ..]) = (converted.to_be_bytes(), stored.to_be_bytes());
                let expected = srgb_of_p3(stored);
                assert!(are_near([r, g, b], expected, 2), "{:?} of {stored:?}, not {expected:?}", [r, g, b]);
            }
        }
    }

    #[test]
    fn grey_pictures_have_profiles_of_grey_or_of_colours() {
        let mut decoder = Decoder::new().unwrap();
        let plain = flat(PixelFormat::GRAY, &[128]);
        assert_eq!(shown(&mut decoder, &plain), [128; 3]);
        let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        assert!(are_near(shown(&mut decoder, &with(&linear, &plain)), [188; 3], 1), "linear light");
        let mut colours = ColorProfile::new_srgb();
        for curve in [&mut colours.red_trc, &mut colours.green_trc, &mut colours.blue_trc] {
            *curve = Some(moxcms::curve_from_gamma(1.0));
        }
        colours.cicp = None;
        let colours = colours.encode().unwrap();
        assert!(are_near(shown(&mut decoder, &with(&colours, &plain)), [188; 3], 1), "linear light");
        assert_eq!(shown(&mut decoder, &with(&p3(), &plain)), [128; 3], "the same curve");
    }

    /// Where there is no ink at all it is black, and elsewhere white.
    fn negative_inks() -> Vec<u8> {
        let mut profile = ColorProfile::new_gray_with_gamma(1.0);
        (profile.gray_trc, profile.color_space, profile.pcs) = (None, DataColorSpace::Cmyk, DataColorSpace::Lab);
        let table = |channels| LutStore::Store16([0, 0xFFFF].repeat(channels));
        let clut = (0..16).flat_map(|corner| [if corner == 0 { 0 } else { 0xFF00 }, 0x8000, 0x8000]).collect();
        profile.lut_a_to_b_perceptual = Some(LutWarehouse::Lut(LutDataType {
            num_input_channels: 4,
            num_output_channels: 3,
            num_clut_grid_points: 2,
            matrix: Matrix3d::IDENTITY,
            num_input_table_entries: 2,
            num_output_table_entries: 2,
            input_table: table(4),
            clut_table: LutStore::Store16(clut),
            output_table: table(3),
            lut_type: LutType::Lut16,
        }));
        profile.encode().unwrap()
    }

    #[test]
    fn inks_are_shown_as_their_profile_says() {
        let (mut decoder, profile) = (Decoder::new().unwrap(), negative_inks());
        // As they are stored, 255 is no ink.
        for (inks, stored, converted) in [([255; 4], [255; 3], [0; 3]), ([255, 255, 255, 0], [0; 3], [255; 3])] {
            let plain = flat(PixelFormat::CMYK, &inks);
            assert!(are_near(shown(&mut decoder, &plain), stored, 3));
            let picture = with(&profile, &plain);
            let seen = shown(&mut decoder, &picture);
            assert!(are_near(seen, converted, 3), "{seen:?}");
            assert!(are_near(shown(&mut decoder, &with(&profile[..profile.len() / 2], &plain)), stored, 3));
            assert!(are_near(shown(&mut decoder, &with(&p3(), &plain)), stored, 3));
        }
    }

    #[test]
    fn a_profile_is_read_once_for_all_pictures_that_have_it() {
        let (profile, other) = (p3(), ColorProfile::new_adobe_rgb().encode().unwrap());
        let icc = |bytes: &[u8]| IccProfile { bytes: bytes.to_vec().into(), space: ColorSpace::Rgb };
        let mut converter = Converter::default();
        let mut transform = |bytes: &[u8]| match converter.conversion(&icc(bytes)) {
            Conversion::Transform(transform) => transform.clone(),
            _ => panic!("no transform"),
        };
        let first = transform(&profile);
        assert!(Arc::ptr_eq(&first, &transform(&profile)));
        assert!(!Arc::ptr_eq(&first, &transform(&other)));
        assert!(!Arc::ptr_eq(&first, &transform(&profile)));
    }

    #[test]
    fn a_library_that_panics_costs_its_colours_and_is_not_asked_again() {
        let icc = IccProfile { bytes: vec![1].into(), space: ColorSpace::Rgb };
        let (mut converter, mut pixels) = (panicking(&icc), vec![0x12_34_56; PIXELS + 1]);
        assert!(!converter.convert(&icc, &mut pixels));
        pixels.fill(0x12_34_56);
        assert!(converter.convert(&icc, &mut pixels), "it is left alone");
        assert!(pixels.iter().all(|pixel| *pixel == 0x12_34_56));
    }

    proptest::proptest! {
        #[test]
        fn damage_to_a_profile_costs_nothing_but_colours(
            damage in proptest::collection::vec((0usize..1700, 0u8..), 1..8),
            inks: bool,
        ) {
            let (mut profile, picture) = if inks {
                (negative_inks(), flat(PixelFormat::CMYK, &[9, 99, 199, 250]))
            } else {
                (p3(), flat(PixelFormat::RGB, &[200, 100, 50]))
            };
            for (at, byte) in damage {
                if let Some(place) = profile.get_mut(at) {
                    *place = byte;
                }
            }
            shown(&mut Decoder::new().unwrap(), &with(&profile, &picture));
        }
    }
}
