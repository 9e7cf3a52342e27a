/* A program's own /etc/resolv.conf, where name servers are chosen for it. */
#ifndef VARVE_RUN_RESOLV_H
#define VARVE_RUN_RESOLV_H

#include <glib.h>

/* As chosen; each is NULL or ends with NULL. */
struct run_dns {
    char **servers; /* addresses */
    char **search;  /* domains for short names; NULL: the host's, "." alone: none */
    char **options; /* of resolv.conf; NULL: the host's */
};
/* Whether anything was chosen. */
gboolean run_dns_is_set(const struct run_dns *dns);
/* The file's text, newly allocated; host is the text of the host's own file. VARVE_ERROR_USAGE when
 * a server is no address, a word no word, or there is no server. */
char *run_dns_text(const struct run_dns *dns, const char *host, GError **err);
/* The same with the file that this host has. */
char *run_dns_text_here(const struct run_dns *dns, GError **err);
void run_dns_clear(struct run_dns *dns);

#endif
