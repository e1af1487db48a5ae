"""How the C library keeps memory between frames."""

import ctypes

# Of glibc's mallopt: numbers of its options, and the most the second takes.
TRIM, MMAP, ARENAS = -1, -3, -8
LARGEST = 32 * 2**20
NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Let freed memory stay with the process, for the next frame.

    A frame of 720x1280 passes through tensors of 11 MB. glibc hands such memory back to the system when it is freed, and gets
    it again page by page, zeroed, which costs about as much as a third of a small network's work. All threads share one
    arena, since those of single threads are given back whole. Other C libraries are left as they are.

    Returns:
        Whether there is glibc to tell.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all([mallopt(TRIM, NEVER), mallopt(MMAP, LARGEST), mallopt(ARENAS, 1)])
