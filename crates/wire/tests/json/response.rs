//! C4 to C8: the answer to a request, in both encodings.

use millrace_wire::{
    PartialSuccess, Signal, decode_response, encode_response, response_from_json, response_to_json,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

const FOUR_MIB: usize = 4 << 20;

fn partial(rejected: i64, message: &str) -> PartialSuccess {
    PartialSuccess {
        rejected,
        message: message.into(),
    }
}

#[test]
fn c4_full_success_is_no_bytes() {
    for signal in Signal::ALL {
        assert_eq!(encode_response(signal, None), b"");
        assert_eq!(response_to_json(signal, None), b"{}");
    }
}

#[test]
fn c4_to_reject_nothing_and_to_say_nothing_is_full_success() {
    assert_eq!(encode_response(Signal::Traces, Some(&partial(0, ""))), b"");
}

#[test]
fn c5_prost_reads_how_many_items_were_rejected() {
    let partial = partial(3, "three had no name");
    let traces =
        ExportTraceServiceResponse::decode(&*encode_response(Signal::Traces, Some(&partial)))
            .unwrap()
            .partial_success
            .unwrap();
    let metrics =
        ExportMetricsServiceResponse::decode(&*encode_response(Signal::Metrics, Some(&partial)))
            .unwrap()
            .partial_success
            .unwrap();
    let logs = ExportLogsServiceResponse::decode(&*encode_response(Signal::Logs, Some(&partial)))
        .unwrap()
        .partial_success
        .unwrap();
    let profiles =
        ExportProfilesServiceResponse::decode(&*encode_response(Signal::Profiles, Some(&partial)))
            .unwrap()
            .partial_success
            .unwrap();

    assert_eq!(
        (traces.rejected_spans, traces.error_message),
        (3, "three had no name".into())
    );
    assert_eq!(
        (metrics.rejected_data_points, metrics.error_message),
        (3, "three had no name".into())
    );
    assert_eq!(
        (logs.rejected_log_records, logs.error_message),
        (3, "three had no name".into())
    );
    assert_eq!(
        (profiles.rejected_profiles, profiles.error_message),
        (3, "three had no name".into())
    );
}

#[test]
fn c5_the_count_is_a_string_in_json_under_the_name_of_the_signal() {
    for signal in Signal::ALL {
        let json =
            String::from_utf8(response_to_json(signal, Some(&partial(3, "a \"b\"")))).unwrap();

        assert_eq!(
            json,
            format!(
                r#"{{"partialSuccess":{{"{}":"3","errorMessage":"a \"b\""}}}}"#,
                signal.rejected_name()
            )
        );
    }
}

#[test]
fn c6_a_warning_rejects_nothing_and_says_why() {
    assert_eq!(
        response_to_json(Signal::Logs, Some(&partial(0, "old"))),
        br#"{"partialSuccess":{"errorMessage":"old"}}"#
    );
}

#[test]
fn c7_an_answer_stays_below_4_mib_whatever_its_message() {
    // Each of these takes six bytes in JSON.
    let partial = partial(1, &"\u{1}".repeat(10 << 20));

    for signal in Signal::ALL {
        let (bytes, json) = (
            encode_response(signal, Some(&partial)),
            response_to_json(signal, Some(&partial)),
        );
        assert!(bytes.len() < FOUR_MIB && json.len() < FOUR_MIB);
        assert_eq!(
            response_from_json(signal, &json).unwrap(),
            decode_response(signal, &bytes).unwrap()
        );
    }
}

#[test]
fn c7_a_message_is_cut_between_characters() {
    let partial = partial(0, &format!("a{}", "€".repeat(1 << 20)));

    let message = decode_response(
        Signal::Traces,
        &encode_response(Signal::Traces, Some(&partial)),
    )
    .unwrap()
    .unwrap()
    .message;

    assert!(partial.message.starts_with(&message) && message.len() > 1000);
}

#[test]
fn x5_what_prost_writes_is_read() {
    let partial_success = ExportMetricsPartialSuccess {
        rejected_data_points: i64::MAX,
        error_message: "äöü".into(),
    };
    let response = ExportMetricsServiceResponse {
        partial_success: Some(partial_success),
    };

    assert_eq!(
        decode_response(Signal::Metrics, &response.encode_to_vec()).unwrap(),
        Some(partial(i64::MAX, "äöü"))
    );
}

#[test]
fn x5_what_serde_writes_is_read() {
    let partial_success = ExportMetricsPartialSuccess {
        rejected_data_points: 7,
        error_message: "äöü".into(),
    };
    let json = serde_json::to_vec(&ExportMetricsServiceResponse {
        partial_success: Some(partial_success),
    })
    .unwrap();

    assert_eq!(
        response_from_json(Signal::Metrics, &json).unwrap(),
        Some(partial(7, "äöü"))
    );
}

#[test]
fn x5_no_bytes_and_an_empty_object_are_full_success() {
    assert_eq!(decode_response(Signal::Traces, b"").unwrap(), None);
    assert_eq!(response_from_json(Signal::Traces, b"{}").unwrap(), None);
}

#[test]
fn x5_a_partial_success_that_says_nothing_is_full_success() {
    assert_eq!(decode_response(Signal::Traces, b"\x0a\x00").unwrap(), None);
    assert_eq!(
        response_from_json(Signal::Traces, br#"{"partialSuccess":{"rejectedSpans":0}}"#).unwrap(),
        None
    );
}

#[test]
fn c9_unknown_fields_of_an_answer_are_passed_over() {
    assert_eq!(
        decode_response(Signal::Traces, b"\x12\x01x\x0a\x05\x08\x02\x1a\x01y").unwrap(),
        Some(partial(2, ""))
    );
    assert_eq!(
        response_from_json(
            Signal::Traces,
            br#"{"a":[1],"partialSuccess":{"rejectedSpans":"2","b":{}}}"#
        )
        .unwrap(),
        Some(partial(2, ""))
    );
}

#[test]
fn x16_an_answer_that_is_no_protobuf_is_an_error() {
    assert_eq!(
        decode_response(Signal::Traces, b"<html>")
            .unwrap_err()
            .offset(),
        0
    );
}

#[test]
fn x16_an_answer_that_is_no_json_is_an_error() {
    assert_eq!(
        response_from_json(Signal::Traces, b"<html>")
            .unwrap_err()
            .offset(),
        0
    );
}
