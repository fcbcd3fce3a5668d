"""What is in a model file, how large it is, and whether the page cache holds it."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf.machine.files import (
    WHOLE_UP_TO,
    content_hash,
    every_file,
    evict,
    file_bytes,
    read_through,
    resident_share,
)

if TYPE_CHECKING:
    from pathlib import Path

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="posix_fadvise and mincore are asked on Linux only")


def write(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_it_hashes_the_content_not_the_name(tmp_path: Path) -> None:
    one, same, other = (write(tmp_path / name, content) for name, content in (("a", b"w1"), ("b", b"w1"), ("c", b"w2")))
    assert content_hash(one) == content_hash(same) != content_hash(other)
    assert len(content_hash(one)) == 16


def test_it_gives_the_same_hash_on_every_machine(tmp_path: Path) -> None:
    assert content_hash(write(tmp_path / "a", b"weights")) == "8eaa55a578eb0f70"


def test_it_samples_what_is_too_large_to_read(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(WHOLE_UP_TO)
    assert not content_hash(large).startswith("sampled:")
    with large.open("r+b") as file:
        file.truncate(WHOLE_UP_TO + 1)
    before = content_hash(large)
    assert before.startswith("sampled:")
    for place in (0, WHOLE_UP_TO):
        with large.open("r+b") as file:
            file.seek(place)
            file.write(b"x")
        after = content_hash(large)
        assert after != before
        before = after
    with large.open("r+b") as file:
        file.truncate(WHOLE_UP_TO + 2)
    assert content_hash(large) != before


def test_it_hashes_a_folder_by_names_and_contents(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    write(saved / "variables" / "data")
    before = content_hash(saved)
    shutil.copytree(saved, tmp_path / "copy")
    assert content_hash(tmp_path / "copy") == before
    (saved / "variables" / "data").rename(saved / "variables" / "renamed")
    assert content_hash(saved) != before


@pytest.mark.parametrize("name", ["m.onnx.data", "m.onnx_data", "m.onnx_data_1"])
def test_it_takes_the_external_data_of_an_onnx_file_with_it(tmp_path: Path, name: str) -> None:
    model = write(tmp_path / "m.onnx", b"graph")
    write(tmp_path / "m.onnx.txt")
    write(tmp_path / "other.onnx.data")
    write(tmp_path / "_data")
    bare = content_hash(model)
    write(tmp_path / name, b"tensors")
    assert every_file([model]) == (model, tmp_path / name)
    assert file_bytes([model]) == len(b"graph" + b"tensors")
    with_data = content_hash(model)
    write(tmp_path / name, b"TENSORS")
    assert len({bare, with_data, content_hash(model)}) == 3


def test_it_counts_each_file_once(tmp_path: Path) -> None:
    file = write(tmp_path / "saved" / "a", b"12345")
    write(tmp_path / "saved" / "deep" / "b", b"678")
    (tmp_path / "saved" / "link").symlink_to(file)
    assert file_bytes([tmp_path / "saved"]) == 8
    assert file_bytes([tmp_path / "saved", file]) == 8
    assert file_bytes([]) == 0


def test_it_does_not_take_a_missing_file_for_an_empty_one(tmp_path: Path) -> None:
    for ask in (content_hash, resident_share, lambda path: file_bytes([path]), lambda path: read_through([path])):
        with pytest.raises(FileNotFoundError):
            ask(tmp_path / "gone.bin")


def in_memory(folder: Path) -> bool:
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout  # noqa: S607 - coreutils
    return kind.strip() in {"tmpfs", "ramfs"}


@LINUX
def test_it_moves_a_file_out_of_the_page_cache_and_in_again(tmp_path: Path) -> None:
    if in_memory(tmp_path):
        pytest.skip("the temporary folder lies in memory")
    file = write(tmp_path / "m.bin", os.urandom(3_000_001))
    assert resident_share(file) == 1.0
    assert evict([tmp_path]) == ()
    assert resident_share(file) == 0.0
    read_through([tmp_path])
    assert resident_share(file) == 1.0


@LINUX
def test_it_says_that_a_mapped_file_cannot_be_evicted(tmp_path: Path) -> None:
    file = write(tmp_path / "m.bin", os.urandom(3_000_001))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
        assert len(mapping[:]) == 3_000_001
        assert evict([file]) == ("m.bin: 100% of it still in the page cache (still mapped by this process)",)


@LINUX
def test_it_finds_no_page_of_an_empty_file_resident(tmp_path: Path) -> None:
    assert resident_share(write(tmp_path / "empty", b"")) == 0.0


@pytest.mark.parametrize(
    ("share", "notes"),
    [
        (0.0, ()),
        (
            0.37,
            (
                (
                    "m.bin: 37% of it still in the page cache "
                    "(mapped by another process, or its file system keeps it in memory)"
                ),
            ),
        ),
        (None, ("m.bin: whether it left the page cache cannot be checked on this system",)),
    ],
)
def test_it_notes_what_stayed(tmp_path: Path, share: float | None, notes: tuple[str, ...]) -> None:
    advised = []
    file = write(tmp_path / "m.bin")
    assert evict([file], advise=lambda *request: advised.append(request[1:3]), resident=lambda _: share) == notes
    assert advised == [(0, 0)]


def test_it_notes_that_a_system_cannot_evict(tmp_path: Path) -> None:
    notes = evict([write(tmp_path / "m.bin")], advise=None)
    assert notes == ("page cache not emptied: not supported on this system",)


def test_it_notes_what_the_system_refused(tmp_path: Path) -> None:
    def refuse(*_: int) -> None:
        raise OSError(22, "Invalid argument")

    files = [write(tmp_path / "m.bin"), tmp_path / "gone.bin"]
    assert evict(files, advise=refuse) == (
        "m.bin: not dropped from the page cache (Invalid argument)",
        "gone.bin: not dropped from the page cache (No such file or directory)",
    )
