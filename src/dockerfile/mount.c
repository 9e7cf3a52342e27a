#include "dockerfile/mount.h"

#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/suggest.h"
#include "text/bytesize.h"

#include <string.h>

enum key {
    KEY_TYPE,
    KEY_FROM,
    KEY_SOURCE,
    KEY_TARGET,
    KEY_READONLY,
    KEY_READWRITE,
    KEY_REQUIRED,
    KEY_SIZE,
    KEY_ID,
    KEY_SHARING,
    KEY_MODE,
    KEY_UID,
    KEY_GID,
    KEY_ENV,
};
static const struct key_name {
    const char *name;
    enum key key;
} keys[] = {
    {"type", KEY_TYPE},
    {"from", KEY_FROM},
    {"source", KEY_SOURCE},
    {"src", KEY_SOURCE},
    {"target", KEY_TARGET},
    {"dst", KEY_TARGET},
    {"destination", KEY_TARGET},
    {"readonly", KEY_READONLY},
    {"ro", KEY_READONLY},
    {"readwrite", KEY_READWRITE},
    {"rw", KEY_READWRITE},
    {"required", KEY_REQUIRED},
    {"size", KEY_SIZE},
    {"id", KEY_ID},
    {"sharing", KEY_SHARING},
    {"mode", KEY_MODE},
    {"uid", KEY_UID},
    {"gid", KEY_GID},
    {"env", KEY_ENV},
};

void mount_spec_clear(struct mount_spec *m)
{
    g_free(m->target);
    g_free(m->source);
    g_free(m->from);
    g_free(m->id);
    g_free(m->env);
    *m = (struct mount_spec){0};
}

static const struct key_name *find_key(const struct pair *field, GError **err)
{
    const char *names[G_N_ELEMENTS(keys)];
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (g_ascii_strcasecmp(keys[i].name, field->key) == 0)
            return &keys[i];
        names[i] = keys[i].name;
    }
    const char *near = suggest_nearest(field->key, names, G_N_ELEMENTS(names));
    g_autofree char *text = g_strconcat(field->key, field->value ? "=" : NULL, field->value, NULL);
    error_set(err, VARVE_ERROR_INVALID,
              near ? "unexpected key '%s' in '%s'; did you mean %s?"
                   : "unexpected key '%s' in '%s'",
              field->key, text, near);
    return NULL;
}

static gboolean bad_value(GError **err, const char *key, const char *value)
{
    return error_set(err, VARVE_ERROR_INVALID, "invalid value for %s: %s", key, value);
}

static gboolean take_bool(gboolean *out, const char *key, const char *value, GError **err)
{
    return boolean_parse(value, out) || bad_value(err, key, value);
}

static gboolean take_number(guint32 *out, gboolean *has, const char *key, const char *value,
                            guint base, GError **err)
{
    guint64 v = 0;
    if (!g_ascii_string_to_unsigned(value, base, 0, base == 8 ? 07777 : G_MAXUINT32, &v, NULL))
        return bad_value(err, key, value);
    *out = (guint32)v;
    *has = TRUE;
    return TRUE;
}

/* Index of value in names, or -1 with an error that lists them. */
static int take_choice(const char *what, const char *value, const char *const *names, guint n,
                       GError **err)
{
    for (guint i = 0; i < n; i++)
        if (g_ascii_strcasecmp(names[i], value) == 0)
            return (int)i;
    const char *near = suggest_nearest(value, names, n);
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < n; i++)
        g_string_append_printf(all, "%s%s", i ? ", " : "", names[i]);
    if (near)
        error_set(err, VARVE_ERROR_INVALID, "unsupported %s \"%s\"; did you mean %s?", what, value,
                  near);
    else
        error_set(err, VARVE_ERROR_INVALID, "unsupported %s \"%s\"; known are %s", what, value,
                  all->str);
    return -1;
}

static void take_mount_text(char **field, const char *value)
{
    g_free(*field);
    *field = *value ? g_strdup(value) : NULL;
}

/* Which of the keys that matter when present were given. */
struct given {
    gboolean access; /* ro or rw */
    gboolean sharing;
};

static gboolean wrong_for_type(const struct mount_spec *m, const char *key, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "unexpected key '%s' for mount type '%s'", key,
                     mount_type_names[m->type]);
}

static gboolean take_rest(struct mount_spec *m, enum key key, const char *name, const char *value,
                          GError **err)
{
    gboolean secret_or_ssh = m->type == MOUNT_SECRET || m->type == MOUNT_SSH;
    switch (key) {
    case KEY_REQUIRED:
        return secret_or_ssh ? take_bool(&m->required, name, value, err)
                             : wrong_for_type(m, name, err);
    case KEY_SIZE:
        if (m->type != MOUNT_TMPFS)
            return wrong_for_type(m, name, err);
        return bytesize_parse(value, &m->size, NULL) || bad_value(err, name, value);
    case KEY_ENV:
        if (m->type != MOUNT_SECRET)
            return wrong_for_type(m, name, err);
        take_mount_text(&m->env, value);
        return TRUE;
    case KEY_MODE:
        return take_number(&m->mode, &m->has_mode, name, value, 8, err);
    case KEY_UID:
        return take_number(&m->uid, &m->has_uid, name, value, 10, err);
    case KEY_GID:
        return take_number(&m->gid, &m->has_gid, name, value, 10, err);
    default:
        g_assert_not_reached();
    }
}

