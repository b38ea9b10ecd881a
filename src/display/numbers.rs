//! Numbers as they are shown in a window: short, and none that is odd.

/// At least nothing, and finite.
pub(super) fn finite(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

/// `0.42 ms`, `4.2 ms`, `42 ms`, `4.20 s`; `-` where nobody knows.
pub(super) fn milliseconds(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".into() };
    match finite(value) {
        v if v < 0.995 => format!("{v:.2} ms"),
        v if v < 99.5 => format!("{v:.1} ms"),
        v if v < 999.5 => format!("{v:.0} ms"),
        v => format!("{:.2} s", v / 1000.0),
    }
}

/// `829 kB/s`, `12.3 MB/s`.
pub(super) fn rate(kbytes: f64) -> String {
    match finite(kbytes) {
        v if v < 9_999.5 => format!("{v:.0} kB/s"),
        v => format!("{:.1} MB/s", v / 1000.0),
    }
}

/// `1234567`, `12.3 M`.
pub(super) fn count(value: u64) -> String {
    match value {
        0..=9_999_999 => value.to_string(),
        _ => format!("{:.1} M", value as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_odd_ones_are_none() {
        assert_eq!(
            [0.0, 0.42, 2.34, 42.0, 420.0, 4_200.0, f64::NAN, -1.0].map(|value| milliseconds(Some(value))),
            ["0.00 ms", "0.42 ms", "2.3 ms", "42.0 ms", "420 ms", "4.20 s", "0.00 ms", "0.00 ms"]
        );
        assert_eq!(milliseconds(None), "-");
        assert_eq!(
            (rate(1153.4), rate(f64::INFINITY), count(u64::MAX / 2)),
            ("1153 kB/s".into(), "0 kB/s".into(), "9223372036854.8 M".into())
        );
    }
}
