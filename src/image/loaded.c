#include "image/loaded.h"

#include "text/reference.h"

struct loaded_image *loaded_image_new(void)
{
    struct loaded_image *image = g_new0(struct loaded_image, 1);
    image->names = g_ptr_array_new_with_free_func(g_free);
    return image;
}

void loaded_image_free(struct loaded_image *image)
{
    if (!image)
        return;
    g_ptr_array_unref(image->names);
    chain_free(image->chain);
    g_free(image);
}

void loaded_image_add_name(struct loaded_image *image, const char *text)
{
    g_autoptr(reference) ref = text ? reference_parse(text, NULL) : NULL;
    g_autofree char *name = ref && !ref->digest ? reference_text(ref) : NULL;
    if (name && !g_ptr_array_find_with_equal_func(image->names, name, g_str_equal, NULL))
        g_ptr_array_add(image->names, g_steal_pointer(&name));
}
