#include "graph/lowering.h"

#include "text/reference.h"

#include <string.h>

struct build_stage *lower_stage_of(struct lowering *lw, struct scope *s)
{
    if (lw->stages->len <= s->number)
        g_ptr_array_set_size(lw->stages, (int)s->number + 1);
    struct build_stage *known = g_ptr_array_index(lw->stages, s->number);
    if (known)
        return known;
    struct build_stage *made = g_new0(struct build_stage, 1);
    made->scope = s;
    made->platform = lw->o->platform;
    lw->stages->pdata[s->number] = made;
    return made;
}

void lower_free_stage(gpointer stage)
{
    struct build_stage *s = stage;
    if (s)
        image_conf_free(s->conf);
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

const struct named_context *named_context_find(const GPtrArray *contexts, const char *name,
                                               const struct platform *p)
{
    const struct named_context *best = NULL;
    int best_match = 0;
    if (!contexts || contexts->len == 0 || g_ascii_strcasecmp(name, "scratch") == 0 ||
        g_ascii_strcasecmp(name, "context") == 0)
        return NULL;
    g_autofree char *key = context_key(name);
    for (guint i = 0; i < contexts->len; i++) {
        const struct named_context *c = g_ptr_array_index(contexts, i);
        int match = context_match(c, key, p);
        if (match >= best_match && match > 0) {
            best = c;
            best_match = match;
        }
    }
    return best;
}

static gboolean read_platform(struct lowering *lw, struct build_stage *s)
{
    const struct stage *st = s->scope->stage;
    if (!s->scope->platform)
        return TRUE;
    struct span at = instruction_flag(st->from, "platform")->span;
    g_autoptr(GError) err = NULL;
    if (!*s->scope->platform) {
        diags_error(lw->diags, at, "empty platform value from expression %s", st->platform);
        return FALSE;
    }
    if (!platform_parse_known(&s->platform, s->scope->platform, &err)) {
        diags_gerror(lw->diags, at, err);
        return FALSE;
    }
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
    struct scope *scope = scopes_add(&lw->scopes, st);
    if (!scope)
        return FALSE;
    struct build_stage *s = lower_stage_of(lw, scope);
    s->no_cache = lw->o->no_cache || is_filtered(lw->o, st->name);
    if (!read_platform(lw, s))
        return FALSE;
    if (!*scope->base_name) {
        diags_error(lw->diags, scope->place, "base name (%s) should not be blank", st->base->text);
        diags_hint(lw->diags, "give the ARG a default before FROM, or pass --build-arg");
        return FALSE;
    }
    s->override = st->name ? named_context_find(lw->o->contexts, st->name, &s->platform) : NULL;
    scope_enter(&lw->scopes, scope, s->override != NULL);
    return TRUE;
}

gboolean lower_make_stages(struct lowering *lw)
{
    if (!scopes_init(&lw->scopes, &lw->o->build_platform, &lw->o->platform, lw->o->target))
        return FALSE;
    gboolean ok = TRUE;
    for (guint i = 0; i < lw->df->n_stages && !diags_full(lw->diags); i++)
        ok &= make_stage(lw, &lw->df->stages[i]);
    return ok;
}

/* The names that --target could have given. */
static void hint_stages(struct lowering *lw)
{
    g_autoptr(GString) names = g_string_new(NULL);
    guint shown = 0;
    for (guint i = 0; i < lw->scopes.n_stages && shown < 10; i++) {
        const struct scope *s = g_ptr_array_index(lw->scopes.all, i);
        if (s->stage->name)
            g_string_append_printf(names, "%s%s", shown++ ? ", " : "", s->stage->name);
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
    struct scope *s = scopes_target(&lw->scopes, target);
    if (s)
        return lower_stage_of(lw, s);
    const char *near = scopes_near(&lw->scopes, target);
    if (near) {
        diags_error(lw->diags, (struct span){0},
                    "target stage \"%s\" could not be found; did you mean \"%s\"?", target, near);
    } else {
        diags_error(lw->diags, (struct span){0}, "target stage \"%s\" could not be found", target);
        hint_stages(lw);
    }
    return NULL;
}
