//! Any bytes: nothing panics, and what is accepted can be walked, counted, split, joined and sieved.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_wire::view::{RequestView, ValueView};
use millrace_wire::{Signal, count, merge, reject_invalid, split_by_bytes, split_by_count, validate};

fuzz_target!(|input: &[u8]| {
    let [selector, bytes @ ..] = input else { return };
    let signal = Signal::ALL[usize::from(selector % 4)];
    // Views find less on bytes that were not validated, but never panic.
    walk(bytes);
    let Ok(summary) = validate(signal, bytes) else { return };
    assert_eq!(summary.items, count(signal, bytes));

    let rejected = reject_invalid(signal, bytes);
    assert_eq!(rejected.rejected, summary.invalid);
    let left = validate(signal, &rejected.request).expect("what is left is a request");
    assert_eq!((left.items, left.invalid), (summary.items - summary.invalid, 0));

    let max = 1 + usize::from(selector / 4);
    let parts = split_by_count(signal, bytes, max);
    assert_eq!(parts.len(), summary.items.div_ceil(max));
    for part in &parts {
        let part = validate(signal, part).expect("a part is a request");
        assert!((1..=max).contains(&part.items));
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let joined = merge(signal, &parts);
    assert_eq!(validate(signal, &joined).expect("joined parts are a request").items, summary.items);

    let max = 16 * (1 + usize::from(selector / 4));
    let (parts, left_out) = match split_by_bytes(signal, bytes, max) {
        Ok(parts) => (parts, 0),
        Err(error) => (error.parts, error.items),
    };
    assert!(parts.iter().all(|part| part.len() <= max));
    assert_eq!(parts.iter().map(|part| count(signal, part)).sum::<usize>() + left_out, summary.items);
});

/// Looks at everything, as every signal.
fn walk(bytes: &[u8]) {
    let view = RequestView::new(bytes);
    let dictionary = view.dictionary();
    let mut seen = dictionary.strings().map(str::len).sum::<usize>() + dictionary.stacks().flatten().count();
    seen += dictionary.attributes().map(|entry| depth(entry.value(), 200)).sum::<usize>();
    seen += dictionary.locations().map(|location| location.lines().count()).sum::<usize>();
    for resource in view.resources() {
        seen += resource.attributes().map(|attribute| depth(attribute.value(), 200)).sum::<usize>();
        for scope in resource.scopes() {
            seen += scope.name().len() + scope.attributes().count();
            for span in scope.spans() {
                seen += span.name.len() + span.status().1.len() + span.links().count();
                seen += span.attributes().map(|attribute| depth(attribute.value(), 200)).sum::<usize>();
                seen += span.events().map(|event| event.attributes().count()).sum::<usize>();
            }
            for metric in scope.metrics() {
                let Some(data) = metric.data() else { continue };
                seen += data.number_points().map(|point| point.exemplars().count()).sum::<usize>();
                seen += data.histogram_points().map(|point| point.bucket_counts().count()).sum::<usize>();
                seen += data.exponential_histogram_points().map(|point| point.positive().counts().count()).sum::<usize>();
                seen += data.summary_points().map(|point| point.quantile_values().count()).sum::<usize>();
            }
            seen += scope.log_records().map(|record| depth(record.body(), 200)).sum::<usize>();
            seen += scope.profiles().map(|profile| profile.samples().count()).sum::<usize>();
        }
    }
    std::hint::black_box(seen);
}

/// How deep a value is, as far as `limit`: validated ones end long before.
fn depth(value: ValueView<'_>, limit: usize) -> usize {
    let Some(inside) = limit.checked_sub(1) else { return 0 };
    1 + match value {
        ValueView::Array(array) => array.map(|value| depth(value, inside)).max().unwrap_or_default(),
        ValueView::KvList(list) => list.map(|pair| depth(pair.value(), inside)).max().unwrap_or_default(),
        _ => 0,
    }
}
