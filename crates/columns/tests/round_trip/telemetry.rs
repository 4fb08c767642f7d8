//! Any telemetry: odd values, odd ids, missing and unknown fields.

use millrace_wire::field::{push_delimited, push_fixed32, push_fixed64, push_varint};
use proptest::prelude::*;

/// Any message of attributes: some keys come again and again, with values of changing types.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        4 => "[a-z]{0,70}".prop_map(|text| field(|out| push_delimited(out, 1, text.as_bytes()))),
        1 => any::<bool>().prop_map(|value| field(|out| push_varint(out, 2, value.into()))),
        2 => any::<i64>().prop_map(|value| field(|out| push_varint(out, 3, value.cast_unsigned()))),
        2 => prop_oneof![any::<u64>(), Just((-0.0f64).to_bits()), Just(0x7ff8_0000_0000_0001)]
            .prop_map(|bits| field(|out| push_fixed64(out, 4, bits))),
        1 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(|bytes| field(|out| push_delimited(out, 7, &bytes))),
        1 => Just(Vec::new()),
        1 => Just(field(|out| push_varint(out, 8, 3))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|values| field(|out| {
                let content: Vec<u8> = values
                    .iter()
                    .flat_map(|value| field(|out| push_delimited(out, 1, value)))
                    .collect();
                push_delimited(out, 5, &content);
            })),
            proptest::collection::vec((key(), inner), 0..4).prop_map(|pairs| field(|out| {
                let content: Vec<u8> = pairs
                    .iter()
                    .flat_map(|(key, value)| {
                        field(|out| push_delimited(out, 1, &pair(key, Some(value))))
                    })
                    .collect();
                push_delimited(out, 6, &content);
            })),
        ]
    })
}

pub(crate) fn field(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[abc]", 1 => Just(String::new()), 1 => "\\PC{1,8}"]
}

pub(crate) fn pair(key: &str, value: Option<&Vec<u8>>) -> Vec<u8> {
    field(|out| {
        push_delimited(out, 1, key.as_bytes());
        if let Some(value) = value {
            push_delimited(out, 2, value);
        }
    })
}

fn attributes(number: u32) -> impl Strategy<Value = Vec<u8>> {
    let one = (key(), proptest::option::weighted(0.9, value()));
    proptest::collection::vec(one, 0..5).prop_map(move |pairs| {
        pairs
            .iter()
            .flat_map(|(key, value)| {
                field(|out| push_delimited(out, number, &pair(key, value.as_ref())))
            })
            .collect()
    })
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 1_700_000_000_000_000_000u64..1_700_000_001_000_000_000, 1 => Just(1), 1 => Just(u64::MAX)]
}

fn number(number: u32) -> impl Strategy<Value = Vec<u8>> {
    proptest::option::of(1u32..).prop_map(move |value| {
        field(|out| {
            if let Some(value) = value {
                push_varint(out, number, value.into());
            }
        })
    })
}

fn text(number: u32) -> impl Strategy<Value = Vec<u8>> {
    proptest::option::of("[ -~]{1,9}").prop_map(move |text| {
        field(|out| {
            if let Some(text) = text {
                push_delimited(out, number, text.as_bytes());
            }
        })
    })
}

fn id(number: u32, length: usize) -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![4 => proptest::collection::vec(0u8..3, length), 1 => proptest::collection::vec(1u8.., 1..40)];
    proptest::option::weighted(0.9, bytes).prop_map(move |id| {
        field(|out| {
            if let Some(id) = id {
                push_delimited(out, number, &id);
            }
        })
    })
}

fn fixed64(number: u32) -> impl Strategy<Value = Vec<u8>> {
    proptest::option::of(time()).prop_map(move |time| {
        field(|out| {
            if let Some(time) = time {
                push_fixed64(out, number, time);
            }
        })
    })
}

fn enumeration(number: u32) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(0i32), 1..6i32, any::<i32>()].prop_map(move |value| {
        field(|out| {
            if value != 0 {
                push_varint(out, number, i64::from(value).cast_unsigned());
            }
        })
    })
}

fn flags(number: u32) -> impl Strategy<Value = Vec<u8>> {
    proptest::option::of(1u32..).prop_map(move |value| {
        field(|out| {
            if let Some(value) = value {
                push_fixed32(out, number, value);
            }
        })
    })
}

