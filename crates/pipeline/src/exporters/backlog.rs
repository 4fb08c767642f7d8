//! What waits for a free sender: bounded in requests, first in first out, and merged on its way out.
use std::collections::VecDeque;

use millrace_wire::Signal;

use super::parcel::{Parcel, Part};

/// A merged request stays below the size at which common servers refuse it (gRPC's default is 4 MiB) and at
/// which losing it to a time-out hurts.
const MERGED_BYTES_MAX: usize = 2 << 20;
/// The Collector's own `send_batch_size`, in items.
const MERGED_ITEMS_MAX: usize = 8192;

/// The waiting parts of one exporter.
#[derive(Debug)]
pub(crate) struct Backlog {
    lanes: [VecDeque<Ticket>; 4],
    /// Parts beyond the capacity, which are kept only under `block_on_overflow`; their clients wait.
    overflow: VecDeque<Part>,
    waiting: usize,
    arrivals: u64,
    settings: Settings,
}

/// How a backlog behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Parts that may wait.
    pub(crate) capacity: usize,
    /// Largest request that the exporter may send.
    pub(crate) request_bytes_max: usize,
    /// Whether a part beyond the capacity waits outside instead of being refused.
    pub(crate) block_on_overflow: bool,
    /// Whether a part is answered as soon as it waits inside.
    pub(crate) answer_early: bool,
}

#[derive(Debug)]
struct Ticket {
    arrival: u64,
    part: Part,
}

