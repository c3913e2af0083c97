"""The compiled module, and nothing else: the rest is in pyproject.toml."""

import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

NO_VALGRIND = (
    "pytest-valgrind needs valgrind's headers (valgrind/memcheck.h), which are not there: install "
    "them with `apt install valgrind`, `dnf install valgrind-devel`, `pacman -S valgrind` or "
    "`brew install valgrind`."
)

# The limited API and debug or free-threaded builds exclude each other.
HAS_LIMITED_API = not (
    sysconfig.get_config_var("Py_DEBUG") or sysconfig.get_config_var("Py_GIL_DISABLED")
)
OLDEST_PYTHON = (3, 10)


class BuildExtension(build_ext):
    def build_extensions(self) -> None:
        if not self._finds_valgrind():
            sys.exit(NO_VALGRIND)
        for extension in self.extensions or []:
            extension.py_limited_api = HAS_LIMITED_API
            if HAS_LIMITED_API:
                version = "0x{:02X}{:02X}0000".format(*OLDEST_PYTHON)
                extension.define_macros.append(("Py_LIMITED_API", version))
        super().build_extensions()

    def _finds_valgrind(self) -> bool:
        with TemporaryDirectory() as directory:
            probe = Path(directory, "probe.c")
            probe.write_text("#include <valgrind/memcheck.h>\n")
            try:
                self.compiler.compile([str(probe)], output_dir=directory)
            except CompileError:
                return False
        return True


# Else a change of these alone would build nothing.
HEADERS = sorted(str(path) for path in Path("csrc").glob("*.h"))
# Windows has no valgrind: there the plugin installs, and `--valgrind` says so.
HAS_VALGRIND = sys.platform != "win32"
# The loader gives a preloaded object room for its thread-local variables at once. The compiler
# would make a call of calloc out of the calloc that this object has.
HEAP_OPTIONS = [
    *("-g0", "-O2", "-fvisibility=hidden", "-ftls-model=initial-exec"),
    *("-fno-builtin-malloc", "-fno-builtin-calloc", "-fno-builtin-realloc", "-fno-builtin-free"),
]
tag = "cp{}{}".format(*OLDEST_PYTHON) if HAS_LIMITED_API and HAS_VALGRIND else ""

setup(
    cffi_modules=["csrc/build.py:ffibuilder"] if HAS_VALGRIND else [],
    # Preloaded, never imported.
    ext_modules=[
        # Without debug information, which names the directory of the build: the contents tell
        # whether a self-test with these repairs has been done (calibration.py).
        Extension(f"pytest_valgrind._{name}", [f"csrc/{name}.c"], extra_compile_args=["-g0"])
        for name in ("repairs", "child_preload")
        if HAS_VALGRIND
    ]
    + [
        Extension(
            "pytest_valgrind._heap",
            sorted(str(path) for path in Path("csrc").glob("heap_*.c")),
            include_dirs=["csrc"],
            depends=HEADERS,
            libraries=["dl", "pthread"],
            extra_compile_args=HEAP_OPTIONS,
        )
        for _ in range(sys.platform == "linux")
    ]
    + [
        Extension(
            "pytest_valgrind._counting",
            sorted(str(path) for path in Path("csrc").glob("counting_*.c")),
            include_dirs=["csrc"],
            depends=HEADERS,
            libraries=["dl"],
            extra_compile_args=HEAP_OPTIONS,
        )
        for _ in range(sys.platform == "linux")
    ],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": tag}} if tag else {},
)
