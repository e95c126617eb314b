from __future__ import annotations

from pathlib import Path

from longtale.recommend.folder import MANIFEST
from longtale.serve.registry import Registry


def bundle(folder: Path, manifest: str) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(manifest)
    return folder


def test_bundles_are_found_by_their_versions_wherever_they_lie(tmp_path):
    active = bundle(tmp_path / "bundle", '{"version": "a", "n_items": 3}')
    shelf = tmp_path / "models"
    first = bundle(shelf / "2025", '{"version": "b"}')
    bundle(shelf / "2026", '{"version": "c"}')
    registry = Registry(active, shelf)
    assert list(registry.manifests()) == ["a", "b", "c"]
    assert registry.manifests()["a"] == (active, {"version": "a", "n_items": 3})
    assert registry.find("b") == first
    assert registry.find("d") is None


def test_a_version_that_lies_in_two_places_is_the_active_one(tmp_path):
    active = bundle(tmp_path / "bundle", '{"version": "a"}')
    bundle(tmp_path / "models" / "copy", '{"version": "a"}')
    assert Registry(active, tmp_path / "models").find("a") == active


def test_what_is_no_bundle_is_passed_over(tmp_path):
    shelf = tmp_path / "models"
    for name, manifest in {"a": "{", "b": "[]", "c": "{}", "d": "\xff", "e": '"version"'}.items():
        bundle(shelf / name, manifest)
    (shelf / "f").mkdir()
    (shelf / "file").write_text("x")
    bundle(shelf / "good", '{"version": "g"}')
    assert list(Registry(tmp_path / "nothing here", shelf).manifests()) == ["g"]


def test_no_shelf_need_be_there_and_what_comes_later_is_found(tmp_path):
    registry = Registry(tmp_path / "bundle", tmp_path / "models")
    assert registry.manifests() == {}
    bundle(tmp_path / "models" / "new", '{"version": "n"}')
    assert registry.find("n") is not None


def test_a_bundle_that_is_being_written_again_is_found_in_its_place(tmp_path):
    shelf = tmp_path / "models"
    bundle(shelf / ".kept.retired", '{"version": "k"}')  # as it is between two renames
    bundle(shelf / ".other.draft", '{"version": "o"}')
    (shelf / ".kept.lock").touch()
    assert Registry(tmp_path / "bundle", shelf).manifests().keys() == {"k"}
    assert Registry(tmp_path / "bundle", shelf).find("k") == shelf / "kept"
