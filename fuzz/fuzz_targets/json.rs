//! Any text and any request: nothing panics, and translating there and back changes nothing.
#![no_main]

#[allow(dead_code, reason = "each target makes its own kind of request")]
#[path = "../../crates/wire/tests/core/generate.rs"]
mod generate;
#[allow(dead_code, reason = "this target compares whole requests only")]
#[path = "../../crates/wire/tests/core/oracle.rs"]
mod oracle;

use libfuzzer_sys::fuzz_target;
use millrace_wire::{
    Signal, Status, decode_response, json_from_request, request_from_json, response_from_json, response_to_json, validate,
};

fuzz_target!(|input: &[u8]| {
    let [selector, input @ ..] = input else { return };
    let signal = Signal::ALL[usize::from(selector % 4)];
    match selector / 4 % 3 {
        0 => any_text(signal, input),
        1 => any_request(signal, &generate::wild_request(signal, input)),
        _ => any_answer(signal, input),
    }
});

fn any_text(signal: Signal, text: &[u8]) {
    match request_from_json(signal, text) {
        Ok(bytes) => {
            validate(signal, &bytes).expect("what JSON is translated to is a request");
            let json = json_from_request(signal, &bytes);
            assert_eq!(request_from_json(signal, &json).expect("our own JSON"), bytes);
        }
        Err(error) => assert!(error.offset() <= text.len()),
    }
}

fn any_request(signal: Signal, bytes: &[u8]) {
    let json = json_from_request(signal, bytes);
    std::str::from_utf8(&json).expect("JSON is text");
    let back = match request_from_json(signal, &json) {
        Ok(back) => back,
        // Protobuf carries ids of any length, of which J1 allows JSON only the right one.
        Err(error) => return assert!(error.to_string().contains("hexadecimal digits"), "our own JSON: {error}"),
    };
    // As JSON again, because JSON has one NaN and protobuf many.
    let normal = |bytes: &[u8]| json_from_request(signal, &oracle::normal(signal, bytes));
    assert_eq!(String::from_utf8(normal(&back)), String::from_utf8(normal(bytes)));
}

fn any_answer(signal: Signal, bytes: &[u8]) {
    if let Ok(success) = decode_response(signal, bytes) {
        let json = response_to_json(signal, success.as_ref());
        assert_eq!(response_from_json(signal, &json).expect("our own JSON"), success);
    }
    let _ = response_from_json(signal, bytes);
    let _ = Status::from_json(bytes);
    if let Ok(status) = Status::decode(bytes) {
        Status::decode(&status.encode()).expect("our own bytes");
        Status::from_json(&status.to_json()).expect("our own JSON");
    }
}
