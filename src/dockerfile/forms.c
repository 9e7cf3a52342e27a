#include "base/suggest.h"
#include "dockerfile/mount.h"
#include "dockerfile/parse.h"
#include "dockerfile/parser.h"
#include "text/chmod.h"
#include "text/duration.h"
#include "text/space.h"

static gsize rest_offset(const struct instruction *ins)
{
    return ins->rest - ins->text;
}

/* The syntax of the instruction, shown below an error about its arguments. */
static void hint_form(struct parser *ps, const struct instruction *ins);

static void at_least_one(struct parser *ps, const struct instruction *ins)
{
    parse_error(ps, ins, "%s requires at least one argument", instruction_name(ins->kind));
    hint_form(ps, ins);
}

/* A JSON array of strings, when the rest is one. FALSE when it must be read otherwise (or was
 * refused: then *refused). */
static gboolean maybe_json(struct parser *ps, struct instruction *ins, gsize offset,
                           gboolean *refused)
{
    enum json_result r = parse_json(ps, ins, offset);
    ins->json = r == JSON_STRINGS;
    ins->json_like = r == JSON_NONE && ins->text[offset] == '[';
    *refused = r == JSON_OTHER || r == JSON_NUL;
    struct span at = instruction_span(ins, offset, 1);
    if (r == JSON_OTHER)
        diags_error(ps->diags, at,
                    "when using JSON array syntax, arrays must be comprised of strings only");
    if (r == JSON_NUL)
        diags_error(ps->diags, at, "a string of the JSON array contains a NUL byte");
    return ins->json;
}

/* RUN, CMD and so on: JSON, or the whole rest as one command line. */
static gboolean command_line(struct parser *ps, struct instruction *ins, gsize offset)
{
    gboolean refused;
    if (maybe_json(ps, ins, offset, &refused) || refused)
        return !refused;
    gsize len = strlen(ins->text + offset);
    if (len)
        parse_add_word(ps, ins, ins->text + offset, offset, len);
    return TRUE;
}

static void list_of_words(struct parser *ps, struct instruction *ins)
{
    gboolean refused;
    if (!maybe_json(ps, ins, rest_offset(ins), &refused) && !refused)
        parse_plain_words(ps, ins, rest_offset(ins));
}

static void form_command(struct parser *ps, struct instruction *ins)
{
    command_line(ps, ins, rest_offset(ins));
}

static void check_choice(struct parser *ps, const struct instruction *ins, const char *flag,
                         const char *const *choices, guint n)
{
    for (guint i = 0; i < ps->flags->len; i++) {
        const struct flag *f = &g_array_index(ps->flags, struct flag, i);
        if (strcmp(f->name, flag) != 0 || !f->value || g_strv_contains(choices, f->value))
            continue;
        const char *near = suggest_nearest(f->value, choices, n);
        g_autofree char *known = g_strjoinv(", ", (char **)choices);
        if (near) {
            diags_error(ps->diags, f->span, "unsupported %s \"%s\"; did you mean %s?", flag,
                        f->value, near);
            continue;
        }
        diags_error(ps->diags, f->span, "unsupported %s \"%s\"", flag, f->value);
        diags_hint(ps->diags, "it is one of: %s", known);
    }
}

/* Values with variables are checked when these are known. */
static void take_mount(struct parser *ps, const struct flag *f, struct mount_flag *mounts, guint *n)
{
    g_autoptr(GError) err = NULL;
    struct mount_spec m = {0};
    if (mount_flag_parse(&mounts[*n], ps->arena, f, &err) &&
        (strchr(f->value, '$') || mount_spec_read(&m, &mounts[*n], NULL, NULL, &err)))
        *n += 1;
    else
        diags_gerror(ps->diags, f->span, err);
    mount_spec_clear(&m);
}

