//! Scaling, with its scratch memory.

use fast_image_resize::images::{TypedCroppedImageMut, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::failed;
use crate::Result;
use crate::frame::Size;

/// Scales pictures up or down, bilinear; when it shrinks, every pixel counts, so that nothing flickers.
///
/// The kinds of pixels are types: chosen at run time, all kinds that the crate knows would be in the program, 4 MB of it.
#[derive(Default)]
pub struct Scaler(Resizer);

impl Scaler {
    /// Scales pixels of `0x00RRGGBB`, without gaps between rows.
    ///
    /// # Errors
    /// When a slice is shorter than its size says.
    pub fn pixels(&mut self, from: &[u32], from_size: Size, to: &mut [u32], to_size: Size) -> Result<()> {
        self.scale::<U8x4>(bytemuck::cast_slice(from), from_size, bytemuck::cast_slice_mut(to), to_size)
    }

    /// Scales pixels into a part of a larger picture: `part` pixels from the corner `at` on.
    ///
    /// # Errors
    /// When a slice is shorter than its size says, or the part sticks out.
    pub fn fit(
        &mut self,
        from: &[u32],
        from_size: Size,
        to: &mut [u32],
        to_size: Size,
        at: (u32, u32),
        part: Size,
    ) -> Result<()> {
        let from = image::<U8x4>(bytemuck::cast_slice(from), from_size)?;
        let to = image_mut::<U8x4>(bytemuck::cast_slice_mut(to), to_size)?;
        let mut to =
            TypedCroppedImageMut::new(to, at.0, at.1, part.width, part.height).map_err(|e| failed("scaling", e))?;
        self.0.resize_typed(&from, &mut to, &options()).map_err(|e| failed("scaling", e))
    }

    /// Scales one plane of bytes, without gaps between rows.
    ///
    /// # Errors
    /// When a slice is shorter than its size says.
    pub fn plane(&mut self, from: &[u8], from_size: Size, to: &mut [u8], to_size: Size) -> Result<()> {
        self.scale::<U8>(from, from_size, to, to_size)
    }

    fn scale<P: PixelTrait>(&mut self, from: &[u8], from_size: Size, to: &mut [u8], to_size: Size) -> Result<()> {
        let (from, mut to) = (image::<P>(from, from_size)?, image_mut::<P>(to, to_size)?);
        self.0.resize_typed(&from, &mut to, &options()).map_err(|e| failed("scaling", e))
    }
}

fn image<P: PixelTrait>(bytes: &[u8], size: Size) -> Result<TypedImageRef<'_, P>> {
    TypedImageRef::from_buffer(size.width, size.height, bytes).map_err(|e| failed("scaling", e))
}

fn image_mut<P: PixelTrait>(bytes: &mut [u8], size: Size) -> Result<TypedImage<'_, P>> {
    TypedImage::from_buffer(size.width, size.height, bytes).map_err(|e| failed("scaling", e))
}

fn options() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_takes_every_pixel_into_account() {
        let stripes: Vec<u32> = (0..64 * 64).map(|n| if n % 2 == 0 { 0x00FF_FFFF } else { 0 }).collect();
        let mut small = vec![0; 16 * 16];
        Scaler::default().pixels(&stripes, Size::new(64, 64), &mut small, Size::new(16, 16)).unwrap();
        assert!(small.iter().all(|p| (0x60..0xA0).contains(&(p & 0xFF))), "grey, not stripes: {:x?}", &small[..4]);
    }

    #[test]
    fn a_slice_that_is_too_short_is_an_error() {
        let mut to = [0; 4];
        assert!(Scaler::default().plane(&[0; 15], Size::new(4, 4), &mut to, Size::new(2, 2)).is_err());
    }
}
