/* For RTLD_DEFAULT and dladdr. */
#define _GNU_SOURCE
#include "heapcheck.h"

#include <dlfcn.h>
#include <stddef.h>

const pvh_engine *
pvg_heap(void)
{
    static const pvh_engine *engine;
    static int is_known;
    if (!is_known) {
        const pvh_engine *(*find)(void);
        *(void **)&find = dlsym(RTLD_DEFAULT, PVH_FIND_ENGINE);
        engine = find == NULL ? NULL : find();
        /* Of another release: whoever set the variable has two installed. */
        if (engine != NULL && engine->version != PVH_VERSION) {
            engine = NULL;
        }
        is_known = 1;
    }
    return engine;
}

pvg_symbol
pvg_symbol_at(uintptr_t address)
{
    Dl_info info;
    if (dladdr((void *)address, &info) == 0) {
        return (pvg_symbol){NULL, NULL};
    }
    return (pvg_symbol){info.dli_sname, info.dli_fname};
}
