/* What attributes of targets are held in. */
#ifndef VARVE_BAKE_CONTAINERS_H
#define VARVE_BAKE_CONTAINERS_H

#include <glib.h>

/* "default", or "key=path,path". */
struct bake_ssh {
    char *id;         /* "default" */
    GPtrArray *paths; /* char *: sockets or keys; empty: $SSH_AUTH_SOCK */
};

/* Empty containers for fields, with the right destructors. */
GPtrArray *bake_list_new(void);         /* of char * */
GHashTable *bake_map_new(void);         /* of char * → char *; also one entry */
GList *bake_map_names(GHashTable *map); /* its keys, sorted and borrowed; map may be NULL */
GPtrArray *bake_entries_new(void);      /* of entries */
GPtrArray *bake_sshs_new(void);         /* of struct bake_ssh * */
struct bake_ssh *bake_ssh_new(const char *id);

#endif
