//! P1 to P7: profiles, whose meaning lies in indices into a dictionary.

use millrace_wire::view::RequestView;
use millrace_wire::{
    Action, AttributeValue, Level, Signal, Summary, count, edit_attribute, merge, reject_invalid,
    split_by_count, validate,
};
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::profiles::v1development::{
    Function, KeyValueAndUnit, Line, Link, Location, Mapping, Profile, ProfilesDictionary,
    ResourceProfiles, Sample, ScopeProfiles, Stack, ValueType,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// A dictionary with one entry that means something in each table; `name` makes it its own.
fn dictionary(name: &str) -> ProfilesDictionary {
    let strings = ["", "cpu", "nanoseconds", name, "thread", "main.rs"];
    ProfilesDictionary {
        mapping_table: vec![
            Mapping::default(),
            Mapping {
                filename_strindex: 5,
                ..Mapping::default()
            },
        ],
        location_table: vec![
            Location::default(),
            Location {
                mapping_index: 1,
                lines: vec![Line {
                    function_index: 1,
                    line: 7,
                    column: 0,
                }],
                ..Location::default()
            },
        ],
        function_table: vec![
            Function::default(),
            Function {
                name_strindex: 3,
                ..Function::default()
            },
        ],
        link_table: vec![
            Link::default(),
            Link {
                trace_id: vec![1; 16],
                span_id: vec![2; 8],
            },
        ],
        string_table: strings.into_iter().map(str::to_owned).collect(),
        attribute_table: vec![
            KeyValueAndUnit::default(),
            KeyValueAndUnit {
                key_strindex: 4,
                value: Some(text(name)),
                unit_strindex: 0,
            },
        ],
        stack_table: vec![
            Stack::default(),
            Stack {
                location_indices: vec![1],
            },
        ],
    }
}

fn text(text: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(text.to_owned())),
    }
}

fn sample() -> Sample {
    Sample {
        stack_index: 1,
        attribute_indices: vec![1],
        link_index: 1,
        values: vec![5],
        timestamps_unix_nano: vec![],
    }
}

fn profile() -> Profile {
    Profile {
        sample_type: Some(ValueType {
            type_strindex: 1,
            unit_strindex: 2,
        }),
        samples: vec![sample()],
        time_unix_nano: 1,
        profile_id: vec![7; 16],
        attribute_indices: vec![1],
        ..Profile::default()
    }
}

fn encoded(profiles: Vec<Profile>, dictionary: ProfilesDictionary) -> Vec<u8> {
    let attribute = KeyValue {
        key_strindex: 4,
        value: Some(text("resource")),
        ..KeyValue::default()
    };
    let resource = Resource {
        attributes: vec![attribute],
        ..Resource::default()
    };
    let scope = ScopeProfiles {
        profiles,
        ..ScopeProfiles::default()
    };
    let resource = ResourceProfiles {
        resource: Some(resource),
        scope_profiles: vec![scope],
        ..ResourceProfiles::default()
    };
    ExportProfilesServiceRequest {
        resource_profiles: vec![resource],
        dictionary: Some(dictionary),
    }
    .encode_to_vec()
}

#[track_caller]
fn is_invalid(profiles: Vec<Profile>, dictionary: ProfilesDictionary, because: &str) {
    let bytes = encoded(profiles, dictionary);
    let summary = validate(Signal::Profiles, &bytes).unwrap();
    let rejected = reject_invalid(Signal::Profiles, &bytes);
    assert!(summary.invalid > 0, "accepted, though {because}");
    assert_eq!(rejected.rejected, summary.invalid);
    assert_eq!(
        count(Signal::Profiles, &rejected.request),
        summary.items - summary.invalid
    );
    assert!(rejected.message.contains(because), "{}", rejected.message);
}

#[test]
fn a_sound_profile_is_valid() {
    let bytes = encoded(vec![profile(), profile()], dictionary("work"));
    assert_eq!(
        validate(Signal::Profiles, &bytes).unwrap(),
        Summary {
            items: 2,
            invalid: 0
        }
    );
}

#[test]
fn p1_each_table_begins_with_a_zero_value() {
    let broken = |change: fn(&mut ProfilesDictionary)| {
        let mut dictionary = dictionary("work");
        change(&mut dictionary);
        is_invalid(
            vec![profile()],
            dictionary,
            "must start each table with a zero value",
        );
    };
    broken(|dictionary| dictionary.string_table[0] = "text".to_owned());
    broken(|dictionary| dictionary.link_table[0].trace_id = vec![1; 16]);
    broken(|dictionary| dictionary.stack_table[0].location_indices = vec![1]);
    broken(|dictionary| dictionary.location_table[0].address = 5);
}

