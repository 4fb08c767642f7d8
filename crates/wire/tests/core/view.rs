//! The views read what prost reads from the same bytes.

use millrace_wire::encode::SpanEncoder;
use millrace_wire::view::{Attributes, RequestView, SpanView, ValueView};
use proptest::prelude::*;

use crate::accept::{any_seed, any_signal};
use crate::from_view::{expected, seen};
use crate::generate::request;

proptest! {
    #[test]
    fn views_read_every_field_of_every_item_as_prost_does(signal in any_signal(), seed in any_seed()) {
        let bytes = request(signal, &seed);
        prop_assert_eq!(seen(signal, &bytes), expected(signal, &bytes));
    }
}

#[test]
fn d4_of_a_key_that_stands_twice_the_last_value_is_read() {
    let mut out = Vec::new();
    SpanEncoder::new(&mut out)
        .attribute("k", &1i64)
        .attribute("other", &3i64)
        .attribute("k", &2i64);
    let attributes: Attributes<'_> = SpanView::new(&out).attributes();
    assert!(matches!(
        attributes.clone().get("k"),
        Some(ValueView::Int(2))
    ));
    assert!(attributes.get("absent").is_none());
}

#[test]
fn f15_a_resource_that_stands_twice_has_the_attributes_of_both() {
    let bytes = [
        0x0a, 0x12, 0x0a, 0x07, 0x0a, 0x05, 0x0a, 0x01, b'a', 0x12, 0x00, 0x0a, 0x07, 0x0a, 0x05,
        0x0a, 0x01, b'b', 0x12, 0x00,
    ];
    let resource = RequestView::new(&bytes[..]).resources().next();
    assert_eq!(bytes.len(), 20);
    let keys: Vec<_> = resource
        .unwrap()
        .attributes()
        .map(|attribute| attribute.key)
        .collect();
    assert_eq!(keys, ["a", "b"]);
}
