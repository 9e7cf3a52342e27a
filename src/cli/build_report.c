#include "cli/build_shown.h"

#include "base/shellword.h"
#include "cli/report.h"
#include "ui/text.h"

#include <stdio.h>
#include <string.h>

#define STEP_COLUMNS 38 /* of a step in --explain */

static const struct build_step *step_at(const struct shown_build *b, guint i)
{
    return g_ptr_array_index(b->res->steps, i);
}

static const char *display_name(const struct shown_build *b)
{
    return b->res->name;
}

char *build_short_id(const struct imageset *set)
{
    char hex[DIGEST_HEX_LEN + 1];
    const struct digest *id = set ? imageset_id(set) : NULL;
    return id ? g_strdup_printf("sha256:%.12s", digest_hex(id, hex)) : g_strdup("");
}

/* Behind other text. */
static char *short_digest(const struct shown_build *b)
{
    g_autofree char *id = build_short_id(b->res->images);
    return *id ? g_strconcat("   ", id, NULL) : g_strdup("");
}

static void print_up_to_date(struct shown_build *b, int cached)
{
    g_autofree char *took = text_duration(g_get_monotonic_time() - b->res->started_us);
    g_autofree char *digest = short_digest(b);
    fprintf(stderr, "%s is up to date (%d step%s cached, %s)%s\n", display_name(b), cached,
            cached == 1 ? "" : "s", took, digest);
}

static guint64 new_bytes(const struct shown_build *b)
{
    guint64 sum = 0;
    for (guint i = 0; i < b->res->steps->len; i++) {
        const struct vertex_result *r = step_at(b, i)->result;
        if (r->done && r->outcome == OUTCOME_RAN && step_at(b, i)->vertex->op.type != OP_SOURCE)
            sum += r->layer_bytes;
    }
    return sum;
}

char *build_image_size_text(const struct built_image *image)
{
    g_autofree char *size = text_size(image->tree_bytes);
    return g_strdup_printf("%s in %u layer%s", size, image->chain->n,
                           image->chain->n == 1 ? "" : "s");
}

/* What is new of it: "only its config changed: CMD", or its size. */
static char *gain_text(struct shown_build *b)
{
    const struct build_leg *first = g_ptr_array_index(b->res->legs, 0);
    const struct imageset *set = b->res->images;
    g_autofree char *fields = set->is_index ? NULL : build_changed_fields(first);
    if (fields)
        return g_strdup_printf("only its config changed: %s", fields);
    g_autofree char *fresh = text_size(new_bytes(b));
    if (set->is_index || !first->image->has_config) /* files: shown with their destination */
        return g_strdup_printf("%s new", fresh);
    g_autofree char *size = build_image_size_text(first->image);
    return g_strdup_printf("%s, %s new", size, fresh);
}

/* A line for each image of an index. */
static void print_legs(const struct shown_build *b)
{
    const struct imageset *set = b->res->images;
    int widest = 0;
    for (guint i = 0; i < b->res->legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->res->legs, i);
        g_autofree char *platform = platform_text(&leg->platform);
        widest = MAX(widest, text_width(platform));
    }
    for (guint i = 0; set->has_index && i < b->res->legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->res->legs, i);
        char hex[DIGEST_HEX_LEN + 1];
        g_autofree char *platform = platform_text(&leg->platform);
        g_autofree char *fields = build_changed_fields(leg);
        g_autofree char *size = build_image_size_text(leg->image);
        fprintf(stderr, "  %-*s  %s%s%s   sha256:%.12s\n", widest, platform, size,
                fields ? ", only its config changed: " : "", fields ? fields : "",
                digest_hex(&leg->image->manifest, hex));
    }
}

/* One line where it fits, else two. */
static void print_ready(struct shown_build *b, int ran, int cached)
{
    g_autofree char *took = text_duration(g_get_monotonic_time() - b->res->started_us);
    g_autofree char *digest = short_digest(b);
    g_autofree char *head =
        g_strdup_printf("%s ready in %s   %d step%s ran, %d cached", display_name(b), took, ran,
                        ran == 1 ? "" : "s", cached);
    g_autofree char *gain = gain_text(b);
    g_autofree char *rest = g_strconcat(gain, digest, NULL);
    int columns = text_columns(stderr);
    gboolean fits = columns == 0 || text_width(head) + 3 + text_width(rest) < columns;
    g_autofree char *all = g_strconcat(head, fits ? "   " : "\n", rest, NULL);
    g_autofree char *shown = text_wrap_message(all, columns);
    fprintf(stderr, "%s\n", shown);
}

