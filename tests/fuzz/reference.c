/* Image references: what is accepted has one normal form. */
#include "fuzz.h"

#include "text/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GError) err = NULL;
    g_autoptr(reference) r = reference_parse(text, &err);
    g_assert_true((r == NULL) == (err != NULL));
    if (!r)
        return 0;
    g_autofree char *normal = reference_text(r), *familiar = reference_familiar(r),
                    *repository = reference_repository(r);
    g_autoptr(reference) again = reference_parse(normal, NULL),
                         short_one = reference_parse(familiar, NULL);
    g_assert_true(again && short_one);
    g_autofree char *same = reference_text(again),
                    *same_repository = reference_repository(short_one);
    g_assert_cmpstr(normal, ==, same);
    g_assert_cmpstr(repository, ==, same_repository);
    return 0;
}
