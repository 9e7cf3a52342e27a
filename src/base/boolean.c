#include "base/boolean.h"

gboolean boolean_parse(const char *text, gboolean *out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False", NULL};
    *out = g_strv_contains(yes, text);
    return *out || g_strv_contains(no, text);
}