fn repeated(
    number: u32,
    message: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(message, 0..3).prop_map(move |messages| {
        messages
            .iter()
            .flat_map(|message| field(|out| push_delimited(out, number, message)))
            .collect()
    })
}

fn unknown() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => Just(Vec::new()), 1 => (100u32..200).prop_map(|number| field(|out| push_varint(out, number, 7)))]
}

fn joined<T: Strategy<Value = Vec<u8>>>(
    parts: impl Strategy<Value = Vec<Vec<u8>>>,
    last: T,
) -> impl Strategy<Value = Vec<u8>> {
    (parts, last).prop_map(|(parts, last)| [parts.concat(), last].concat())
}

fn event() -> impl Strategy<Value = Vec<u8>> {
    joined(
        (fixed64(1), text(2), attributes(3), number(4)).prop_map(|(a, b, c, d)| vec![a, b, c, d]),
        unknown(),
    )
}

fn link() -> impl Strategy<Value = Vec<u8>> {
    joined(
        (
            id(1, 16),
            id(2, 8),
            text(3),
            attributes(4),
            number(5),
            flags(6),
        )
            .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]),
        unknown(),
    )
}

fn status() -> impl Strategy<Value = Vec<u8>> {
    joined(
        (text(2), enumeration(3)).prop_map(|(a, b)| vec![a, b]),
        unknown(),
    )
}

pub(crate) fn span() -> impl Strategy<Value = Vec<u8>> {
    let head = (
        id(1, 16),
        id(2, 8),
        text(3),
        id(4, 8),
        text(5),
        enumeration(6),
        fixed64(7),
        fixed64(8),
        attributes(9),
        number(10),
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i, j)| [a, b, c, d, e, f, g, h, i, j].concat());
    let tail = (
        repeated(11, event()),
        number(12),
        repeated(13, link()),
        number(14),
        proptest::option::of(status()),
        flags(16),
    )
        .prop_map(|(a, b, c, d, status, f)| {
            let status = field(|out| {
                if let Some(status) = status {
                    push_delimited(out, 15, &status);
                }
            });
            [a, b, c, d, status, f].concat()
        });
    joined((head, tail).prop_map(|(a, b)| vec![a, b]), unknown())
}

pub(crate) fn record() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::option::of(value()).prop_map(|value| {
        field(|out| {
            if let Some(value) = value {
                push_delimited(out, 5, &value);
            }
        })
    });
    let head = (
        fixed64(1),
        enumeration(2),
        text(3),
        body,
        attributes(6),
        number(7),
    )
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].concat());
    let tail = (flags(8), id(9, 16), id(10, 8), fixed64(11), text(12))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat());
    joined((head, tail).prop_map(|(a, b)| vec![a, b]), unknown())
}

fn double(number: u32) -> impl Strategy<Value = Vec<u8>> {
    let bits = prop_oneof![
        Just(0),
        Just((-0.0f64).to_bits()),
        Just(f64::NAN.to_bits()),
        any::<u64>()
    ];
    proptest::option::of(bits).prop_map(move |bits| {
        field(|out| {
            if let Some(bits) = bits {
                push_fixed64(out, number, bits);
            }
        })
    })
}

/// A double that protobuf would not write when it is zero.
fn plain_double(number: u32) -> impl Strategy<Value = Vec<u8>> {
    proptest::option::of(1u64..).prop_map(move |bits| {
        field(|out| {
            if let Some(bits) = bits {
                push_fixed64(out, number, bits);
            }
        })
    })
}

fn exemplar() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        double(3).prop_map(|double| (double, Vec::new())),
        fixed64(6).prop_map(|int| (Vec::new(), int)),
    ];
    joined(
        (fixed64(2), value, id(4, 8), id(5, 16), attributes(7))
            .prop_map(|(a, (double, int), b, c, d)| vec![a, double, b, c, int, d]),
        unknown(),
    )
}

fn packed(number: u32) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u64>(), 0..5).prop_map(move |numbers| {
        field(|out| {
            if !numbers.is_empty() {
                let content: Vec<u8> = numbers.iter().flat_map(|bits| bits.to_le_bytes()).collect();
                push_delimited(out, number, &content);
            }
        })
    })
}

