#include "cli/bake_shown.h"

#include "base/error.h"
#include "cli/report.h"
#include "ui/text.h"

#include <stdio.h>
#include <string.h>

static const struct baked *target_at(const GPtrArray *all, guint i)
{
    return g_ptr_array_index(all, i);
}

static gboolean is_stopped(const GError *err)
{
    return g_error_matches(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
}

/* "3 ran, 9 cached" */
static char *steps_text(const struct build_result *r)
{
    if (r->ran + r->cached == 0)
        return g_strdup("");
    if (r->ran == 0)
        return g_strdup_printf("%d cached", r->cached);
    return g_strdup_printf("%d ran, %d cached", r->ran, r->cached);
}

/* Whether t only was to be there for others, or made nothing that was not there. */
static gboolean is_up_to_date(const struct baked *t)
{
    const struct build_result *r = t->shown.res;
    const GPtrArray *outputs = t->shown.r->outputs;
    gboolean only_steps = !build_error(t->shown.build);
    for (guint i = 0; only_steps && i < outputs->len; i++)
        only_steps =
            ((const struct output *)g_ptr_array_index(outputs, i))->type == OUTPUT_CACHEONLY;
    return r->ran == 0 && (r->unchanged || only_steps);
}

/* How it came out. */
static const char *outcome_text(const struct baked *t)
{
    const GError *err = build_error(t->shown.build);
    if (err)
        return is_stopped(err) ? "stopped" : "FAILED";
    return is_up_to_date(t) ? "up to date" : "ready";
}

static char *image_size_text(const struct build_result *r)
{
    guint64 bytes = 0;
    for (guint i = 0; i < r->legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(r->legs, i);
        bytes += leg->image && leg->image->has_config ? leg->image->tree_bytes : 0;
    }
    return bytes ? text_size(bytes) : g_strdup("");
}

static void add_row(struct table *rows, const struct baked *t)
{
    const struct build_result *r = t->shown.res;
    g_autofree char *steps = steps_text(r), *took = text_duration(r->took_us),
                    *size = image_size_text(r),
                    *id = build_short_id(build_error(t->shown.build) ? NULL : r->images);
    const char *cells[] = {t->target->name, outcome_text(t), steps, took, size, id, NULL};
    table_row(rows, cells);
}

static void print_table(const GPtrArray *all)
{
    static const char *const heads[] = {"TARGET", "RESULT", "STEPS", "TIME", "SIZE", "IMAGE", NULL};
    g_autoptr(table) rows = table_new(heads, "---rr-");
    for (guint i = 0; i < all->len; i++)
        add_row(rows, target_at(all, i));
    table_print(rows, stderr);
}

/* Steps of all targets, those that several have once. */
static void count_steps(const GPtrArray *all, guint *ran, guint *cached)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    *ran = *cached = 0;
    for (guint i = 0; i < all->len; i++) {
        const GPtrArray *steps = target_at(all, i)->shown.res->steps;
        for (guint k = 0; k < steps->len; k++) {
            const struct build_step *s = g_ptr_array_index(steps, k);
            if (!s->result->done || !g_hash_table_add(seen, (gpointer)s->vertex))
                continue;
            *ran += s->result->outcome == OUTCOME_RAN;
            *cached += s->result->outcome == OUTCOME_CACHED || s->result->outcome == OUTCOME_CUT;
        }
    }
}

static void print_total(const GPtrArray *all, guint failed)
{
    guint ran, cached, n = all->len - failed;
    gint64 start = target_at(all, 0)->shown.res->started_us;
    count_steps(all, &ran, &cached);
    g_autofree char *took = text_duration(g_get_monotonic_time() - start);
    fprintf(stderr, "%u of %u target%s ready in %s   %u step%s ran, %u cached\n", n, all->len,
            all->len == 1 ? "" : "s", took, ran, ran == 1 ? "" : "s", cached);
}

/* One line where nothing was to be done. */
static gboolean print_all_up_to_date(const GPtrArray *all)
{
    for (guint i = 0; i < all->len; i++)
        if (!is_up_to_date(target_at(all, i)))
            return FALSE;
    guint ran, cached;
    count_steps(all, &ran, &cached);
    gint64 start = target_at(all, 0)->shown.res->started_us;
    g_autofree char *took = text_duration(g_get_monotonic_time() - start);
    fprintf(stderr, "all %u targets are up to date (%u step%s cached, %s)\n", all->len, cached,
            cached == 1 ? "" : "s", took);
    return TRUE;
}

/* What each made besides its image, and what was noticed. */
static void print_details(const GPtrArray *all, const struct bake_run *how)
{
    for (guint i = 0; i < all->len; i++) {
        const struct baked *t = target_at(all, i);
        if (how->explain && t->shown.res->graph) {
            fprintf(stderr, "%s:\n", t->target->name);
            build_print_explanations(&t->shown);
        }
        if (build_error(t->shown.build))
            continue;
        build_print_outputs(&t->shown);
        build_print_cache_writes(t->shown.res);
        build_print_warnings(&t->shown);
    }
    if (target_at(all, 0)->shown.res->cache_reads)
        build_print_cache_reads(target_at(all, 0)->shown.res);
}

/* What there is to do with the first image that has a name. */
static void print_next_of_bake(const GPtrArray *all)
{
    for (guint i = 0; i < all->len; i++) {
        const struct baked *t = target_at(all, i);
        const char *name = t->shown.r->name;
        if (!name || build_error(t->shown.build) || t->target->linked)
            continue;
        print_next("varve run %s · varve layers %s", name, name);
        return;
    }
}

static int report_failed(const GPtrArray *all)
{
    int code = 0;
    for (guint i = 0; i < all->len; i++) {
        struct baked *t = g_ptr_array_index(all, i);
        const GError *err = build_error(t->shown.build);
        if (!err || is_stopped(err))
            continue;
        fprintf(stderr, "\n%s failed:\n", t->target->name);
        int one = build_report_failure(&t->shown, err);
        code = code ? code : one;
    }
    return code;
}

static guint count_failed(const GPtrArray *all)
{
    guint n = 0;
    for (guint i = 0; i < all->len; i++)
        n += build_error(target_at(all, i)->shown.build) != NULL;
    return n;
}

static void print_notes(const GPtrArray *all)
{
    if (target_at(all, 0)->shown.res->network)
        report_note("%s", target_at(all, 0)->shown.res->network);
    for (guint i = 0; i < all->len; i++)
        if (target_at(all, i)->shown.res->ran > 0) {
            report_single_id();
            return;
        }
}

/* One target is shown as varve build shows it. */
static int report_one(struct baked *t)
{
    const GError *err = build_error(t->shown.build);
    if (err)
        return build_report_failure(&t->shown, err);
    build_report_success(&t->shown);
    return 0;
}

int bake_report(const GPtrArray *all, const struct bake_run *how)
{
    struct baked *first = g_ptr_array_index(all, 0);
    guint failed = count_failed(all);
    gboolean quiet = how->progress == PROGRESS_QUIET || how->progress == PROGRESS_RAWJSON;
    if (all->len == 1)
        return report_one(first);
    progress_finish(first->shown.progress);
    if (!quiet && (failed > 0 || !print_all_up_to_date(all))) {
        print_table(all);
        print_total(all, failed);
    }
    if (!quiet) {
        print_details(all, how);
        print_notes(all);
    }
    int code = report_failed(all);
    if (failed > 0 && code == 0) {
        fprintf(stderr, "interrupted; finished steps are kept\n");
        return 130;
    }
    if (!quiet && failed == 0)
        print_next_of_bake(all);
    return code;
}
