//! What retention removes, and the exact count of it.
//!
//! A file is removed in three steps: it gets another name, under which nobody reads it; its rows are added to the count,
//! which is written together with the names of all files that are counted; it goes. Whatever step a crash falls
//! between, the next start finds files of the other name, and the list tells which of them are counted already.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use millrace_wire::Signal;
use serde::{Deserialize, Serialize};

use super::directory::{Directory, Entry};

const NAME: &str = "removed.json";
/// What the name of a file ends in that retention has taken.
const TAKEN: &str = "removed";

/// What was removed so far.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Counts {
    /// By signal.
    removed: BTreeMap<String, Count>,
    /// Names of files that are counted and may still be there.
    counted: Vec<String>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Count {
    files: u64,
    rows: u64,
    bytes: u64,
}

/// Removes files and counts them.
pub(super) fn remove(directory: &Directory, signal: Signal, entries: &[Entry]) -> io::Result<()> {
    let mut taken = Vec::with_capacity(entries.len());
    for entry in entries {
        let path = entry.path.with_extension(TAKEN);
        fs::rename(&entry.path, &path)?;
        taken.push((path, entry.rows));
    }
    finish(directory, signal, &taken)
}

/// Finishes what a crash has interrupted.
pub(super) fn resume(directory: &Directory, signal: Signal) -> io::Result<()> {
    let mut taken = Vec::new();
    for entry in fs::read_dir(directory.path().join(signal.name()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == TAKEN) {
            taken.extend(Entry::of(path.with_extension("parquet")).map(|it| (path, it.rows)));
        }
    }
    finish(directory, signal, &taken)
}

fn finish(directory: &Directory, signal: Signal, taken: &[(PathBuf, u64)]) -> io::Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let mut counts = read(directory.path())?;
    let known = std::mem::take(&mut counts.counted);
    let count = counts.removed.entry(signal.name().to_owned()).or_default();
    for (path, rows) in taken {
        let name = name_in_store(signal, path);
        if !known.contains(&name) {
            count.files += 1;
            count.rows += rows;
            count.bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
        }
        counts.counted.push(name);
    }
    // Files of the other signals may be half removed, too.
    let elsewhere = |name: &String| !name.starts_with(&format!("{}/", signal.name()));
    counts.counted.extend(known.into_iter().filter(elsewhere));
    write(directory.path(), &counts)?;
    taken.iter().try_for_each(|(path, _)| fs::remove_file(path))
}

fn name_in_store(signal: Signal, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}/{name}", signal.name())
}

fn read(path: &Path) -> io::Result<Counts> {
    match fs::read(path.join(NAME)) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Counts::default()),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, counts: &Counts) -> io::Result<()> {
    let unfinished = path.join(format!(".unfinished-{NAME}"));
    let file = fs::File::create(&unfinished)?;
    serde_json::to_writer(&file, counts)?;
    file.sync_all()?;
    fs::rename(&unfinished, path.join(NAME))?;
    super::directory::sync_folder(path)
}
