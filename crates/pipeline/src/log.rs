//! The gateway's own log: short lines on standard error, no more than a person can read, never a secret.
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lines one component may write in a window before the rest is only counted.
const LINES_PER_WINDOW: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);
/// Inside somebody else's program a component may say one thing, and then nothing for this long.
const GUEST_WINDOW: Duration = Duration::from_secs(300);

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only what needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What happened.
    Info,
    /// Everything.
    Debug,
}

impl Level {
    /// The level of `service.telemetry.logs.level`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "error" => Some(Self::Error),
            "warn" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            _ => None,
        }
    }
}

/// Writes lines of at least the configured importance, throttled per component.
#[derive(Debug)]
pub struct Log {
    level: Level,
    lines_per_window: u32,
    window: Duration,
    windows: Mutex<HashMap<String, Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    written: u32,
    last: String,
}

impl Log {
    /// A log that leaves out what is less important than `level`.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self {
            level,
            lines_per_window: LINES_PER_WINDOW,
            window: WINDOW,
            windows: Mutex::default(),
        }
    }

    /// A log for a guest in somebody else's program: warnings and errors, one line of each component in five minutes.
    #[must_use]
    pub fn of_guest() -> Self {
        Self {
            lines_per_window: 1,
            window: GUEST_WINDOW,
            ..Self::new(Level::Warn)
        }
    }

    /// The latest message of a component, written or left out.
    #[must_use]
    pub fn last(&self, component: &str) -> Option<String> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        Some(windows.get(component)?.last.clone())
    }

    /// Something failed that the gateway handles, such as a destination that refuses data.
    pub fn warn(&self, component: &str, message: impl fmt::Display) {
        self.write(Level::Warn, component, &message);
    }

    /// Something that a person has to look at.
    pub fn error(&self, component: &str, message: impl fmt::Display) {
        self.write(Level::Error, component, &message);
    }

    /// Something that happened as intended.
    pub fn info(&self, component: &str, message: impl fmt::Display) {
        self.write(Level::Info, component, &message);
    }

    fn write(&self, level: Level, component: &str, message: &dyn fmt::Display) {
        if level > self.level {
            return;
        }
        let message = message.to_string();
        let Some(suppressed) = self.admit(component, &message) else {
            return;
        };
        let mut line = format!("{} {component}: ", name(level));
        push_printable(&mut line, &message);
        if suppressed > 0 {
            let _ = write!(
                line,
                " ({suppressed} more lines of this component were left out)"
            );
        }
        line.push('\n');
        write_to_standard_error(line.as_bytes());
    }

    /// How many lines were left out before this one, or `None` when this one is left out too.
    fn admit(&self, component: &str, message: &str) -> Option<u32> {
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(component.to_owned()).or_insert(Window {
            since: now,
            written: 0,
            last: String::new(),
        });
        let mut suppressed = 0;
        if now.duration_since(window.since) >= self.window {
            suppressed = window.written.saturating_sub(self.lines_per_window);
            (window.since, window.written) = (now, 0);
        }
        message.clone_into(&mut window.last);
        window.written += 1;
        (window.written <= self.lines_per_window).then_some(suppressed)
    }
}

/// Not through `std::io::Stderr`: a process that forks while another thread writes would leave its lock locked in the child.
fn write_to_standard_error(line: &[u8]) {
    // A closed standard error must not stop anybody.
    if let Ok(descriptor) = std::io::stderr().as_fd().try_clone_to_owned() {
        let _ = File::from(descriptor).write_all(line);
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// Appends `text` with every control character escaped: names come from strangers (S14).
pub fn push_printable(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s14_control_characters_and_direction_overrides_are_escaped() {
        let mut line = String::new();
        push_printable(&mut line, "a\x1b[31m\r\nb\u{202e}c");
        assert_eq!(line, "a\\u{1b}[31m\\r\\nb\\u{202e}c");
    }

    #[test]
    fn a_component_that_repeats_itself_is_throttled() {
        let log = Log::new(Level::Info);
        let written = (0..100)
            .filter(|_| log.admit("otlp", "again").is_some())
            .count();
        assert_eq!(written, LINES_PER_WINDOW as usize);
    }

    #[test]
    fn a_guest_says_one_thing_and_remembers_the_latest() {
        let log = Log::of_guest();
        assert!(log.admit("traces", "refused").is_some());
        assert!(log.admit("traces", "reset").is_none());
        assert!(log.admit("logs", "refused").is_some());
        assert_eq!(log.last("traces").as_deref(), Some("reset"));
    }
}
