//! Pixels as cameras give them: YUYV, BT.601 of limited range.

/// Writes rows of `width` pixels, an even number, each `stride` bytes long.
pub(super) fn write(pixels: &[u32], width: usize, stride: usize, to: &mut [u8]) {
    for (row, to) in pixels.chunks_exact(width.max(1)).zip(to.chunks_mut(stride.max(1))) {
        for (pair, to) in row.chunks_exact(2).zip(to.chunks_exact_mut(4)) {
            let ([_, r0, g0, b0], [_, r1, g1, b1]) = (pair[0].to_be_bytes(), pair[1].to_be_bytes());
            let [r0, g0, b0, r1, g1, b1] = [r0, g0, b0, r1, g1, b1].map(i32::from);
            let luma = |r: i32, g: i32, b: i32| ((66 * r + 129 * g + 25 * b + 128) >> 8) + 16;
            // Of both pixels together.
            let (r, g, b) = (r0 + r1, g0 + g1, b0 + b1);
            let u = ((-38 * r - 74 * g + 112 * b + 256) >> 9) + 128;
            let v = ((112 * r - 94 * g - 18 * b + 256) >> 9) + 128;
            to.copy_from_slice(&[luma(r0, g0, b0), u, luma(r1, g1, b1), v].map(|n| n.clamp(0, 255) as u8));
        }
    }
}

/// Makes a picture grey and dark, as one that is old.
pub(super) fn dim(picture: &mut [u8]) {
    for pair in picture.chunks_exact_mut(2) {
        pair[0] = 16 + pair[0].saturating_sub(16) / 2;
        pair[1] = 128;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_bt_601_and_rows_may_be_longer_than_pictures() {
        let colours = [
            (0x0000_0000, [16, 128, 128]),
            (0x00FF_FFFF, [235, 128, 128]),
            (0x00FF_0000, [82, 90, 240]),
            (0x0000_00FF, [41, 240, 110]),
        ];
        for (pixel, [y, u, v]) in colours {
            let mut bytes = [7; 12];
            write(&[pixel; 4], 2, 6, &mut bytes);
            assert_eq!(bytes, [y, u, y, v, 7, 7, y, u, y, v, 7, 7], "{pixel:06x}");
        }
        let mut bytes = [235, 128, 82, 240];
        dim(&mut bytes);
        assert_eq!(bytes, [125, 128, 49, 128]);
    }
}
