//! H7 and F15: every way in which bytes can be no protobuf, each with the byte at which that shows.

use millrace_wire::field::{push_delimited, push_tag, push_varint};
use millrace_wire::{Signal, validate};

/// A request whose one span is these bytes, and where they begin in it.
fn in_span(span: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = span.to_vec();
    for number in [2, 2, 1] {
        let mut outer = Vec::new();
        push_delimited(&mut outer, number, &bytes);
        bytes = outer;
    }
    let start = bytes.len() - span.len();
    (bytes, start)
}

/// The sentence for a span of these bytes, which must be refused at `offset` of the span.
#[track_caller]
fn refused_at(offset: usize, span: &[u8]) -> String {
    let (request, start) = in_span(span);
    let error = validate(Signal::Traces, &request).expect_err("must be refused");
    assert_eq!(error.offset() - start, offset, "{error}");
    error.to_string()
}

#[test]
fn h7_a_varint_of_eleven_bytes_is_refused_at_its_first_byte() {
    let sentence = refused_at(
        1,
        &[
            0x30, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01,
        ],
    );
    assert!(sentence.contains("at most 10 bytes"), "{sentence}");
    assert!(
        sentence.contains("field kind of opentelemetry.proto.trace.v1.Span"),
        "{sentence}"
    );
}

#[test]
fn h7_a_varint_of_more_than_64_bits_is_refused_at_its_first_byte() {
    refused_at(
        1,
        &[
            0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
        ],
    );
}

#[test]
fn h7_a_varint_that_is_cut_off_is_refused_at_its_first_byte() {
    let sentence = refused_at(1, &[0x30, 0x80, 0x80]);
    assert!(sentence.contains("ends"), "{sentence}");
}

#[test]
fn h7_field_number_0_is_refused_at_its_tag() {
    let sentence = refused_at(2, &[0x30, 0x01, 0x00, 0x01]);
    assert!(sentence.contains("field number"), "{sentence}");
}

#[test]
fn h7_a_field_number_above_536870911_is_refused_at_its_tag() {
    refused_at(0, &[0x80, 0x80, 0x80, 0x80, 0x10, 0x00]);
}

#[test]
fn h7_the_highest_field_number_is_accepted() {
    let mut span = Vec::new();
    push_varint(&mut span, 536_870_911, 1);
    assert!(validate(Signal::Traces, &in_span(&span).0).is_ok());
}

#[test]
fn h7_wire_types_6_and_7_are_refused_at_their_tag() {
    for wire_type in [6, 7] {
        for number in [1, 5, 6, 100] {
            let mut span = vec![0x30, 0x01];
            push_tag(&mut span, number, wire_type);
            span.push(0);
            refused_at(2, &span);
        }
    }
}

#[test]
fn h7_a_negative_length_is_refused_where_it_stands() {
    let sentence = refused_at(
        1,
        &[
            0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ],
    );
    assert!(sentence.contains("declares"), "{sentence}");
}

#[test]
fn s6_a_declared_length_of_2_gib_is_refused_and_allocates_nothing() {
    let sentence = refused_at(1, &[0x2a, 0xff, 0xff, 0xff, 0xff, 0x07, b'x']);
    assert!(sentence.contains("2147483647 bytes"), "{sentence}");
    assert!(sentence.contains("only 1 left"), "{sentence}");
}

#[test]
fn h7_a_length_past_the_end_of_the_enclosing_message_is_refused_though_the_request_goes_on() {
    let (mut request, start) = in_span(&[0x2a, 0x03, b'a', b'b']);
    push_delimited(&mut request, 100, b"more bytes behind the span");
    let error = validate(Signal::Traces, &request).unwrap_err();
    assert_eq!(error.offset(), start + 1);
}

#[test]
fn h7_invalid_utf8_is_refused_at_the_first_bad_byte_in_strings_of_every_length() {
    for length in [1, 3, 7, 8, 15, 16, 31, 40, 64, 65, 100, 200, 5000] {
        for bad in [0, length / 2, length - 1] {
            let mut name = vec![b'n'; length];
            name[bad] = 0xff;
            let mut span = Vec::new();
            push_delimited(&mut span, 5, &name);
            let sentence = refused_at(span.len() - length + bad, &span);
            assert!(sentence.contains("field name of"), "{sentence}");
        }
    }
}

#[test]
fn h7_invalid_utf8_is_refused_in_keys_and_values_of_attributes() {
    let mut value = Vec::new();
    push_delimited(&mut value, 1, b"v\xe4lue");
    let mut attribute = Vec::new();
    push_delimited(&mut attribute, 1, b"key");
    push_delimited(&mut attribute, 2, &value);
    let mut span = Vec::new();
    push_delimited(&mut span, 9, &attribute);
    let sentence = refused_at(12, &span);
    assert!(
        sentence.contains("field string_value of opentelemetry.proto.common.v1.AnyValue"),
        "{sentence}"
    );

    let mut attribute = Vec::new();
    push_delimited(&mut attribute, 1, b"k\xe4y");
    push_delimited(&mut attribute, 2, &[]);
    let mut span = Vec::new();
    push_delimited(&mut span, 9, &attribute);
    let sentence = refused_at(5, &span);
    assert!(
        sentence.contains("field key of opentelemetry.proto.common.v1.KeyValue"),
        "{sentence}"
    );
}

