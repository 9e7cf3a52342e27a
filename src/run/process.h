/* How a run's program is started: its image and the request, combined by Docker's rules. */
#ifndef VARVE_RUN_PROCESS_H
#define VARVE_RUN_PROCESS_H

#include "run/request.h"

struct run_process {
    char **args, **env; /* NULL-terminated; all here is owned */
    char *cwd;          /* absolute */
    char *user;         /* or NULL */
    char *hostname;     /* or NULL */
};
/* Whether a given working directory (NULL or "": none) can be one. VARVE_ERROR_USAGE. */
gboolean run_workdir_check(const char *path, GError **err);
/* VARVE_ERROR_USAGE where no program comes of it, or no working directory. */
gboolean run_process_init(struct run_process *p, const struct run_request *q,
                          const struct image_conf *conf, GError **err);
void run_process_clear(struct run_process *p);
/* The health check of the program; *out is NULL if none was requested. VARVE_ERROR_USAGE if there
 * is none. */
gboolean run_process_health(const struct run_request *q, const struct image_conf *conf,
                            struct healthcheck **out, GError **err);
/* The signal that asks the program to end; 0 with VARVE_ERROR_USAGE if the image's is unknown. */
int run_process_stop_signal(const struct run_request *q, const struct image_conf *conf,
                            GError **err);

#endif
