/* What the registry's tests share: temporary stores, images of noise, and servers of their own on
 * 127.0.0.1. */
#ifndef VARVE_TESTS_REGISTRY_FIXTURE_H
#define VARVE_TESTS_REGISTRY_FIXTURE_H

#include "net/http.h"
#include "registry/registry.h"
#include "store/blob.h"

#include <jansson.h>

/* A new empty folder; fixture_remove() removes it with all that is in it. */
char *fixture_folder(void);
void fixture_remove(char *folder);
struct store *fixture_store(const char *folder);

struct image {
    struct digest manifest, config, layer[4];
    guint n_layers;
};
/* Puts an image into s; seed makes it differ from others, the layers are of size bytes. */
void image_make(struct store *s, guint seed, guint n_layers, gsize size, struct image *out);
/* Puts an index of images into s, the first for linux/amd64, the second for linux/arm64. */
void index_make(struct store *s, const struct image *images, guint n, struct digest *out);

/* tests/faults/registry.py, running. */
struct faults {
    GPid pid;
    int input;         /* its standard input: it ends with it */
    guint port, other; /* listeners */
};
/* args: further arguments, NULL-terminated, or NULL. */
void faults_start(struct faults *f, const char *const *args);
void faults_stop(struct faults *f);
/* Replaces the rules and empties the log. */
void faults_rules(const struct faults *f, const char *json);
json_t *faults_log(const struct faults *f);
/* How many requests in the log match method and a part of the path; other: of the second listener.
 */
guint faults_count(const struct faults *f, const char *method, const char *part);
guint64 faults_received(const struct faults *f);
/* "127.0.0.1:<port>/<repository>:<tag>" parsed. */
struct reference *faults_reference(const struct faults *f, const char *repository, const char *tag);

/* Fetches all blobs of a manifest that is in s, as unpacking it would. */
gboolean fetch_all(struct registry *r, struct store *s, const struct reference *ref,
                   const struct digest *manifest, GError **err);

/* A configuration that loses patience fast. */
struct registry_config *fixture_config(void);
/* Fails the test unless err has this code and its message has every part (NULL-terminated list).
 * Clears err. */
void assert_error(GError **err, int code, ...) G_GNUC_NULL_TERMINATED;
/* Waits until something listens on the port; FALSE after 10 s. */
gboolean wait_for_port(guint port);
/* A port nobody listens on now. */
guint free_port(void);

#endif
