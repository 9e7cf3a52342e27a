/* A program's own /etc/resolv.conf, if name servers were given. */
#ifndef VARVE_RUN_RESOLV_H
#define VARVE_RUN_RESOLV_H

#include <glib.h>

/* As given; each is NULL or ends with NULL. */
struct run_dns {
    char **servers; /* addresses */
    char **search;  /* domains for short names; NULL: the host's, "." alone: none */
    char **options; /* of resolv.conf; NULL: the host's */
};
/* Whether anything was given. */
gboolean run_dns_is_set(const struct run_dns *dns);
/* The file's text; host is the text of the host's own file. VARVE_ERROR_USAGE for an invalid
 * address or word, or if there is no server. */
char *run_dns_text(const struct run_dns *dns, const char *host, GError **err);
/* The same with this host's file. */
char *run_dns_text_here(const struct run_dns *dns, GError **err);
void run_dns_clear(struct run_dns *dns);

#endif
