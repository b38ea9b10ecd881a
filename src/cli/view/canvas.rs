//! Pictures of one size, whatever comes: who reads raw pixels was told their size once.

use crate::error::Result;
use crate::frame::Size;
use crate::jpeg::{Bitmap, Scaler};

/// Room for one picture. One of another size fits in, with black beside it where its aspect is another.
pub(super) struct Canvas {
    size: Size,
    pixels: Vec<u32>,
    scaler: Scaler,
    /// Where the last picture lay that did not fill it by itself; `None`: what is there is none.
    part: Option<((u32, u32), Size)>,
}

impl Canvas {
    pub(super) fn new(size: Size) -> Self {
        Self { size, pixels: Vec::new(), scaler: Scaler::default(), part: None }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// The pixels of a picture in this size.
    ///
    /// # Errors
    /// It has not as many pixels as it says.
    pub(super) fn draw<'a>(&'a mut self, bitmap: &'a Bitmap) -> Result<&'a [u32]> {
        if bitmap.size == self.size {
            return Ok(&bitmap.pixels);
        }
        let part = placed(bitmap.size, self.size);
        if self.part != Some(part) {
            self.pixels.clear();
            self.pixels.resize(self.size.area(), 0);
            self.part = Some(part);
        }
        let (corner, size) = part;
        self.scaler.fit(&bitmap.pixels, bitmap.size, &mut self.pixels, self.size, corner, size)?;
        Ok(&self.pixels)
    }
}

/// Where a picture lies in this room: corner and size.
fn placed(picture: Size, room: Size) -> ((u32, u32), Size) {
    let size = picture.fitted_into(room, true);
    let size = Size::new(size.width.clamp(1, room.width), size.height.clamp(1, room.height));
    (((room.width - size.width) / 2, (room.height - size.height) / 2), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bitmap(width: u32, height: u32, colour: u32) -> Bitmap {
        let size = Size::new(width, height);
        Bitmap { pixels: vec![colour; size.area()], size }
    }

    #[test]
    fn a_picture_of_another_size_fits_in_with_black_beside_it_and_nothing_left_of_the_one_before() {
        let mut canvas = Canvas::new(Size::new(64, 48));
        assert_eq!(canvas.draw(&bitmap(64, 48, 7)).unwrap(), [7; 64 * 48], "as it is");
        let (wide, high) = (bitmap(128, 48, 0x00FF_FFFF), bitmap(24, 48, 0x00FF_FFFF));
        let wide = canvas.draw(&wide).unwrap();
        assert_eq!([wide[0], wide[64 * 47]], [0, 0], "above and below");
        assert_eq!(wide[64 * 24 + 32] & 0x00FF_FFFF, 0x00FF_FFFF);
        let high = canvas.draw(&high).unwrap();
        assert_eq!([high[64 * 24], high[64 * 24 + 63]], [0, 0], "at the sides");
        assert_eq!(high[32] & 0x00FF_FFFF, 0x00FF_FFFF);
        for (width, height) in [(1, 1), (65_500, 1), (1, 65_500), (16, 12)] {
            let ((x, y), size) = placed(Size::new(width, height), Size::new(64, 48));
            assert!(size.area() > 0 && x + size.width <= 64 && y + size.height <= 48, "{width}x{height}");
        }
    }
}
