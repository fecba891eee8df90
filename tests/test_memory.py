"""Memory is given back to the system by a real process, from all threads that used it."""

import subprocess
import sys

import pytest

# Buffers of half a megabyte, as a stream's, in four threads: the C library gives each an arena.
BUSY = """
import ctypes, threading
import psutil
from fer.web import memory

library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

def fill(times, size):
    buffers = [library.malloc(size) for _ in range(times)]
    for buffer in buffers:
        ctypes.memset(buffer, 1, size)
    for buffer in buffers:
        library.free(buffer)

def work():
    fill(1, 2**24)  # by the largest the C library chooses what it keeps
    fill(24, 2**19)
    filled.release()
    over.wait()

def resident_mb():
    return psutil.Process().memory_info().rss / 2**20

memory.keep_little()
over, filled = threading.Event(), threading.Semaphore(0)
before_mb = resident_mb()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
    filled.acquire()
memory._due.acquire()
memory._give_back()
print(resident_mb() - before_mb)
over.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of the GNU C library")
def test_what_threads_let_go_of_goes_back_to_the_system():
    process = subprocess.run(
        [sys.executable, "-c", BUSY], capture_output=True, text=True, check=True
    )
    assert float(process.stdout) < 10, "of 48"