static void form_run(struct parser *ps, struct instruction *ins)
{
    static const char *const networks[] = {"default", "none", "host", NULL};
    static const char *const securities[] = {"sandbox", "insecure", NULL};
    check_choice(ps, ins, "network", networks, 3);
    check_choice(ps, ins, "security", securities, 2);
    struct mount_flag *mounts =
        ins->n_flags ? arena_alloc(ps->arena, ins->n_flags * sizeof *mounts) : NULL;
    for (guint i = 0; i < ins->n_flags; i++) {
        const struct flag *f = &ins->flags[i];
        if (strcmp(f->name, "device") == 0)
            diags_error(ps->diags, f->span, "RUN --device is not supported");
        if (strcmp(f->name, "mount") == 0 && f->value)
            take_mount(ps, f, mounts, &ins->n_mounts);
    }
    ins->mounts = mounts;
    command_line(ps, ins, rest_offset(ins));
    if (ins->json && ps->words->len == 0) {
        parse_error(ps, ins, "RUN [] names no program to run");
        hint_form(ps, ins);
    }
}

static void form_shell(struct parser *ps, struct instruction *ins)
{
    if (!command_line(ps, ins, rest_offset(ins)))
        return;
    if (ps->words->len == 0)
        at_least_one(ps, ins);
    else if (!ins->json)
        diags_error(
            ps->diags, instruction_span(ins, rest_offset(ins), strlen(ins->rest)),
            "SHELL requires the arguments to be in JSON form, like SHELL [\"/bin/bash\", \"-c\"]");
}

/* WORKDIR, USER, STOPSIGNAL, MAINTAINER: all of the line is one argument. */
static void form_single(struct parser *ps, struct instruction *ins)
{
    gsize len = strlen(ins->rest);
    if (len) {
        parse_add_word(ps, ins, ins->rest, rest_offset(ins), len);
        return;
    }
    parse_error(ps, ins, "%s requires exactly one argument", instruction_name(ins->kind));
    hint_form(ps, ins);
}

static void form_expose(struct parser *ps, struct instruction *ins)
{
    parse_plain_words(ps, ins, rest_offset(ins));
    if (ps->words->len == 0)
        at_least_one(ps, ins);
}

static void form_volume(struct parser *ps, struct instruction *ins)
{
    list_of_words(ps, ins);
    if (ps->words->len == 0)
        at_least_one(ps, ins);
    for (guint i = 0; i < ps->words->len; i++) {
        struct word *w = &g_array_index(ps->words, struct word, i);
        const char *end = w->text + strlen(w->text), *start = text_skip_space(w->text, end);
        if (start == end)
            diags_error(ps->diags, w->span, "VOLUME specified can not be an empty string");
        w->text = arena_strndup(ps->arena, start, text_trim_end(start, end) - start);
    }
}

static void check_chmod(struct parser *ps)
{
    for (guint i = 0; i < ps->flags->len; i++) {
        const struct flag *f = &g_array_index(ps->flags, struct flag, i);
        struct chmod mode;
        g_autoptr(GError) err = NULL;
        if (strcmp(f->name, "chmod") == 0 && f->value && *f->value && !strchr(f->value, '$') &&
            !chmod_parse(&mode, f->value, &err))
            diags_gerror(ps->diags, f->span, err);
    }
}

static void form_copy(struct parser *ps, struct instruction *ins)
{
    guint before = ps->diags->n_errors;
    list_of_words(ps, ins);
    check_chmod(ps);
    if (ps->words->len >= 2 || ps->diags->n_errors != before)
        return;
    parse_error(ps, ins, "%s requires at least two arguments, a source and a destination, but %s",
                instruction_name(ins->kind),
                ps->words->len ? "only one was provided" : "none was provided");
    hint_form(ps, ins);
}

/* The name behind AS, lower case, or NULL with an error. */
static gboolean valid_stage_name(const char *name)
{
    if (!g_ascii_islower(*name))
        return FALSE;
    for (; *name; name++)
        if (!g_ascii_islower(*name) && !g_ascii_isdigit(*name) && !strchr("-_.", *name))
            return FALSE;
    return TRUE;
}

static void form_from(struct parser *ps, struct instruction *ins)
{
    parse_plain_words(ps, ins, rest_offset(ins));
    const struct word *words = (const struct word *)ps->words->data;
    guint n = ps->words->len;
    if (n != 1 && (n != 3 || g_ascii_strcasecmp(words[1].text, "as") != 0)) {
        struct span at = n < 2 ? ins->span : words[1].span;
        diags_error(ps->diags, at,
                    "FROM requires either one or three arguments: FROM image [AS name]");
        return;
    }
    if (n == 1)
        return;
    g_autofree char *lower = g_ascii_strdown(words[2].text, -1);
    if (!valid_stage_name(lower))
        diags_error(ps->diags, words[2].span,
                    "invalid name for build stage: \"%s\"; a name starts with a letter and "
                    "contains letters, digits, '-', '_' and '.'",
                    words[2].text);
    g_array_index(ps->words, struct word, 2).text = arena_strdup(ps->arena, lower);
}

