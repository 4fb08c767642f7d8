//! The schema table against other people's descriptors, and the facts about it that the code relies on.

use millrace_wire::Signal;
use millrace_wire::schema::{Kind, Message, request_schema, response_schema};

fn visit(message: &'static Message, seen: &mut Vec<&'static Message>) {
    if seen.iter().any(|known| known.is(message)) {
        return;
    }
    seen.push(message);
    for field in message.fields {
        if let Kind::Message(inner) = field.kind {
            visit(inner, seen);
        }
    }
}

fn all_messages() -> Vec<&'static Message> {
    let mut seen = Vec::new();
    for signal in Signal::ALL {
        visit(request_schema(signal), &mut seen);
        visit(response_schema(signal), &mut seen);
    }
    seen
}

#[test]
fn a_field_is_found_by_its_number_and_by_its_json_name() {
    for message in all_messages() {
        for field in message.fields {
            assert_eq!(message.field(field.number).unwrap().name, field.name);
            assert_eq!(
                message
                    .field_by_json_name(field.json_name.as_bytes())
                    .unwrap()
                    .number,
                field.number
            );
        }
        assert!(message.field(0).is_none());
        assert!(message.field(17).is_none());
        assert!(message.field(u32::MAX).is_none());
    }
}

#[test]
fn all_signals_have_their_envelopes_and_items_under_the_same_numbers() {
    for signal in Signal::ALL {
        let Kind::Message(resource) = request_schema(signal).field(1).unwrap().kind else {
            panic!()
        };
        let Kind::Message(scope) = resource.field(2).unwrap().kind else {
            panic!()
        };
        let Kind::Message(description) = resource.field(1).unwrap().kind else {
            panic!()
        };
        assert_eq!(description.name, "opentelemetry.proto.resource.v1.Resource");
        let Kind::Message(description) = scope.field(1).unwrap().kind else {
            panic!()
        };
        assert_eq!(
            description.name,
            "opentelemetry.proto.common.v1.InstrumentationScope"
        );
        assert!(matches!(scope.field(2).unwrap().kind, Kind::Message(_)));
        assert!(scope.field(2).unwrap().repeated);
    }
}

#[test]
fn j1_only_ids_are_hexadecimal_in_json() {
    for message in all_messages() {
        for field in message.fields {
            let is_id = ["trace_id", "span_id", "parent_span_id"].contains(&field.name);
            assert_eq!(
                matches!(field.kind, Kind::Id),
                is_id,
                "{}.{}",
                message.name,
                field.name
            );
            assert_eq!(
                matches!(field.kind, Kind::ProfileId),
                field.name == "profile_id",
                "{}.{}",
                message.name,
                field.name
            );
        }
    }
}

#[test]
fn p2_every_index_of_profiles_names_its_table() {
    for message in all_messages() {
        for field in message.fields {
            let is_index = ["index", "indices", "strindex"]
                .iter()
                .any(|suffix| field.name.ends_with(suffix));
            assert_eq!(
                field.table.is_some(),
                is_index,
                "{}.{}",
                message.name,
                field.name
            );
        }
    }
}
