//! Names of files with `*`, `?` and `**`, as the Collector's `include` and `exclude` write them.
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Files that one pattern may find; more is a pattern that means something else.
const FOUND_MAX: usize = 10_000;
/// Folders below each other that `**` looks into.
const DEPTH_MAX: usize = 16;

/// A pattern, by the parts between its slashes.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The folder that the first part is looked for in.
    root: PathBuf,
    parts: Vec<String>,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.contains(['[', '{', '\\']) {
            return Err(format!(
                "{text:?} has a part that is not understood; * ? and ** are, and there may be several patterns"
            ));
        }
        let mut root = PathBuf::from(".");
        let mut parts = Vec::new();
        for component in Path::new(text).components() {
            match component {
                Component::RootDir => root = PathBuf::from("/"),
                Component::CurDir | Component::Prefix(_) => {}
                Component::ParentDir => parts.push("..".to_owned()),
                Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            }
        }
        if parts.is_empty() {
            return Err(format!("expected the path of a file, got {text:?}"));
        }
        Ok(Self { root, parts })
    }

    /// The files that match now.
    pub(super) fn find(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.root, &self.parts, 0, &mut found);
        found
    }

    /// Whether the path of a file that another pattern has found matches.
    pub(super) fn matches(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else {
            return false;
        };
        let names: Vec<&OsStr> = below.iter().collect();
        fits_all(&self.parts, &names)
    }
}

fn walk(folder: &Path, parts: &[String], depth: usize, found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else {
        return;
    };
    if found.len() >= FOUND_MAX {
        return;
    }
    let is_any_depth = part == "**";
    if is_any_depth {
        walk(folder, rest, depth, found);
    }
    if !part.contains(['*', '?']) {
        let path = folder.join(part);
        if rest.is_empty() && path.is_file() {
            found.push(path);
        } else if !rest.is_empty() {
            walk(&path, rest, depth, found);
        }
        return;
    }
    // What cannot be looked into holds nothing that could be read.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        if is_any_depth {
            // Links are not followed down: they can lead up again.
            if depth < DEPTH_MAX && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&path, parts, depth + 1, found);
            }
        } else if fits(part, &entry.file_name()) {
            if !rest.is_empty() {
                walk(&path, rest, depth, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
}

fn fits_all(parts: &[String], names: &[&OsStr]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((part, rest)), _) if part == "**" => {
            let skipped = names.split_first().map(|(_, names)| names);
            fits_all(rest, names) || skipped.is_some_and(|names| fits_all(parts, names))
        }
        (Some((part, parts)), Some((name, names))) => fits(part, name) && fits_all(parts, names),
        _ => false,
    }
}

/// Whether a name fits: where it does not, the last `*` takes a byte more.
fn fits(part: &str, name: &OsStr) -> bool {
    let (part, name) = (part.as_bytes(), name.as_encoded_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while seen < name.len() {
        match part.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(b'?') => (at, seen) = (at + 1, seen + 1),
            Some(byte) if name.get(seen) == Some(byte) => (at, seen) = (at + 1, seen + 1),
            _ => {
                let Some((star_at, from)) = star else {
                    return false;
                };
                star = Some((star_at, from + 1));
                (at, seen) = (star_at + 1, from + 1);
            }
        }
    }
    part.iter().skip(at).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_its_pattern_and_no_other() {
        for (part, name, wanted) in [
            ("*.otz", "a.otz", true),
            ("*.otz", "a.otz.gz", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab-ba", false),
            ("**", "x", true),
            ("", "", true),
        ] {
            assert_eq!(fits(part, OsStr::new(name)), wanted, "{part} {name}");
        }
    }

    #[test]
    fn a_path_matches_at_any_depth_where_the_pattern_says_so() {
        for (pattern, path, wanted) in [
            ("/data/**/x.otz", "/data/x.otz", true),
            ("/data/**/x.otz", "/data/a/b/x.otz", true),
            ("/data/*/x.otz", "/data/a/b/x.otz", false),
            ("/data/*.otz", "/other/x.otz", false),
        ] {
            let matched = Pattern::parse(pattern).unwrap().matches(Path::new(path));
            assert_eq!(matched, wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["/data/[ab].otz", "/data/{a,b}.otz", "", "/"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
