/* semvercmp(): whether a version satisfies a constraint. */
#include "bake/function.h"
#include "bake/semver.h"

static const struct param VERSION_CONSTRAINT[] = {{"version", &type_string, FALSE},
                                                  {"constraint", &type_string, FALSE}};

static const struct value *call_semvercmp(struct call *c, const struct value *const *args, guint n,
                                          GError **err)
{
    gboolean yes;
    int which;
    if (semver_satisfies(args[0]->text.bytes, args[1]->text.bytes, &yes, &which, err))
        return value_bool(yes);
    c->bad_arg = which;
    return NULL;
}

const struct function functions_version[] = {
    FUNCTION("semvercmp", VERSION_CONSTRAINT, NULL, call_semvercmp),
    {0},
};
