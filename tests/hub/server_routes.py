"""The Hub's protocol, as far as its client needs it to make, fill, list and read repositories of models."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from server_card import judge_card
from server_faults import Request
from server_listing import information, listing, paths_of, reference
from server_state import Planted, Refusal, Repository, is_large, with_attributes
from server_storage import batch, bytes_of, complete, storage, verify
from server_wire import Answer

if TYPE_CHECKING:
    from server import HubServer


def route(hub: HubServer, request: Request) -> Answer:
    """The answer to a request."""
    if request.host == "storage":
        return storage(hub, request)
    match request.method, request.segments:
        case "GET", ["api", "whoami-v2"]:
            return Answer(whoami(hub, request))
        case "POST", ["api", "validate-yaml"]:
            return validate(json.loads(request.body)["content"])
        case "POST", ["api", "repos", "create"]:
            return create(hub, request)
        case "DELETE", ["api", "repos", "delete"]:
            asked = json.loads(request.body)
            name = f"{asked.get('organization') or hub.user(request)}/{asked['name']}"
            repository_for(hub, request, name, write=True)
            del hub.repos[name]
            return Answer({})
        case _, ["api", "models", owner, name, *rest]:
            return models(hub, request, f"{owner}/{name}", rest)
        case "GET" | "HEAD", [owner, name, "resolve", rev, *path] if path:
            return resolve(repository_for(hub, request, f"{owner}/{name}"), hub, request, rev, "/".join(path))
        case "POST", [owner, name, "info", "lfs", "objects", what] if name.endswith(".git"):
            name = f"{owner}/{name.removesuffix('.git')}"
            if what == "complete" and "signature" in request.query and name in hub.repos:
                # Its address is signed: the client sends no token there.
                return Answer(complete(hub, hub.repos[name], json.loads(request.body)))
            parts = {"batch": batch, "verify": verify}
            if what in parts:
                return Answer(
                    parts[what](hub, repository_for(hub, request, name, write=True), json.loads(request.body))
                )
    raise Refusal(404, "Sorry, we can't find the page you are looking for.")


def repository_for(hub: HubServer, request: Request, name: str, *, write: bool = False) -> Repository:
    """The repository of a request, where its sender may read it, or write to it."""
    user = hub.user(request)
    repository = hub.repos.get(name)
    if repository is None or (repository.private and repository.owner != user):
        # The Hub does not tell a stranger which private repositories there are.
        if not user:
            raise Refusal(401, "Invalid username or password.", "RepoNotFound")
        raise Refusal(404, "Repository not found", "RepoNotFound")
    if repository.gated and repository.owner != user:
        words = f"Access to model {name} is restricted. You must have access to it and be authenticated to access it."
        raise Refusal(403 if user else 401, words, "GatedRepo")
    if write:
        hub.demand_write(request, repository.owner)
    return repository


def whoami(hub: HubServer, request: Request) -> dict[str, Any]:
    """Whose token a request carries."""
    user = hub.user(request)
    if not user:
        raise Refusal(401, "Invalid username or password.")
    role = "write" if hub.may_write(request) else "read"
    token = {"displayName": "test", "role": role, "createdAt": "2026-01-01T00:00:00.000Z"}
    who = {"type": "user", "id": f"id-{user}", "name": user, "fullname": user.title(), "orgs": []}
    return {**who, "isPro": False, "auth": {"type": "access_token", "accessToken": token}}


def validate(card: str) -> Answer:
    """What the Hub says of a card's metadata."""
    errors, warnings = judge_card(card)
    told = {"errors": [{"message": each} for each in errors], "warnings": [{"message": each} for each in warnings]}
    return Answer(told, 400 if errors else 200)


def create(hub: HubServer, request: Request) -> Answer:
    """A new repository; 409 with its address where it exists."""
    asked = json.loads(request.body)
    owner = asked.get("organization") or hub.user(request)
    name = f"{owner}/{asked['name']}"
    hub.demand_write(request, owner, f'You don\'t have the rights to create a model under the namespace "{owner}"')
    if name in hub.repos:
        raise Refusal(409, "You already created this model repo", url=f"{hub.endpoint}/{name}")
    private = bool(asked.get("private")) or asked.get("visibility") == "private"
    hub.repos[name] = Repository(name, private=private)
    return Answer({"url": f"{hub.endpoint}/{name}", "name": name, "id": f"id-{name}"})


