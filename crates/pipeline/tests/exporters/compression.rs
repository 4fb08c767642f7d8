//! Content codings against bombs, lies and damage; the oracles are the codings' own crates.
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use millrace_pipeline::net::compression::{Coding, DecompressError, compress, decompress};

const MIB: usize = 1 << 20;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

/// Text that shrinks like telemetry.
fn telemetry(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = Vec::with_capacity(length + 40);
    while text.len() < length {
        write!(
            text,
            "http.route=/orders/{} status=200;",
            random.u32(0..500)
        )
        .unwrap();
    }
    text.truncate(length);
    text
}

fn is_corrupt(outcome: &Result<Vec<u8>, DecompressError>) -> bool {
    matches!(outcome, Err(DecompressError::Corrupt(_)))
}

#[test]
fn what_is_compressed_in_pieces_is_read_whole_by_the_codings_own_crates() {
    for pieces in [1, 2, 7] {
        for length in [0, 1, 5000, 3 * MIB] {
            let plain = telemetry(length);
            let size = plain.len().div_ceil(pieces).max(1);
            let chunks: Vec<Bytes> = plain.chunks(size).map(Bytes::copy_from_slice).collect();
            for level in [None, Some(1), Some(9)] {
                let mut unzipped = Vec::new();
                let zipped = compress(Coding::Gzip, level, &chunks).unwrap();
                MultiGzDecoder::new(zipped.as_slice())
                    .read_to_end(&mut unzipped)
                    .unwrap();
                assert!(unzipped == plain);
                let zipped = compress(Coding::Zstd, level, &chunks).unwrap();
                assert!(zstd::decode_all(zipped.as_slice()).unwrap() == plain);
            }
        }
    }
}

#[test]
fn what_the_codings_own_crates_wrote_is_read() {
    for length in [0, 1, 5000, 3 * MIB] {
        let plain = telemetry(length);
        assert!(decompress(Coding::Gzip, &gzip(&plain), 4 * MIB).unwrap() == plain);
        assert!(decompress(Coding::Zstd, &zstd(&plain), 4 * MIB).unwrap() == plain);
        assert!(decompress(Coding::Identity, &plain, 4 * MIB).unwrap() == plain);
    }
}

#[test]
fn h6_the_limit_holds_to_the_byte() {
    let plain = telemetry(MIB);
    for (coding, packed) in [
        (Coding::Gzip, gzip(&plain)),
        (Coding::Zstd, zstd(&plain)),
        (Coding::Identity, plain.clone()),
    ] {
        assert_eq!(decompress(coding, &packed, MIB).unwrap().len(), MIB);
        assert_eq!(
            decompress(coding, &packed, MIB - 1),
            Err(DecompressError::TooLarge)
        );
    }
}

#[test]
fn s1_a_bomb_is_refused_at_the_limit() {
    let zeros = vec![0; 256 * MIB];
    for (coding, bomb) in [(Coding::Gzip, gzip(&zeros)), (Coding::Zstd, zstd(&zeros))] {
        assert!(bomb.len() < MIB);
        assert_eq!(
            decompress(coding, &bomb, MIB),
            Err(DecompressError::TooLarge)
        );
    }
}

#[test]
fn s1_ten_thousand_gzip_members_are_one_body_under_one_limit() {
    let many = gzip(b"0123456789").repeat(10_000);
    assert_eq!(
        decompress(Coding::Gzip, &many, 100_000).unwrap(),
        b"0123456789".repeat(10_000)
    );
    assert_eq!(
        decompress(Coding::Gzip, &many, 99_999),
        Err(DecompressError::TooLarge)
    );
    assert_eq!(
        decompress(Coding::Gzip, &gzip(b"").repeat(10_000), 0),
        Ok(Vec::new())
    );
}

