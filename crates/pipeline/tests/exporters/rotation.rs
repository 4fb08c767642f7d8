//! Rotation by the `file` exporter: nothing is lost or cut, and no more is kept than was asked for.
use std::sync::Arc;

use millrace_pipeline::component::{Consumer, Reason};
use millrace_pipeline::config::{FileExporter, Rotation};

use crate::books;
use crate::files::{records, settings, start};
use crate::folder::Folder;
use crate::requests::{span_batch, spans};

const ROTATION: Rotation = Rotation {
    max_megabytes: 1,
    max_days: 0,
    max_backups: 0,
    localtime: false,
};

fn rotated(folder: &Folder, name: &str, rotation: Rotation) -> FileExporter {
    FileExporter {
        append: false,
        rotation: Some(rotation),
        ..settings(folder.path(name), "proto", "none")
    }
}

/// A span of 400 kB: two of them fit into a file of a mebibyte, three do not.
fn name(letter: char) -> String {
    letter.to_string().repeat(400_000)
}

async fn write(exporter: &Arc<dyn Consumer>, letters: &str) {
    for letter in letters.chars() {
        let ack = exporter.consume(span_batch(&[&name(letter)]));
        ack.await.unwrap();
    }
}

/// The first letter of each span in a file.
fn letters(folder: &Folder, file: &str) -> String {
    let records = records(&folder.read(file));
    let known = |record: &Vec<u8>| {
        let letter = ('a'..='z').find(|letter| *record == spans(&[&name(*letter)]));
        letter.unwrap()
    };
    records.iter().map(known).collect()
}

#[tokio::test]
async fn a_file_without_room_gets_the_time_into_its_name_and_a_new_one_begins() {
    let folder = Folder::new();
    let (exporter, ledger) = start(rotated(&folder, "out.otlp", ROTATION));
    write(&exporter, "abcde").await;

    let names = folder.names();
    let [first, second, current] = names.as_slice() else {
        panic!("{names:?}");
    };
    let read = [first, second, current].map(|file| letters(&folder, file));
    assert_eq!(read, ["ab", "cd", "e"]);
    assert_eq!(current, "out.otlp");
    let form: String = first
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    assert_eq!(form, "out-0000-00-00T00-00-00.000.otlp");
    assert_eq!(books::spans(&ledger), (5, 0, 0));
}

#[tokio::test]
async fn a_request_larger_than_a_file_stands_alone_and_whole() {
    let folder = Folder::new();
    let (exporter, _) = start(rotated(&folder, "out", ROTATION));
    let large = "x".repeat(3 << 20);
    for text in ["small", &large, "small"] {
        exporter.consume(span_batch(&[text])).await.unwrap();
    }
    let files: Vec<_> = folder
        .names()
        .iter()
        .map(|name| folder.read(name))
        .collect();
    assert_eq!(files.len(), 3);
    for file in files {
        assert_eq!(records(&file).len(), 1);
    }
}

#[tokio::test]
async fn a_rotated_file_is_continued_after_a_restart_until_it_is_full() {
    let folder = Folder::new();
    for letter in ["a", "b", "c"] {
        let (exporter, _) = start(rotated(&folder, "out", ROTATION));
        write(&exporter, letter).await;
    }
    let names = folder.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(letters(&folder, "out"), "c");
}

#[tokio::test]
async fn every_file_of_a_compressed_rotation_can_be_read_by_itself() {
    let folder = Folder::new();
    let (exporter, _) = start(FileExporter {
        compression: "zstd".to_owned(),
        ..rotated(&folder, "out.otlp.zst", ROTATION)
    });
    let random = |_| char::from(fastrand::u8(b' '..=b'~'));
    for _ in 0..4 {
        let noise: String = (0..700_000).map(random).collect();
        exporter.consume(span_batch(&[&noise])).await.unwrap();
    }
    let names = folder.names();
    assert!(names.len() > 1, "{names:?}");
    assert!(names.iter().all(|name| name.ends_with(".otlp.zst")));
    let read = |name: &String| {
        let plain = zstd::decode_all(folder.read(name).as_slice()).unwrap();
        records(&plain).len()
    };
    assert_eq!(names.iter().map(read).sum::<usize>(), 4);
}

#[tokio::test]
async fn the_newest_backups_are_kept_and_nothing_else_is_touched() {
    let others = [
        "out-2020-01-01T00-00-00.000.json",
        "out-2020-01-01.otlp",
        "other-2020-01-01T00-00-00.000.otlp",
        "out-notes.otlp",
    ];
    for (rotation, kept) in [
        (
            ROTATION,
            vec![
                "out-2020-01-01T00-00-00.000.otlp",
                "out-2021-01-01T00-00-00.000.otlp",
            ],
        ),
        (
            Rotation {
                max_backups: 2,
                ..ROTATION
            },
            vec!["out-2021-01-01T00-00-00.000.otlp"],
        ),
        (
            Rotation {
                max_days: 1,
                ..ROTATION
            },
            vec![],
        ),
        (
            Rotation {
                max_days: 36_500,
                ..ROTATION
            },
            vec![
                "out-2020-01-01T00-00-00.000.otlp",
                "out-2021-01-01T00-00-00.000.otlp",
            ],
        ),
    ] {
        let folder = Folder::new();
        let old = [
            "out-2020-01-01T00-00-00.000.otlp",
            "out-2021-01-01T00-00-00.000.otlp",
        ];
        for name in others.iter().chain(&old) {
            folder.write(name, "old");
        }
        let (exporter, _) = start(rotated(&folder, "out.otlp", rotation));
        write(&exporter, "abc").await;

        let names = folder.names();
        let is_old = |name: &&String| folder.read(name) == b"old";
        let mut expected: Vec<&str> = others.iter().chain(&kept).copied().collect();
        expected.sort_unstable();
        assert_eq!(names.iter().filter(is_old).collect::<Vec<_>>(), expected);
        assert_eq!(names.len(), expected.len() + 2, "{names:?}");
    }
}

#[tokio::test]
async fn f5_what_finds_no_new_file_is_refused_retryably_until_there_is_one() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("below")).unwrap();
    let (exporter, ledger) = start(rotated(&folder, "below/out", ROTATION));
    write(&exporter, "ab").await;
    std::fs::remove_dir_all(folder.path("below")).unwrap();

    let refusal = exporter
        .consume(span_batch(&[&name('c')]))
        .await
        .unwrap_err();
    let expected = "the file cannot be written: it cannot be rotated: ";
    assert!(refusal.message.starts_with(expected), "{}", refusal.message);
    assert_eq!(
        (refusal.reason, refusal.retryable),
        (Reason::WriteFailed, true)
    );
    std::fs::create_dir(folder.path("below")).unwrap();
    write(&exporter, "c").await;
    assert_eq!(letters(&folder, "below/out"), "c");
    assert_eq!(books::spans(&ledger), (3, 1, 0));
}
