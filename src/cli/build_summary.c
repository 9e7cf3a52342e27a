/* --summary-file: what a build did, in Markdown, as GitHub's step summary shows it. */
#include "cli/build_shown.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/report.h"
#include "graph/graph.h"
#include "ui/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_SHOWN 200 /* steps of the list */

/* Appends s to out as code that a cell of a table can hold: no character of it is markup. */
static void add_code(GString *out, const char *s)
{
    g_autofree char *line = text_first_line(s);
    g_autofree char *shown = text_fit(line, 300);
    g_string_append(out, "<code>");
    for (const char *p = shown; *p; p++) {
        if (g_ascii_ispunct(*p) && strchr("\\`*_{}[]<>()#+-.!|~&\"'@:", *p))
            g_string_append_printf(out, "&#%d;", *p);
        else
            g_string_append_c(out, *p);
    }
    g_string_append(out, "</code>");
}

static const struct build_step *summary_step(const struct shown_build *b, guint i)
{
    return g_ptr_array_index(b->res->steps, i);
}

/* The steps of one level, or of one stage where the Dockerfile has no levels. */
struct summary_group {
    const char *name;
    guint ran, cached;
    gint64 took_us, saved_us;
};

static gboolean has_levels(const struct shown_build *b)
{
    for (guint i = 0; i < b->res->steps->len; i++)
        if (summary_step(b, i)->vertex->meta.level)
            return TRUE;
    return FALSE;
}

static struct summary_group *group_named(GArray *groups, const char *name)
{
    for (guint i = 0; i < groups->len; i++) {
        struct summary_group *g = &g_array_index(groups, struct summary_group, i);
        if (strcmp(g->name, name) == 0)
            return g;
    }
    g_array_append_val(groups, ((struct summary_group){.name = name}));
    return &g_array_index(groups, struct summary_group, groups->len - 1);
}

static void summary_count(struct summary_group *g, const struct vertex_result *r)
{
    gboolean ran = r->outcome != OUTCOME_CACHED && r->outcome != OUTCOME_CUT;
    g->ran += ran;
    g->cached += !ran;
    g->took_us += ran ? r->duration_us : 0;
    g->saved_us += ran ? 0 : r->saved_us;
}

/* struct summary_group, in the order of the graph. */
static GArray *collect_groups(const struct shown_build *b, gboolean levels)
{
    GArray *groups = g_array_new(FALSE, TRUE, sizeof(struct summary_group));
    for (guint i = 0; i < b->res->steps->len; i++) {
        const struct build_step *s = summary_step(b, i);
        const char *name = levels ? s->vertex->meta.level : s->stage;
        if (s->result->done)
            summary_count(group_named(groups, name ? name : "-"), s->result);
    }
    return groups;
}

static void add_group(GString *out, const struct summary_group *g)
{
    g_autofree char *took = g->ran ? text_duration(g->took_us) : g_strdup("");
    g_autofree char *saved = g->saved_us ? text_duration(g->saved_us) : g_strdup("");
    g_string_append(out, "| ");
    add_code(out, g->name);
    g_string_append_printf(out, " | %u | %u | %s | %s |\n", g->ran, g->cached, took, saved);
}

static void add_groups(GString *out, const GArray *groups, gboolean levels)
{
    if (groups->len == 0)
        return;
    g_string_append_printf(
        out, "\n| %s | Ran | From cache | Took | Saved |\n| --- | ---: | ---: | ---: | ---: |\n",
        levels ? "Level" : "Stage");
    for (guint i = 0; i < groups->len; i++)
        add_group(out, &g_array_index(groups, struct summary_group, i));
}

static const char *summary_word(enum event_outcome outcome)
{
    return outcome == OUTCOME_FAILED      ? "failed"
           : outcome == OUTCOME_CANCELLED ? "stopped"
           : outcome == OUTCOME_CUT       ? "same result"
           : outcome == OUTCOME_CACHED    ? "cached"
                                          : "ran";
}

static void add_step(GString *out, const struct build_step *s, gboolean platforms)
{
    const struct vertex_result *r = s->result;
    g_autofree char *took = text_duration(r->duration_us);
    g_autofree char *added = r->layer_bytes ? text_size(r->layer_bytes) : g_strdup("");
    g_string_append(out, "| ");
    add_code(out, s->vertex->meta.name);
    g_autofree char *platform = platforms ? vertex_platform_text(s->vertex) : NULL;
    if (platform)
        g_string_append_printf(out, " %s", platform);
    g_string_append_printf(out, " | %s | ", summary_word(r->outcome));
    add_code(out, r->why ? r->why : "");
    g_string_append_printf(out, " | %s | %s |\n", took, added);
}

