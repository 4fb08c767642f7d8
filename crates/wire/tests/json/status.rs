//! H4, H7 and G3: `google.rpc.Status` with its details, in both encodings, against tonic's types.

use std::time::Duration;

use millrace_wire::Status;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use tonic_types::{ErrorDetails, StatusExt, pb};

fn full() -> Status {
    Status {
        code: 3,
        message: "not \"valid\"".into(),
        retry_delay: Some(Duration::new(1, 500_000_000)),
        bad_request: Some("byte 7: truncated".into()),
    }
}

fn parsed(status: &Status) -> Value {
    serde_json::from_slice(&status.to_json()).unwrap()
}

fn with_delay(delay: &str) -> Option<Duration> {
    let detail = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay});
    Status::from_json(json!({"details": [detail]}).to_string().as_bytes())
        .unwrap()
        .retry_delay
}

#[test]
fn h4_tonic_reads_the_status() {
    let status = pb::Status::decode(&*full().encode()).unwrap();

    assert_eq!(
        (status.code, status.message.as_str(), status.details.len()),
        (3, "not \"valid\"", 2)
    );
}

#[test]
fn h7_tonic_reads_the_details() {
    let status =
        tonic::Status::with_details(tonic::Code::InvalidArgument, "", full().encode().into());
    let details = status.get_error_details();

    assert_eq!(
        details.retry_info().unwrap().retry_delay,
        Some(Duration::from_millis(1500))
    );
    assert_eq!(
        details.bad_request().unwrap().field_violations[0].description,
        "byte 7: truncated"
    );
}

#[test]
fn g3_what_tonic_writes_is_read() {
    let details = ErrorDetails::new()
        .set_retry_info(Some(Duration::from_millis(250)))
        .add_bad_request_violation("spans", "no name")
        .set_debug_info(vec!["frame".into()], "unknown to us")
        .clone();
    let sent = tonic::Status::with_error_details(tonic::Code::Unavailable, "busy", details);

    let status = Status::decode(sent.details()).unwrap();

    let expected = Status {
        code: 14,
        message: "busy".into(),
        retry_delay: Some(Duration::from_millis(250)),
        bad_request: Some("no name".into()),
    };
    assert_eq!(status, expected);
}

#[test]
fn h4_the_json_form_carries_details_with_their_type() {
    let expected = json!({
        "code": 3,
        "message": "not \"valid\"",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"description": "byte 7: truncated"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"},
        ],
    });

    assert_eq!(parsed(&full()), expected);
}

#[test]
fn h4_a_status_without_details_is_short() {
    let status = Status {
        code: 5,
        message: "no such path".into(),
        ..Status::default()
    };

    assert_eq!(status.to_json(), br#"{"code":5,"message":"no such path"}"#);
    assert_eq!(status.encode(), b"\x08\x05\x12\x0cno such path");
}

#[test]
fn h4_a_negative_code_survives() {
    let status = Status {
        code: -1,
        ..Status::default()
    };

    assert_eq!(Status::decode(&status.encode()).unwrap(), status);
    assert_eq!(pb::Status::decode(&*status.encode()).unwrap().code, -1);
}

#[test]
fn h4_a_status_in_json_may_leave_everything_out() {
    assert_eq!(Status::from_json(b"{}").unwrap(), Status::default());
}

#[test]
fn h4_members_of_json_that_we_do_not_know_are_passed_over() {
    let json = json!({"code": 8, "message": null, "extra": [1], "details": [1, null, {"@type": 3}, {"@type": "x/y.Z", "retryDelay": "1s"}]});

    assert_eq!(
        Status::from_json(json.to_string().as_bytes()).unwrap(),
        Status {
            code: 8,
            ..Status::default()
        }
    );
}

#[test]
fn h4_a_detail_that_is_not_what_it_says_is_passed_over() {
    let any = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
        value: b"\x0a\xff".into(),
    };
    let status = pb::Status {
        code: 8,
        message: String::new(),
        details: vec![any],
    };

    assert_eq!(
        Status::decode(&status.encode_to_vec()).unwrap(),
        Status {
            code: 8,
            ..Status::default()
        }
    );
}

#[test]
fn g3_retry_info_of_zero_is_a_detail() {
    let status = Status {
        retry_delay: Some(Duration::ZERO),
        ..Status::default()
    };

    assert_eq!(Status::decode(&status.encode()).unwrap(), status);
    assert_eq!(Status::from_json(&status.to_json()).unwrap(), status);
}

#[test]
fn g3_a_negative_delay_is_zero() {
    let value = pb::RetryInfo {
        retry_delay: Some(prost_types::Duration {
            seconds: -5,
            nanos: -1,
        }),
    }
    .encode_to_vec();
    let any = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
        value,
    };
    let status = pb::Status {
        details: vec![any],
        ..pb::Status::default()
    };

    assert_eq!(
        Status::decode(&status.encode_to_vec()).unwrap().retry_delay,
        Some(Duration::ZERO)
    );
    assert_eq!(with_delay("-5.1s"), Some(Duration::ZERO));
}

#[test]
fn g3_a_delay_in_json_may_have_any_number_of_decimals() {
    assert_eq!(with_delay("3s"), Some(Duration::from_secs(3)));
    assert_eq!(with_delay("3.05s"), Some(Duration::from_millis(3050)));
    assert_eq!(with_delay("0.000000001s"), Some(Duration::from_nanos(1)));
}

#[test]
fn g3_a_delay_that_is_no_duration_is_passed_over() {
    for text in [
        "",
        "s",
        "3",
        "3m",
        "1e3s",
        ".5s",
        "3.s",
        "+3s",
        "1.0000000001s",
        "99999999999999999999s",
        "NaNs",
        "infs",
    ] {
        assert_eq!(with_delay(text), None, "{text}");
    }
}

#[test]
fn c7_long_texts_are_cut() {
    let long = "\u{1}".repeat(10 << 20);
    let status = Status {
        message: long.clone(),
        bad_request: Some(long),
        ..full()
    };

    assert!(status.encode().len() < 4 << 20);
    assert!(status.to_json().len() < 4 << 20);
    assert_eq!(
        Status::from_json(&status.to_json()).unwrap(),
        Status::decode(&status.encode()).unwrap()
    );
}

#[test]
fn a_status_that_is_no_object_is_an_error() {
    assert!(
        Status::from_json(b"[]")
            .unwrap_err()
            .to_string()
            .contains("google.rpc.Status")
    );
}

#[test]
fn a_status_that_is_no_json_is_an_error_with_its_place() {
    assert_eq!(Status::from_json(br#"{"code":x}"#).unwrap_err().offset(), 8);
}

#[test]
fn a_status_that_is_no_protobuf_is_an_error_with_its_place() {
    assert_eq!(
        Status::decode(b"\x08\x01\x12\x05x").unwrap_err().offset(),
        3
    );
}

proptest! {
    #[test]
    fn any_status_makes_the_round_trip(code: i32, message: String, problem: Option<String>, delay: Option<(u32, u32)>) {
        let retry_delay = delay.map(|(seconds, nanos)| Duration::new(seconds.into(), nanos % 1_000_000_000));
        let status = Status { code, message, retry_delay, bad_request: problem };

        prop_assert_eq!(&Status::decode(&status.encode()).unwrap(), &status);
        prop_assert_eq!(&Status::from_json(&status.to_json()).unwrap(), &status);
    }
}
