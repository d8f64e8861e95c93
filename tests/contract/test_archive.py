"""Files are written once: one suite for a folder, memory, S3's protocol, and real S3 when asked to."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest
from obstore.store import MemoryStore

from jobs.archive_names import Stored, archive_name
from jobs.errors import ArchiveConflict, ArchiveUnavailable, ConfigurationError
from tests.patience import PATIENCE_S
from worker.archive.archive import Archive, Bucket, Folder, open_archive

NAME = "acme/2026/11/25/invoice/SETP990000203.pdf"
PDF = b"%PDF-1.4\n"
REAL_S3 = "ARCHIVE_TEST_S3_URL"
"""``s3://bucket/prefix`` with AWS_… for it: the suite then runs there too, and leaves its objects."""


@dataclass
class SmallS3:
    """As much of S3 as the archive needs, on a socket; every request is kept."""

    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    refuse_with: int | None = None
    is_silent: bool = False
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; those that are left open are ended with the fixture, not with the loop."""
        task = asyncio.create_task(self._answer_one(reader, writer))
        self.serving.add(task)

    async def end(self) -> None:
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._read_and_answer(reader, writer)
        finally:
            writer.close()

    async def _read_and_answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        key = unquote(urlsplit(target).path)
        self.requests.append((method, key, headers))
        if self.is_silent:
            await reader.read()  # until the other side gives up
            return
        status, answer = self.answer(method, key, headers, body)
        writer.write(
            f'HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\netag: "1"\r\nconnection: close\r\n'
            "last-modified: Wed, 25 Nov 2026 12:00:00 GMT\r\n\r\n".encode()
            + answer
        )
        await writer.drain()

    def answer(self, method: str, key: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if self.refuse_with:
            return self.refuse_with, b"<Error><Code>No</Code><AWSAccessKeyId>AKIATEST</AWSAccessKeyId></Error>"
        if method == "PUT":
            if key in self.objects and headers.get("if-none-match") == "*":
                return 412, b"<Error><Code>PreconditionFailed</Code></Error>"
            self.objects[key] = body
            return 200, b""
        return (200, self.objects[key]) if key in self.objects else (404, b"")


@pytest.fixture
async def small_s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallS3]:
    s3 = SmallS3()
    server = await asyncio.start_server(s3.serve, "127.0.0.1", 0)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield s3
    server.close()
    await s3.end()


@pytest.fixture(params=["folder", "memory", "small_s3", *(["real_s3"] if REAL_S3 in os.environ else [])])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    match request.param:
        case "folder":
            return open_archive(f"file://{tmp_path}/new/archive")
        case "memory":
            return Archive(Bucket("memory://test", MemoryStore))
        case "small_s3":
            request.getfixturevalue("small_s3")
            return open_archive("s3://bucket/a/prefix")
        case _:
            return open_archive(f"{os.environ[REAL_S3]}/{uuid4().hex}")


async def put(archive: Archive, content: bytes = PDF, name: str = NAME) -> Stored:
    return await archive.put(name, content, content_type="application/pdf")


async def test_stored_file_is_described(archive: Archive) -> None:
    stored = await put(archive)
    assert stored.uri.endswith(f"/{NAME}")
    assert (stored.sha256, stored.bytes) == (hashlib.sha256(PDF).hexdigest(), len(PDF))


async def test_same_bytes_again_are_harmless(archive: Archive) -> None:
    assert await put(archive) == await put(archive)


async def test_other_bytes_are_refused_and_change_nothing(archive: Archive) -> None:
    stored = await put(archive)
    with pytest.raises(ArchiveConflict) as refused:
        await put(archive, b"another")
    assert refused.value.held == stored
    assert stored.uri in str(refused.value)
    assert await put(archive) == stored


async def test_name_with_an_encoded_slash_is_one_file(archive: Archive) -> None:
    name = "acme/2026/11/25/invoice/FV%2F2026%2F1-attached.xml"
    await put(archive, name=name)
    await put(archive, b"its sibling", name=name.replace("%2F", "-"))
    assert await put(archive, name=name)


async def test_twenty_tasks_with_one_content_all_succeed(archive: Archive) -> None:
    stored = await asyncio.gather(*(put(archive, PDF * 1000) for _ in range(20)))
    assert len(set(stored)) == 1


async def test_of_two_contents_one_wins(archive: Archive) -> None:
    contents = [PDF * 1000, b"%PDF-1.7\n" * 1000]
    tasks = [put(archive, contents[n % 2]) for n in range(20)]
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    stored = {end for end in ends if isinstance(end, Stored)}
    refused = [end for end in ends if isinstance(end, ArchiveConflict)]
    assert (len(stored), len(refused)) == (1, 10)
    assert {conflict.held for conflict in refused} == stored


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".a", "a/.b", "a b", "a#1", "a\0"])
async def test_only_archive_names_are_taken(archive: Archive, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        await put(archive, name=name)


# -- the folder --------------------------------------------------------------------------------------------------------


async def test_nothing_is_made_before_the_first_file(tmp_path: Path) -> None:
    archive = open_archive(f"file://{tmp_path}/new/archive")
    assert not list(tmp_path.iterdir())
    await put(archive)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "new/archive" / NAME]
    assert (tmp_path / "new/archive").stat().st_mode & 0o007 == 0


async def test_file_uri_leads_to_the_file(tmp_path: Path) -> None:
    stored = await put(open_archive(f"file://{tmp_path}/año%20nuevo"), name="acme/FV%2F1.pdf")
    assert stored.uri == f"file://{tmp_path}/a%C3%B1o%20nuevo/acme/FV%252F1.pdf"
    assert Path(unquote(urlsplit(stored.uri).path)).read_bytes() == PDF


async def test_relative_folder_is_that_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    archive = open_archive("file:./archive")
    monkeypatch.chdir("/")
    assert (await put(archive)).uri == f"file://{tmp_path}/archive/{NAME}"


async def test_folder_that_cannot_be_made_and_then_can(tmp_path: Path) -> None:
    obstacle = tmp_path / "archive"
    obstacle.write_text("a file in its place")
    archive = open_archive(f"file://{obstacle}")
    wanted = f"No se pudo guardar file://{obstacle}/{NAME}: hay un archivo donde debe haber una carpeta"
    with pytest.raises(ArchiveUnavailable, match=wanted):
        await put(archive)
    obstacle.unlink()
    await put(archive)


async def test_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("")
    with pytest.raises(ArchiveUnavailable, match=r"hay un archivo donde debe haber una carpeta \(ENOTDIR\)"):
        await put(open_archive(f"file://{tmp_path}"))


@pytest.mark.skipif(os.geteuid() == 0, reason="no folder is closed to root; the others run it")
async def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ArchiveUnavailable, match=r"no hay permiso para escribir ahí \(EACCES\)"):
        await put(open_archive(f"file://{tmp_path}"))
    tmp_path.chmod(0o700)


async def test_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by fsync at the latest; the name is free for the next try."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    archive = open_archive(f"file://{tmp_path}")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ArchiveUnavailable, match=r"el disco está lleno \(ENOSPC\)"):
            await put(archive)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    await put(archive)


@pytest.mark.skipif(sys.platform != "linux", reason="which file a descriptor is, only /proc tells")
async def test_bytes_are_on_the_disk_before_they_have_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut could leave an empty file, written once and for ever."""
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def noting(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((os.path.relpath(path, tmp_path), (tmp_path / NAME).exists()))
        real(descriptor)

    archive = open_archive(f"file://{tmp_path}")
    monkeypatch.setattr(os, "fsync", noting)
    await put(archive)
    (first, named), *folders = synced
    assert first.startswith(f"{NAME}.")
    assert not named
    assert folders == [(str(folder), True) for folder in Path(NAME).parents]


KILLED = """
    import asyncio, os, signal, sys
    from worker.archive import archive

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    if sys.argv[2] == "before":
        archive._sync = die
    else:
        archive._sync_folder = die
    shelf = archive.open_archive("file://" + sys.argv[1])
    asyncio.run(shelf.put(sys.argv[3], b"%PDF-1.4\\n", content_type="application/pdf"))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_process_leaves_a_whole_file_or_none(tmp_path: Path, moment: str) -> None:
    """Killed between writing and naming, and between naming and the answer; both times the next one stores it."""
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), moment, NAME], check=False)
    assert ended.returncode == -signal.SIGKILL
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(left) == 1
    assert (left[0] == tmp_path / NAME) == (moment == "after")
    assert left[0] == tmp_path / NAME or left[0].suffix == ".part"
    await put(open_archive(f"file://{tmp_path}"))
    assert (tmp_path / NAME).read_bytes() == PDF


async def test_leftovers_of_the_store_do_no_harm(tmp_path: Path) -> None:
    """What obstore itself leaves when it is killed in the middle of its write."""
    archive = Archive(Folder(tmp_path))
    (tmp_path / NAME).parent.mkdir(parents=True)
    for n in range(1, 3):
        Path(f"{tmp_path / NAME}#{n}").write_bytes(b"half")
    await put(archive)
    assert (tmp_path / NAME).read_bytes() == PDF


# -- S3 ----------------------------------------------------------------------------------------------------------------


async def test_object_goes_out_once_with_type_condition_and_checksum(small_s3: SmallS3) -> None:
    """The checksum is what buckets with Object Lock insist on."""
    stored = await put(open_archive("s3://bucket/a/prefix/"), name="acme/FV%2F1.pdf")
    assert stored.uri == "s3://bucket/a/prefix/acme/FV%2F1.pdf"
    ((method, key, headers),) = small_s3.requests
    assert (method, key) == ("PUT", "/bucket/a/prefix/acme/FV%2F1.pdf")
    assert headers["if-none-match"] == "*"
    assert headers["content-type"] == "application/pdf"
    assert headers["x-amz-checksum-sha256"]


async def test_bucket_needs_no_prefix(small_s3: SmallS3) -> None:
    assert (await put(open_archive("s3://bucket"))).uri == f"s3://bucket/{NAME}"
    assert list(small_s3.objects) == [f"/bucket/{NAME}"]


@pytest.mark.parametrize("status", [400, 403, 404, 501])
async def test_refusal_is_told_without_the_words_of_the_storage(small_s3: SmallS3, status: int) -> None:
    small_s3.refuse_with = status
    with pytest.raises(ArchiveUnavailable) as failed:
        await put(open_archive("s3://bucket"))
    told = str(failed.value)
    assert re.fullmatch(
        rf"No se pudo guardar s3://bucket/{re.escape(NAME)}: el almacenamiento respondió HTTP {status}.*", told
    )
    assert "AKIATEST" not in told


async def test_storage_that_is_not_there(monkeypatch: pytest.MonkeyPatch, small_s3: SmallS3) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ArchiveUnavailable, match=r"el almacenamiento rechazó la conexión \(ECONNREFUSED\)"):
        await put(open_archive("s3://bucket"))


async def test_storage_that_does_not_answer(small_s3: SmallS3) -> None:
    small_s3.is_silent = True
    with pytest.raises(ArchiveUnavailable, match="el almacenamiento no respondió a tiempo"):
        await put(open_archive("s3://bucket", timeout_s=0.3))


async def test_name_that_is_too_long_for_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnavailable, match=r"el nombre es demasiado largo \(ENAMETOOLONG\)"):
        await put(open_archive(f"file://{tmp_path}/{'x' * 300}"))


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "archive",
        "/var/archive",
        "file:",
        "file://",
        "file://host/archive",
        "file://./archive",
        "file:a%00b",
        "s3://",
        "s3://b",
        "s3:bucket",
        "s3://key:secret@bucket/prefix",
        "s3://bucket/../other",
        "s3://bucket/a//b",
        "s3://bucket/a?region=x",
        "gs://bucket",
        "https://bucket.s3.amazonaws.com",
        "memory:///",
    ],
)
def test_other_forms_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"file:\./relative, file:///absolute or s3://bucket/prefix"
    ) as refused:
        open_archive(url)
    assert str(refused.value).endswith("must be file:./relative, file:///absolute or s3://bucket/prefix")


def test_obstore_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, worker.archive.archive as a; a.open_archive('s3://bucket'); sys.exit('obstore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- links -------------------------------------------------------------------------------------------------------------
PARTS = NAME.split("/")


@pytest.mark.parametrize("depth", range(1, len(PARTS) + 1), ids=lambda depth: "/".join(PARTS[:depth]))
@pytest.mark.parametrize("target", ["folder", "file", "nothing", "/etc/passwd", "/dev/zero", "."])
async def test_a_link_inside_the_archive_is_not_followed(tmp_path: Path, depth: int, target: str) -> None:
    """Whoever may put one there would choose which file of this machine gets the bytes, or is read as ours."""
    archive, outside = tmp_path / "archive", tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_bytes(b"theirs")
    link = archive.joinpath(*PARTS[:depth])
    link.parent.mkdir(parents=True)
    link.symlink_to(target if target.startswith(("/", ".")) else outside / target)
    before = sorted(outside.rglob("*"))
    with pytest.raises(ArchiveUnavailable, match="un enlace simbólico"):
        await open_archive(archive.as_uri()).put(NAME, PDF, content_type="application/pdf")
    assert sorted(outside.rglob("*")) == before
    assert (outside / "file").read_bytes() == b"theirs"


async def test_the_folder_of_the_archive_may_be_a_link(tmp_path: Path) -> None:
    """Its owner has named it; the disk with room for ten years is often elsewhere."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "archive").symlink_to(tmp_path / "disk")
    stored = await open_archive((tmp_path / "archive").as_uri()).put(NAME, PDF, content_type="application/pdf")
    assert (tmp_path / "disk" / NAME).read_bytes() == PDF
    assert stored.uri == (tmp_path / "archive" / NAME).as_uri()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
async def test_what_is_no_file_under_a_name_holds_nobody_up(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / NAME
    path.parent.mkdir(parents=True)
    make(path)
    with pytest.raises(ArchiveUnavailable):
        await asyncio.wait_for(
            open_archive(tmp_path.as_uri()).put(NAME, PDF, content_type="application/pdf"), timeout=PATIENCE_S
        )


@pytest.mark.parametrize(
    "number",
    [
        "../../etc/passwd",
        "..",
        ".",
        "/etc/passwd",
        "a/../../b",
        "\0",
        "..\\..\\x",
        "%2e%2e/",
        "x" * 5000,
        "\u202e",
        "~",
        "",
    ],
)
async def test_a_hostile_number_stays_inside(tmp_path: Path, number: str) -> None:
    archive = tmp_path / "deep" / "archive"
    name = archive_name(number, date(2026, 11, 25), number, number, "pdf")
    await open_archive(archive.as_uri()).put(name, PDF, content_type="application/pdf")
    (found,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found.resolve().is_relative_to(archive.resolve() / name.split("/")[0])
