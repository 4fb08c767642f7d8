//! How the C library's allocator deals with memory that is given back to it: for a process that does nothing but run a gateway.

/// Freed memory at the end of a heap that stays with the process: as much as a busy gateway frees and needs again at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 16 << 20;
/// Requests smaller than this come from a heap, larger ones from the system; nearly all bodies are smaller.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES: libc::c_int = 8 << 20;

/// Heaps at least: threads that find theirs taken use another one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS_MIN: usize = 2;

/// Makes the allocator keep what is freed instead of returning it to the system piece by piece. True where it can.
///
/// By default glibc returns the end of a heap as soon as 128 KiB to 2 MiB of it are free. Each body of a request then
/// has the system take its pages away and, one page fault for every 4 KiB, give and clear them again for the next.
/// By default there may also be eight heaps for each CPU, and each keeps what one thread has needed once: with a store, whose files
/// are merged now and then, a third of all memory. One heap for each CPU is enough.
/// The setting counts for the whole process, so only the one that owns the process may ask for it.
#[must_use]
pub fn keep_freed_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let cpus = std::thread::available_parallelism().map_or(HEAPS_MIN, usize::from);
        let heaps = libc::c_int::try_from(cpus.max(HEAPS_MIN)).unwrap_or(libc::c_int::MAX);
        #[expect(unsafe_code, reason = "mallopt is a function of C")]
        // SAFETY: it takes two numbers and its own lock, and changes nothing but where memory comes from and when it is returned.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES) == 1
                && libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES) == 1
                && libc::mallopt(libc::M_ARENA_MAX, heaps) == 1
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    false
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_allocator_takes_the_setting_where_it_is_the_one_of_glibc() {
        assert_eq!(
            super::keep_freed_memory(),
            cfg!(all(target_os = "linux", target_env = "gnu"))
        );
    }
}