#[test]
fn p2_an_index_outside_of_its_table_is_invalid_wherever_it_stands() {
    for index in [-1, 2, i32::MAX, i32::MIN] {
        let change = |change: &dyn Fn(&mut Profile)| {
            let mut broken = profile();
            change(&mut broken);
            is_invalid(
                vec![profile(), broken],
                dictionary("work"),
                "points past the end of its table",
            );
        };
        change(&|profile| profile.samples[0].stack_index = index);
        change(&|profile| profile.samples[0].link_index = index);
        change(&|profile| profile.samples[0].attribute_indices = vec![1, index]);
        change(&|profile| profile.attribute_indices = vec![index]);
        let strindex = if index == 2 { 6 } else { index };
        change(&|profile| {
            profile.sample_type = Some(ValueType {
                type_strindex: strindex,
                unit_strindex: 0,
            });
        });
    }
}

#[test]
fn p2_an_index_of_the_dictionary_outside_of_its_table_makes_every_profile_invalid() {
    let broken = |change: fn(&mut ProfilesDictionary)| {
        let mut dictionary = dictionary("work");
        change(&mut dictionary);
        is_invalid(vec![profile()], dictionary, "point past no table's end");
    };
    broken(|dictionary| dictionary.stack_table[1].location_indices = vec![2]);
    broken(|dictionary| dictionary.location_table[1].mapping_index = -1);
    broken(|dictionary| dictionary.location_table[1].lines[0].function_index = 9);
    broken(|dictionary| dictionary.function_table[1].filename_strindex = 6);
    broken(|dictionary| {
        dictionary.attribute_table[1].value = Some(AnyValue {
            value: Some(Value::StringValueStrindex(99)),
        });
    });
}

#[test]
fn p2_the_dictionary_may_stand_before_the_profiles_and_in_several_pieces() {
    let bytes = encoded(vec![profile()], ProfilesDictionary::default());
    let pieces = ExportProfilesServiceRequest {
        resource_profiles: vec![],
        dictionary: Some(dictionary("work")),
    }
    .encode_to_vec();
    let (first, second) = (
        ProfilesDictionary {
            string_table: vec![],
            ..dictionary("work")
        },
        dictionary("work"),
    );
    let second = ProfilesDictionary {
        string_table: second.string_table,
        ..ProfilesDictionary::default()
    };
    let piece = |dictionary| {
        ExportProfilesServiceRequest {
            resource_profiles: vec![],
            dictionary: Some(dictionary),
        }
        .encode_to_vec()
    };
    for request in [
        [pieces.clone(), bytes.clone()].concat(),
        [bytes.clone(), pieces].concat(),
        [piece(first), bytes, piece(second)].concat(),
    ] {
        assert_eq!(
            validate(Signal::Profiles, &request).unwrap(),
            Summary {
                items: 1,
                invalid: 0
            }
        );
    }
}

#[test]
fn p3_a_sample_has_values_or_timestamps_and_as_many_of_each_if_both() {
    let with = |values: Vec<i64>, timestamps_unix_nano: Vec<u64>| Profile {
        samples: vec![Sample {
            values,
            timestamps_unix_nano,
            ..sample()
        }],
        ..profile()
    };
    for (values, timestamps) in [
        (vec![], vec![]),
        (vec![1, 2], vec![1]),
        (vec![-1], vec![1, 2]),
    ] {
        is_invalid(
            vec![with(values, timestamps)],
            dictionary("work"),
            "a sample must have values",
        );
    }
    for (values, timestamps) in [
        (vec![-1, 300], vec![]),
        (vec![], vec![1, 2]),
        (vec![-1, i64::MIN], vec![1, 2]),
    ] {
        let bytes = encoded(vec![with(values, timestamps)], dictionary("work"));
        assert_eq!(validate(Signal::Profiles, &bytes).unwrap().invalid, 0);
    }
}

#[test]
fn p4_a_profile_id_is_16_bytes_that_are_not_all_zero_or_left_out() {
    for profile_id in [vec![0; 16], vec![1; 15], vec![1; 17]] {
        is_invalid(
            vec![Profile {
                profile_id,
                ..profile()
            }],
            dictionary("work"),
            "profile_id must be empty, or 16 bytes",
        );
    }
    let bytes = encoded(
        vec![Profile {
            profile_id: vec![],
            ..profile()
        }],
        dictionary("work"),
    );
    assert_eq!(validate(Signal::Profiles, &bytes).unwrap().invalid, 0);
}

