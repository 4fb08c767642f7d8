//! Edits of any request: it stays one, keeps its items, and has the attribute as the action says.
#![no_main]

#[allow(dead_code, reason = "each target makes its own kind of request")]
#[path = "../../crates/wire/tests/core/generate.rs"]
mod generate;

use libfuzzer_sys::fuzz_target;
use millrace_wire::view::RequestView;
use millrace_wire::{Action, AttributeValue, Level, Signal, edit_attribute, validate};

const LEVELS: [Level; 4] = [Level::Resource, Level::Scope, Level::Item, Level::SpanEvent];
const ACTIONS: [Action; 4] = [Action::Insert, Action::Update, Action::Upsert, Action::Delete];
const KEYS: [&str; 4] = ["key", "a", "deployment.environment.name", ""];

fuzz_target!(|input: &[u8]| {
    let [selector, choice, seed @ ..] = input else { return };
    let signal = Signal::ALL[usize::from(selector % 4)];
    let level = LEVELS[usize::from(selector / 4 % 4)];
    let action = ACTIONS[usize::from(choice % 4)];
    let key = KEYS[usize::from(choice / 4 % 4)];
    let bytes = if selector / 16 % 2 == 0 { generate::wild_request(signal, seed) } else { seed.to_vec() };
    let Ok(before) = validate(signal, &bytes) else { return };

    let value = AttributeValue::from("new");
    let edited = edit_attribute(signal, &bytes, level, action, key, Some(&value));
    let after = validate(signal, &edited).expect("an edited request is a request");
    assert_eq!(after.items, before.items);
    if level == Level::Item && signal == Signal::Traces && !key.is_empty() {
        check_spans(&edited, action, key);
    }
    // The dictionary of profiles grows with every new value.
    if signal != Signal::Profiles || matches!(action, Action::Insert | Action::Delete) {
        assert_eq!(edit_attribute(signal, &edited, level, action, key, Some(&value)), edited);
    }
});

fn check_spans(edited: &[u8], action: Action, key: &str) {
    for scope in RequestView::new(edited).resources().flat_map(|resource| resource.scopes()) {
        for span in scope.spans() {
            let is_present = span.attributes().get(key).is_some();
            match action {
                Action::Insert | Action::Upsert => assert!(is_present),
                Action::Delete => assert!(!is_present),
                Action::Update => {}
            }
        }
    }
}