static void add_pair(struct parser *ps, const struct instruction *ins, const char *key,
                     const char *value, struct span span)
{
    struct pair pair = {.key = key, .value = value, .span = span};
    if (!*key)
        diags_error(ps->diags, span, "%s names can not be blank", instruction_name(ins->kind));
    g_array_append_val(ps->pairs, pair);
}

/* "name value…" without '='. */
static void legacy_pair(struct parser *ps, struct instruction *ins)
{
    const char *p = ins->rest;
    gsize n = strcspn(p, " \t\v\f\r");
    gsize blanks = strspn(p + n, " \t\v\f\r");
    struct span span = instruction_span(ins, rest_offset(ins), n);
    if (!p[n + blanks]) {
        const char *what = instruction_name(ins->kind);
        diags_error(ps->diags, span, "%s must have two arguments: %s name=value", what, what);
        return;
    }
    ins->legacy = TRUE;
    add_pair(ps, ins, arena_strndup(ps->arena, p, n), p + n + blanks, span);
}

static void form_pairs(struct parser *ps, struct instruction *ins)
{
    parse_quoted_words(ps, ins, rest_offset(ins));
    if (ps->words->len == 0) {
        at_least_one(ps, ins);
        return;
    }
    if (!strchr(g_array_index(ps->words, struct word, 0).text, '=')) {
        legacy_pair(ps, ins);
        return;
    }
    for (guint i = 0; i < ps->words->len && !diags_full(ps->diags); i++) {
        const struct word *w = &g_array_index(ps->words, struct word, i);
        const char *eq = strchr(w->text, '=');
        if (eq) {
            add_pair(ps, ins, arena_strndup(ps->arena, w->text, eq - w->text), eq + 1, w->span);
            continue;
        }
        diags_error(ps->diags, w->span,
                    "syntax error: can't find = in \"%s\"; it must be name=value", w->text);
        diags_hint(ps->diags, "quote a value that contains blanks: name=\"a b\"");
    }
}

static void form_arg(struct parser *ps, struct instruction *ins)
{
    parse_quoted_words(ps, ins, rest_offset(ins));
    if (ps->words->len == 0)
        at_least_one(ps, ins);
    for (guint i = 0; i < ps->words->len && !diags_full(ps->diags); i++) {
        const struct word *w = &g_array_index(ps->words, struct word, i);
        const char *eq = strchr(w->text, '=');
        add_pair(ps, ins, eq ? arena_strndup(ps->arena, w->text, eq - w->text) : w->text,
                 eq ? eq + 1 : NULL, w->span);
    }
}

/* The value of a HEALTHCHECK flag in nanoseconds; less than a millisecond is refused, as by Docker.
 */
static gint64 health_duration(struct parser *ps, const char *name)
{
    for (guint i = 0; i < ps->flags->len; i++) {
        const struct flag *f = &g_array_index(ps->flags, struct flag, i);
        g_autoptr(GError) err = NULL;
        gint64 ns = 0;
        if (strcmp(f->name, name) != 0 || !f->value || !*f->value)
            continue;
        if (!duration_parse(f->value, &ns, &err))
            diags_gerror(ps->diags, f->span, err);
        else if (ns != 0 && ns < 1000000)
            diags_error(ps->diags, f->span, "--%s cannot be less than 1ms", name);
        return ns;
    }
    return 0;
}

static int health_retries(struct parser *ps)
{
    for (guint i = 0; i < ps->flags->len; i++) {
        const struct flag *f = &g_array_index(ps->flags, struct flag, i);
        gint64 n = 0;
        if (strcmp(f->name, "retries") != 0 || !f->value || !*f->value)
            continue;
        if (!g_ascii_string_to_signed(f->value, 10, 0, G_MAXINT32, &n, NULL))
            diags_error(ps->diags, f->span, "--retries must be a number from 0, not \"%s\"",
                        f->value);
        return (int)n;
    }
    return 0;
}

