/* Platforms, "os/arch[/variant]" (OCI image-spec image-index "platform"; normalisation as Docker's:
 * x86_64 → amd64, aarch64 → arm64, arm64/v8 → arm64, armhf → arm/v7, i386 → 386). */
#ifndef VARVE_BASE_PLATFORM_H
#define VARVE_BASE_PLATFORM_H

#include <glib.h>

struct platform {
    char os[16];      /* "linux" */
    char arch[16];    /* GOARCH: "amd64", "arm64", "arm", … */
    char variant[16]; /* "v7", … or "" */
};

/* Parses and normalises "os/arch[/variant]" or a bare "arch"; VARVE_ERROR_USAGE when malformed. */
gboolean platform_parse(struct platform *out, const char *text, GError **err);
/* The same for the user's command line: an unknown operating system or architecture is an error. */
gboolean platform_parse_known(struct platform *out, const char *text, GError **err);
/* Normalises a platform from a manifest or a config. */
void platform_normalise(struct platform *p);
/* The machine varve runs on. */
void platform_host(struct platform *out);
/* "linux/arm/v7"; only "linux" without an architecture. */
char *platform_text(const struct platform *p);
/* "linux/amd64, linux/arm64" of n platforms, with separator between them. */
char *platform_list_text(const struct platform *all, guint n, const char *separator);
gboolean platform_equal(const struct platform *a, const struct platform *b);
/* How well an image for have suits want: 0 not at all, higher is better (arm/v7 runs arm/v6; amd64
 * without a variant accepts what this machine can run, the highest variant first if there is no
 * plain amd64). */
int platform_match(const struct platform *want, const struct platform *have);

#endif