#[test]
fn h7_surrogates_and_overlong_forms_are_not_utf8() {
    for bad in [
        &b"\xed\xa0\x80"[..],
        b"\xc0\xaf",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ] {
        let mut span = Vec::new();
        push_delimited(&mut span, 5, bad);
        refused_at(2, &span);
    }
}

#[test]
fn bytes_fields_need_not_be_utf8() {
    let (request, _) = in_span(&[0x0a, 0x02, 0xff, 0xfe]);
    assert!(validate(Signal::Traces, &request).is_ok());
}

#[test]
fn f15_a_known_field_with_a_wrong_wire_type_is_refused_at_its_tag() {
    // kind as bytes, name as a varint, start time as a fixed32, flags as a fixed64, an attribute as a group
    for span in [
        &[0x32, 0x01, 0x01][..],
        &[0x28, 0x01],
        &[0x3d, 1, 2, 3, 4],
        &[0x81, 0x01, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x4b, 0x4c],
    ] {
        let sentence = refused_at(0, span);
        assert!(sentence.contains("expected wire type"), "{sentence}");
    }
}

#[test]
fn f15_an_unmatched_end_of_a_group_is_refused_at_its_tag() {
    let mut span = vec![0x30, 0x01];
    push_tag(&mut span, 100, 4);
    refused_at(2, &span);
}

#[test]
fn f15_a_group_that_another_number_ends_is_refused_at_the_end() {
    let mut span = Vec::new();
    push_tag(&mut span, 100, 3);
    push_tag(&mut span, 101, 4);
    refused_at(2, &span);
}

#[test]
fn f15_a_group_that_does_not_end_is_refused_where_it_begins() {
    let mut span = vec![0x30, 0x01];
    push_tag(&mut span, 100, 3);
    push_varint(&mut span, 1, 7);
    let sentence = refused_at(2, &span);
    assert!(sentence.contains("does not end"), "{sentence}");
}

#[test]
fn f15_packed_elements_that_do_not_fill_their_field_are_refused() {
    let mut point = Vec::new();
    push_delimited(&mut point, 6, &[0; 12]);
    let mut request = point;
    for number in [1, 9, 2, 2, 1] {
        let mut outer = Vec::new();
        push_delimited(&mut outer, number, &request);
        request = outer;
    }
    let error = validate(Signal::Metrics, &request).unwrap_err();
    assert_eq!(error.offset(), 11);
    assert!(
        error.to_string().contains("8 bytes each, got 12"),
        "{error}"
    );
}

#[test]
fn f15_a_packed_varint_that_is_cut_off_is_refused() {
    let mut buckets = Vec::new();
    push_delimited(&mut buckets, 2, &[1, 2, 0x80]);
    let mut request = buckets;
    for number in [8, 1, 10, 2, 2, 1] {
        let mut outer = Vec::new();
        push_delimited(&mut outer, number, &request);
        request = outer;
    }
    let error = validate(Signal::Metrics, &request).unwrap_err();
    assert_eq!(error.offset(), request.len() - 1);
}

#[test]
fn h7_a_request_cut_at_any_byte_is_an_error_or_ends_between_two_fields() {
    let mut span = Vec::new();
    push_delimited(&mut span, 1, &[1; 16]);
    push_delimited(&mut span, 2, &[2; 8]);
    push_delimited(&mut span, 5, b"a name");
    let (request, _) = in_span(&span);
    for end in 1..request.len() {
        let error =
            validate(Signal::Traces, &request[..end]).expect_err("cut inside its only field");
        assert!(error.offset() <= end, "{error}");
    }
}

#[test]
fn c8_s14_an_error_never_repeats_what_the_sender_wrote() {
    let mut span = Vec::new();
    push_delimited(&mut span, 5, b"\x1b[31mEVIL\r\n\xff");
    let sentence = refused_at(span.len() - 1, &span);
    assert!(
        !sentence.contains("EVIL") && !sentence.contains('\x1b') && sentence.is_ascii(),
        "{sentence}"
    );
}

#[test]
fn an_error_that_hits_an_envelope_names_it() {
    let error = validate(Signal::Logs, &[0x0a, 0x02, 0x12, 0x05]).unwrap_err();
    assert_eq!(error.offset(), 3);
    let sentence = error.to_string();
    assert!(
        sentence.contains("field scope_logs of opentelemetry.proto.logs.v1.ResourceLogs"),
        "{sentence}"
    );
}
