"""Finding and downloading: a server on this machine that behaves, and one that does not."""

from __future__ import annotations

import hashlib
import io
import random
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tinygrad_edu.datasets import data_folder, files
from tinygrad_edu.datasets.files import File, fetch, retrieve
from tinygrad_edu.datasets.progress import Progress

CONTENT = random.Random(0).randbytes(300_000)
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Gives CONTENT, or what a test sets; notes what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.knows_ranges, self.length = CONTENT, True, ""
        self.pause: threading.Event | None = None  # what is waited for in the middle of an answer
        self.cuts: list[int] = []  # after how many bytes the next answers break off
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/data.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.asked.append((self.path, wanted))
        if self.path in ("/around", "/elsewhere"):
            self.send_response(302)
            self.send_header("Location", {"/around": "/around", "/elsewhere": "file:///etc/passwd"}[self.path])
            self.end_headers()
            return
        if self.path == "/noise":
            self.wfile.write(b"\x1b[31m\0 not a word of HTTP\r\n")
            return
        if self.path != "/data.bin":
            self.send_error(404)
            return
        content, start = self.server.content, 0
        if wanted and self.server.knows_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", self.server.length or str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if self.server.pause:
            self.wfile.write(rest[:1000])
            rest = rest[1000:]
            self.server.pause.wait(20)
        self.wfile.write(rest[: self.server.cuts.pop(0)] if self.server.cuts else rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_data_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "data"))


def file(*mirrors: str) -> File:
    return File("data.bin", CHECKSUM, mirrors)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# --- downloading -------------------------------------------------------------------------------------------------------------


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    path = fetch(file(server.url), tmp_path / "root", ("sub", "other"), download=True)
    assert path == tmp_path / "root" / "sub" / "data.bin" and path.read_bytes() == CONTENT
    assert fetch(file(server.url), tmp_path / "root", ("sub", "other"), download=True) == path
    assert len(server.asked) == 1 and left(path.parent) == ["data.bin"]


def test_without_a_root_it_lies_in_the_data_folder(server: Server, tmp_path: Path) -> None:
    assert fetch(file(server.url), None, ("",), download=True) == tmp_path / "data" / "data.bin"


