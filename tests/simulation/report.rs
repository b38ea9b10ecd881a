//! What a viewer saw, summed up.

use crate::world::Seen;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) fps: f64,
    /// Ages in milliseconds.
    pub p50: f64,
    pub p99: f64,
    pub(crate) max: f64,
    pub(crate) bytes: f64,
    pub(crate) quality: f64,
    /// Mean side, of the full one.
    pub(crate) side: f64,
    /// Milliseconds of age gained an hour, by least squares.
    pub(crate) slope: f64,
}

/// The pictures seen between two times, in seconds.
pub(crate) fn report(seen: &[Seen], from: f64, to: f64) -> Report {
    let seen: Vec<&Seen> = seen.iter().filter(|s| (from..to).contains(&(s.at as f64 / 1e6))).collect();
    let count = seen.len().max(1) as f64;
    let mut ages: Vec<f64> = seen.iter().map(|s| s.age as f64 / 1e3).collect();
    ages.sort_by(f64::total_cmp);
    let at = |q: f64| ages.get(((ages.len() as f64 * q) as usize).min(ages.len().saturating_sub(1)));
    let mean = |f: &dyn Fn(&Seen) -> f64| seen.iter().map(|s| f(s)).sum::<f64>() / count;
    let (mean_at, mean_age) = (mean(&|s| s.at as f64 / 3.6e9), mean(&|s| s.age as f64 / 1e3));
    let spread = mean(&|s| (s.at as f64 / 3.6e9 - mean_at).powi(2));
    let together = mean(&|s| (s.at as f64 / 3.6e9 - mean_at) * (s.age as f64 / 1e3 - mean_age));
    Report {
        fps: seen.len() as f64 / (to - from),
        p50: at(0.5).copied().unwrap_or(f64::INFINITY),
        p99: at(0.99).copied().unwrap_or(f64::INFINITY),
        max: ages.last().copied().unwrap_or(f64::INFINITY),
        bytes: mean(&|s| s.bytes as f64),
        quality: mean(&|s| f64::from(s.quality)),
        side: mean(&|s| f64::from(s.eighths) / 8.0),
        slope: together / spread.max(1e-12),
    }
}
