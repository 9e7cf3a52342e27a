/* HCL's native syntax: parsing, then all that can be asked of a tree, then evaluation with what the
 * file itself defines at the top. */
#include "fuzz.h"

#include "fuzz-bake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bake(hclfile_parse("docker-bake.hcl", data, size));
    return 0;
}