#[test]
fn s1_a_zstd_window_of_2_gib_is_refused_without_being_allocated() {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let window_of = |exponent: u8| {
        [
            magic.as_slice(),
            &[0x00, exponent << 3],
            &[0x09, 0, 0, b'a'],
        ]
        .concat()
    };
    assert!(is_corrupt(&decompress(Coding::Zstd, &window_of(21), MIB)));
    assert_eq!(decompress(Coding::Zstd, &window_of(13), MIB).unwrap(), b"a");
}

#[test]
fn s6_a_declared_size_is_refused_or_believed_only_as_far_as_the_input_reaches() {
    // A single-segment frame that declares 4 GiB, or 60 MiB, and holds one byte.
    let frame = |size: u64| {
        [
            &[0x28, 0xb5, 0x2f, 0xfd, 0xe0],
            size.to_le_bytes().as_slice(),
            &[0x09, 0, 0, b'a'],
        ]
        .concat()
    };
    assert_eq!(
        decompress(Coding::Zstd, &frame(4 << 30), 64 * MIB),
        Err(DecompressError::TooLarge)
    );
    assert!(is_corrupt(&decompress(
        Coding::Zstd,
        &frame(60 << 20),
        64 * MIB
    )));
    let mut lying = gzip(b"abc");
    let end = lying.len();
    lying[end - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(is_corrupt(&decompress(Coding::Gzip, &lying, 64 * MIB)));
}

#[test]
fn c1_a_body_cut_at_any_byte_is_refused() {
    let plain = telemetry(3000);
    for (coding, packed) in [(Coding::Gzip, gzip(&plain)), (Coding::Zstd, zstd(&plain))] {
        for end in 0..packed.len() {
            let outcome = decompress(coding, &packed[..end], MIB);
            // No bytes at all are no frame at all, which zstd counts as nothing rather than as damage.
            assert!(
                is_corrupt(&outcome) || (end == 0 && outcome == Ok(Vec::new())),
                "{coding:?} {end}"
            );
        }
    }
}

#[test]
fn c1_bytes_after_the_end_are_refused() {
    for (coding, packed) in [(Coding::Gzip, gzip(b"abc")), (Coding::Zstd, zstd(b"abc"))] {
        for garbage in [&b"\0"[..], b"x", b"garbage after the end"] {
            let outcome = decompress(coding, &[packed.as_slice(), garbage].concat(), MIB);
            assert!(is_corrupt(&outcome), "{coding:?} {garbage:?}");
        }
    }
}

#[test]
fn c1_plain_bytes_under_a_coding_are_refused() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        assert!(is_corrupt(&decompress(coding, b"\x0a\x02\x12\x00", MIB)));
    }
}

#[test]
fn a_flipped_bit_is_refused_or_harmless() {
    let plain = telemetry(2000);
    let packed = gzip(&plain);
    for position in 0..packed.len() * 8 {
        let mut damaged = packed.clone();
        damaged[position / 8] ^= 1 << (position % 8);
        let outcome = decompress(Coding::Gzip, &damaged, MIB);
        // Bits of the header's time and system say nothing about the content.
        assert!(
            is_corrupt(&outcome) || outcome.as_ref() == Ok(&plain),
            "bit {position}"
        );
    }
}

#[test]
fn every_optional_field_of_a_gzip_header_is_skipped() {
    let mut encoder = flate2::GzBuilder::new()
        .extra(vec![1, 2, 3])
        .filename("name")
        .comment("comment")
        .write(Vec::new(), Compression::fast());
    encoder.write_all(b"abc").unwrap();
    assert_eq!(
        decompress(Coding::Gzip, &encoder.finish().unwrap(), MIB).unwrap(),
        b"abc"
    );
}

#[test]
fn names_of_codings_are_read_in_any_case_and_unknown_ones_refused() {
    for (name, coding) in [
        ("GZip", Coding::Gzip),
        ("zstd", Coding::Zstd),
        ("identity", Coding::Identity),
    ] {
        assert_eq!(Coding::from_name(name), Some(coding));
    }
    for name in ["br", "deflate", "gzip, gzip", "snappy"] {
        assert_eq!(Coding::from_name(name), None);
    }
}
