//! A short beep on each second of the wall clock, for measurements: together with a picture that shows the time, it tells how much
//! later sound is heard than its picture is seen.

use std::time::Duration;

use super::{RATE, Samples};

/// How high it is, in hertz.
pub const PITCH: f32 = 1000.0;
/// How long it is.
pub const LENGTH: Duration = Duration::from_millis(100);
/// How loud, of full scale.
const LOUDNESS: f32 = 0.5;

/// A frame that begins at this time of the wall clock.
pub fn fill(samples: &mut Samples, wall: Duration) {
    let begins = f64::from(wall.subsec_nanos()) / 1e9;
    for (n, sample) in samples.iter_mut().enumerate() {
        let at = (begins + n as f64 / f64::from(RATE)).fract() as f32;
        let is_on = at < LENGTH.as_secs_f32();
        *sample = if is_on { (at * PITCH * std::f32::consts::TAU).sin() * LOUDNESS } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::super::FRAME;
    use super::*;

    #[test]
    fn it_begins_on_the_second_wherever_a_frame_does() {
        for begins in [990_000_000, 981_000_010, 0] {
            let mut samples = [0.0; FRAME];
            fill(&mut samples, Duration::new(7, begins));
            let first = samples.iter().position(|s| s.abs() > 0.01).unwrap();
            let late = (u64::from(begins) + first as u64 * 1_000_000_000 / 48_000) % 1_000_000_000;
            assert!(late < 50_000, "{begins}: {late} ns");
        }
        let mut samples = [1.0; FRAME];
        fill(&mut samples, Duration::from_millis(500));
        assert_eq!(samples, [0.0; FRAME]);
    }
}
