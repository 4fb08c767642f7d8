//! The time of telemetry.

/// Now, in nanoseconds since 1970.
#[cfg(unix)]
#[inline]
pub(crate) fn now_unix_nano() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[expect(
        unsafe_code,
        reason = "the standard library's clock spends more on arithmetic than the system on the time"
    )]
    // SAFETY: the call writes to `now`, and fails for no clock that every system has.
    unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
    }
    // Before 1970 there is no telemetry; the numbers are enough until 2554.
    now.tv_sec
        .cast_unsigned()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec.cast_unsigned())
}

/// Now, in nanoseconds since 1970.
#[cfg(not(unix))]
pub(crate) fn now_unix_nano() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
