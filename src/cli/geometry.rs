//! Parts and turns of pictures as they are typed.

use crate::jpeg::Part;

/// `320x240+100+50`: a size, and how far it is from the left and from the top.
pub(super) fn part(text: &str) -> Result<Part, String> {
    let place = |text: &str| text.parse().ok().filter(|n: &u32| *n <= 16_384);
    let parts: Vec<&str> = text.split('+').collect();
    let part = match parts[..] {
        [size, x, y] => size.parse().ok().and_then(|size| Some(Part { x: place(x)?, y: place(y)?, size })),
        _ => None,
    };
    part.ok_or_else(|| "write WIDTHxHEIGHT+X+Y, sides 16 to 16384, such as 320x240+100+50".into())
}

/// Degrees, clockwise, as quarters.
pub(super) fn quarter_turns(text: &str) -> Result<u8, String> {
    match text {
        "0" => Ok(0),
        "90" => Ok(1),
        "180" => Ok(2),
        "270" | "-90" => Ok(3),
        _ => Err("write 90, 180 or 270".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    #[test]
    fn parts_are_read_as_people_write_them() {
        assert_eq!(part("320x240+100+50"), Ok(Part { x: 100, y: 50, size: Size::new(320, 240) }));
        for wrong in ["", "320x240", "320x240+1", "320x240+1+2+3", "+1+2", "320x240+-1+0", "320x240+1+99999", "1x1+0+0"]
        {
            assert!(part(wrong).is_err_and(|why| why.contains("320x240+100+50")), "{wrong}");
        }
    }
}
