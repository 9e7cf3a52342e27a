#include "run/volume_name.h"

#include <string.h>

#define PREFIX "run-volume:" /* a cache mount's id always has a /, a volume's name never */

gboolean volume_name_is_valid(const char *name)
{
    gsize len = strlen(name);
    return len > 0 && len < 256 && g_ascii_isalnum(*name) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

char *volume_name_id(const char *name)
{
    return g_strconcat(PREFIX, name, NULL);
}

const char *volume_name_of_id(const char *id)
{
    const char *name = g_str_has_prefix(id, PREFIX) ? id + strlen(PREFIX) : NULL;
    return name && volume_name_is_valid(name) ? name : NULL;
}