static gboolean take_field(struct mount_spec *m, struct given *given, enum key key,
                           const char *name, const char *value, GError **err)
{
    gboolean on = TRUE;
    int choice;
    switch (key) {
    case KEY_TYPE:
        choice = take_choice("mount type", value, mount_type_names, MOUNT_TYPES, err);
        m->type = MAX(choice, 0);
        return choice >= 0;
    case KEY_SHARING:
        choice = take_choice("sharing value", value, cache_sharing_names, CACHE_SHARINGS, err);
        m->sharing = MAX(choice, 0);
        given->sharing = TRUE;
        return choice >= 0;
    case KEY_READONLY:
    case KEY_READWRITE:
        if (!take_bool(&on, name, value, err))
            return FALSE;
        m->readonly = (key == KEY_READONLY) == on;
        given->access = TRUE;
        return TRUE;
    case KEY_FROM:
        take_mount_text(&m->from, value);
        return TRUE;
    case KEY_SOURCE:
        take_mount_text(&m->source, value);
        return TRUE;
    case KEY_TARGET:
        take_mount_text(&m->target, value);
        return TRUE;
    case KEY_ID:
        take_mount_text(&m->id, value);
        return TRUE;
    default:
        return take_rest(m, key, name, value, err);
    }
}

static gboolean read_field(struct mount_spec *m, struct given *given, const struct pair *field,
                           mount_expand_fn expand, gpointer ctx, GError **err)
{
    const struct key_name *k = find_key(field, err);
    if (!k)
        return FALSE;
    if (!field->value && k->key != KEY_READONLY && k->key != KEY_READWRITE &&
        k->key != KEY_REQUIRED)
        return error_set(err, VARVE_ERROR_INVALID, "invalid field '%s' must be a key=value pair",
                         field->key);
    g_autofree char *value = !field->value ? g_strdup("true")
                             : expand      ? expand(ctx, field->value, err)
                                           : g_strdup(field->value);
    return value && take_field(m, given, k->key, k->name, value, err);
}

static gboolean check_secret(const struct mount_spec *m, GError **err)
{
    if (m->from)
        return error_set(err, VARVE_ERROR_INVALID, "a secret mount cannot have a from");
    if (!m->source && !m->target && !m->id)
        return error_set(err, VARVE_ERROR_INVALID,
                         "invalid secret mount: one of id, target required");
    if (m->source && m->id)
        return error_set(err, VARVE_ERROR_INVALID, "both source and id can't be set");
    return TRUE;
}

static gboolean check_mount(struct mount_spec *m, const struct given *given, GError **err)
{
    const char *owned = m->has_mode ? "mode" : m->has_uid ? "uid" : m->has_gid ? "gid" : NULL;
    if (owned && (m->type == MOUNT_BIND || m->type == MOUNT_TMPFS))
        return error_set(err, VARVE_ERROR_INVALID, "%s not allowed for \"%s\" type mounts", owned,
                         mount_type_names[m->type]);
    if (!given->access)
        m->readonly = m->type != MOUNT_CACHE && m->type != MOUNT_TMPFS;
    if (given->sharing && m->type != MOUNT_CACHE)
        return error_set(err, VARVE_ERROR_INVALID, "invalid cache sharing set for %s mount",
                         mount_type_names[m->type]);
    return m->type != MOUNT_SECRET || check_secret(m, err);
}

gboolean mount_spec_read(struct mount_spec *out, const struct mount_flag *m, mount_expand_fn expand,
                         gpointer ctx, GError **err)
{
    *out = (struct mount_spec){0};
    struct given given = {0};
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < m->n_fields; i++)
        ok = read_field(out, &given, &m->fields[i], expand, ctx, err);
    ok = ok && check_mount(out, &given, err);
    if (!ok) {
        g_prefix_error(err, "invalid --mount: ");
        mount_spec_clear(out);
    }
    return ok;
}

/* What the fields say of where the mount is from. */
static const char *find_from(const struct mount_flag *m)
{
    const char *from = NULL;
    for (guint i = 0; i < m->n_fields; i++) {
        const struct pair *f = &m->fields[i];
        if (!f->value)
            continue;
        if (g_ascii_strcasecmp(f->key, "type") == 0 && g_ascii_strcasecmp(f->value, "tmpfs") == 0)
            return NULL;
        if (g_ascii_strcasecmp(f->key, "from") == 0)
            from = f->value;
    }
    return from && *from ? from : NULL;
}

gboolean mount_flag_parse(struct mount_flag *out, struct arena *a, const struct flag *f,
                          GError **err)
{
    g_auto(GStrv) texts = csv_split(f->value, err);
    if (!texts) {
        g_prefix_error(err, "invalid --mount: ");
        return FALSE;
    }
    guint n = g_strv_length(texts);
    struct pair *fields = arena_alloc(a, n * sizeof *fields);
    for (guint i = 0; i < n; i++) {
        const char *eq = strchr(texts[i], '=');
        fields[i] = (struct pair){
            .key = arena_strndup(a, texts[i], eq ? (gsize)(eq - texts[i]) : strlen(texts[i])),
            .value = eq ? arena_strdup(a, eq + 1) : NULL,
            .span = f->span};
    }
    *out = (struct mount_flag){.flag = f, .fields = fields, .n_fields = n};
    out->from = find_from(out);
    return TRUE;
}
