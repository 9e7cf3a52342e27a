#include "graph/lower_images.h"

#include "base/error.h"
#include "text/reference.h"

#include <string.h>

/* The name of a stage that was probably meant instead of name, or NULL. */
static struct scope *near_stage(struct lowering *lw, const char *name)
{
    const char *near = scopes_near(&lw->scopes, name);
    return near ? scopes_target(&lw->scopes, near) : NULL;
}

/* No image has this name, but a stage has it or a similar one: say that first, the registry's error
 * last.
 */
static void report_unresolved(struct lowering *lw, struct build_stage *s, const GError *err)
{
    struct scope *near = near_stage(lw, s->scope->base_name);
    if (!near || near == s->scope) {
        diags_gerror(lw->diags, s->scope->place, err);
        return;
    }
    guint line = near->stage->from->first_line;
    if (g_ascii_strcasecmp(near->label, s->scope->base_name) == 0) {
        diags_error(lw->diags, s->scope->place,
                    "stage \"%s\" is defined later (line %u); a stage can only build on stages "
                    "above it",
                    near->label, line);
        diags_hint(lw->diags, "move it above line %u (no image of this name was found: %s)",
                   s->scope->place.line, err->message);
        return;
    }
    diags_error(lw->diags, s->scope->place, "no stage named \"%s\"; did you mean \"%s\" (line %u)?",
                s->scope->base_name, near->label, line);
    diags_hint(lw->diags, "write \"%s\" if you mean that (no image is called \"%s\": %s)",
               near->label, s->scope->base_name, err->message);
}

