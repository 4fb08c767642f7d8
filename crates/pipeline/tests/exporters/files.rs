//! The `file` exporter: what stands in the file, whatever happens to the disk.
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use millrace_pipeline::component::{Consumer, Reason};
use millrace_pipeline::config::{Exporter, FileExporter};
use millrace_pipeline::exporters::build;
use millrace_pipeline::ledger::Ledger;
use millrace_wire::Signal;
use tokio::time::Instant;

use crate::books;
use crate::folder::Folder;
use crate::requests::{batch, logs, span_batch, spans};

pub(crate) fn settings(path: String, format: &str, compression: &str) -> FileExporter {
    FileExporter {
        path,
        format: format.to_owned(),
        compression: compression.to_owned(),
        append: true,
        flush_interval_ms: 1000,
        fsync: true,
        rotation: None,
    }
}

pub(crate) fn start(settings: FileExporter) -> (Arc<dyn Consumer>, Arc<Ledger>) {
    let ledger = Arc::default();
    (
        build(&Exporter::File(settings), books::context(&ledger)).unwrap(),
        ledger,
    )
}

/// The requests of a length-delimited file.
pub(crate) fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        records.push(record.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty());
    records
}

#[tokio::test]
async fn a_request_stands_in_the_file_when_it_is_acknowledged() {
    let folder = Folder::new();
    let (exporter, ledger) = start(settings(folder.path("out.otlp"), "proto", "none"));
    assert!(exporter.consume(span_batch(&["a", "b"])).await.is_ok());
    assert_eq!(records(&folder.read("out.otlp")), [spans(&["a", "b"])]);
    assert!(exporter.consume(span_batch(&["c"])).await.is_ok());
    assert_eq!(
        records(&folder.read("out.otlp")),
        [spans(&["a", "b"]), spans(&["c"])]
    );
    assert_eq!(books::spans(&ledger), (3, 0, 0));
}

