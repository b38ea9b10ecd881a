//! What stands in the way of a better picture now.

use serde::{Deserialize, Serialize};

/// The stage that limits the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
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

/// Percent of its time that a delivery loop works from which on pictures begin to wait for it.
pub const HUB_BUSY: u8 = 85;

/// What a stage needs for what was asked, and what it has, in the stage's own unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// For what was asked. 0: nothing, or nobody knows.
    pub needs: f64,
    /// What there is. 0: nobody knows.
    pub has: f64,
}

impl Stage {
    /// To three digits: what a person reads, and what does not change with every picture.
    #[must_use]
    pub fn new(needs: f64, has: f64) -> Self {
        let round = |value: f64| {
            // No number that a peer may send is one that JSON cannot hold any more.
            let value = if value.is_finite() { value.clamp(0.0, 1e12) } else { 0.0 };
            let digits = 2 - value.max(1e-3).log10().floor() as i32;
            // Divided, not multiplied by a tenth, so that 33.3 is written as 33.3.
            let scale = 10_f64.powi(digits.abs());
            if digits >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale }
        };
        Self { needs: round(needs), has: round(has) }
    }

    /// How busy it would be with what was asked; 1 is all it can, 0 is unknown or nothing.
    #[must_use]
    pub fn load(self) -> f64 {
        if self.needs > 0.0 && self.has > 0.0 { self.needs / self.has } else { 0.0 }
    }

    fn is_unknown(&self) -> bool {
        self.load() == 0.0
    }
}

/// Every stage of a picture's way, with what was asked of it. Stages that nobody knows of are left out of the JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Load {
    /// Pictures a second.
    #[serde(skip_serializing_if = "Stage::is_unknown")]
    pub camera: Stage,
    /// Milliseconds for all rungs of a frame, of those between frames.
    #[serde(skip_serializing_if = "Stage::is_unknown")]
    pub encoder: Stage,
    /// Bytes of a frame at the asked quality, of those that the uplink carries in an interval.
    #[serde(skip_serializing_if = "Stage::is_unknown")]
    pub uplink: Stage,
    /// Percent of the time that the delivery loop works, of those after which pictures begin to wait.
    #[serde(skip_serializing_if = "Stage::is_unknown")]
    pub hub: Stage,
    /// Bytes of a picture at the asked quality, of those that the way to the viewer carries in an interval.
    #[serde(skip_serializing_if = "Stage::is_unknown")]
    pub downlink: Stage,
    /// Milliseconds to decode a picture, of those between pictures.
    #[serde(skip_serializing_if = "Stage::is_unknown")]
    pub decoder: Stage,
}

impl Load {
    /// The same with numbers that make sense, whoever sent them.
    #[must_use]
    pub fn checked(self) -> Self {
        let check = |stage: Stage| Stage::new(stage.needs, stage.has);
        Self {
            camera: check(self.camera),
            encoder: check(self.encoder),
            uplink: check(self.uplink),
            hub: check(self.hub),
            downlink: check(self.downlink),
            decoder: check(self.decoder),
        }
    }

    /// The numbers behind a limit, for a person: `carries 14 of 37 kB a picture`. Empty for [`Limit::Nothing`].
    #[must_use]
    pub fn in_words(&self, limit: Limit) -> String {
        let kilobytes = |stage: Stage| {
            let digits = usize::from(stage.has < 9_950.0);
            format!("carries {:.digits$} of {:.0} kB a picture", stage.has / 1e3, stage.needs / 1e3)
        };
        match limit {
            Limit::Camera => format!("gives {:.1} of {:.1} fps", self.camera.has, self.camera.needs),
            Limit::Encoder => format!("takes {:.0} ms of {:.0}", self.encoder.needs, self.encoder.has),
            Limit::Uplink => kilobytes(self.uplink),
            Limit::Hub => format!("is busy {:.0} % of the time", self.hub.needs),
            Limit::Downlink => kilobytes(self.downlink),
            Limit::Decoder => format!("takes {:.0} ms of {:.0}", self.decoder.needs, self.decoder.has),
            Limit::Nothing => String::new(),
        }
    }
}

