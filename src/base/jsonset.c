#include "base/jsonset.h"

json_t *jsonset_value(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    return valid ? json_string(valid) : json_null();
}

void jsonset_text(json_t *o, const char *key, const char *text)
{
    if (text)
        json_object_set_new(o, key, jsonset_value(text));
}

void jsonset_filled(json_t *o, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(o, key, jsonset_value(text));
}

void jsonset_int(json_t *o, const char *key, gint64 value)
{
    if (value)
        json_object_set_new(o, key, json_integer(value));
}

void jsonset_true(json_t *o, const char *key, gboolean value)
{
    if (value)
        json_object_set_new(o, key, json_true());
}
