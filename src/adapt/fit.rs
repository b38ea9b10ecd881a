//! At which quality and size does the next picture come out at so many bytes?

use std::time::Duration;

use crate::time::Micros;

use super::ANY;

/// The sizes a picture is scaled to, in eighths of each side.
const SCALES: [u8; 5] = [8, 6, 4, 3, 2];

/// Bytes of a JPEG that depend on nothing: markers and tables.
const TABLES: f64 = 600.0;

/// What is aimed at, of the bytes allowed: half of all pictures come out larger than expected.
const AIM: f64 = 0.92;

/// What may come out, of the bytes allowed, before the picture is encoded again.
const OVER: f64 = 1.15;

/// How long a larger scale must have promised to fit before it is taken: a change of size is seen.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much better than the least quality a larger scale must promise to look.
const MARGIN: f64 = 10.0;

/// How one picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// Each side in eighths of the full one: 8, 6, 4, 3 or 2.
    pub eighths: u8,
}

/// The fit of one rung: learns how bytes follow quality on this scene.
///
/// libjpeg's quality sets a factor on the quantisation tables, `5000 / q` below 50 and `200 - 2 q` above, in percent. Over
/// that factor a picture's bytes follow a power law: on five pictures of street footage at three quarters of the size
/// the exponent is -0.65 to -0.71 from quality 25 to 90. At full size, where that footage was JPEG already, it is -0.4 to
/// -0.8, so it is learned as well. Two numbers describe a scene at one size, its complexity and its exponent. The first comes from
/// every picture, the second from pairs of pictures at different qualities.
#[derive(Clone, Debug)]
pub struct Fit {
    least: u8,
    /// Bytes beyond the tables at factor 1, for each scale; 0 is unknown.
    complexity: [f64; SCALES.len()],
    exponent: f64,
    scale: usize,
    /// Since when the next larger scale would fit.
    larger_since: Option<Micros>,
    last: Option<(usize, f64, f64)>,
}

impl Fit {
    /// A fit that keeps quality at or over `least` (25 unless the user says otherwise) as long as a smaller size helps.
    #[must_use]
    pub fn new(least: u8) -> Self {
        Self {
            least: least.clamp(1, 100),
            complexity: [0.0; SCALES.len()],
            exponent: 0.67,
            scale: 0,
            larger_since: None,
            last: None,
        }
    }

    /// How to encode the next picture so that it has at most `bytes` ([`ANY`]: no bound) and at most quality `best`.
    pub fn choose(&mut self, bytes: u32, best: u8, now: Micros) -> Encoding {
        let best = f64::from(best.clamp(1, 100));
        if bytes == ANY || self.complexity.iter().all(|&c| c == 0.0) {
            // Nothing known: a middling quality for a bounded picture, and the answer teaches.
            self.scale = if bytes == ANY { 0 } else { self.scale };
            let quality = if bytes == ANY { best } else { best.min(50.0) };
            return Encoding { quality: quality as u8, eighths: SCALES[self.scale] };
        }
        let least = f64::from(self.least).min(best);
        let aim = (f64::from(bytes) * AIM - TABLES).max(64.0);
        while self.scale + 1 < SCALES.len() && self.quality_for(self.scale, aim) < least {
            self.scale += 1;
            self.larger_since = None;
        }
        if self.scale > 0 && self.quality_for(self.scale - 1, aim) >= (least + MARGIN).min(best) {
            if now.since(*self.larger_since.get_or_insert(now)) >= PATIENCE {
                self.scale -= 1;
                self.larger_since = None;
            }
        } else {
            self.larger_since = None;
        }
        let quality = self.quality_for(self.scale, aim).clamp(least, best);
        Encoding { quality: quality as u8, eighths: SCALES[self.scale] }
    }

    /// As [`choose`](Self::choose), at full size whatever that costs: below the least quality pictures are larger than
    /// `bytes`.
    pub fn choose_full(&mut self, bytes: u32, best: u8) -> Encoding {
        (self.scale, self.larger_since) = (0, None);
        let best = best.clamp(1, 100);
        let quality = match self.complexity_at(0) {
            _ if bytes == ANY => best,
            None => best.min(50),
            Some(_) => {
                let aim = (f64::from(bytes) * AIM - TABLES).max(64.0);
                self.quality_for(0, aim).clamp(f64::from(self.least.min(best)), f64::from(best)) as u8
            }
        };
        Encoding { quality, eighths: SCALES[0] }
    }

    /// Tells how many bytes came out. `true` means that it is far over `bytes` and can be helped: choose and encode again,
    /// once. A scene that changed at a stroke costs one encoding more and no late picture.
    pub fn encoded(&mut self, encoding: Encoding, came_out: usize, bytes: u32) -> bool {
        let Some(at) = SCALES.iter().position(|&e| e == encoding.eighths) else { return false };
        let content = (came_out as f64 - TABLES).max(64.0);
        let factor = factor(f64::from(encoding.quality));
        if let Some((_, before, had)) =
            self.last.filter(|&(scale, before, _)| scale == at && (before / factor).ln().abs() > 0.15)
        {
            let slope = (content / had).ln() / (before / factor).ln();
            self.exponent += (slope.clamp(0.35, 0.95) - self.exponent) * 0.1;
        }
        self.last = Some((at, factor, content));
        let seen = content * factor.powf(self.exponent);
        let known = self.complexity[at];
        if known > 0.0 {
            // A change of scene is a change at every size.
            let change = (seen / known).powf(0.7);
            for complexity in &mut self.complexity {
                *complexity *= change;
            }
        } else {
            self.complexity[at] = seen;
        }
        let can_shrink = encoding.quality > self.least || at + 1 < SCALES.len();
        bytes != ANY && came_out as f64 > f64::from(bytes) * OVER && can_shrink
    }

