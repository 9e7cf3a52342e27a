/* HCL's JSON flavour, as hcl.c. */
#include "fuzz.h"

#include "bake/hcljson.h"
#include "fuzz-bake.h"

static const struct block_schema INNER[] = {{"validation", 0, NULL}, {0}};
static const struct block_schema SCHEMA[] = {
    {"target", 1, NULL}, {"pair", 2, NULL}, {"variable", 1, INNER}, {0}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bake(hcljson_parse("docker-bake.json", data, size, SCHEMA));
    return 0;
}
