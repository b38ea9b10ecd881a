//! How pictures are to be turned and cut, as it was typed.

use clap::Args;

use crate::cli::geometry::{part, quarter_turns};
use crate::jpeg::{Part, Wanted};
use crate::wire::jpeg::Orientation;

/// A picture is cut, then rotated, then mirrored, then flipped.
#[derive(Args, Debug)]
pub(super) struct TurnOptions {
    /// Rotate what is seen by so many degrees, clockwise; here alone: others see it as it is sent, and S saves it so
    #[arg(long, value_name = "90|180|270", env = "STREAMFLOW_ROTATE", help_heading = "Window", value_parser = quarter_turns,
          conflicts_with = "headless")]
    rotate: Option<u8>,
    /// Mirror what is seen: left and right change places
    #[arg(long, env = "STREAMFLOW_MIRROR", help_heading = "Window", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "headless")]
    mirror: bool,
    /// Flip what is seen: top and bottom change places
    #[arg(long, env = "STREAMFLOW_FLIP", help_heading = "Window", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "headless")]
    flip: bool,
    /// Show this part alone: width, height, and how far it is from the left and from the top, in pixels of the picture as it is
    /// when nothing limits it, before it is turned
    #[arg(long, value_name = "WxH+X+Y", env = "STREAMFLOW_CROP", help_heading = "Window", value_parser = part, conflicts_with = "headless")]
    crop: Option<Part>,
}

impl TurnOptions {
    /// What they come to.
    pub(super) fn wanted(&self) -> Wanted {
        let turn = Orientation::of_turns(self.rotate.unwrap_or(0), self.mirror, self.flip);
        Wanted { turn, crop: self.crop.map(|crop| (crop, None)), room: None }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::frame::Size;

    #[derive(Parser, Debug)]
    struct Options {
        #[arg(long)]
        headless: bool,
        #[command(flatten)]
        turn: TurnOptions,
    }

    fn wanted(line: &[&str]) -> Result<Wanted, String> {
        let options = Options::try_parse_from([&["test"][..], line].concat()).map_err(|error| error.to_string())?;
        Ok(options.turn.wanted())
    }

    #[test]
    fn what_was_typed_is_done_in_the_order_of_the_help() {
        let turn = |line: &[&str]| wanted(line).unwrap().turn.number();
        assert_eq!(turn(&[]), 1);
        assert_eq!([turn(&["--rotate", "90"]), turn(&["--rotate", "180"]), turn(&["--rotate", "270"])], [6, 3, 8]);
        assert_eq!([turn(&["--mirror"]), turn(&["--flip"]), turn(&["--flip", "--mirror"])], [2, 4, 3]);
        assert_eq!(turn(&["--mirror", "--rotate", "90"]), 5, "rotated first: what is right on the screen is left then");
        let (crop, of) = wanted(&["--crop", "320x240+16+9"]).unwrap().crop.unwrap();
        assert_eq!((crop, of), (Part { x: 16, y: 9, size: Size::new(320, 240) }, None));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_how_to_write_it() {
        for line in [&["--rotate", "45"][..], &["--crop", "320x240"], &["--crop", "0x2+1+1"], &["--crop", "3x2+1+1+1"]]
        {
            let said = wanted(line).unwrap_err();
            assert!(said.contains("write "), "{line:?}: {said}");
        }
        assert!(wanted(&["--headless", "--flip"]).unwrap_err().contains("cannot be used with"));
    }
}