    /// The bytes that a picture at full size and this quality would have; `None` before the first picture.
    #[must_use]
    pub fn expects(&self, quality: u8) -> Option<u32> {
        let complexity = self.complexity_at(0)?;
        Some((TABLES + complexity * factor(f64::from(quality)).powf(-self.exponent)).min(f64::from(ANY - 1)) as u32)
    }

    /// The quality at which a picture of this scale has so many bytes beyond its tables; 0 if none is that small.
    fn quality_for(&self, scale: usize, content: f64) -> f64 {
        let Some(complexity) = self.complexity_at(scale) else { return 50.0 };
        let factor = (complexity / content).powf(1.0 / self.exponent);
        if factor > 1.0 { 50.0 / factor } else { 100.0 - 50.0 * factor }
    }

    /// The complexity at a scale; where none was seen, from the nearest that was: bytes follow the area to the power
    /// of 0.75, for small pictures have more detail in each pixel.
    fn complexity_at(&self, scale: usize) -> Option<f64> {
        let known = (0..SCALES.len()).filter(|&s| self.complexity[s] > 0.0).min_by_key(|s| s.abs_diff(scale))?;
        let sides = f64::from(SCALES[scale]) / f64::from(SCALES[known]);
        Some(self.complexity[known] * sides.powf(1.5))
    }
}

/// libjpeg's factor on the quantisation tables; 1 at quality 50.
fn factor(quality: f64) -> f64 {
    let quality = quality.clamp(1.0, 99.5);
    if quality < 50.0 { 50.0 / quality } else { 2.0 - quality / 50.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of street footage at 640x480, measured with libjpeg-turbo: three quarters of the size at each quality.
    fn street(e: Encoding, times: f64) -> usize {
        let curve =
            [(10, 3278), (25, 5673), (35, 7015), (50, 8883), (60, 10347), (70, 12818), (80, 16977), (90, 27141)];
        let q = i32::from(e.quality);
        let at = curve.windows(2).position(|w| q <= w[1].0).unwrap_or(curve.len() - 2);
        let ((q0, b0), (q1, b1)) = (curve[at], curve[at + 1]);
        let bytes = f64::from(b0) + f64::from(b1 - b0) * f64::from(q - q0) / f64::from(q1 - q0);
        (bytes * times * (f64::from(e.eighths) / 6.0).powf(1.55)) as usize
    }

    fn run(fit: &mut Fit, bytes: u32, from: &mut u64, pictures: u32, times: f64) -> (Encoding, usize) {
        let mut last = (Encoding { quality: 0, eighths: 8 }, 0);
        for _ in 0..pictures {
            *from += 33_333;
            let mut e = fit.choose(bytes, 80, Micros(*from));
            let mut out = street(e, times);
            if fit.encoded(e, out, bytes) {
                e = fit.choose(bytes, 80, Micros(*from));
                out = street(e, times);
                fit.encoded(e, out, bytes);
            }
            last = (e, out);
        }
        last
    }

    #[test]
    fn without_a_bound_the_asked_quality_is_used() {
        let mut fit = Fit::new(25);
        assert_eq!(fit.choose(ANY, 80, Micros(0)), Encoding { quality: 80, eighths: 8 });
    }

    #[test]
    fn a_few_pictures_are_enough_to_hit_the_bytes() {
        for bytes in [10_500, 12_000, 16_000, 20_000] {
            let (mut fit, mut t) = (Fit::new(25), 0);
            let (e, out) = run(&mut fit, bytes, &mut t, 6, 1.0);
            assert!(out <= bytes as usize && out >= bytes as usize * 3 / 4, "{bytes}: {out} at {e:?}");
            assert_eq!(e.eighths, 8);
        }
    }

    #[test]
    fn pictures_get_smaller_when_quality_alone_cannot_fit_and_large_again_when_it_can() {
        let (mut fit, mut t) = (Fit::new(25), 0);
        let (e, out) = run(&mut fit, 3_300, &mut t, 90, 1.0);
        assert!(e.eighths < 8 && e.quality >= 25 && out <= 3_300 * 115 / 100, "{out} at {e:?}");
        let (e, out) = run(&mut fit, 16_000, &mut t, 150, 1.0);
        assert!(e.eighths == 8 && e.quality >= 50, "{out} at {e:?}");
        assert_eq!(run(&mut fit, ANY, &mut t, 2, 1.0).0, Encoding { quality: 80, eighths: 8 });
    }

    #[test]
    fn a_pinned_size_stays_and_quality_falls_to_the_least() {
        let mut fit = Fit::new(25);
        for (bytes, quality) in [(ANY, 80..=80), (12_000, 25..=60), (3_000, 25..=25), (ANY, 80..=80)] {
            let mut last = fit.choose_full(bytes, 80);
            for _ in 0..6 {
                fit.encoded(last, street(last, 1.0), bytes);
                last = fit.choose_full(bytes, 80);
            }
            assert!(last.eighths == 8 && quality.contains(&last.quality), "{bytes}: {last:?}");
        }
    }

    #[test]
    fn a_scene_that_changes_at_a_stroke_fits_at_once() {
        let (mut fit, mut t) = (Fit::new(25), 0);
        run(&mut fit, 14_000, &mut t, 30, 1.0);
        let (e, out) = run(&mut fit, 14_000, &mut t, 1, 1.8);
        assert!(out <= 14_000 * 115 / 100, "{out} at {e:?}");
    }

    #[test]
    fn a_bound_that_nothing_fits_gives_the_smallest_picture_there_is() {
        let (mut fit, mut t) = (Fit::new(25), 0);
        let (e, _) = run(&mut fit, 300, &mut t, 30, 1.0);
        assert_eq!(e, Encoding { quality: 25, eighths: 2 });
    }
}
