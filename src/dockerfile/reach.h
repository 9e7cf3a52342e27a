/* What a stage needs: stages and images named by FROM, COPY --from and RUN --mount, triggers. */
#ifndef VARVE_DOCKERFILE_REACH_H
#define VARVE_DOCKERFILE_REACH_H

#include "dockerfile/scope.h"

/* Finds what each COPY and RUN of the file takes its files from, and that nothing goes in circles.
 * FALSE with diagnostics. */
gboolean scopes_link(struct scopes *x);
/* Adds to order (struct scope*) what the targets (likewise) need: themselves, the stages they start
 * from, and their sources, those of their triggers included, which must come earlier in the file.
 * FALSE with diagnostics, or when conf_of said so. */
gboolean scopes_reach(struct scopes *x, const GPtrArray *targets, GPtrArray *order);

/* Adds what the commands of s take files from (struct scope*), after scopes_link(). */
void reach_push_sources(const struct scope *s, GPtrArray *stack);

#endif
