#include "base/suggest.h"
#include "dockerfile/parse.h"

#include <string.h>

enum flag_type { FLAG_BOOL, FLAG_TEXT, FLAG_LIST };

static const struct known_flag {
    enum instruction_kind kind;
    const char *name;
    enum flag_type type;
} known[] = {
    {INSTRUCTION_FROM, "platform", FLAG_TEXT},
    {INSTRUCTION_RUN, "mount", FLAG_LIST},
    {INSTRUCTION_RUN, "network", FLAG_TEXT},
    {INSTRUCTION_RUN, "security", FLAG_TEXT},
    {INSTRUCTION_RUN, "device", FLAG_LIST},
    {INSTRUCTION_COPY, "from", FLAG_TEXT},
    {INSTRUCTION_COPY, "chown", FLAG_TEXT},
    {INSTRUCTION_COPY, "chmod", FLAG_TEXT},
    {INSTRUCTION_COPY, "link", FLAG_BOOL},
    {INSTRUCTION_COPY, "parents", FLAG_BOOL},
    {INSTRUCTION_COPY, "exclude", FLAG_LIST},
    {INSTRUCTION_ADD, "chown", FLAG_TEXT},
    {INSTRUCTION_ADD, "chmod", FLAG_TEXT},
    {INSTRUCTION_ADD, "link", FLAG_BOOL},
    {INSTRUCTION_ADD, "exclude", FLAG_LIST},
    {INSTRUCTION_ADD, "keep-git-dir", FLAG_BOOL},
    {INSTRUCTION_ADD, "checksum", FLAG_TEXT},
    {INSTRUCTION_ADD, "unpack", FLAG_BOOL},
    {INSTRUCTION_HEALTHCHECK, "interval", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "timeout", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "start-period", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "start-interval", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "retries", FLAG_TEXT},
};

static const struct known_flag *find_known_flag(enum instruction_kind kind, const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if (known[i].kind == kind && strcmp(known[i].name, name) == 0)
            return &known[i];
    return NULL;
}

static void report_unknown(struct parser *ps, const struct instruction *ins, const struct flag *f)
{
    const char *names[G_N_ELEMENTS(known)];
    gsize n = 0;
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if (known[i].kind == ins->kind)
            names[n++] = known[i].name;
    const char *near = suggest_nearest(f->name, names, n);
    const char *what = instruction_name(ins->kind);
    if (near)
        diags_error(ps->diags, f->span, "unknown flag --%s of %s; did you mean --%s?", f->name,
                    what, near);
    else
        diags_error(ps->diags, f->span, "unknown flag --%s of %s", f->name, what);
    g_autoptr(GString) all = g_string_new(NULL);
    for (gsize i = 0; i < n && !near; i++)
        g_string_append_printf(all, "%s--%s", i ? " " : "", names[i]);
    if (all->len)
        diags_hint(ps->diags, "%s takes %s", what, all->str);
}

static void check_value(struct parser *ps, const struct flag *f, enum flag_type type)
{
    if (type != FLAG_BOOL) {
        if (!f->value)
            diags_error(ps->diags, f->span, "missing a value on flag --%s: write --%s=VALUE",
                        f->name, f->name);
        return;
    }
    if (f->value && !*f->value)
        diags_error(ps->diags, f->span, "missing a value on flag --%s: write --%s or --%s=false",
                    f->name, f->name, f->name);
    else if (f->value && g_ascii_strcasecmp(f->value, "true") != 0 &&
             g_ascii_strcasecmp(f->value, "false") != 0)
        diags_error(ps->diags, f->span, "flag --%s must be true or false, not \"%s\"", f->name,
                    f->value);
}

void parse_check_flags(struct parser *ps, const struct instruction *ins)
{
    guint seen = 0; /* bits of known[] */
    G_STATIC_ASSERT(G_N_ELEMENTS(known) <= 32);
    for (guint i = 0; i < ps->flags->len && !diags_full(ps->diags); i++) {
        const struct flag *f = &g_array_index(ps->flags, struct flag, i);
        const struct known_flag *k = find_known_flag(ins->kind, f->name);
        if (!k) {
            report_unknown(ps, ins, f);
            continue;
        }
        guint bit = 1u << (k - known);
        if ((seen & bit) && k->type != FLAG_LIST)
            diags_error(ps->diags, f->span, "flag --%s is given twice", f->name);
        seen |= bit;
        check_value(ps, f, k->type);
    }
}
