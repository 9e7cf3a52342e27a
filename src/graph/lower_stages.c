#include "graph/lowering.h"

#include "base/suggest.h"
#include "dockerfile/autoargs.h"
#include "dockerfile/expand.h"
#include "text/reference.h"

#include <string.h>

struct build_stage *lower_new_stage(struct lowering *lw)
{
    struct build_stage *s = g_new0(struct build_stage, 1);
    s->index = -1;
    s->commands = g_array_new(FALSE, FALSE, sizeof(struct command));
    s->args = g_ptr_array_new_with_free_func(g_free);
    s->arg_names = g_hash_table_new(g_str_hash, g_str_equal);
    vars_init(&s->env);
    g_ptr_array_add(lw->stages, s);
    return s;
}

void lower_free_stage(gpointer stage)
{
    struct build_stage *s = stage;
    for (guint i = 0; i < s->commands->len; i++)
        g_free(g_array_index(s->commands, struct command, i).sources);
    g_array_unref(s->commands);
    g_hash_table_unref(s->arg_names);
    g_ptr_array_unref(s->args);
    vars_clear(&s->env);
    image_conf_free(s->conf);
    g_free(s->label);
    g_free(s->base_name);
    g_free(s);
}

/* "node:latest" and "node" are one name; what is no image reference stands for itself. */
static char *context_key(const char *name)
{
    g_autoptr(reference) r = reference_parse(name, NULL);
    if (!r)
        return g_strdup(name);
    g_autofree char *key = reference_familiar(r);
    if (!r->digest && g_str_has_suffix(key, ":latest"))
        key[strlen(key) - strlen(":latest")] = '\0';
    return g_steal_pointer(&key);
}

/* Which of "name" and "name::platform" c is for key on p: 0 none, 1 any platform, 2 just this one.
 */
static int context_match(const struct named_context *c, const char *key, const struct platform *p)
{
    const char *at = strstr(c->name, "::");
    g_autofree char *name = at ? g_strndup(c->name, at - c->name) : g_strdup(c->name);
    g_autofree char *own = context_key(name);
    struct platform wanted;
    if (strcmp(own, key) != 0)
        return 0;
    if (!at)
        return 1;
    return platform_parse(&wanted, at + 2, NULL) && platform_equal(&wanted, p) ? 2 : 0;
}

const struct named_context *lower_find_context(const struct lowering *lw, const char *name,
                                               const struct platform *p)
{
    const struct named_context *best = NULL;
    int best_match = 0;
    if (!lw->o->contexts || lw->o->contexts->len == 0 || g_ascii_strcasecmp(name, "scratch") == 0 ||
        g_ascii_strcasecmp(name, "context") == 0)
        return NULL;
    g_autofree char *key = context_key(name);
    for (guint i = 0; i < lw->o->contexts->len; i++) {
        const struct named_context *c = g_ptr_array_index(lw->o->contexts, i);
        int match = context_match(c, key, p);
        if (match >= best_match && match > 0) {
            best = c;
            best_match = match;
        }
    }
    return best;
}

char *lower_expand_vars(struct lowering *lw, struct vars *v, const char *text, struct span at)
{
    struct expand x = {.lookup = vars_get, .ctx = v, .escape = lw->df->escape};
    g_autoptr(GError) err = NULL;
    char *out = expand_word(&x, text, &err);
    if (!out)
        diags_gerror(lw->diags, at, err);
    return out;
}

gboolean lower_take_arg(struct lowering *lw, struct vars *v, const struct pair *pair)
{
    const char *given = lower_build_arg(lw, pair->key);
    if (!given && !pair->value)
        return TRUE;
    g_autofree char *value =
        given ? g_strdup(given) : lower_expand_vars(lw, v, pair->value, pair->span);
    if (value)
        vars_set(v, pair->key, value);
    return value != NULL;
}

/* ARGs before the first FROM: their values may use those before them. */
static gboolean read_meta_args(struct lowering *lw)
{
    for (guint i = 0; i < lw->df->n_meta_args; i++) {
        const struct instruction *ins = lw->df->meta_args[i];
        for (guint k = 0; k < ins->n_pairs; k++) {
            if (!lower_take_arg(lw, &lw->globals, &ins->pairs[k]))
                return FALSE;
            if (vars_count(&lw->globals) > LOWER_MAX_VARIABLES) {
                diags_error(lw->diags, ins->span, "more than %d variables", LOWER_MAX_VARIABLES);
                return FALSE;
            }
        }
    }
    return TRUE;
}

/* autoargs_fn; build arguments may replace it. */
static void set_automatic(gpointer lowering, const char *name, const char *value)
{
    struct lowering *lw = lowering;
    const char *given = lower_build_arg(lw, name);
    vars_set(&lw->globals, name, given ? given : value);
}