/// The stage with the highest load, if that is over what it can: everybody else would have to wait for it. Of two about
/// equal the one nearer to the camera, for it is the cause of what comes behind it.
#[must_use]
pub fn limit(load: &Load) -> Limit {
    // A camera at 29.2 of 30 fps is as asked; cameras do not keep time to the percent.
    let camera = if load.camera.load() > 1.07 { load.camera.load() } else { 0.0 };
    let stages = [
        (Limit::Camera, camera),
        (Limit::Encoder, load.encoder.load()),
        (Limit::Uplink, load.uplink.load()),
        (Limit::Hub, load.hub.load()),
        (Limit::Downlink, load.downlink.load()),
        (Limit::Decoder, load.decoder.load()),
    ];
    let mut worst = (Limit::Nothing, 1.0_f64);
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

    fn of(load: f64) -> Stage {
        Stage::new(load * 100.0, 100.0)
    }

    #[test]
    fn nothing_limits_while_every_stage_keeps_up() {
        let load = Load {
            camera: of(1.02),
            encoder: of(0.1),
            uplink: of(0.4),
            hub: of(0.2),
            downlink: of(0.9),
            decoder: of(0.3),
        };
        assert_eq!(limit(&load), Limit::Nothing);
        assert_eq!(limit(&Load::default()), Limit::Nothing);
    }

    #[test]
    fn the_stage_that_is_furthest_behind_is_named() {
        assert_eq!(limit(&Load { camera: of(2.0), encoder: of(0.5), ..Load::default() }), Limit::Camera);
        assert_eq!(limit(&Load { uplink: of(1.5), downlink: of(3.0), ..Load::default() }), Limit::Downlink);
        assert_eq!(limit(&Load { decoder: of(1.4), ..Load::default() }), Limit::Decoder);
        assert_eq!(limit(&Load { uplink: of(2.0), downlink: of(2.1), ..Load::default() }), Limit::Uplink);
    }

    #[test]
    fn it_is_one_word_in_json_and_for_people_with_the_numbers_behind_it() {
        assert_eq!(serde_json::to_string(&Limit::Downlink).unwrap(), "\"downlink\"");
        assert_eq!(Limit::Nothing.to_string(), "nothing");
        let load = Load { downlink: Stage::new(37_412.0, 4_201.0), camera: Stage::new(30.0, 14.87), ..Load::default() };
        assert_eq!(load.in_words(Limit::Downlink), "carries 4.2 of 37 kB a picture");
        assert_eq!(load.in_words(Limit::Camera), "gives 14.9 of 30.0 fps");
        assert_eq!(load.in_words(Limit::Nothing), "");
    }

    #[test]
    fn stages_that_nobody_knows_of_are_not_in_the_json() {
        let load = Load { uplink: Stage::new(30_000.0, 10_000.0), hub: Stage::new(0.0, 90.0), ..Load::default() };
        let json = serde_json::to_string(&load).unwrap();
        assert_eq!(json, r#"{"uplink":{"needs":30000.0,"has":10000.0}}"#);
        assert_eq!(
            serde_json::from_str::<Load>(r#"{"uplink":{"needs":30000,"has":10000},"more":1}"#).unwrap().uplink,
            load.uplink
        );
        assert_eq!(Stage::new(f64::NAN, f64::INFINITY), Stage::default());
    }

    #[test]
    fn what_a_peer_made_up_can_still_be_passed_on_as_json() {
        let load: Load =
            serde_json::from_str(r#"{"camera":{"needs":1e300,"has":-1},"hub":{"needs":3e38,"has":1}}"#).unwrap();
        let json = serde_json::to_string(&load.checked()).unwrap();
        assert!(serde_json::from_str::<Load>(&json).is_ok(), "{json}");
    }
}
