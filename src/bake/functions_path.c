/* Functions of paths and names. */
#include "bake/function.h"
#include "base/path.h"
#include "text/space.h"

#include <string.h>

static const struct param PATH[] = {{"path", &type_string, FALSE}};
static const struct param NAME[] = {{"name", &type_string, FALSE}};

static const struct value *call_basename(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    g_autofree char *base = path_base(args[0]->text.bytes);
    return value_cstring(c->heap, base);
}

/* All before the last '/', cleaned. */
static const struct value *call_dirname(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    const char *path = args[0]->text.bytes, *slash = strrchr(path, '/');
    g_autofree char *dir = g_strndup(path, slash ? (gsize)(slash + 1 - path) : 0);
    g_autofree char *clean = path_clean(dir);
    return value_cstring(c->heap, clean);
}

static const struct value *call_homedir(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    return value_cstring(c->heap, g_get_home_dir());
}

/* What a target's name cannot contain becomes '_'. */
static const struct value *call_sanitize(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    const char *p = args[0]->text.bytes, *end = p + args[0]->text.len;
    g_autoptr(GString) out = g_string_sized_new(args[0]->text.len);
    for (; p < end; p += text_char(p, end))
        g_string_append_c(out, g_ascii_isalnum(*p) || *p == '-' ? *p : '_');
    return value_take(c->heap, out);
}

const struct function functions_path[] = {
    FUNCTION("basename", PATH, NULL, call_basename),
    FUNCTION("dirname", PATH, NULL, call_dirname),
    FUNCTION_VARIADIC("homedir", NULL, call_homedir),
    FUNCTION("sanitize", NAME, NULL, call_sanitize),
    {0},
};
