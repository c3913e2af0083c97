// A program that makes and frees memory in every way, and prints what csrc/counting_*.c have counted.
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <malloc.h>
#include <new>
#include <sys/mman.h>

extern "C" {
#include "counting.h"
}

static pvg_counts (*counts)();
static void (*reset)();
static pvg_counts start;

struct alignas(64) Aligned {
    char bytes[100];
};

template <typename Work>
static void
show(const char *name, Work work)
{
    work();
    pvg_counts now = counts();
    std::printf("%s %lld %lld %lld\n", name, (long long)(now.bytes - start.bytes),
                (long long)(now.peak_bytes - start.bytes), (long long)(now.blocks - start.blocks));
    reset();
}

int
main()
{
    setvbuf(stdout, nullptr, _IONBF, 0);
    *(void **)&counts = dlsym(RTLD_DEFAULT, "pvg_counts_of_process");
    *(void **)&reset = dlsym(RTLD_DEFAULT, "pvg_reset_peaks_of_process");
    void *volatile first = nullptr, *volatile second = nullptr;
    char *volatile text = nullptr;
    Aligned *volatile aligned = nullptr;
    void *place = nullptr;
    reset();
    start = counts();
    show("malloc", [&] { first = malloc(77); });
    show("calloc", [&] { second = calloc(10, 7); });
    show("realloc", [&] { first = realloc(first, 200); });
    show("realloc-large", [&] { first = realloc(first, 1000000000); });
    show("free", [&] { free(first); });
    show("free-both", [&] { free(second); });
    show("new", [&] { text = new char[123]; });
    show("delete", [&] { delete[] text; });
    show("new-aligned", [&] { aligned = new Aligned; });
    show("delete-aligned", [&] { delete aligned; });
    show("nothrow", [&] { text = new (std::nothrow) char; delete text; });
    show("posix_memalign", [&] { (void)!posix_memalign(&place, 64, 99); });
    show("free-aligned", [&] { free(place); });
    show("too-much", [&] { first = malloc((size_t)1 << 60); });
    show("mmap", [&] {
        first = mmap(nullptr, 10000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    });
    show("mremap", [&] { first = mremap(first, 10000, 50000, MREMAP_MAYMOVE); });
    show("munmap-part", [&] { munmap((char *)first + 4096, 4096); });
    show("munmap", [&] { munmap(first, 53248); });
    first = malloc(33);
    text = new char[44];
    first = text = nullptr;
}
