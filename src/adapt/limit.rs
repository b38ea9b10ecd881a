//! What stands in the way of a better picture now.

use serde::Serialize;

/// The stage that limits the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The camera gives fewer pictures than asked.
    Camera,
    /// Encoding takes longer than pictures are apart.
    Encoder,
    /// The way from the publisher to the hub carries less than the asked quality has.
    Uplink,
    /// The hub is busy.
    Hub,
    /// The way from the hub to the viewer carries less than the asked quality has.
    Downlink,
    /// The viewer decodes more slowly than pictures come.
    Decoder,
    /// Everything asked is shown.
    #[default]
    Nothing,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Camera => "camera",
            Self::Encoder => "encoder",
            Self::Uplink => "uplink",
            Self::Hub => "hub",
            Self::Downlink => "downlink",
            Self::Decoder => "decoder",
            Self::Nothing => "nothing",
        })
    }
}

/// How busy each stage would be with what was asked: the time it takes for each picture over the time between asked
/// pictures, or what was asked of it over what it can. 1 is all it can; 0 is unknown or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    /// Asked pictures a second over those the camera gives.
    pub camera: f32,
    /// Time to encode all rungs of a frame over the interval.
    pub encoder: f32,
    /// Bytes a frame at the asked quality over [`crate::adapt::Ladder::bytes`] of the uplink.
    pub uplink: f32,
    /// Time the delivery loop takes for one frame of all its viewers over the interval.
    pub hub: f32,
    /// Bytes of a picture at the asked quality over [`crate::adapt::Ladder::bytes`] of the viewer.
    pub downlink: f32,
    /// Time to decode and show a picture over the interval, or
    /// [`crate::credit::Credit::decoder_interval`] over it where that is more.
    pub decoder: f32,
}

/// The stage with the highest load, if that is over what it can: everybody else would have to wait for it. Of two about
/// equal the one nearer to the camera, for it is the cause of what comes behind it.
#[must_use]
pub fn limit(load: &Load) -> Limit {
    // A camera at 29.2 of 30 fps is as asked; cameras do not keep time to the percent.
    let camera = if load.camera > 1.07 { load.camera } else { 0.0 };
    let stages = [
        (Limit::Camera, camera),
        (Limit::Encoder, load.encoder),
        (Limit::Uplink, load.uplink),
        (Limit::Hub, load.hub),
        (Limit::Downlink, load.downlink),
        (Limit::Decoder, load.decoder),
    ];
    let mut worst = (Limit::Nothing, 1.0_f32);
    for (stage, share) in stages {
        if share > worst.1 * if worst.0 == Limit::Nothing { 1.0 } else { 1.1 } {
            worst = (stage, share);
        }
    }
    worst.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_limits_while_every_stage_keeps_up() {
        let load = Load { camera: 1.02, encoder: 0.1, uplink: 0.4, hub: 0.2, downlink: 0.9, decoder: 0.3 };
        assert_eq!(limit(&load), Limit::Nothing);
        assert_eq!(limit(&Load::default()), Limit::Nothing);
    }

    #[test]
    fn the_stage_that_is_furthest_behind_is_named() {
        assert_eq!(limit(&Load { camera: 2.0, encoder: 0.5, ..Load::default() }), Limit::Camera);
        assert_eq!(limit(&Load { uplink: 1.5, downlink: 3.0, ..Load::default() }), Limit::Downlink);
        assert_eq!(limit(&Load { decoder: 1.4, ..Load::default() }), Limit::Decoder);
        assert_eq!(limit(&Load { uplink: 2.0, downlink: 2.1, ..Load::default() }), Limit::Uplink);
    }

    #[test]
    fn it_is_one_word_in_json_and_for_people() {
        assert_eq!(serde_json::to_string(&Limit::Downlink).unwrap(), "\"downlink\"");
        assert_eq!(Limit::Nothing.to_string(), "nothing");
    }
}