def models(hub: HubServer, request: Request, name: str, rest: list[str]) -> Answer:
    """Everything beneath /api/models/USER/NAME."""
    match request.method, rest:
        case "GET", [] | ["revision", _]:
            repository = repository_for(hub, request, name)
            return Answer(information(repository, rest[1] if rest else "main", blobs="blobs" in request.query))
        case "GET", ["tree", rev, *path]:
            return page(hub, request, listing(repository_for(hub, request, name), rev, "/".join(path), request.query))
        case "POST", ["paths-info", rev]:
            asked = parse_qs(request.body.decode())
            paths = [each.rstrip("/") for each in asked.get("paths", [])]
            expand = asked.get("expand", ["false"])[0].lower() == "true"
            return Answer(paths_of(repository_for(hub, request, name), rev, paths, expand=expand))
        case "GET", ["commits", rev]:
            commits = repository_for(hub, request, name).history(rev)
            told = [
                {
                    "id": each.oid,
                    "title": each.title,
                    "message": each.description,
                    "authors": [{"user": each.author}],
                    "date": each.when,
                }
                for each in commits
            ]
            return page(hub, request, told)
        case "GET", ["refs"]:
            repository = repository_for(hub, request, name)
            branches = [reference("heads", *each) for each in repository.branches.items()]
            tags = [reference("tags", *each) for each in repository.tags.items()]
            return Answer({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})
        case "GET", ["auth-check", *how]:
            repository_for(hub, request, name, write=how == ["write"])
            return Answer({})
        case "POST" | "PUT" | "DELETE", [*_]:
            return change(hub, request, repository_for(hub, request, name, write=True), rest)
    raise Refusal(404, "Sorry, we can't find the page you are looking for.")


def change(hub: HubServer, request: Request, repository: Repository, rest: list[str]) -> Answer:
    """Everything beneath /api/models/USER/NAME that changes a repository."""
    match request.method, rest:
        case "POST", ["preupload", rev]:
            return Answer(preupload(repository, rev, json.loads(request.body)))
        case "POST", ["commit", rev]:
            return Answer(commit(hub, request, repository, rev))
        case "POST", ["branch", branch]:
            repository.start_branch(branch, json.loads(request.body or b"{}").get("startingPoint") or "main")
        case "POST", ["tag", rev]:
            repository.start_tag(json.loads(request.body)["tag"], rev)
        case "DELETE", ["branch", branch] if branch in repository.branches and branch != "main":
            del repository.branches[branch]
        case "DELETE", ["tag", tag] if tag in repository.tags:
            del repository.tags[tag]
        case "PUT", ["settings"]:
            asked = json.loads(request.body)
            visibility = asked.get("visibility", "private" if repository.private else "public")
            repository.private = bool(asked.get("private", visibility == "private"))
        case _:
            raise Refusal(404, "Reference not found", "RevisionNotFound")
    return Answer({})


def page(hub: HubServer, request: Request, rows: list[Any]) -> Answer:
    """One page of rows, with the address of the next in the Link header."""
    start = int(request.query.get("cursor") or 0)
    size = min(int(request.query.get("limit") or hub.page_size), hub.page_size)
    headers = {}
    if start + size < len(rows):
        query = urlencode(request.query | {"cursor": start + size})
        address = "/".join(request.segments[:4] + [each.replace("/", "%2F") for each in request.segments[4:]])
        headers["Link"] = f'<{hub.endpoint}/{address}?{query}>; rel="next"'
    return Answer(rows[start : start + size], headers=headers)


def preupload(repository: Repository, rev: str, asked: dict[str, Any]) -> dict[str, Any]:
    """How each file is to be sent, and what is there already under its name."""
    tree = repository.at(rev).tree
    told = []
    for file in asked["files"]:
        large = is_large(file["path"], file["size"], base64.b64decode(file.get("sample", "")))
        here = tree.get(file["path"])
        oid = {"oid": here.told_etag} if here else {}
        mode = "lfs" if large else "regular"
        told.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, **oid})
    return {"files": told}