#[test]
fn p5_the_original_payload_and_its_format_come_together() {
    for (format, payload) in [("jfr", vec![]), ("", vec![1])] {
        let broken = Profile {
            original_payload_format: format.to_owned(),
            original_payload: payload,
            ..profile()
        };
        is_invalid(vec![broken], dictionary("work"), "original_payload_format");
    }
}

#[test]
fn p7_a_function_has_a_name() {
    let mut dictionary = dictionary("work");
    dictionary.function_table[1] = Function {
        filename_strindex: 5,
        ..Function::default()
    };
    is_invalid(vec![profile()], dictionary, "name each function");
}

/// What a request says, with every index followed: for each profile its attribute, function, file and link.
fn meaning(request: &[u8]) -> Vec<String> {
    let view = RequestView::new(request);
    let dictionary = view.dictionary();
    let at = |index: i32| dictionary.strings().nth(index as usize).unwrap();
    let mut lines = Vec::new();
    for resource in view.resources() {
        let resource_key = resource
            .attributes()
            .map(|attribute| at(attribute.key_strindex))
            .collect::<String>();
        for profile in resource.scopes().flat_map(|scope| scope.profiles()) {
            let types = (
                at(profile.sample_type().type_strindex),
                at(profile.sample_type().unit_strindex),
            );
            let attribute = |index: u64| {
                let entry = dictionary.attributes().nth(index as usize).unwrap();
                format!("{}={:?}", at(entry.key_strindex), entry.value())
            };
            let of_profile: Vec<_> = profile.attribute_indices().map(attribute).collect();
            for sample in profile.samples() {
                let stack = dictionary
                    .stacks()
                    .nth(sample.stack_index as usize)
                    .unwrap();
                let location = dictionary
                    .locations()
                    .nth(stack.last().unwrap() as usize)
                    .unwrap();
                let line = location.lines().next().unwrap();
                let function = dictionary
                    .functions()
                    .nth(line.function_index as usize)
                    .unwrap();
                let mapping = dictionary
                    .mappings()
                    .nth(location.mapping_index as usize)
                    .unwrap();
                let span_link = dictionary.links().nth(sample.link_index as usize).unwrap();
                let of_sample: Vec<_> = sample.attribute_indices().map(attribute).collect();
                let values: Vec<_> = sample.values().collect();
                lines.push(format!(
                    "{resource_key} {types:?} {of_profile:?} {of_sample:?} {values:?} {} {}:{} {:?}",
                    at(function.name_strindex), at(mapping.filename_strindex), line.line, span_link.trace_id
                ));
            }
        }
    }
    lines
}

#[test]
fn p6_joining_requests_changes_the_meaning_of_no_profile() {
    let requests: Vec<_> = ["first", "second", "third"]
        .map(|name| encoded(vec![profile(), profile()], dictionary(name)))
        .into();
    let joined = merge(
        Signal::Profiles,
        &requests.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    );
    assert_eq!(
        validate(Signal::Profiles, &joined).unwrap(),
        Summary {
            items: 6,
            invalid: 0
        }
    );
    let expected: Vec<_> = requests
        .iter()
        .flat_map(|request| meaning(request))
        .collect();
    assert_eq!(meaning(&joined), expected);
    assert!(expected[5].contains("third"), "{}", expected[5]);
    // Prost reads the joined dictionaries as one, too.
    let normal = ExportProfilesServiceRequest::decode(&joined[..])
        .unwrap()
        .encode_to_vec();
    assert_eq!(meaning(&normal), expected);
}

#[test]
fn p6_splitting_keeps_the_dictionary_in_every_part_and_joining_the_parts_does_not_repeat_it() {
    let request = encoded(vec![profile(); 5], dictionary("work"));
    let parts = split_by_count(Signal::Profiles, &request, 2);
    assert_eq!(parts.len(), 3);
    let in_parts: Vec<_> = parts.iter().flat_map(|part| meaning(part)).collect();
    assert_eq!(in_parts, meaning(&request));
    let joined = merge(
        Signal::Profiles,
        &parts.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    );
    assert_eq!(meaning(&joined), meaning(&request));
    let strings = RequestView::new(&joined).dictionary().strings().count();
    assert_eq!(strings, dictionary("work").string_table.len());
}

