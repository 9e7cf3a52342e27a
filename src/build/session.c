#include "build/session.h"

#include "build/userenv.h"
#include "layer/index.h"
#include "store/gc.h"

struct session {
    struct session_options o;
    char *root, *config_file; /* what o has of them */
    GMutex lock;              /* guards config and loaded */
    struct build_config config;
    gboolean loaded;
};

struct session *session_new(const struct session_options *o)
{
    struct session *s = g_new0(struct session, 1);
    s->o = *o;
    s->o.root = s->root = o->root ? g_strdup(o->root) : userenv_store_root(o->env);
    s->o.env = g_strdupv(o->env);
    s->o.config_file = s->config_file = g_strdup(o->config_file);
    g_mutex_init(&s->lock);
    return s;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    build_config_clear(&s->config);
    g_mutex_clear(&s->lock);
    g_free(s->root);
    g_free(s->config_file);
    g_strfreev(s->o.env);
    g_free(s);
}

static gboolean load_config(struct session *s, struct event_sink *events, GError **err)
{
    if (!build_config_load(&s->config, s->o.env, s->o.config_file, events, err))
        return FALSE;
    s->config.registry->login = s->o.login;
    return TRUE;
}

const struct build_config *session_config(struct session *s, struct event_sink *events,
                                          GError **err)
{
    g_mutex_lock(&s->lock);
    if (!s->loaded)
        s->loaded = load_config(s, events, err);
    gboolean loaded = s->loaded;
    g_mutex_unlock(&s->lock);
    return loaded ? &s->config : NULL;
}

char **session_env(const struct session *s)
{
    return s->o.env;
}

struct store *session_store(struct session *s, struct event_sink *events, GError **err)
{
    return session_open_store(s->root, events, err);
}

struct slots *session_slots(const struct session *s)
{
    return s->o.slots;
}

gboolean session_check_sizes(struct store *s, const char *id, GError **err)
{
    return layer_index_verify(s, id, FALSE, err);
}

#define MAX_SHOWN 3

struct telling {
    struct event_sink *events;
    guint left; /* problems still to be told of */
};

/* A power loss may damage everything of half a minute: print only a few lines. */
static void on_problem(gpointer ctx, const char *problem)
{
    struct telling *t = ctx;
    if (t->left == 0)
        return;
    t->left--;
    event_warn(t->events, "lost when the machine stopped: %s", problem);
}

struct store *session_open_store(const char *root, struct event_sink *events, GError **err)
{
    struct store *s = store_open(root, err);
    if (!s || !store_is_unsettled(s))
        return s;
    /* Sizes show the damage of a power loss: a file that was not written yet is short or empty. */
    guint problems = 0;
    struct telling telling = {events, MAX_SHOWN};
    const struct fsck_options how = {
        .check_layer = session_check_sizes, .report = on_problem, .ctx = &telling};
    if (!store_settle(s, &how, &problems, err)) {
        store_close(s);
        return NULL;
    }
    if (problems > MAX_SHOWN)
        event_warn(events, "and %u more layers and blobs", problems - MAX_SHOWN);
    if (problems)
        event_warn(events, "the next build makes %s again; fsck verifies everything else",
                   problems == 1 ? "it" : "them");
    return s;
}

static void on_wait(gpointer ctx, int pid)
{
    g_autofree char *who = pid ? g_strdup_printf(", process %d,", pid) : g_strdup("");
    event_warn(ctx, "waiting for another varve%s that is doing the same work", who);
}

void session_show_waits(struct store *s, struct event_sink *events)
{
    store_tell_waits(s, events ? on_wait : NULL, events);
}

gboolean session_pull(const struct session_pull *how, struct store *s, const struct reference *ref,
                      const struct platform *p, GError **err)
{
    struct sources_options so = {.store = s,
                                 .registry = how->registry,
                                 .events = how->events,
                                 .cancel = how->cancel,
                                 .pull = how->policy};
    session_show_waits(s, so.events);
    g_autoptr(sources) sources = sources_new(&so);
    g_autoptr(chain) chain = sources_pull(sources, ref, p, err);
    session_show_waits(s, NULL);
    return chain != NULL;
}
