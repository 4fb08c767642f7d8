"""One Parquet file of a signal: everything that a store keeps, readable by others, and OTLP again as it was."""

from pathlib import Path

import duckdb
import pytest

from millrace import files
from millrace.errors import DecodeError
from millrace.store import Store
from millrace.store.catalogue import look
from tests.python.commands import millrace
from tests.store.running import canonical, keeping, spans
from tests.store.test_lossless import parsed
from tests.store.test_profiles import profiles


def test_all_files_become_one_that_duckdb_reads_and_that_is_the_same_otlp(tmp_path: Path) -> None:
    sent = [spans(*range(first, first + 5)) for first in range(1, 30, 5)]
    with keeping(tmp_path / "store", flush_interval="0s", fsync=False) as gateway:
        assert [gateway.send("traces", request) for request in sent] == [200] * len(sent)
        store = Store(tmp_path / "store")
        assert len(look(store.path, "traces")) > 1
        written = store.write_parquet("traces", tmp_path / "all.parquet")

    query = "SELECT count(*), count(DISTINCT trace_id) FROM read_parquet(?)"
    with duckdb.connect() as connection:
        rows = connection.execute(query, [str(tmp_path / "all.parquet")]).fetchone()
    assert rows == (written, 6 * 5)
    back = [parsed(request.signal, request.data) for request in files.read(tmp_path / "all.parquet")]
    assert canonical("traces", *back) == canonical("traces", *sent)


def test_profiles_become_one_file_byte_for_byte(tmp_path: Path) -> None:
    sent = [profiles(number).SerializeToString() for number in range(3)]
    with keeping(tmp_path / "store", flush_interval="0s", fsync=False) as gateway:
        assert [gateway.send("profiles", request) for request in sent] == [200] * 3
        assert Store(tmp_path / "store").write_parquet("profiles", tmp_path / "all.parquet") == 3

    assert [tuple(request) for request in files.read(tmp_path / "all.parquet")] == [("profiles", one) for one in sent]


def test_of_a_signal_without_items_no_file_is_written(tmp_path: Path) -> None:
    with keeping(tmp_path / "store"):
        assert Store(tmp_path / "store").write_parquet("logs", tmp_path / "none.parquet") == 0
    assert not (tmp_path / "none.parquet").exists()


def test_the_commands_write_and_read_it(tmp_path: Path) -> None:
    with keeping(tmp_path / "store") as gateway:
        assert gateway.send("traces", spans(1, 2)) == 200
    file = tmp_path / "spans.parquet"
    for wrong, said in (
        (("--trace", "ab" * 16), "a single trace is not written as Parquet"),
        ((), "add --signal traces"),
    ):
        refused = millrace("export", file, "--data", tmp_path / "store", *wrong)
        assert refused.code == 1
        assert said in refused.err

    done = millrace("export", file, "--signal", "traces", "--data", tmp_path / "store")
    assert (done.code, done.err) == (0, f"2 items to {file}\n")
    assert millrace("import", file, "--data", tmp_path / "again").code == 0

    stores = (Store(tmp_path / name).requests("traces") for name in ("store", "again"))
    first, again = (canonical("traces", *(parsed("traces", data) for data in requests)) for requests in stores)
    assert again == first
    assert "traces" in millrace("inspect", file).out


def test_what_no_store_has_written_is_refused(tmp_path: Path) -> None:
    foreign, damaged = tmp_path / "foreign.parquet", tmp_path / "damaged.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS number) TO '{foreign}'")
    damaged.write_bytes(b"PAR1" + bytes(100))
    for file, said in (
        (foreign, "has not the columns of a store's files"),
        (damaged, "no Parquet file, or it is damaged"),
    ):
        with pytest.raises(DecodeError, match=said):
            list(files.read(file))
    with pytest.raises(FileNotFoundError):
        list(files.read(tmp_path / "none.parquet"))
    with pytest.raises(ValueError, match="millrace export"):
        files.Writer(tmp_path / "new.parquet")
