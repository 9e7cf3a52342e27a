#include "dockerfile/ast.h"

#include <string.h>

static const char *const names[] = {
    [INSTRUCTION_ADD] = "ADD",
    [INSTRUCTION_ARG] = "ARG",
    [INSTRUCTION_CMD] = "CMD",
    [INSTRUCTION_COPY] = "COPY",
    [INSTRUCTION_ENTRYPOINT] = "ENTRYPOINT",
    [INSTRUCTION_ENV] = "ENV",
    [INSTRUCTION_EXPOSE] = "EXPOSE",
    [INSTRUCTION_FROM] = "FROM",
    [INSTRUCTION_HEALTHCHECK] = "HEALTHCHECK",
    [INSTRUCTION_LABEL] = "LABEL",
    [INSTRUCTION_MAINTAINER] = "MAINTAINER",
    [INSTRUCTION_ONBUILD] = "ONBUILD",
    [INSTRUCTION_RUN] = "RUN",
    [INSTRUCTION_SHELL] = "SHELL",
    [INSTRUCTION_STOPSIGNAL] = "STOPSIGNAL",
    [INSTRUCTION_USER] = "USER",
    [INSTRUCTION_VOLUME] = "VOLUME",
    [INSTRUCTION_WORKDIR] = "WORKDIR",
};

const char *instruction_name(enum instruction_kind kind)
{
    return kind < INSTRUCTION_UNKNOWN ? names[kind] : "an unknown instruction";
}

struct span instruction_span(const struct instruction *ins, gsize offset, gsize len)
{
    guint lo = 0, hi = ins->n_segments;
    while (hi - lo > 1) {
        guint mid = lo + (hi - lo) / 2;
        if (ins->segments[mid].offset <= offset)
            lo = mid;
        else
            hi = mid;
    }
    if (ins->n_segments == 0)
        return (struct span){0};
    const struct segment *s = &ins->segments[lo];
    if (lo + 1 < ins->n_segments)
        len = MIN(len, ins->segments[lo + 1].offset - offset);
    return (struct span){s->line, (guint)(s->col + offset - s->offset), (guint)MAX(len, 1)};
}

const struct flag *instruction_flag(const struct instruction *ins, const char *name)
{
    for (guint i = ins->n_flags; i-- > 0;)
        if (strcmp(ins->flags[i].name, name) == 0)
            return &ins->flags[i];
    return NULL;
}

const char *instruction_flag_value(const struct instruction *ins, const char *name)
{
    const struct flag *f = instruction_flag(ins, name);
    return f && f->value ? f->value : "";
}

gboolean instruction_flag_on(const struct instruction *ins, const char *name)
{
    const struct flag *f = instruction_flag(ins, name);
    return f && (!f->value || g_ascii_strcasecmp(f->value, "true") == 0);
}

char *heredoc_chomp(const char *content)
{
    GString *out = g_string_new(NULL);
    for (const char *p = content; *p;) {
        while (*p == '\t')
            p++;
        const char *nl = strchr(p, '\n');
        gsize n = nl ? (gsize)(nl - p) + 1 : strlen(p);
        g_string_append_len(out, p, n);
        p += n;
    }
    return g_string_free(out, FALSE);
}