def commit(hub: HubServer, request: Request, repository: Repository, branch: str) -> dict[str, Any]:
    """The commit of a request, whole or not at all."""
    if branch not in repository.branches:
        raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
    if "create_pr" in request.query:
        raise Refusal(400, "Pull requests are not part of this Hub")
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = next(each["value"] for each in lines if each["key"] == "header")
    tree = dict(repository.at(branch).tree)
    for each in lines:
        apply(repository, tree, each["key"], each["value"])
    if "README.md" in tree and (errors := judge_card(tree["README.md"].content.decode(errors="replace"))[0]):
        raise Refusal(400, f"Invalid metadata in README.md: {errors[0]}")
    made = repository.commit(
        branch,
        with_attributes(tree),
        title=header["summary"],
        description=header.get("description", ""),
        author=hub.user(request),
        parent=header.get("parentCommit"),
    )
    address = f"{hub.endpoint}/{repository.name}/commit/{made.oid}"
    return {"success": True, "commitOid": made.oid, "commitUrl": address, "hookOutput": ""}


def apply(repository: Repository, tree: dict[str, Planted], key: str, value: dict[str, Any]) -> None:
    """Carries one line of a commit over to a tree."""
    path = value.get("path", "")
    if key != "header" and (not path or path.startswith("/") or {"..", ".", ".git"} & set(path.split("/"))):
        raise Refusal(400, f"Invalid path in repository: {path}")
    match key:
        case "header":
            return
        case "file":
            tree[path] = Planted(base64.b64decode(value["content"]))
        case "lfsFile":
            if value["oid"] not in repository.objects:
                raise Refusal(400, f"Your push was rejected because the LFS object {value['oid']} does not exist")
            tree[path] = Planted(repository.objects[value["oid"]], large=True)
        case "deletedFile":
            if path not in tree:
                raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            del tree[path]
        case "deletedFolder":
            beneath = [each for each in tree if each.startswith(path.rstrip("/") + "/")]
            if not beneath:
                raise Refusal(404, f"A folder with this name doesn't exist: {path}", "EntryNotFound")
            for each in beneath:
                del tree[each]
        case "copyFile":
            source = repository.at(value["srcRevision"]).tree if value.get("srcRevision") else tree
            if value["srcPath"] not in source:
                raise Refusal(404, f"A file with this name doesn't exist: {value['srcPath']}", "EntryNotFound")
            tree[path] = source[value["srcPath"]]
        case _:
            raise Refusal(400, f"Unknown operation in commit: {key}")


def resolve(repository: Repository, hub: HubServer, request: Request, rev: str, path: str) -> Answer:
    """A file's bytes and what is known of it; for a large one, the way to the storage."""
    at = repository.at(rev)
    if path not in at.tree:
        missing = Refusal(404, "Entry not found", "EntryNotFound")
        return Answer(
            {"error": missing.message},
            404,
            {"X-Error-Code": missing.code, "X-Error-Message": missing.message, "X-Repo-Commit": at.oid},
        )
    file = at.tree[path]
    headers = {"X-Repo-Commit": at.oid, "Accept-Ranges": "bytes", "Cache-Control": "no-cache"}
    if path == "config.json" and request.method == "GET":
        repository.downloads += 1
    if file.large:
        headers |= {"X-Linked-Etag": f'"{file.told_etag}"', "X-Linked-Size": str(file.told_size), "ETag": '"moved"'}
        headers["Location"] = hub.storage_address(repository, file, path)
        return Answer(b"Found. Redirecting to the storage", 302, headers)
    return ranged(request, file, headers | {"ETag": f'"{file.told_etag}"'})


def ranged(request: Request, file: Planted, headers: dict[str, str]) -> Answer:
    """A file's bytes, or those that the request's Range asks for."""
    if request.method == "HEAD":
        return Answer(b"", headers=headers | {"Content-Length": str(file.told_size)})
    return bytes_of(request, file.content, headers)
