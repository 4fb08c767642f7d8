//! What this process has used of the machine.

/// Clock ticks in a second as `/proc` counts them; the kernel fixes this at 100 for all programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time that all threads of this process have used, in seconds; `None` where there is no `/proc`.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name in parentheses and may hold spaces; user and system time are 14 and 15.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn cpu_time_is_known_and_does_not_run_backwards() {
        let before = super::cpu_seconds().unwrap();
        assert!(super::cpu_seconds().unwrap() >= before);
    }
}