static gboolean read_platform(struct lowering *lw, struct build_stage *s)
{
    const char *text = s->st->platform;
    if (!text || !*text) /* an empty one counts as none, as in BuildKit; a variable's does not */
        return TRUE;
    struct span at = instruction_flag(s->st->from, "platform")->span;
    g_autofree char *value = lower_expand_vars(lw, &lw->globals, text, at);
    if (!value)
        return FALSE;
    g_autoptr(GError) err = NULL;
    if (!*value) {
        diags_error(lw->diags, at, "empty platform value from expression %s", text);
        return FALSE;
    }
    if (!platform_parse(&s->platform, value, &err)) {
        diags_gerror(lw->diags, at, err);
        return FALSE;
    }
    s->has_platform = TRUE;
    return TRUE;
}

static gboolean is_filtered(const struct lower_options *o, const char *name)
{
    for (const char *const *f = o->no_cache_filter; f && *f; f++)
        if (name && g_ascii_strcasecmp(*f, name) == 0)
            return TRUE;
    return FALSE;
}

static gboolean make_stage(struct lowering *lw, const struct stage *st)
{
    struct build_stage *s = lower_new_stage(lw);
    s->st = st;
    s->index = (int)st->index;
    s->label = st->name ? g_strdup(st->name) : g_strdup_printf("%u", st->index);
    s->place = st->base->span;
    s->platform = lw->o->platform;
    s->no_cache = lw->o->no_cache || is_filtered(lw->o, st->name);
    s->base_name = lower_expand_vars(lw, &lw->globals, st->base->text, s->place);
    if (!s->base_name || !read_platform(lw, s))
        return FALSE;
    if (!*s->base_name) {
        diags_error(lw->diags, s->place, "base name (%s) should not be blank", st->base->text);
        diags_hint(lw->diags, "give the ARG a default before FROM, or pass --build-arg");
        return FALSE;
    }
    s->override = st->name ? lower_find_context(lw, st->name, &s->platform) : NULL;
    s->base = s->override ? NULL : g_hash_table_lookup(lw->by_name, s->base_name);
    if (st->name)
        g_hash_table_insert(lw->by_name, (gpointer)st->name, s);
    for (guint i = 0; i < st->n_instructions && !s->override; i++) {
        struct command cmd = {.ins = st->instructions[i]};
        g_array_append_val(s->commands, cmd);
    }
    return TRUE;
}

gboolean lower_make_stages(struct lowering *lw)
{
    autoargs_each(lw->df, &lw->o->build_platform, &lw->o->platform, lw->o->target, set_automatic,
                  lw);
    if (!read_meta_args(lw))
        return FALSE;
    gboolean ok = TRUE;
    for (guint i = 0; i < lw->df->n_stages && !diags_full(lw->diags); i++)
        ok &= make_stage(lw, &lw->df->stages[i]);
    lw->n_file_stages = lw->stages->len;
    return ok;
}

/* The names that --target could have given. */
static void hint_stages(struct lowering *lw)
{
    g_autoptr(GString) names = g_string_new(NULL);
    guint shown = 0;
    for (guint i = 0; i < lw->n_file_stages && shown < 10; i++) {
        const struct build_stage *s = g_ptr_array_index(lw->stages, i);
        if (s->st->name)
            g_string_append_printf(names, "%s%s", shown++ ? ", " : "", s->st->name);
    }
    if (shown)
        diags_hint(lw->diags, "the stages are %s (varve build --call=targets lists all)",
                   names->str);
    else
        diags_hint(lw->diags, "no stage has a name: leave --target out, or write FROM … AS %s",
                   lw->o->target);
}

struct build_stage *lower_find_target(struct lowering *lw)
{
    const char *target = lw->o->target;
    if (!target || !*target)
        return g_ptr_array_index(lw->stages, lw->n_file_stages - 1);
    g_autofree char *name = g_ascii_strdown(target, -1);
    struct build_stage *s = g_hash_table_lookup(lw->by_name, name);
    if (s)
        return s;
    g_autofree const char **names =
        (const char **)g_hash_table_get_keys_as_array(lw->by_name, NULL);
    const char *near = suggest_nearest(target, names, g_hash_table_size(lw->by_name));
    if (near) {
        diags_error(lw->diags, (struct span){0},
                    "target stage \"%s\" could not be found; did you mean \"%s\"?", target, near);
    } else {
        diags_error(lw->diags, (struct span){0}, "target stage \"%s\" could not be found", target);
        hint_stages(lw);
    }
    return NULL;
}
