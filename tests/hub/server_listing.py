"""What the Hub for tests tells of the files of a repository."""

from __future__ import annotations

from typing import Any

from server_state import Planted, Refusal, Repository, git_blob

_SCANS = {"status": "safe", "avScan": {"virusFound": False}, "pickleImportScan": None}


def information(repository: Repository, rev: str, *, blobs: bool) -> dict[str, Any]:
    """What model_info tells. blobs: with size and sums of each file."""
    at = repository.at(rev)
    siblings = []
    for path, file in sorted(at.tree.items()):
        told: dict[str, Any] = {"rfilename": path}
        if blobs:
            told |= {"blobId": file.blob, "size": file.told_size}
            if file.large:
                told["lfs"] = {"sha256": file.told_etag, "size": file.told_size, "pointerSize": len(file.pointer)}
        siblings.append(told)
    siblings += [{"rfilename": each["path"], "size": each.get("size")} for each in repository.extra_entries]
    return {
        "_id": f"id-{repository.name}",
        "id": repository.name,
        "modelId": repository.name,
        "author": repository.owner,
        "sha": at.oid,
        "lastModified": at.when,
        "createdAt": list(repository.history("main"))[-1].when,
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "disabled": False,
        "downloads": repository.downloads,
        "likes": 0,
        "tags": [],
        "siblings": siblings,
        "usedStorage": sum(map(len, repository.objects.values())),
    }


def listing(repository: Repository, rev: str, folder: str, query: dict[str, str]) -> list[dict[str, Any]]:
    """The entries beneath a folder of a revision: its files, folders and what a test planted besides."""

    def asked(name: str) -> bool:
        return query.get(name, "false").lower() in ("true", "1")

    tree = repository.at(rev).tree
    prefix = folder.strip("/") + "/" if folder.strip("/") else ""
    if prefix and not any(path.startswith(prefix) for path in tree):
        raise Refusal(404, f"{folder} does not exist on {rev!r}", "EntryNotFound")
    names: dict[str, Planted | None] = {}
    for path, file in sorted(tree.items()):
        if not path.startswith(prefix):
            continue
        steps = path[len(prefix) :].split("/")
        for depth in range(1, len(steps)):
            names.setdefault(prefix + "/".join(steps[:depth]), None)
        names[path] = file
    if not asked("recursive"):
        names = {path: file for path, file in names.items() if "/" not in path[len(prefix) :]}
    told = [entry(repository, rev, path, file, expand=asked("expand")) for path, file in names.items()]
    return told + (repository.extra_entries if not prefix else [])


def paths_of(repository: Repository, rev: str, paths: list[str], *, expand: bool) -> list[dict[str, Any]]:
    """The entries of some paths; a path that does not exist is left out."""
    tree = repository.at(rev).tree
    told = []
    for path in paths:
        if path in tree:
            told.append(entry(repository, rev, path, tree[path], expand=expand))
        elif any(each.startswith(path + "/") for each in tree):
            told.append(entry(repository, rev, path, None, expand=expand))
    return told + [each for each in repository.extra_entries if each.get("path") in paths]


def entry(repository: Repository, rev: str, path: str, file: Planted | None, *, expand: bool) -> dict[str, Any]:
    """One entry of a listing; a folder where there is no file."""
    told: dict[str, Any]
    if file is None:
        told = {"type": "directory", "oid": git_blob(path.encode()), "size": 0, "path": path}
    else:
        told = {"type": file.kind, "oid": file.blob, "size": file.told_size, "path": path}
        if file.large:
            told["lfs"] = {"oid": file.told_etag, "size": file.told_size, "pointerSize": len(file.pointer)}
        elif file.etag:
            told["oid"] = file.etag
    if expand:
        last = repository.last_change(rev, path)
        told["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.when}
        if file is not None:
            told["securityFileStatus"] = _SCANS
    return told


def reference(kind: str, name: str, oid: str) -> dict[str, str]:
    """A branch or a tag. kind: heads or tags."""
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid}