/* NULL with a diagnostic. */
static const struct resolved_image *resolve(struct lowering *lw, struct build_stage *s,
                                            enum context_kind kind, const char *reference)
{
    g_autoptr(GError) err = NULL;
    const struct resolved_image *r = lower_image(lw, kind, reference, &s->platform, &err);
    if (r)
        return r;
    if (g_error_matches(err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        g_propagate_error(lw->err, g_steal_pointer(&err));
    else
        report_unresolved(lw, s, err);
    return NULL;
}

/* An image without layers is scratch with a config. */
static gboolean has_layers(const struct image_conf *c)
{
    if (c->diff_ids->len > 0)
        return TRUE;
    for (guint i = 0; i < c->history->len; i++)
        if (!((const struct history *)g_ptr_array_index(c->history, i))->empty_layer)
            return TRUE;
    return FALSE;
}

static gboolean find_image(struct lowering *lw, struct build_stage *s, enum context_kind kind,
                           const char *reference)
{
    s->image = resolve(lw, s, kind, reference);
    if (!s->image)
        return FALSE;
    s->conf = image_conf_copy(s->image->conf);
    g_clear_pointer(&s->conf->created, g_free);
    return TRUE;
}

/* The result of another build, as if it were the image that that build makes. */
static gboolean find_build(struct lowering *lw, struct build_stage *s)
{
    g_autoptr(GError) err = NULL;
    s->built = lw->o->result_of(lw->o->result_ctx, s->context->value, &s->platform, &err);
    if (!s->built) {
        diags_gerror(lw->diags, s->scope->place, err);
        return FALSE;
    }
    s->conf = image_conf_copy(s->built->conf);
    g_clear_pointer(&s->conf->created, g_free);
    return TRUE;
}

/* An image by its short name. */
static gboolean find_named_image(struct lowering *lw, struct build_stage *s, const char *name)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(reference) ref = reference_parse(name, &err);
    if (!ref) {
        diags_gerror(lw->diags, s->scope->place, err);
        return FALSE;
    }
    g_autofree char *text = reference_text(ref);
    return find_image(lw, s, CONTEXT_IMAGE, text);
}

/* The config for sources without one: scratch and files. */
static void use_scratch(struct lowering *lw, struct build_stage *s)
{
    s->conf = image_conf_new(&lw->o->platform);
    s->conf->workdir = g_strdup("/");
    image_conf_setenv(s->conf, "PATH", IMAGE_DEFAULT_PATH);
}

/* Layers, shell, PATH and paths of Windows are different. */
static gboolean check_system(struct lowering *lw, struct build_stage *s, const struct platform *p)
{
    if (strcmp(p->os, "windows") != 0)
        return TRUE;
    g_autofree char *text = platform_text(p);
    diags_error(lw->diags, s->scope->place, "images for %s are not supported", text);
    diags_hint(lw->diags, "choose a platform other than Windows, for example linux/amd64");
    return FALSE;
}

/* Nothing, by its own name or as the context docker-image://scratch. */
static gboolean is_scratch(const struct build_stage *s)
{
    if (!s->context)
        return strcmp(s->scope->base_name, "scratch") == 0;
    return s->context->kind == CONTEXT_IMAGE && strcmp(s->context->value, "scratch") == 0;
}

char *lower_base_reference(struct lowering *lw, const struct build_stage *s,
                           enum context_kind *kind)
{
    const struct named_context *c =
        s->override ? s->override
                    : named_context_find(lw->o->contexts, s->scope->base_name, &s->platform);
    const char *name = c ? c->value : s->scope->base_name;
    *kind = c ? c->kind : CONTEXT_IMAGE;
    if (strcmp(s->platform.os, "windows") == 0)
        return NULL;
    if (*kind == CONTEXT_OCI_LAYOUT)
        return g_strdup(name);
    if (*kind != CONTEXT_IMAGE || strcmp(name, "scratch") == 0)
        return NULL;
    g_autoptr(reference) ref = reference_parse(name, NULL);
    return ref ? reference_text(ref) : NULL;
}

gboolean lower_base(struct lowering *lw, struct build_stage *s)
{
    s->context = s->override
                     ? s->override
                     : named_context_find(lw->o->contexts, s->scope->base_name, &s->platform);
    if (!check_system(lw, s, is_scratch(s) ? &lw->o->platform : &s->platform))
        return FALSE;
    if (is_scratch(s)) {
        s->context = NULL;
        use_scratch(lw, s);
        return TRUE;
    }
    if (!s->context)
        return find_named_image(lw, s, s->scope->base_name);
    if (s->context->kind == CONTEXT_OCI_LAYOUT)
        return find_image(lw, s, CONTEXT_OCI_LAYOUT, s->context->value);
    if (s->context->kind == CONTEXT_IMAGE)
        return find_named_image(lw, s, s->context->value);
    if (s->context->kind == CONTEXT_BUILD)
        return find_build(lw, s);
    use_scratch(lw, s);
    return TRUE;
}

static void start_image(struct lowering *lw, struct build_stage *s)
{
    const struct resolved_image *r = s->image;
    if (!has_layers(r->conf))
        return;
    gboolean layout = s->context && s->context->kind == CONTEXT_OCI_LAYOUT;
    g_autofree char *digest = digest_text(&r->digest);
    g_autofree char *identifier = strchr(r->canonical, '@')
                                      ? g_strdup(r->canonical)
                                      : g_strconcat(r->canonical, "@", digest, NULL);
    struct op op = {.type = OP_SOURCE,
                    .source = {.kind = layout ? SOURCE_OCI_LAYOUT : SOURCE_IMAGE,
                               .platform = s->platform,
                               .identifier = graph_str(lw->graph, identifier),
                               .digest = r->digest}};
    s->vertex = lower_add(lw, s, NULL, &op, NULL, 0, FALSE);
}

/* All of source becomes the root of a new image, which has one layer. */
static void start_tree(struct lowering *lw, struct build_stage *s, struct vertex *source,
                       const char *src, gboolean unpack)
{
    struct file_action *copy = graph_alloc0(lw->graph, sizeof *copy);
    *copy = (struct file_action){.type = FILE_COPY,
                                 .input = -1,
                                 .secondary = 0,
                                 .output = TRUE,
                                 .src = src,
                                 .dest = "/",
                                 .dir_contents = TRUE,
                                 .follow_symlink = TRUE,
                                 .create_dest_path = TRUE,
                                 .attempt_unpack = unpack,
                                 .mtime_ns = -1};
    struct op op = {.type = OP_FILE, .file = {.actions = copy, .n_actions = 1, .n_inputs = 1}};
    s->vertex = lower_add(lw, s, NULL, &op, &source, 1, TRUE);
    g_autofree char *text = g_strconcat("FROM ", s->scope->base_name, NULL);
    lower_history(lw, s, text, FALSE);
}

static gboolean start_remote(struct lowering *lw, struct build_stage *s)
{
    g_autoptr(GError) err = NULL;
    struct op op = {.type = OP_SOURCE};
    if (!lower_context_source(lw, s->context, &op.source, &err)) {
        diags_gerror(lw->diags, s->scope->place, err);
        return FALSE;
    }
    gboolean file = op.source.kind == SOURCE_HTTP;
    struct vertex *v = lower_add(lw, s, NULL, &op, NULL, 0, FALSE);
    start_tree(lw, s, v, file ? op.source.filename : "", file);
    return TRUE;
}

gboolean lower_start(struct lowering *lw, struct build_stage *s)
{
    if (s->started)
        return TRUE;
    s->started = TRUE;
    if (s->image) {
        start_image(lw, s);
    } else if (s->built) {
        s->vertex = s->built->result;
    } else if (s->context && named_context_is_remote(s->context)) {
        return start_remote(lw, s);
    } else if (s->context && s->scope->index < 0) {
        s->vertex = lower_local(lw, s->context); /* files to copy from: nothing is built */
    } else if (s->context) {
        start_tree(lw, s, lower_local(lw, s->context), "", FALSE);
    }
    return TRUE;
}

struct vertex *lower_result(struct lowering *lw, struct build_stage *s)
{
    lower_start(lw, s); /* stages made for an image have no instructions: this is all of them */
    return s->vertex;
}

struct vertex *lower_empty(struct lowering *lw, struct build_stage *s,
                           const struct stage_command *cmd)
{
    struct file_action *make = graph_alloc0(lw->graph, sizeof *make);
    *make = (struct file_action){.type = FILE_MKDIR,
                                 .input = -1,
                                 .secondary = -1,
                                 .output = TRUE,
                                 .dest = "/",
                                 .mode = 0755,
                                 .make_parents = TRUE,
                                 .mtime_ns = 0};
    struct op op = {.type = OP_FILE, .file = {.actions = make, .n_actions = 1}};
    return lower_add(lw, s, cmd, &op, NULL, 0, TRUE);
}
