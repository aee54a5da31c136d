"""The storage of large files behind the Hub for tests: git LFS, in one piece or in parts, and downloads by range."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from server_faults import Request
from server_state import Refusal, Repository
from server_wire import Answer

if TYPE_CHECKING:
    from server import HubServer

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def batch(hub: HubServer, repository: Repository, asked: dict[str, Any]) -> dict[str, Any]:
    """Where each large file is to be sent; nothing to do for one that is here already."""
    told = []
    for each in asked["objects"]:
        oid, size = each["oid"], each["size"]
        row: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
        if oid not in repository.objects:
            base = f"{hub.endpoint}/{repository.name}.git/info/lfs/objects"
            upload: dict[str, Any] = {"href": f"{hub.storage}/{repository.name}/{oid}?signature=put"}
            if hub.part_size and size > hub.part_size and "multipart" in asked["transfers"]:
                count = -(-size // hub.part_size)
                parts = {f"{n:05d}": f"{hub.storage}/{repository.name}/{oid}?part={n}" for n in range(1, count + 1)}
                upload = {
                    "href": f"{base}/complete?signature=post",
                    "header": {"chunk_size": str(hub.part_size), **parts},
                }
            row["actions"] = {"upload": upload, "verify": {"href": f"{base}/verify"}}
        told.append(row)
    return {"transfer": "basic", "objects": told}


def verify(hub: HubServer, repository: Repository, asked: dict[str, Any]) -> dict[str, Any]:
    """Whether a large file has arrived whole."""
    content = repository.objects.get(asked["oid"])
    if content is None or len(content) != asked["size"]:
        raise Refusal(404, f"LFS object {asked['oid']} is not here", "EntryNotFound")
    return {}


def complete(hub: HubServer, repository: Repository, asked: dict[str, Any]) -> dict[str, Any]:
    """Puts the parts of a large file together."""
    parts = [hub.parts.get((asked["oid"], each["partNumber"]), b"") for each in asked["parts"]]
    keep(repository, asked["oid"], b"".join(parts))
    return {}


def keep(repository: Repository, oid: str, content: bytes) -> None:
    """Keeps a large file under its sum; refused where it does not have it."""
    if hashlib.sha256(content).hexdigest() != oid:
        raise Refusal(400, "XAmzContentSHA256Mismatch: the content has another sha256 than its address says")
    repository.objects[oid] = content


def storage(hub: HubServer, request: Request) -> Answer:
    """The other origin: its addresses are signed, and a token has no business there."""
    if len(request.segments) != 3:
        raise Refusal(404, "NoSuchKey")
    owner, name, oid = request.segments
    repository = hub.repos.get(f"{owner}/{name}")
    if repository is None or not {"signature", "part"} & request.query.keys():
        raise Refusal(403, "AccessDenied")
    if request.method == "PUT":
        etag = {"ETag": f'"{hashlib.md5(request.body, usedforsecurity=False).hexdigest()}"'}
        if "part" in request.query:
            hub.parts[oid, int(request.query["part"])] = request.body
        else:
            keep(repository, oid, request.body)
        return Answer(b"", headers=etag)
    content = repository.objects.get(oid)
    if content is None:
        raise Refusal(404, "NoSuchKey")
    return bytes_of(request, content, {"Accept-Ranges": "bytes", "ETag": f'"{oid}"'})


def bytes_of(request: Request, content: bytes, headers: dict[str, str]) -> Answer:
    """A file's bytes, or those that the request's Range asks for."""
    headers = {"Content-Type": "application/octet-stream", **headers}
    found = _RANGE.fullmatch(request.range)
    if not found or not any(found.groups()):
        return Answer(content, headers=headers)
    total = len(content)
    first, last = found.groups()
    start = int(first) if first else max(total - int(last), 0)
    end = min(int(last), total - 1) if first and last else total - 1
    if start >= total or start > end:
        return Answer(b"", 416, headers | {"Content-Range": f"bytes */{total}"})
    return Answer(content[start : end + 1], 206, headers | {"Content-Range": f"bytes {start}-{end}/{total}"})
