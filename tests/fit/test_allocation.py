import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fit.allocation import keep_memory

# How many pages a process asks the system for while it makes and frees twenty pictures of 16 MB.
FAULTS = """
import resource, sys
sys.path.insert(0, {root!r})
if {keep}:
    from fit.allocation import keep_memory
    keep_memory()
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def once():
    first, second = libc.malloc(16 << 20), libc.malloc(16 << 20)
    ctypes.memset(first, 1, 16 << 20), ctypes.memset(second, 1, 16 << 20)
    libc.free(second), libc.free(first)
once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    once()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
def test_freed_memory_is_not_asked_for_again() -> None:
    root = str(Path(__file__).resolve().parents[2])

    def faults(keep: bool) -> int:
        code = FAULTS.format(root=root, keep=keep)
        return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    assert faults(keep=True) < 100
    assert faults(keep=False) > 10_000


def test_other_c_libraries_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert keep_memory() is False