static void form_healthcheck(struct parser *ps, struct instruction *ins)
{
    gsize n = strcspn(ins->rest, " \t\v\f\r\n");
    if (n == 0) {
        at_least_one(ps, ins);
        return;
    }
    struct health_flags *h = arena_new_of(ps->arena, struct health_flags);
    h->interval = health_duration(ps, "interval");
    h->timeout = health_duration(ps, "timeout");
    h->start_period = health_duration(ps, "start-period");
    h->start_interval = health_duration(ps, "start-interval");
    h->retries = health_retries(ps);
    ins->health = h;
    g_autofree char *type = g_ascii_strup(ins->rest, n);
    parse_add_word(ps, ins, arena_strdup(ps->arena, type), rest_offset(ins), n);
    struct span at = instruction_span(ins, rest_offset(ins), n);
    gsize command = rest_offset(ins) + n + strspn(ins->rest + n, " \t\v\f\r\n");
    if (strcmp(type, "NONE") == 0) {
        if (ins->text[command])
            diags_error(ps->diags, instruction_span(ins, command, strlen(ins->text + command)),
                        "HEALTHCHECK NONE takes no arguments");
    } else if (strcmp(type, "CMD") == 0) {
        if (command_line(ps, ins, command) && ps->words->len == 1) {
            diags_error(ps->diags, at, "missing command after HEALTHCHECK CMD");
            hint_form(ps, ins);
        }
    } else {
        diags_error(ps->diags, at, "unknown type \"%s\" in HEALTHCHECK (try CMD or NONE)", type);
    }
}

static void hint_no_trigger(struct parser *ps, enum instruction_kind kind)
{
    if (kind == INSTRUCTION_ONBUILD)
        diags_hint(ps->diags, "write ONBUILD once: a trigger applies to one build only");
    else if (kind == INSTRUCTION_FROM)
        diags_hint(ps->diags, "the triggered build has its own FROM; COPY --from=IMAGE copies "
                              "files from another image");
    else
        diags_hint(ps->diags, "write ONBUILD LABEL org.opencontainers.image.authors=NAME");
}

/* The instruction that ONBUILD holds, as a part of ONBUILD's own text. */
static void form_onbuild(struct parser *ps, struct instruction *ins)
{
    gsize offset = rest_offset(ins), n = strcspn(ins->rest, " \t\v\f\r\n");
    if (!*ins->rest) {
        at_least_one(ps, ins);
        return;
    }
    g_autofree char *keyword = g_strndup(ins->rest, n);
    enum instruction_kind kind = parse_kind(keyword);
    struct span at = instruction_span(ins, offset, n);
    if (kind == INSTRUCTION_ONBUILD)
        diags_error(ps->diags, at, "chaining ONBUILD via ONBUILD ONBUILD isn't allowed");
    else if (kind == INSTRUCTION_FROM || kind == INSTRUCTION_MAINTAINER)
        diags_error(ps->diags, at, "%s isn't allowed as an ONBUILD trigger",
                    instruction_name(kind));
    if (kind == INSTRUCTION_ONBUILD || kind == INSTRUCTION_FROM || kind == INSTRUCTION_MAINTAINER) {
        hint_no_trigger(ps, kind);
        return;
    }
    struct instruction *trigger = arena_new_of(ps->arena, struct instruction);
    trigger->text = ins->rest;
    trigger->first_line = ins->first_line;
    trigger->last_line = ins->last_line;
    struct segment *segments =
        arena_copy(ps->arena, ins->segments, ins->n_segments, sizeof(*segments));
    guint from = 0;
    for (guint i = 0; i < ins->n_segments; i++) {
        from = segments[i].offset <= offset ? i : from;
        segments[i].col += segments[i].offset < offset ? offset - segments[i].offset : 0;
        segments[i].offset = segments[i].offset > offset ? segments[i].offset - offset : 0;
    }
    trigger->segments = segments + from;
    trigger->n_segments = ins->n_segments - from;
    parse_instruction(ps, trigger);
    ins->trigger = trigger;
    ins->last_line = trigger->last_line;
    g_autoptr(GString) text = g_string_new(trigger->text);
    for (guint i = 0; i < trigger->n_heredocs; i++)
        g_string_append_printf(text, "\n%s%s", trigger->heredocs[i].content,
                               trigger->heredocs[i].name);
    ins->trigger_text = arena_strndup(ps->arena, text->str, text->len);
}

