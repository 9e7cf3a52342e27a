/* Checks of a Dockerfile beyond errors: BuildKit's build checks, with its names of rules, as far as
 * they depend only on the file and the configs of its base images.
 *
 * A finding can be silenced by the file ("# check=skip=RULE,…" as a directive), by the same in the
 * comment above an instruction, and by --build-arg BUILDKIT_DOCKERFILE_CHECK=…, which replaces the
 * directive. error=true makes findings errors, which stop a build before it runs anything. */
#ifndef VARVE_LINT_LINT_H
#define VARVE_LINT_LINT_H

#include "base/platform.h"
#include "dockerfile/parser.h"
#include "text/ignore.h"

#define LINT_MAX_FINDINGS 1000 /* kept; more are only counted */

struct lint_rule;
struct lint_finding {
    const struct lint_rule *rule;
    struct span span;            /* in the Dockerfile */
    guint first_line, last_line; /* of the instruction; of the span when that is a whole line */
    char *message;               /* one line: what is wrong and what to write instead */
};
struct lint_options {
    GHashTable *build_args;      /* char* → char*, or NULL */
    const struct ignore *ignore; /* of the context, or NULL */
    struct platform platform;    /* wanted */
    struct platform build_platform;
    const char *target;  /* name of the stage asked for; NULL: the last */
    gboolean all_stages; /* look at instructions of stages that the target does not need, too */
    const GPtrArray *contexts; /* struct named_context* (lower.h), which replace stages, or NULL */
    const GPtrArray *bases;    /* struct image_conf* by stage (lower.h), or NULL: none is known, and
                                  rules that depend on them are silent about these stages */
};
struct lint_report {
    GPtrArray *findings; /* struct lint_finding*, by position */
    guint n_findings;    /* including those beyond LINT_MAX_FINDINGS */
    gboolean error; /* there are findings, and the file (or the build argument) makes them errors */
};
/* df must have been parsed without errors. NULL with VARVE_ERROR_USAGE when
 * BUILDKIT_DOCKERFILE_CHECK is malformed. */
struct lint_report *lint_run(const struct dockerfile *df, const struct lint_options *o,
                             GError **err);
/* Adds what other, a report of the same file, has besides; takes it out of other. */
void lint_report_merge(struct lint_report *r, struct lint_report *other);
void lint_report_free(struct lint_report *r);
/* "RuleName, OtherRule": the rules with findings, each once. */
char *lint_report_rules(const struct lint_report *r);

const char *lint_rule_name(const struct lint_rule *r);
/* What the rule requires, one line. */
const char *lint_rule_summary(const struct lint_rule *r);
/* BuildKit's page about the rule of this name. */
char *lint_rule_url(const struct lint_rule *r);
guint lint_rules_count(void);

typedef struct lint_report lint_report;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lint_report, lint_report_free)

#endif
