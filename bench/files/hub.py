"""Gets files of the Hugging Face hub from its cache, or with one short attempt; then the process stays offline."""

from __future__ import annotations

import threading
import time
from functools import cache
from pathlib import Path

from bench.errors import AssetError, NotAvailable
from bench.files.cache import cache_dir, write_whole

ATTEMPT_S = 4.0
FORGET_S = 600.0


def cached_file(repo: str, name: str, revision: str, repo_type: str = "model") -> Path | None:
    """The file in the hub's cache, None when it is not there; never touches the network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, name, revision=revision, repo_type=repo_type)
    return Path(found) if isinstance(found, str) else None


def fetch_file(repo: str, name: str, revision: str, repo_type: str = "model") -> Path | None:
    """Download one file; None when the repository lacks it, NotAvailable when the hub cannot be used."""
    reason = unreachable()
    if reason is not None:
        raise NotAvailable(reason)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repo, name, revision=revision, repo_type=repo_type, etag_timeout=ATTEMPT_S))
    except LocalEntryNotFoundError as error:
        # This is what a refusal and a broken connection both look like; their reason is the cause.
        reason = _first_line(error.__cause__ or error)
        raise NotAvailable(f"{repo}/{name} cannot be had from the hub: {reason}") from error
    except EntryNotFoundError:
        return None
    except HfHubHTTPError as error:
        raise NotAvailable(f"{repo}/{name} cannot be had from the hub: {_first_line(error)}") from error
    except OSError as error:
        raise AssetError(f"{repo}/{name} cannot be stored: {error.strerror or _first_line(error)}") from error
    except Exception as error:  # as in _probe: any other failure is the hub's or the network's
        raise NotAvailable(f"{repo}/{name} cannot be had from the hub: {_first_line(error)}") from error


def cached_snapshot(repo: str, revision: str, repo_type: str) -> tuple[Path, str] | None:
    """The folder of a repository's files in the hub's cache and its commit; None when there is none."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"{repo_type}s--{repo.replace('/', '--')}"
    reference = folder / "refs" / revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    found = folder / "snapshots" / commit
    return (found, commit) if found.is_dir() else None


def list_files(repo: str, revision: str, repo_type: str) -> tuple[str, list[str]]:
    """The commit of a revision and the names of its files; NotAvailable when the hub cannot be asked."""
    from huggingface_hub import HfApi

    reason = unreachable()
    if reason is not None:
        raise NotAvailable(reason)
    try:
        api = HfApi()
        commit = api.repo_info(repo, revision=revision, repo_type=repo_type, timeout=ATTEMPT_S).sha
        files = api.list_repo_files(repo, revision=commit, repo_type=repo_type)
    except Exception as error:  # as in _probe: any failure is the hub's or the network's
        raise NotAvailable(f"{repo} cannot be had from the hub: {_first_line(error)}") from error
    return str(commit), sorted(files)


def newest_revision(repo: str) -> str:
    """The commit of a model's main branch: the one in the hub's cache, else asked for; NotAvailable when neither."""
    from huggingface_hub import HfApi, constants

    reference = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "refs" / "main"
    if reference.is_file():
        return reference.read_text(encoding="utf-8").strip()
    reason = unreachable()
    if reason is not None:
        raise NotAvailable(reason)
    try:
        return str(HfApi().model_info(repo, timeout=ATTEMPT_S).sha)
    except Exception as error:  # as in _probe: any failure is the hub's or the network's
        raise NotAvailable(f"{repo} cannot be had from the hub: {_first_line(error)}") from error


@cache
def unreachable() -> str | None:
    """Why the hub cannot be used, None when it can; asked once a process, a failure is remembered for 10 minutes."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "offline mode (HF_HUB_OFFLINE is set)"
    memory = cache_dir() / "hub-unreachable"
    if 0 <= _age_s(memory) < FORGET_S:  # a clock set back makes a note of the future
        return f"the hub was unreachable less than {FORGET_S / 60:.0f} minutes ago"
    reason = _probe(constants.ENDPOINT)
    if reason is not None:
        try:
            write_whole(memory, reason.encode())
        except OSError:
            return reason
    return reason


def _probe(endpoint: str) -> str | None:
    """One request in a thread of its own: looking up a name can hang for longer than any timeout says."""
    outcome: list[str | None] = []

    def ask() -> None:
        from huggingface_hub import get_session

        try:
            get_session().head(endpoint, timeout=ATTEMPT_S)
        except Exception as error:  # the hub's HTTP library differs between its versions, and so do its errors
            outcome.append(f"{endpoint} is unreachable ({_first_line(error)})")
        else:
            outcome.append(None)

    thread = threading.Thread(target=ask, daemon=True, name="hub-probe")
    thread.start()
    thread.join(ATTEMPT_S)
    return outcome[0] if outcome else f"{endpoint} did not answer within {ATTEMPT_S:.0f} s"


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
