//! Trace and span ids: random, never zero, and different in a forked child.
use std::cell::RefCell;

use rand::rngs::{SysRng, Xoshiro256PlusPlus};
use rand::{Rng, SeedableRng, TryRng};

use crate::fork;

thread_local! {
    /// A generator for each thread, and the process it was seeded in: ids take no lock.
    static GENERATOR: RefCell<Option<(u32, Xoshiro256PlusPlus)>> = const { RefCell::new(None) };
}

/// A new random trace id, 16 bytes of which one at least is not zero.
#[must_use]
pub fn trace_id() -> [u8; 16] {
    root_ids().0
}

/// A new random trace id and the span id of its root, drawn at once.
#[inline]
#[must_use]
pub fn root_ids() -> ([u8; 16], [u8; 8]) {
    with_generator(|generator| {
        loop {
            let [high, low, span] = std::array::from_fn(|_| generator.next_u64());
            // One in 2^64 has no span id, or half of a trace id; who is that lucky draws again.
            if low != 0 && span != 0 {
                let mut trace_id = [0; 16];
                trace_id[..8].copy_from_slice(&high.to_be_bytes());
                trace_id[8..].copy_from_slice(&low.to_be_bytes());
                return (trace_id, span.to_be_bytes());
            }
        }
    })
}

/// A new random span id, 8 bytes of which one at least is not zero.
#[inline]
#[must_use]
pub fn span_id() -> [u8; 8] {
    loop {
        let id = with_generator(Xoshiro256PlusPlus::next_u64);
        if id != 0 {
            return id.to_be_bytes();
        }
    }
}

/// A random number for decisions that need no secrecy, such as which measurement becomes an exemplar.
#[must_use]
pub fn random() -> u64 {
    with_generator(Xoshiro256PlusPlus::next_u64)
}

#[inline]
fn with_generator<T>(draw: impl FnOnce(&mut Xoshiro256PlusPlus) -> T) -> T {
    GENERATOR.with_borrow_mut(|slot| {
        let process = fork::generation();
        match slot {
            Some((seeded_in, generator)) if *seeded_in == process => draw(generator),
            _ => draw(&mut slot.insert((process, seeded())).1),
        }
    })
}

#[cold]
fn seeded() -> Xoshiro256PlusPlus {
    let mut seed = [0u8; 32];
    if SysRng.try_fill_bytes(&mut seed).is_err() {
        // No machine that runs Python lacks a source of randomness; ids of such a one differ by address and process.
        let here = std::ptr::from_ref(&seed).addr() as u64;
        let process = u64::from(std::process::id());
        return Xoshiro256PlusPlus::seed_from_u64(here ^ process.rotate_left(32));
    }
    Xoshiro256PlusPlus::from_seed(seed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn ids_of_many_threads_are_all_different_and_never_zero() {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                thread::spawn(|| {
                    (0..20_000)
                        .map(|_| (trace_id(), span_id()))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let all: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        let traces: HashSet<_> = all.iter().map(|(trace, _)| *trace).collect();
        let spans: HashSet<_> = all.iter().map(|(_, span)| *span).collect();
        assert_eq!((traces.len(), spans.len()), (all.len(), all.len()));
        assert!(!traces.contains(&[0; 16]) && !spans.contains(&[0; 8]));
    }
}
