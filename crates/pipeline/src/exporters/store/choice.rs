//! Which files are merged next.
//!
//! Each row is written once into the file that it comes with. Under load a merge makes a whole file at once, so that most rows
//! are written once more, or not at all where they came as a whole file. In a quiet time what is left is merged as well,
//! with a limit to how often.
use std::collections::HashSet;
use std::path::PathBuf;

use super::directory::Entry;

/// A file of so many rows is merged no more: the more rows, the smaller each, and the longer a search for one trace.
const WHOLE_ROWS: u64 = 65_536;
/// So many rows are merged together as soon as they are there.
const MERGED_ROWS: u64 = 131_072;
/// What a merged file has at most, if none of its parts has more.
const MERGED_ROWS_MAX: u64 = 262_144;
/// So many tiny files are merged although they do not make a whole one together: each costs a search its time.
const TINY_FILES: usize = 16;
/// So many rows make a file more than tiny.
const TINY_ROWS: u64 = 2_048;
/// Files that are read along at once; each has a buffer.
const SOURCES_MAX: usize = 64;
/// In a quiet time a file is written again when others have at least this part of its rows, so that no row is
/// written again and again for the few that trickle in.
const QUIET_PART: u64 = 16;

/// The next files to merge, neighbours in the sequence, if there are any.
pub(super) fn choose<'a>(
    entries: &'a [Entry],
    unreadable: &HashSet<PathBuf>,
    is_quiet: bool,
) -> Option<&'a [Entry]> {
    let is_small = |entry: &Entry| entry.rows < WHOLE_ROWS && !unreadable.contains(&entry.path);
    entries.split(|entry| !is_small(entry)).find_map(|run| {
        whole(run)
            .or_else(|| tiny(run))
            .or_else(|| quiet(run, is_quiet))
    })
}

/// The first of a run, if they make a whole file or are more than can be read along.
fn whole(run: &[Entry]) -> Option<&[Entry]> {
    let mut rows = 0;
    for (count, entry) in run.iter().enumerate() {
        if count > 1 && (rows >= MERGED_ROWS || count == SOURCES_MAX) {
            return run.get(..count);
        }
        rows += entry.rows;
    }
    (run.len() > 1 && rows >= MERGED_ROWS).then_some(run)
}

/// The tiny files at the end of a run: those before them have been merged already.
fn tiny(run: &[Entry]) -> Option<&[Entry]> {
    let is_tiny = |entry: &&Entry| entry.rows < TINY_ROWS;
    let tail = run.iter().rev().take_while(is_tiny).count();
    (tail >= TINY_FILES).then(|| run.get(run.len() - tail..))?
}

/// The last files of a run, as many as are worth it.
fn quiet(run: &[Entry], is_quiet: bool) -> Option<&[Entry]> {
    if !is_quiet {
        return None;
    }
    let (mut rows, mut count) = (0, 0);
    for entry in run.iter().rev() {
        let is_worth_it = count == 0 || entry.rows <= rows * QUIET_PART;
        if !is_worth_it || rows + entry.rows > MERGED_ROWS_MAX {
            break;
        }
        rows += entry.rows;
        count += 1;
    }
    (count > 1).then(|| run.get(run.len() - count..))?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of so many rows each, in a sequence.
    fn files(rows: &[u64]) -> Vec<Entry> {
        (1..)
            .zip(rows)
            .map(|(number, rows)| Entry {
                path: PathBuf::from(number.to_string()),
                last: number,
                rows: *rows,
                from: number,
                to: number,
            })
            .collect()
    }

    /// The rows of the files that are chosen.
    fn chosen(rows: &[u64], is_quiet: bool) -> Vec<u64> {
        let entries = files(rows);
        let chosen = choose(&entries, &HashSet::new(), is_quiet);
        chosen
            .unwrap_or_default()
            .iter()
            .map(|it| it.rows)
            .collect()
    }

    #[test]
    fn files_of_thousands_of_rows_wait_until_they_make_a_whole_one_and_are_merged_once() {
        assert_eq!(chosen(&[4_000; 32], false), [0; 0]);
        assert_eq!(chosen(&[4_000; 33], false), [4_000; 33]);
    }

    #[test]
    fn whole_files_are_left_alone_and_divide_the_others() {
        assert_eq!(chosen(&[70_000, 90_000, 65_536], true), [0; 0]);
        assert_eq!(chosen(&[60_000, 70_000, 60_000, 60_000], false), [0; 0]);
        assert_eq!(
            chosen(&[60_000, 70_000, 60_000, 50_000], true),
            [60_000, 50_000]
        );
    }

    #[test]
    fn many_tiny_files_are_merged_without_what_was_merged_before() {
        let mut rows = vec![30_000];
        rows.extend([10; 16]);
        assert_eq!(chosen(&rows, false), [10; 16]);
        assert_eq!(chosen(&[10; 15], false), [0; 0]);
    }

    #[test]
    fn in_a_quiet_time_all_small_files_are_merged_but_none_for_the_sake_of_a_few_rows() {
        assert_eq!(chosen(&[500, 1_000, 700], true), [500, 1_000, 700]);
        assert_eq!(chosen(&[50_000, 10, 10], true), [10, 10]);
        assert_eq!(chosen(&[50_000, 20], true), [0; 0]);
        assert_eq!(chosen(&[500, 1_000, 700], false), [0; 0]);
    }

    #[test]
    fn a_file_that_cannot_be_read_divides_its_neighbours() {
        let entries = files(&[10, 20, 30, 40]);
        let unreadable = HashSet::from([PathBuf::from("2")]);
        let chosen = choose(&entries, &unreadable, true).unwrap();
        assert_eq!(
            chosen.iter().map(|it| it.rows).collect::<Vec<_>>(),
            [30, 40]
        );
    }
}