/* The steps that were not simply found. */
static void add_steps(GString *out, const struct shown_build *b)
{
    gboolean platforms = b->res->graph && graph_has_platforms(b->res->graph);
    guint n = 0;
    for (guint i = 0; i < b->res->steps->len; i++) {
        const struct build_step *s = summary_step(b, i);
        if (!s->result->done || s->result->outcome == OUTCOME_CACHED)
            continue;
        if (n == 0)
            g_string_append(out, "\n<details open><summary>What ran and why</summary>\n\n"
                                 "| Step | | Why | Took | Added |\n"
                                 "| --- | --- | --- | ---: | ---: |\n");
        if (n++ < MAX_SHOWN)
            add_step(out, s, platforms);
    }
    if (n > MAX_SHOWN)
        g_string_append_printf(out, "\nand %u more\n", n - MAX_SHOWN);
    if (n > 0)
        g_string_append(out, "\n</details>\n");
}

static void add_totals(GString *out, const GArray *groups)
{
    guint ran = 0, n = 0;
    gint64 saved_us = 0;
    for (guint i = 0; i < groups->len; i++) {
        const struct summary_group *g = &g_array_index(groups, struct summary_group, i);
        ran += g->ran;
        n += g->ran + g->cached;
        saved_us += g->saved_us;
    }
    if (n == 0)
        return;
    g_string_append_printf(out, "%u step%s ran, %u from the cache (%u %%)", ran,
                           ran == 1 ? "" : "s", n - ran, (n - ran) * 100 / n);
    g_autofree char *saved = text_duration(saved_us);
    if (saved_us >= G_USEC_PER_SEC)
        g_string_append_printf(out, ", which saved about %s", saved);
    g_string_append(out, ".\n");
}

/* The size against the one that had the name before, in the store or else at the registry. */
static void add_difference(GString *out, const struct build_leg *leg)
{
    gboolean stored = leg->before_bytes > 0;
    guint64 now = stored ? leg->image->tree_bytes : leg->image->blob_bytes;
    guint64 before = stored ? leg->before_bytes : leg->replaced_bytes;
    if (!before || !now)
        return;
    g_autofree char *by = text_size(now >= before ? now - before : before - now);
    g_string_append_printf(out, ", %s %s than the one before%s", by,
                           now >= before ? "more" : "less",
                           stored ? "" : " (compressed, at the registry)");
}

/* The size of one image, also against the one before. */
static void add_leg(GString *out, const struct build_leg *leg, gboolean several)
{
    const struct built_image *image = leg->image;
    if (!image || !image->has_config)
        return;
    g_autofree char *platform = platform_text(&leg->platform);
    g_autofree char *id = digest_text(image->has_manifest ? &image->manifest : &image->config);
    g_autofree char *size = build_image_size_text(image);
    g_string_append_printf(out, "\nImage %s%s%s", several ? platform : "", several ? ": " : "",
                           size);
    add_difference(out, leg);
    g_string_append(out, ": ");
    add_code(out, id);
    g_string_append_c(out, '\n');
}

static void add_images(GString *out, const struct build_result *r)
{
    for (guint i = 0; i < r->legs->len; i++)
        add_leg(out, g_ptr_array_index(r->legs, i), r->legs->len > 1);
    if (!r->images || !r->images->has_index)
        return;
    g_autofree char *id = digest_text(&r->images->index);
    g_string_append(out, "\nIndex: ");
    add_code(out, id);
    g_string_append_c(out, '\n');
}

static char *summary_text(const struct shown_build *b, const GError *err)
{
    gboolean levels = has_levels(b);
    g_autoptr(GArray) groups = collect_groups(b, levels);
    GString *out = g_string_new("### ");
    g_autofree char *took = text_duration(g_get_monotonic_time() - b->res->started_us);
    add_code(out, b->res->name);
    g_string_append_printf(out, err ? " failed after %s\n\n" : " ready in %s\n\n", took);
    if (err) {
        add_code(out, err->message);
        g_string_append(out, "\n\n");
    }
    add_totals(out, groups);
    if (!err)
        add_images(out, b->res);
    add_groups(out, groups, levels);
    add_steps(out, b);
    g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}

static gboolean append_text(const char *path, const char *text, GError **err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    gboolean ok = fs_write_all(fd, text, strlen(text), err);
    close(fd);
    return ok;
}

void build_write_summary(const struct shown_build *b, const GError *failure)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *text = b->o->summary_file ? summary_text(b, failure) : NULL;
    if (text && !append_text(b->o->summary_file, text, &local))
        report_warning("the summary was not written: %s", local->message);
}
