/* A source of a COPY, an ADD or a mount that is not there: outside of the context, left out by the
 * ignore file, or just not there; or that holds no file. */
#include "build/building.h"

#include "base/error.h"
#include "base/path.h"
#include "text/pattern.h"

#include <string.h>
#include <sys/stat.h>

/* The part of a step that names what is missing. */
struct source {
    const char *written; /* as the user wrote it, or NULL */
    const char *path;    /* relative to the root of input */
    const struct vertex *input;
    guint place; /* word (of COPY and ADD) or flag (of RUN) of the instruction, from 1; 0: none */
};

static struct source find_source(const struct vertex *v, guint missing)
{
    if (v->op.type == OP_FILE) {
        const struct file_action *a = &v->op.file.actions[missing - 1];
        return (struct source){a->written, a->src, v->inputs[a->secondary], a->place};
    }
    const struct exec_mount *m = &v->op.exec.mounts[missing - 1];
    return (struct source){m->written, m->selector ? m->selector : "", v->inputs[m->input],
                           m->place};
}

static const struct instruction *instruction_of(const struct build *b, const struct vertex *v)
{
    for (guint i = 0; v->meta.line > 0 && i < b->result.df->n_instructions; i++)
        if (b->result.df->instructions[i]->first_line == (guint)v->meta.line)
            return b->result.df->instructions[i];
    return NULL;
}

static struct span missing_place(const struct instruction *ins, const struct vertex *v, guint place)
{
    if (!ins)
        return (struct span){v->meta.line, 1, 1};
    if (place > 0 && v->op.type == OP_FILE && place <= ins->n_words)
        return ins->words[place - 1].span;
    if (place > 0 && v->op.type == OP_EXEC && place <= ins->n_flags)
        return ins->flags[place - 1].span;
    return ins->span;
}

static gboolean is_context(const struct vertex *v)
{
    return v->op.type == OP_SOURCE && v->op.source.kind == SOURCE_LOCAL;
}

/* Whether ".." leads above where the path begins. */
static gboolean climbs(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    int depth = 0;
    for (char **p = parts; *p && depth >= 0; p++)
        depth += strcmp(*p, "..") == 0 ? -1 : **p && strcmp(*p, ".") != 0;
    return depth < 0;
}

static gboolean set_outside(const struct source *s, GError **err)
{
    error_set(err, VARVE_ERROR_NOT_FOUND,
              "\"%s\" is outside the context (../ is cut off, so %s was looked for)", s->written,
              s->path);
    error_add_next(err, "build from the folder above (varve build -f THIS/Dockerfile ..), or give "
                        "that folder a name: --build-context up=.. and COPY --from=up");
    return TRUE;
}

/* The path to check: for one with wildcards the directory before the first, else path itself. */
static const char *decider(const struct build *b, const char *path, guint *line)
{
    g_autofree char *clean = path_clean(path);
    const char *pattern = b->input.ignore ? ignore_decider(b->input.ignore, clean, line) : NULL;
    for (char *cut = strrchr(clean, '/'); b->input.ignore && !pattern && cut;
         cut = strrchr(clean, '/')) {
        *cut = '\0';
        if (!pattern_has_wildcards(clean))
            break;
    }
    return pattern || !b->input.ignore || pattern_has_wildcards(clean)
               ? pattern
               : ignore_decider(b->input.ignore, clean, line);
}

static gboolean exists_on_disk(const struct build *b, const char *path)
{
    struct stat st;
    g_autofree char *full = g_build_filename(b->input.context_dir, path, NULL);
    return lstat(full, &st) == 0;
}

