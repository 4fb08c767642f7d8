//! The byte budget of the process: telemetry held anywhere in it, counted before it is read.
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Spare memory below this part of what is held is not worth a copy.
const SPARE_PART: usize = 16;

/// How many bytes of telemetry may be held at once, shared by all receivers and workers.
///
/// A reservation travels inside the [`Bytes`] that it pays for, so the budget is free again exactly
/// when the last reference to the data is gone, whichever component held it.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: usize,
    free: Arc<Semaphore>,
    spare: Arc<OnceLock<Weak<dyn Spare>>>,
}

/// Something that holds memory of the budget and can do without it.
pub(crate) trait Spare: std::fmt::Debug + Send + Sync {
    /// Gives so many bytes back, or as many as there are; false where there are none.
    fn give_back(&self, bytes: usize) -> bool;
}

/// Bytes set aside for one request.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    permit: OwnedSemaphorePermit,
}

/// The budget stayed exhausted for as long as the request could wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// Bytes together with the part of the budget they use up.
struct Held<B> {
    bytes: B,
    _permit: OwnedSemaphorePermit,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        // A single reservation is a u32 in tokio's semaphore; nobody holds 4 GiB of telemetry in memory.
        let limit = limit.min(u32::MAX as usize);
        Self {
            limit,
            free: Arc::new(Semaphore::new(limit)),
            spare: Arc::default(),
        }
    }

    /// Names what gives way to telemetry where the budget is short.
    pub(crate) fn spares(&self, spare: &Arc<impl Spare + 'static>) {
        let spare: Weak<dyn Spare> = Arc::downgrade(&(Arc::clone(spare) as Arc<dyn Spare>));
        let _ = self.spare.set(spare); // there is one such thing in a gateway
    }

    /// Makes so many bytes free that somebody can do without; false where there are none.
    pub(crate) fn reclaim(&self, bytes: usize) -> bool {
        let spare = self.spare.get().and_then(Weak::upgrade);
        spare.is_some_and(|spare| spare.give_back(bytes))
    }

    /// The whole budget in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes in use now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.limit.saturating_sub(self.free.available_permits())
    }

    /// Bytes that nobody has reserved.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.available_permits()
    }

    /// Sets `bytes` aside, in order of arrival, waiting at most `patience`.
    ///
    /// Waiting before the body is read is back-pressure that costs nothing: the client's data stays in
    /// its own socket instead of being read and thrown away.
    pub async fn reserve(
        &self,
        bytes: usize,
        patience: Duration,
    ) -> Result<Reservation, Exhausted> {
        let permits = u32::try_from(bytes).map_err(|_| Exhausted)?;
        if bytes > self.limit {
            return Err(Exhausted);
        }
        let missing = bytes.saturating_sub(self.available());
        if missing > 0 {
            self.reclaim(missing);
        }
        let waiting = Arc::clone(&self.free).acquire_many_owned(permits);
        match tokio::time::timeout(patience, waiting).await {
            Ok(Ok(permit)) => Ok(Reservation {
                budget: self.clone(),
                permit,
            }),
            _ => Err(Exhausted),
        }
    }
}

impl Budget {
    /// Sets `bytes` aside if they are free at this moment; nothing gives way.
    pub(crate) fn try_reserve(&self, bytes: usize) -> Result<Reservation, Exhausted> {
        let permit = self.try_acquire(bytes)?;
        Ok(Reservation {
            budget: self.clone(),
            permit,
        })
    }

    fn try_acquire(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Exhausted> {
        let permits = u32::try_from(bytes).map_err(|_| Exhausted)?;
        let acquired = Arc::clone(&self.free).try_acquire_many_owned(permits);
        acquired.map_err(|_| Exhausted)
    }
}

impl Reservation {
    /// Bytes set aside.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.permit.num_permits()
    }

    /// Sets aside what is missing to `bytes`, if it is free at this moment or somebody can do without it.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if self.try_grow_to(bytes).is_ok() {
            return Ok(());
        }
        let more = bytes.saturating_sub(self.bytes());
        self.budget
            .reclaim(more.saturating_sub(self.budget.available()));
        self.try_grow_to(bytes)
    }

    /// Sets aside what is missing to `bytes`, if it is free at this moment; nothing gives way.
    pub(crate) fn try_grow_to(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let missing = bytes.saturating_sub(self.bytes());
        if missing > 0 {
            self.permit.merge(self.budget.try_acquire(missing)?);
        }
        Ok(())
    }

    /// Gives back what is more than `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        drop(self.permit.split(self.bytes().saturating_sub(bytes)));
    }

    /// Ties the reservation, cut to the real size, to the bytes it was made for.
    #[must_use]
    pub fn hold(self, mut bytes: Vec<u8>) -> Bytes {
        // Spare memory would be held uncounted for as long as the bytes are.
        if bytes.capacity() - bytes.len() > bytes.len() / SPARE_PART {
            bytes.shrink_to_fit();
        }
        self.tie(bytes)
    }

    /// The same for bytes that nothing can be cut from.
    #[must_use]
    pub fn tie(mut self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        self.shrink_to(bytes.as_ref().len());
        Bytes::from_owner(Held {
            bytes,
            _permit: self.permit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_the_budget_and_is_refused_when_its_patience_ends() {
        let budget = Budget::new(100);
        let first = budget.reserve(80, Duration::ZERO).await.unwrap();
        assert_eq!(
            budget
                .reserve(30, Duration::from_secs(1))
                .await
                .unwrap_err(),
            Exhausted
        );
        drop(first);
        assert!(budget.reserve(30, Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn the_budget_is_free_again_when_the_last_clone_of_the_bytes_is_dropped() {
        let budget = Budget::new(100);
        let reservation = budget.reserve(80, Duration::ZERO).await.unwrap();
        let bytes = reservation.hold(vec![0; 50]);
        assert_eq!(budget.used(), 50);
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(budget.used(), 50);
        drop(part);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_reservation_grows_only_into_what_is_free() {
        let budget = Budget::new(100);
        let mut reservation = budget.reserve(10, Duration::ZERO).await.unwrap();
        assert_eq!(reservation.grow_to(100), Ok(()));
        assert_eq!(reservation.grow_to(101), Err(Exhausted));
        assert_eq!(reservation.bytes(), 100);
    }

    #[tokio::test]
    async fn more_than_the_whole_budget_is_refused_without_waiting() {
        let outcome = Budget::new(10).reserve(11, Duration::from_secs(3600)).await;
        assert_eq!(outcome.unwrap_err(), Exhausted);
    }
}