/* The slowest step and what hits saved. */
static void print_times(struct shown_build *b)
{
    const struct vertex *slowest = NULL;
    gint64 longest = 0, saved = 0;
    for (guint i = 0; i < b->res->steps->len; i++) {
        const struct vertex_result *r = step_at(b, i)->result;
        if (!r->done)
            continue;
        saved += r->outcome == OUTCOME_RAN ? 0 : r->saved_us;
        if (r->outcome == OUTCOME_RAN && r->duration_us > longest) {
            longest = r->duration_us;
            slowest = step_at(b, i)->vertex;
        }
    }
    if (!slowest || longest < G_USEC_PER_SEC / 10)
        return;
    g_autofree char *time = text_duration(longest);
    g_autofree char *name = text_step(slowest->meta.name, 60);
    g_autofree char *gain = text_duration(saved);
    if (saved >= G_USEC_PER_SEC)
        fprintf(stderr, "slowest: %s %s · saved by the cache about %s\n", name, time, gain);
    else
        fprintf(stderr, "slowest: %s %s\n", name, time);
}

#define EMULATED_LONG (10 * G_USEC_PER_SEC) /* in all, from which on it is worth a word */

/* What emulation cost, and how to do without it. */
static void print_emulated(const struct shown_build *b)
{
    const struct build_step *slowest = NULL;
    gint64 sum = 0;
    for (guint i = 0; i < b->res->steps->len; i++) {
        const struct build_step *s = step_at(b, i);
        if (!s->result->done || s->result->outcome != OUTCOME_RAN || !s->result->emulated)
            continue;
        sum += s->result->duration_us;
        if (!slowest || s->result->duration_us > slowest->result->duration_us)
            slowest = s;
    }
    if (sum < EMULATED_LONG)
        return;
    g_autofree char *all = text_duration(sum);
    g_autofree char *most = text_duration(slowest->result->duration_us);
    g_autofree char *name = text_step(slowest->vertex->meta.name, 60);
    g_autofree char *line = g_strdup_printf(
        "hint: RUN steps took %s in an emulator, most of it %s %s: a stage that begins with FROM "
        "--platform=$BUILDPLATFORM runs at full speed, and can compile for $TARGETARCH (man varve, "
        "Programs for another platform).",
        all, name, most);
    g_autofree char *shown = text_wrap_message(line, text_columns(stderr));
    fprintf(stderr, "%s\n", shown);
}

static void print_push(const struct shown_build *b, const struct output_result *r)
{
    g_autofree char *sent = text_size(r->push.bytes_sent);
    g_autofree char *digest = digest_text(&r->digest);
    guint there = r->push.blobs_there + r->push.blobs_mounted;
    fprintf(stderr, "pushed %s: %s sent in %u blob%s, %u %s there already   %.19s\n",
            display_name(b), sent, r->push.blobs_sent, r->push.blobs_sent == 1 ? "" : "s", there,
            there == 1 ? "was" : "were", digest);
}

/* Whether it leaves something at a place that the command line named. */
static gboolean is_file_output(const struct output *o)
{
    return o->type != OUTPUT_IMAGE && o->type != OUTPUT_CACHEONLY && o->dest &&
           strcmp(o->dest, "-") != 0;
}

static void print_written(const struct output *o, const struct output_result *r)
{
    static const char *const kinds[] = {[OUTPUT_OCI] = ", OCI",
                                        [OUTPUT_DOCKER] = ", docker",
                                        [OUTPUT_LOCAL] = "",
                                        [OUTPUT_TAR] = ""};
    gboolean directory = o->type == OUTPUT_LOCAL || o->as_directory;
    g_autofree char *size = text_size(r->bytes_written);
    g_autofree char *files =
        r->files ? g_strdup_printf("%u file%s, ", r->files, r->files == 1 ? "" : "s")
                 : g_strdup("");
    fprintf(stderr, "wrote %s%s: %s%s%s\n", o->dest,
            directory && !g_str_has_suffix(o->dest, "/") ? "/" : "", files, size, kinds[o->type]);
}

/* What was carried out, and where to. */
void build_print_outputs(const struct shown_build *b)
{
    for (guint i = 0; i < b->res->outputs->len; i++) {
        const struct output *o = g_ptr_array_index(b->r->outputs, i);
        const struct output_result *r = &g_array_index(b->res->outputs, struct output_result, i);
        if (o->push)
            print_push(b, r);
        else if (is_file_output(o))
            print_written(o, r);
    }
}

