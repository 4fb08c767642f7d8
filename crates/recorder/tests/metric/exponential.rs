//! The exponential histogram beside a slow model: logarithms digit by digit, and all values kept.
use millrace_recorder::metric::ExponentialHistogram;
use millrace_recorder::metric::exponential::{SCALE_MAX, SCALE_MIN, bucket};
use millrace_wire::encode::Number;
use proptest::prelude::*;

/// A value as a power of two and what it is multiplied by: a number from one to two, in 63 bits after the point.
fn taken_apart(value: f64) -> (i64, u128) {
    let bits = value.to_bits();
    let exponent = i64::try_from(bits >> 52).unwrap() - 1023;
    let mantissa = u128::from(bits & ((1 << 52) - 1)) | 1 << 52;
    (exponent, mantissa << 11)
}

/// The index of the bucket of a normal value, and whether the last digits leave no doubt about it.
///
/// Squaring a number from one to two gives the next binary digit of its logarithm; this is how it is done by hand.
fn slow_bucket(scale: u32, value: f64) -> (i64, bool) {
    let one: u128 = 1 << 63;
    let (mut index, mut rest) = taken_apart(value);
    for _ in 0..scale {
        rest = (rest * rest) >> 63;
        index <<= 1;
        if rest >= one << 1 {
            rest >>= 1;
            index |= 1;
        }
    }
    // Each squaring doubles the error; the upper bound belongs to the bucket below.
    let doubt: u128 = 1 << (scale + 2);
    if scale == 0 || rest - one > doubt && (one << 1) - rest > doubt {
        return (if rest == one { index - 1 } else { index }, true);
    }
    (index, false)
}

fn positive() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::NORMAL.prop_map(f64::abs),
        (0.001f64..1000.0),
        (-300i32..300).prop_map(|exponent| 2.0f64.powi(exponent)),
        (1u32..100_000).prop_map(f64::from),
    ]
}

proptest! {
    #[test]
    fn a_value_lies_in_the_bucket_that_a_logarithm_digit_by_digit_says(value in positive(), scale in 0u32..=20) {
        let (expected, is_certain) = slow_bucket(scale, value);
        let index = i64::from(bucket(scale.cast_signed(), value));
        if is_certain || value.to_bits() & ((1 << 52) - 1) == 0 {
            let exact = if value.to_bits() & ((1 << 52) - 1) == 0 {
                (taken_apart(value).0 << scale) - 1
            } else {
                expected
            };
            prop_assert!((index - exact).abs() <= i64::from(scale > 16), "{} instead of {}", index, exact);
        } else {
            prop_assert!((index - expected).abs() <= 1);
        }
    }

    #[test]
    fn the_bucket_at_a_smaller_scale_holds_the_bucket_at_a_greater_one(value in positive(), scale in SCALE_MIN..SCALE_MAX) {
        prop_assert_eq!(bucket(scale, value), bucket(scale + 1, value) >> 1);
    }

    #[test]
    fn a_histogram_is_as_fine_as_its_size_allows_and_holds_every_value(
        values in prop::collection::vec((positive(), any::<bool>()), 0..60),
        zeros in 0u64..5,
        size_max in 2usize..40,
    ) {
        let mut histogram = ExponentialHistogram::new(SCALE_MAX);
        for (value, is_negative) in &values {
            histogram.update(size_max, Number::Double(if *is_negative { -value } else { *value }));
        }
        for _ in 0..zeros {
            histogram.update(size_max, Number::Int(0));
        }
        let of = |negative: bool| -> Vec<f64> {
            values.iter().filter(|(_, is_negative)| *is_negative == negative).map(|(value, _)| *value).collect()
        };
        let (positive, negative) = (of(false), of(true));
        let scale = (SCALE_MIN..=SCALE_MAX)
            .rev()
            .find(|scale| [&positive, &negative].iter().all(|side| width(*scale, side) <= i64::try_from(size_max).unwrap()))
            .unwrap();
        if !values.is_empty() {
            prop_assert_eq!(histogram.scale(), scale);
        }
        for (side, values) in [(&histogram.positive, &positive), (&histogram.negative, &negative)] {
            let mut indices: Vec<i32> = values.iter().map(|value| bucket(scale, *value)).collect();
            indices.sort_unstable();
            let counted: Vec<i32> = (side.offset..)
                .zip(&side.counts)
                .flat_map(|(index, count)| std::iter::repeat_n(index, usize::try_from(*count).unwrap()))
                .collect();
            prop_assert_eq!(counted, indices);
        }
        prop_assert_eq!(histogram.zero_count, zeros);
        prop_assert_eq!(histogram.summary.count, values.len() as u64 + zeros);
    }
}

/// How many buckets the values need.
fn width(scale: i32, values: &[f64]) -> i64 {
    let indices: Vec<i64> = values
        .iter()
        .map(|value| i64::from(bucket(scale, *value)))
        .collect();
    match (indices.iter().min(), indices.iter().max()) {
        (Some(first), Some(last)) => last - first + 1,
        _ => 0,
    }
}

#[test]
fn one_value_has_the_greatest_scale() {
    let mut histogram = ExponentialHistogram::new(SCALE_MAX);
    histogram.update(160, Number::Double(3.7));
    assert_eq!(
        (histogram.scale(), histogram.positive.counts.len()),
        (20, 1)
    );
}

#[test]
fn two_buckets_hold_every_double() {
    let mut histogram = ExponentialHistogram::new(SCALE_MAX);
    for value in [f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0, 2.0] {
        histogram.update(2, Number::Double(value));
    }
    assert_eq!(histogram.scale(), SCALE_MIN);
    assert_eq!(histogram.positive.counts.iter().sum::<u64>(), 5);
}