#[test]
fn an_attribute_of_profiles_is_inserted_updated_and_deleted_through_the_dictionary() {
    let other = Profile {
        attribute_indices: vec![],
        ..profile()
    };
    let request = encoded(vec![profile(), other], dictionary("work"));
    let edit = |action, key, value: &str| {
        let value = AttributeValue::from(value);
        let edited = edit_attribute(
            Signal::Profiles,
            &request,
            Level::Item,
            action,
            key,
            Some(&value),
        );
        assert_eq!(
            validate(Signal::Profiles, &edited).unwrap(),
            Summary {
                items: 2,
                invalid: 0
            }
        );
        let decoded = ExportProfilesServiceRequest::decode(&edited[..]).unwrap();
        let dictionary = decoded.dictionary.unwrap();
        let read = |profile: &Profile| -> Vec<(String, Option<AnyValue>)> {
            let entries = profile
                .attribute_indices
                .iter()
                .map(|index| &dictionary.attribute_table[*index as usize]);
            entries
                .map(|entry| {
                    (
                        dictionary.string_table[entry.key_strindex as usize].clone(),
                        entry.value.clone(),
                    )
                })
                .collect()
        };
        decoded.resource_profiles[0].scope_profiles[0]
            .profiles
            .iter()
            .map(read)
            .collect::<Vec<_>>()
    };
    let old = || ("thread".to_owned(), Some(text("work")));
    let new = |key: &str| (key.to_owned(), Some(text("new")));
    assert_eq!(
        edit(Action::Insert, "thread", "new"),
        [vec![old()], vec![new("thread")]]
    );
    assert_eq!(
        edit(Action::Update, "thread", "new"),
        [vec![new("thread")], vec![]]
    );
    assert_eq!(
        edit(Action::Upsert, "thread", "new"),
        [vec![new("thread")], vec![new("thread")]]
    );
    assert_eq!(edit(Action::Delete, "thread", "new"), [vec![], vec![]]);
    assert_eq!(
        edit(Action::Insert, "added", "new"),
        [vec![old(), new("added")], vec![new("added")]]
    );
    assert_eq!(edit(Action::Delete, "absent", "new"), [vec![old()], vec![]]);
}

#[test]
fn an_attribute_can_be_added_to_profiles_without_any_dictionary() {
    let bare = Profile {
        samples: vec![],
        sample_type: None,
        attribute_indices: vec![],
        ..profile()
    };
    let scope = ScopeProfiles {
        profiles: vec![bare],
        ..ScopeProfiles::default()
    };
    let resource = ResourceProfiles {
        scope_profiles: vec![scope],
        ..ResourceProfiles::default()
    };
    let request = ExportProfilesServiceRequest {
        resource_profiles: vec![resource],
        dictionary: None,
    }
    .encode_to_vec();
    let edited = edit_attribute(
        Signal::Profiles,
        &request,
        Level::Item,
        Action::Insert,
        "k",
        Some(&AttributeValue::from("v")),
    );
    assert_eq!(
        validate(Signal::Profiles, &edited).unwrap(),
        Summary {
            items: 1,
            invalid: 0
        }
    );
    let view = RequestView::new(&edited);
    let entry = view.dictionary().attributes().nth(1).unwrap();
    assert_eq!(
        view.dictionary().strings().nth(entry.key_strindex as usize),
        Some("k")
    );
}

#[test]
fn a_resource_attribute_of_profiles_is_found_by_its_index_into_the_dictionary() {
    let request = encoded(vec![profile()], dictionary("work"));
    let value = AttributeValue::from("new");
    let edit = |action| {
        edit_attribute(
            Signal::Profiles,
            &request,
            Level::Resource,
            action,
            "thread",
            Some(&value),
        )
    };
    assert_eq!(edit(Action::Insert), request);
    let updated = ExportProfilesServiceRequest::decode(&edit(Action::Update)[..]).unwrap();
    let attributes = &updated.resource_profiles[0]
        .resource
        .as_ref()
        .unwrap()
        .attributes;
    assert_eq!(
        attributes,
        &[KeyValue {
            key: String::new(),
            value: Some(text("new")),
            key_strindex: 4
        }]
    );
    let deleted = ExportProfilesServiceRequest::decode(&edit(Action::Delete)[..]).unwrap();
    assert!(
        deleted.resource_profiles[0]
            .resource
            .as_ref()
            .unwrap()
            .attributes
            .is_empty()
    );
}
