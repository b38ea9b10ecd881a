//! What limits the picture, in words; the window itself included, of which nobody else knows.

use crate::adapt::Limit;
use crate::stats::ViewReport;

/// Of the time between pictures, what the window may take before it is what limits them.
const BUSY: f64 = 0.8;

/// In words, and whether anything limits. `display_ms`: what the window takes for a picture.
pub(super) fn limit_in_words(report: &ViewReport, display_ms: Option<f64>) -> (String, bool) {
    let fps = if report.nominal.fps > 0.0 { report.nominal.fps } else { report.fps };
    let between = 1000.0 / fps.max(0.001);
    match (report.limit, display_ms) {
        (Limit::Nothing, Some(ms)) if ms > BUSY * between => (format!("display {ms:.0} ms of {between:.0} ms"), true),
        (Limit::Nothing, _) => (Limit::Nothing.to_string(), false),
        (limit, _) => (format!("{limit} {}", report.load.in_words(limit)), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_takes_as_long_as_pictures_are_apart_is_named_and_nothing_else_is() {
        let report = ViewReport { fps: 30.0, ..ViewReport::default() };
        assert_eq!(limit_in_words(&report, Some(31.0)), ("display 31 ms of 33 ms".into(), true));
        assert_eq!(limit_in_words(&report, Some(9.0)), ("nothing".into(), false));
        assert_eq!(limit_in_words(&report, None), ("nothing".into(), false));
        let other = ViewReport { limit: Limit::Uplink, ..report };
        let (words, limits) = limit_in_words(&other, Some(31.0));
        assert!(limits && words.starts_with("uplink"), "{words}");
    }
}
