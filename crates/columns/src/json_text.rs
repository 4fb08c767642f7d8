//! Values as text for people and SQL: strings as they are, everything else as plain JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_wire::view::ValueView;

/// How deep values are written; the wire refuses deeper ones.
const DEPTH_MAX: usize = 64;

/// Appends a value; a string without quotes.
pub(crate) fn push_text(out: &mut String, value: &ValueView<'_>) {
    match value {
        ValueView::String(text) => out.push_str(text),
        other => push_json(out, other, DEPTH_MAX),
    }
}

fn push_json(out: &mut String, value: &ValueView<'_>, depth: usize) {
    match value {
        ValueView::String(text) => push_quoted(out, text),
        ValueView::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ValueView::Int(value) => out.push_str(itoa::Buffer::new().format(*value)),
        ValueView::Double(value) => push_double(out, *value),
        ValueView::Bytes(bytes) => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        ValueView::Array(values) if depth > 0 => {
            out.push('[');
            for (index, value) in values.clone().enumerate() {
                separate(out, index);
                push_json(out, &value, depth - 1);
            }
            out.push(']');
        }
        ValueView::KvList(pairs) if depth > 0 => {
            out.push('{');
            for (index, pair) in pairs.clone().enumerate() {
                separate(out, index);
                push_quoted(out, pair.key);
                out.push(':');
                push_json(out, &pair.value(), depth - 1);
            }
            out.push('}');
        }
        _ => out.push_str("null"),
    }
}

/// JSON has no words for what is not a number; they become strings, as in OTLP/JSON.
pub(crate) fn push_double(out: &mut String, value: f64) {
    if value.is_finite() {
        out.push_str(ryu::Buffer::new().format_finite(value));
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn push_quoted(out: &mut String, text: &str) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control @ '\0'..='\x1f' => {
                out.push_str("\\u00");
                for digit in [control as usize >> 4, control as usize & 15] {
                    out.extend(DIGITS.get(digit));
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