#[tokio::test]
async fn json_is_one_request_a_line() {
    let folder = Folder::new();
    let (exporter, _) = start(settings(folder.path("out.jsonl"), "json", "none"));
    for bodies in [&["a\nb"][..], &["c", "d"]] {
        assert!(
            exporter
                .consume(batch(Signal::Logs, bodies.len(), logs(bodies)))
                .await
                .is_ok()
        );
    }
    let text = String::from_utf8(folder.read("out.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let body = |line: usize, record: usize| {
        lines[line]
            .pointer(&format!(
                "/resourceLogs/0/scopeLogs/0/logRecords/{record}/body/stringValue"
            ))
            .unwrap()
            .clone()
    };
    assert_eq!(
        (body(0, 0), body(1, 1), lines.len()),
        ("a\nb".into(), "d".into(), 2)
    );
}

#[tokio::test]
async fn compressed_files_are_whole_streams_after_every_write() {
    let folder = Folder::new();
    let ungzip = |packed: &[u8]| {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(packed)
            .read_to_end(&mut plain)
            .unwrap();
        plain
    };
    let unzstd = |packed: &[u8]| zstd::decode_all(packed).unwrap();
    for (coding, unpack) in [
        ("gzip", &ungzip as &dyn Fn(&[u8]) -> Vec<u8>),
        ("zstd", &unzstd),
    ] {
        let (exporter, _) = start(settings(folder.path(coding), "proto", coding));
        for count in 1..4 {
            assert!(exporter.consume(span_batch(&["a"])).await.is_ok());
            assert_eq!(
                records(&unpack(&folder.read(coding))),
                vec![spans(&["a"]); count]
            );
        }
    }
}

#[tokio::test]
async fn many_batches_never_interleave() {
    let folder = Folder::new();
    let (exporter, ledger) = start(settings(folder.path("out"), "proto", "none"));
    let long = "x".repeat(10_000);
    let acks: Vec<_> = (0..500)
        .map(|_| exporter.consume(span_batch(&[&long])))
        .collect();
    for ack in acks {
        assert!(ack.await.is_ok());
    }
    assert_eq!(records(&folder.read("out")), vec![spans(&[&long]); 500]);
    assert_eq!(books::spans(&ledger), (500, 0, 0));
}

#[tokio::test]
async fn the_file_is_continued_or_emptied_as_append_says() {
    let folder = Folder::new();
    for (append, expected) in [(true, 1), (true, 2), (false, 1)] {
        let (exporter, _) = start(FileExporter {
            append,
            ..settings(folder.path("out"), "proto", "none")
        });
        assert!(exporter.consume(span_batch(&["a"])).await.is_ok());
        assert_eq!(records(&folder.read("out")).len(), expected);
    }
}

#[tokio::test]
async fn the_file_belongs_to_its_owner_alone() {
    let folder = Folder::new();
    let (_exporter, _) = start(settings(folder.path("out"), "proto", "none"));
    let mode = std::fs::metadata(folder.path("out"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn f5_a_full_disk_refuses_retryably_and_is_counted() {
    let (exporter, ledger) = start(settings("/dev/full".to_owned(), "proto", "none"));
    for _ in 0..2 {
        let refusal = exporter.consume(span_batch(&["a"])).await.unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.retryable),
            (Reason::WriteFailed, true)
        );
        assert!(refusal.message.starts_with("the file cannot be written: "));
    }
    assert_eq!(books::dropped(&ledger, Reason::WriteFailed), 2);
    assert_eq!(books::spans(&ledger), (0, 2, 0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn f5_what_the_disk_does_not_confirm_is_not_acknowledged() {
    // A file that takes what is written and knows no fsync: the name of this process.
    for (fsync, is_acknowledged) in [(true, false), (false, true)] {
        let (exporter, ledger) = start(FileExporter {
            fsync,
            ..settings("/proc/self/comm".to_owned(), "proto", "none")
        });
        let outcome = exporter.consume(span_batch(&["a"])).await;
        assert_eq!(outcome.is_ok(), is_acknowledged, "{outcome:?}");
        if let Err(refusal) = outcome {
            assert_eq!(
                (refusal.reason, refusal.retryable),
                (Reason::WriteFailed, true)
            );
            assert_eq!(books::dropped(&ledger, Reason::WriteFailed), 1);
        }
    }
}

#[tokio::test]
async fn x11_a_shutdown_writes_what_waits() {
    let folder = Folder::new();
    let (exporter, ledger) = start(settings(folder.path("out"), "proto", "zstd"));
    for _ in 0..100 {
        drop(exporter.consume(span_batch(&["a"])));
    }
    exporter
        .shutdown(Instant::now() + Duration::from_secs(60))
        .await;
    assert_eq!(books::spans(&ledger), (100, 0, 0));
    let plain = zstd::decode_all(folder.read("out").as_slice()).unwrap();
    assert_eq!(records(&plain).len(), 100);
}

#[tokio::test]
async fn f6_a_destination_that_does_not_take_the_data_holds_it_until_the_deadline() {
    let folder = Folder::new();
    let path = folder.path("pipe");
    // A pipe that nobody reads is the slowest of disks: 64 KiB fit, then a write waits.
    let status = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    let reader = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let (exporter, ledger) = start(settings(path, "proto", "none"));
    let long = "x".repeat(100_000);
    let acks: Vec<_> = (0..50)
        .map(|_| exporter.consume(span_batch(&[&long])))
        .collect();
    exporter
        .shutdown(Instant::now() + Duration::from_millis(200))
        .await;

    let (_, dropped, held) = books::spans(&ledger);
    assert!(dropped >= 30 && held > 0, "{dropped} {held}");
    let refusal = acks.into_iter().next_back().unwrap().await.unwrap_err();
    assert_eq!(
        (refusal.reason, refusal.retryable),
        (Reason::Shutdown, true)
    );
    drop(reader);
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let problem = |settings| {
        build(&Exporter::File(settings), books::context(&Arc::default()))
            .err()
            .unwrap()
            .to_string()
    };
    let text = problem(settings("/no/such/folder/out".to_owned(), "proto", "none"));
    assert!(
        text.starts_with("exporters.out.path: the file \"/no/such/folder/out\" cannot be opened"),
        "{text}"
    );
    assert!(
        problem(settings("/dev/null".to_owned(), "xml", "none"))
            .starts_with("exporters.out.format: expected")
    );
    assert!(
        problem(settings("/dev/null".to_owned(), "json", "lz4"))
            .starts_with("exporters.out.compression: expected")
    );
}
