/* Small builds in one process: a store, a context, and requests as a front door makes them. */
#ifndef VARVE_TEST_BUILD_FIXTURE_H
#define VARVE_TEST_BUILD_FIXTURE_H

#include "build/build.h"
#include "build/values.h"

struct fixture {
    char *dir;     /* of everything */
    char *store;   /* below it */
    char *context; /* below it: "a" and "b", and bin/busybox where there is one */
    struct slots *slots;
    struct session *session;
    gboolean runs; /* RUN works here */
};
void fixture_init(struct fixture *f);
void fixture_clear(struct fixture *f);
/* A file below f->dir. */
void fixture_write(const struct fixture *f, const char *path, const char *text);
/* Its content; NULL when there is none. */
char *fixture_read(const struct fixture *f, const char *path);
/* A request for the Dockerfile text, named name, of target (NULL: the last stage), whose files go
 * to the directory out-NAME and whose image is called NAME. */
struct build_request *fixture_request(const struct fixture *f, const char *name, const char *text,
                                      const char *target);
#define RUN_BUSYBOX "RUN --network=none [\"/bin/busybox\", \"sh\", \"-c\", \"%s\"]\n"

#endif