#define MAX_WARNINGS_SHOWN 5

void build_print_warnings(const struct shown_build *b)
{
    guint n = b->res->lint && b->r->call == CALL_BUILD ? b->res->lint->n_findings : 0;
    if (n == 0 || b->o->progress == PROGRESS_QUIET || b->o->progress == PROGRESS_RAWJSON)
        return;
    g_autofree char *rules = lint_report_rules(b->res->lint);
    fprintf(stderr, "%u warning%s: %s   (varve build --check shows them)\n", n, n == 1 ? "" : "s",
            rules);
    for (guint i = 0; i < MIN(b->res->lint->findings->len, MAX_WARNINGS_SHOWN); i++) {
        const struct lint_finding *f = g_ptr_array_index(b->res->lint->findings, i);
        g_autofree char *message = text_fit(f->message, 400);
        fprintf(stderr, "  %s:%u: %s\n", b->res->df->name, f->span.line, message);
    }
}

/* The command that shows what an output wrote. */
static void print_next_of_files(const struct output *o)
{
    g_autofree char *word = shell_path(o->dest);
    if (o->type == OUTPUT_LOCAL || o->as_directory)
        print_next("ls %s", word);
    else if (o->type == OUTPUT_TAR)
        print_next("tar -tf %s", word);
    else
        print_next("varve load %s", word);
}

/* How the image is started: what it listens on is out of reach until it is published. */
static char *run_command(const struct built_image *image, const char *name)
{
    GTreeNode *n = image->conf->ports ? g_tree_node_first(image->conf->ports) : NULL;
    guint port = n ? strtoul(g_tree_node_key(n), NULL, 10) : 0;
    if (!port || !g_str_has_suffix(g_tree_node_key(n), "/tcp"))
        return g_strconcat("varve run ", name, NULL);
    return g_strdup_printf("varve run -p %u:%u %s", port < 1024 ? port + 8000 : port, port, name);
}

static void print_next_of_build(struct shown_build *b)
{
    const char *name = display_name(b);
    gboolean pushed = FALSE;
    for (guint i = 0; i < b->res->outputs->len; i++) {
        const struct output *o = g_ptr_array_index(b->r->outputs, i);
        if (is_file_output(o)) {
            print_next_of_files(o);
            return;
        }
        pushed = pushed || o->push;
    }
    g_autofree char *run = run_command(imageset_main(b->res->images), name);
    if (b->r->name && pushed)
        print_next("%s · varve layers %s", run, name);
    else if (b->r->name)
        print_next("%s · varve push %s · varve layers %s", run, name, name);
    else if (imageset_id(b->res->images))
        print_next("name it with -t NAME to run, push or inspect it");
}

void build_print_cache_reads(const struct build_result *r)
{
    for (guint i = 0; r->cache_reads && i < r->cache_reads->len; i++) {
        const struct cache_read_report *c =
            &g_array_index(r->cache_reads, struct cache_read_report, i);
        g_autofree char *size = text_size(c->bytes);
        if (c->hits > 0 || c->bytes > 0)
            fprintf(stderr, "cache: %u result%s from %s, %s fetched\n", c->hits,
                    c->hits == 1 ? "" : "s", c->label, size);
    }
}

void build_print_cache_writes(const struct build_result *r)
{
    for (guint i = 0; r->cache_writes && i < r->cache_writes->len; i++) {
        const struct cache_write_report *c =
            &g_array_index(r->cache_writes, struct cache_write_report, i);
        g_autofree char *size = text_size(c->bytes), *time = text_duration(c->busy_us),
                        *wait = text_duration(c->waited_us);
        if (c->failed)
            continue;
        g_autofree char *mounts = c->mounts ? g_strdup_printf(" and %u cache mount%s", c->mounts,
                                                              c->mounts == 1 ? "" : "s")
                                            : g_strdup("");
        if (c->records == 0 && c->mounts == 0)
            fprintf(stderr, "cache: %s has all of it already\n", c->label);
        else
            fprintf(
                stderr,
                "cache: %u result%s%s written to %s: %s in %u blob%s, %s (%s after the build)\n",
                c->records, c->records == 1 ? "" : "s", mounts, c->label, size, c->blobs,
                c->blobs == 1 ? "" : "s", time, wait);
    }
}

