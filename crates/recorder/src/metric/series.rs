//! A stream: the series of one instrument as one view shapes them for one reader, bounded in number.
use std::mem;

use hashbrown::HashTable;
use millrace_wire::encode::{EncodedAttributes, Number, Temporality};

use super::aggregation::{Aggregation, State};
use super::exemplar::{Exemplar, Random, Reservoir, ReservoirKind};
use super::explicit::bucket;
use super::point::Point;

/// How many attribute sets a stream tells apart; the specification's default. What comes beyond is one series more.
pub const CARDINALITY_LIMIT: usize = 2000;

/// What a stream is and how it aggregates.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The name of the metric.
    pub name: String,
    /// What the metric is.
    pub description: String,
    /// The unit of its values.
    pub unit: String,
    /// How measurements become points.
    pub aggregation: Aggregation,
    /// Since when points count.
    pub temporality: Temporality,
    /// Whether callbacks say how much it is, instead of calls saying how much more.
    pub is_observable: bool,
    /// Whether a sum of the values means something.
    pub record_sum: bool,
    /// Whether histograms tell the least and the greatest value.
    pub record_min_max: bool,
    /// How exemplars are chosen.
    pub reservoir: ReservoirKind,
    /// How many attribute sets are told apart.
    pub cardinality_limit: usize,
}

/// The attributes of a series, of a type that the owner of the stream chooses.
pub trait SeriesKey: Clone {
    /// The attributes as they are sent.
    fn attributes(&self) -> &EncodedAttributes;
}

#[derive(Debug)]
struct Series<K> {
    key: K,
    hash: u64,
    start_time_unix_nano: u64,
    /// Whether something was measured since the last collection.
    is_updated: bool,
    state: State,
    reservoir: Reservoir<K>,
}

/// The series of one instrument, for one reader and view.
#[derive(Debug)]
pub struct Stream<K> {
    options: StreamOptions,
    /// Places in `series` by attributes. The overflow series is not among them.
    table: HashTable<usize>,
    series: Vec<Series<K>>,
    overflow_key: K,
    overflow: Option<usize>,
    /// Whether a look for series that can be forgotten is worth while.
    may_have_idle: bool,
    random: Random,
    /// Series of a parent process, to be dropped where that may take time.
    inherited: Vec<Series<K>>,
}

impl<K: SeriesKey> Stream<K> {
    /// An empty stream. What comes beyond the limit is counted under `overflow_key`; `seed` begins its random choices.
    #[must_use]
    pub const fn new(options: StreamOptions, overflow_key: K, seed: u64) -> Self {
        Self {
            options,
            table: HashTable::new(),
            series: Vec::new(),
            overflow_key,
            overflow: None,
            may_have_idle: false,
            random: Random::new(seed),
            inherited: Vec::new(),
        }
    }

    /// What this stream is.
    #[must_use]
    pub const fn options(&self) -> &StreamOptions {
        &self.options
    }

    /// The series with this hash that `equal` recognises.
    #[inline]
    pub fn find(&self, hash: u64, mut equal: impl FnMut(&K) -> bool) -> Option<usize> {
        let found = self.table.find(hash, |place| {
            self.series
                .get(*place)
                .is_some_and(|series| series.hash == hash && equal(&series.key))
        });
        found.copied()
    }

    /// Whether one more series fits. Idle ones are forgotten for it, where nothing is lost with them.
    pub fn has_room(&mut self) -> bool {
        if self.table.len() >= self.options.cardinality_limit && mem::take(&mut self.may_have_idle)
        {
            self.forget(|series| series.is_updated);
        }
        self.table.len() < self.options.cardinality_limit
    }

    /// Begins a series that [`find`](Self::find) did not find; beyond the limit it is the overflow series.
    pub fn insert(&mut self, hash: u64, key: K, now_unix_nano: u64) -> usize {
        if !self.has_room() {
            return self.overflow(now_unix_nano);
        }
        let place = self.push(hash, key, now_unix_nano);
        let Self { table, series, .. } = self;
        table.insert_unique(hash, place, |place| hash_at(series, *place));
        place
    }

    /// The series of everything beyond the limit.
    pub fn overflow(&mut self, now_unix_nano: u64) -> usize {
        if let Some(place) = self.overflow {
            return place;
        }
        let place = self.push(0, self.overflow_key.clone(), now_unix_nano);
        self.overflow = Some(place);
        place
    }

