/* Which platforms' programs run on this machine, and how: found out by running one of each in a
 * sandbox. */
#ifndef VARVE_EXEC_PLATFORMS_H
#define VARVE_EXEC_PLATFORMS_H

#include "exec/emulator.h"

struct platform_state {
    struct platform platform;
    struct emulator how; /* in which way its programs run */
    gboolean runs;       /* its program ran to its end */
    gint64 took_us;      /* in its sandbox, which it started and ended in */
    GError *fault;       /* why not; NULL for a CPU that lacks what the platform's variant needs */
};

/* Of the usual platforms, and this machine's variants, in the order in which they are shown; of
 * struct platform_state. */
GPtrArray *platforms_try(void);

#endif
