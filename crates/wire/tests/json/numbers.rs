//! J3, J6 and J7: integers of all 64 bits as numbers or strings, doubles with their special values, times as strings.

use crate::check::{assert_says, metric, profile, span, value};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use proptest::prelude::*;

fn int(text: &str) -> i64 {
    match value(&format!(r#"{{"intValue":{text}}}"#)).unwrap() {
        Some(Value::IntValue(int)) => int,
        other => panic!("{other:?}"),
    }
}

fn double(text: &str) -> f64 {
    match value(&format!(r#"{{"doubleValue":{text}}}"#)).unwrap() {
        Some(Value::DoubleValue(double)) => double,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_no_int(text: &str, phrase: &str) {
    assert_says(value(&format!(r#"{{"intValue":{text}}}"#)), phrase);
}

#[track_caller]
fn assert_no_double(text: &str, phrase: &str) {
    assert_says(value(&format!(r#"{{"doubleValue":{text}}}"#)), phrase);
}

#[test]
fn j3_an_integer_is_read_from_a_string() {
    assert_eq!(int(r#""-12""#), -12);
}

#[test]
fn j3_an_integer_is_read_from_a_number() {
    assert_eq!(int("12"), 12);
}

#[test]
fn j3_a_number_above_2_to_the_53_keeps_its_last_digit() {
    assert_eq!(int("9007199254740993"), 9_007_199_254_740_993);
}

#[test]
fn j3_the_ends_of_the_range_are_read() {
    assert_eq!(
        (int(r#""9223372036854775807""#), int("-9223372036854775808")),
        (i64::MAX, i64::MIN)
    );
}

#[test]
fn j3_one_above_the_range_is_refused() {
    assert_no_int(
        r#""9223372036854775808""#,
        "expected an integer from -9223372036854775808 to 9223372036854775807, got one out of this range",
    );
}

#[test]
fn j3_one_below_the_range_is_refused() {
    assert_no_int("-9223372036854775809", "got one out of this range");
}

#[test]
fn j3_twenty_digits_are_refused() {
    assert_no_int("99999999999999999999", "got one out of this range");
}

#[test]
fn j3_the_largest_unsigned_integer_is_read() {
    let text =
        r#""startTimeUnixNano":18446744073709551615,"endTimeUnixNano":"18446744073709551615""#;
    let span = span(text).unwrap();

    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (u64::MAX, u64::MAX)
    );
}

#[test]
fn j3_one_above_the_largest_unsigned_integer_is_refused() {
    assert_says(
        span(r#""startTimeUnixNano":"18446744073709551616""#),
        "expected an integer from 0 to 18446744073709551615, got one out of this range",
    );
}

#[test]
fn j3_a_negative_time_is_refused() {
    assert_says(
        span(r#""startTimeUnixNano":-1"#),
        "got one out of this range",
    );
}

#[test]
fn j3_minus_zero_is_zero() {
    assert_eq!(int("-0"), 0);
}

#[test]
fn j3_1e3_is_a_thousand() {
    assert_eq!((int("1e3"), int(r#""1E+3""#)), (1000, 1000));
}

#[test]
fn j3_a_fraction_of_zeros_is_whole() {
    assert_eq!(
        (int("1.0"), int("100.00e-2"), int("1.25e2"), int("0.0e99")),
        (1, 1, 125, 0)
    );
}

#[test]
fn j3_a_fraction_is_refused() {
    assert_no_int("1.5", "got a number with a fraction");
}

#[test]
fn j3_a_negative_exponent_that_leaves_a_fraction_is_refused() {
    assert_no_int("1e-1", "got a number with a fraction");
}

#[test]
fn j3_a_huge_exponent_is_refused() {
    assert_no_int("1e999999999999999999999", "got one out of this range");
}

#[test]
fn j3_a_32_bit_count_out_of_range_is_refused() {
    assert_says(
        span(r#""droppedLinksCount":4294967296"#),
        "expected an integer from 0 to 4294967295, got one out of this range",
    );
}

#[test]
fn j3_a_zigzag_number_keeps_its_sign() {
    let metric =
        metric(r#""exponentialHistogram":{"dataPoints":[{"scale":-2147483648}]}"#).unwrap();

    let Some(Data::ExponentialHistogram(histogram)) = metric.data else {
        panic!("{metric:?}")
    };
    assert_eq!(histogram.data_points[0].scale, i32::MIN);
}

#[test]
fn j3_packed_numbers_are_read_in_both_spellings() {
    let profile = profile(
        r#""samples":[{"values":["-1",2,3e0],"timestampsUnixNano":[1,"2"],"attributeIndices":[]}]"#,
    )
    .unwrap();

    assert_eq!(profile.samples[0].values, [-1, 2, 3]);
    assert_eq!(profile.samples[0].timestamps_unix_nano, [1, 2]);
}

#[test]
fn j3_text_that_is_no_number_is_refused() {
    for text in [
        "", " 1", "1 ", "+1", "01", "-", "1.", ".5", "1e", "0x10", "1_000", "١", "NaN", "--1",
        "1e-+5",
    ] {
        assert_no_int(
            &format!("{text:?}"),
            "got text that is no number as JSON spells it",
        );
    }
}

#[test]
fn j3_a_number_with_a_leading_zero_is_refused() {
    assert_no_int("01", "expected a number as JSON spells it");
}

#[test]
fn j3_a_boolean_is_no_integer() {
    assert_no_int("true", "got a boolean");
}

#[test]
fn j3_an_object_is_no_integer() {
    assert_no_int("{}", "got an object");
}

#[test]
fn j6_special_doubles_are_strings() {
    assert!(double(r#""NaN""#).is_nan());
    assert_eq!(
        (double(r#""Infinity""#), double(r#""-Infinity""#)),
        (f64::INFINITY, f64::NEG_INFINITY)
    );
}

#[test]
fn j6_a_double_is_read_from_a_string() {
    assert_eq!((double(r#""1.5""#), double(r#""-2e-3""#)), (1.5, -0.002));
}

#[test]
fn j6_an_integer_is_a_double() {
    assert_eq!(double("5").to_bits(), 5f64.to_bits());
}

#[test]
fn j6_minus_zero_keeps_its_sign() {
    assert!(double("-0.0").is_sign_negative());
}

#[test]
fn j6_bare_nan_is_refused() {
    assert_no_double(
        "NaN",
        "got a bare NaN or Infinity, which JSON does not have; write it in quotes",
    );
}

#[test]
fn j6_bare_infinity_is_refused() {
    assert_no_double("Infinity", "got a bare NaN or Infinity");
    assert_no_double("-Infinity", "expected a number as JSON spells it");
}

#[test]
fn j6_a_bare_nan_in_an_unknown_field_is_refused() {
    assert_says(span(r#""unknown":NaN"#), "expected a value");
}

#[test]
fn j6_a_double_out_of_range_is_refused() {
    assert_no_double("1e400", "got one out of this range");
}

#[test]
fn j6_other_spellings_of_special_doubles_are_refused() {
    for text in [
        "nan",
        "inf",
        "-inf",
        "infinity",
        "+Infinity",
        "",
        " 1",
        "1d",
        ".5",
    ] {
        assert_no_double(
            &format!("{text:?}"),
            "got text that is no number as JSON spells it",
        );
    }
}

#[test]
fn j7_times_are_written_as_strings() {
    let bytes = crate::check::translate(
        millrace_wire::Signal::Traces,
        &crate::check::span_text(r#""startTimeUnixNano":1544712660000000000"#),
    )
    .unwrap();
    let json = millrace_wire::json_from_request(millrace_wire::Signal::Traces, &bytes);

    assert_eq!(
        String::from_utf8(json).unwrap(),
        crate::check::span_text(r#""startTimeUnixNano":"1544712660000000000""#)
    );
}

#[test]
fn j8_a_number_of_megabytes_is_refused() {
    let digits = "1".repeat(16 << 20);

    for text in [
        digits.clone(),
        format!("0.{digits}"),
        format!("1e{digits}"),
        format!("{digits}.5"),
    ] {
        assert!(value(&format!(r#"{{"intValue":{text}}}"#)).is_err());
        assert!(value(&format!(r#"{{"doubleValue":{text}}}"#)).is_err());
        assert!(value(&format!(r#"{{"doubleValue":"{text}"}}"#)).is_err());
    }
}

#[test]
fn j8_the_result_is_at_most_four_times_as_long() {
    // A digit and a comma make eight bytes; nothing makes more.
    let counts = "0,".repeat(100_000);
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{}]}}]}}}}]}}]}}]}}"#,
        counts.trim_end_matches(',')
    );

    let bytes = crate::check::translate(millrace_wire::Signal::Metrics, &json).unwrap();

    assert!(bytes.len() > 800_000 && bytes.len() <= 4 * json.len());
}

proptest! {
    #[test]
    fn j3_every_integer_is_read_in_every_spelling(number: i64, zeros in 0usize..4) {
        let moved = format!("{number}{}e-{zeros}", "0".repeat(zeros));
        let pointed = format!("{number}.{}", "0".repeat(zeros + 1));

        prop_assert_eq!(int(&number.to_string()), number);
        prop_assert_eq!(int(&format!("\"{number}\"")), number);
        prop_assert_eq!(int(&moved), number);
        prop_assert_eq!(int(&pointed), number);
    }

    #[test]
    fn j6_every_double_is_read_as_the_standard_library_reads_it(text in r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?") {
        let expected: f64 = text.parse().unwrap();

        prop_assert_eq!(double(&text).to_bits(), expected.to_bits());
    }

    #[test]
    fn j3_integers_agree_with_exact_arithmetic(whole in r"0|[1-9][0-9]{0,9}", fraction in "[0-9]{0,6}", exponent in -8i32..9) {
        // The value is digits * 10^shift, in 128 bits.
        let digits: i128 = format!("{whole}{fraction}").parse().unwrap();
        let shift = exponent - i32::try_from(fraction.len()).unwrap();
        let power = 10i128.pow(shift.unsigned_abs());
        let expected = if shift >= 0 { Some(digits * power) } else { (digits % power == 0).then(|| digits / power) };
        let point = if fraction.is_empty() { "" } else { "." };

        let got = value(&format!(r#"{{"intValue":{whole}{point}{fraction}e{exponent}}}"#)).ok().map(|value| match value {
            Some(Value::IntValue(int)) => i128::from(int),
            other => panic!("{other:?}"),
        });

        prop_assert_eq!(got, expected.filter(|it| i64::try_from(*it).is_ok()));
    }
}
