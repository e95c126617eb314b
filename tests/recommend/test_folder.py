from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from longtale.errors import BundleCorruptError, BundleError, BundleFormatError
from longtale.recommend import folder as sealed


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    with sealed.writing(folder) as draft:
        (draft / "parts").mkdir()
        (draft / "parts" / "a.bin").write_bytes(bytes(range(200)))
        (draft / "b.bin").write_bytes(b"second part")
        sealed.seal(draft, {"version": "v1"})
    return folder


def _reseal(folder: Path, change: dict[str, object]) -> None:
    """Change the manifest as someone would who knows how it is sealed."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | change
    path.write_text(json.dumps(manifest))
    (folder / "manifest.sha256").write_text(sealed.sha256(path))


def test_a_whole_folder_gives_its_facts(bundle: Path) -> None:
    assert sealed.verified(bundle)["version"] == "v1"


@given(data=st.data())
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_flipped_bit_in_any_file_is_refused(bundle: Path, data: st.DataObject) -> None:
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    whole = bytes(content)
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        with pytest.raises(BundleCorruptError, match="changed"):
            sealed.verified(bundle)
    finally:
        path.write_bytes(whole)
    sealed.verified(bundle)


def test_a_truncated_part_is_refused(bundle: Path) -> None:
    part = bundle / "parts" / "a.bin"
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(BundleCorruptError, match=r"part 'parts/a\.bin' .* changed"):
        sealed.verified(bundle)


def test_a_missing_part_is_refused(bundle: Path) -> None:
    (bundle / "b.bin").unlink()
    with pytest.raises(BundleCorruptError, match=r"missing \['b\.bin'\]"):
        sealed.verified(bundle)


def test_an_added_file_is_refused(bundle: Path) -> None:
    (bundle / "parts" / "more.bin").write_bytes(b"")
    with pytest.raises(BundleCorruptError, match=r"unexpected \['parts/more\.bin'\]"):
        sealed.verified(bundle)


@pytest.mark.parametrize("name", ["b.bin", "manifest.json", "manifest.sha256"])
def test_a_file_that_became_a_link_is_refused(name: str, bundle: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.bin"
    outside.write_bytes((bundle / name).read_bytes())
    (bundle / name).unlink()
    (bundle / name).symlink_to(outside)
    with pytest.raises(BundleCorruptError, match="is a link"):
        sealed.verified(bundle)


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/hostname", "parts/../../x", "a\\b"])
def test_a_path_that_leaves_the_folder_is_refused(bundle: Path, name: str) -> None:
    _reseal(bundle, {"parts": {name: {"bytes": 1, "sha256": "0"}}})
    with pytest.raises(BundleCorruptError, match="leaves the folder"):
        sealed.verified(bundle)


def test_a_newer_format_is_refused_with_advice(bundle: Path) -> None:
    _reseal(bundle, {"format_version": sealed.FORMAT_VERSION + 1})
    with pytest.raises(BundleFormatError, match="pip install -U longtale"):
        sealed.verified(bundle)


def test_another_format_is_refused(bundle: Path) -> None:
    _reseal(bundle, {"format": "something else"})
    with pytest.raises(BundleFormatError, match="something else"):
        sealed.verified(bundle)


def test_a_manifest_without_its_facts_is_refused(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("[]")
    (bundle / "manifest.sha256").write_text(sealed.sha256(bundle / "manifest.json"))
    with pytest.raises(BundleFormatError, match="not a"):
        sealed.verified(bundle)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleFormatError, match="longtale train"):
        sealed.verified(tmp_path)


def test_a_folder_that_is_no_bundle_is_not_overwritten(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="not overwritten"), sealed.writing(precious):
        pass
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_a_failed_write_leaves_the_old_bundle(bundle: Path) -> None:
    def write_half() -> None:
        with sealed.writing(bundle) as draft:
            (draft / "b.bin").write_bytes(b"half")
            raise ZeroDivisionError("half way")

    with pytest.raises(ZeroDivisionError, match="half way"):
        write_half()
    assert sealed.verified(bundle)["version"] == "v1"
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_new_bundle_takes_the_old_ones_place(bundle: Path) -> None:
    with sealed.writing(bundle) as draft:
        (draft / "c.bin").write_bytes(b"third")
        sealed.seal(draft, {"version": "v2"})
    assert sealed.verified(bundle)["version"] == "v2"
    assert not (bundle / "b.bin").exists()


def _write_again(folder: Path, version: str) -> None:
    with sealed.alone(folder), sealed.writing(folder) as draft:
        (draft / "b.bin").write_bytes(version.encode() * 1000)
        sealed.seal(draft, {"version": version})


def _versions_while_written(folder: Path, n_times: int, read: Callable[[], str]) -> list[str]:
    with ThreadPoolExecutor(2) as pool:
        written = pool.submit(lambda: [_write_again(folder, f"v{n}") for n in range(n_times)])
        found = [read()]
        while not written.done():
            found.append(read())
        written.result()
    return found


def test_who_reads_while_another_writes_finds_a_whole_bundle(bundle: Path) -> None:
    def read() -> str:
        with sealed.reading(bundle):
            return str(sealed.verified(bundle)["version"])

    found = _versions_while_written(bundle, 40, read)
    assert len(set(found)) > 1
    assert sealed.verified(bundle)["version"] == "v39"


def test_a_manifest_is_told_while_another_writes(bundle: Path) -> None:
    def read() -> str:
        return str(json.loads(sealed.told(bundle))["version"])

    assert len(set(_versions_while_written(bundle, 40, read))) > 1


def test_a_bundle_is_put_back_when_its_writer_was_killed(bundle: Path) -> None:
    bundle.rename(bundle.with_name(".bundle.retired"))
    bundle.with_name(".bundle.lock").touch()
    with sealed.reading(bundle):
        assert sealed.verified(bundle)["version"] == "v1"


def test_what_a_killed_writer_left_is_gone_once_another_writes(bundle: Path) -> None:
    for left in (".bundle.draft", ".bundle.retired"):
        bundle.with_name(left).mkdir()
        (bundle.with_name(left) / "users.parquet").write_bytes(b"somebody")
    _write_again(bundle, "v2")
    assert {path.name for path in bundle.parent.iterdir()} == {"bundle", ".bundle.lock"}


def test_reading_where_nothing_is_leaves_nothing(tmp_path: Path) -> None:
    with sealed.reading(tmp_path / "typo"):
        pass
    assert not list(tmp_path.iterdir())


def test_bundles_in_a_folder_are_those_in_sight_and_those_that_change_places(
    tmp_path: Path,
) -> None:
    for name in ("b", ".a.retired", ".b.draft", ".b.retired"):
        (tmp_path / name).mkdir()
    assert sealed.bundles_in(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert sealed.bundles_in(tmp_path / "nowhere") == []
