//! Sound at another rate, or a little faster or slower than it came: by a windowed sinc, whose place between two samples is exact to
//! a part in 256.

use super::within_full_scale;

/// Samples on each side of a place that it is made of.
const HALF: usize = 16;
const TAPS: usize = 2 * HALF;
/// Places between two samples for which the filter is known.
const PHASES: usize = 256;
/// What is heard of the highest tones at the lower of the two rates: above it they would come back as others.
const PASSES: f64 = 0.94;
/// How far the speed may be off the nominal: 0.5 % is not heard.
pub const MOST_SPEED: f64 = 0.005;
/// No rates are further apart.
const MOST_RATIO: f64 = 48.0;

/// Makes sound of one rate of that of another.
pub struct Resampler {
    filter: Vec<[f32; TAPS]>,
    input: Vec<f32>,
    /// Where the next sample lies in the input.
    place: f64,
    ratio: f64,
    speed: f64,
}

impl Resampler {
    /// From so many samples a second to so many.
    #[must_use]
    pub fn new(from: u32, to: u32) -> Self {
        let ratio = (f64::from(from.max(1)) / f64::from(to.max(1))).clamp(1.0 / MOST_RATIO, MOST_RATIO);
        let cutoff = PASSES * (1.0 / ratio).min(1.0);
        let filter = (0..=PHASES).map(|phase| taps(phase as f64 / PHASES as f64, cutoff)).collect();
        // The first sample that goes in is the first that comes out.
        Self { filter, input: vec![0.0; HALF], place: HALF as f64, ratio, speed: 1.0 }
    }

    /// Plays so much faster: 1.001 takes 0.1 % more input.
    pub fn set_speed(&mut self, speed: f64) {
        self.speed = speed.clamp(1.0 - MOST_SPEED, 1.0 + MOST_SPEED);
    }

    /// Adds input.
    pub fn push(&mut self, samples: &[f32]) {
        self.input.extend(samples.iter().copied().map(within_full_scale));
    }

    /// How many samples of the input lie ahead of what comes out next.
    #[must_use]
    pub fn ahead(&self) -> f64 {
        (self.input.len() as f64 - self.place).max(0.0)
    }

    /// The next samples within full scale, as many as there is input for; says how many.
    pub fn pull(&mut self, out: &mut [f32]) -> usize {
        let step = self.ratio * self.speed;
        let mut made = 0;
        for sample in out.iter_mut() {
            let first = self.place as usize;
            let Some(around) = first.checked_sub(HALF - 1).and_then(|from| self.input.get(from..from + TAPS)) else {
                break;
            };
            let exact = (self.place - first as f64) * PHASES as f64;
            let (phase, part) = (exact as usize, exact.fract() as f32);
            let (Some(one), Some(other)) = (self.filter.get(phase), self.filter.get(phase + 1)) else { break };
            let mix = |taps: &[f32; TAPS]| around.iter().zip(taps).map(|(sample, tap)| sample * tap).sum::<f32>();
            *sample = within_full_scale(mix(one) * (1.0 - part) + mix(other) * part);
            self.place += step;
            made += 1;
        }
        // What nothing more is made of goes, now and then and in one go.
        let spent = (self.place as usize).saturating_sub(HALF).min(self.input.len());
        if spent >= 2048 {
            self.input.drain(..spent);
            self.place -= spent as f64;
        }
        made
    }
}

