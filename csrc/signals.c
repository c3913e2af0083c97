#include "signals.h"

#include <signal.h>
#include <stddef.h>

static const int FATAL[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

void
pvg_handle_signals_on_stack(void)
{
    for (size_t i = 0; i < sizeof FATAL / sizeof FATAL[0]; i++) {
        struct sigaction action;
        if (sigaction(FATAL[i], NULL, &action) == 0 && action.sa_flags & SA_ONSTACK) {
            action.sa_flags &= ~SA_ONSTACK;
            sigaction(FATAL[i], &action, NULL);
        }
    }
}
