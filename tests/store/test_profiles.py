"""Profiles in a store: kept whole, listed for SQL, merged, retained, exported and imported."""

import os
import time
from pathlib import Path

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
)

from millrace.store import Store
from millrace.store.catalogue import look
from tests.python.commands import millrace
from tests.store.running import NOON, SECOND, keeping
from tests.store.test_upkeep import until


def profiles(number: int, *, indexed: bool = False, noise: int = 0) -> ExportProfilesServiceRequest:
    """Return a request with two profiles of a service, whose name is in the dictionary where that is wanted."""
    request = ExportProfilesServiceRequest()
    request.dictionary.string_table.extend(["", "service.name", f"shop {number}", "samples"])
    for table in ("mapping_table", "location_table", "function_table", "link_table", "attribute_table", "stack_table"):
        getattr(request.dictionary, table).add()
    resource = request.resource_profiles.add()
    attribute = resource.resource.attributes.add()
    if indexed:
        attribute.key_strindex, attribute.value.string_value_strindex = 1, 2
    else:
        attribute.key, attribute.value.string_value = "service.name", f"shop {number}"
    scope = resource.scope_profiles.add()
    for one in (1, 0):
        profile = scope.profiles.add(profile_id=(2 * number + one + 1).to_bytes(16, "big"), duration_nano=10 * SECOND)
        profile.time_unix_nano = NOON + number * SECOND + one
        if noise:
            profile.original_payload_format, profile.original_payload = "pprof", os.urandom(noise)
    return request


def test_profiles_come_back_byte_for_byte_and_sql_sees_each(tmp_path: Path) -> None:
    sent = [profiles(0).SerializeToString(), profiles(1, indexed=True).SerializeToString()]
    with keeping(tmp_path, flush_interval="0s") as gateway:
        assert [gateway.send("profiles", request) for request in sent] == [200, 200]
        assert ExportProfilesServiceResponse.FromString(gateway.answer).partial_success.rejected_profiles == 0
        store = Store(tmp_path)
        query = "SELECT profile_id, service_name, time_unix_nano, duration_ns, payload_bytes, payload FROM profiles"
        rows = store.sql(f"{query} ORDER BY time_unix_nano").tuples()
        back = list(store.requests("profiles"))

    assert back == sent
    assert rows == [
        (f"{2 * number + one + 1:032x}", f"shop {number}", NOON + number * SECOND + one, 10 * SECOND, len(data), data)
        for number, data in enumerate(sent)
        for one in (0, 1)
    ]
    stats = store.stats()["signals"]["profiles"]
    assert (stats["rows"], stats["oldest_unix_nano"], stats["newest_unix_nano"]) == (2, NOON, NOON + SECOND + 1)


def test_files_of_profiles_are_merged_and_nothing_is_lost(tmp_path: Path) -> None:
    sent = [profiles(number).SerializeToString() for number in range(20)]
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        assert {gateway.send("profiles", request) for request in sent} == {200}
        until(lambda: len(look(tmp_path, "profiles")) < 16)
        back = list(Store(tmp_path).requests("profiles"))
        merged = [file for file in look(tmp_path, "profiles") if file.from_number < file.to_number]

    assert sorted(back) == sorted(sent)
    assert merged[0].first == NOON
    assert merged[0].rows == merged[0].to_number - merged[0].from_number + 1


def test_retention_removes_old_profiles_and_counts_their_requests(tmp_path: Path) -> None:
    young = profiles(1)
    for profile in young.resource_profiles[0].scope_profiles[0].profiles:
        profile.time_unix_nano = time.time_ns()
    with keeping(tmp_path, flush_interval="0s", max_age="1h") as gateway:
        assert gateway.send("profiles", profiles(0)) == 200
        assert gateway.send("profiles", young) == 200
        until(lambda: Store(tmp_path).stats()["removed"]["profiles"]["rows"] == 1)
        back = list(Store(tmp_path).requests("profiles"))

    assert back == [young.SerializeToString()]


def test_a_damaged_request_of_profiles_is_refused_and_not_kept(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s") as gateway:
        assert gateway.send("profiles", profiles(0).SerializeToString()[:-3]) == 400
        broken = profiles(1)
        broken.resource_profiles[0].scope_profiles[0].profiles[0].profile_id = b"short"
        assert gateway.send("profiles", broken) == 200
        rejected = ExportProfilesServiceResponse.FromString(gateway.answer).partial_success.rejected_profiles
        ids = Store(tmp_path).sql("SELECT profile_id FROM profiles").tuples()

    assert rejected == 1
    assert ids == [(f"{3:032x}",)]


def test_profiles_go_from_store_to_store_by_export_and_import(tmp_path: Path) -> None:
    sent = profiles(3, noise=1_000).SerializeToString()
    with keeping(tmp_path / "one", flush_interval="0s") as gateway:
        assert gateway.send("profiles", sent) == 200
    file = tmp_path / "profiles.otlp.zst"

    exported = millrace("export", file, "--signal", "profiles", "--data", tmp_path / "one")
    imported = millrace("import", file, "--signal", "profiles", "--data", tmp_path / "two")

    assert (exported.code, imported.code) == (0, 0), (exported, imported)
    assert list(Store(tmp_path / "two").requests("profiles")) == [sent]
