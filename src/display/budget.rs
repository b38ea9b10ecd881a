//! The parts of a picture's age as they are shown: rounded so that they add up to the age beside them.

/// Parts in words, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InWords {
    pub(super) parts: Vec<String>,
    /// `-` where a part is not known, and so the sum is not either.
    pub(super) sum: String,
}

/// Puts parts and their sum into words.
///
/// Each part is told as its median, and medians do not add up to the median of the age: the difference is shared out in proportion,
/// and what rounding leaves goes to the parts that lost most by it. So what is shown is the age, and each part is off by a
/// digit and a half of the last place at most beyond that share.
pub(super) fn in_words(parts: &[Option<f64>], age: Option<f64>) -> InWords {
    let clean = |part: &Option<f64>| part.filter(|value| value.is_finite()).map(|value| value.max(0.0));
    let clean: Vec<Option<f64>> = parts.iter().map(clean).collect();
    let known: f64 = clean.iter().flatten().sum();
    let is_whole = clean.iter().all(Option::is_some);
    let total = age.filter(|age| age.is_finite() && *age >= 0.0 && is_whole).unwrap_or(known);
    let (unit, digits) = match total {
        v if v < 0.995 => (0.01, 2),
        v if v < 99.5 => (0.1, 1),
        _ => (1.0, 0),
    };
    let whole = (total / unit).round();
    let scale = if known > 0.0 { whole / known } else { 0.0 };
    let exact: Vec<_> = clean.iter().map(|part| part.map(|value| value * scale)).collect();
    let mut units: Vec<_> = exact.iter().map(|part| part.map(f64::floor)).collect();
    let mut left = whole - units.iter().flatten().sum::<f64>();
    let mut order: Vec<usize> = (0..parts.len()).filter(|n| exact.get(*n).is_some_and(Option::is_some)).collect();
    let lost = |n: &usize| exact.get(*n).copied().flatten().map_or(0.0, f64::fract);
    order.sort_by(|a, b| lost(b).total_cmp(&lost(a)));
    for n in order {
        if left < 0.5 || known <= 0.0 {
            break;
        }
        if let Some(Some(part)) = units.get_mut(n) {
            *part += 1.0;
            left -= 1.0;
        }
    }
    let words = |units: f64| format!("{:.digits$} ms", units * unit);
    let sum = if is_whole { words(whole) } else { "-".into() };
    InWords { parts: units.into_iter().map(|part| part.map_or_else(|| "-".into(), words)).collect(), sum }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(words: &str) -> f64 {
        words.strip_suffix(" ms").unwrap().parse().unwrap()
    }

    proptest! {
        #[test]
        fn the_parts_that_are_shown_add_up_to_the_sum_that_is_shown(
            parts in proptest::array::uniform8(0.0..400.0_f64),
            off in 0.5..1.5_f64,
        ) {
            let age: f64 = parts.iter().sum::<f64>() * off;
            let told = in_words(&parts.map(Some), Some(age));
            let unit = if age < 0.995 { 0.01 } else if age < 99.5 { 0.1 } else { 1.0 };
            let sum: f64 = told.parts.iter().map(|part| number(part)).sum();
            prop_assert!((sum - number(&told.sum)).abs() < unit / 10.0, "{told:?}");
            prop_assert!((number(&told.sum) - age).abs() <= unit / 2.0 + 1e-9);
            for (words, part) in told.parts.iter().zip(parts) {
                prop_assert!((number(words) - part * off).abs() <= unit * 1.5 + 1e-9, "{words} of {part}");
            }
        }
    }

    #[test]
    fn what_is_not_known_has_no_sum() {
        let told = in_words(&[Some(1.0), None, Some(2.04), Some(0.0), Some(f64::NAN), Some(-1.0), None], Some(9.0));
        assert_eq!(told.sum, "-");
        assert_eq!(told.parts[..4], ["1.0 ms", "-", "2.0 ms", "0.0 ms"]);
        assert_eq!(in_words(&[None; 7], None).parts[0], "-");
        assert_eq!(in_words(&[Some(0.0); 7], Some(0.0)).sum, "0.00 ms");
    }
}