static const struct form {
    void (*parse)(struct parser *ps, struct instruction *ins);
    const char *example;
} forms[] = {
    [INSTRUCTION_ADD] = {form_copy, "ADD https://example.org/tool.tar.gz /opt/"},
    [INSTRUCTION_ARG] = {form_arg, "ARG VERSION=1"},
    [INSTRUCTION_CMD] = {form_command, "CMD [\"node\", \"server.js\"]"},
    [INSTRUCTION_COPY] = {form_copy, "COPY package.json src/ /app/"},
    [INSTRUCTION_ENTRYPOINT] = {form_command, "ENTRYPOINT [\"/app/server\"]"},
    [INSTRUCTION_ENV] = {form_pairs, "ENV LOG=debug"},
    [INSTRUCTION_EXPOSE] = {form_expose, "EXPOSE 8080"},
    [INSTRUCTION_FROM] = {form_from, "FROM debian:12 AS build"},
    [INSTRUCTION_HEALTHCHECK] = {form_healthcheck,
                                 "HEALTHCHECK --interval=30s CMD wget -qO- http://127.0.0.1/"},
    [INSTRUCTION_LABEL] = {form_pairs, "LABEL version=\"1.0\""},
    [INSTRUCTION_MAINTAINER] = {form_single, "LABEL maintainer=NAME (MAINTAINER is deprecated)"},
    [INSTRUCTION_ONBUILD] = {form_onbuild, "ONBUILD COPY . /app"},
    [INSTRUCTION_RUN] = {form_run, "RUN make install"},
    [INSTRUCTION_SHELL] = {form_shell, "SHELL [\"/bin/bash\", \"-c\"]"},
    [INSTRUCTION_STOPSIGNAL] = {form_single, "STOPSIGNAL SIGTERM"},
    [INSTRUCTION_USER] = {form_single, "USER app"},
    [INSTRUCTION_VOLUME] = {form_volume, "VOLUME /data"},
    [INSTRUCTION_WORKDIR] = {form_single, "WORKDIR /app"},
};

enum instruction_kind parse_kind(const char *keyword)
{
    for (guint i = 0; i < INSTRUCTION_UNKNOWN; i++)
        if (g_ascii_strcasecmp(instruction_name(i), keyword) == 0)
            return i;
    return INSTRUCTION_UNKNOWN;
}

static void hint_form(struct parser *ps, const struct instruction *ins)
{
    diags_hint(ps->diags, "for example %s", forms[ins->kind].example);
}

/* The most frequent reason for a word that resembles no instruction. */
static void hint_unknown(struct parser *ps, const struct instruction *ins)
{
    guint n = ps->instructions->len;
    const struct instruction *above = n ? g_ptr_array_index(ps->instructions, n - 1) : NULL;
    if (strspn(ins->keyword, "/;*-!<") > 0)
        diags_hint(ps->diags, "a comment starts with #");
    else if (above && above->kind != INSTRUCTION_UNKNOWN)
        diags_hint(ps->diags, "if it continues the %s of line %u, the line above must end with %c",
                   instruction_name(above->kind), above->first_line, ps->df->escape);
    else
        diags_hint(ps->diags, "each line starts with FROM, RUN, COPY, ENV, CMD or another "
                              "instruction of Dockerfiles");
}

static void report_unknown(struct parser *ps, const struct instruction *ins)
{
    const char *names[INSTRUCTION_UNKNOWN];
    for (guint i = 0; i < INSTRUCTION_UNKNOWN; i++)
        names[i] = instruction_name(i);
    const char *near = suggest_nearest(ins->keyword, names, INSTRUCTION_UNKNOWN);
    if (near) {
        parse_error(ps, ins, "unknown instruction %s; did you mean %s?", ins->keyword, near);
    } else {
        parse_error(ps, ins, "unknown instruction %s", ins->keyword);
        hint_unknown(ps, ins);
    }
}

void parse_form(struct parser *ps, struct instruction *ins)
{
    if (ins->kind == INSTRUCTION_UNKNOWN) {
        report_unknown(ps, ins);
        return;
    }
    parse_check_flags(ps, ins);
    forms[ins->kind].parse(ps, ins);
}
