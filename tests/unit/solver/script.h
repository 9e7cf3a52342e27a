/* Graphs as text, for the tests of solver/. A line "NAME = KIND WORDS" defines a vertex:
 *   image TEXT              a source whose chain is one layer with the file "image" that holds TEXT
 *   exec BASE|- do=WORD …   an exec op whose command is WORD, over BASE or scratch
 *   copy BASE|- PATH        a file op that copies PATH of the context to /PATH
 *   merge NAME…
 *   diff LOWER UPPER   (LOWER -: nothing)
 * Further words of exec:
 *   writes=PATH:TEXT   what its layer has (else it is empty)     reads=NAME   a mount of all of it
 *   part=NAME:PATH     a mount of one path of it                 cache=ID     a writable cache
 * mount with=NAME          waits until NAME is started too           fails        always fails-once
 * the first time                            waits        until it is cancelled interrupts cancels
 * the build from outside, then waits and of exec and copy "no-cache". Vertices are named in their
 * meta. */
#ifndef VARVE_TESTS_SOLVER_SCRIPT_H
#define VARVE_TESTS_SOLVER_SCRIPT_H

#include "graph/graph.h"

/* Adds the vertex that line defines to g; its inputs are looked up by name in known, where it
 * becomes known. */
void script_define(struct graph *g, GHashTable *known, const char *line);

/* What of an exec op's words begins with key ("writes="), in order: the rest of each; NULL-ended,
 * to be freed but not the strings. */
const char **script_words(const struct vertex *v, const char *key);
gboolean script_has(const struct vertex *v, const char *word);

#endif
