#include "image/config.h"

#include "base/error.h"
#include "image/jsonin.h"
#include "image/jsonout.h"
#include "store/blob.h"

#define MAX_CONFIG (4 * 1024 * 1024)
#define MAX_HISTORY 10000
#define MAX_LAYERS 10000

static gboolean get_dup(const json_t *obj, const char *key, char **out, GError **err)
{
    const char *s;
    if (!jsonin_string(obj, key, &s, err))
        return FALSE;
    *out = s && *s ? g_strdup(s) : NULL;
    return TRUE;
}

static gboolean get_list(const json_t *obj, const char *key, GPtrArray *into, GError **err)
{
    g_auto(GStrv) strv = NULL;
    if (!jsonin_strv(obj, key, &strv, err))
        return FALSE;
    for (guint i = 0; strv && strv[i]; i++)
        g_ptr_array_add(into, g_steal_pointer(&strv[i]));
    return TRUE;
}

/* Old and hand-made images leave it out: the architecture is then unknown (""), as for Docker. */
static gboolean parse_config_platform(const json_t *doc, struct platform *p, GError **err)
{
    const char *os, *arch, *variant;
    if (!jsonin_string(doc, "os", &os, err) || !jsonin_string(doc, "architecture", &arch, err) ||
        !jsonin_string(doc, "variant", &variant, err))
        return FALSE;
    if (g_strlcpy(p->arch, arch ? arch : "", sizeof p->arch) >= sizeof p->arch ||
        g_strlcpy(p->os, os && *os ? os : "linux", sizeof p->os) >= sizeof p->os ||
        g_strlcpy(p->variant, variant ? variant : "", sizeof p->variant) >= sizeof p->variant)
        return error_set(err, VARVE_ERROR_INVALID,
                         "\"architecture\", \"os\" or \"variant\" is not a platform's");
    platform_normalise(p);
    return TRUE;
}

static gboolean parse_health(const json_t *config, struct healthcheck **out, GError **err)
{
    const json_t *obj;
    if (!jsonin_object(config, "Healthcheck", &obj, err))
        return FALSE;
    if (!obj)
        return TRUE;
    struct healthcheck *h = *out = g_new0(struct healthcheck, 1);
    gint64 retries;
    if (!jsonin_strv(obj, "Test", &h->test, err) ||
        !jsonin_int(obj, "Interval", &h->interval, err) ||
        !jsonin_int(obj, "Timeout", &h->timeout, err) ||
        !jsonin_int(obj, "StartPeriod", &h->start_period, err) ||
        !jsonin_int(obj, "StartInterval", &h->start_interval, err) ||
        !jsonin_int(obj, "Retries", &retries, err))
        return FALSE;
    h->retries = (int)CLAMP(retries, 0, G_MAXINT);
    return TRUE;
}

static gboolean parse_runtime(const json_t *doc, struct image_conf *c, GError **err)
{
    const json_t *o;
    if (!jsonin_object(doc, "config", &o, err))
        return FALSE;
    if (!o)
        return TRUE;
    return get_dup(o, "User", &c->user, err) && jsonin_set(o, "ExposedPorts", c->ports, err) &&
           get_list(o, "Env", c->env, err) && jsonin_strv(o, "Entrypoint", &c->entrypoint, err) &&
           jsonin_strv(o, "Cmd", &c->cmd, err) && jsonin_set(o, "Volumes", c->volumes, err) &&
           get_dup(o, "WorkingDir", &c->workdir, err) && jsonin_map(o, "Labels", c->labels, err) &&
           get_dup(o, "StopSignal", &c->stop_signal, err) &&
           jsonin_bool(o, "ArgsEscaped", &c->args_escaped, err) &&
           parse_health(o, &c->health, err) && get_list(o, "OnBuild", c->onbuild, err) &&
           jsonin_strv(o, "Shell", &c->shell, err);
}