def test_the_next_mirror_is_asked(server: Server, tmp_path: Path) -> None:
    retrieve(file(server.url.replace("data.bin", "gone.bin"), server.url), tmp_path / "data.bin")
    assert [path for path, _ in server.asked] == ["/gone.bin", "/data.bin"]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_cut_download_goes_on_where_it_was_cut(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000]
    retrieve(file(server.url), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_without_ranges_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    server.knows_ranges, server.cuts = False, [100_000]
    retrieve(file(server.url), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_what_was_received_is_kept_for_the_next_time(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000] * files.ATTEMPTS
    with pytest.raises(RuntimeError, match=r"cut after 3000 of 300000 bytes[^$]*3000 bytes are kept"):
        retrieve(file(server.url), tmp_path / "data.bin")
    assert left(tmp_path) == ["data.bin.part"]
    retrieve(file(server.url), tmp_path / "data.bin")
    assert left(tmp_path) == ["data.bin"] and server.asked[-1][1] == "bytes=3000-"
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_finished_download_without_its_name_gets_it(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    retrieve(file(server.url), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_wrong_beginning_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(b"something else")
    retrieve(file(server.url), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(RuntimeError, match=f"wrong checksum: expected {CHECKSUM}, got sha256:"):
        retrieve(file(server.url), tmp_path / "data.bin")
    assert not left(tmp_path)


def test_no_network_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as nobody:  # bound, and not listening
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(RuntimeError, match=r"no connection[^$]*Without a network: put the file into"):
            retrieve(file(f"http://127.0.0.1:{nobody.getsockname()[1]}/data.bin"), tmp_path / "sub" / "data.bin")
    assert not left(tmp_path)


def test_a_folder_that_cannot_be_written_to(server: Server, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    with pytest.raises(RuntimeError, match=r"data\.bin\.part cannot be written \(.*TINYGRAD_EDU_DATA"):
        fetch(file(server.url), tmp_path / "root", ("",), download=True)
    assert not server.asked


def test_a_full_disk_is_told_at_once_and_keeps_what_was_received(server: Server, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="files are not limited in this way here")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(RuntimeError, match=r"data\.bin\.part cannot be written \(File too large\)"):
            retrieve(file(server.url, server.url), tmp_path / "data.bin")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(server.asked) == 1 and left(tmp_path) == ["data.bin.part"]
    retrieve(file(server.url), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT and server.asked[-1][1] == "bytes=100000-"


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked there")
def test_of_several_that_want_a_file_one_downloads_it(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.pause = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(retrieve, file(server.url), tmp_path / "data.bin") for _ in range(3)]
        said = ""
        while said.count("waiting for another process") < 2 and not any(result.done() for result in results):
            said += capsys.readouterr().err
        server.pause.set()
    assert [result.result() for result in results] == [None] * 3
    assert len(server.asked) == 1 and left(tmp_path) == ["data.bin"]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/around", "the server answers 302 The HTTP server returned a redirect error that would lead to an infinite"),
        ("/elsewhere", "the server answers 302 Found - Redirection to url 'file:///etc/passwd' is not allowed"),
        ("/noise", "the transfer broke off"),
    ],
)
def test_what_a_strange_server_says_stays_on_one_line(server: Server, path: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as error:
        retrieve(file(server.url.replace("/data.bin", path)), tmp_path / "data.bin")
    _, line, _ = str(error.value).split("\n")
    assert reason in line and line.isprintable() and not left(tmp_path)


def test_a_length_that_is_none_leaves_it_to_the_checksum(server: Server, tmp_path: Path) -> None:
    server.length = "soon"
    retrieve(file(server.url), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


# --- finding -------------------------------------------------------------------------------------------------------------------


def test_not_found_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Dataset not found.*download=True.*TINYGRAD_EDU_DATA") as error:
        fetch(file(), tmp_path / "root", ("sub",), download=False)
    assert str(tmp_path / "root" / "sub") in str(error.value) and str(tmp_path / "data" / "sub") in str(error.value)


def test_what_lies_there_is_trusted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.bin").write_bytes(b"mine")
    assert fetch(file(server.url), tmp_path / "root", ("sub", ""), download=True).read_bytes() == b"mine"
    assert not server.asked


def test_an_unpacked_file_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").touch()
    assert fetch(File("x.gz", "", ()), None, ("",), download=False).name == "x"


@pytest.mark.parametrize(
    ("platform", "variables", "wanted"),
    [
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/tinygrad_edu"),
        ("linux", {}, "/home/me/.cache/tinygrad_edu"),
        ("darwin", {}, "/home/me/Library/Caches/tinygrad_edu"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/tinygrad_edu/data"),
        ("linux", {"TINYGRAD_EDU_DATA": "~/mine"}, "/home/me/mine"),
    ],
)
def test_the_data_folder(
    platform: str, variables: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TINYGRAD_EDU_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", platform)
    assert data_folder() == Path(wanted)


# --- the bar -------------------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    silent, terminal = io.StringIO(), Terminal()
    for stream in (silent, terminal):
        with Progress("data", 2_000_000, "B", stream) as bar:
            bar.skip(500_000)
            bar.drawn = float("-inf")
            bar.advance(500_000, "half")
    assert silent.getvalue() == ""
    line = terminal.getvalue().split("\r\x1b[K")[-2]
    assert "█" * 12 + "░" * 12 in line and "1.0 MB of 2.0 MB" in line and line.endswith("half")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_the_bar_counts_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    with Progress("epoch 1", 40, "batches", terminal) as bar:
        bar.advance(10, "loss 0.5")
        bar.draw()
        assert "  10 of 40 batches  " in bar.line() and bar.line().endswith("loss 0.5")
    assert max(map(len, terminal.getvalue().split("\r\x1b[K"))) == 39  # never wraps


def test_the_bar_of_an_unknown_length() -> None:
    bar = Progress("data", None, "B", io.StringIO())
    bar.advance(1500)
    assert bar.line().startswith("data  1.5 kB  ")
