"""The cffi description of the compiled module ``pytest_valgrind._client``."""

from pathlib import Path

from cffi import FFI

CONCEPTS = (
    "heap",
    "heapcheck",
    "requests",
    "counting",
    "allocator",
    "frames",
    "threads",
    "cpython",
    "functions",
    "stale",
    "python_frames",
    "deques",
    "collector",
    "references",
    "malloc_numbers",
    "ended_threads",
    "interpreter_lock",
    "clones",
    "lost_blocks",
    "timer",
    "signals",
    "callables",
    "defects",
)


def declarations(concept: str) -> str:
    """Return a header as cffi takes it: without the preprocessor's lines."""
    # setuptools executes this file without a name of its own, at the top of the project.
    lines = Path("csrc", f"{concept}.h").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


ffibuilder = FFI()
for name in CONCEPTS:
    ffibuilder.cdef(declarations(name))
ffibuilder.set_source(
    "pytest_valgrind._client",
    "".join(f'#include "{name}.h"\n' for name in CONCEPTS),
    # What the first describes is preloaded.
    sources=[f"csrc/{name}.c" for name in CONCEPTS if name != "heap"],
    include_dirs=["csrc"],
    depends=sorted(str(path) for path in Path("csrc").glob("*.h")),
    # Timers are in there before glibc 2.34.
    libraries=["rt"],
    # A stack frame with file and line is what the whole project is about.
    extra_compile_args=["-g"],
)