fn taps(phase: f64, cutoff: f64) -> [f32; TAPS] {
    let at = |n: usize| n as f64 - (HALF - 1) as f64 - phase;
    let weigh = |x: f64| {
        let sinc = if x.abs() < 1e-9 {
            cutoff
        } else {
            (std::f64::consts::PI * x * cutoff).sin() / (std::f64::consts::PI * x)
        };
        let edge = x / HALF as f64;
        let window = 0.42 + 0.5 * (std::f64::consts::PI * edge).cos() + 0.08 * (std::f64::consts::TAU * edge).cos();
        if edge.abs() < 1.0 { sinc * window } else { 0.0 }
    };
    let all: [f64; TAPS] = std::array::from_fn(|n| weigh(at(n)));
    // What is steady stays as it is.
    let sum: f64 = all.iter().sum();
    all.map(|tap| (tap / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| (n as f64 * hertz / f64::from(rate) * std::f64::consts::TAU).sin() as f32 * 0.5)
            .collect()
    }

    /// How often a tone goes up through nothing.
    fn pitch(samples: &[f32], rate: u32) -> f64 {
        let ups = samples.windows(2).filter(|two| two[0] < 0.0 && two[1] >= 0.0).count();
        ups as f64 * f64::from(rate) / samples.len() as f64
    }

    fn all(resampler: &mut Resampler, input: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        let mut part = [0.0; 441];
        for piece in input.chunks(960) {
            resampler.push(piece);
            loop {
                let made = resampler.pull(&mut part);
                out.extend_from_slice(&part[..made]);
                if made < part.len() {
                    break;
                }
            }
        }
        out
    }

    #[test]
    fn tones_stay_what_they_are_at_every_rate() {
        for (from, to) in
            [(48_000, 48_000), (44_100, 48_000), (48_000, 44_100), (8000, 48_000), (48_000, 16_000), (192_000, 48_000)]
        {
            let out = all(&mut Resampler::new(from, to), &tone(1000.0, from, 2.0));
            assert!(
                out.len().abs_diff(2 * to as usize) < 20 + 16 * to as usize / from as usize,
                "{from} {to}: {}",
                out.len()
            );
            assert!((pitch(&out, to) - 1000.0).abs() < 2.0, "{from} {to}: {}", pitch(&out, to));
            let loudest = out[200..].iter().fold(0.0f32, |max, sample| max.max(sample.abs()));
            assert!((0.47..0.53).contains(&loudest), "{from} {to}: {loudest}");
        }
    }

    #[test]
    fn at_the_same_rate_nothing_changes() {
        let input = tone(3000.0, 48_000, 0.5);
        let out = all(&mut Resampler::new(48_000, 48_000), &input);
        let off = input.iter().zip(&out).skip(20).fold(0.0f32, |max, (a, b)| max.max((a - b).abs()));
        assert!(off < 0.01, "{off}");
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_not_heard_as_another_tone() {
        let out = all(&mut Resampler::new(48_000, 16_000), &tone(11_000.0, 48_000, 1.0));
        let loudest = out[200..out.len() - 200].iter().fold(0.0f32, |max, sample| max.max(sample.abs()));
        assert!(loudest < 0.02, "{loudest}");
    }

    #[test]
    fn what_comes_out_is_within_full_scale_whatever_goes_in() {
        // A full-scale tone of half the rate that jumps where the filter has its middle adds up to twice full scale.
        let mut resampler = Resampler::new(44_100, 48_000);
        let jumps = (0..4410).map(|n| if (n + n / 21) % 2 == 0 { 1.0 } else { -1.0 });
        let no_sound = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 7.0, -1e30];
        for input in [jumps.collect::<Vec<f32>>(), no_sound.to_vec(), vec![0.5; 4410]] {
            let out = all(&mut resampler, &input);
            let loudest =
                out.iter().fold(0.0, |most: f32, sample| if sample.is_finite() { most.max(sample.abs()) } else { 9.0 });
            assert!(loudest <= 1.0, "{loudest}");
        }
    }

    #[test]
    fn faster_takes_more_and_never_too_much() {
        let mut resampler = Resampler::new(48_000, 48_000);
        resampler.set_speed(1.002);
        let out = all(&mut resampler, &tone(500.0, 48_000, 10.0));
        assert!(out.len().abs_diff((480_000.0 / 1.002) as usize) < 40, "{}", out.len());
        resampler.set_speed(7.0);
        let out = all(&mut resampler, &tone(500.0, 48_000, 1.0));
        assert!(out.len() > 47_700, "{}", out.len());
        assert!(resampler.input.len() < 5000, "nothing grows: {}", resampler.input.len());
    }
}