fn buckets(number: u32) -> impl Strategy<Value = Vec<u8>> {
    proptest::option::of((any::<i32>(), proptest::collection::vec(any::<u64>(), 0..5))).prop_map(
        move |side| {
            field(|out| {
                let Some((offset, counts)) = side else { return };
                let content = field(|out| {
                    if offset != 0 {
                        push_varint(out, 1, millrace_wire::varint::zigzag(offset.into()));
                    }
                    if !counts.is_empty() {
                        let packed = field(|out| {
                            for count in counts {
                                millrace_wire::varint::push(out, count);
                            }
                        });
                        push_delimited(out, 2, &packed);
                    }
                });
                push_delimited(out, number, &content);
            })
        },
    )
}

fn number_point() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![double(4), fixed64(6)];
    joined(
        (
            fixed64(2),
            fixed64(3),
            value,
            repeated(5, exemplar()),
            attributes(7),
            number(8),
        )
            .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]),
        unknown(),
    )
}

fn histogram_point() -> impl Strategy<Value = Vec<u8>> {
    let head = (
        fixed64(2),
        fixed64(3),
        fixed64(4),
        double(5),
        packed(6),
        packed(7),
    )
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].concat());
    let tail = (
        repeated(8, exemplar()),
        attributes(9),
        number(10),
        double(11),
        double(12),
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat());
    joined((head, tail).prop_map(|(a, b)| vec![a, b]), unknown())
}

fn exponential_point() -> impl Strategy<Value = Vec<u8>> {
    let scale = any::<i8>().prop_map(|scale| {
        field(|out| {
            if scale != 0 {
                push_varint(out, 6, millrace_wire::varint::zigzag(scale.into()));
            }
        })
    });
    let head = (
        attributes(1),
        fixed64(2),
        fixed64(3),
        fixed64(4),
        double(5),
        scale,
        fixed64(7),
    )
        .prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].concat());
    let tail = (
        buckets(8),
        buckets(9),
        number(10),
        repeated(11, exemplar()),
        double(12),
        double(13),
        plain_double(14),
    )
        .prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].concat());
    joined((head, tail).prop_map(|(a, b)| vec![a, b]), unknown())
}

fn summary_point() -> impl Strategy<Value = Vec<u8>> {
    let quantile = (plain_double(1), plain_double(2)).prop_map(|(a, b)| [a, b].concat());
    joined(
        (
            fixed64(2),
            fixed64(3),
            fixed64(4),
            plain_double(5),
            repeated(6, quantile),
            attributes(7),
            number(8),
        )
            .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g]),
        unknown(),
    )
}

pub(crate) fn metric() -> impl Strategy<Value = Vec<u8>> {
    let kind = |number: u32, with_temporality: bool, points: BoxedStrategy<Vec<u8>>| {
        (
            proptest::collection::vec(points, 0..4),
            0u64..3,
            any::<bool>(),
        )
            .prop_map(move |(points, temporality, monotonic)| {
                field(|out| {
                    let data = field(|out| {
                        for point in points {
                            push_delimited(out, 1, &point);
                        }
                        if with_temporality && temporality > 0 {
                            push_varint(out, 2, temporality);
                        }
                        if number == 7 && monotonic {
                            push_varint(out, 3, 1);
                        }
                    });
                    push_delimited(out, number, &data);
                })
            })
    };
    let data = prop_oneof![
        kind(5, false, number_point().boxed()),
        kind(7, true, number_point().boxed()),
        kind(9, true, histogram_point().boxed()),
        kind(10, true, exponential_point().boxed()),
        kind(11, false, summary_point().boxed()),
    ];
    (text(1), text(2), text(3), attributes(12), data)
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
}

pub(crate) fn request(item: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let scope = (
        (text(1), text(2), attributes(3), number(4)).prop_map(|(a, b, c, d)| [a, b, c, d].concat()),
        repeated(2, item),
        text(3),
    )
        .prop_map(|(scope, items, schema)| {
            [field(|out| push_delimited(out, 1, &scope)), items, schema].concat()
        });
    let resource = (
        (attributes(1), number(2)).prop_map(|(a, b)| [a, b].concat()),
        repeated(2, scope),
        text(3),
    )
        .prop_map(|(resource, scopes, schema)| {
            [
                field(|out| push_delimited(out, 1, &resource)),
                scopes,
                schema,
            ]
            .concat()
        });
    repeated(1, resource)
}
