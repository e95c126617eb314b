from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from longtale.contracts import Forgetting
from longtale.errors import BundleCorruptError, BundleFormatError
from longtale.models.user_knn import UserKNN
from longtale.recommend.bundle import forget, load, save
from longtale.recommend.folder import sha256
from longtale.recommend.pipeline import Recommender
from longtale.search.index import KeptIndex
from longtale.search.settings import SearchSettings


@pytest.fixture
def bundle(recommender: Recommender, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    save(recommender, folder)
    return folder


def _slates(recommender: Recommender) -> list[object]:
    answers = [
        recommender.recommend("user 0", n=50),
        recommender.recommend(text="space rocket", n=50),
        recommender.similar("twin", n=50),
        recommender.search("kitchen", user="user 3", n=50),
    ]
    return [answer.as_dict()["items"] for answer in answers]


def test_a_loaded_recommender_answers_the_same(recommender: Recommender, bundle: Path) -> None:
    assert _slates(load(bundle)) == _slates(recommender)


def test_a_bundle_can_be_saved_again_from_what_was_loaded(bundle: Path, tmp_path: Path) -> None:
    again = load(bundle)
    save(again, tmp_path / "copy")
    assert _slates(load(tmp_path / "copy")) == _slates(again)


def test_a_bundle_searches_as_it_was_trained_to(recommender: Recommender, tmp_path: Path) -> None:
    settings = SearchSettings.parse({"lexical": {"title": 9.0}, "spelling": {"min_letters": 7}})
    save(replace(recommender, search_index=KeptIndex(settings)), tmp_path / "bundle")
    assert load(tmp_path / "bundle").searching.settings == settings


def test_a_bundle_holds_no_pickle(bundle: Path) -> None:
    suffixes = {path.suffix for path in bundle.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".sha256", ".safetensors", ".parquet", ".onnx"}


def test_a_changed_byte_is_refused(bundle: Path) -> None:
    part = bundle / "retrievers" / "ease.safetensors"
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    with pytest.raises(BundleCorruptError, match="retrievers/ease"):
        load(bundle)


def test_a_bundle_of_another_make_is_refused_with_advice(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    facts = json.loads(manifest.read_text())
    del facts["kinds"]
    manifest.write_text(json.dumps(facts))
    (bundle / "manifest.sha256").write_text(sha256(manifest))
    with pytest.raises(BundleFormatError, match=r"lacks 'kinds'.*train again"):
        load(bundle)


def test_answering_from_a_bundle_loads_neither_torch_nor_training_packages(bundle: Path) -> None:
    code = (
        f"import sys, longtale; r = longtale.load({str(bundle)!r}); r.recommend('user 0'); "
        "r.similar('twin'); r.search('space', user='user 1'); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert not loaded & {"torch", "transformers", "sentence_transformers", "openvino", "implicit"}


def test_a_bundle_forgets_a_user_and_answers_all_others_as_before(bundle: Path) -> None:
    before = load(bundle).recommend("user 3", n=50).as_dict()["items"]
    assert forget(bundle, "user 0")
    after = load(bundle)
    assert "user 0" not in after.dataset.users.ids.to_list()
    assert after.dataset.histories(np.array([0])).lengths.tolist() == [0]
    found = after.recommend("user 3", n=50).as_dict()["items"]
    assert [item["id"] for item in found][:3] == [item["id"] for item in before][:3]
    assert not forget(bundle, "user 0")


def test_users_who_are_forgotten_at_the_same_time_are_all_forgotten(bundle: Path) -> None:
    users = [f"user {n}" for n in range(6)]
    with ThreadPoolExecutor(len(users)) as pool:
        assert all(pool.map(lambda user: forget(bundle, user), users))
    assert not {*users} & {*load(bundle).dataset.users.ids}


def test_a_training_that_ends_while_somebody_is_forgotten_is_kept(
    recommender: Recommender, bundle: Path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        for n in range(6):
            new = replace(recommender.without_user(0), version=f"training {n}")
            forgetting = pool.submit(forget, bundle, f"user {n + 1}")
            pool.submit(save, new, bundle).result()
            forgetting.result()
            assert load(bundle).version == f"training {n}"


def test_a_service_that_starts_while_somebody_is_forgotten_finds_the_bundle(bundle: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        forgetting = pool.submit(lambda: [forget(bundle, f"user {n}") for n in range(4)])
        while not forgetting.done():
            load(bundle)
        assert all(forgetting.result())


def test_no_source_keeps_anything_of_a_forgotten_user(bundle: Path) -> None:
    known = load(bundle).hybrid.retrievers
    assert forget(bundle, "user 0")
    kept = [r for r in load(bundle).hybrid.retrievers if isinstance(r, UserKNN)]
    assert kept
    assert all(len(r.liked[[0]].data) == 0 and len(r.likers[:, [0]].data) == 0 for r in kept)
    assert all(len(r.liked[[0]].data) for r in known if isinstance(r, UserKNN))
    assert all(isinstance(r, UserKNN) for r in known if isinstance(r, Forgetting))