impl Backlog {
    /// An empty backlog.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            lanes: Default::default(),
            overflow: VecDeque::new(),
            waiting: 0,
            arrivals: 0,
            settings,
        }
    }

    /// Puts a part at the end; gives it back when there is no room.
    pub(crate) fn push(&mut self, mut part: Part) -> Option<Part> {
        if self.waiting < self.settings.capacity {
            self.enter(part);
            None
        } else if self.settings.block_on_overflow {
            part.enqueue();
            // Bounded by the process's byte budget, which each waiting request holds a piece of.
            self.overflow.push_back(part);
            None
        } else {
            Some(part)
        }
    }

    /// The oldest part, with everything of its signal that fits into the same request.
    pub(crate) fn take(&mut self) -> Option<Parcel> {
        let parcel = self
            .take_from_oldest_lane()
            .or_else(|| self.overflow.pop_front().map(Parcel::of));
        while self.waiting < self.settings.capacity
            && let Some(part) = self.overflow.pop_front()
        {
            self.enter(part);
        }
        parcel
    }

    /// Takes everything out, to be given up.
    pub(crate) fn clear(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.settings))
    }

    fn enter(&mut self, mut part: Part) {
        part.enqueue();
        if self.settings.answer_early {
            part.answer_early();
        }
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.waiting += 1;
        let [traces, metrics, logs, profiles] = &mut self.lanes;
        let lane = match part.signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
            Signal::Profiles => profiles,
        };
        lane.push_back(Ticket { arrival, part });
    }

    fn take_from_oldest_lane(&mut self) -> Option<Parcel> {
        let lane = self
            .lanes
            .iter_mut()
            .filter(|lane| !lane.is_empty())
            .min_by_key(|lane| lane.front().map_or(u64::MAX, |ticket| ticket.arrival))?;
        let first = lane.pop_front()?.part;
        // Profiles refer to a dictionary by index: concatenating two would change their meaning (P6).
        let mergeable = first.signal.merges_by_concatenation();
        let bytes_max = MERGED_BYTES_MAX.min(self.settings.request_bytes_max);
        let mut parcel = Parcel::of(first);
        while mergeable
            && let Some(Ticket { part, .. }) = lane.front()
            && parcel.request.len() + part.payload.len() <= bytes_max
            && parcel.items + part.items <= MERGED_ITEMS_MAX
            && let Some(Ticket { part, .. }) = lane.pop_front()
        {
            parcel.add(part);
        }
        self.waiting -= parcel.parts.len();
        Some(parcel)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::batch::{Batch, Payload};
    use crate::component::Ack;
    use crate::ledger::Ledger;

    fn settings(capacity: usize) -> Settings {
        Settings {
            capacity,
            request_bytes_max: 1 << 30,
            block_on_overflow: false,
            answer_early: false,
        }
    }

    fn part(signal: Signal, items: usize, bytes: usize) -> (Part, Ack) {
        let payload = Payload::from(Bytes::from(vec![7; bytes]));
        Part::new(
            Batch {
                signal,
                items,
                payload,
            },
            &Arc::new(Ledger::default()),
        )
    }

    fn sizes(backlog: &mut Backlog) -> Vec<(Signal, Vec<usize>)> {
        std::iter::from_fn(|| backlog.take())
            .map(|parcel| {
                (
                    parcel.parts[0].signal,
                    parcel.parts.iter().map(|part| part.items).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn everything_of_one_signal_leaves_together_and_the_oldest_signal_first() {
        let mut backlog = Backlog::new(settings(10));
        for (signal, items) in [
            (Signal::Logs, 1),
            (Signal::Traces, 2),
            (Signal::Logs, 3),
            (Signal::Traces, 4),
        ] {
            assert!(backlog.push(part(signal, items, 10).0).is_none());
        }
        assert_eq!(
            sizes(&mut backlog),
            [(Signal::Logs, vec![1, 3]), (Signal::Traces, vec![2, 4])]
        );
    }

    #[test]
    fn a_merged_request_stays_within_its_caps_and_a_larger_part_travels_alone() {
        let mut backlog = Backlog::new(settings(10));
        for (items, bytes) in [
            (8000, 10),
            (192, 10),
            (1, 10),
            (1, MERGED_BYTES_MAX),
            (9000, 10),
            (1, 10),
        ] {
            assert!(backlog.push(part(Signal::Traces, items, bytes).0).is_none());
        }
        let parcels: Vec<_> = sizes(&mut backlog)
            .into_iter()
            .map(|(_, items)| items)
            .collect();
        assert_eq!(
            parcels,
            [vec![8000, 192], vec![1], vec![1], vec![9000], vec![1]]
        );
    }

    #[test]
    fn p6_profiles_are_never_merged() {
        let mut backlog = Backlog::new(settings(10));
        for items in [1, 2] {
            assert!(backlog.push(part(Signal::Profiles, items, 10).0).is_none());
        }
        assert_eq!(
            sizes(&mut backlog),
            [(Signal::Profiles, vec![1]), (Signal::Profiles, vec![2])]
        );
    }

    #[test]
    fn a_full_backlog_gives_the_part_back() {
        let mut backlog = Backlog::new(settings(1));
        assert!(backlog.push(part(Signal::Logs, 1, 1).0).is_none());
        assert!(backlog.push(part(Signal::Metrics, 1, 1).0).is_some());
    }

    #[tokio::test]
    async fn with_block_on_overflow_a_part_waits_outside_and_is_answered_when_it_comes_in() {
        let outside = Settings {
            block_on_overflow: true,
            answer_early: true,
            ..settings(1)
        };
        let mut backlog = Backlog::new(outside);
        let (first, first_ack) = part(Signal::Logs, 1, 1);
        let (second, mut second_ack) = part(Signal::Logs, 2, 1);
        assert!(backlog.push(first).is_none());
        assert!(backlog.push(second).is_none());

        assert!(first_ack.await.is_ok());
        assert!(
            std::future::poll_fn(|context| {
                std::task::Poll::Ready(
                    std::pin::Pin::new(&mut second_ack)
                        .poll(context)
                        .is_pending(),
                )
            })
            .await
        );
        assert_eq!(backlog.take().unwrap().items, 1);
        assert!(second_ack.await.is_ok());
    }
}