static gboolean parse_history(const json_t *doc, struct image_conf *c, GError **err)
{
    const json_t *list;
    if (!jsonin_array(doc, "history", MAX_HISTORY, &list, err))
        return FALSE;
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        if (!json_is_object(o))
            return error_set(err, VARVE_ERROR_INVALID, "\"history\" is not a list of objects");
        image_conf_add_history(c, NULL, FALSE);
        struct history *h = c->history->pdata[i];
        g_clear_pointer(&h->comment, g_free);
        if (!get_dup(o, "created", &h->created, err) ||
            !get_dup(o, "created_by", &h->created_by, err) ||
            !get_dup(o, "comment", &h->comment, err) || !get_dup(o, "author", &h->author, err) ||
            !jsonin_bool(o, "empty_layer", &h->empty_layer, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean parse_rootfs(const json_t *doc, struct image_conf *c, GError **err)
{
    const json_t *rootfs, *list;
    const char *type;
    if (!jsonin_object(doc, "rootfs", &rootfs, err))
        return FALSE;
    if (!rootfs)
        return error_set(err, VARVE_ERROR_INVALID, "\"rootfs\" is missing");
    if (!jsonin_string(rootfs, "type", &type, err) ||
        !jsonin_array(rootfs, "diff_ids", MAX_LAYERS, &list, err))
        return FALSE;
    if (g_strcmp0(type, "layers") != 0)
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "\"rootfs\" is of type \"%s\", not \"layers\"", type ? type : "");
    for (gsize i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        struct digest d;
        if (!text)
            return error_set(err, VARVE_ERROR_INVALID, "\"diff_ids\" is not a list of digests");
        if (!digest_parse(&d, text, err))
            return FALSE;
        g_array_append_val(c->diff_ids, d);
    }
    return TRUE;
}

static gboolean parse_all(const json_t *doc, struct image_conf *c, GError **err)
{
    return parse_config_platform(doc, &c->platform, err) &&
           get_dup(doc, "author", &c->author, err) && get_dup(doc, "created", &c->created, err) &&
           parse_runtime(doc, c, err) && parse_history(doc, c, err) && parse_rootfs(doc, c, err);
}

struct image_conf *image_conf_parse(const void *json, gsize len, GError **err)
{
    json_t *doc = jsonin_parse(json, len, MAX_CONFIG, "image config", err);
    if (!doc)
        return NULL;
    struct platform none = {0};
    g_autoptr(image_conf) c = image_conf_new(&none);
    gboolean ok = parse_all(doc, c, err);
    json_decref(doc);
    if (ok)
        return g_steal_pointer(&c);
    g_prefix_error(err, "cannot read the image config: ");
    return NULL;
}

static void write_strv(struct jsonout *j, const char *key, char **strv)
{
    jsonout_opt_strv(j, key, strv, strv ? g_strv_length(strv) : 0);
}

static void write_health(struct jsonout *j, const struct healthcheck *h)
{
    if (!h)
        return;
    jsonout_open(j, "Healthcheck", '{');
    write_strv(j, "Test", h->test);
    jsonout_opt_int(j, "Interval", h->interval);
    jsonout_opt_int(j, "Timeout", h->timeout);
    jsonout_opt_int(j, "StartPeriod", h->start_period);
    jsonout_opt_int(j, "StartInterval", h->start_interval);
    jsonout_opt_int(j, "Retries", h->retries);
    jsonout_close(j, '}');
}

static void write_runtime(struct jsonout *j, const struct image_conf *c)
{
    jsonout_open(j, "config", '{');
    jsonout_opt_str(j, "User", c->user);
    jsonout_opt_map(j, "ExposedPorts", c->ports, TRUE);
    jsonout_opt_strv(j, "Env", (char *const *)c->env->pdata, c->env->len);
    write_strv(j, "Entrypoint", c->entrypoint);
    write_strv(j, "Cmd", c->cmd);
    jsonout_opt_map(j, "Volumes", c->volumes, TRUE);
    jsonout_opt_str(j, "WorkingDir", c->workdir);
    jsonout_opt_map(j, "Labels", c->labels, FALSE);
    jsonout_opt_str(j, "StopSignal", c->stop_signal);
    if (c->args_escaped)
        jsonout_true(j, "ArgsEscaped");
    write_health(j, c->health);
    jsonout_opt_strv(j, "OnBuild", (char *const *)c->onbuild->pdata, c->onbuild->len);
    write_strv(j, "Shell", c->shell);
    jsonout_close(j, '}');
}

static void write_history(struct jsonout *j, const GPtrArray *history)
{
    if (!history->len)
        return;
    jsonout_open(j, "history", '[');
    for (guint i = 0; i < history->len; i++) {
        const struct history *h = history->pdata[i];
        jsonout_open(j, NULL, '{');
        jsonout_opt_str(j, "created", h->created);
        jsonout_opt_str(j, "created_by", h->created_by);
        jsonout_opt_str(j, "author", h->author);
        jsonout_opt_str(j, "comment", h->comment);
        if (h->empty_layer)
            jsonout_true(j, "empty_layer");
        jsonout_close(j, '}');
    }
    jsonout_close(j, ']');
}

static void write_rootfs(struct jsonout *j, const GArray *diff_ids)
{
    jsonout_open(j, "rootfs", '{');
    jsonout_str(j, "type", "layers");
    jsonout_open(j, "diff_ids", '[');
    for (guint i = 0; i < diff_ids->len; i++) {
        g_autofree char *text = digest_text(&g_array_index(diff_ids, struct digest, i));
        jsonout_str(j, NULL, text);
    }
    jsonout_close(j, ']');
    jsonout_close(j, '}');
}

GBytes *image_conf_write(const struct image_conf *c)
{
    struct jsonout j;
    jsonout_init(&j, 0);
    jsonout_open(&j, NULL, '{');
    jsonout_str(&j, "architecture", c->platform.arch);
    jsonout_opt_str(&j, "author", c->author);
    write_runtime(&j, c);
    jsonout_opt_str(&j, "created", c->created);
    write_history(&j, c->history);
    jsonout_str(&j, "os", c->platform.os);
    write_rootfs(&j, c->diff_ids);
    jsonout_opt_str(&j, "variant", c->platform.variant);
    jsonout_opt_str(&j, "varve.cache.v1", c->inline_cache);
    jsonout_close(&j, '}');
    return jsonout_finish(&j);
}

struct image_conf *image_conf_load(struct store *s, const struct digest *d, GError **err)
{
    g_autoptr(GBytes) json = store_blob_read(s, d, MAX_CONFIG, err);
    return json ? image_conf_parse(g_bytes_get_data(json, NULL), g_bytes_get_size(json), err)
                : NULL;
}
