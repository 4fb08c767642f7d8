//! J2: enums are integers.

use crate::check::{assert_says, log_record, metric, span};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

#[test]
fn j2_an_enum_is_read_from_its_integer() {
    assert_eq!(span(r#""kind":2"#).unwrap().kind, 2);
}

#[test]
fn j2_an_enum_that_nobody_knows_is_kept() {
    assert_eq!(span(r#""kind":9999"#).unwrap().kind, 9999);
}

#[test]
fn j2_a_negative_enum_is_kept() {
    assert_eq!(
        log_record(r#""severityNumber":-3"#)
            .unwrap()
            .severity_number,
        -3
    );
}

#[test]
fn j2_the_integer_of_an_enum_may_be_spelled_as_any_number() {
    let metric = metric(r#""sum":{"aggregationTemporality":2.0}"#).unwrap();

    let Some(Data::Sum(sum)) = metric.data else {
        panic!("{metric:?}")
    };
    assert_eq!(sum.aggregation_temporality, 2);
}

#[test]
fn j2_the_name_of_an_enum_is_refused_and_its_integer_named() {
    assert_says(
        span(r#""kind":"SPAN_KIND_SERVER""#),
        "field kind of opentelemetry.proto.trace.v1.Span: expected the integer 2, got its name SPAN_KIND_SERVER; OTLP/JSON writes enums as integers",
    );
}

#[test]
fn j2_any_other_string_is_refused_without_repeating_it() {
    let error = span(r#""status":{"code":"\u001b[31mOK"}"#)
        .unwrap_err()
        .to_string();

    assert!(
        error.ends_with("expected an integer, got a string; OTLP/JSON writes enums as integers"),
        "{error}"
    );
}

#[test]
fn j2_an_integer_in_quotes_is_refused() {
    assert_says(span(r#""kind":"2""#), "expected an integer, got a string");
}

#[test]
fn j2_an_enum_out_of_32_bits_is_refused() {
    assert_says(
        span(r#""kind":2147483648"#),
        "expected an integer from -2147483648 to 2147483647, got one out of this range",
    );
}