    fn push(&mut self, hash: u64, key: K, now_unix_nano: u64) -> usize {
        self.series.push(Series {
            key,
            hash,
            start_time_unix_nano: now_unix_nano,
            is_updated: false,
            state: State::new(&self.options.aggregation),
            reservoir: Reservoir::new(),
        });
        self.series.len() - 1
    }

    /// Whether there were more attribute sets than fit.
    #[must_use]
    pub const fn is_overflowing(&self) -> bool {
        self.overflow.is_some()
    }

    /// The key of the series at a place.
    #[must_use]
    pub fn key(&self, place: usize) -> Option<&K> {
        self.series.get(place).map(|series| &series.key)
    }

    /// Takes a measurement into the series at a place.
    #[inline]
    pub fn update(&mut self, place: usize, value: Number) {
        if let Some(series) = self.series.get_mut(place) {
            if self.options.is_observable && !series.is_updated {
                series.state.begin_observation();
            }
            series.is_updated = true;
            series.state.update(&self.options.aggregation, value);
        }
    }

    /// Offers an exemplar to the series at a place; it is made only if it is chosen.
    pub fn offer(&mut self, place: usize, value: Number, exemplar: impl FnOnce() -> Exemplar<K>) {
        let Some(series) = self.series.get_mut(place) else {
            return;
        };
        let chosen = match (self.options.reservoir, &self.options.aggregation) {
            (
                ReservoirKind::AlignedHistogramBucket,
                Aggregation::ExplicitHistogram { bounds, .. },
            ) => Some(bucket(bounds, value)),
            (ReservoirKind::AlignedHistogramBucket, _) => {
                series.reservoir.place(1, &mut self.random)
            }
            (ReservoirKind::SimpleFixedSize(size), _) => {
                series.reservoir.place(size, &mut self.random)
            }
            (ReservoirKind::Elsewhere, _) => None,
        };
        if let Some(chosen) = chosen {
            series.reservoir.set(chosen, exemplar());
        }
    }

    /// Takes the points out, in the order in which their series began. The next interval begins at `now_unix_nano`.
    pub fn collect(&mut self, now_unix_nano: u64) -> Vec<Point<K>> {
        self.inherited.clear();
        let is_delta = self.options.temporality == Temporality::Delta;
        let is_last_value = self.options.aggregation == Aggregation::LastValue;
        let only_updated = is_delta || self.options.is_observable;
        // A baseline has to stay, to tell the change from it.
        let is_forgetful = if self.options.is_observable {
            !is_delta || is_last_value
        } else {
            is_delta
        };
        if is_forgetful && self.series.iter().any(|series| !series.is_updated) {
            self.forget(|series| series.is_updated);
        }
        let options = &self.options;
        let points = self
            .series
            .iter_mut()
            .filter(|series| series.is_updated || !only_updated)
            .map(|series| {
                series.is_updated = false;
                let start = series.start_time_unix_nano;
                if is_delta {
                    series.start_time_unix_nano = now_unix_nano;
                }
                Point {
                    key: series.key.clone(),
                    start_time_unix_nano: if is_last_value { 0 } else { start },
                    time_unix_nano: now_unix_nano,
                    data: series.state.collect(
                        &options.aggregation,
                        options.temporality,
                        options.is_observable,
                    ),
                    exemplars: series.reservoir.collect(),
                }
            })
            .collect();
        self.may_have_idle = only_updated;
        points
    }

    /// Forgets series, but not the order of the others.
    fn forget(&mut self, keep: impl Fn(&Series<K>) -> bool) {
        let overflow = self.overflow.take();
        let mut place = 0;
        let mut kept = 0;
        self.series.retain(|series| {
            let is_kept = keep(series);
            if is_kept && overflow == Some(place) {
                self.overflow = Some(kept);
            }
            place += 1;
            kept += usize::from(is_kept);
            is_kept
        });
        self.table.clear();
        let Self { table, series, .. } = self;
        for (place, one) in series.iter().enumerate() {
            if self.overflow != Some(place) {
                table.insert_unique(one.hash, place, |place| hash_at(series, *place));
            }
        }
    }

    /// In a forked child: what the parent measured is the parent's to report. Last values stay, for they are said, not counted.
    /// Nothing is dropped here; that waits for the next collection.
    pub fn begin_in_child(&mut self) {
        if self.options.aggregation == Aggregation::LastValue && !self.options.is_observable {
            return;
        }
        self.table.clear();
        self.overflow = None;
        self.inherited.append(&mut self.series);
    }
}

fn hash_at<K>(series: &[Series<K>], place: usize) -> u64 {
    series.get(place).map_or(0, |series| series.hash)
}
