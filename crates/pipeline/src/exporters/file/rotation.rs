//! Rotation of a file: once it is full it gets the time into its name, and the oldest of such files are removed.
//!
//! Names, limits and defaults are those of the Collector's `file` exporter.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::Rotation as Settings;

const MEBIBYTE: u64 = 1 << 20;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A name that is taken is tried again with the next millisecond; only a folder that somebody fills on purpose needs more.
const NAMES_TRIED_MAX: u32 = 1_000;
/// The form of the time in a name: digits where this has zeros. It sorts as the times do.
const STAMP_FORM: &[u8] = b"0000-00-00T00-00-00.000";

/// The file that is written, and how those are named that were.
#[derive(Debug)]
pub(super) struct Rotation {
    path: PathBuf,
    folder: PathBuf,
    /// A backup's name before and after its time.
    before: String,
    after: String,
    bytes_max: u64,
    age_max: Option<Duration>,
    backups_max: Option<usize>,
    localtime: bool,
}

impl Rotation {
    /// For a file that exists.
    pub(super) fn of(path: &str, settings: &Settings) -> io::Result<Self> {
        // What links to the file goes on linking to the one that is written.
        let path = fs::canonicalize(path)?;
        let name = path.file_name().unwrap_or_default();
        let name = name.to_str().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "its name is not UTF-8, which rotation needs",
            )
        })?;
        let (stem, ending) = stem_and_ending(name);
        Ok(Self {
            folder: path.parent().unwrap_or(Path::new("/")).to_owned(),
            before: format!("{stem}-"),
            after: ending.to_owned(),
            path,
            bytes_max: settings.max_megabytes.saturating_mul(MEBIBYTE),
            age_max: (settings.max_days > 0).then(|| DAY * settings.max_days),
            backups_max: (settings.max_backups > 0).then_some(settings.max_backups),
            localtime: settings.localtime,
        })
    }

    /// The file that is written.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file of this length has no room for that many bytes more. An empty one always has: what is larger
    /// than a whole file is not cut in two.
    pub(super) const fn is_full(&self, length: u64, more: usize) -> bool {
        length > 0 && length + more as u64 > self.bytes_max
    }

    /// Gives the file the name of a backup.
    pub(super) fn put_away(&self, now: SystemTime) -> io::Result<()> {
        for later in 0..NAMES_TRIED_MAX {
            let time = now + Duration::from_millis(later.into());
            let backup = self.folder.join(self.backup(time)?);
            if backup.try_exists()? {
                continue;
            }
            return match fs::rename(&self.path, backup) {
                // Somebody has moved it already; a new one is needed all the same.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                outcome => outcome,
            };
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "all names that a backup could have are taken",
        ))
    }

    /// Removes the backups that are too old or too many, the others stay.
    pub(super) fn remove_old(&self, now: SystemTime) -> io::Result<()> {
        let mut backups = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().into_string();
            backups.extend(name.ok().filter(|name| self.is_backup(name)));
        }
        backups.sort_unstable_by(|one, other| other.cmp(one));
        let oldest = match self.age_max.and_then(|age| now.checked_sub(age)) {
            Some(time) => self.backup(time)?,
            None => String::new(),
        };
        let kept = self.backups_max.unwrap_or(usize::MAX);
        for (place, name) in backups.iter().enumerate() {
            if place >= kept || *name < oldest {
                match fs::remove_file(self.folder.join(name)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn backup(&self, time: SystemTime) -> io::Result<String> {
        let stamp = stamp(time, self.localtime)?;
        Ok(format!("{}{stamp}{}", self.before, self.after))
    }

    fn is_backup(&self, name: &str) -> bool {
        let stamp = name
            .strip_prefix(&self.before)
            .and_then(|rest| rest.strip_suffix(&self.after));
        stamp.is_some_and(|stamp| {
            let form = STAMP_FORM.iter();
            stamp.len() == STAMP_FORM.len()
                && stamp.bytes().zip(form).all(|(byte, form)| match form {
                    b'0' => byte.is_ascii_digit(),
                    other => byte == *other,
                })
        })
    }
}

/// Takes a name apart before its ending. That of a compression belongs to the one before it: readers know a file by both.
fn stem_and_ending(name: &str) -> (&str, &str) {
    let plain = [".gz", ".zst"]
        .iter()
        .find_map(|packed| name.strip_suffix(packed))
        .filter(|plain| plain.rfind('.').is_some_and(|dot| dot > 0))
        .unwrap_or(name);
    name.split_at(plain.rfind('.').unwrap_or(plain.len()))
}

/// A time as it stands in a name, in the machine's time zone or in UTC.
fn stamp(time: SystemTime, localtime: bool) -> io::Result<String> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = libc::time_t::try_from(since.as_secs()).map_err(io::Error::other)?;
    let tm = broken_down(seconds, localtime)
        .ok_or_else(|| io::Error::other("the clock shows a time that has no date"))?;
    Ok(format!(
        "{:04}-{:02}-{:02}T{:02}-{:02}-{:02}.{:03}",
        tm.tm_year + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec,
        since.subsec_millis()
    ))
}

#[expect(unsafe_code, reason = "time zones are known by the C library")]
fn broken_down(seconds: libc::time_t, localtime: bool) -> Option<libc::tm> {
    let mut tm = std::mem::MaybeUninit::<libc::tm>::zeroed();
    let convert = if localtime {
        libc::localtime_r
    } else {
        libc::gmtime_r
    };
    // SAFETY: both pointers are valid during the call, and the functions keep neither. All of a `tm` may be zero.
    unsafe {
        let filled = convert(&raw const seconds, tm.as_mut_ptr());
        (!filled.is_null()).then(|| tm.assume_init())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_a_name_is_a_date_of_the_calendar() {
        let at = |seconds, millis| {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis);
            stamp(time, false).unwrap()
        };
        assert_eq!(at(0, 0), "1970-01-01T00-00-00.000");
        assert_eq!(at(951_782_399, 7), "2000-02-28T23-59-59.007");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00-00-00.000");
        assert_eq!(at(4_102_444_800, 999), "2100-01-01T00-00-00.999");
    }

    #[test]
    fn a_name_is_taken_apart_where_its_ending_begins() {
        for (name, stem, ending) in [
            ("out.jsonl", "out", ".jsonl"),
            ("out.jsonl.gz", "out", ".jsonl.gz"),
            ("a.b.otlp.zst", "a.b", ".otlp.zst"),
            ("out.gz", "out", ".gz"),
            (".gz", "", ".gz"),
            ("out", "out", ""),
        ] {
            assert_eq!(stem_and_ending(name), (stem, ending), "{name}");
        }
    }
}
