/* Grapheme clusters: what users see as one character, however many code points it has (Unicode
 * Standard Annex 29, extended clusters). */
#ifndef VARVE_BAKE_CLUSTER_H
#define VARVE_BAKE_CLUSTER_H

#include "bake/type.h"

/* Bytes of the cluster at p, which is before end; both are in valid UTF-8. Clusters are counted
 * from p on: p must be where one begins. Not thread-safe. */
gsize cluster_length(const char *p, const char *end);
/* How many there are in t. */
gsize cluster_count(struct text t);
/* Bytes of the first n clusters of t, all of it if it has less. */
gsize cluster_prefix(struct text t, gsize n);

#endif
