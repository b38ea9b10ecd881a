//! What is made of the pictures before they are sent: the options, and what they mean.

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::cli::geometry::{part, quarter_turns};
use crate::frame::Size;
use crate::jpeg::{Corner, Part};
use crate::publisher::{Shape, Stamp};

#[derive(Args, Debug)]
pub(super) struct PictureOptions {
    /// Width and height of what is sent [default: 640x480 from a camera, its own from elsewhere]. A camera is asked for it; the picture
    /// keeps its aspect and fits in
    #[arg(long, value_name = "WxH", env = "STREAMFLOW_SIZE", help_heading = "Source")]
    pub(super) size: Option<Size>,
    /// Cover --size and cut off what is over, instead of fitting in
    #[arg(long, env = "STREAMFLOW_FILL", help_heading = "Picture", value_parser = FalseyValueParser::new())]
    fill: bool,
    /// Cut a part out, X pixels from the left and Y from the top; it is cut first, then turned, then gets its size
    #[arg(long, value_name = "WxH+X+Y", env = "STREAMFLOW_CROP", help_heading = "Picture", value_parser = part)]
    crop: Option<Part>,
    /// Turn clockwise by 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES", env = "STREAMFLOW_ROTATE", help_heading = "Picture", value_parser = quarter_turns)]
    rotate: Option<u8>,
    /// Mirror the picture: left and right change places (after --rotate)
    #[arg(long, env = "STREAMFLOW_MIRROR", help_heading = "Picture", value_parser = FalseyValueParser::new())]
    mirror: bool,
    /// Flip the picture: top and bottom change places (after --rotate)
    #[arg(long, env = "STREAMFLOW_FLIP", help_heading = "Picture", value_parser = FalseyValueParser::new())]
    flip: bool,
    /// Write a line into each picture, as '%F %T.%3f {name}': what begins with % is the time at which it was taken, as in
    /// strftime; {name}, {room} and {host} (this machine) are names
    #[arg(long, value_name = "TEXT", env = "STREAMFLOW_STAMP", help_heading = "Picture")]
    stamp: Option<String>,
    /// Where the line of --stamp stands: top-left, top-right, bottom-left, bottom-right [default: bottom-left]
    #[arg(
        long,
        value_name = "CORNER",
        env = "STREAMFLOW_STAMP_POSITION",
        help_heading = "Picture",
        value_parser = corner
    )]
    stamp_position: Option<Corner>,
    /// How high the letters of --stamp are, in percent of the picture's height, 1 to 25 [default: 4]
    #[arg(long, value_name = "PERCENT", env = "STREAMFLOW_STAMP_SIZE", help_heading = "Picture", value_parser = percent)]
    stamp_size: Option<f32>,
}

impl PictureOptions {
    /// What they say together.
    pub(super) fn shape(&self) -> crate::Result<Shape> {
        let default = Stamp::default();
        let stamp = self.stamp.clone().map(|text| Stamp {
            text,
            corner: self.stamp_position.unwrap_or(default.corner),
            percent: self.stamp_size.unwrap_or(default.percent),
        });
        if stamp.is_none() && (self.stamp_position.is_some() || self.stamp_size.is_some()) {
            return Err(crate::Error::Usage("--stamp-position and --stamp-size need --stamp".into()));
        }
        if self.fill && self.size.is_none() {
            return Err(crate::Error::Usage("--fill needs --size".into()));
        }
        Ok(Shape {
            crop: self.crop,
            quarter_turns: self.rotate.unwrap_or(0),
            mirror: self.mirror,
            flip: self.flip,
            size: self.size,
            fill: self.fill,
            stamp,
        })
    }
}

fn corner(text: &str) -> Result<Corner, String> {
    Ok(match text {
        "top-left" => Corner::TopLeft,
        "top-right" => Corner::TopRight,
        "bottom-left" => Corner::BottomLeft,
        "bottom-right" => Corner::BottomRight,
        _ => return Err("write top-left, top-right, bottom-left or bottom-right".into()),
    })
}

fn percent(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|n| (1.0..=25.0).contains(n)).ok_or_else(|| "write percent of the height, 1 to 25".into())
}