/* A step as --explain shows it, with its platform where there are several. */
static char *explained_name(const struct shown_build *b, const struct vertex *v)
{
    g_autofree char *platform = graph_has_platforms(b->res->graph) ? vertex_platform_text(v) : NULL;
    return platform ? g_strconcat(platform, " ", v->meta.name, NULL) : g_strdup(v->meta.name);
}

/* Width of a step in --explain: that of the widest, up to half of the terminal. */
static int step_columns(const struct shown_build *b)
{
    int columns = text_columns(stderr), widest = 20;
    int most = columns > 0 ? MAX(STEP_COLUMNS, columns / 2) : STEP_COLUMNS;
    for (guint i = 0; i < b->res->steps->len; i++) {
        const struct vertex_result *r = step_at(b, i)->result;
        g_autofree char *name = explained_name(b, step_at(b, i)->vertex);
        if (r->done && r->outcome != OUTCOME_CACHED)
            widest = MAX(widest, text_width(name));
    }
    return MIN(widest, most);
}

static void print_row(const char *word, const char *what, const char *why, int columns)
{
    int window = text_columns(stderr), room = window - columns - 8;
    g_autofree char *fit = text_step(what, columns);
    g_autofree char *line = text_first_line(why), *reason = text_fit(line, 200);
    if (window > 0 && room < text_width(reason) && room < 40)
        fprintf(stderr, "%-4s %s\n     %s\n", word, fit, reason);
    else
        fprintf(stderr, "%-4s %s%*s  %s\n", word, fit, columns - text_width(fit), "", reason);
}

/* A row for each difference of the configs. */
static void print_changes(const struct build_result *r, int columns)
{
    for (guint i = 0; i < r->legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(r->legs, i);
        g_autofree char *platform = r->legs->len > 1 ? platform_text(&leg->platform) : NULL;
        for (guint k = 0; leg->changes && k < leg->changes->len; k++) {
            const struct build_change *c = g_ptr_array_index(leg->changes, k);
            g_autofree char *what =
                g_strdup_printf("%s%s%s %s", platform ? platform : "", platform ? " " : "",
                                c->field, c->name ? c->name : "");
            print_row("conf", g_strchomp(what), c->how, columns);
        }
    }
}

/* Cut, run and why; the hits are counted. */
void build_print_explanations(const struct shown_build *b)
{
    static const char *const words[] = {[OUTCOME_RAN] = "run",
                                        [OUTCOME_CACHED] = "hit",
                                        [OUTCOME_CUT] = "cut",
                                        [OUTCOME_FAILED] = "fail",
                                        [OUTCOME_CANCELLED] = "stop"};
    int hits = 0, columns = step_columns(b);
    for (guint i = 0; i < b->res->steps->len; i++) {
        const struct vertex_result *r = step_at(b, i)->result;
        if (!r->done)
            continue;
        g_autofree char *name = explained_name(b, step_at(b, i)->vertex);
        if (r->outcome == OUTCOME_CACHED && !r->from)
            hits++;
        else
            print_row(words[r->outcome], name, r->why ? r->why : "", columns);
    }
    print_changes(b->res, columns);
    if (hits > 0)
        fprintf(stderr, "hit  %d other step%s\n", hits, hits == 1 ? "" : "s");
}

void build_report_success(struct shown_build *b)
{
    int ran = b->res->ran, cached = b->res->cached;
    progress_finish(b->progress);
    if (b->o->explain)
        build_print_explanations(b);
    if (b->o->progress == PROGRESS_QUIET) {
        const struct digest *id = imageset_id(b->res->images);
        g_autofree char *text = id ? digest_text(id) : NULL;
        if (b->o->quiet && text)
            printf("%s\n", text);
        return;
    }
    if (b->o->progress == PROGRESS_RAWJSON)
        return;
    if (ran == 0 && b->res->unchanged) {
        print_up_to_date(b, cached);
        build_print_outputs(b);
        build_print_cache_reads(b->res);
        build_print_cache_writes(b->res);
        build_print_warnings(b);
        return;
    }
    print_ready(b, ran, cached);
    print_legs(b);
    print_times(b);
    print_emulated(b);
    build_print_outputs(b);
    build_print_cache_reads(b->res);
    build_print_cache_writes(b->res);
    build_print_warnings(b);
    if (ran > 0)
        report_single_id();
    print_next_of_build(b);
}