static gboolean set_left_out(const struct build *b, const struct source *s, GError **err)
{
    guint line = 0;
    const char *pattern = b->input.context_dir ? decider(b, s->path, &line) : NULL;
    if (!pattern)
        return FALSE;
    if (!pattern_has_wildcards(s->path) && !exists_on_disk(b, s->path)) {
        error_set(err, VARVE_ERROR_NOT_FOUND,
                  "\"%s\" was not found in the build context, and %s:%u would exclude it: %s",
                  s->path, b->input.ignore_name, line, pattern);
        error_add_next(err, "create it before the build, and add !%s to %s", s->path,
                       b->input.ignore_name);
        return TRUE;
    }
    error_set(err, VARVE_ERROR_NOT_FOUND, "\"%s\" is excluded by %s:%u: %s", s->path,
              b->input.ignore_name, line, pattern);
    error_add_next(err, "remove that line, or add !%s below it", s->path);
    return TRUE;
}

/* A next move where the message itself does not say what was meant. */
static void add_next_for_source(const struct source *s, GError **err)
{
    const char *stage = s->input->meta.stage;
    if (error_next(*err) || strstr((*err)->message, "did you mean"))
        return;
    if (is_context(s->input) && s->written && *s->written == '/')
        error_add_next(
            err, "paths are relative to the context: %s means %s inside it, not on this machine",
            s->written, s->path);
    else if (is_context(s->input))
        error_add_next(err, "correct the path, which is relative to the context, or create the "
                            "file before the build");
    else if (stage && !g_ascii_isdigit(*stage))
        error_add_next(err,
                       "correct the path; varve build --target %s -o type=tar . | tar t lists that "
                       "stage's files",
                       stage);
    else
        error_add_next(err, "correct the path, which starts at the root of the file system");
}

struct span build_explain_missing(const struct build *b, const struct vertex *v, GError **err)
{
    const struct vertex_result *r = solver_result(b->batch->solver, v);
    const struct instruction *ins = instruction_of(b, v);
    if (r->missing == 0 || (v->op.type != OP_FILE && v->op.type != OP_EXEC))
        return missing_place(ins, v, 0);
    struct source s = find_source(v, r->missing);
    GError *better = NULL;
    gboolean context = is_context(s.input);
    gboolean main_context = context && strcmp(s.input->op.source.identifier, "context") == 0;
    if ((context && s.written && climbs(s.written) && set_outside(&s, &better)) ||
        (main_context && set_left_out(b, &s, &better))) {
        g_clear_error(err);
        *err = better;
    } else {
        add_next_for_source(&s, err);
    }
    return missing_place(ins, v, s.place);
}

static char *place_of_source(const struct source *s)
{
    const char *stage = s->input->meta.stage;
    if (is_context(s->input))
        return g_strdup("in the build context");
    return stage && !g_ascii_isdigit(*stage) ? g_strdup_printf("in stage %s", stage)
                                             : g_strdup("in what --from names");
}

static void note_nothing(const struct build *b, const struct vertex *v)
{
    struct source s = find_source(v, 1);
    const char *written = s.written ? s.written : s.path;
    guint line = 0;
    gboolean main_context =
        is_context(s.input) && strcmp(s.input->op.source.identifier, "context") == 0;
    if (main_context && decider(b, s.path, &line))
        return; /* of that the check CopyIgnoredFile warns */
    g_autofree char *where = place_of_source(&s);
    if (pattern_has_wildcards(s.path))
        event_note(b->ports.events, "%s:%d: nothing %s matches %s, so nothing was copied",
                   b->result.df->name, v->meta.line, where, written);
    else
        event_note(b->ports.events, "%s:%d: %s %s holds no file, so none was copied",
                   b->result.df->name, v->meta.line, written, where);
}

void build_note_nothing_copied(const struct build *b)
{
    for (guint i = 0; b->batch->solver && i < b->result.graph->vertices->len; i++) {
        const struct vertex *v = g_ptr_array_index(b->result.graph->vertices, i);
        const struct vertex_result *r = solver_result(b->batch->solver, v);
        if (r->nothing && v->meta.line > 0 && build_needs(b, v) && v->meta.owner == b->number)
            note_nothing(b, v);
    }
}
