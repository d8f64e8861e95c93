"""
Reading a whole file that somebody named: never a folder, a device or a pipe, and never more than was agreed on.

A name can be mistyped or hostile: ``/dev/zero`` has no end, a FIFO without a writer is waited for without end.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_KINDS: Final = (
    (stat.S_ISDIR, "it is a folder", "es una carpeta"),
    (stat.S_ISFIFO, "it is a pipe, not a regular file", "es una tubería, no un archivo"),
    (stat.S_ISSOCK, "it is a socket, not a regular file", "es un socket, no un archivo"),
    (stat.S_ISCHR, "it is a device, not a regular file", "es un dispositivo, no un archivo"),
    (stat.S_ISBLK, "it is a device, not a regular file", "es un dispositivo, no un archivo"),
)
_NO_FILE: Final = ("it is no regular file", "no es un archivo")
_SPANISH: Final = {
    errno.ENOENT: "no existe",
    errno.EACCES: "no hay permiso para leerlo",
    errno.EPERM: "no hay permiso para leerlo",
    errno.ENOTDIR: "no existe: una parte de la ruta no es una carpeta",
    errno.ENAMETOOLONG: "el nombre es demasiado largo",
    errno.ELOOP: "son enlaces que se siguen en círculo",
    errno.EIO: "el disco no lo pudo leer",
}


class FileUnusable(Exception):
    """A file that cannot be read whole. Its words, English and Spanish, say why without the name and the content."""

    def __init__(self, en: str, es: str) -> None:
        super().__init__(en)
        self.es = es


@contextmanager
def opened(path: str | os.PathLike[str], *, most: int) -> Iterator[BinaryIO]:
    """
    A regular file of at most *most* bytes, open for reading while the block lasts.

    Raises:
        FileUnusable: It is not there, may not be read, is no regular file, or is larger.
    """
    try:
        # Without O_NONBLOCK the open itself waits for a pipe's other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as exc:
        raise _reason(path, exc) from exc
    except ValueError as exc:
        raise FileUnusable("its name holds a NUL, or is not UTF-8", "su nombre tiene un NUL, o no es UTF-8") from exc
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise FileUnusable(*next((told for is_kind, *told in _KINDS if is_kind(found.st_mode)), _NO_FILE))
        if found.st_size > most:
            raise _too_large(most)
        with open(descriptor, "rb", closefd=False) as file:  # a descriptor, not a name
            yield file
    finally:
        os.close(descriptor)


def read_whole(path: str | os.PathLike[str], *, most: int) -> bytes:
    """
    The content of a regular file of at most *most* bytes.

    Raises:
        FileUnusable: It is not there, may not be read, is no regular file, or is larger.
    """
    with opened(path, most=most) as file:
        try:
            content = file.read(most + 1)
        except OSError as exc:
            raise _of_system(exc) from exc
    if len(content) > most:
        raise _too_large(most)
    return content


def text_of(content: bytes) -> str:
    """
    The UTF-8 text of a file, without the mark (BOM) that some editors put before it.

    Raises:
        FileUnusable: Another encoding, or no text; says which where that can be seen.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileUnusable("it is UTF-16; save it as UTF-8", "está en UTF-16; guárdelo como UTF-8")
    if b"\0" in content:
        raise FileUnusable(
            "it holds NUL bytes; save it as plain UTF-8 text", "tiene bytes NUL; guárdelo como texto UTF-8"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise FileUnusable(
            f"line {line} is not UTF-8 (Latin-1, Windows-1252?); save it as UTF-8",
            f"la línea {line} no está en UTF-8 (¿Latin-1, Windows-1252?); guárdelo como UTF-8",
        ) from exc


def _reason(path: str | os.PathLike[str], error: OSError) -> FileUnusable:
    try:
        if stat.S_ISSOCK(Path(path).stat().st_mode):  # cannot even be opened
            return FileUnusable(*next(told for is_kind, *told in _KINDS if is_kind is stat.S_ISSOCK))
    except OSError:
        pass  # the first error says it
    return _of_system(error)


def _of_system(error: OSError) -> FileUnusable:
    words = error.strerror or type(error).__name__
    return FileUnusable(words, _SPANISH.get(error.errno or 0, words))


def _too_large(most: int) -> FileUnusable:
    return FileUnusable(f"it is larger than {_size(most)}", f"tiene más de {_size(most)}")


def _size(n_bytes: int) -> str:
    return f"{n_bytes // 1024**2} MiB" if n_bytes >= 1024**2 else f"{n_bytes // 1024} KiB"
